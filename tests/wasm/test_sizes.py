"""A page waits for every byte of the core: the modules stay small, as they are and as sent."""

import zlib
from pathlib import Path

import pytest

import pocketlens.engine

MODULES = Path(pocketlens.engine.__file__).parent / "wasm"
MOST_BYTES = 120_000
MOST_GZIP_BYTES = 50_000
MOST_BROTLI_BYTES = 44_000


@pytest.fixture(params=["simd128", "relaxed_simd"])
def module(request):
    file = MODULES / f"{request.param}.wasm"
    if not file.exists():
        pytest.skip("this build is without WebAssembly (POCKETLENS_WASM=OFF)")
    return file.read_bytes()


def test_a_module_is_small(module):
    assert len(module) <= MOST_BYTES


def test_a_module_is_small_as_gzip_sends_it(module):
    assert len(zlib.compress(module, 9)) <= MOST_GZIP_BYTES


def test_a_module_is_small_as_brotli_sends_it(module):
    brotli = pytest.importorskip("brotli", reason="needs the package brotli")
    assert len(brotli.compress(module)) <= MOST_BROTLI_BYTES
