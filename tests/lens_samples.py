"""Small lenses for tests, made by hand: no NumPy, no importer, every byte known."""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Sequence

from pocketlens.graph.graph import Graph, Node, Shape
from pocketlens.images.recipe import Recipe
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import (
    Band,
    LensContents,
    Plane,
    Provenance,
    Receipt,
    TensorRecord,
)

FUSED = {"activation": "none", "alpha": 0.0, "beta": 0.0}


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(rows: Sequence[bytes], *, width: int, bits: int) -> bytes:
    """A grayscale PNG of packed rows, unfiltered."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 0)  # no zlib differs on these
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, content)
        for kind, content in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def packed(indices: Sequence[int], *, width: int, bits: int) -> list[bytes]:
    """Rows of packed indices, the first in the high bits, zeros after the last one."""
    row_bytes = (width * bits + 7) // 8
    rows = []
    for start in range(0, len(indices), width):
        word = 0
        row = indices[start : start + width]
        for index in row:
            word = word << bits | index
        rows.append((word << (8 * row_bytes - bits * len(row))).to_bytes(row_bytes, "big"))
    return rows


def plane_of(indices: Sequence[int], *, width: int, bits: int, band_rows: int) -> Plane:
    """A plane in bands of `band_rows` rows."""
    rows = packed(indices, width=width, bits=bits)
    bands = []
    for start in range(0, len(rows), band_rows):
        part = rows[start : start + band_rows]
        bands.append(Band(len(part), png_of(part, width=width, bits=bits)))
    return Plane(width, bits, tuple(bands))


def palette_tensor(
    name: str,
    shape: Shape,
    *,
    size: int,
    bits: int,
    group_rows: int | None = None,
    width: int | None = None,
    band_rows: int = 2,
    seed: int = 0,
) -> TensorRecord:
    """A tensor of random indices into random ascending palettes."""
    dice = random.Random(f"{name} {seed}")
    group_rows = group_rows or shape[0]
    groups = -(-shape[0] // group_rows)
    palettes = b"".join(
        struct.pack(f"<{size}e", *sorted(dice.uniform(-1, 1) for _ in range(size)))
        for _ in range(groups)
    )
    indices = [dice.randrange(size) for _ in range(math.prod(shape))]
    width = min(width or math.prod(shape[1:]), len(indices))
    return TensorRecord(
        name,
        shape,
        "palette",
        f"{size} values for each tensor",
        palette_size=size,
        group_rows=group_rows,
        palettes=palettes,
        plane=plane_of(indices, width=width, bits=bits, band_rows=band_rows),
        error=dice.randrange(100) / 4096,
    )


def plain_tensor(name: str, shape: Shape, *, fate: str, seed: int = 0) -> TensorRecord:
    """A tensor of random values kept in half precision or float."""
    dice = random.Random(f"{name} {seed}")
    letter = {"half": "e", "float": "f"}[fate]
    values = [dice.uniform(-1, 1) for _ in range(math.prod(shape))]
    data = struct.pack(f"<{len(values)}{letter}", *values)
    return TensorRecord(name, shape, fate, "asked for", values=data)  # type: ignore[arg-type]


def small_graph(*, channels: int = 3, side: int = 6, middle: int = 8, classes: int = 4) -> Graph:
    """conv2d - mean over the picture - linear - relu by a constant."""
    convolution = {
        **FUSED,
        "activation": "clip",
        "beta": 6.0,
        "strides": (1, 1),
        "pads": (1, 1, 1, 1),
        "dilations": (1, 1),
        "groups": 1,
    }
    nodes = (
        Node("conv2d", "stem/conv", ("photo", "stem.weight", "stem.bias"), "stem", convolution),
        Node(
            "reduce", "pool", ("stem",), "pooled", {"kind": "mean", "keepdims": 0, "axes": (2, 3)}
        ),
        Node("linear", "head", ("pooled", "head.weight"), "logits", dict(FUSED)),
        Node("binary", "calm", ("logits", "calm.scale"), "scores", {"kind": "mul", **FUSED}),
    )
    shapes = {
        "photo": (1, channels, side, side),
        "stem.weight": (middle, channels, 3, 3),
        "stem.bias": (middle,),
        "stem": (1, middle, side, side),
        "pooled": (1, middle),
        "head.weight": (classes, middle),
        "logits": (1, classes),
        "calm.scale": (1,),
        "scores": (1, classes),
    }
    return Graph(("photo",), ("scores",), nodes, shapes)


def receipt(**changes: object) -> Receipt:
    """A paired receipt."""
    fields: dict[str, object] = {
        "dataset": "five photos",
        "dataset_sha256": "5" * 64,
        "n": 5,
        "crops": 1,
        "top1_missing": 20.0,
        "top1_interval": (0.5, 71.6),
        "top5_missing": None,
        "top5_interval": None,
        "against": "small.onnx float32",
        "difference": 0.0,
        "difference_interval": (-1.25, 1.25),
        "flips": 0,
        "engine": "reference",
        "version": "0.1.0",
    }
    return Receipt(**{**fields, **changes})  # type: ignore[arg-type]


def small_lens(
    *,
    channels: int = 3,
    side: int = 6,
    middle: int = 8,
    classes: int = 4,
    stem_size: int = 5,
    stem_bits: int = 4,
    seed: int = 0,
) -> LensContents:
    """A lens with every fate, groups, bands, rest pixels, padding bits, a path and a receipt."""
    labels = (
        Label("tench", "n01440764", ("animal", "fish")),
        Label("golden retriever", "n02099601", ("animal", "dog", "retriever")),
        Label("teapot"),
        *(Label(f"class {number}") for number in range(3, classes)),
    )
    shape = (middle, channels, 3, 3)
    return LensContents(
        name="small",
        graph=small_graph(channels=channels, side=side, middle=middle, classes=classes),
        tensors=(
            palette_tensor(
                "stem.weight", shape, size=stem_size, bits=stem_bits, width=35, seed=seed
            ),
            plain_tensor("stem.bias", (middle,), fate="half", seed=seed),
            palette_tensor(
                "head.weight",
                (classes, middle),
                size=2,
                bits=1,
                group_rows=min(3, classes),
                width=7,
                seed=seed,
            ),
            plain_tensor("calm.scale", (1,), fate="float", seed=seed),
        ),
        labels=labels[:classes],
        recipe=Recipe(
            resize="shorter",
            resize_height=side + 2,
            resize_width=side + 2,
            filter="bilinear",
            height=side,
            width=side,
            channels="bgr" if channels == 3 else "gray",
            mean=(104.0, 117.0, 123.0)[:channels],
            scale=(1.0, 0.5, 255.0)[:channels],
        ),
        provenance=Provenance("small.onnx", "a" * 64, "BSD-3-Clause", "by hand", '{"bits": 4}'),
        receipts=(receipt(),),
    )
