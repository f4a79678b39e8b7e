"""Makes the golden numbers of the detectors: GhostNet and MobileNets under YOLOv4's body in PyTorch, float64.

Needed only to make them anew:  pip install torch timm;  python make_detector_golden.py
Weights and pictures follow make_golden.py's formula. GhostNet is timm's; the other networks are written here in plain
PyTorch, from their papers' tables, with the module names of bubbliiiing's mobilenet-yolov4-pytorch.
"""
import json
from collections import OrderedDict

import timm
import torch
import torch.nn.functional as F
from torch import nn

from make_golden import HERE, KerasGate, TorchGate, fill_model, filled, norms, pad_same, rounded, state_of

CLASSES, ANCHORS = 2, 3
BATCH, HEIGHT, WIDTH = 2, 64, 224  # 7 wide at stride 32: the pyramid pool's windows of 5, 9 and 13 differ
SGD = dict(lr=0.01, momentum=0.9, nesterov=True)
STEPS, TRIES, EVERY = 5, 12, 37  # every 37th value of a map is kept


def divisible(value):
    nearest = max(8, int(value + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * value else nearest


def conv(inputs, outputs, kernel=1, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def active(inputs, outputs, kernel=1, stride=1, groups=1, activation=nn.ReLU6):
    return [conv(inputs, outputs, kernel, stride, groups), nn.BatchNorm2d(outputs), activation()]


def separable(inputs, outputs, stride=1):
    return nn.Sequential(*active(inputs, inputs, 3, stride, inputs), *active(inputs, outputs))


class HardSwish(nn.Module):
    def forward(self, x):
        return x * F.relu6(x + 3) / 6


class Gate(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, channels):
        super().__init__()
        inside = divisible(channels / 4)
        self.fc = nn.Sequential(nn.Linear(channels, inside), nn.ReLU(), nn.Linear(inside, channels), TorchGate())

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class Residual(nn.Module):
    def __init__(self, layers, adds, order=None):
        super().__init__()
        self.conv = nn.Sequential(*layers)
        self.adds, self.order = adds, order or range(len(layers))

    def forward(self, x):
        y = x
        for place in self.order:
            y = self.conv[place](y)
        return x + y if self.adds else y


class Taps(nn.Module):
    def forward(self, x):
        taps = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.places:
                taps.append(x)
        return taps


class MobileNetV1(nn.Module):
    channels = 256, 512, 1024

    def __init__(self, flavour):
        super().__init__()
        self.stage1 = nn.Sequential(nn.Sequential(*active(3, 32, 3, 2)), separable(32, 64), separable(64, 128, 2),
                                    separable(128, 128), separable(128, 256, 2), separable(256, 256))
        self.stage2 = nn.Sequential(separable(256, 512, 2), *(separable(512, 512) for _ in range(5)))
        self.stage3 = nn.Sequential(separable(512, 1024, 2), separable(1024, 1024))

    def forward(self, x):
        first = self.stage1(x)
        second = self.stage2(first)
        return first, second, self.stage3(second)


class MobileNetV2(Taps):
    channels, places = (32, 96, 320), (6, 13, 17)

    def __init__(self, flavour):
        super().__init__()
        self.momentum = 0.001  # in the Keras flavour
        layers, inputs = [nn.Sequential(*active(3, 32, 3, 2))], 32
        for t, outputs, repeats, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                            (6, 160, 3, 2), (6, 320, 1, 1)]:
            for i in range(repeats):
                step, hidden = stride if i == 0 else 1, t * inputs
                parts = [nn.Sequential(*active(inputs, hidden))] if t > 1 else []
                parts += [nn.Sequential(*active(hidden, hidden, 3, step, hidden)), conv(hidden, outputs),
                          nn.BatchNorm2d(outputs)]
                layers.append(Residual(parts, step == 1 and inputs == outputs))
                inputs = outputs
        self.features = nn.Sequential(*layers)


class MobileNetV3(Taps):
    channels, places = (40, 112, 160), (6, 12, 15)
    rows = [(3, 1, 16, 0, 0, 1), (3, 4, 24, 0, 0, 2), (3, 3, 24, 0, 0, 1), (5, 3, 40, 1, 0, 2), (5, 3, 40, 1, 0, 1),
            (5, 3, 40, 1, 0, 1), (3, 6, 80, 0, 1, 2), (3, 2.5, 80, 0, 1, 1), (3, 2.3, 80, 0, 1, 1),
            (3, 2.3, 80, 0, 1, 1), (3, 6, 112, 1, 1, 1), (3, 6, 112, 1, 1, 1), (5, 6, 160, 1, 1, 2),
            (5, 6, 160, 1, 1, 1), (5, 6, 160, 1, 1, 1)]

    def __init__(self, flavour):
        super().__init__()
        layers, inputs = [nn.Sequential(*active(3, 16, 3, 2, activation=HardSwish))], 16
        for kernel, t, outputs, gated, swish, stride in self.rows:
            hidden, act = divisible(t * inputs), HardSwish if swish else nn.ReLU
            gate = Gate(hidden) if gated else nn.Identity()
            parts = active(hidden, hidden, kernel, stride, hidden, act)
            if t > 1:  # the gate before the activation; in Keras after it, under the same names here
                parts = active(inputs, hidden, activation=act) + parts
                parts.insert(5, gate)
                order = [0, 1, 2, 3, 4, 6, 5, 7, 8] if flavour == "keras" else None
            else:
                parts, order = parts + [gate], None
            parts += [conv(hidden, outputs), nn.BatchNorm2d(outputs)]
            layers.append(Residual(parts, stride == 1 and inputs == outputs, order))
            inputs = outputs
        self.features = nn.Sequential(*layers)


class GhostNet(nn.Module):
    """timm's, up to blocks.8.3, under its own names."""

    channels = 40, 112, 160

    def __init__(self, flavour):
        super().__init__()
        whole = timm.create_model("ghostnet_100", pretrained=False)
        self.conv_stem, self.bn1, self.act1 = whole.conv_stem, whole.bn1, whole.act1
        self.blocks = whole.blocks[:9]
        for module in self.modules():
            if hasattr(module, "conv_expand"):
                module.gate = KerasGate() if flavour == "keras" else TorchGate()

    def forward(self, x):
        x, taps = self.act1(self.bn1(self.conv_stem(x))), []
        for stage, block in enumerate(self.blocks):
            x = block(x)
            if stage in (4, 6, 8):
                taps.append(x)
        return taps


def pointwise(inputs, outputs):
    return nn.Sequential(OrderedDict(conv=conv(inputs, outputs), bn=nn.BatchNorm2d(outputs), relu=nn.ReLU6()))


def chain(inputs, narrow, wide, count):
    parts = [pointwise(inputs, narrow)]
    while len(parts) < count:
        parts += [separable(narrow, wide), pointwise(wide, narrow)]
    return nn.Sequential(*parts)


class Holder(nn.Module):
    """One child under one more name."""

    def __init__(self, name, child):
        super().__init__()
        self.add_module(name, child)

    def forward(self, x):
        return next(self.children())(x)


def enlarged(inputs, outputs):
    return Holder("upsample", nn.Sequential(pointwise(inputs, outputs), nn.Upsample(scale_factor=2)))


class Yolov4(nn.Module):
    def __init__(self, trunk):
        super().__init__()
        c3, c4, c5 = trunk.channels
        head = lambda width: nn.Sequential(separable(width, 2 * width), nn.Conv2d(2 * width, ANCHORS * (5 + CLASSES), 1))
        self.backbone = Holder("model", trunk)
        self.conv1, self.conv2 = chain(c5, 512, 1024, 3), chain(2048, 512, 1024, 3)
        self.upsample1, self.conv_for_P4 = enlarged(512, 256), pointwise(c4, 256)
        self.make_five_conv1 = chain(512, 256, 512, 5)
        self.upsample2, self.conv_for_P3 = enlarged(256, 128), pointwise(c3, 128)
        self.make_five_conv2, self.yolo_head3 = chain(256, 128, 256, 5), head(128)
        self.down_sample1, self.make_five_conv3 = separable(128, 256, 2), chain(512, 256, 512, 5)
        self.yolo_head2, self.down_sample2 = head(256), separable(256, 512, 2)
        self.make_five_conv4, self.yolo_head1 = chain(1024, 512, 1024, 5), head(512)

    def forward(self, images):
        tap3, tap4, tap5 = self.backbone(images)
        narrow = self.conv1(tap5)
        p5 = self.conv2(torch.cat([*(F.max_pool2d(narrow, k, 1, k // 2) for k in (13, 9, 5)), narrow], 1))
        p4 = self.make_five_conv1(torch.cat([self.conv_for_P4(tap4), self.upsample1(p5)], 1))
        p3 = self.make_five_conv2(torch.cat([self.conv_for_P3(tap3), self.upsample2(p4)], 1))
        mixed4 = self.make_five_conv3(torch.cat([self.down_sample1(p3), p4], 1))
        mixed5 = self.make_five_conv4(torch.cat([self.down_sample2(mixed4), p5], 1))
        maps = self.yolo_head1(mixed5), self.yolo_head2(mixed4), self.yolo_head3(p3)
        return [m.permute(0, 2, 3, 1).contiguous() for m in maps]


def make_detector(trunk, flavour):
    model = Yolov4(trunk(flavour)).double()
    for name, module in model.named_modules():
        if flavour == "keras" and isinstance(module, nn.BatchNorm2d):
            slow = name.startswith("backbone.") and trunk is MobileNetV2
            slow |= trunk is MobileNetV3 and name == "backbone.model.features.0.1"
            module.eps, module.momentum = 1e-3, 0.001 if slow else 0.01
        elif flavour == "keras" and isinstance(module, nn.Conv2d):
            module.padding = (0, 0)
            module.register_forward_pre_hook(pad_same)
    fill_model(model)
    return model


def loss_of(maps):
    return sum(((m - filled(f"target {i}", tuple(m.shape), -1.0, 1.0)) ** 2).mean() / 2 for i, m in enumerate(maps))


def kept(maps):
    return [value for m in maps for value in m.flatten()[::EVERY].tolist()]


def pictures(number):
    return filled(f"images {number}", (BATCH, HEIGHT, WIDTH, 3), -2.0, 2.0).permute(0, 3, 1, 2).contiguous()


def nearest_kink(model, images):
    """The least distance of a training pass' values from where their activation bends. Exact zeros come from shut
    gates and are no matter of rounding."""
    distances = []

    def look(module, inputs):
        for kink in {nn.ReLU: (0,), nn.ReLU6: (0, 6), HardSwish: (-3, 3)}[type(module)]:
            distance = (inputs[0] - kink).abs()
            distances.append(distance[distance > 0].min().item())

    hooks = [module.register_forward_pre_hook(look) for module in model.modules()
             if type(module) in (nn.ReLU, nn.ReLU6, HardSwish)]
    with torch.no_grad():
        model.train()(images)
    for hook in hooks:
        hook.remove()
    return min(distances)


def best_pictures(trunk, flavour):
    """Of some, those whose values stay clear of kinks: one that float32 pushes across changes gradients by more than
    the tests allow."""
    model = make_detector(trunk, flavour)  # its running statistics change
    return max(range(TRIES), key=lambda number: nearest_kink(model, pictures(number)))


def results(trunk, flavour):
    model, chosen = make_detector(trunk, flavour), best_pictures(trunk, flavour)
    images = pictures(chosen)
    model.eval()
    with torch.no_grad():
        golden = {"pictures": chosen, "evaluation": kept(model(images)), "losses": []}
    model.train()
    decide = torch.optim.SGD(model.parameters(), **SGD)
    for step in range(STEPS):
        decide.zero_grad()
        maps = model(images)
        loss = loss_of(maps)
        loss.backward()
        if step == 0:
            golden["training"] = kept(maps)
            golden["gradient_norms"] = list(norms((n, p.grad) for n, p in model.named_parameters()).values())
            golden["running_norms"] = [float(model.state_dict()[name].norm()) for name in running_names(model)]
        golden["losses"].append(loss.item())
        decide.step()
    return golden


def running_names(model):
    return [name for name in state_of(model) if "running_" in name]


def main():
    for trunk in (GhostNet, MobileNetV1, MobileNetV2, MobileNetV3):
        model = make_detector(trunk, "torch")
        golden = {"parameters": [name for name, _ in model.named_parameters()], "running": running_names(model)}
        for flavour in ("torch", "keras"):
            golden[flavour] = results(trunk, flavour)
        path = HERE / "detector" / f"{trunk.__name__.lower()}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(rounded(golden), separators=(",", ":")).replace('],"', '],\n"') + "\n")
        print(path.name, path.stat().st_size, golden["torch"]["losses"], golden["keras"]["losses"], flush=True)


if __name__ == "__main__":
    main()
