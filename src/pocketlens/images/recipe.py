"""The recipe: how a photo becomes the network's input. A value, stored with the model.

The order is fixed: decode to RGB, resize, crop, order the channels, then
(pixel - mean) / scale, with a mean for each channel, or for each pixel of each channel (the mean
picture of AlexNet, Caffe and ccv). Where exactly resize and crop cut is said in crops.py, and for
the kind "ccv", whose mean is subtracted before anything is cropped, in ccv.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from pocketlens.base.floats import FLOAT_BYTES, floats_are_finite
from pocketlens.base.halves import HALF_BYTES, halves_are_finite
from pocketlens.images.limits import MAX_FORMED_PIXELS

ResizeKind = Literal["none", "exact", "shorter", "ccv"]
Filter = Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"]
Channels = Literal["rgb", "bgr", "gray"]

RESIZE_KINDS: tuple[ResizeKind, ...] = get_args(ResizeKind)
FILTERS: tuple[Filter, ...] = get_args(Filter)
CHANNELS: tuple[Channels, ...] = get_args(Channels)

MAX_SIDE = 8192
"""The largest height or width of an input or of an exact resize, pixels."""

MAX_MEAN_PICTURE_BYTES = 1_000_000
"""What fits in a row of a lens: 408x408 pixels in colour; of a "ccv" recipe 288x288."""


@dataclass(frozen=True)
class Recipe:
    """How a photo becomes the input.

    resize         "none"; "exact": warp to resize_width x resize_height, aspect ratio not kept;
                   "shorter": the shorter side becomes resize_height, aspect ratio kept;
                   "ccv": as ccv brings a picture to resize_width x resize_height or more
    resize_height  pixels
    resize_width   pixels (equal to resize_height for "shorter"; neither counts for "none")
    filter         Pillow's resampling filter of that name; does not count for "ccv"
    height, width  of the crop, and so of the network's input (ccv: of its patch)
    channels       order in the input
    mean           one a channel, in input order, in pixel values 0..255
    scale          one a channel: input = (pixel - mean) / scale
    mean_picture   empty, or a mean for every pixel in place of `mean`, which is then all zeros:
                   input = (pixel - mean_picture) / scale, the same picture for every view.
                   (channels, height, width) of the input, pixel values 0..255, half precision,
                   little-endian: within 0.0625 of any pixel value, at half of float's bytes.
                   For "ccv" (resize_height, resize_width, channels), float32, little-endian, and
                   stretched over what is cropped from, so that each view has its own part
    """

    resize: ResizeKind
    resize_height: int
    resize_width: int
    filter: Filter
    height: int
    width: int
    channels: Channels
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    mean_picture: bytes = field(default=b"", repr=False)

    @property
    def channel_count(self) -> int:
        """Channels of the input: 1 for "gray", else 3."""
        return 1 if self.channels == "gray" else 3


def mean_picture_size(recipe: Recipe) -> tuple[int, int]:
    """Height and width of a recipe's mean picture: of the crop, or of what "ccv" forms."""
    if recipe.resize == "ccv":
        return recipe.resize_height, recipe.resize_width
    return recipe.height, recipe.width


def fault(recipe: Recipe) -> str | None:
    """What is wrong with a recipe, as the end of a sentence; None if it can be followed.

    For whoever takes one in (options, a file): `f"The recipe {fault(recipe)}."`
    """
    return _fault_of_sizes(recipe) or _fault_of_channels(recipe) or _fault_of_mean_picture(recipe)


