"""The WebAssembly core under Node, as an engine beside the others (node_core.mjs is its other end).

A module is looked for in the installed package: pocketlens/engine/wasm/NAME.wasm. Where Node is
not there, WASM_TARGETS is empty and tests say so; where Node is and the module is not, they fail.
"""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import pocketlens.engine
from pocketlens.engine import _core
from pocketlens.engine.constants import plain_constants
from pocketlens.engine.core import CoreEngine, feed_planes
from pocketlens.engine.plan import build_plan
from pocketlens.lensfile.contents import LensContents

HERE = Path(__file__).parent
MODULES = Path(pocketlens.engine.__file__).parent / "wasm"
NODE = shutil.which("node")
WASM_TARGETS = ("simd128", "relaxed_simd") if NODE else ()
_RELAXED = "--experimental-wasm-relaxed-simd"


class NodeCore:
    """One Node process with one module; what it refuses is an AssertionError with the status."""

    def __init__(self, target: str) -> None:
        assert NODE is not None
        module = MODULES / f"{target}.wasm"
        assert module.exists(), f"{module.name} was not built into the package"
        allowed = subprocess.run([NODE, "--v8-options"], capture_output=True, text=True, check=True)
        flags = [_RELAXED] if _RELAXED in allowed.stdout else []
        self._process = subprocess.Popen(
            [NODE, *flags, str(HERE / "node_core.mjs"), str(module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        atexit.register(self.close)

    def ask(
        self, name: str, arrays: Sequence[bytes] = (), **fields: Any
    ) -> tuple[dict[str, Any], list[bytes]]:
        """A request and its answer: what it says, and the bytes of its arrays."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        line = json.dumps({"name": name, "arrays": [len(array) for array in arrays], **fields})
        pipe_in.write(line.encode() + b"\n" + b"".join(arrays))
        pipe_in.flush()
        answer = json.loads(pipe_out.readline())
        return answer, [pipe_out.read(size) for size in answer["arrays"]]

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class WasmLens:
    """One open lens of a NodeCore, with as much of _core.Core as CoreEngine needs."""

    def __init__(self, core: NodeCore, plan: bytes, outputs: int) -> None:
        self._core = core
        answer, _ = core.ask("open", [plan])
        self._lens = answer["lens"]
        assert self._lens, answer["status"]
        sizes, _ = core.ask("sizes", lens=self._lens, inputs=0, outputs=outputs)
        self._output_floats = sizes["outputs"]
        self.target = core.ask("target")[0]["target"]

    def feed(self, plane: int, band: int, rows: bytearray) -> None:
        answer, _ = self._core.ask("feed", [bytes(rows)], lens=self._lens, plane=plane, band=band)
        assert answer["status"][0] == 0, answer["status"]

    def run(self, inputs: Sequence[Any], batch: int) -> list[bytearray]:
        answer, results = self._core.ask(
            "run",
            [bytes(data) for data in inputs],
            lens=self._lens,
            batch=batch,
            outputs=[4 * batch * floats for floats in self._output_floats],
        )
        assert answer["status"][0] == 0, answer["status"]
        return [bytearray(data) for data in results]

    def close(self) -> None:
        self._core.ask("close", lens=self._lens)


class WasmEngine(CoreEngine):
    """CoreEngine with the WebAssembly core."""

    def __init__(self, contents: LensContents, *, target: str) -> None:
        self.graph = contents.graph
        self._plan = build_plan(plain_constants(contents))
        lens = WasmLens(node_core(target), self._plan.data, len(self.graph.outputs))
        assert lens.target == target
        self._core, self._target = cast(_core.Core, lens), target
        feed_planes(self._core, self._plan)

    def close(self) -> None:
        if self._core is not None:
            cast(WasmLens, self._core).close()
        super().close()


@cache
def node_core(target: str) -> NodeCore:
    """The process of a target; it lives as long as the tests."""
    return NodeCore(target)
