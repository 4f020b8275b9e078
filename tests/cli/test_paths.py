"""Answers as paths from general to specific, as Klaus showed them."""

from __future__ import annotations

import json
from pathlib import Path

from cli.conftest import Run

LABELS = [{"name": f"thing {n}", "path": ["object, physical object", "things"]} for n in range(9)]


def test_answers_are_paths(run: Run, model: Path, photo: Path) -> None:
    Path("names.json").write_text(json.dumps([*LABELS, "teapot"]), "utf-8")
    run("compress", model, "-o", "a.lens", "--labels", "names.json", "--preset", "cifar-raw",
        "--no-crush")  # fmt: skip
    lines = run("classify", "a.lens", photo, "--paths", "--top", 10).output.splitlines()
    told = [line.split("  ")[-1].lstrip("█░ ") for line in lines]
    expected = {f"object, physical object / things / thing {n}" for n in range(9)}
    assert set(told) == {*expected, "teapot"}
    plain = run("classify", "a.lens", photo, "--top", 10).output
    assert "object" not in plain and "thing 3" in plain
    document = json.loads(run("classify", "a.lens", photo, "--json").stdout)
    paths = {tuple(answer["path"]) for answer in document["photos"][0]["answers"]}
    assert ("object, physical object", "things") in paths


def test_a_lens_without_paths_says_so(run: Run, lens: Path, photo: Path) -> None:
    assert "no-paths" in run("classify", lens, photo, "--paths", code=2).output
