"""Makes yolo.json: the YOLO loss of random cases in PyTorch, float64, with gradients by autograd.

Needed only to make it anew:  pip install torch timm;  python make_yolo_golden.py
Maps follow the formula of ../make_golden.py's filled() (fill.h in C++); the file holds boxes, options and results.
Written from the formulas, on whole tensors with masks: unlike the C++ code, no anchor is visited by itself.
"""
import json
import math
import pathlib
import random
import sys

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from make_golden import filled  # noqa: E402

ANCHORS = [(12, 16), (19, 36), (40, 28), (36, 75), (76, 55), (72, 146), (142, 110), (192, 243), (459, 401)]
CASES = 72
EPS = 1e-6


def corners(box):
    return box[..., :2] - box[..., 2:] / 2, box[..., :2] + box[..., 2:] / 2


def overlap(a, b):
    """IoU, joint area and the size of the box around both; a, b are {..., 4}: cx, cy, w, h."""
    (a0, a1), (b0, b1) = corners(a), corners(b)
    shared = (torch.minimum(a1, b1) - torch.maximum(a0, b0)).clamp(min=0).prod(-1)
    joint = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - shared
    return shared / joint.clamp(min=EPS), joint, (torch.maximum(a1, b1) - torch.minimum(a0, b0)).clamp(min=0)


def box_loss(a, b, kind):
    iou, joint, hull = overlap(a, b)
    gap = a[..., :2] - b[..., :2]
    distance = (gap**2).sum(-1) / (hull**2).sum(-1).clamp(min=EPS)
    if kind == "giou":
        area = hull.prod(-1)
        return 1 - (iou - (area - joint) / area.clamp(min=EPS))
    if kind == "diou":
        return 1 - (iou - distance)
    if kind == "ciou":
        angle = lambda box: torch.atan(box[..., 2] / box[..., 3].clamp(min=EPS))
        v = 4 / math.pi**2 * (angle(a) - angle(b)) ** 2
        alpha = v / (1 - iou + v).clamp(min=EPS)
        return 1 - (iou - distance - alpha * v)
    sigma = gap.norm(dim=-1)
    sines = gap.abs() / sigma[..., None]
    sine = torch.where(sines[..., 0] > math.sqrt(0.5), sines[..., 1], sines[..., 0])
    gamma = 2 - torch.cos(2 * torch.asin(sine) - math.pi / 2)
    spread = (1 - torch.exp(-gamma[..., None] * (gap / hull) ** 2)).sum(-1)
    sizes = (a[..., 2:] - b[..., 2:]).abs() / torch.maximum(a[..., 2:], b[..., 2:])
    shape = ((1 - torch.exp(-sizes)) ** 4).sum(-1)
    return 1 - (iou - (spread + shape) / 2)


def assign(case, pictures, level):
    """Dense targets {n, h, w, 3, 4 + 1 + classes} of a map, cells as unit."""
    stride, h, w = 32 >> level, case["h"] << level, case["w"] << level
    target = torch.zeros(case["n"], h, w, 3, 5 + case["classes"], dtype=torch.float64)
    sizes = torch.tensor(ANCHORS, dtype=torch.float64)
    levels = []
    for image, boxes in enumerate(pictures):
        levels.append([])
        for x, y, bw, bh, label in boxes:
            size = torch.tensor([bw, bh], dtype=torch.float64)
            shared = torch.minimum(sizes, size).prod(1)
            best = int((shared / (sizes.prod(1) + size.prod() - shared)).argmax())
            levels[-1].append(2 - best // 3)
            if 2 - best // 3 != level:
                continue
            row, column = min(int(y / stride), h - 1), min(int(x / stride), w - 1)
            cell = target[image, row, column, best % 3]
            cell[:4] = torch.tensor([x, y, bw, bh], dtype=torch.float64) / stride
            cell[4] = 1
            cell[5 + label] = 1
    return target, levels


def decode(map_, level):
    stride, (h, w) = 32 >> level, map_.shape[1:3]
    grid = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(h), indexing="xy"), -1)[None, :, :, None]
    anchors = torch.tensor(ANCHORS[(2 - level) * 3 : (3 - level) * 3], dtype=torch.float64) / stride
    return torch.cat([map_[..., :2].sigmoid() + grid, map_[..., 2:4].exp() * anchors], -1)


