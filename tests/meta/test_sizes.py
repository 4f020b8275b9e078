"""Files and functions stay readable: past the limit, a reason is written here."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTION_LINES = 80
FILE_LINES = 600

LONG_WITH_REASON: dict[str, str] = {}


def sources() -> list[Path]:
    return sorted(
        path for folder in ("src", "core") for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".cc", ".h"}
    )  # fmt: skip


def test_files_hold_one_idea() -> None:
    long = {
        str(path.relative_to(ROOT))
        for path in sources()
        if len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES
    }
    assert long <= set(LONG_WITH_REASON)


def test_functions_fit_a_screen() -> None:
    long = []
    for path in sources():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}: {node.name} has {lines} lines")
    assert not long
