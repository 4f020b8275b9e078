"""A lens's network, opened for whole photos: scores for every position from one run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from pocketlens.base.errors import EngineError
from pocketlens.engine.core import CoreEngine
from pocketlens.engine.prepare import prepare
from pocketlens.graph.sliding import find_last_map, slide
from pocketlens.images.sliding import sliding_recipe
from pocketlens.lensfile.contents import LensContents

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_SIZES = 2
"""Sizes of pictures that stay open, for each has its own packed weights: two cover a camera's
upright and wide photos."""


class Sliding:
    """Opens the network for each size of picture as it comes, and keeps the last few."""

    def __init__(
        self, contents: Callable[[], LensContents], *, threads: int, target: str | None
    ) -> None:
        """`contents` is called when the first photo comes; nothing is held before."""
        self._read, self._threads, self._target = contents, threads, target
        self._contents: LensContents | None = None
        self._engines: OrderedDict[tuple[int, int], CoreEngine] = OrderedDict()
        self._lock = Lock()
        self._closed = False

    def scores(self, photo: Image) -> bytes:
        """Raw outputs, float32: (positions, classes), positions from left to right, then down.

        Raises ModelError 'cannot-slide', UsageError 'cannot-slide', ImageError, EngineError.
        """
        with self._lock:
            if self._closed:
                raise EngineError(
                    "The lens was closed, and cannot run any more. Open it again.",
                    slug="engine-closed",
                )
            contents = self._contents = self._contents or self._read()
        last = find_last_map(contents.graph)
        recipe = sliding_recipe(photo, contents.recipe, last.step)
        with self._lock:
            engine = self._engine_for(contents, recipe.height, recipe.width)
        return engine.scores(prepare(photo, recipe), 1)

    def memory(self) -> list[dict[str, int]]:
        """Engine memory of every size that is open."""
        with self._lock:
            return [engine.memory() for engine in self._engines.values()]

    def close(self) -> None:
        """Forget everything. A run that is under way ends as it would have."""
        with self._lock:
            self._closed, self._contents = True, None
            self._engines.clear()

    def _engine_for(self, contents: LensContents, height: int, width: int) -> CoreEngine:
        size = (height, width)
        engine = self._engines.pop(size, None)
        if engine is None:
            graph = slide(contents.graph, find_last_map(contents.graph), height, width)
            if len(self._engines) == MOST_SIZES:
                self._engines.popitem(last=False)
            grown = replace(contents, graph=graph)
            engine = CoreEngine(grown, threads=self._threads, target=self._target)
        self._engines[size] = engine
        return engine
