"""A lens's network, opened for the size of each larger picture as it comes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from pocketlens.base.errors import EngineError
from pocketlens.engine.core import CoreEngine
from pocketlens.graph.graph import Graph
from pocketlens.lensfile.contents import LensContents

MOST_SIZES = 2
"""Sizes of pictures that stay open, for each has its own packed weights: two cover a camera's
upright and wide photos."""


class EnginesBySize:
    """Opens an engine for each size of picture, and keeps the last few."""

    def __init__(
        self,
        contents: Callable[[], LensContents],
        grow: Callable[[Graph, int, int], Graph],
        *,
        threads: int,
        target: str | None,
    ) -> None:
        """Nothing is held before the first picture comes.

        contents  of the lens; called once, then
        grow      the network for a picture of a height and width
        """
        self._read, self._grow, self._threads, self._target = contents, grow, threads, target
        self._contents: LensContents | None = None
        self._engines: OrderedDict[tuple[int, int], CoreEngine] = OrderedDict()
        self._lock = Lock()
        self._closed = False

    def contents(self) -> LensContents:
        """The lens's. Raises EngineError 'engine-closed'."""
        with self._lock:
            return self._opened()

    def scores(self, inputs: bytes, height: int, width: int, *, batch: int = 1) -> bytes:
        """Raw outputs, float32, for `batch` pictures of that size.

        Raises EngineError, and what `grow` raises.
        """
        with self._lock:
            engine = self._engine_for(self._opened(), height, width)
        return engine.scores(inputs, batch)

    def memory(self) -> list[dict[str, int]]:
        """Engine memory of every size that is open."""
        with self._lock:
            return [engine.memory() for engine in self._engines.values()]

    def close(self) -> None:
        """Forget everything. A run that is under way ends as it would have."""
        with self._lock:
            self._closed, self._contents = True, None
            self._engines.clear()

    def _opened(self) -> LensContents:
        if self._closed:
            raise EngineError(
                "The lens was closed, and cannot run any more. Open it again.",
                slug="engine-closed",
            )
        self._contents = self._contents or self._read()
        return self._contents

    def _engine_for(self, contents: LensContents, height: int, width: int) -> CoreEngine:
        size = (height, width)
        engine = self._engines.pop(size, None)
        if engine is None:
            grown = replace(contents, graph=self._grow(contents.graph, height, width))
            if len(self._engines) == MOST_SIZES:
                self._engines.popitem(last=False)
            engine = CoreEngine(grown, threads=self._threads, target=self._target)
        self._engines[size] = engine
        return engine
