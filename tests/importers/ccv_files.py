"""ccv's own fixtures, and networks of its kind written here."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

NAMES = ("micro", "tiny", "tiny-half", "odd", "mobile/mobile", "mobile/mobile-full")


def fixtures(data_folder: Path) -> Path:
    """The folder of the fixtures."""
    folder = data_folder / "ccv" / "fixtures"
    if not folder.is_dir():
        pytest.skip(f"'{data_folder}' has no ccv/fixtures")
    return folder


def malformed(folder: Path) -> list[dict[str, Any]]:
    """The cases of malformed.json: name, sql, what a reader should do."""
    cases: list[dict[str, Any]] = json.loads((folder / "malformed.json").read_text())["cases"]
    return cases


def changed(source: Path, target: Path, *statements: str) -> Path:
    """A copy of a file after SQL statements."""
    shutil.copy(source, target)
    target.chmod(0o644)
    database = sqlite3.connect(target)
    for statement in statements:
        database.executescript(statement)
    database.commit()
    database.close()
    return target
