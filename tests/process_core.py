"""A core in a process of its own, as an engine beside the others: in Node, in an emulator.

The other end is node_core.mjs or core/tests/core_server.cc, which says what the requests are.
"""

from __future__ import annotations

import atexit
import subprocess
from collections.abc import Sequence
from typing import Any, cast

from pocketlens.engine import _core
from pocketlens.engine.constants import plain_constants
from pocketlens.engine.core import CoreEngine, feed_planes
from pocketlens.engine.plan import build_plan
from pocketlens.lensfile.contents import LensContents


class ProcessCore:
    """One process with one target; what it refuses is an AssertionError with the status."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self.close)

    def ask(
        self, name: str, *numbers: int, arrays: Sequence[bytes] = ()
    ) -> tuple[list[int], list[bytes]]:
        """A request and its answer: its numbers, and the bytes of its arrays."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        sizes = (len(array) for array in arrays)
        line = " ".join(map(str, (name, *numbers, ";", *sizes)))
        pipe_in.write(line.encode() + b"\n" + b"".join(arrays))
        pipe_in.flush()
        answer, lengths = pipe_out.readline().decode().split(";")
        arrays_back = [pipe_out.read(int(length)) for length in lengths.split()]
        return [int(number) for number in answer.split()], arrays_back

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class ProcessLens:
    """One open lens of a ProcessCore, with as much of _core.Core as CoreEngine needs."""

    def __init__(self, core: ProcessCore, plan: bytes) -> None:
        self._core = core
        (self._lens, *status), _ = core.ask("open", arrays=[plan])
        assert status[0] == 0, status
        self.target = core.ask("target")[1][0].decode()

    def feed(self, plane: int, band: int, rows: bytearray) -> None:
        status, _ = self._core.ask("feed", self._lens, plane, band, arrays=[bytes(rows)])
        assert status[0] == 0, status

    def run(self, inputs: Sequence[Any], batch: int) -> list[bytearray]:
        given = [bytes(data) for data in inputs]
        status, results = self._core.ask("run", self._lens, batch, arrays=given)
        assert status[0] == 0, status
        return [bytearray(data) for data in results]

    def close(self) -> None:
        self._core.ask("close", self._lens)


class ProcessEngine(CoreEngine):
    """CoreEngine with a core in another process."""

    def __init__(self, contents: LensContents, core: ProcessCore, *, target: str) -> None:
        self.graph = contents.graph
        self._plan = build_plan(plain_constants(contents))
        lens = ProcessLens(core, self._plan.data)
        assert lens.target == target
        self._core, self._target = cast(_core.Core, lens), target
        feed_planes(self._core, self._plan)

    def close(self) -> None:
        if self._core is not None:
            cast(ProcessLens, self._core).close()
        super().close()
