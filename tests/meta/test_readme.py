"""The README's code blocks work as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pocketlens.cli.main import main
from small_models import write_small_classifier

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHELL = [
    line.split("  #")[0] for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()
]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README speaks of."""
    write_small_classifier(tmp_path / "model.onnx", classes=3, side=48)
    rng = np.random.default_rng(0)
    unlabelled = [f"unlabelled/{number}.jpg" for number in range(40)]
    for name in ("photo.jpg", "photos/a/1.jpg", "photos/b/2.jpg", "photos/c/3.jpg", *unlabelled):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_blocks_of_both_kinds() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "python"}


def test_the_two_commands_are_in_the_makefile_and_in_ci() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    targets = [line.split()[1] for line in SHELL if line.startswith("make ")]
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:.*##", makefile, re.MULTILINE)
        assert f"step make {target}\n" in script


def test_shell_lines_work(there: Path) -> None:
    lines = [line for line in SHELL if line.startswith("pocketlens ")]
    assert len(lines) >= 4
    for line in lines:
        result = CliRunner().invoke(main, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}{result.stderr}"
    assert (there / "model.lens").is_file()


def test_python_blocks_work(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "%" in printed
    assert "top-1 missing rate" in printed


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
