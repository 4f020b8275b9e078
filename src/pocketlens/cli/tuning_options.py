"""`compress --tune`: what is asked of fine-tuning, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from pocketlens.base.errors import UsageError
from pocketlens.compression.priced import Price
from pocketlens.tuning.finish import FineTuning
from pocketlens.tuning.settings import TuningSettings
from pocketlens.tuning.tune import Tuned

Command = TypeVar("Command", bound=Callable[..., Any])

PHOTO_LIMIT = 4096
"""Most photos used where fine-tuning is asked for: it makes more of many than calibration does."""


def tuning_option(command: Command) -> Command:
    """Give a command --tune."""
    option = click.option(
        "--tune",
        type=int,
        metavar="PASSES",
        help="Then train palettes and biases on the photos; kept where it helps. Needs torch.",
    )
    return option(command)


def asked_tuning(
    options: dict[str, Any], price: Price | None
) -> tuple[Price | None, FineTuning | None]:
    """The price with as many photos as fine-tuning wants, and the fine-tuning; None: not asked.

    Raises UsageError, MissingExtraError.
    """
    if options["tune"] is None:
        return price, None
    if price is None or price.photos is None:
        raise UsageError(
            "Fine-tuning needs photos and a budget to make the lens by: give --photos and "
            "--max-size, --max-drop or --lagrangian, or leave --tune out.",
            slug="tuning-needs-photos",
        )
    settings = TuningSettings(passes=options["tune"], seed=price.seed, threads=price.threads)
    tuning = FineTuning(settings, tell=_teller(hidden=options["as_json"]))
    return replace(price, photo_limit=PHOTO_LIMIT), tuning


def tuning_json(tuning: FineTuning | None) -> dict[str, Any]:
    """What came of it as plain values; empty where it was not asked for."""
    if tuning is None or tuning.tuned is None:
        return {}
    tuned = tuning.tuned
    kl = [nats if math.isfinite(nats) else None for nats in tuned.kl]
    return {"tuning": {"kept": tuned.is_better, "check": tuned.kept, "select_kl": kl,
                       "photos": tuned.photos}}  # fmt: skip


def tuning_text(tuned: Tuned) -> str:
    """What came of it in a sentence."""
    if not tuned.is_better:
        return (
            f"Fine-tuning on {tuned.photos} photos made no check better than the KL of "
            f"{tuned.kl[0]:.4f} nats that was there: it was dropped."
        )
    return (
        f"Fine-tuned on {tuned.photos} photos: KL {tuned.kl[0]:.4f} to {tuned.kl[tuned.kept]:.4f} "
        f"nats on those that check {tuned.kept} of {len(tuned.kl) - 1} was chosen by."
    )


def _teller(*, hidden: bool) -> Callable[[int, float, bool], None]:
    def tell(number: int, kl: float, best: bool) -> None:
        if not hidden:
            what = f"check {number}" if number else "untouched"
            click.echo(f"tuning, {what}: KL {kl:.4f} nats{', the best' if best else ''}", err=True)

    return tell
