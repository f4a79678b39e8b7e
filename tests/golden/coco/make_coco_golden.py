"""Makes coco_golden.json: what pycocotools' COCOeval, and VOC's rule written with numpy, say of made-up boxes.

Needed only to make it anew:  pip install numpy pycocotools;  python make_coco_golden.py
A case is a function of its number (make_case() below, detection_case.h in C++), so the file holds results only. All
coordinates are quarters of a pixel: sums and products of them are exact, so no overlap depends on rounding.
"""
import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = pathlib.Path(__file__).parent
CASES = 240


class Random:
    """Knuth's MMIX generator; the upper bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n


def make_side(random):
    longest = (40, 110, 300)[random.below(3)]
    return (4 + random.below(4 * longest)) / 4


def make_case(number):
    random = Random(number)
    for _ in range(4):
        random.below(2)
    images, classes = 1 + random.below(6), 1 + random.below(4)
    labels = classes - (1 if number % 5 == 0 and classes > 1 else 0)  # the last class has no truth
    truths, detections = [], []
    for image in range(images):
        for _ in range(random.below(8)):
            label = random.below(labels)
            left, top = random.below(1600) / 4, random.below(1600) / 4
            width, height = make_side(random), make_side(random)
            area = width * height * (0.75 if random.below(3) == 0 else 1)
            crowd = random.below(8) == 0
            truths.append(dict(image=image, label=label, box=(left, top, width, height), area=area, crowd=crowd))
    steps = (4, 20, 1000)[number % 3]  # the fewer, the more scores are equal
    many = number % 12 == 0
    for _ in range(240 + random.below(100) if many else random.below(12 * images)):
        image = 0 if many and random.below(4) else random.below(images)
        label = random.below(2 if many and classes > 1 else classes)
        left, top = random.below(1600) / 4, random.below(1600) / 4
        width, height = make_side(random), make_side(random)
        score = random.below(steps) / steps
        if truths and random.below(10) < 7:  # near a truth
            truth = truths[random.below(len(truths))]
            image = truth["image"]
            if random.below(10):
                label = truth["label"]
            reach = 1 + random.below(60)
            shift = [(random.below(2 * reach) - reach) / 4 for _ in range(4)]
            left, top = truth["box"][0] + shift[0], truth["box"][1] + shift[1]
            width, height = max(0.25, truth["box"][2] + shift[2]), max(0.25, truth["box"][3] + shift[3])
        detections.append(dict(image=image, label=label, box=(left, top, width, height), score=score))
    return images, classes, truths, detections


def coco_numbers(images, classes, truths, detections):
    annotations = [
        dict(id=i + 1, image_id=t["image"], category_id=t["label"], bbox=list(t["box"]), area=t["area"],
             iscrowd=int(t["crowd"])) for i, t in enumerate(truths)
    ]
    results = [
        dict(image_id=d["image"], category_id=d["label"], bbox=list(d["box"]), score=d["score"]) for d in detections
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(images=[dict(id=i) for i in range(images)], annotations=annotations,
                             categories=[dict(id=k, name=str(k)) for k in range(classes)])
        truth.createIndex()
        if results:
            found = truth.loadRes(results)
        else:
            found = COCO()
            found.dataset = dict(truth.dataset, annotations=[])
            found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # threshold, recall, class
    return list(evaluation.stats), list(precision.mean((0, 1))), list(precision[0].mean(0))


def iou(box, other):
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0
    return width * height / (box[2] * box[3] + other[2] * other[3] - width * height)


def voc_numbers(classes, truths, detections):
    """Crowds stand for difficult boxes here."""
    all_points, eleven_points = [], []
    for label in range(classes):
        real = [t for t in truths if t["label"] == label]
        positives = sum(not t["crowd"] for t in real)
        used, correct, wrong = set(), [0], [0]
        for found in sorted((d for d in detections if d["label"] == label), key=lambda d: -d["score"]):
            best, match = 0, None
            for i, t in enumerate(real):
                if t["image"] == found["image"] and iou(found["box"], t["box"]) > best:
                    best, match = iou(found["box"], t["box"]), i
            hit = best >= 0.5
            if hit and real[match]["crowd"]:
                continue
            new = hit and match not in used
            used |= {match} if new else set()
            correct.append(correct[-1] + new)
            wrong.append(wrong[-1] + (not new))
        if not positives:
            all_points.append(-1)
            eleven_points.append(-1)
            continue
        correct, wrong = np.array(correct[1:], float), np.array(wrong[1:], float)
        recall, precision = correct / positives, correct / (correct + wrong)
        eleven_points.append(sum(precision[recall >= t / 10].max(initial=0) for t in range(11)) / 11)
        recall, precision = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        all_points.append(float(np.sum(np.diff(recall) * precision[1:])))
    return all_points, eleven_points


def main():
    cases = []
    for number in range(CASES):
        images, classes, truths, detections = make_case(number)
        stats, ap, ap50 = coco_numbers(images, classes, truths, detections)
        all_points, eleven_points = voc_numbers(classes, truths, detections)
        checksum = sum(sum(b["box"]) * (i + 1) for i, b in enumerate(truths + detections))
        rows = [[len(truths), len(detections), checksum], stats, ap, ap50, all_points, eleven_points]
        cases.append([[float(f"{value:.8g}") for value in row] for row in rows])
    text = ",\n".join(json.dumps(case, separators=(",", ":")).replace(".0,", ",").replace(".0]", "]") for case in cases)
    (HERE / "coco_golden.json").write_text("[\n" + text + "\n]\n")


if __name__ == "__main__":
    main()
