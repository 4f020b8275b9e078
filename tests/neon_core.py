"""The core for 64-bit ARM in QEMU's user mode (core/tests/core_server.cc is the other end).

POCKETLENS_NEON_CORE names the script that runs it, which tools/test_aarch64.py leaves; `make test`
sets it. Where it is not there, NEON_TARGETS is empty and tests say so.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from process_core import ProcessCore

_SCRIPT = os.environ.get("POCKETLENS_NEON_CORE", "")
NEON_TARGETS = ("neon",) if _SCRIPT and Path(_SCRIPT).exists() else ()


@cache
def neon_core(target: str) -> ProcessCore:
    """The process; it lives as long as the tests."""
    assert target == "neon"
    return ProcessCore(str(Path(_SCRIPT).resolve()))
