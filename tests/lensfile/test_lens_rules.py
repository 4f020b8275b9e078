"""Every rule about the contents of a lens: what the reader refuses, the writer refuses, too."""

from __future__ import annotations

import dataclasses
import math
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from lens_forge import with_plane, with_tensor, with_tensors
from lens_refusals import assert_refused
from lens_samples import packed, plane_of, png_of, receipt, small_lens
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import Band, LensContents

GOOD = small_lens()
STEM, STEM_BIAS, HEAD, CALM = range(4)
PALETTE = GOOD.tensors[STEM].palettes
STEM_PLANE = GOOD.tensors[STEM].plane
assert STEM_PLANE is not None


def changed(**changes: object) -> LensContents:
    return dataclasses.replace(GOOD, **changes)  # type: ignore[arg-type]


def recipe(**changes: object) -> LensContents:
    return changed(recipe=dataclasses.replace(GOOD.recipe, **changes))  # type: ignore[arg-type]


def formed(side: int, data: bytes) -> LensContents:
    """GOOD, with photos formed as ccv does it, minus a mean picture."""
    sizes = {"resize_height": side, "resize_width": side}
    return recipe(resize="ccv", **sizes, mean=(0.0, 0.0, 0.0), mean_picture=data)


def mean_picture(data: bytes) -> LensContents:
    """In place of the mean; the input is 3x6x6."""
    return recipe(mean=(0.0, 0.0, 0.0), mean_picture=data)


def graph(**changes: object) -> LensContents:
    return changed(graph=dataclasses.replace(GOOD.graph, **changes))  # type: ignore[arg-type]


def provenance(**changes: object) -> LensContents:
    return changed(provenance=dataclasses.replace(GOOD.provenance, **changes))  # type: ignore[arg-type]


def label(number: int, **changes: object) -> LensContents:
    labels = list(GOOD.labels)
    labels[number] = dataclasses.replace(labels[number], **changes)  # type: ignore[arg-type]
    return changed(labels=tuple(labels))


def receipts(**changes: object) -> LensContents:
    return changed(receipts=(receipt(**changes),))


def halves(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}e", *values)


def stem_indices(*, first: int = 0, last: int = 0) -> LensContents:
    """The stem's indices all 0 but the first and, beyond the last one, a rest pixel."""
    count = math.prod(GOOD.tensors[STEM].shape)  # 216 in rows of 35: 29 rest pixels
    plane = plane_of([first, *[0] * (count - 1), last], width=35, bits=4, band_rows=2)
    return with_tensor(GOOD, STEM, plane=plane)


def stem_padding() -> LensContents:
    """A bit set after the end of a row of 35 four-bit pixels."""
    rows = packed([0] * 216, width=35, bits=4)
    rows[0] = rows[0][:-1] + bytes([rows[0][-1] | 1])
    bands = tuple(
        Band(len(rows[at : at + 2]), png_of(rows[at : at + 2], width=35, bits=4))
        for at in range(0, len(rows), 2)
    )
    return with_plane(GOOD, STEM, bands=bands)


def band(number: int, **changes: object) -> LensContents:
    bands = list(STEM_PLANE.bands)
    bands[number] = dataclasses.replace(bands[number], **changes)  # type: ignore[arg-type]
    return with_plane(GOOD, STEM, bands=tuple(bands))


