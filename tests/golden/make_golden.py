"""Makes the golden numbers of tests/golden: GhostNet in PyTorch, float64, with filled weights.

Needed only to make them anew:  pip install torch timm;  python make_golden.py
Weights, images and labels follow a formula of name and index (filled() and fill_model() below, fill.h in C++), so the
files hold results only. The network is timm's ghostnet_100; the Keras flavour: the same modules with other numbers.
"""
import json
import math
import pathlib

import numpy as np
import timm
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
CLASSES, BATCH = 10, 4
SIZES = {"even": (64, 64), "odd": (70, 53)}
SGD = dict(lr=0.001, momentum=0.9, nesterov=True)
WEIGHT_DECAY, STEPS = 1e-3, 10


def filled(name, shape, low, high):
    """Uniform in [low, high) from splitmix64 of FNV-1a(name) and the index, rounded to float32."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    with np.errstate(over="ignore"):
        index = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
        z = np.uint64(seed) + index * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return torch.from_numpy((low + (high - low) * u).astype(np.float32).astype(np.float64).reshape(shape))


def value_range(name, shape):
    if len(shape) > 1:  # convolution or linear weight
        limit = math.sqrt(3.0 / math.prod(shape[1:]))
        return -limit, limit
    if name.endswith("running_var"):
        return 1.0, 3.0
    if name.endswith(".weight"):
        return 0.1, 0.4
    if name.endswith("se.conv_expand.bias"):
        return -3.5, 3.5  # some gates in the flat parts
    # Most units lie well above their kink: one that rounding pushes across it changes gradients by more than the limit.
    return 0.5, 1.5


def state_of(model):
    return {name: tensor for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")}


def fill_model(model):
    for name, tensor in state_of(model).items():
        tensor.copy_(filled(name, tuple(tensor.shape), *value_range(name, tensor.shape)))


class TorchGate(torch.nn.Module):
    """F.hardsigmoid, whose gradient PyTorch takes with a float32 1/6 also in float64."""

    def forward(self, x):
        return F.relu6(x + 3) / 6


class KerasGate(torch.nn.Module):
    def forward(self, x):
        return torch.clamp(0.2 * x + 0.5, 0, 1)


def pad_same(conv, inputs):
    (x,) = inputs
    pads = []
    for size, kernel, stride in zip(x.shape[:1:-1], conv.kernel_size[::-1], conv.stride[::-1]):
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def make_model(flavour):
    model = timm.create_model("ghostnet_100", pretrained=False, num_classes=CLASSES, drop_rate=0.0).double()
    for module in model.modules():
        if hasattr(module, "conv_expand"):
            module.gate = KerasGate() if flavour == "keras" else TorchGate()
        elif flavour == "keras" and isinstance(module, torch.nn.BatchNorm2d):
            module.eps, module.momentum = 1e-3, 0.01
        elif flavour == "keras" and isinstance(module, torch.nn.Conv2d):
            module.padding = (0, 0)
            module.register_forward_pre_hook(pad_same)
    fill_model(model)
    return model


def batch(size):
    """NHWC by formula, given to PyTorch as NCHW."""
    height, width = size
    images = filled(f"images {height}x{width}", (BATCH, height, width, 3), -2.0, 2.0)
    return images.permute(0, 3, 1, 2).contiguous(), torch.tensor([(3 * i + 1) % CLASSES for i in range(BATCH)])


def norms(tensors):
    return {name: float(tensor.norm()) for name, tensor in tensors}


def results(flavour, size):
    model = make_model(flavour)
    images, labels = batch(size)
    model.eval()
    with torch.no_grad():
        eval_logits = model(images)
    model.train()
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    return {
        "size": size,
        "eval_logits": eval_logits.flatten().tolist(),
        "logits": logits.flatten().tolist(),
        "loss": loss.item(),
        "gradient_norms": norms((n, p.grad) for n, p in model.named_parameters()),
        "running_norms": norms((n, b) for n, b in state_of(model).items() if "running_" in n),
    }


def training_losses(flavour, size):
    model = make_model(flavour)
    images, labels = batch(size)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others}], **SGD)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        return {"losses": losses, "eval_logits": model(images).flatten().tolist()}


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def main():
    for flavour in ("torch", "keras"):
        golden = {name: results(flavour, size) for name, size in SIZES.items()}
        golden["training"] = training_losses(flavour, SIZES["even"])
        golden["training"].update(learning_rate=SGD["lr"], momentum=SGD["momentum"], weight_decay=WEIGHT_DECAY)
        (HERE / f"ghostnet_{flavour}.json").write_text(json.dumps(rounded(golden), indent=0) + "\n")
        print(flavour, golden["even"]["loss"], golden["odd"]["loss"], golden["training"]["losses"])
    full = state_of(timm.create_model("ghostnet_100", pretrained=False))
    lines = [f"{name} {'x'.join(map(str, tensor.shape))}\n" for name, tensor in full.items()]
    (HERE / "ghostnet_keys.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
