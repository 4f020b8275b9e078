"""The option --crops of classify and eval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pocketlens.images.views import CROPS, SLIDE, Crops

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _read(_: click.Context, __: click.Parameter, text: str) -> Crops:
    return SLIDE if text == SLIDE else int(text)


def crops_option(command: _Command) -> _Command:
    """Add --crops; the command is handed 1, 5, 10 or "slide"."""
    option = click.option(
        "--crops",
        type=click.Choice([*map(str, CROPS), SLIDE]),
        default="1",
        show_default=True,
        callback=_read,
        help="Views averaged: centre; corners and centre; mirrored as well. slide: every position "
        "on the whole photo in one run, where the network is convolutional up to its pooling.",
    )
    return option(command)
