"""Parts of arrays, and parts put together."""

from __future__ import annotations

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import axis_of, concat, reshape, slices, take
from pocketlens.importers.onnx.values import Array

MAX_PIECES = 256
"""Runs of entries that one Gather may be cut into."""


@lowers("Concat", inputs=(1, 1 << 16))
def concat_(site: Site) -> Array:
    """Constants among the parts become tensors."""
    parts = [site.array(position) for position in range(len(site.inputs))]
    return concat(site, parts, axis_of(site, site.int_of("axis", 1), len(parts[0].shape)))


@lowers("Slice", inputs=(1, 5))
def slice_(site: Site) -> Array:
    """Starts and ends as in Python: negative ones count from the end, all are clamped."""
    x = site.array(0)
    starts, ends, axes, steps = _slice_arguments(site)
    begin, sizes, strides = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_of(site, axis, len(x.shape))
        taken = range(x.shape[axis])[slice(start, _open_end(end, step), step)]
        if not taken:
            raise site.refuse(f"it takes nothing of axis {axis}: {start} to {end} by {step}")
        begin[axis], sizes[axis], strides[axis] = taken[0], len(taken), step
        if len(taken) == 1:
            strides[axis] = 1
    return slices(site, x, tuple(begin), tuple(sizes), tuple(strides))


def _slice_arguments(
    site: Site,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Starts, ends, axes, steps: attributes before opset 10, inputs since."""
    if site.opset < 10:
        starts, ends = site.ints_of("starts") or (), site.ints_of("ends") or ()
        axes, steps = site.ints_of("axes"), None
    else:
        starts, ends = site.whole(1, "starts"), site.whole(2, "ends")
        axes = site.whole(3, "axes") if site.has(3) else None
        steps = site.whole(4, "steps") if site.has(4) else None
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise site.refuse("its starts, ends, axes and steps do not fit", slug="onnx-invalid")
    return starts, ends, axes, steps


def _open_end(end: int, step: int) -> int | None:
    """ONNX says "down to the very first entry" with a hugely negative end; Python with None."""
    return None if step < 0 and end < -(2**24) else end


@lowers("Split", inputs=(1, 2))
def split(site: Site) -> list[Array]:
    """Every part is a slice."""
    x = site.array(0)
    axis = axis_of(site, site.int_of("axis", 0), len(x.shape))
    sizes = site.whole(1, "split") if site.has(1) else site.ints_of("split")
    if sizes is None:
        count = len(site.outputs)
        size = -(-x.shape[axis] // max(1, count))
        sizes = (*(size,) * (count - 1), x.shape[axis] - size * (count - 1))
    if sum(sizes) != x.shape[axis] or min(sizes) < 1 or len(sizes) != len(site.outputs):
        raise site.refuse(f"it splits {x.shape[axis]} entries in parts of {sizes}")
    parts, start = [], 0
    for size in sizes:
        parts.append(take(site, x, axis, start, count=size))
        start += size
    return parts


@lowers("Gather", inputs=(2, 2))
def gather(site: Site) -> Array:
    """Constant indices: every run of evenly spaced entries is a slice."""
    x, indices = site.array(0), site.constant(1, "indices")
    axis = axis_of(site, site.int_of("axis", 0), len(x.shape))
    entries = [axis_of(site, int(index), x.shape[axis]) for index in indices.reshape(-1)]
    if not entries:
        raise site.refuse("it takes nothing")
    runs = _runs(entries)
    if len(runs) > MAX_PIECES:
        raise site.refuse(f"its {len(entries)} indices make {len(runs)} pieces")
    parts = [take(site, x, axis, run[0], count=len(run), step=_step(run)) for run in runs]
    whole = concat(site, parts, axis)
    return reshape(site, whole, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _runs(entries: list[int]) -> list[list[int]]:
    """Entries cut into runs with an even step, greedily."""
    runs: list[list[int]] = []
    for entry in entries:
        run = runs[-1] if runs else []
        step = _step(run) if len(run) > 1 else 0
        if run and entry != run[-1] and (len(run) == 1 or entry - run[-1] == step):
            run.append(entry)
        else:
            runs.append([entry])
    return runs


def _step(run: list[int]) -> int:
    return run[1] - run[0] if len(run) > 1 else 1
