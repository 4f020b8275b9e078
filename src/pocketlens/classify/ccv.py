"""A lens's network on five windows of a photo and of its mirror image, as ccv classifies.

Everything is ccv's: how the photo is decoded, how it is formed and cut, which mean is subtracted,
where the windows lie (graph/five_windows.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketlens.base.errors import UsageError
from pocketlens.classify.engines import Engines
from pocketlens.engine.prepare import formed_input
from pocketlens.graph.five_windows import find_last_conv, five_windows
from pocketlens.graph.graph import Graph
from pocketlens.graph.probabilities import with_softmax
from pocketlens.images.ccv_decode import open_as_ccv
from pocketlens.images.recipe import Recipe
from pocketlens.lensfile.contents import LensContents

if TYPE_CHECKING:
    from pocketlens.images.decode import PhotoSource


def windowed(graph: Graph, height: int, width: int) -> Graph:
    """The network on five windows of a picture, then a softmax. Raises ModelError."""
    return with_softmax(five_windows(graph, find_last_conv(graph), height, width))


def window_probabilities(
    photo: PhotoSource, contents: LensContents, engines: Engines, *, mirrored: bool
) -> bytes:
    """Probabilities, float32: (5, classes), or (10, classes) with those of the mirror image.

    contents  of the lens; its tensors are not looked at
    Raises UsageError 'no-ccv-recipe', ModelError 'cannot-slide', ImageError, EngineError.
    """
    recipe = contents.recipe
    _check_recipe(recipe)
    step = find_last_conv(contents.graph).step
    picture = open_as_ccv(photo)
    inputs, height, width = formed_input(picture, recipe, step=step, mirrored=mirrored)
    return engines.grown_scores(inputs, windowed, height, width, batch=1 + mirrored)


def _check_recipe(recipe: Recipe) -> None:
    if recipe.resize != "ccv":
        raise UsageError(
            f"ccv's windows are for lenses whose recipe is ccv's; the recipe of this one resizes "
            f"by '{recipe.resize}'. Compress the ccv file (.sqlite3) itself to have its recipe, "
            "or use crops 10.",
            slug="no-ccv-recipe",
        )
