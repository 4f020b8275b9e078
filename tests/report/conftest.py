"""Pages are made through the command line, with its fixtures."""

from __future__ import annotations

from cli.conftest import lens, model, run

__all__ = ["lens", "model", "run"]
