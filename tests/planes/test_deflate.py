"""Our Huffman codes are legal, optimal under their limit, and smaller than zlib's."""

from __future__ import annotations

import random
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.planes.deflate import SEGMENT_BYTES, deflate
from pocketlens.planes.huffman import code_lengths, reversed_codes

PIECES = st.lists(
    st.tuples(st.integers(1, 400), st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**16)),
    min_size=1,
    max_size=6,
)


def zlib_huffman(raw: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return deflater.compress(raw) + deflater.flush()


def normal_bytes(count: int, *, middle: float, spread: float, seed: int = 0) -> bytes:
    draws = np.random.default_rng(seed).normal(middle, spread, count)
    return np.clip(draws.round(), 0, 255).astype(np.uint8).tobytes()


@given(PIECES, st.lists(st.integers(0, 5000), max_size=8))
def test_bytes_survive(pieces: list[tuple[int, int, int, int]], cuts: list[int]) -> None:
    raw = b"".join(
        np.random.default_rng(seed).integers(min(a, b), max(a, b) + 1, count, np.uint8).tobytes()
        for count, a, b, seed in pieces
    )
    packed = deflate(raw, cuts=[cut for cut in cuts if cut < len(raw)])
    assert zlib.decompress(packed) == raw
    assert deflate(raw, cuts=[cut for cut in cuts if cut < len(raw)]) == packed


@pytest.mark.parametrize("count", [1, 2, 700, SEGMENT_BYTES, SEGMENT_BYTES + 1, 200_000])
@pytest.mark.parametrize("spread", [0.0, 0.4, 3.0, 40.0, 1000.0])
def test_never_larger_than_zlibs_huffman_codes(count: int, spread: float) -> None:
    raw = normal_bytes(count, middle=100, spread=spread)
    assert zlib.decompress(deflate(raw)) == raw
    assert len(deflate(raw)) <= len(zlib_huffman(raw))


def test_noise_is_stored_and_grows_by_its_frame_alone() -> None:
    raw = np.random.default_rng(1).integers(0, 256, 100_000, np.uint8).tobytes()
    assert len(raw) < len(deflate(raw)) <= len(raw) + 6 + 5 * 2


def test_a_table_for_what_is_alike_and_its_own_for_what_is_not() -> None:
    """Neighbours that resemble each other share a table; those that differ get one each."""
    low = [normal_bytes(3000, middle=40, spread=6, seed=seed) for seed in range(4)]
    high = [normal_bytes(3000, middle=200, spread=6, seed=seed) for seed in range(4)]
    apart = len(deflate(b"".join(low))) + len(deflate(b"".join(high)))
    edges = [3000 * n for n in range(8)]
    in_order = deflate(b"".join(low + high), cuts=edges)
    assert len(in_order) < apart
    assert len(in_order) < len(deflate(b"".join(low + high))) - 500, "cuts are what shows where"
    alone = sum(len(deflate(part)) for part in low)
    assert len(deflate(b"".join(low), cuts=edges[:4])) < alone - 3 * 30
    assert deflate(b"".join(low), cuts=edges[:4]) == deflate(b"".join(low)), "one table serves all"


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300))
def test_codes_are_complete_and_limited(counts: list[int]) -> None:
    lengths = code_lengths(counts, limit=9)
    used = [bits for bits in lengths if bits]
    assert [bool(bits) for bits in lengths] == [bool(count) for count in counts]
    assert max(lengths) <= 9
    if len(used) > 1:
        assert sum(Fraction(1, 1 << bits) for bits in used) == 1
    pairs = sorted(zip(counts, lengths, strict=True), key=lambda pair: (pair[0], -pair[1]))
    there = [bits for count, bits in pairs if count]
    assert there == sorted(there, reverse=True), "what is more frequent is not longer"


def test_the_limit_costs_nothing_where_it_does_not_bind() -> None:
    dice = random.Random(5)
    for _ in range(200):
        counts = [dice.randint(1, 10 ** dice.randint(1, 5)) for _ in range(dice.randint(2, 40))]
        free = code_lengths(counts, limit=100)
        bound = code_lengths(counts, limit=max(free))
        assert sum(map(int.__mul__, counts, free)) == sum(map(int.__mul__, counts, bound))


def test_a_limit_that_binds_is_optimal() -> None:
    """Weights 1, 1, 2, 4, 8, 16 need 5 bits; under 4 bits the best has cost 68 + 1 by hand."""
    counts = [1, 1, 2, 4, 8, 16]
    assert code_lengths(counts, limit=15) == [5, 5, 4, 3, 2, 1]
    best = min(
        sum(map(int.__mul__, counts, lengths))
        for lengths in np.ndindex(4, 4, 4, 4, 4, 4)
        if sum(Fraction(1, 2 << bits) for bits in lengths) <= 1
        for lengths in [[bits + 1 for bits in lengths]]
    )
    assert sum(map(int.__mul__, counts, code_lengths(counts, limit=4))) == best


def test_canonical_codes_are_those_of_the_specification() -> None:
    """RFC 1951, 3.2.2: lengths (3,3,3,3,3,2,4,4) give 010 011 100 101 110 00 1110 1111."""
    codes = reversed_codes([3, 3, 3, 3, 3, 2, 4, 4])
    told = ["010", "011", "100", "101", "110", "00", "1110", "1111"]
    assert codes == [int(code[::-1], 2) for code in told]
