"""A lens's network on whole photos: answers for every position from one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketlens.classify.engines import Engines
from pocketlens.engine.prepare import prepare
from pocketlens.graph.graph import Graph
from pocketlens.graph.probabilities import with_softmax
from pocketlens.graph.sliding import find_last_map, slide
from pocketlens.images.sliding import sliding_recipe
from pocketlens.lensfile.contents import LensContents

if TYPE_CHECKING:
    from PIL.Image import Image


def slid(graph: Graph, height: int, width: int) -> Graph:
    """The network at every position of a picture, then a softmax. Raises ModelError."""
    return with_softmax(slide(graph, find_last_map(graph), height, width))


def sliding_probabilities(photo: Image, contents: LensContents, engines: Engines) -> bytes:
    """Probabilities, float32: (positions, classes), positions from left to right, then down.

    contents  of the lens; its tensors are not looked at
    Raises ModelError 'cannot-slide', UsageError 'cannot-slide', ImageError, EngineError.
    """
    last = find_last_map(contents.graph)
    recipe = sliding_recipe(photo, contents.recipe, last.step)
    inputs = prepare(photo, recipe)
    return engines.grown_scores(inputs, slid, recipe.height, recipe.width)
