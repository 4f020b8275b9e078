"""The pictures of a lens, each once: which tensors read a plane, in the order of its pixels.

Records that share a plane hold equal ones. Equal planes of which the same pixel is claimed twice
are two pictures that happen to be alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pocketlens.lensfile.contents import Plane, TensorRecord


@dataclass(frozen=True)
class PlaneUse:
    """A plane, or a mask, and its readers.

    plane    the picture
    readers  numbers of the tensors that read it, in the order of their first pixels
    is_mask  whether it is a mask; it has one reader then
    """

    plane: Plane
    readers: tuple[int, ...]
    is_mask: bool


def plane_uses(tensors: Sequence[TensorRecord]) -> tuple[PlaneUse, ...]:
    """Every picture of a lens, in the order of the first tensor that reads it, masks first."""
    found: dict[tuple[Plane, bool, int], list[int]] = {}
    claims: Counter[tuple[Plane, bool, int]] = Counter()
    for number, tensor in enumerate(tensors):
        for plane, is_mask in ((tensor.mask, True), (tensor.plane, False)):
            if plane is None:
                continue
            claim = (plane, is_mask, tensor.first_pixel)
            found.setdefault((plane, is_mask, claims[claim]), []).append(number)
            claims[claim] += 1
    return tuple(
        PlaneUse(plane, _in_order(tensors, readers), is_mask)
        for (plane, is_mask, _), readers in found.items()
    )


def _in_order(tensors: Sequence[TensorRecord], readers: list[int]) -> tuple[int, ...]:
    return tuple(sorted(readers, key=lambda number: (tensors[number].first_pixel, number)))