def _fault_of_sizes(recipe: Recipe) -> str | None:
    if recipe.resize not in RESIZE_KINDS:
        return f"has resize '{recipe.resize}', expected one of {', '.join(RESIZE_KINDS)}"
    if recipe.filter not in FILTERS:
        return f"has filter '{recipe.filter}', expected one of {', '.join(FILTERS)}"
    if not (1 <= recipe.height <= MAX_SIDE and 1 <= recipe.width <= MAX_SIDE):
        return f"crops to {_by(recipe.height, recipe.width)}, expected sides of 1 to {MAX_SIDE}"
    if recipe.resize == "none":
        return None
    resized = (recipe.resize_height, recipe.resize_width)
    if not all(1 <= side <= MAX_SIDE for side in resized):
        return f"resizes to {_by(*resized)}, expected sides of 1 to {MAX_SIDE}"
    if recipe.resize == "shorter" and resized[0] != resized[1]:
        return f"resizes the shorter side to both {resized[0]} and {resized[1]}"
    if recipe.resize == "ccv" and resized[0] * resized[1] > MAX_FORMED_PIXELS:
        return f"forms pictures of {_by(*resized)}, more than {MAX_FORMED_PIXELS:,} pixels"
    if resized[0] < recipe.height or resized[1] < recipe.width:
        return (
            f"resizes to {_by(*resized)}, less than its crop of {_by(recipe.height, recipe.width)}"
        )
    return None


def _fault_of_channels(recipe: Recipe) -> str | None:
    if recipe.channels not in CHANNELS:
        return f"has channels '{recipe.channels}', expected one of {', '.join(CHANNELS)}"
    count = recipe.channel_count
    for name, values in (("mean", recipe.mean), ("scale", recipe.scale)):
        if len(values) != count:
            return f"has {len(values)} numbers for {name}, expected {count} ({recipe.channels})"
        if not all(math.isfinite(value) for value in values):
            return f"has a {name} that is not finite: {_numbers(values)}"
    if 0 in recipe.scale:
        return f"divides by 0: scale {_numbers(recipe.scale)}"
    return None


def _fault_of_mean_picture(recipe: Recipe) -> str | None:
    picture = recipe.mean_picture
    if not picture:
        return None
    whole = recipe.resize == "ccv"
    height, width = mean_picture_size(recipe)
    expected = recipe.channel_count * height * width * (FLOAT_BYTES if whole else HALF_BYTES)
    if expected > MAX_MEAN_PICTURE_BYTES:
        return (
            f"needs a mean picture of {expected:,} bytes for its {'picture' if whole else 'crop'} "
            f"of {_by(height, width)}, more than the {MAX_MEAN_PICTURE_BYTES:,} that fit"
        )
    if len(picture) != expected:
        return f"has a mean picture of {len(picture):,} bytes, expected {expected:,}"
    if not (floats_are_finite(picture) if whole else halves_are_finite(picture)):
        return "has a mean picture with a number that is not finite"
    if any(recipe.mean):
        return f"subtracts a mean picture and {_numbers(recipe.mean)} as well, expected one of them"
    return None


def describe(recipe: Recipe) -> str:
    """One line for people: "shorter side to 256 (bilinear), crop 224x224, RGB, ..."."""
    resize = {
        "none": "not resized",
        "exact": f"warped to {_by(recipe.resize_height, recipe.resize_width)} ({recipe.filter})",
        "shorter": f"shorter side to {recipe.resize_height} ({recipe.filter})",
        "ccv": f"formed to {_by(recipe.resize_height, recipe.resize_width)} as ccv does",
    }[recipe.resize]
    parts = [
        resize,
        f"crop {_by(recipe.height, recipe.width)}",
        "gray" if recipe.channels == "gray" else recipe.channels.upper(),
    ]
    if recipe.mean_picture:
        parts.append("minus a mean picture")
    elif any(recipe.mean):
        parts.append(f"minus {_numbers(recipe.mean)}")
    if any(value != 1 for value in recipe.scale):
        parts.append(f"divided by {_numbers(recipe.scale)}")
    if len(parts) == 3:
        parts.append("pixels 0 to 255")
    return ", ".join(parts)


def _by(height: int, width: int) -> str:
    return f"{height}x{width}"


def _numbers(values: tuple[float, ...]) -> str:
    """One number where all are equal, else all: "127.5", "104, 117, 123"."""
    shown = values[:1] if len(set(values)) == 1 else values
    return "(" * (len(shown) > 1) + ", ".join(f"{v:g}" for v in shown) + ")" * (len(shown) > 1)
