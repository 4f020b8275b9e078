"""A command line in this process, and small files to give it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pocketlens.cli.main import main
from small_models import write_small_classifier

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """run("classify", path, ...): the result, in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, code: int = 0, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)
        unexpected = result.exception
        assert unexpected is None or isinstance(unexpected, SystemExit), result.output
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ONNX classifier: 3x32x32 in, 10 classes out."""
    return write_small_classifier(tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.fixture
def lens(run: Run, model: Path, tmp_path: Path) -> Path:
    """Its lens at 4 bits."""
    path = tmp_path / "small.lens"
    run("compress", model, "-o", path, "--bits", 4, "--no-crush", "--preset", "cifar-raw")
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of nothing in particular."""
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").save(path)
    return path
