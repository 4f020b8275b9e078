"""The networks of the latency table: four real ones, and well-known ones with random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from models import MODELS, RealModel, data_folder
from networks.chains import alexnet, klaus
from networks.skeletons import full_size
from pocketlens.images.recipe import Recipe


@dataclass(frozen=True)
class Network:
    """A network to be timed.

    name   in the table
    model  makes or reads the ONNX model
    recipe of its pictures; a preset's name where nothing is known
    """

    name: str
    model: Callable[[], onnx.ModelProto]
    recipe: Recipe | str = "imagenet"


def _real(model: RealModel) -> Network:
    return Network(model.name, lambda: onnx.load(str(data_folder() / model.file)), model.recipe)


def _random(name: str, skeleton: str) -> Network:
    return Network(name, lambda: full_size(skeleton))


NETWORKS = (
    *(_real(model) for model in MODELS),
    _random("resnet-18", "resnet18"),
    _random("resnet-50", "resnet50"),
    _random("efficientnet-b0", "efficientnet_b0"),
    _random("mobilenet-v4-small", "mobilenet_v4_small"),
    _random("convnext-atto", "convnext_atto"),
    _random("vit-tiny", "vit_tiny"),
    Network("alexnet", alexnet),
    Network("klaus-2048", lambda: klaus(2048)),
    Network("klaus-4096", lambda: klaus(4096)),
)
"""Real ones first; the others have random weights."""
