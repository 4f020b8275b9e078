"""Pad: constant, reflect, edge; negative pads crop."""

from __future__ import annotations

import math

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import axis_of, slices
from pocketlens.importers.onnx.values import Array


@lowers("Pad", inputs=(1, 4))
def pad(site: Site) -> Array:
    """Crop where pads are negative, then pad."""
    x, mode = site.array(0), site.text_of("mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise site.refuse(f"it pads with mode '{mode}'")
    before, after = _pads(site, x)
    x = _crop(site, x, before, after)
    before = tuple(max(0, count) for count in before)
    after = tuple(max(0, count) for count in after)
    if not any((*before, *after)):
        return x
    return site.emit("pad", x, mode=mode, value=_value(site), before=before, after=after)


def _pads(site: Site, x: Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Pads before and after, one an axis; attributes before opset 11, inputs since."""
    rank = len(x.shape)
    pads = site.ints_of("pads") or () if site.opset < 11 else site.whole(1, "pads")
    axes = site.whole(3, "axes") if site.has(3) else tuple(range(rank))
    if len(pads) != 2 * len(axes):
        raise site.refuse(f"{len(pads)} pads for {len(axes)} axes", slug="onnx-invalid")
    before, after = [0] * rank, [0] * rank
    for position, axis in enumerate(axes):
        axis = axis_of(site, axis, rank)
        before[axis], after[axis] = pads[position], pads[len(axes) + position]
    return tuple(before), tuple(after)


def _crop(site: Site, x: Array, before: tuple[int, ...], after: tuple[int, ...]) -> Array:
    starts = tuple(max(0, -count) for count in before)
    sizes = tuple(
        dim - start - max(0, -count)
        for dim, start, count in zip(x.shape, starts, after, strict=True)
    )
    return slices(site, x, starts, sizes, (1,) * len(sizes))


def _value(site: Site) -> float:
    if site.opset < 11:
        return site.float_of("value", 0.0)
    if not site.has(2):
        return 0.0
    values = site.constant(2, "padding value")
    if values.size != 1 or not math.isfinite(float(values.reshape(-1)[0])):
        raise site.refuse("its padding value is not one finite number")
    return float(values.reshape(-1)[0])
