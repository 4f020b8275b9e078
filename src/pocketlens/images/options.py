"""A recipe spelled out by words: `--resize shorter:256 --channels bgr --mean 104,117,123`."""

from __future__ import annotations

import math
import re
from array import array
from dataclasses import replace
from pathlib import Path

from pocketlens.base.errors import UsageError
from pocketlens.images.mean_picture import read_mean_picture
from pocketlens.images.recipe import (
    CHANNELS,
    FILTERS,
    Channels,
    Filter,
    Recipe,
    ResizeKind,
    describe,
    fault,
)


def from_options(
    start: Recipe,
    *,
    resize: str | None = None,
    filter_name: str | None = None,
    crop: str | None = None,
    channels: str | None = None,
    mean: str | None = None,
    scale: str | None = None,
    mean_picture: Path | None = None,
) -> Recipe:
    """`start` with what the words change; None leaves a part as it is.

    start         usually a preset, fitted to the network's input
    resize        "none", "exact:HEIGHTxWIDTH", "exact:PIXELS", "shorter:PIXELS", or
                  "ccv:HEIGHTxWIDTH", "ccv:PIXELS"
    filter_name   "bilinear", ...: Pillow's name
    crop          "PIXELS" or "HEIGHTxWIDTH"
    channels      "rgb", "bgr" or "gray"; mean and scale of `start` follow from rgb to bgr
    mean, scale   one number a channel in the order of the input, or one for all; pixel values
    mean_picture  a file that `read_mean_picture` reads; takes the place of the mean of `start`

    Raises UsageError 'bad-recipe', with the word that was not understood; and what
    read_mean_picture raises.
    """
    recipe = start
    if resize is not None:
        recipe = _resized(recipe, resize.strip().lower())
        if mean is None and mean_picture is None:
            _check_kept_mean(start, recipe, resize)
    if filter_name is not None:
        recipe = replace(recipe, filter=_filter(filter_name.strip().lower()))
    if crop is not None:
        height, width = _size(crop.strip().lower(), option="--crop", given=crop)
        recipe = replace(recipe, height=height, width=width)
    if channels is not None:
        order = _channels(channels.strip().lower())
        kept = {"mean": mean is None and mean_picture is None, "scale": scale is None}
        recipe = _reordered(recipe, order, kept=kept)
    if mean is not None:
        recipe = replace(recipe, mean=_numbers(mean, recipe, option="--mean"), mean_picture=b"")
    if scale is not None:
        recipe = replace(recipe, scale=_numbers(scale, recipe, option="--scale"))
    if mean_picture is not None:
        if mean is not None:
            raise _bad(
                f"--mean '{mean}' and --mean-picture '{mean_picture}' cannot both be subtracted. "
                "Expected one of them."
            )
        recipe = replace(recipe, mean=(0.0,) * recipe.channel_count, mean_picture=b"")
    _check_units(recipe, mean=mean, scale=scale)
    problem = fault(recipe)
    if problem:
        raise _bad(f"The recipe {problem}. Change --resize, --crop, --mean or --scale.")
    return recipe if mean_picture is None else _with_mean_picture(recipe, mean_picture)


def _with_mean_picture(recipe: Recipe, path: Path) -> Recipe:
    """The recipe, sound so far, with the mean picture of a file."""
    recipe = replace(recipe, mean_picture=read_mean_picture(path, recipe))
    problem = fault(recipe)
    if problem:
        raise _bad(f"The recipe {problem}. Give a mean for each channel: --mean.")
    return recipe


def _resized(recipe: Recipe, word: str) -> Recipe:
    kind, _, size = word.partition(":")
    if word == "none":
        return replace(recipe, resize="none", resize_height=0, resize_width=0)
    if kind in ("exact", "ccv") and size:
        height, width = _size(size, option="--resize", given=word)
        made: ResizeKind = "exact" if kind == "exact" else "ccv"
        return replace(recipe, resize=made, resize_height=height, resize_width=width)
    if kind == "shorter" and re.fullmatch(r"[0-9]{1,6}", size):
        side = int(size)
        return replace(recipe, resize="shorter", resize_height=side, resize_width=side)
    raise _bad(
        f"--resize '{word}' is not understood. Expected none, exact:HEIGHTxWIDTH, "
        "shorter:PIXELS or ccv:HEIGHTxWIDTH, such as shorter:256."
    )


