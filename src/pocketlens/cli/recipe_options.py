"""The options that spell out a recipe, shared by the commands that make a lens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from pocketlens.compression.recipes import RecipeRequest
from pocketlens.images.presets import PRESETS

OPTIONS = (
    click.option("--preset", type=click.Choice(sorted(PRESETS)),
                 help="How photos become the input.  [default: what MODEL says, else imagenet]"),
    click.option("--resize", help="none, exact:HEIGHTxWIDTH, shorter:PIXELS or ccv:HEIGHTxWIDTH."),
    click.option("--filter", "filter_name", help="Resampling filter, as Pillow names it."),
    click.option("--crop", help="Size of the crop: PIXELS or HEIGHTxWIDTH."),
    click.option("--channels", help="Order of the channels: rgb, bgr or gray."),
    click.option("--mean", help="Subtracted from the pixels (0..255): one number a channel."),
    click.option("--mean-picture", type=click.Path(path_type=Path),
                 help="Subtracted instead of --mean: a picture, or pixel values in a .npy file."),
    click.option("--scale", help="What the pixels are then divided by: one number a channel."),
)  # fmt: skip


def recipe_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a recipe to a command."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def recipe_from(options: Mapping[str, Any]) -> RecipeRequest:
    """What the options ask for, to be completed when the network's input is known."""
    return RecipeRequest(
        preset=options["preset"],
        resize=options["resize"],
        filter_name=options["filter_name"],
        crop=options["crop"],
        channels=options["channels"],
        mean=options["mean"],
        scale=options["scale"],
        mean_picture=options["mean_picture"],
    )
