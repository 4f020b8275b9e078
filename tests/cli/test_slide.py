"""--crops slide: the network goes over the whole photo once, and every position has its say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pocketlens
from pocketlens.base.errors import EngineError, LensFileError, UsageError
from pocketlens.classify.lens import softmax
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.graph.sliding import find_last_map, slide
from pocketlens.images.apply import prepare_reference
from pocketlens.images.recipe import Recipe
from pocketlens.images.sliding import sliding_recipe
from pocketlens.lensfile.reader import read_lens
from small_models import write_small_classifier

from .conftest import Run


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def reference(lens: Path, photo: Image.Image) -> np.ndarray:
    contents = read_lens(lens)
    last = find_last_map(contents.graph)
    recipe = sliding_recipe(photo, contents.recipe, last.step)
    graph = slide(contents.graph, last, recipe.height, recipe.width)
    (rows,) = ReferenceEngine(replace(contents, graph=graph)).run(
        [prepare_reference(photo, recipe)]
    )
    return np.mean([softmax(row) for row in rows], axis=0)


@pytest.mark.parametrize("size", [(32, 32), (61, 45), (33, 300)])
def test_every_position_is_averaged(lens: Path, size: tuple[int, int]) -> None:
    photo = noise(*size)
    with pocketlens.open(lens) as opened:
        first = opened.confidences(photo, crops="slide")
        assert first == opened.confidences(photo, crops="slide")
        assert first != opened.confidences(photo, crops=10)
    np.testing.assert_allclose(first, reference(lens, photo), atol=1e-5)


def test_classify_and_eval_take_it(run: Run, lens: Path, photo: Path, tmp_path: Path) -> None:
    told = json.loads(run("classify", lens, photo, "--crops", "slide", "--json").stdout)
    assert told["crops"] == "slide"
    assert len(told["photos"][0]["answers"]) == 5
    images = np.asarray(noise(40, 36))[None]
    np.savez(tmp_path / "set.npz", images=images, labels=np.array([3]))
    evaluated = json.loads(run("eval", lens, "set.npz", "--crops", "slide", "--json").stdout)
    assert evaluated["crops"] == "slide"
    (receipt,) = read_lens(lens).receipts
    assert (receipt.crops, receipt.views) == ("slide", "slid over whole photos")
    assert "slid over whole photos" in run("inspect", lens).stdout
    run("eval", lens, "set.npz", "--crops", 10)
    run("report", lens, "-o", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "slid over whole photos" in page and "10 crops" in page


def test_a_mean_picture_has_one_size() -> None:
    recipe = Recipe("none", 2, 2, "bilinear", 2, 2, "gray", (0.0,), (1.0,), bytes(8))
    with pytest.raises(UsageError, match="mean picture") as refused:
        sliding_recipe(noise(9, 9), recipe, (1, 1))
    assert refused.value.slug == "cannot-slide"


def test_a_step_is_never_cut() -> None:
    recipe = Recipe("shorter", 40, 40, "bilinear", 32, 32, "rgb", (0.0,) * 3, (1.0,) * 3)
    made = sliding_recipe(noise(100, 60), recipe, (16, 16))
    assert (made.resize_height, made.resize_width) == (40, 66)
    assert (made.height, made.width) == (32, 64)


def test_a_closed_lens_does_not_slide(lens: Path) -> None:
    opened = pocketlens.open(lens)
    opened.confidences(noise(40, 40), crops="slide")
    opened.close()
    with pytest.raises(EngineError, match="closed"):
        opened.confidences(noise(40, 40), crops="slide")


def test_another_network_in_the_file_is_not_taken(run: Run, lens: Path, tmp_path: Path) -> None:
    with pocketlens.open(lens) as opened:
        other = write_small_classifier(tmp_path / "other.onnx", classes=11)
        run("compress", other, "-o", lens, "--bits", 4, "--no-crush", "--preset", "cifar-raw")
        with pytest.raises(LensFileError, match="has changed since") as refused:
            opened.confidences(noise(40, 40), crops="slide")
    assert refused.value.slug == "lens-changed"


def test_other_weights_in_the_file_are_not_taken(run: Run, lens: Path, tmp_path: Path) -> None:
    with pocketlens.open(lens) as opened:
        other = write_small_classifier(tmp_path / "other.onnx", seed=1)
        run("compress", other, "-o", lens, "--bits", 4, "--no-crush", "--preset", "cifar-raw")
        with pytest.raises(LensFileError, match="has changed since") as refused:
            opened.confidences(noise(40, 40), crops="slide")
    assert refused.value.slug == "lens-changed"


def test_a_new_receipt_changes_nothing(run: Run, lens: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=np.asarray(noise(40, 36))[None], labels=np.array([3]))
    with pocketlens.open(lens) as opened:
        run("eval", lens, "set.npz")
        assert len(opened.confidences(noise(40, 40), crops="slide")) == 10


def test_weights_are_there_once(lens: Path) -> None:
    with pocketlens.open(lens) as opened:
        photo = noise(40, 40)
        plain = opened.confidences(photo)
        before = opened.memory()
        for width in (40, 50, 60, 70):
            opened.confidences(noise(width, 40), crops="slide")
        after = opened.memory()
        assert after["packed"] == before["packed"]
        assert before["weights"] < after["weights"] <= before["weights"] * 1.5  # its biases
        assert after["arena"] > before["arena"]
        assert opened.confidences(photo) == plain


def test_an_engine_that_never_ran_makes_room(lens: Path) -> None:
    photo = noise(32, 32)
    with pocketlens.open(lens) as opened:
        before = opened.memory()["arena"]
        opened.confidences(photo, crops="slide")
        first = opened.memory()["arena"]
        opened.confidences(photo)
        assert opened.memory()["arena"] == first + before
