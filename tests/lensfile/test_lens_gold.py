"""The format as a golden SQL dump: a change of the format cannot slip by.

After a change that is meant, look at the difference and accept it with

    PYTHONPATH=src:tests python tests/lensfile/test_lens_gold.py

docs/format/lens.md shows the same file; `make docs` brings it up to date.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from pathlib import Path

from lens_samples import small_lens
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.writer import write_lens

GOLD = Path(__file__).parents[1] / "gold" / "small_lens.sql"
CONTENTS = small_lens(channels=1, side=2, middle=2, classes=3)


def dump(folder: Path) -> str:
    """The small lens as SQL."""
    path = folder / "small.lens"
    write_lens(path, CONTENTS)
    with contextlib.closing(sqlite3.connect(path)) as database:
        pragmas = [
            f"PRAGMA {name} = {database.execute(f'PRAGMA {name}').fetchone()[0]};"
            for name in ("application_id", "user_version")
        ]
        return "\n".join([*pragmas, *database.iterdump()]) + "\n"


def test_dump_is_the_golden_one(tmp_path: Path) -> None:
    assert dump(tmp_path) == GOLD.read_text(encoding="utf-8")


def test_golden_dump_makes_a_lens(tmp_path: Path) -> None:
    """Any SQLite can make a lens: the SQL is the format, not the page layout."""
    path = tmp_path / "from_sql.lens"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(GOLD.read_text(encoding="utf-8"))
    assert read_lens(path) == CONTENTS


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        GOLD.write_text(dump(Path(scratch)), encoding="utf-8")
