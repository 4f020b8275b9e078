"""A recipe to what ccv does with a photo: bring it to H x W, subtract a mean picture, cut patches.

ccv knows neither a scale nor an order of channels other than red, green, blue: the first
convolution's weights take both in (weights.py). Its picture is larger than a patch by a multiple
of the steps down to the last convolution, or it could not slide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pocketlens.base.errors import ModelError
from pocketlens.exporters.ccv.layers import Convolution, Layer, Pool
from pocketlens.images.ccv import cubic
from pocketlens.images.recipe import MAX_SIDE, Recipe


@dataclass(frozen=True)
class Picture:
    """What ccv's file says about photos, and what its first convolution has to take in.

    height, width  that a photo is brought to, pixels
    mean           (height, width, channels) float32, little-endian, red first, 0..255
    scale          one a channel in the order of the lens's input: weights are divided by it
    is_swapped     whether the lens's input has blue first
    notes          in what ccv's picture differs from the lens's, sentences
    """

    height: int
    width: int
    mean: bytes = field(repr=False)
    scale: tuple[float, ...]
    is_swapped: bool
    notes: tuple[str, ...] = ()

    @property
    def is_scaled(self) -> bool:
        """Whether weights change."""
        return any(number != 1 for number in self.scale)


def picture_of(recipe: Recipe, layers: Sequence[Layer]) -> Picture:
    """What ccv does with a photo in the place of `recipe`.

    Raises ModelError 'ccv-cannot-express' where it has no such thing.
    """
    is_swapped = recipe.channels == "bgr"
    if any(number != 1 for number in recipe.scale) and not isinstance(layers[0], Convolution):
        raise _cannot_picture(
            f"pixels are divided by {recipe.scale}, and the first layer is no convolution whose "
            "weights could be divided instead"
        )
    height, width = _sides(recipe, layers)
    notes = _notes(recipe, height, width, step=_scan_step(layers))
    mean = _mean(recipe, height, width, is_swapped=is_swapped)
    return Picture(height, width, mean, recipe.scale, is_swapped, notes)


def _sides(recipe: Recipe, layers: Sequence[Layer]) -> tuple[int, int]:
    if recipe.resize == "ccv":
        return recipe.resize_height, recipe.resize_width
    asked = (recipe.resize_height, recipe.resize_width)
    if recipe.resize == "none":
        asked = (recipe.height, recipe.width)
    if asked[0] != asked[1]:
        raise _cannot_picture(
            f"photos are brought to {asked[0]}x{asked[1]}, and ccv keeps their proportions only "
            "where both sides are the same"
        )
    least, step = max(recipe.height, recipe.width), _scan_step(layers)
    places = math.ceil((least - recipe.height) / step)  # a patch that is wider than high
    places = max(places, round((asked[0] - recipe.height) / step))
    side = recipe.height + places * step
    if side > MAX_SIDE:
        raise _cannot_picture(
            f"ccv would need pictures of {side} pixels to slide in steps of {step}"
        )
    return side, side


def _scan_step(layers: Sequence[Layer]) -> int:
    """Pixels from one place of the last convolution's map to the next."""
    last = max(n for n, layer in enumerate(layers) if isinstance(layer, Convolution))
    return math.prod(
        layer.strides for layer in layers[: last + 1] if isinstance(layer, Convolution | Pool)
    )


def _mean(recipe: Recipe, height: int, width: int, *, is_swapped: bool) -> bytes:
    order = -1 if is_swapped else 1
    if not recipe.mean_picture:
        mean = np.array(recipe.mean, "<f4")[::order]
        return np.tile(mean, height * width).tobytes()
    if recipe.resize == "ccv":
        whole = np.frombuffer(recipe.mean_picture, "<f4").reshape(height, width, -1)
        return whole[..., ::order].tobytes()
    planar = np.frombuffer(recipe.mean_picture, "<f2").reshape(-1, recipe.height, recipe.width)
    picture = planar[::order].transpose(1, 2, 0).astype(np.float32)
    return cubic(picture, height, width).astype("<f4").tobytes()


def _notes(recipe: Recipe, height: int, width: int, *, step: int) -> tuple[str, ...]:
    if recipe.resize == "ccv":
        if (height - recipe.height) % step and (width - recipe.width) % step:
            return (
                f"ccv cannot classify with it, only encode patches: pictures of {height}x{width} "
                f"are not larger than {recipe.height}x{recipe.width} by whole steps of {step}.",
            )
        return ()
    notes = [_note_on_sizes(recipe, height, width)]
    if recipe.mean_picture and (recipe.height, recipe.width) != (height, width):
        notes.append(
            f"Its mean picture is stretched to {height}x{width}, which patches see parts of."
        )
    return tuple(notes)


def _note_on_sizes(recipe: Recipe, height: int, width: int) -> str:
    ours = {
        "shorter": f"brings the shorter side to {recipe.resize_height} ({recipe.filter})",
        "exact": f"warps photos to {recipe.resize_height}x{recipe.resize_width} ({recipe.filter})",
        "none": "takes photos as large as they are",
    }[recipe.resize]
    return (
        f"The lens {ours}; ccv brings the shorter side to {min(height, width)}, by box average or "
        "cubic, and takes patches from there."
    )


def _cannot_picture(why: str) -> ModelError:
    return ModelError(
        f"ccv cannot express how photos are prepared: {why}.", slug="ccv-cannot-express"
    )
