"""A recipe of the kind "ccv" in every command that follows recipes, or why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.conftest import Run
from pocketlens.base.errors import UsageError
from pocketlens.classify.lens import open_lens, softmax
from pocketlens.compression.recipes import RecipeRequest
from pocketlens.images.ccv import cubic, form
from pocketlens.images.recipe import Recipe
from pocketlens.lensfile.reader import read_lens

RECIPE = ("--preset", "unit", "--scale", 1, "--resize", "ccv:36", "--mean-picture", "mean.npy")


@pytest.fixture
def mean(run: Run) -> Any:
    """A mean picture in mean.npy; `run` has made tmp_path the current folder."""
    del run
    values = np.random.default_rng(1).uniform(90, 150, (36, 36, 3)).astype(np.float32)
    np.save("mean.npy", values)
    return values


@pytest.fixture
def photos(run: Run) -> Path:
    """Labelled photos of many shapes, smooth ones."""
    del run
    rng = np.random.default_rng(7)
    for number in range(48):
        small = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        size = tuple(int(side) for side in rng.integers(30, 80, 2))
        path = Path("photos", f"class {number % 10}", f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        small.resize(size, Image.Resampling.BICUBIC).save(path)
    return Path("photos")


@pytest.fixture
def formed(run: Run, model: Path, mean: Any) -> Path:
    """A lens with such a recipe."""
    run("compress", model, "-o", "formed.lens", "--bits", 4, "--no-crush", *RECIPE)
    return Path("formed.lens")


def test_the_lens_keeps_the_mean_picture_as_it_is(run: Run, formed: Path, mean: Any) -> None:
    recipe = read_lens(formed).recipe
    assert (recipe.resize, recipe.resize_height, recipe.height) == ("ccv", 36, 32)
    assert recipe.mean_picture == mean.tobytes()
    assert "formed to 36x36 as ccv does" in " ".join(run("inspect", formed).output.split())
    told = json.loads(run("inspect", formed, "--json").stdout)["recipe"]
    assert told["resize"] == "ccv"
    assert told["mean_picture"]["bytes"] == 4 * 3 * 36 * 36


@pytest.mark.parametrize("crops", [1, 5, 10])
def test_classify_follows_it(run: Run, formed: Path, mean: Any, photos: Path, crops: int) -> None:
    photo = photos / "class 3" / "13.png"
    document = json.loads(
        run("classify", formed, photo, "--crops", crops, "--top", 10, "--json").stdout
    )
    seen = {a["number"]: a["confidence"] for a in document["photos"][0]["answers"]}
    with Image.open(photo) as picture:
        whole = form(np.asarray(picture), 36, 36)
    whole = (whole - cubic(mean, *whole.shape[:2])).transpose(2, 0, 1)
    down, right = whole.shape[1] - 32, whole.shape[2] - 32
    places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    views = [whole[:, y : y + 32, x : x + 32] for y, x in places[4 if crops == 1 else 0 :]]
    views += [view[:, :, ::-1] for view in views] if crops == 10 else []
    with open_lens(formed) as lens:
        rows = [softmax(row) for row in lens.scores(np.stack(views)).tolist()]
    expected = np.mean(rows, axis=0)
    np.testing.assert_allclose([seen[number] for number in range(10)], expected, atol=1e-6)


def test_eval_follows_it(run: Run, formed: Path, photos: Path, model: Path) -> None:
    document = json.loads(run("eval", formed, photos, "--crops", 5, "--json").stdout)
    right = 0
    with open_lens(formed) as lens:
        for path in photos.rglob("*.png"):
            (answer,) = lens.classify(path, top=1, crops=5)
            right += f"class {answer.number}" == path.parent.name
    assert (document["n"], document["top1_right"]) == (48, right)
    run("eval", formed, photos, "--against", model)
    assert read_lens(formed).receipts[-1].n == 48


@pytest.mark.parametrize("photographed", [False, True])
def test_compress_to_a_size_follows_it(
    run: Run, model: Path, mean: Any, photos: Path, photographed: bool
) -> None:
    more = ("--photos", photos) if photographed else ()
    run("compress", model, "-o", "x.lens", "--max-size", 32_000, *RECIPE, *more)
    contents = read_lens(Path("x.lens"))
    assert contents.recipe.mean_picture == mean.tobytes()
    assert Path("x.lens").stat().st_size <= 32_000


def test_what_layers_cost_is_measured_with_it(
    run: Run, formed: Path, model: Path, photos: Path
) -> None:
    same = ("--original", model, "--photos", photos)
    document = json.loads(run("inspect", formed, *same, "--json").stdout)
    assert document["losses"]["photos"] > 0
    run("report", formed, *same)
    assert "formed to 36x36 as ccv does" in Path("formed.html").read_text(encoding="utf-8")


def test_a_sweep_measures_what_eval_does(run: Run, model: Path, mean: Any, photos: Path) -> None:
    arguments = ("--bits", 3, "--only", "--jobs", 1, "--repeats", 1, "--no-crush")
    document = json.loads(
        run("sweep", model, "--data", photos, "-o", "s", *arguments, *RECIPE, "--json").stdout
    )
    (lens,) = [path for path in Path("s").glob("*.lens") if "32" not in path.name]
    row = next(row for row in document["rows"] if row["lens"] == lens.name)
    evaluated = json.loads(run("eval", lens, photos, "--json").stdout)
    assert row["n"] == 48
    for top in ("top1", "top5"):
        assert row[f"{top}_wrong"] == 48 - evaluated[f"{top}_right"]


def test_a_models_own_recipe_is_changed_where_no_preset_is_named(mean: Any) -> None:
    nothing, one = (0.0,) * 3, (1.0,) * 3
    own = Recipe("ccv", 36, 36, "box", 32, 32, "rgb", nothing, one, mean.tobytes())

    def fitted(**words: Any) -> Recipe:
        return RecipeRequest(**words).fit(32, 32, channels=3, told=own)

    assert fitted() == own
    assert fitted(mean="117") == replace(own, mean=(117.0,) * 3, mean_picture=b"")
    plain = fitted(resize="shorter:36", mean="117")
    assert (plain.resize, plain.scale, plain.mean_picture) == ("shorter", one, b"")
    with pytest.raises(UsageError, match="needs its own --mean or --mean-picture"):
        fitted(resize="shorter:36")
    assert fitted(preset="unit").resize == "shorter"
    assert fitted(preset="unit").scale == (255.0,) * 3


def test_what_does_not_work_is_refused_by_a_sentence(
    run: Run, model: Path, formed: Path, mean: Any, photo: Path
) -> None:
    output = run("classify", formed, photo, "--crops", "slide", code=2).output
    assert "ccv10" in output
    run("app", formed, "-o", "site")
    Image.new("RGB", (20_000, 1)).save("sliver.png")
    output = run("classify", formed, "sliver.png", code=2).output
    assert "too narrow" in output
    Image.new("RGB", (40, 45)).save("uneven.png")
    tall = ("--preset", "unit", "--resize", "ccv:44x36")
    run("compress", model, "-o", "tall.lens", "--no-crush", *tall)
    output = run("classify", "tall.lens", "uneven.png", code=2).output
    assert "cannot be brought to 36 x 44 as ccv does" in " ".join(output.split())
    large = ("--preset", "unit", "--resize", "ccv:289", "--mean-picture", "mean.npy")
    output = run("compress", model, "-o", "l.lens", *large, code=2).output
    assert "1,002,252 bytes" in output
