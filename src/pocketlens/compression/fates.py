"""The fate of every tensor: palette, half precision or float, and why, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.progress import Progress, silent
from pocketlens.compression.gather import gather
from pocketlens.compression.half import diffused_half, nearest_half
from pocketlens.compression.overrides import Override, check_overrides, chosen_override
from pocketlens.compression.settings import FLOAT_BITS, HALF_BITS, Settings
from pocketlens.graph.graph import Graph
from pocketlens.graph.shapes import weight_names
from pocketlens.importers.imported import GivenPalette
from pocketlens.importers.records import kept_record
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.palettes.palette import distinct_values, fit_grouped
from pocketlens.planes.best import encode_best
from pocketlens.planes.plane import index_bits_for

HALF_MAX = 65504.0
HALF_ERROR = 1e-6
"""Relative squared error above which half precision is refused (its rounding gives about 1e-8)."""

FEW_COLUMNS = 32
"""Asked for 16 bits, weights with so few an output (depthwise filters, stems) stay in float: what
half precision loses of them shows in the answers, and there are not many."""


@dataclass(frozen=True)
class Fate:
    """What happens to a tensor, and why.

    preferred  it could be half as well, and is where that is asked for by name
    """

    kind: str
    reason: str
    preferred: bool = False


BIAS_IN_FLOAT = Fate("float", "bias or constant", preferred=True)


def choose_fate(values: NDArray[np.float32], *, is_weight: bool, settings: Settings) -> Fate:
    """Decide a tensor's fate from its values, its role and what was asked.

    values     float32, any shape
    is_weight  whether it is the weights of a conv2d or a linear, which alone may be indices
    """
    if settings.bits == FLOAT_BITS and not settings.makes_palettes:
        return Fate("float", "32 bits asked for")
    largest = float(np.abs(values).max(initial=0.0))
    if largest > HALF_MAX:
        return Fate("float", f"its largest value, {largest:.4g}, does not fit half precision")
    if _half_error(values) > HALF_ERROR:
        return Fate("float", "its values are too small for half precision")
    if not settings.makes_palettes:
        if not is_weight:
            return BIAS_IN_FLOAT
        columns = values.size // len(values)
        if columns <= FEW_COLUMNS:
            reason = f"{columns} weights an output: rounding would not average out"
            return Fate("float", reason, preferred=True)
        return Fate("half", "16 bits asked for")
    if not is_weight:
        return Fate("half", "bias or constant")
    return _palette_or_half(values, settings)


def _asked_for(fate: Fate, override: Override, *, settings: Settings) -> Fate:
    """The fate of a tensor that was asked for by name: the reason says so."""
    if fate.preferred and settings.bits == HALF_BITS:
        fate = Fate("half", "16 bits asked for")
    return replace(fate, reason=f"{fate.reason} (asked for '{override.pattern}')")


def _palette_or_half(values: NDArray[np.float32], settings: Settings) -> Fate:
    rows = values.shape[0]
    group_rows = min(settings.group_rows or rows, rows)
    levels = min(settings.levels, len(distinct_values(values)))
    palette_bytes = -(-rows // group_rows) * levels * 2
    index_bytes = values.size * index_bits_for(levels) / 8
    if values.size > 1 and palette_bytes + index_bytes > values.size * 2:
        return Fate("half", f"indices and palettes of {levels} values would be larger")
    return Fate("palette", f"{settings.levels} values for each {_group_words(group_rows, rows)}")


def _group_words(group_rows: int, rows: int) -> str:
    return "tensor" if group_rows == rows else f"group of {group_rows} outputs"


def _half_error(values: NDArray[np.float32]) -> float:
    with np.errstate(over="ignore"):
        return relative_error(values, values.astype(np.float16).astype(np.float32))


def relative_error(original: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Sum of squared differences over sum of squares; 0 where all values are 0."""
    power = float(np.square(original, dtype=np.float64).sum())
    if power == 0.0:
        return 0.0
    return float(np.square(original - stored, dtype=np.float64).sum()) / power


def store_tensor(
    name: str,
    values: NDArray[np.float32],
    *,
    fate: Fate,
    is_weight: bool,
    settings: Settings,
    progress: Progress = silent,
) -> TensorRecord:
    """Carry a fate out: make the record that the lens holds.

    values     float32, any shape, first axis counts outputs
    is_weight  whether it is the weights of a conv2d or a linear
    """
    if fate.kind == "float":
        data = np.ascontiguousarray(values, dtype="<f4").tobytes()
        return TensorRecord(name, values.shape, "float", fate.reason, values=data)
    if fate.kind == "half":
        half = diffused_half(values) if is_weight else nearest_half(values)
        error = relative_error(values, half.astype(np.float32))
        return TensorRecord(
            name, values.shape, "half", fate.reason, values=half.tobytes(), error=error
        )
    return _store_palette(name, values, fate=fate, settings=settings, progress=progress)


def _store_palette(
    name: str,
    values: NDArray[np.float32],
    *,
    fate: Fate,
    settings: Settings,
    progress: Progress,
) -> TensorRecord:
    rows = values.shape[0]
    group_rows = min(settings.group_rows or rows, rows)
    fit = fit_grouped(values, settings.levels, group_rows=group_rows)
    size = fit.palettes.shape[1]
    reason = fate.reason
    if size < settings.levels:
        reason = f"only {size} distinct values: stored exactly in half precision"
    best = encode_best(fit.indices, palette_size=size, crush=settings.crush, progress=progress)
    return TensorRecord(
        name,
        values.shape,
        "palette",
        reason,
        palette_size=size,
        group_rows=group_rows,
        palettes=np.ascontiguousarray(fit.palettes, dtype="<f2").tobytes(),
        plane=best.plane,
        error=fit.error,
        mask=best.mask,
        common=best.common,
    )


def store_tensors(
    graph: Graph,
    tensors: Mapping[str, NDArray[np.float32]],
    *,
    settings: Settings,
    palettes: Mapping[str, GivenPalette] | None = None,
    halves: Collection[str] = (),
    progress: Progress = silent,
) -> tuple[TensorRecord, ...]:
    """Give every tensor of a graph its fate and its record, in the graph's order.

    palettes  by tensor, of those that are palette and indices already: they stay what they are,
              whatever the settings ask of all, unless an override means them
    halves    names of those that were in half precision already: they are made no larger
              unless an override means them
    Small planes are gathered into shared ones.
    """
    given = palettes or {}
    weights = weight_names(graph)
    names = graph.tensor_names()
    check_overrides(settings.overrides, tensors=names, weights=weights)
    total = sum(tensors[name].size for name in names)
    done = 0
    records = []
    for name in names:
        progress("palettes and planes", done, total)
        values = tensors[name]
        done += values.size
        is_weight = name in weights
        override = chosen_override(settings.overrides, name, is_weight=is_weight)
        if name in given and override is None:
            records.append(kept_record(name, given[name], crush=settings.crush))
            continue
        own = settings.for_tensor(name, is_weight=is_weight)
        fate = choose_fate(values, is_weight=is_weight, settings=own)
        if override is None and name in halves and not own.makes_palettes:
            fate = Fate("half", "half precision in the model, kept")
        if override is not None:
            fate = _asked_for(fate, override, settings=own)
        records.append(store_tensor(name, values, fate=fate, is_weight=is_weight, settings=own))
    progress("palettes and planes", done, total)
    return gather(records, weights=weights, crush=settings.crush)
