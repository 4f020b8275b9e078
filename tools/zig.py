"""The Zig compiler of the package ziglang: where it is, and running it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ziglang


def zig_path() -> Path:
    """The compiler itself, for build tools that want one file to run."""
    return Path(ziglang.__file__).parent / "zig"


def zig(*arguments: str) -> None:
    """Compile or link C++; where that fails, say why and exit."""
    _run("c++", *arguments)


def link(*arguments: str) -> None:
    """Link WebAssembly with options that the compiler does not pass on."""
    _run("wasm-ld", *arguments)


def _run(tool: str, *arguments: str) -> None:
    done = subprocess.run(
        [zig_path(), tool, *arguments], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments[-3:])} cannot be compiled:\n{done.stderr}")
