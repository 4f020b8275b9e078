"""Exports well-known architectures as skeletons: ONNX files without their weights.

The tests and benchmarks/architectures.py fill them with seeded random numbers
(tests/architectures/filling.py), so the repository holds graphs of a few kilobytes and nothing
that anybody trained.

What it needs, in an environment of its own (torchvision and timm without their dependencies, since
they ask for a torch of their own):

    pip install torch==2.13.0 numpy onnx pyyaml safetensors huggingface_hub
    pip install --no-deps torchvision==0.28.0 timm==1.0.31
    python tools/export_architectures.py                  # all of them
    python tools/export_architectures.py resnet18 vit_tiny --to /tmp/skeletons

A skeleton is a gzipped ModelProto. Tensors of more than SMALL elements have lost their numbers;
their doc_string says what to fill in (`KINDS`). AlexNet and VGG are for smaller pictures and have
256 hidden units in place of 4096, which changes no operator and keeps tests small.
"""

from __future__ import annotations

import argparse
import gzip
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch

_LIBRARY = torch.library.Library("torchvision", "DEF")  # torchvision's own is not loaded here
_LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

# After the operators that they ask for.
import timm  # type: ignore[import-not-found]  # noqa: E402
import torchvision  # type: ignore[import-not-found]  # noqa: E402

SMALL = 64
"""Tensors of so many elements keep their numbers: shapes, indices, factors."""

KINDS = {
    "weight": "normal, variance 2 / (inputs of an output)",
    "scale": "near 1, of a normalization",
    "variance": "positive, near 1",
    "small": "normal, deviation 0.1: biases, means, embeddings",
}

SKELETONS = Path(__file__).parents[1] / "tests" / "architectures" / "skeletons"


@dataclass(frozen=True)
class Architecture:
    """What to export, and how.

    make        builds the network with random weights
    size        height and width of the input, pixels
    opset       of the file
    keep_norms  leave batch norms in the graph, where the exporter would fold them
    free_batch  leave the batch axis open, which fills the graph with shape arithmetic
    """

    make: Callable[[], Any]
    size: int
    opset: int
    keep_norms: bool = False
    free_batch: bool = True


def torchvision_model(name: str, **options: object) -> Callable[[], Any]:
    """A constructor of torchvision.models."""
    return lambda: getattr(torchvision.models, name)(weights=None, **options)


def timm_model(name: str, **options: object) -> Callable[[], Any]:
    """A constructor of timm."""
    return lambda: timm.create_model(name, pretrained=False, **options)


def narrow(name: str, size: int) -> Callable[[], Any]:
    """AlexNet or VGG for pictures of `size` pixels, with 256 hidden units."""

    def make() -> Any:
        model = getattr(torchvision.models, name)(weights=None)
        channels, height, width = model.features(torch.zeros(1, 3, size, size)).shape[1:]
        model.avgpool = torch.nn.AdaptiveAvgPool2d((height, width))
        inputs = channels * height * width
        for position, layer in enumerate(model.classifier):
            if isinstance(layer, torch.nn.Linear):
                outputs = 1000 if layer.out_features == 1000 else 256
                model.classifier[position] = torch.nn.Linear(inputs, outputs)
                inputs = outputs
        return model

    return make


def small_vision_transformer() -> Any:
    """Torchvision's ViT, whose attention is one module of torch, with 4 layers."""
    return torchvision.models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=4, num_heads=3, hidden_dim=192, mlp_dim=768
    )


def small_swin() -> Any:
    """Torchvision's Swin with its shifted windows, two blocks a stage."""
    return torchvision.models.SwinTransformer(
        patch_size=[4, 4],
        embed_dim=48,
        depths=[2, 2],
        num_heads=[3, 6],
        window_size=[4, 4],
    )


