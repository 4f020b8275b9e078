"""The table: every rate, interval and difference follows from the ledger's raw answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pocketlens.compression.settings import FLOAT_BITS
from pocketlens.evaluation.accuracy import Comparison, compare
from pocketlens.sweep.ledger import Entry, Ledger, Timing
from pocketlens.sweep.points import LeftOut


@dataclass(frozen=True)
class Row:
    """A point beside the float network.

    entry       what was measured
    comparison  with the float network, on the same photos; None if that is not there
    timing      None if it was not timed
    """

    entry: Entry
    comparison: Comparison | None
    timing: Timing | None

    @property
    def is_float(self) -> bool:
        """Whether it is the float network itself."""
        return _is_float(self.entry)


def rows_of(entries: Iterable[Entry], timings: Mapping[str, Timing]) -> tuple[Row, ...]:
    """Rows in the order of the entries, which are of one network and one data set."""
    listed = list(entries)
    reference = next((entry for entry in listed if _is_float(entry)), None)
    return tuple(
        Row(
            entry,
            compare(entry.measurement, reference.measurement) if reference else None,
            timings.get(entry.key),
        )
        for entry in listed
    )


def rows_about(ledger: Ledger, model_sha256: str) -> tuple[Row, ...]:
    """What a ledger knows of a network: of the photos, recipe, engine and version of its last line.

    Largest file first. Empty if it knows nothing.
    """
    known = [entry for entry in ledger.entries.values() if entry.model_sha256 == model_sha256]
    if not known:
        return ()
    together = [entry for entry in known if _measured_with(entry) == _measured_with(known[-1])]
    together.sort(key=lambda entry: (-entry.file_bytes, entry.name))
    return rows_of(together, ledger.timings)


def row_json(row: Row) -> dict[str, Any]:
    """A row as `sweep --json` prints it: rates in percent, sizes in bytes."""
    entry, comparison = row.entry, row.comparison
    measured = entry.measurement
    return {
        "name": entry.name,
        "key": entry.key,
        "lens": entry.lens,
        "lens_sha256": entry.lens_sha256,
        "settings": entry.settings,
        "uncrushed_bytes": entry.uncrushed_bytes,
        "file_bytes": entry.file_bytes,
        "n": measured.n,
        "top1_wrong": measured.top1_wrong,
        "top1_missing": measured.top1_missing,
        "top1_interval": measured.top1_interval,
        "top5_wrong": measured.top5_wrong,
        "top5_missing": measured.top5_missing,
        "top5_interval": measured.top5_interval,
        "difference": comparison.difference if comparison else None,
        "difference_interval": comparison.interval if comparison else None,
        "flips": comparison.flips if comparison else None,
        "p_value": comparison.p_value if comparison else None,
        "milliseconds": row.timing.milliseconds if row.timing else None,
        "memory_bytes": entry.memory,
    }


def left_out_json(rows: Iterable[LeftOut]) -> list[dict[str, str]]:
    """Rows that are not there, with their reasons."""
    return [{"name": row.name, "reason": row.reason} for row in rows]


def _is_float(entry: Entry) -> bool:
    settings = entry.settings
    plain = not settings.get("overrides") and settings.get("palette_size") is None
    return plain and settings.get("bits") == FLOAT_BITS


def _measured_with(entry: Entry) -> tuple[str, ...]:
    photos = entry.measurement.dataset_sha256, entry.order_sha256, entry.recipe_sha256
    return *photos, entry.engine, entry.version
