"""The option --precision of classify and eval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pocketlens.engine.core import PRECISIONS

_Command = TypeVar("_Command", bound=Callable[..., Any])


def precision_option(command: _Command) -> _Command:
    """Add --precision; the command is handed "fp32", "bf16" or None."""
    option = click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="How the core multiplies: bf16 rounds inputs and weights of convolutions to bfloat16 "
        "and needs a processor that can.  [default: fp32]",
    )
    return option(command)
