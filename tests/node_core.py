"""The WebAssembly core under Node (node_core.mjs is the other end).

Modules are looked for in the installed package: pocketlens/engine/wasm/. Where Node is not there,
WASM_TARGETS is empty and tests say so; where Node is and a module is not, they fail.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pocketlens.engine
from process_core import ProcessCore

HERE = Path(__file__).parent
MODULES = Path(pocketlens.engine.__file__).parent / "wasm"
NODE = shutil.which("node")
WASM_TARGETS = ("simd128", "relaxed_simd") if NODE else ()
_RELAXED = "--experimental-wasm-relaxed-simd"


@cache
def node_core(target: str) -> ProcessCore:
    """The process of a target; it lives as long as the tests."""
    assert NODE is not None
    modules = [MODULES / f"kernels_{target}.wasm", MODULES / "body.wasm"]
    for module in modules:
        assert module.exists(), f"{module.name} was not built into the package"
    allowed = subprocess.run([NODE, "--v8-options"], capture_output=True, text=True, check=True)
    flags = [_RELAXED] if _RELAXED in allowed.stdout else []
    return ProcessCore(NODE, *flags, str(HERE / "node_core.mjs"), *map(str, modules))
