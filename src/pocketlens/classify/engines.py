"""The engines of a lens: its network, and the same for larger pictures, on the same weights.

All share what is packed, so one more costs its activations only. They are opened as they are
needed; the last few stay open.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from pocketlens.base.errors import EngineError
from pocketlens.engine.core import CoreEngine
from pocketlens.graph.graph import Graph
from pocketlens.lensfile.contents import LensContents

Grow = Callable[[Graph, int, int], Graph]
"""The network for a picture of a height and width, however larger."""

_Key = tuple[Grow, int, int] | None

MOST_ENGINES = 2
"""That have run and stay open: two cover a camera's upright and wide photos."""


class Engines:
    """One engine or more, at least one of which is open until all are closed."""

    def __init__(
        self,
        contents: LensContents,
        read: Callable[[], LensContents],
        *,
        threads: int,
        target: str | None,
        precision: str | None,
    ) -> None:
        """Open the network as it is. Raises what CoreEngine does.

        read  gives the contents once more, whenever another engine is to be opened
        """
        first = CoreEngine(contents, threads=threads, target=target, precision=precision)
        self.target, self.precision = first.target, first.precision
        self._read, self._threads = read, threads
        self._open: OrderedDict[_Key, CoreEngine] = OrderedDict({None: first})
        self._have_run: set[_Key] = set()
        self._lock = Lock()

    def scores(self, inputs: bytes, *, batch: int) -> bytes:
        """Raw outputs of the network itself. Raises EngineError."""
        return self._engine(None).scores(inputs, batch)

    def grown_scores(
        self, inputs: bytes, grow: Grow, height: int, width: int, *, batch: int = 1
    ) -> bytes:
        """Raw outputs for pictures of height x width. Raises EngineError and what `grow` does."""
        return self._engine((grow, height, width)).scores(inputs, batch)

    def memory(self) -> dict[str, int]:
        """Engine memory in bytes, of all that are open: see CoreEngine.memory()."""
        with self._lock:
            parts = [engine.memory() for engine in self._opened().values()]
        total = {name: sum(part[name] for part in parts) for name in ("arena", "scratch")}
        shared = parts[0]["shared"]
        weights = shared + sum(part["weights"] - part["shared"] for part in parts)
        return {"weights": weights, "packed": parts[0]["packed"], **total}

    def close(self) -> None:
        """Forget everything. A run that is under way ends as it would have."""
        with self._lock:
            self._open.clear()

    def _opened(self) -> OrderedDict[_Key, CoreEngine]:
        if not self._open:
            raise EngineError(
                "The lens was closed, and cannot run any more. Open it again.",
                slug="engine-closed",
            )
        return self._open

    def _engine(self, key: _Key) -> CoreEngine:
        with self._lock:
            engine = self._opened().pop(key, None) or self._opened_beside(key)
            self._open[key] = engine
            self._have_run.add(key)
        return engine

    def _opened_beside(self, key: _Key) -> CoreEngine:
        contents = self._read()
        if key is not None:
            grow, height, width = key
            contents = replace(contents, graph=grow(contents.graph, height, width))
        beside = next(iter(self._open.values()))
        engine = CoreEngine(contents, threads=self._threads, beside=beside)
        idle = [other for other in self._open if other not in self._have_run]
        for other in idle or list(self._open)[: 1 - MOST_ENGINES]:
            del self._open[other]
            self._have_run.discard(other)
        return engine
