"""What a lens says beside its network, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketlens.compression.recipes import RecipeRequest
    from pocketlens.images.recipe import Recipe
    from pocketlens.labels.labels import Label
    from pocketlens.labels.synsets import Synsets


@dataclass(frozen=True)
class About:
    """What is asked of a lens that its weights do not say.

    recipe   how a photo becomes the input: a Recipe, a request, or a preset's name; None: what
             the model says, else the preset ASSUMED_PRESET
    labels   one a class; None: what the model says, else numbers
    name     for people; None: the model's
    licence  text or SPDX name; None: what the model says
    wnids    WordNet ids in the order of the network's classes; None: what the model says, else
             labels are in it already
    synsets  the tree that gives labels with WordNet ids their paths; None: they have what they have
    """

    recipe: Recipe | RecipeRequest | str | None = None
    labels: tuple[Label, ...] | None = None
    name: str | None = None
    licence: str | None = None
    wnids: tuple[str, ...] | None = None
    synsets: Synsets | None = None
