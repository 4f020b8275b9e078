"""compress --tune: the lens says what came of it, keeps its size, and mistakes are told."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import pocketlens
from pocketlens.base.errors import UsageError
from pocketlens.cli.main import main
from pocketlens.lensfile.reader import read_lens
from pocketlens.tuning.effort import MOST_PASSES
from small_models import write_small_classifier

with_torch = pytest.mark.skipif(
    find_spec("torch") is None, reason="the 'torch' extra is not installed"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model and 64 pictures of smooth noise."""
    monkeypatch.chdir(tmp_path)
    write_small_classifier(tmp_path / "model.onnx", side=16)
    rng = np.random.default_rng(5)
    images = []
    for _ in range(64):
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        images.append(np.asarray(small.resize((16, 16), Image.Resampling.BICUBIC)))
    np.savez(tmp_path / "photos.npz", images=np.stack(images))
    return tmp_path


def compressed(*options: object) -> Result:
    arguments = ["compress", "model.onnx", "-o", "x.lens", "--preset", "cifar-raw", *options]
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def document(*options: object) -> dict[str, object]:
    result = compressed(*options, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


@with_torch
def test_the_lens_says_what_came_of_it(folder: Path) -> None:
    options = ("--max-size", 13_000, "--photos", "photos.npz", "--no-crush")
    plain = document(*options)
    tuned = document(*options, "--tune", 3)
    assert "tuning" not in plain
    told = tuned["tuning"]
    assert isinstance(told, dict)
    assert len(told["select_kl"]) == 4
    assert told["kept"] == (min(told["select_kl"]) < told["select_kl"][0])
    assert tuned["lens_bytes"] <= 13_000  # type: ignore[operator]
    settings = json.loads(read_lens(folder / "x.lens").provenance.settings)
    assert settings["tuning"] == f"{'kept' if told['kept'] else 'dropped'}, 3 passes"
    assert settings["select_photos"] > 0


@with_torch
def test_it_is_said_in_words_and_check_by_check(folder: Path) -> None:
    result = compressed("--lagrangian", 1e-6, "--photos", "photos.npz", "--no-crush", "--tune", 2)
    assert result.exit_code == 0, result.output
    assert "tuning, untouched: KL" in result.output
    assert "tuning, check 2: KL" in result.output
    assert "it was dropped" in result.output or "Fine-tuned on" in result.output


@with_torch
def test_without_a_number_the_network_says_how_much(folder: Path) -> None:
    told = document("--tune", "--max-size", 13_000, "--photos", "photos.npz", "--no-crush")
    tuning = told["tuning"]
    assert isinstance(tuning, dict)
    assert tuning["passes"] == MOST_PASSES
    settings = json.loads(read_lens(folder / "x.lens").provenance.settings)
    assert settings["tuning"].endswith(f", {MOST_PASSES} passes")


@with_torch
def test_the_door_has_a_twin(folder: Path) -> None:
    document("--max-size", 13_000, "--photos", "photos.npz", "--no-crush", "--tune", 2)
    with pocketlens.compress(
        "model.onnx", "y.lens", max_size=13_000, photos="photos.npz", recipe="cifar-raw",
        crush=None, tune=2, threads=2,
    ):  # fmt: skip
        assert (folder / "y.lens").read_bytes() == (folder / "x.lens").read_bytes()
    with pytest.raises(UsageError, match="tuning-needs-photos"):
        pocketlens.compress("model.onnx", "z.lens", recipe="cifar-raw", tune=True)


@with_torch
def test_an_interruption_leaves_the_old_lens(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "x.lens").write_text("what stood there")
    kept = sorted(path.name for path in folder.iterdir())

    def stop(*_: object, **__: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr("pocketlens.torchnet.distil.Distillation.step", stop)
    result = compressed("--lagrangian", 1e-6, "--photos", "photos.npz", "--no-crush", "--tune", 2)
    assert result.exit_code == 1
    assert (folder / "x.lens").read_text() == "what stood there"
    assert sorted(path.name for path in folder.iterdir()) == kept


@with_torch
@pytest.mark.parametrize(
    ("options", "slug"),
    [
        (("--tune", 2), "tuning-needs-photos"),
        (("--tune", 2, "--lagrangian", 1e-6), "tuning-needs-photos"),
        (("--tune", 0, "--lagrangian", 1e-6, "--photos", "photos.npz"), "bad-passes"),
    ],
)
def test_mistakes_are_told(folder: Path, options: tuple[object, ...], slug: str) -> None:
    result = compressed(*options)
    assert result.exit_code == 2
    assert f"[{slug}]" in result.output
    assert not (folder / "x.lens").exists()


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_without_torch_it_says_what_to_install(folder: Path) -> None:
    result = compressed("--tune", 2, "--lagrangian", 1e-6, "--photos", "photos.npz")
    assert result.exit_code == 2
    assert "pocketlens[torch]" in result.output
    assert not (folder / "x.lens").exists()
