"""What a lens costs beside its pictures and numbers stays small, for networks like the real ones.

The contents are shaped like ResNet-8's and MobileNetV2's coded by rate and distortion: layers of
weights in planes of their own, biases that share one. `benchmarks/overhead.py` tells the same of
real lenses.
"""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from lens_samples import FUSED, packed, palette_tensor, plane_of, png_of, small_lens
from pocketlens.graph.graph import Graph, Node, Shape
from pocketlens.labels.labels import numbered
from pocketlens.lensfile.contents import Band, LensContents, Plane, TensorRecord
from pocketlens.lensfile.image import PAGE_SIZES, build_image, smallest_image
from pocketlens.lensfile.pages import Item, cell_bytes
from pocketlens.lensfile.pages import packed as packed_rows
from pocketlens.lensfile.plane_uses import plane_uses
from pocketlens.lensfile.rows import to_drafts, to_rows


def chain(layers: int, *, pixels: int) -> LensContents:
    """Convolutions one after the other, each with a plane of about `pixels` bytes and a bias."""
    dice = random.Random(layers)
    base = small_lens(channels=3, side=8, classes=4)
    plain = {**FUSED, "activation": "relu", "strides": (1, 1), "pads": (1, 1, 1, 1),
             "dilations": (1, 1), "groups": 1}  # fmt: skip
    nodes, shapes = [], {"photo": (1, 3, 8, 8)}
    weights: list[TensorRecord] = []
    width = 4
    for number in range(layers):
        name, before = f"layer_{number}", f"activation_{number - 1}" if number else "photo"
        names = (before, f"{name}.weight", f"{name}.bias")
        nodes.append(Node("conv2d", f"{name}_node", names, f"activation_{number}", plain))
        shape: Shape = (width, shapes[before][1], 3, 3)
        shapes |= {names[1]: shape, names[2]: (width,), f"activation_{number}": (1, width, 8, 8)}
        weights.append(weight(names[1], shape, png_bytes=dice.randrange(pixels // 2, pixels * 2)))
    nodes.append(Node("reduce", "pool_node", (f"activation_{layers - 1}",), "scores",
                      {"kind": "mean", "keepdims": 0, "axes": (2, 3)}))  # fmt: skip
    shapes["scores"] = (1, width)
    plane = plane_of([dice.randrange(16) for _ in range(width * layers)], width=width * layers,
                     bits=4, band_rows=1)  # fmt: skip
    biases = [
        dataclasses.replace(
            palette_tensor(f"layer_{number}.bias", (width,), size=16, bits=4),
            plane=plane,
            first_pixel=width * number,
        )
        for number in range(layers)
    ]
    return dataclasses.replace(
        base,
        graph=Graph(("photo",), ("scores",), tuple(nodes), shapes),
        tensors=tuple(itertools.chain(*zip(weights, biases, strict=True))),
        recipe=dataclasses.replace(base.recipe, height=8, width=8),
        labels=numbered(width),
        receipts=(),
    )


def weight(name: str, shape: Shape, *, png_bytes: int) -> TensorRecord:
    """A tensor whose picture has an extra chunk, so that it has as many bytes as a real one."""
    record = palette_tensor(name, shape, size=14, bits=4)
    png = png_of(packed([0] * 36, width=36, bits=4), width=36, bits=4)
    filled = png[:33] + b"\0" * png_bytes + png[33:]  # never opened: only packed
    return dataclasses.replace(
        record, plane=Plane(36, 4, (Band(1, filled),)), reason="14 values by rate", loss=0.00123
    )


def beside(contents: LensContents) -> int:
    """Bytes of the file that are no picture and no number."""
    pictures = sum(len(b.png) for use in plane_uses(contents.tensors) for b in use.plane.bands)
    numbers = sum(len(tensor.palettes) + len(tensor.values) for tensor in contents.tensors)
    return len(smallest_image(contents)) - pictures - numbers


@pytest.mark.parametrize(
    ("layers", "pixels", "most"), [(10, 2_500, 3_900), (52, 25_000, 17_000)], ids=str
)
def test_database_stays_small(layers: int, pixels: int, most: int) -> None:
    """10 layers of 2.5 kB are like ResNet-8 at 30 kB, 52 of 25 kB like MobileNetV2 at 1.4 MB."""
    assert beside(chain(layers, pixels=pixels)) <= most


def test_no_page_size_is_smaller_than_the_chosen() -> None:
    contents = chain(20, pixels=5_000)
    drafts = to_drafts(contents)
    sizes = [len(build_image(drafts.rows(page_bytes=page), page_bytes=page)) for page in PAGE_SIZES]
    assert len(smallest_image(contents)) == min(sizes)


def test_packed_rows_take_fewer_pages() -> None:
    contents = chain(30, pixels=2_000)
    rows = to_rows(contents)
    assert len(smallest_image(contents)) < len(build_image(rows, page_bytes=512)) - 1024


@pytest.mark.parametrize("page_bytes", [512, 4096])
def test_packing_loses_no_row_and_keeps_the_running_order(page_bytes: int) -> None:
    rows = to_rows(chain(30, pixels=700))["lens"]
    items = [Item(row, fixed=row[0] == "conv2d") for row in rows]
    order = packed_rows(items, page_bytes=page_bytes)
    assert sorted(order) == list(range(len(items)))
    running = [place for place in order if items[place].fixed]
    assert running == sorted(running)


def test_a_cell_is_as_large_as_sqlite_makes_it() -> None:
    """A leaf holds cells of known size: one row more than fits would take another page."""
    for length in (0, 1, 57, 58, 59, 120, 400, 476, 477, 478, 600, 985, 1500, 100_000):
        row = ("half", None, None, None, None, 1, 200 + length, -7, bytes(length), None)
        image = build_image({"lens": [row], "labels": []}, page_bytes=512)
        (first_cell,) = (int.from_bytes(image[512 + 5 : 512 + 7], "big"),)
        used = 512 - (first_cell or 65536) + 2
        assert used == cell_bytes(row, rows=1, page_bytes=512), length
