"""Makes pillow.json: results of Pillow and torchvision on pictures made by a formula, as checksums.

Run with: pip install pillow==13.0.0 numpy torch torchvision; python make_golden.py > pillow.json
data_test makes the same pictures and compares its own results (tests/data/pillow_golden_test.cpp).
"""

import json

import numpy as np
from PIL import Image, ImageOps
from torchvision.transforms import functional as F
from torchvision.transforms.autoaugment import _apply_op


def picture(width, height):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    x, y, c = (a.astype(np.uint32) for a in (x, y, c))
    noise = (x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))
    noise = (noise ^ (noise >> np.uint32(13))) * np.uint32(0x5BD1E995)
    smooth = x * np.uint32(5) + y * np.uint32(3) + c * np.uint32(60)
    value = ((noise >> np.uint32(15)) & np.uint32(127)) + (smooth % np.uint32(129))
    return Image.fromarray(value.astype(np.uint8))


def checksum(image):
    value = 2166136261
    for byte in np.asarray(image).tobytes():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def entry(image):
    pixels = np.asarray(image, np.float64)
    return {"checksum": checksum(image), "mean": [round(m, 4) for m in pixels.mean((0, 1))]}


FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}


def resize_cases():
    cases = []
    for size, out, box in [
        ((97, 61), (24, 24), None),
        ((97, 61), (150, 130), None),
        ((61, 97), (70, 20), None),
        ((64, 64), (64, 30), None),
        ((64, 64), (30, 64), None),
        ((5, 3), (16, 16), None),
        ((1, 1), (7, 5), None),
        ((97, 61), (32, 32), [10.25, 3.5, 80.75, 60.0]),
        ((97, 61), (32, 32), [0.0, 0.0, 12.5, 61.0]),
    ]:
        for name, method in FILTERS.items():
            result = picture(*size).resize(out, method, box=box)
            cases.append({"size": size, "out": out, "filter": name, "box": box, **entry(result)})
    return cases


def evaluation_cases():
    cases = []
    for size, shorter, crop in [((97, 61), 32, 28), ((61, 97), 32, 28), ((40, 40), 36, 32), ((33, 20), 64, 64)]:
        for name, method in FILTERS.items():
            result = F.center_crop(F.resize(picture(*size), shorter, F.InterpolationMode(name)), crop)
            cases.append({"size": size, "crop": crop, "crop_pct": crop / shorter, "filter": name, **entry(result)})
    return cases


def operation_cases():
    image = picture(45, 37)
    low = Image.fromarray((np.asarray(image) // 3 + 40).astype(np.uint8))
    cases = []

    def add(name, value, result):
        cases.append({"operation": name, "value": value, **entry(result)})

    for factor in (0.0, 0.3, 1.0, 1.7):
        add("brightness", factor, F.adjust_brightness(image, factor))
        add("contrast", factor, F.adjust_contrast(image, factor))
        add("saturation", factor, F.adjust_saturation(image, factor))
        add("sharpness", factor, F.adjust_sharpness(image, factor))
    for turn in (-0.5, -0.1, 0.2):
        add("hue", turn, F.adjust_hue(image, turn))
    for bits in (4, 6, 8):
        add("posterize", bits, ImageOps.posterize(image, bits))
    for threshold in (0.0, 100.5, 255.0):
        add("solarize", threshold, ImageOps.solarize(image, threshold))
    add("auto_contrast", 0, ImageOps.autocontrast(low))
    add("equalize", 0, ImageOps.equalize(low))
    for value in (-0.25, 0.125):
        add("shear_x", value, _apply_op(image, "ShearX", value, F.InterpolationMode.NEAREST, None))
        add("shear_y", value, _apply_op(image, "ShearY", value, F.InterpolationMode.NEAREST, None))
    for value in (-9.0, 5.0):
        add("translate_x", value, _apply_op(image, "TranslateX", value, F.InterpolationMode.NEAREST, None))
        add("translate_y", value, _apply_op(image, "TranslateY", value, F.InterpolationMode.NEAREST, None))
    for value in (-27.0, 10.0):
        add("rotate", value, _apply_op(image, "Rotate", value, F.InterpolationMode.NEAREST, None))
    return cases


def dump(name, cases, end):
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    print(f'"{name}": [\n{lines}\n]{end}')


print("{")
dump("resize", resize_cases(), ",")
dump("evaluation", evaluation_cases(), ",")
dump("operations", operation_cases(), "")
print("}")