def level_sums(case, map_, pictures, level):
    """Box, objectness and class losses of a map, summed; matched, kept and ignored anchors."""
    target, levels = assign(case, pictures, level)
    box = decode(map_, level)
    positive = target[..., 4] > 0
    ignored = torch.zeros_like(positive)
    for image, boxes in enumerate(pictures):
        truth = [b[:4] for b, l in zip(boxes, levels[image]) if l == level or not case["same_level"]]
        if truth:
            truth = torch.tensor(truth, dtype=torch.float64) / (32 >> level)
            iou = overlap(box[image].detach().reshape(-1, 1, 4), truth)[0].amax(1)
            ignored[image] = (iou >= case["threshold"]).reshape(ignored[image].shape)
    ignored &= ~positive
    wanted = target[positive][:, 5:]
    wanted = wanted * (1 - case["smoothing"]) + case["smoothing"] / case["classes"]
    of_boxes = box_loss(box[positive], target[positive][:, :4], case["box_loss"])
    if case["generation"] == 2:
        area = map_.shape[1] * map_.shape[2]
        of_boxes = of_boxes * (2 - target[positive][:, 2:4].prod(-1) / area)
    logit, kept = map_[..., 4][~ignored], positive[~ignored].double()
    objectness = F.binary_cross_entropy_with_logits(logit, kept, reduction="none")
    if case["focal"]:
        p = logit.sigmoid()
        objectness = 10 * objectness * torch.where(kept > 0, 0.25 * (1 - p) ** 2, 0.75 * p**2)
    classes = F.binary_cross_entropy_with_logits(map_[positive][:, 5:], wanted, reduction="sum")
    return of_boxes.sum(), objectness.sum(), classes, int(positive.sum()), kept.numel(), int(ignored.sum())


def loss_terms(case, maps, pictures):
    sums = [level_sums(case, maps[l], pictures, l) for l in range(3)]
    matched, ignored = [s[3] for s in sums], sum(s[5] for s in sums)
    if case["generation"] == 2:
        count = sum(max(m, 1) for m in matched)
        terms = [sum(s[k] for s in sums) / count for k in range(3)]
    else:
        terms = [0, 0, 0]
        for level, (box, objectness, classes, m, kept, _) in enumerate(sums):
            terms[0] = terms[0] + 0.05 * box / max(m, 1)
            scale = 5 * (case["h"] * 32 * case["w"] * 32) / 416**2 * [0.4, 1.0, 4.0][level]
            terms[1] = terms[1] + scale * objectness / max(kept, 1)
            terms[2] = terms[2] + case["classes"] / 80 * classes / max(m, 1) / case["classes"]
    return terms, matched, ignored


def rounded(value):
    return float(f"{value.item():.12g}")


def run(index, rng):
    case = {
        "n": rng.randint(1, 3), "h": rng.randint(1, 3), "w": rng.randint(1, 3), "classes": rng.choice([1, 2, 5, 20]),
        "generation": 2 if index % 4 == 3 else 3, "box_loss": ["ciou", "ciou", "diou", "giou", "siou"][index % 5],
        "smoothing": rng.choice([0, 0, 0.01, 0.1]), "focal": rng.random() < 0.3,
        "threshold": rng.choice([0.5, 0.5, 0.3]), "same_level": rng.random() < 0.3,
    }
    pictures = []
    for _ in range(case["n"]):
        size = lambda: max(2, round(8 * math.exp(rng.uniform(math.log(4), math.log(300)))) / 8)
        place = lambda cells: rng.randint(0, cells * 32 * 8) / 8
        pictures.append([[place(case["w"]), place(case["h"]), size(), size(), rng.randrange(case["classes"])]
                         for _ in range(rng.choice([0, 1, 2, 5, 9]))])
    maps = []
    for level in range(3):
        shape = (case["n"], case["h"] << level, case["w"] << level, 3, 5 + case["classes"])
        maps.append(filled(f"yolo {index} {level}", shape, -2, 2).requires_grad_())
    terms, matched, ignored = loss_terms(case, maps, pictures)
    sum(terms).backward()
    case["boxes"] = pictures
    case["terms"], case["matched"], case["ignored"] = [rounded(t) for t in terms], matched, ignored
    case["norms"] = [rounded(m.grad.norm()) for m in maps]
    case["largest"] = []  # of each map's gradient: place and value of the two largest elements
    for m in maps:
        at = m.grad.flatten().abs().topk(2).indices
        case["largest"].append([[int(i), rounded(m.grad.flatten()[i])] for i in at])
    return case


def main():
    rng = random.Random(4)
    cases = [json.dumps(run(i, rng), separators=(",", ":")) for i in range(CASES)]
    (HERE / "yolo.json").write_text("[\n" + ",\n".join(cases) + "\n]\n")


if __name__ == "__main__":
    main()
