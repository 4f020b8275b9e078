"""Bytes to a zlib stream of Huffman codes, with a new table exactly where it pays.

RFC 1950 and 1951. zlib's own Z_HUFFMAN_ONLY begins a block every 32,767 bytes whatever they are,
and each block's table costs some 80 bytes. Here neighbours share a table unless one each is
smaller, counted in exact bits; so large planes have few tables, and small tensors that share a
plane have one together or their own, whichever is less. Whole numbers decide: the same bytes on
every machine.

A code has a bit or more, however frequent its byte: nearly constant bytes are left to zlib and its
matches where those are smaller. Planes of palette indices have no others (benchmarks/planes.py).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from pocketlens.planes.huffman import code_lengths, reversed_codes

SEGMENT_BYTES = 32_768
"""A block may begin at each multiple, beside the places that the caller names."""

MATCHES_BELOW = 1 / 4
"""Of the bytes: where Huffman codes need less, zlib's matches are tried too."""

_END = 256
_MOST_BITS = 15
_MOST_TABLE_BITS = 7
_STORED_BYTES = 65_535
_ZLIB_HEADER = b"\x78\xda"
_TABLE_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_FIXED = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
_FIXED_BLOCK, _DYNAMIC_BLOCK = 1, 2

Counts = NDArray[np.int64]
Field = tuple[int, int]
"""A number and how many bits it takes, lowest bit first."""


def deflate(raw: bytes, *, cuts: Sequence[int] = ()) -> bytes:
    """Compress `raw` (at least 1 byte) to a zlib stream.

    cuts  offsets in `raw` at which what follows may have other statistics
    """
    data = np.frombuffer(raw, np.uint8)
    edges = sorted({0, len(raw), *range(0, len(raw), SEGMENT_BYTES), *cuts})
    segments = [(a, b, np.bincount(data[a:b], minlength=256)) for a, b in pairwise(edges)]
    blocks = _merge(segments)
    body = _Bits()
    for number, (start, end, counts) in enumerate(blocks):
        kind, lengths, header = _cheapest(counts.tolist())
        body.put([(int(number == len(blocks) - 1), 1), (kind, 2), *header])
        codes = reversed_codes(lengths)
        body.put_codes(data[start:end], codes, lengths)
        body.put([(codes[_END], lengths[_END])])
    bodies = [body.finish(), _stored(raw)]
    if len(bodies[0]) < MATCHES_BELOW * len(raw):
        bodies.append(_matched(raw))
    return _ZLIB_HEADER + min(bodies, key=len) + struct.pack(">I", zlib.adler32(raw))


def _merge(segments: list[tuple[int, int, Counts]]) -> list[tuple[int, int, Counts]]:
    """Join neighbours, the pair first that gains most, as long as one table is not dearer."""
    segments = list(segments)
    costs = [_block_bits(counts) for _, _, counts in segments]
    joined = [_block_bits(a[2] + b[2]) for a, b in pairwise(segments)]
    while joined:
        gains = [costs[i] + costs[i + 1] - bits for i, bits in enumerate(joined)]
        at = max(range(len(gains)), key=gains.__getitem__)
        if gains[at] < 0:
            break
        (start, _, first), (_, end, second) = segments[at : at + 2]
        segments[at : at + 2] = [(start, end, first + second)]
        costs[at : at + 2] = [joined.pop(at)]
        for pair in (at - 1, at):
            if 0 <= pair < len(joined):
                joined[pair] = _block_bits(segments[pair][2] + segments[pair + 1][2])
    return segments


def _block_bits(counts: Counts) -> int:
    """Bits of a block of so many of each byte, its table told in the usual way."""
    numbers = counts.tolist()
    lengths = code_lengths([*numbers, 1], limit=_MOST_BITS)
    header = _table(lengths, zeros=True, others=True)
    return 3 + min(_coded_bits(numbers, lengths) + _sum(header), _coded_bits(numbers, _FIXED))


def _cheapest(numbers: list[int]) -> tuple[int, list[int], list[Field]]:
    """Block type, code lengths and table of the cheaper way: a table of its own, or the fixed."""
    lengths = code_lengths([*numbers, 1], limit=_MOST_BITS)
    ways = product((True, False), (True, False))
    header = min((_table(lengths, zeros=a, others=b) for a, b in ways), key=_sum)
    own = _coded_bits(numbers, lengths) + _sum(header)
    if own < _coded_bits(numbers, _FIXED):
        return _DYNAMIC_BLOCK, lengths, header
    return _FIXED_BLOCK, _FIXED, []


