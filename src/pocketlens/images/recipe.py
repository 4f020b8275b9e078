"""The recipe: how a photo becomes the network's input. A value, stored with the model.

The order is fixed: decode to RGB, resize, crop, order the channels, then
(pixel - mean) / scale for each channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ResizeKind = Literal["none", "exact", "shorter"]
Filter = Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"]
Channels = Literal["rgb", "bgr", "gray"]


@dataclass(frozen=True)
class Recipe:
    """How a photo becomes the input.

    resize         "none"; "exact": warp to resize_width x resize_height, aspect ratio not kept;
                   "shorter": the shorter side becomes resize_height, aspect ratio kept
    resize_height  pixels
    resize_width   pixels (equal to resize_height for "shorter")
    filter         Pillow's resampling filter of that name
    height, width  of the crop, and so of the network's input
    channels       order in the input
    mean           one a channel, in input order, in pixel values 0..255
    scale          one a channel: input = (pixel - mean) / scale
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
