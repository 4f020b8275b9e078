"""`compress --tune`: what is asked of fine-tuning, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pocketlens.tuning.finish import FineTuning
from pocketlens.tuning.tune import Tell, Tuned

Command = TypeVar("Command", bound=Callable[..., Any])


class Passes(click.ParamType):  # type: ignore[type-arg]
    """A number of passes; without one, as many as take some minutes."""

    name = "passes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bool | int:
        """True: some minutes; a number: so many passes."""
        return value if isinstance(value, bool) else click.INT.convert(value, param, ctx)


def tuning_option(command: Command) -> Command:
    """Give a command --tune."""
    option = click.option(
        "--tune",
        type=Passes(),
        is_flag=False,
        flag_value=True,
        default=False,
        metavar="[PASSES]",
        help="Then train palettes and biases on the photos, for some minutes or so many passes; "
        "kept where it helps. Needs torch.",
    )
    return option(command)


def tuning_json(tuning: FineTuning | None) -> dict[str, Any]:
    """What came of it as plain values; empty where it was not asked for."""
    if tuning is None or tuning.tuned is None:
        return {}
    tuned = tuning.tuned
    kl = [nats if math.isfinite(nats) else None for nats in tuned.kl]
    return {"tuning": {"kept": tuned.is_better, "check": tuned.kept, "select_kl": kl,
                       "photos": tuned.photos, "passes": tuned.passes}}  # fmt: skip


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


def tuning_log(*, hidden: bool) -> Tell:
    """Tells every check on stderr."""

    def tell(number: int, kl: float, best: bool) -> None:
        if not hidden:
            what = f"check {number}" if number else "untouched"
            click.echo(f"tuning, {what}: KL {kl:.4f} nats{', the best' if best else ''}", err=True)

    return tell
