"""A lens's network on whole photos: scores for every position from one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketlens.classify.by_size import EnginesBySize
from pocketlens.engine.prepare import prepare
from pocketlens.graph.graph import Graph
from pocketlens.graph.sliding import find_last_map, slide
from pocketlens.images.sliding import sliding_recipe

if TYPE_CHECKING:
    from PIL.Image import Image


def slid(graph: Graph, height: int, width: int) -> Graph:
    """The network at every position of a picture. Raises ModelError 'cannot-slide'."""
    return slide(graph, find_last_map(graph), height, width)


def sliding_scores(photo: Image, engines: EnginesBySize) -> bytes:
    """Raw outputs, float32: (positions, classes), positions from left to right, then down.

    engines  whose networks are `slid`
    Raises ModelError 'cannot-slide', UsageError 'cannot-slide', ImageError, EngineError.
    """
    contents = engines.contents()
    last = find_last_map(contents.graph)
    recipe = sliding_recipe(photo, contents.recipe, last.step)
    return engines.scores(prepare(photo, recipe), recipe.height, recipe.width)
