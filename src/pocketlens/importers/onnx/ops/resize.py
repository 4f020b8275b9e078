"""Resize and Upsample, of the last two axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pocketlens.graph.ops import RESIZE_COORDINATES, RESIZE_MODES, RESIZE_ROUNDING
from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import axis_of, reshape
from pocketlens.importers.onnx.values import Array


@dataclass(frozen=True)
class _Manner:
    """How pixels between pixels are found."""

    mode: str
    coordinates: str
    rounding: str


@lowers("Upsample", inputs=(1, 2))
def upsample(site: Site) -> Array:
    """The older Resize: asymmetric coordinates, rounded down."""
    x = site.array(0)
    scales = site.floats_of("scales") if site.opset < 9 else _scales(site, 1)
    return _resized(site, x, scales or (), None, _Manner(_mode(site), "asymmetric", "floor"))


@lowers("Resize", inputs=(2, 4))
def resize(site: Site) -> Array:
    """Opset 10: x, scales. Since 11: x, roi, scales or sizes."""
    x = site.array(0)
    if site.opset < 11:
        scales = _scales(site, 1)
        manner = _Manner(_mode(site), "asymmetric", _old_rounding(site, scales))
        return _resized(site, x, scales, None, manner)
    for name, plain in (("antialias", 0), ("exclude_outside", 0)):
        if site.int_of(name, plain) != plain:
            raise site.refuse(f"{name} is not supported")
    manner = _Manner(
        _mode(site),
        site.text_of("coordinate_transformation_mode", "half_pixel"),
        site.text_of("nearest_mode", "round_prefer_floor"),
    )
    rank = len(x.shape)
    axes = site.ints_of("axes") or tuple(range(rank))
    axes = tuple(axis_of(site, axis, rank) for axis in axes)
    if site.has(3) and site.constant(3, "sizes").size:
        if site.text_of("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise site.refuse("keep_aspect_ratio_policy is not supported")
        spread = _spread(site, site.whole(3, "sizes"), axes, x.shape)
        sizes = tuple(int(size) for size in spread)
        scales = tuple(new / old for new, old in zip(sizes, x.shape, strict=True))
        return _resized(site, x, scales, sizes, manner)
    scales = _spread(site, _scales(site, 2), axes, (1.0,) * rank)
    return _resized(site, x, scales, None, manner)


def _old_rounding(site: Site, scales: tuple[float, ...]) -> str:
    """Opset 10 did not say which pixel is nearest; onnxruntime's way is what files rely on."""
    smaller, larger = min(scales, default=1.0) < 1.0, max(scales, default=1.0) > 1.0
    if smaller and larger and _mode(site) == "nearest":
        raise site.refuse(f"it shrinks and grows at once, by {scales}, before opset 11")
    return "ceil" if smaller else "floor"


def _mode(site: Site) -> str:
    mode = site.text_of("mode", "nearest")
    return "linear" if mode == "bilinear" else mode


def _scales(site: Site, position: int) -> tuple[float, ...]:
    return tuple(float(value) for value in site.constant(position, "scales").reshape(-1))


def _spread(
    site: Site, values: tuple[float, ...], axes: tuple[int, ...], default: tuple[float, ...]
) -> tuple[float, ...]:
    """One value an axis: `values` for `axes`, `default` for the others."""
    if len(values) != len(axes):
        raise site.refuse(f"{len(values)} scales for {len(axes)} axes", slug="onnx-invalid")
    spread = list(default)
    for axis, value in zip(axes, values, strict=True):
        spread[axis] = value
    return tuple(spread)


def _resized(
    site: Site,
    x: Array,
    scales: tuple[float, ...],
    sizes: tuple[int, ...] | None,
    manner: _Manner,
) -> Array:
    rank = len(x.shape)
    if rank not in (3, 4) or len(scales) != rank or scales[0] != 1 or scales[1] != 1:
        raise site.refuse(f"it resizes an array of shape {x.shape} by {scales}")
    if not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise site.refuse(f"it resizes by {scales}", slug="onnx-invalid")
    size = (sizes or tuple(math.floor(d * s) for d, s in zip(x.shape, scales, strict=True)))[2:]
    if size == x.shape[2:] and all(scale == 1 for scale in scales):
        return x
    _check(site, manner)
    if rank == 3:
        x, size, scales = reshape(site, x, (*x.shape[:2], 1, x.shape[2])), (1, *size), (1, *scales)
    out = site.emit(
        "resize",
        x,
        mode=manner.mode,
        coordinates=manner.coordinates,
        rounding=manner.rounding,
        cubic_a=site.float_of("cubic_coeff_a", -0.75),
        scale_h=float(scales[-2]),
        scale_w=float(scales[-1]),
        size=size,
    )
    return out if rank == 4 else reshape(site, out, (*out.shape[:2], out.shape[3]))


def _check(site: Site, manner: _Manner) -> None:
    for value, known in (
        (manner.mode, RESIZE_MODES),
        (manner.coordinates, RESIZE_COORDINATES),
        (manner.rounding, RESIZE_ROUNDING),
    ):
        if value not in known:
            raise site.refuse(f"it resizes with '{value}'; supported are {', '.join(known)}")
