"""The options by which `inspect` and `report` measure what each layer costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pocketlens.base.errors import UsageError
from pocketlens.base.progress import Progress
from pocketlens.lensfile.contents import LensContents
from pocketlens.report.losses import Losses, foreseen, measured

Command = TypeVar("Command", bound=Callable[..., Any])


def loss_options(command: Command) -> Command:
    """Add --original and --photos."""
    command = click.option(
        "--photos", type=click.Path(path_type=Path), help="Unlabelled photos for that."
    )(command)
    return click.option(
        "--original",
        type=click.Path(path_type=Path),
        help="The ONNX file of LENS: measure what each layer costs the answers.",
    )(command)


def losses_from(
    contents: LensContents, original: Path | None, photos: Path | None, *, progress: Progress
) -> Losses | None:
    """What tensors cost: measured if asked for, else what the lens says, else None."""
    if (original is None) != (photos is None):
        raise UsageError(
            "What each layer costs is measured with both: --original MODEL.onnx --photos FOLDER.",
            slug="original-and-photos",
        )
    if original is None or photos is None:
        return foreseen(contents)
    return measured(contents, original, photos, progress=progress)
