"""What the docs show of the code is what the code says."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import sqlite3
import struct
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("paste", ROOT / "tools" / "paste.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_docs_are_up_to_date(tool: ModuleType) -> None:
    stale = [path for path, text in tool.pasted_files() if path.read_text("utf-8") != text]
    assert stale == [], "run `make docs`"


def test_the_formats_are_pasted(tool: ModuleType) -> None:
    texts = {path.name: text for path, text in tool.pasted_files()}
    assert "CREATE TABLE labels" in texts["lens.md"]
    assert "| `conv2d` |" in texts["plan.md"]


def test_stale_text_is_found_and_replaced(
    tool: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- paste: knobs -->\nold\n<!-- end -->\nafter\n", "utf-8")
    assert tool.main(["--check"]) == 1
    assert "page.md" in capsys.readouterr().out
    assert "old" in page.read_text("utf-8")
    assert tool.main([]) == 0
    text = page.read_text("utf-8")
    assert text.startswith("before\n") and text.endswith("\n<!-- end -->\nafter\n")
    assert "POCKETLENS_THREADS" in text and "old" not in text
    assert tool.main(["--check"]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "<!-- paste: knobs -->\n",
        "<!-- paste: nonsense -->\n<!-- end -->\n",
        "<!-- paste: help:nonsense -->\n<!-- end -->\n",
        "<!-- paste: file:nonsense -->\n<!-- end -->\n",
        "<!-- paste: results:nonsense -->\n<!-- end -->\n",
    ],
)
def test_what_cannot_be_pasted_is_told(
    text: str, tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(text, "utf-8")
    assert tool.main([]) == 2
    assert capsys.readouterr().err.startswith("paste: ")
    assert (tmp_path / "page.md").read_text("utf-8") == text


def test_every_source_makes_something(tool: ModuleType, tmp_path: Path) -> None:
    for name in ("schema", "neutral", "ops", "knobs", "errors", "file:LICENSE", "help:"):
        assert tool.make(name, where="here").strip(), name


def test_results_show_the_latest_row(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert "Not measured yet" in tool.make("results:accuracy", where="here")
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    row = '{"model": "m", "engine": "e", "file_bytes": %d, "top1_right": 1, "top5_right": 2, '
    row += '"n": 4, "flips": 0, "machine": "box", "commit": "abc"}\n'
    (folder / "accuracy.jsonl").write_text(row % 777 + row % 333, "utf-8")
    text = tool.make("results:accuracy", where="here")
    assert "333" in text and "777" not in text and "box, commit abc" in text


def test_latencies_stand_side_by_side(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert "Not measured yet" in tool.make("latency:ms:fp32", where="here")
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    origin = {"machine": "box", "commit": "abc", "load": 3.2, "threads": 1, "network": "n"}
    timed = {"engine": "pocketlens 4 bits", **origin}
    rows = [{**timed, "ms": {"1": {"cpu_min": value}}} for value in (9.0, 1.5)]
    rows.append({**timed, "engine": "ncnn fp32", "ms": {"1": {"cpu_min": 2.5}}})
    rows.append({**timed, "engine": "pytorch fp32", "reason": "cannot"})
    (folder / "latency.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    text = tool.make("latency:ms:fp32", where="here")
    assert "| n | **1.5** | – | 2.5 |" in text
    assert "- pytorch fp32 on n: `cannot`" in text and "load average between 3 and 3" in text
    with pytest.raises(tool.PasteError):
        tool.make("latency:ms:nonsense", where="here")


def test_the_worked_example_of_the_lens_format_counts_right() -> None:
    """The numbers that docs/format/lens.md explains are those of the golden dump."""
    page = (ROOT / "docs" / "format" / "lens.md").read_text("utf-8")
    gold = (ROOT / "tests" / "gold" / "small_lens.sql").read_text("utf-8")
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.executescript(gold)
        kinds = dict(database.execute("SELECT rowid, kind FROM lens"))
    for number, kind in {
        1: "conv2d",
        4: "binary",
        7: None,
        8: None,
        9: "photo",
        10: "lens",
        11: "why",
        14: "float",
        15: "half",
    }.items():
        assert kinds[number] == kind
        assert re.search(rf"[Rr]ow {number}\b", page), number
    row = gold.split("VALUES(NULL,'stem.weight',")[1].splitlines()[0]
    numbers, png = (bytes.fromhex(part.split("'")[0]) for part in row.split("X'")[1:])
    assert len(numbers) == 10
    for value in struct.unpack("<5e", numbers):
        assert f"{value:.4f}" in page
    assert bytes.fromhex("00 14 31 00 01 34 04 24 22 04") in png
