"""The option --crops of classify and eval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pocketlens.images.views import CCV5, CCV10, CROPS, SLIDE, WAYS, Crops

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _read(_: click.Context, __: click.Parameter, text: str) -> Crops:
    ways: dict[str, Crops] = {SLIDE: SLIDE, CCV10: CCV10, CCV5: CCV5}
    return ways.get(text) or int(text)


def crops_option(command: _Command) -> _Command:
    """Add --crops; the command is handed 1, 5, 10, "slide", "ccv10" or "ccv5"."""
    option = click.option(
        "--crops",
        type=click.Choice([*map(str, CROPS), *WAYS]),
        default="1",
        show_default=True,
        callback=_read,
        help="Views averaged: centre; corners and centre; mirrored as well. slide: every position "
        "on the whole photo in one run, where the network is convolutional up to its pooling. "
        "ccv10: ten windows as ccv has them, for what came from a ccv file; ccv5: none mirrored.",
    )
    return option(command)
