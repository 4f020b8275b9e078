"""The picture that a network slides over: all of the resized photo, but for odd edges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pocketlens.base.errors import UsageError
from pocketlens.images.crops import resized_size

if TYPE_CHECKING:
    from PIL.Image import Image

    from pocketlens.images.recipe import Recipe


def sliding_recipe(photo: Image, recipe: Recipe, step: tuple[int, int]) -> Recipe:
    """The recipe for this photo that crops nothing, or less than a step.

    step     pixels from one position of the network to the next, down and across; of the resized
             photo (as large as for several crops) the centre is taken, so large that a whole
             number of steps fits, as in ccv
    Raises UsageError 'cannot-slide' where a picture is subtracted: it has no other size; and for a
    "ccv" recipe, which has its own way.
    """
    if recipe.resize == "ccv":
        raise UsageError(
            "The recipe forms and cuts pictures as ccv does, which slides in its own way: use the "
            "crops ccv10.",
            slug="cannot-slide",
        )
    if recipe.mean_picture:
        raise UsageError(
            "The recipe subtracts a mean picture, which fits one size alone, so the network cannot "
            "slide over a larger one. Use crops.",
            slug="cannot-slide",
        )
    width, height = resized_size(photo, recipe, with_room=True)
    return replace(
        recipe,
        resize="exact",
        resize_height=height,
        resize_width=width,
        height=recipe.height + (height - recipe.height) // step[0] * step[0],
        width=recipe.width + (width - recipe.width) // step[1] * step[1],
    )
