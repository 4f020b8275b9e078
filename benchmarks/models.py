"""The real models of POCKETLENS_DATA, each with its recipe and its photos."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pocketlens.images.recipe import Recipe

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_SCALE = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class RealModel:
    """A model of DATA.md: its file, its preprocessing as a recipe, its test data.

    expected  top-1 and top-5 counts that onnxruntime's float32 gives on the test data; zeros where
              nobody counted
    """

    name: str
    file: str
    recipe: Recipe
    data: str
    expected: tuple[int, int]


PHOTOS = "images/imagenet1k-dev"
CIFAR = "cifar10/cifar10_test_even.npz"

MODELS = (
    RealModel(
        "squeezenet",
        "models/squeezenet_v1.0.onnx",
        Recipe("exact", 256, 256, "bicubic", 227, 227, "bgr", (104.0, 117.0, 123.0), (1.0,) * 3),
        PHOTOS,
        (334, 429),
    ),
    RealModel(
        "mobilenet-v1-0.25",
        "models/mobilenet_v1_0.25_224_float.onnx",
        Recipe("none", 224, 224, "bilinear", 224, 224, "rgb", IMAGENET_MEAN, IMAGENET_SCALE),
        PHOTOS,
        (248, 371),
    ),
    RealModel(
        "mobilenet-v2",
        "models/tf2_mobilenet_v2_1.0_224.onnx",
        Recipe("none", 224, 224, "bilinear", 224, 224, "rgb", (127.5,) * 3, (127.5,) * 3),
        PHOTOS,
        (435, 490),
    ),
    RealModel(
        "resnet8-cifar10",
        "models/mlperf_resnet8_cifar10.onnx",
        Recipe("none", 32, 32, "bilinear", 32, 32, "rgb", (0.0,) * 3, (1.0,) * 3),
        CIFAR,
        (4364, 4963),
    ),
)


def data_folder() -> Path:
    """The folder named by POCKETLENS_DATA; ends the program with a sentence where it is not."""
    value = os.environ.get("POCKETLENS_DATA", "")
    if not value or not (Path(value) / "models").is_dir():
        sys.exit("This benchmark needs POCKETLENS_DATA: the folder of real models and photos.")
    return Path(value)
