"""What a lens holds, as plain values. No NumPy here: reading a lens must stay light.

Numbers in blobs are little-endian; half precision is IEEE 754 binary16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pocketlens.graph.graph import Graph, Shape
from pocketlens.images.recipe import Recipe
from pocketlens.images.views import Crops, views_in_words
from pocketlens.labels.labels import Label
from pocketlens.planes.plane import INDEX_BITS, Band, Plane

__all__ = [
    "INDEX_BITS",
    "Band",
    "FateKind",
    "LensContents",
    "Plane",
    "Provenance",
    "Receipt",
    "TensorRecord",
]

FateKind = Literal["palette", "half", "float"]

NO_ERROR = 1e-6
"""Relative squared errors below this are as good as none."""

MOST_TOLD = 99.5
MOST_PLACES = 99
MOST_WHOLE = 10**15


@dataclass(frozen=True)
class TensorRecord:
    """A tensor and its fate.

    name          as the graph calls it
    shape         one or more axes; the first one counts outputs
    fate          "palette": plane + palettes; "half", "float": all values in `values`
    reason        why this fate, in words
    palette_size  k: values in each palette (2 to 256; 1 for a constant tensor); 0 if no palette
    group_rows    outputs (first axis) that share a palette; the last group may be smaller;
                  equal to shape[0] where one palette serves the tensor; 0 if no palette
    palettes      half precision, groups x k, each ascending; empty if no palette
    values        half or float values in row-major order; empty with a palette
    plane         the indices; None without a palette
    error         relative squared error against the float original:
                  sum (w - w')^2 / sum w^2, 0.0 where the sum is 0. Like the loss, it is rounded to
                  two digits (two_digits()). Less than a millionth, as half precision has, is 0
    first_pixel   where in `plane` the tensor's pixels begin. Small tensors whose indices have
                  the same bits may share a plane: one follows the other without a gap, and all
                  their records hold the same plane
    mask          None, or a plane of 1 bit a weight. Where it is 0, the index is `common`; where
                  it is 1, it is the next pixel p of `plane`, or p + 1 from `common` upwards:
                  `plane` then has pixels for those weights alone, and tells one value fewer.
                  Neither is shared
    common        the index that a mask stands for; 0 without a mask
    affine        None, or (offset, step), both float32: the one palette is offset + step x i
                  in half precision, and the file keeps these two numbers only
    loss          nats a photo that coding this tensor costs, as calibration foresees; None
                  where it was coded without photos
    trellis       whether pixels are numbers along a trellis (planes/trellis.py): its one palette
                  then has twice as many values as numbers, and `common` is a number
    """

    name: str
    shape: Shape
    fate: FateKind
    reason: str
    palette_size: int = 0
    group_rows: int = 0
    palettes: bytes = b""
    values: bytes = b""
    plane: Plane | None = None
    error: float = 0.0
    first_pixel: int = 0
    mask: Plane | None = None
    common: int = 0
    affine: tuple[float, float] | None = None
    loss: float | None = None
    trellis: bool = False

    @property
    def numbers(self) -> int:
        """How many numbers its pixels tell apart, with a mask or without."""
        return self.palette_size // 2 if self.trellis else self.palette_size

    def __post_init__(self) -> None:
        if abs(self.error) < NO_ERROR:
            object.__setattr__(self, "error", 0.0)
        object.__setattr__(self, "error", _rounded(self.error))
        if self.loss is not None:
            object.__setattr__(self, "loss", _rounded(self.loss))


def two_digits(number: float) -> int:
    """A finite number as a whole one: its first two digits, then two of its exponent less its sign.

    6703 is 67e-03; -1204 is -12e-04. From 100 upwards there are more digits than two: 12300 is 123.
    What is below 1e-98 is 0, what is beyond 1e15 is that.
    """
    sign = -1 if number < 0 else 1
    if abs(number) >= MOST_TOLD:
        return sign * 100 * min(round(abs(number)), MOST_WHOLE)
    digits, _, exponent = f"{number:.1e}".partition("e")
    places = 1 - int(exponent)
    mantissa = abs(int(digits.replace(".", "")))
    return sign * (100 * mantissa + places) if places <= MOST_PLACES and mantissa else 0


def from_two_digits(told: int) -> float:
    """The number that two_digits() told."""
    mantissa, places = divmod(abs(told), 100)
    return float(f"{'-' * (told < 0)}{mantissa}e-{places}")


def _rounded(number: float) -> float:
    """As from_two_digits(two_digits()); what is no finite number stays what it is."""
    return number if number - number != 0 else from_two_digits(two_digits(number))


@dataclass(frozen=True)
class Provenance:
    """Where a lens comes from. Empty strings where it is not known.

    source_name    file name of the original (no folder)
    source_sha256  of the original's bytes, hex
    licence        text or SPDX name, if given
    made_by        "pocketlens 0.1.0"
    settings       the compression settings as JSON text
    """

    source_name: str = ""
    source_sha256: str = ""
    licence: str = ""
    made_by: str = ""
    settings: str = "{}"


@dataclass(frozen=True)
class Receipt:
    """One measurement kept in the lens. Rates are in percent.

    dataset            name for people
    dataset_sha256     fingerprint: SHA-256 over the sorted (file hash, label) pairs
    n                  photos
    crops              views averaged: a number, or "slide", "ccv10", "ccv5" (images/views.py)
    top1_missing       top-1 missing rate
    top1_interval      95% interval (low, high)
    top5_missing       None with fewer than 6 classes
    top5_interval      likewise
    against            what it was paired with ("" if nothing), e.g. "model.onnx float32"
    difference         top-1 missing rate minus that of `against`, points; None if not paired
    difference_interval  its 95% interval
    flips              photos whose top-1 answer differs; None if not paired
    engine             "core avx512" or "reference"
    version            of Pocketlens
    """

    dataset: str
    dataset_sha256: str
    n: int
    crops: Crops
    top1_missing: float
    top1_interval: tuple[float, float]
    top5_missing: float | None
    top5_interval: tuple[float, float] | None
    against: str
    difference: float | None
    difference_interval: tuple[float, float] | None
    flips: int | None
    engine: str
    version: str

    @property
    def views(self) -> str:
        """What was averaged, in words: "10 crops"."""
        return views_in_words(self.crops)


@dataclass(frozen=True)
class LensContents:
    """Everything in a lens.

    name      for people: "mobilenet-v2"
    graph     its tensor_names() are exactly the names of `tensors`
    tensors   in the order of graph.tensor_names()
    labels    one a class, in the order of the scores
    recipe    how a photo becomes the input
    """

    name: str
    graph: Graph
    tensors: tuple[TensorRecord, ...]
    labels: tuple[Label, ...]
    recipe: Recipe
    provenance: Provenance = Provenance()
    receipts: tuple[Receipt, ...] = ()