def _coded_bits(numbers: list[int], lengths: list[int]) -> int:
    return sum(map(int.__mul__, numbers, lengths)) + lengths[_END]


def _sum(fields: list[Field]) -> int:
    return sum(bits for _, bits in fields)


def _table(lengths: list[int], *, zeros: bool, others: bool) -> list[Field]:
    """The code lengths of a block as deflate writes them, with no distance codes at all.

    zeros, others  whether runs of zeros, runs of others are told as runs
    """
    runs = list(_runs([*lengths, 0], zeros=zeros, others=others))
    counts = [0] * 19
    for symbol, _, _ in runs:
        counts[symbol] += 1
    table_lengths = code_lengths(counts, limit=_MOST_TABLE_BITS)
    codes = reversed_codes(table_lengths)
    told = [table_lengths[symbol] for symbol in _TABLE_ORDER]
    while len(told) > 4 and not told[-1]:
        told.pop()
    fields: list[Field] = [(len(lengths) - 257, 5), (0, 5), (len(told) - 4, 4)]
    fields += [(bits, 3) for bits in told]
    for symbol, extra, extra_bits in runs:
        fields.append((codes[symbol] | extra << table_lengths[symbol],
                       table_lengths[symbol] + extra_bits))  # fmt: skip
    return fields


def _runs(lengths: list[int], *, zeros: bool, others: bool) -> Iterator[tuple[int, int, int]]:
    """Symbols of the code length alphabet (RFC 1951, 3.2.7): symbol, extra number, its bits."""
    at = 0
    while at < len(lengths):
        value, end = lengths[at], at + 1
        while end < len(lengths) and lengths[end] == value:
            end += 1
        count, at = end - at, end
        while zeros and value == 0 and count >= 11:
            part = min(count, 138)
            yield 18, part - 11, 7
            count -= part
        while zeros and value == 0 and count >= 3:
            part = min(count, 10)
            yield 17, part - 3, 3
            count -= part
        if count:
            yield value, 0, 0
            count -= 1
        while others and count >= 3:
            part = min(count, 6)
            yield 16, part - 3, 2
            count -= part
        for _ in range(count):
            yield value, 0, 0


def _stored(raw: bytes) -> bytes:
    """The bytes as they are, in blocks that say so."""
    parts = []
    for start in range(0, len(raw), _STORED_BYTES):
        part = raw[start : start + _STORED_BYTES]
        last = start + _STORED_BYTES >= len(raw)
        parts += [struct.pack("<BHH", last, len(part), len(part) ^ 0xFFFF), part]
    return b"".join(parts)


def _matched(raw: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    return deflater.compress(raw) + deflater.flush()


class _Bits:
    """A stream of bits, lowest first, kept as groups of at most 60 bits."""

    def __init__(self) -> None:
        self.values: list[NDArray[np.uint64]] = []
        self.lengths: list[NDArray[np.int64]] = []

    def put(self, fields: Sequence[Field]) -> None:
        self.values.append(np.array([value for value, _ in fields], np.uint64))
        self.lengths.append(np.array([bits for _, bits in fields], np.int64))

    def put_codes(self, data: NDArray[np.uint8], codes: list[int], lengths: list[int]) -> None:
        """The code of every byte; two at a time, which halves the work of finish()."""
        values = np.array(codes, np.uint64)[data]
        bits = np.array(lengths, np.int64)[data]
        even = len(data) // 2 * 2
        pairs = values[0:even:2] | values[1:even:2] << bits[0:even:2].astype(np.uint64)
        self.values += [pairs, values[even:]]
        self.lengths += [bits[0:even:2] + bits[1:even:2], bits[even:]]

    def finish(self) -> bytes:
        """All bits as bytes: each group is split over the two words of 32 bits that it touches.

        Groups do not overlap, so sums in float64 are exact: a word never carries.
        """
        values, lengths = np.concatenate(self.values), np.concatenate(self.lengths)
        ends = np.cumsum(lengths)
        starts = ends - lengths
        word = starts >> 5
        shifted = values << (starts & 31).astype(np.uint64)
        words = int(ends[-1] >> 5) + 2
        low = np.bincount(word, (shifted & np.uint64(0xFFFFFFFF)).astype(np.float64), words)
        high = np.bincount(word, (shifted >> np.uint64(32)).astype(np.float64), words)
        low[1:] += high[:-1]
        return low.astype("<u4").tobytes()[: int(ends[-1] + 7 >> 3)]