def _check_kept_mean(start: Recipe, recipe: Recipe, resize: str) -> None:
    """Refuse to subtract a mean picture that was made for another kind of resize."""
    if start.mean_picture and "ccv" in (start.resize, recipe.resize) and start != recipe:
        raise _bad(
            f"--resize {resize} needs its own --mean or --mean-picture: the recipe's mean picture "
            f"is for another one ({describe(start).partition(',')[0]})."
        )


def _size(word: str, *, option: str, given: str) -> tuple[int, int]:
    """(height, width) of "224" or "224x192"."""
    found = re.fullmatch(r"([0-9]{1,6})(?:x([0-9]{1,6}))?", word)
    if not found:
        raise _bad(
            f"{option} '{given}' is not understood. Expected a size in pixels, 224 or "
            "HEIGHTxWIDTH such as 224x192."
        )
    return int(found[1]), int(found[2] or found[1])


def _filter(word: str) -> Filter:
    for known in FILTERS:
        if word == known:
            return known
    raise _bad(f"There is no filter '{word}'. Expected one of {', '.join(FILTERS)}.")


def _channels(word: str) -> Channels:
    for known in CHANNELS:
        if word == known:
            return known
    raise _bad(f"There is no channel order '{word}'. Expected one of {', '.join(CHANNELS)}.")


def _reordered(recipe: Recipe, order: Channels, *, kept: dict[str, bool]) -> Recipe:
    """Another channel order; mean and scale go along where they are kept."""
    if order == recipe.channels:
        return recipe
    mean, scale, picture = recipe.mean, recipe.scale, recipe.mean_picture
    if "gray" not in (order, recipe.channels):
        turned = _turned(picture, apart=recipe.resize != "ccv")
        return replace(
            recipe, channels=order, mean=mean[::-1], scale=scale[::-1], mean_picture=turned
        )
    if picture and kept["mean"]:
        raise _bad(
            f"--channels {order} needs its own --mean or --mean-picture: the recipe's mean picture "
            f"is for {recipe.channels}."
        )
    count = 1 if order == "gray" else 3
    for name, values in (("mean", mean), ("scale", scale)):
        if kept[name] and len(set(values)) > 1:
            raise _bad(
                f"--channels {order} needs its own --{name}: the {name} "
                f"{', '.join(f'{v:g}' for v in values)} is for {recipe.channels}."
            )
    return replace(
        recipe, channels=order, mean=mean[:1] * count, scale=scale[:1] * count, mean_picture=b""
    )


def _turned(picture: bytes, *, apart: bool) -> bytes:
    """A mean picture with its first and last channel exchanged; they lie `apart` or in pixels."""
    if apart:
        third = len(picture) // 3
        return picture[2 * third :] + picture[third : 2 * third] + picture[:third]
    values = array("I", picture)  # 4 bytes each, whatever they mean
    values[0::3], values[2::3] = values[2::3], values[0::3]
    return values.tobytes()


def _numbers(text: str, recipe: Recipe, *, option: str) -> tuple[float, ...]:
    """One number a channel, from "a,b,c" or "a"."""
    count = recipe.channel_count
    try:
        values = tuple(float(word) for word in re.split(r"[,\s]+", text.strip()))
    except ValueError as error:
        raise _bad(
            f"{option} '{text}' is not understood. Expected numbers with commas between them, "
            "such as 104,117,123."
        ) from error
    if not all(math.isfinite(value) for value in values):
        raise _bad(f"{option} '{text}' holds a number that is not finite. Expected pixel values.")
    if len(values) not in (1, count):
        raise _bad(
            f"{option} '{text}' holds {len(values)} numbers. Expected {count} for "
            f"{recipe.channels}, or one for all."
        )
    return values * count if len(values) == 1 else values


def _check_units(recipe: Recipe, *, mean: str | None, scale: str | None) -> None:
    """Catch 0.485,0.456,0.406: means of 0..1 where pixel values are expected."""
    for option, text, values in (("--mean", mean, recipe.mean), ("--scale", scale, recipe.scale)):
        if text is not None and all(0 < value < 1 for value in values):
            times = ",".join(f"{value * 255:g}" for value in values)
            raise _bad(
                f"{option} {text} is for pixels of 0 to 1, but a recipe counts pixels from 0 to "
                f"255: input = (pixel - mean) / scale. Expected {option} {times}."
            )


def _bad(sentence: str) -> UsageError:
    return UsageError(sentence, slug="bad-recipe")
