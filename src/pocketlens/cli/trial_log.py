"""Lines about the trials of a budget, as they are made: price, bytes, loss, and how long yet."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click

from pocketlens.compression.budget import Tell, Trial, quiet
from pocketlens.compression.judging import Drop


def trial_log(*, hidden: bool = False) -> Tell:
    """What tells each trial on stderr, with the time that is likely left."""
    if hidden:
        return quiet
    start_s = time.monotonic()
    begun = False

    def tell(trial: Trial[Any], number: int, expected: int) -> None:
        nonlocal begun, start_s
        elapsed_s = time.monotonic() - start_s
        if not begun:  # the first trial comes after calibration, which takes its own time
            begun, start_s = True, time.monotonic()
            left = f"about {expected - 1} more trials" if expected > 1 else ""
        else:
            each_s = elapsed_s / (number - 1)
            left = f"about {each_s * (expected - number):.0f} s more" if expected > number else ""
        click.echo(f"trial {number}: {trial_text(trial)}{f'; {left}' if left else ''}", err=True)

    return tell


def trial_text(trial: Trial[Any]) -> str:
    """'3.2e-07 nats a bit, 20,480 bytes, 0.081 nats foreseen'"""
    text = (
        f"{trial.lagrangian:.3g} nats a bit, {trial.size_bytes:,} bytes, "
        f"{trial.foreseen_nats:.3g} nats foreseen"
    )
    return text if trial.drop is None else f"{text}, {trial.drop.in_words}"


def trial_json(trial: Trial[Any]) -> dict[str, Any]:
    """A trial as plain values."""
    return {
        "lagrangian": trial.lagrangian,
        "bytes": trial.size_bytes,
        "foreseen_nats": trial.foreseen_nats,
        "drop": None if trial.drop is None else drop_json(trial.drop),
    }


def drop_json(drop: Drop) -> dict[str, Any]:
    """A drop as plain values."""
    return {**asdict(drop), "points": drop.points, "interval": drop.interval}