BROKEN: dict[str, tuple[str, Callable[[], LensContents]]] = {
    "no name": ("lens-text", lambda: changed(name="")),
    "escape codes in the name": ("lens-text", lambda: changed(name="\x1b[2Jhello")),
    "a name of 5,000 letters": ("lens-text", lambda: changed(name="a" * 5000)),
    "a licence with a bell": ("lens-text", lambda: provenance(licence="\a")),
    "a licence of 2 MB": ("lens-text", lambda: provenance(licence="a" * 2_000_000)),
    "two outputs": ("lens-graph", lambda: graph(outputs=("scores", "logits"))),
    "nodes out of order": ("lens-graph", lambda: graph(nodes=GOOD.graph.nodes[::-1])),
    "an unknown operator": (
        "lens-graph",
        lambda: graph(
            nodes=(*GOOD.graph.nodes[:-1], dataclasses.replace(GOOD.graph.nodes[-1], op="exec"))
        ),
    ),
    "a wrong shape": (
        "lens-graph",
        lambda: graph(shapes={**GOOD.graph.shapes, "pooled": (1, 9)}),
    ),
    "a shape for nothing": ("lens-graph", lambda: graph(shapes={**GOOD.graph.shapes, "x": (1,)})),
    "a tensor too few": ("lens-tensor-names", lambda: with_tensors(GOOD, *GOOD.tensors[:-1])),
    "tensors out of order": ("lens-tensor-names", lambda: with_tensors(GOOD, *GOOD.tensors[::-1])),
    "a tensor's shape is another": ("lens-shape", lambda: with_tensor(GOOD, CALM, shape=(2,))),
    "a negative shape": ("lens-shape", lambda: with_tensor(GOOD, STEM, shape=(8, -3, 3, -3))),
    "a shape of no numbers": ("lens-shape", lambda: with_tensor(GOOD, CALM, shape=(0,))),
    "seven axes": ("lens-shape", lambda: with_tensor(GOOD, CALM, shape=(1,) * 7)),
    "a shape that overflows": ("lens-shape", lambda: with_tensor(GOOD, CALM, shape=(2**62, 4))),
    "an unknown fate": ("lens-fate", lambda: with_tensor(GOOD, CALM, fate="double")),
    "a palette and values": ("lens-fate", lambda: with_tensor(GOOD, STEM, values=b"12")),
    "half precision and a palette": ("lens-fate", lambda: with_tensor(GOOD, CALM, palettes=b"12")),
    "a palette without a plane": ("lens-fate", lambda: with_tensor(GOOD, STEM, plane=None)),
    "a negative error": ("lens-fate", lambda: with_tensor(GOOD, CALM, error=-1.0)),
    "an error that is no number": ("lens-fate", lambda: with_tensor(GOOD, CALM, error=math.nan)),
    "a value too few": ("lens-values", lambda: with_tensor(GOOD, STEM_BIAS, values=b"12" * 7)),
    "an infinite half": (
        "lens-values",
        lambda: with_tensor(GOOD, STEM_BIAS, values=halves(*[0.0] * 7, -math.inf)),
    ),
    "a float that is no number": (
        "lens-values",
        lambda: with_tensor(GOOD, CALM, values=struct.pack("<f", math.nan)),
    ),
    "k = 300": ("lens-palette", lambda: with_tensor(GOOD, STEM, palette_size=300)),
    "k beyond the bits": (
        "lens-palette",
        lambda: with_tensor(GOOD, HEAD, palette_size=3, palettes=halves(*[0.0] * 6)),
    ),
    "k = 0": ("lens-palette", lambda: with_tensor(GOOD, STEM, palette_size=0)),
    "groups of 0": ("lens-palette", lambda: with_tensor(GOOD, STEM, group_rows=0)),
    "groups of 9 in 8": ("lens-palette", lambda: with_tensor(GOOD, STEM, group_rows=9)),
    "a palette too many": ("lens-palette", lambda: with_tensor(GOOD, STEM, palettes=PALETTE * 2)),
    "a palette that falls": (
        "lens-palette",
        lambda: with_tensor(GOOD, STEM, palettes=halves(0.0, 1.0, 3.0, 2.0, 4.0)),
    ),
    "a palette with NaN": (
        "lens-palette",
        lambda: with_tensor(GOOD, STEM, palettes=halves(0.0, 1.0, 2.0, 3.0, math.nan)),
    ),
    "indices of 3 bits": ("lens-plane", lambda: with_plane(GOOD, STEM, index_bits=3)),
    "a plane of no width": ("lens-plane", lambda: with_plane(GOOD, STEM, width=0)),
    "a plane wider than its indices": ("lens-plane", lambda: with_plane(GOOD, STEM, width=217)),
    "a band too few": ("lens-plane", lambda: with_plane(GOOD, STEM, bands=STEM_PLANE.bands[:-1])),
    "no bands": ("lens-plane", lambda: with_plane(GOOD, STEM, bands=())),
    "bands of unequal rows": ("lens-plane", lambda: band(1, rows=3)),
    "a band of no rows": ("lens-plane", lambda: band(0, rows=0)),
    "a band of another width": (
        "lens-band",
        lambda: band(0, png=png_of(packed([0] * 72, width=36, bits=4), width=36, bits=4)),
    ),
    "a band of another depth": (
        "lens-band",
        lambda: band(0, png=png_of(packed([0] * 70, width=35, bits=8), width=35, bits=8)),
    ),
    "a band with a row too many": (
        "lens-band",
        lambda: band(0, png=png_of(packed([0] * 105, width=35, bits=4), width=35, bits=4)),
    ),
    "a band above 1 MB": (
        "lens-band",
        lambda: band(0, png=STEM_PLANE.bands[0].png + bytes(1_000_000)),
    ),
    "a band that is no PNG": ("plane-damaged", lambda: band(0, png=b"GIF89a")),
    "an index beyond the palette": ("lens-index", lambda: stem_indices(first=5)),
    "a pixel after the last index": ("lens-rest", lambda: stem_indices(last=1)),
    "a bit after the end of a row": ("lens-rest", stem_padding),
    "a label too few": ("lens-labels", lambda: changed(labels=GOOD.labels[:-1])),
    "a label too many": ("lens-labels", lambda: changed(labels=(*GOOD.labels, Label("x")))),
    "a label without a name": ("lens-labels", lambda: label(2, name="")),
    "a label with escape codes": ("lens-labels", lambda: label(2, name="\x1b]0;x\a")),
    "a WordNet id that is none": ("lens-labels", lambda: label(2, wnid="dog")),
    "a path of 65": ("lens-labels", lambda: label(2, path=("x",) * 65)),
    "an unknown resize": ("lens-recipe", lambda: recipe(resize="stretch")),
    "an unknown filter": ("lens-recipe", lambda: recipe(filter="magic")),
    "unknown channels": ("lens-recipe", lambda: recipe(channels="cmyk")),
    "channels that do not fit": (
        "lens-recipe",
        lambda: recipe(channels="gray", mean=(0.0,), scale=(1.0,)),
    ),
    "a height that does not fit": ("lens-recipe", lambda: recipe(height=5)),
    "a size beyond reason": ("lens-recipe", lambda: recipe(resize_height=99999)),
    "a size that is no whole number": ("lens-recipe", lambda: recipe(width=6.0)),
    "a scale of 0": ("lens-recipe", lambda: recipe(scale=(1.0, 0.0, 1.0))),
    "a mean that is no number": ("lens-recipe", lambda: recipe(mean=(1.0, math.nan, 1.0))),
    "a mean of two": ("lens-recipe", lambda: recipe(mean=(1.0, 2.0))),
    "a mean picture too short": ("lens-recipe", lambda: mean_picture(bytes(2 * 107))),
    "a mean picture too long": ("lens-recipe", lambda: mean_picture(bytes(2 * 109))),
    "a mean picture of half a number": ("lens-recipe", lambda: mean_picture(bytes(2 * 108 - 1))),
    "a mean picture that is endless": ("lens-recipe", lambda: mean_picture(halves(math.inf) * 108)),
    "a mean picture that is no number": (
        "lens-recipe",
        lambda: mean_picture(bytes(2 * 107) + halves(math.nan)),
    ),
    "a picture formed smaller than its crop": ("lens-recipe", lambda: formed(5, b"")),
    "a picture formed beyond reason": ("lens-recipe", lambda: formed(8000, b"")),
    "a mean picture of halves where floats belong": ("lens-recipe", lambda: formed(9, bytes(486))),
    "a mean picture of floats cut short": ("lens-recipe", lambda: formed(9, bytes(971))),
    "a mean picture of floats that is endless": (
        "lens-recipe",
        lambda: formed(9, struct.pack("<f", math.inf) * 243),
    ),
    "a mean picture and a mean": ("lens-recipe", lambda: recipe(mean_picture=bytes(2 * 108))),
    "a fingerprint that is none": ("lens-provenance", lambda: provenance(source_sha256="abc")),
    "settings that are no JSON": ("lens-provenance", lambda: provenance(settings="bits=4")),
    "settings that are a list": ("lens-provenance", lambda: provenance(settings="[]")),
    "a rate of 101": ("lens-receipt", lambda: receipts(top1_missing=101.0)),
    "an interval upside down": ("lens-receipt", lambda: receipts(top1_interval=(9.0, 1.0))),
    "a rate without its interval": ("lens-receipt", lambda: receipts(top5_missing=1.0)),
    "half a pairing": ("lens-receipt", lambda: receipts(flips=None)),
    "paired with nothing": ("lens-receipt", lambda: receipts(against="")),
    "more flips than photos": ("lens-receipt", lambda: receipts(flips=6)),
    "no photos": ("lens-receipt", lambda: receipts(n=0)),
    "seven crops": ("lens-receipt", lambda: receipts(crops=7)),
    "a data set without fingerprint": ("lens-receipt", lambda: receipts(dataset_sha256="")),
}

