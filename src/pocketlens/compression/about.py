"""What a lens says beside its network, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketlens.compression.recipes import RecipeRequest
    from pocketlens.images.recipe import Recipe
    from pocketlens.labels.labels import Label


@dataclass(frozen=True)
class About:
    """What is asked of a lens that its weights do not say.

    recipe   how a photo becomes the input: a Recipe, a request, or a preset's name; None: what
             the model says, else the preset ASSUMED_PRESET
    labels   one a class; None: what the model says, else numbers
    name     for people; None: the model's
    licence  text or SPDX name; None: what the model says
    """

    recipe: Recipe | RecipeRequest | str | None = None
    labels: tuple[Label, ...] | None = None
    name: str | None = None
    licence: str | None = None
