"""Fill what is left of a size: of two trials at near prices, the one that fits takes layers of the
other, those first that gain most for a byte.

The two prices are so near that a layer of one among layers of the other is as good as at a price
between them. A layer goes with its bias, which corrects for it; planes are gathered anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pocketlens.compression.budget import Trial
from pocketlens.compression.gather import gather
from pocketlens.graph.shapes import weight_names
from pocketlens.lensfile.contents import LensContents, TensorRecord

MOST_FILES = 40
"""Files written to see how large they are."""

_AFFINE_BYTES = 8


@dataclass(frozen=True)
class _Swap:
    """Tensors that go together.

    names        of them
    extra_bytes  that the finer ones take more
    gain_nats    that they lose less
    """

    names: tuple[str, ...]
    extra_bytes: int
    gain_nats: float

    @property
    def worth(self) -> float:
        """Order of taking: nats a byte; first those that save bytes."""
        if self.extra_bytes > 0:
            return self.gain_nats / self.extra_bytes
        return float("inf") if self.gain_nats >= 0 else float("-inf")


def blend(
    below: Trial[LensContents],
    above: Trial[LensContents],
    size_bytes: int,
    *,
    file_bytes: Callable[[LensContents], int],
    crush: int | None = None,
) -> Trial[LensContents] | None:
    """A file of at most `size_bytes`, larger than `below`, with layers of `above`; None: there is
    none.

    file_bytes  size of the finished file
    crush       of planes that are gathered anew, as encode_plane() takes it
    """
    coarse, fine = _records(below), _records(above)
    if below.result.graph != above.result.graph or coarse.keys() != fine.keys():
        return None
    swaps = sorted(_swaps(below, above, coarse, fine), key=lambda swap: -swap.worth)
    taken: list[_Swap] = []
    size = below.size_bytes
    files = 0
    for swap in swaps:
        # The other's bytes are known but for pages; what is far too much needs no file.
        if files == MOST_FILES or size + swap.extra_bytes > size_bytes + 1024:
            continue
        files += 1
        tried = file_bytes(_with(below.result, fine, [*taken, swap], crush))
        if tried <= size_bytes:
            taken.append(swap)
            size = tried
    if not taken or size <= below.size_bytes:
        return None
    chosen = {name for swap in taken for name in swap.names}
    losses = {
        name: (above if name in chosen else below).losses.get(name, 0.0)
        for name in (*below.losses, *(above.losses.keys() - below.losses.keys()))
    }
    return replace(
        below,
        size_bytes=size,
        result=_with(below.result, fine, taken, crush),
        foreseen_nats=sum(losses.values()),
        drop=None,
        losses=losses,
    )


def _records(trial: Trial[LensContents]) -> dict[str, TensorRecord]:
    return {record.name: record for record in trial.result.tensors}


def _with(
    contents: LensContents,
    others: Mapping[str, TensorRecord],
    swaps: Sequence[_Swap],
    crush: int | None,
) -> LensContents:
    chosen = {name for swap in swaps for name in swap.names}
    tensors = tuple(
        others[record.name] if record.name in chosen else record for record in contents.tensors
    )
    weights = weight_names(contents.graph)
    return replace(contents, tensors=gather(tensors, weights=weights, crush=crush))


def _swaps(
    below: Trial[LensContents],
    above: Trial[LensContents],
    coarse: Mapping[str, TensorRecord],
    fine: Mapping[str, TensorRecord],
) -> list[_Swap]:
    """Tensors that differ, in groups that go together, in the graph's order."""
    groups: dict[str, set[str]] = {name: {name} for name in coarse}

    def join(one: str, other: str) -> None:
        joined = groups[one] | groups[other]
        for name in joined:
            groups[name] = joined

    for node in below.result.graph.nodes:
        own = [name for name in node.inputs if name in groups]
        for name in own[1:]:
            join(own[0], name)
    seen: set[str] = set()
    swaps = []
    for name in coarse:
        if name in seen:
            continue
        names = tuple(other for other in coarse if other in groups[name])
        seen.update(names)
        if any(coarse[other] != fine[other] for other in names):
            extra = _bytes(names, fine) - _bytes(names, coarse)
            gain = sum(below.losses.get(one, 0.0) - above.losses.get(one, 0.0) for one in names)
            swaps.append(_Swap(names, extra, gain))
    return swaps


def _bytes(names: Sequence[str], records: Mapping[str, TensorRecord]) -> int:
    """Of planes, palettes and values; of a shared plane, what each tensor has of its pixels."""
    return round(sum(_own_bytes(records[name]) for name in names))


def _own_bytes(record: TensorRecord) -> float:
    palettes = len(record.palettes) if record.affine is None else _AFFINE_BYTES
    bytes_ = float(palettes + len(record.values))
    if record.mask is not None:
        bytes_ += record.mask.png_bytes
    if record.plane is None:
        return bytes_
    pixels = record.plane.rows * record.plane.width
    part = 1.0 if record.mask is not None else min(1.0, math.prod(record.shape) / pixels)
    return bytes_ + part * record.plane.png_bytes