NO_FILE_CAN_HOLD = {
    "k = 300": "the size of a palette follows from its bytes",
    "k = 0": "the size of a palette follows from its bytes",
    "two outputs": "a lens lists one: see test_lens_evil",
    "a wrong shape": "shapes of arrays follow from the input's",
    "a shape for nothing": "shapes of arrays follow from the input's",
    "a tensor too few": "what a node reads is a row: see test_lens_evil",
    "tensors out of order": "their order is that in which nodes read them",
    "a palette and values": "a tensor has one run of numbers",
    "an error that is no number": "texts tell no NaN: see test_lens_evil",
    "an unknown operator": "the writer cannot order its attributes: see test_lens_evil",
    "a mean that is no number": "texts tell no NaN: see test_lens_evil",
    "a WordNet id that is none": "WordNet ids are stored as numbers",
    "a fingerprint that is none": "a SHA-256 is stored as bytes: see test_lens_evil",
    "a height that does not fit": "the shape of the input is told once",
    "a size that is no whole number": "6 and 6.0 are told alike",
    "indices of 3 bits": "bit depth, width and height stand in a picture's header alone",
    "a plane of no width": "the same",
    "a plane wider than its indices": "the same",
    "bands of unequal rows": "the same",
    "a band of no rows": "the same",
}

