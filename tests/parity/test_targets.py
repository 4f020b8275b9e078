"""Which instruction sets the suite has run on; what POCKETLENS_TARGETS asks for is not left out.

POCKETLENS_TARGETS is names between commas: avx512, avx512_bf16, avx2, sse2, neon, scalar,
wasm_simd128, wasm_relaxed_simd.
"""

from __future__ import annotations

import os

import pytest

from conformance.engines import CORES
from pocketlens.engine.core import targets

HERE = {engine.name.removeprefix("core-") for engine in CORES}
HERE |= {f"{target}_bf16" for target in targets("bf16")}
FORCED = os.environ.get("POCKETLENS_TARGETS", "").replace(",", " ").split()
CURES = {
    "avx512_bf16": "this processor has no AVX-512 with BF16",
    "neon": "this is no 64-bit ARM and POCKETLENS_NEON_CORE names no core in QEMU (`make test` "
    "builds one and sets it)",
    "wasm_simd128": "Node is not installed",
    "wasm_relaxed_simd": "Node is not installed",
}


@pytest.mark.parametrize("target", CURES)
def test_a_target_that_other_machines_have_ran_here_too(target: str) -> None:
    if target not in HERE and target not in FORCED:
        pytest.skip(f"nothing has run on {target}: {CURES[target]}")
    assert target in HERE, CURES[target]


def test_no_forced_target_is_missing() -> None:
    missing = set(FORCED) - HERE
    assert not missing, f"POCKETLENS_TARGETS asks for {missing}; the suite ran on {sorted(HERE)}"
