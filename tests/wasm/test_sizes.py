"""A page waits for every byte of the core: the modules stay small, as they are and as sent.

Each limit is for what one visitor downloads: the body, and the kernels of one instruction set.
"""

import zlib
from pathlib import Path

import pytest

import pocketlens.engine

MODULES = Path(pocketlens.engine.__file__).parent / "wasm"
MOST_BYTES = 138_000
MOST_GZIP_BYTES = 57_500
MOST_BROTLI_BYTES = 50_500


@pytest.fixture(params=["simd128", "relaxed_simd"])
def modules(request):
    files = [MODULES / "body.wasm", MODULES / f"kernels_{request.param}.wasm"]
    if not all(file.exists() for file in files):
        pytest.skip("this build is without WebAssembly (POCKETLENS_WASM=OFF)")
    return [file.read_bytes() for file in files]


def test_the_core_is_small(modules):
    assert sum(map(len, modules)) <= MOST_BYTES


def test_the_core_is_small_as_gzip_sends_it(modules):
    assert sum(len(zlib.compress(module, 9)) for module in modules) <= MOST_GZIP_BYTES


def test_the_core_is_small_as_brotli_sends_it(modules):
    brotli = pytest.importorskip("brotli", reason="needs the package brotli")
    assert sum(len(brotli.compress(module)) for module in modules) <= MOST_BROTLI_BYTES