READ_AS = {
    "a licence of 2 MB": "lens-damaged",  # above SQLite's limit for a row
    # What does not fit the graph is noticed while shapes are inferred.
    "a tensor's shape is another": "lens-graph",
    "channels that do not fit": "lens-graph",
    "an unknown fate": "lens-graph",  # a kind of row that is no fate is an operator
    # Less of it is told, so another rule is broken.
    "half precision and a palette": "lens-values",
    "no bands": "lens-fate",
    "groups of 0": "lens-bad-row",
    "a band of another width": "lens-plane",
    "a band with a row too many": "lens-plane",
    # What follows cannot be put together from rows.
    "a negative shape": "lens-bad-row",
    "a shape of no numbers": "lens-bad-row",
    "seven axes": "lens-bad-row",
    "a shape that overflows": "lens-bad-row",
    "a path of 65": "lens-bad-row",
    "a label too few": "lens-bad-row",
    "a label too many": "lens-bad-row",
    "a rate without its interval": "lens-bad-row",
}
"""Where the reader stops before it gets as far as the writer."""


@pytest.mark.parametrize("name", BROKEN)
def test_writer_and_reader_refuse(name: str, tmp_path: Path) -> None:
    slug, make = BROKEN[name]
    read_as = None if name in NO_FILE_CAN_HOLD else READ_AS.get(name, slug)
    assert_refused(make(), slug, tmp_path, read_as=read_as)


def test_every_documented_slug_is_tested() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "errors" / "lensfile.md").read_text(encoding="utf-8")
    tests = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("lensfile", "hostile")
        for path in (root / "tests" / folder).glob("test_lens_*.py")
    )
    slugs = re.findall(r"^### (.+)$", page, re.MULTILINE)
    assert len(slugs) > 20
    assert [slug for slug in slugs if f'"{slug}"' not in tests] == []