ARCHITECTURES: dict[str, Architecture] = {
    "alexnet": Architecture(narrow("alexnet", 96), 96, 13),
    "vgg11": Architecture(narrow("vgg11", 64), 64, 13),
    "squeezenet1_1": Architecture(torchvision_model("squeezenet1_1"), 96, 11),
    "googlenet": Architecture(
        torchvision_model("googlenet", aux_logits=False, init_weights=False), 64, 13, True
    ),
    "inception_v3": Architecture(
        torchvision_model("inception_v3", aux_logits=False, init_weights=False), 96, 13
    ),
    "resnet18": Architecture(torchvision_model("resnet18"), 64, 9, True),
    "resnet50": Architecture(torchvision_model("resnet50"), 64, 13),
    "densenet121": Architecture(torchvision_model("densenet121"), 64, 13, True),
    "shufflenet_v2": Architecture(torchvision_model("shufflenet_v2_x1_0"), 64, 14, True),
    "mnasnet": Architecture(torchvision_model("mnasnet1_0"), 64, 13, True),
    "mobilenet_v1": Architecture(timm_model("mobilenetv1_100"), 64, 15, True),
    "mobilenet_v2": Architecture(torchvision_model("mobilenet_v2"), 64, 10, True),
    "mobilenet_v3_large": Architecture(torchvision_model("mobilenet_v3_large"), 64, 13, True),
    "mobilenet_v4_small": Architecture(timm_model("mobilenetv4_conv_small"), 64, 18, True),
    "efficientnet_b0": Architecture(torchvision_model("efficientnet_b0"), 64, 13, True),
    "regnet_y_400mf": Architecture(torchvision_model("regnet_y_400mf"), 64, 13),
    "convnext_atto": Architecture(timm_model("convnext_atto"), 64, 13),
    "convnext_v2_atto": Architecture(timm_model("convnextv2_atto"), 64, 17),
    "vit_tiny": Architecture(timm_model("vit_tiny_patch16_224", img_size=64), 64, 17),
    "vit_torchvision": Architecture(small_vision_transformer, 64, 16),
    "deit_tiny": Architecture(timm_model("deit_tiny_distilled_patch16_224", img_size=64), 64, 14),
    "swin": Architecture(small_swin, 64, 17, free_batch=False),
}


def main() -> None:
    """Export the architectures that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ARCHITECTURES))
    parser.add_argument("--to", type=Path, default=SKELETONS, help="folder (%(default)s)")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or ARCHITECTURES:
        model = export(ARCHITECTURES[name])
        nodes = len(model.graph.node)
        packed = pack(strip(model))
        (arguments.to / f"{name}.onnx.gz").write_bytes(packed)
        print(f"{name:20} {nodes:5} nodes {len(packed):6} bytes")


def export(architecture: Architecture) -> onnx.ModelProto:
    """The architecture as ONNX, weights and all."""
    torch.manual_seed(0)
    model = architecture.make().eval()
    training = torch.onnx.TrainingMode
    axes = {"picture": {0: "batch"}, "scores": {0: "batch"}}
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of what it traces
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, architecture.size, architecture.size),),
            stream,
            dynamo=False,
            opset_version=architecture.opset,
            training=training.PRESERVE if architecture.keep_norms else training.EVAL,
            input_names=["picture"],
            output_names=["scores"],
            dynamic_axes=axes if architecture.free_batch else None,
        )
    return onnx.load_from_string(stream.getvalue())


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the numbers of its big tensors, and without words for debugging."""
    kinds = kinds_of(model.graph)
    for tensor in model.graph.initializer:
        elements = 1
        for dim in tensor.dims:
            elements *= dim
        if elements <= SMALL and tensor.name not in kinds:
            continue
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        tensor.doc_string = kinds.get(tensor.name, "small")
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
    for node in model.graph.node:
        node.ClearField("doc_string")
    del model.graph.value_info[:]
    return model


def kinds_of(graph: onnx.GraphProto) -> dict[str, str]:
    """What each tensor is, from the operator that reads it (KINDS)."""
    roles = {
        "Conv": {1: "weight", 2: "small"},
        "Gemm": {1: "weight", 2: "small"},
        "MatMul": {1: "weight"},
        "BatchNormalization": {1: "scale", 2: "small", 3: "small", 4: "variance"},
        "LayerNormalization": {1: "scale", 2: "small"},
    }
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    kinds = {}
    for node in graph.node:
        for position, role in roles.get(node.op_type, {}).items():
            if position < len(node.input):
                kinds[same.get(node.input[position], node.input[position])] = role
    return kinds


def pack(model: onnx.ModelProto) -> bytes:
    """Gzipped without a date, so that the same graph gives the same bytes."""
    return gzip.compress(model.SerializeToString(deterministic=True), compresslevel=9, mtime=0)


if __name__ == "__main__":
    main()
