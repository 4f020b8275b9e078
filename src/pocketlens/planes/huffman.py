"""Huffman codes as deflate wants them: optimal lengths under a limit, canonical, bits reversed.

D. A. Huffman, "A method for the construction of minimum-redundancy codes" (1952), with two queues;
where a code would be too long, package-merge (L. L. Larmore, D. S. Hirschberg, "A fast algorithm
for optimal length-limited Huffman codes", 1990). Whole numbers only, ties by symbol: the same
lengths on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence


def code_lengths(counts: Sequence[int], *, limit: int) -> list[int]:
    """Bits of each symbol's code, 0 where it does not occur; a symbol that is alone gets 1 bit.

    counts  how often each symbol occurs; at most 2^limit of them do
    limit   bits that no code exceeds
    """
    order = sorted((count, symbol) for symbol, count in enumerate(counts) if count)
    lengths = [0] * len(counts)
    if len(order) < 2:
        for _, symbol in order:
            lengths[symbol] = 1
        return lengths
    depths = _depths([count for count, _ in order])
    if max(depths) > limit:
        depths = _package_merge([count for count, _ in order], limit)
    for (_, symbol), depth in zip(order, depths, strict=True):
        lengths[symbol] = depth
    return lengths


def reversed_codes(lengths: Sequence[int]) -> list[int]:
    """The canonical code of each symbol (RFC 1951, 3.2.2), its first bit lowest."""
    longest = max(lengths)
    following = [0] * (longest + 2)
    for bits in range(1, longest + 1):
        following[bits + 1] = (following[bits] + lengths.count(bits)) << 1
    codes = [0] * len(lengths)
    for symbol, bits in enumerate(lengths):
        if bits:
            codes[symbol] = int(f"{following[bits]:0{bits}b}"[::-1], 2)
            following[bits] += 1
    return codes


def _depths(weights: list[int]) -> list[int]:
    """Depth of each leaf of a Huffman tree over ascending weights."""
    leaves = len(weights)
    nodes = weights + [0] * (leaves - 1)
    parents = [0] * len(nodes)
    leaf, inner = 0, leaves
    for new in range(leaves, len(nodes)):
        for _ in range(2):
            if leaf < leaves and (inner >= new or nodes[leaf] <= nodes[inner]):
                child, leaf = leaf, leaf + 1
            else:
                child, inner = inner, inner + 1
            nodes[new] += nodes[child]
            parents[child] = new
    depths = [0] * len(nodes)
    for node in range(len(nodes) - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
    return depths[:leaves]


def _package_merge(weights: list[int], limit: int) -> list[int]:
    """As _depths(), no depth above `limit`."""
    leaves = [(weight, False) for weight in weights]
    rows = [leaves]
    for _ in range(limit - 1):
        below = rows[-1]
        pairs = zip(below[::2], below[1::2], strict=False)
        packages = [(first[0] + second[0], True) for first, second in pairs]
        rows.append(sorted(leaves + packages))
    # Take the cheapest 2n - 2 of the last row: its leaves once more, its packages taken apart.
    depths = [0] * len(weights)
    wanted = 2 * len(weights) - 2
    for row in reversed(rows):
        packages_taken = sum(is_package for _, is_package in row[:wanted])
        for leaf in range(wanted - packages_taken):
            depths[leaf] += 1
        wanted = 2 * packages_taken
    return depths
