"""How long work tells that it goes on, without knowing who watches.

A doing takes `progress: Progress = silent` and calls it; the command line hands in a bar.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the name of the stage, how many units are done, and of how many."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note; must be quick and must not raise."""


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody."""
