"""A recipe asked for by words, completed when the network's input size is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketlens.images.options import from_options
from pocketlens.images.presets import preset
from pocketlens.images.recipe import Recipe

ASSUMED_PRESET = "imagenet"
"""Taken where neither the user nor the model says a recipe; whoever shows a result says so."""


@dataclass(frozen=True)
class RecipeRequest:
    """A preset's name and what to change in it; None leaves a part as it is.

    The parts are text and a file as the command line takes them; see images/options.py.
    """

    preset: str | None = None
    resize: str | None = None
    filter_name: str | None = None
    crop: str | None = None
    channels: str | None = None
    mean: str | None = None
    scale: str | None = None
    mean_picture: Path | None = None

    @property
    def is_assumed(self) -> bool:
        """Whether nothing was said, so that the model's own is taken, else ASSUMED_PRESET."""
        return self == RecipeRequest()

    def fit(self, height: int, width: int, *, channels: int, told: Recipe | None = None) -> Recipe:
        """The recipe for a network's input of that size.

        told  the model's own recipe, which is changed where no preset is named
        Raises UsageError, and of a mean picture FileError and ImageError.
        """
        start = told
        if self.preset is not None or start is None:
            name = self.preset or ASSUMED_PRESET
            start = preset(name, height=height, width=width, channels=channels)
        return from_options(
            start,
            resize=self.resize,
            filter_name=self.filter_name,
            crop=self.crop,
            channels=self.channels,
            mean=self.mean,
            scale=self.scale,
            mean_picture=self.mean_picture,
        )
