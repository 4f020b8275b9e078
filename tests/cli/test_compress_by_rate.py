"""compress --max-size and --lagrangian: the size is met, the seed decides, mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.conftest import Run
from pocketlens.compression.budget import CLOSE_ENOUGH
from pocketlens.engine.constants import plain_constants
from pocketlens.lensfile.reader import read_lens


@pytest.fixture
def photos(run: Run, tmp_path: Path) -> Path:
    """48 pictures of smooth noise; `run` has made tmp_path the current folder."""
    rng = np.random.default_rng(5)
    images = []
    for _ in range(48):
        small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        images.append(np.asarray(small.resize((32, 32), Image.Resampling.BICUBIC)))
    np.savez(tmp_path / "photos.npz", images=np.stack(images))
    return tmp_path / "photos.npz"


def made(run: Run, model: Path, *options: object) -> tuple[dict[str, object], bytes]:
    result = run("compress", model, "-o", "x.lens", "--preset", "cifar-raw", "--json", *options)
    return json.loads(result.stdout), Path("x.lens").read_bytes()


def test_the_size_is_met_from_below(run: Run, model: Path, photos: Path) -> None:
    document, content = made(run, model, "--max-size", 16_000, "--photos", photos)
    assert 16_000 * (1 - CLOSE_ENOUGH) - 512 <= len(content) <= 16_000  # pages are 512 bytes
    unseen = document["unseen"]
    assert isinstance(unseen, dict)
    assert unseen["photos"] > 0
    assert unseen["agreement"] > 50


def test_more_bytes_are_closer_to_the_float_network(run: Run, model: Path, photos: Path) -> None:
    small, _ = made(run, model, "--lagrangian", 1e-4, "--photos", photos)
    large, _ = made(run, model, "--lagrangian", 1e-9, "--photos", photos)
    assert small["lens_bytes"] < large["lens_bytes"]  # type: ignore[operator]
    assert small["unseen"]["kl"] > large["unseen"]["kl"]  # type: ignore[index]


def test_photos_help(run: Run, model: Path, photos: Path) -> None:
    with_photos, _ = made(run, model, "--max-size", 13_000, "--photos", photos)
    output = run("compress", model, "-o", "y.lens", "--preset", "cifar-raw",
                 "--max-size", 13_000).output  # fmt: skip
    assert "clearly worse" in output
    assert with_photos["unseen"] is not None


def test_same_input_same_bytes_for_any_threads(run: Run, model: Path, photos: Path) -> None:
    options = ("--lagrangian", 1e-6, "--photos", photos)
    contents = {made(run, model, *options, "--threads", n)[1] for n in (1, 2, 3)}
    assert len(contents) == 1


def test_biases_take_up_what_coding_shifts(run: Run, model: Path, photos: Path) -> None:
    made(run, model, "--lagrangian", 1e-5, "--photos", photos)
    coded = read_lens(Path("x.lens"))
    run("compress", model, "-o", "plain.lens", "--preset", "cifar-raw", "--bits", 4)
    plain = read_lens(Path("plain.lens"))
    biases = [
        {r.name: r.values for r in plain_constants(contents).tensors if r.fate == "half"}
        for contents in (coded, plain)
    ]
    assert biases[0].keys() == biases[1].keys()
    assert biases[0] != biases[1]


def test_a_size_out_of_reach_names_the_smallest(run: Run, model: Path) -> None:
    result = run("compress", model, "-o", "x.lens", "--max-size", "2kB", code=2)
    assert "the smallest is" in result.stderr
    assert not Path("x.lens").exists()


@pytest.mark.parametrize(
    ("options", "slug"),
    [
        (("--max-size", "lots"), "bad-size"),
        (("--max-size", "1MB", "--lagrangian", 1e-6), "one-price"),
        (("--photos", "."), "one-price"),
        (("--lagrangian", -1.0), "bad-lagrangian"),
        (("--lagrangian", 1e-6, "--seed", -1), "bad-seed"),
        (("--lagrangian", 1e-6, "--threads", 0), "bad-threads"),
        (("--lagrangian", 1e-6, "--photos", "."), "calibration-empty"),
        (("--lagrangian", 1e-6, "--photos", "nowhere"), "no-such-file"),
    ],
)
def test_mistakes_are_told(run: Run, model: Path, options: tuple[object, ...], slug: str) -> None:
    result = run("compress", model, "-o", "x.lens", "--preset", "cifar-raw", *options, code=2)
    assert f"[{slug}]" in result.stderr
    assert not Path("x.lens").exists()
