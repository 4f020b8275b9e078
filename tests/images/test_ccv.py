"""ccv's resizes and its cut: against plain loops, and against ccv's own pictures."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.base.errors import ImageError
from pocketlens.images import ccv
from pocketlens.images.ccv import area, cubic, cut_out, form, mean_at
from pocketlens.images.ccv_decode import decode_as_ccv
from pocketlens.images.limits import MAX_FORMED_PIXELS
from pocketlens.images.recipe import Recipe

PLAIN = Recipe("ccv", 11, 11, "box", 7, 7, "rgb", (0.0,) * 3, (1.0,) * 3)
SIDES = st.integers(1, 23)


def noise(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def averaged(line: list[float], count: int) -> list[float]:
    """The box average of a line, cell by cell, in fractions and doubles."""
    step = Fraction(len(line), count)
    out = []
    for i in range(count):
        start, end = i * step, (i + 1) * step
        parts = [
            (min(end, k + 1) - max(start, k)) / step * Fraction(value)
            for k, value in enumerate(line)
            if min(end, k + 1) > max(start, k)
        ]
        out.append(float(sum(parts)))
    return out


def interpolated(line: list[float], count: int) -> list[float]:
    """ccv's cubic along a line, tap by tap, in doubles."""
    n, a = len(line), -0.75
    out = []
    for i in range(count):
        x = (i + 0.5) * n / count - 0.5
        base = math.trunc(x)
        t = x - base
        w0 = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a
        w1 = ((a + 2) * t - (a + 3)) * t * t + 1
        w2 = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1
        taps = [line[min(max(base + k, 0), n - 1)] for k in (-1, 0, 1, 2)]
        weights = [w0, w1, w2, 1 - w0 - w1 - w2]
        out.append(sum(w * tap for w, tap in zip(weights, taps, strict=True)))
    return out


def along_both(resize: Any, picture: Any, height: int, width: int, *, rows_first: bool) -> Any:
    """A plain resize of lines, along one axis and then the other."""

    def columns(values: Any, count: int) -> Any:
        return np.apply_along_axis(lambda line: np.array(resize(list(line), count)), 0, values)

    def rows(values: Any, count: int) -> Any:
        return np.apply_along_axis(lambda line: np.array(resize(list(line), count)), 1, values)

    values = picture.astype(np.float64)
    if rows_first:
        return columns(rows(values, width), height)
    return rows(columns(values, height), width)


@given(height=SIDES, width=SIDES, more=st.tuples(SIDES, SIDES), seed=st.integers(0, 99))
def test_area_is_the_exact_box_average(
    height: int, width: int, more: tuple[int, int], seed: int
) -> None:
    picture = noise(seed, height + more[0], width + more[1], 2)
    expected = along_both(averaged, picture, height, width, rows_first=False)
    seen = area(picture, height, width)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, expected, rtol=1e-7, atol=0)
    np.testing.assert_array_equal(area(picture.astype(np.float32), height, width), seen)


@given(height=SIDES, width=SIDES, size=st.tuples(SIDES, SIDES), seed=st.integers(0, 99))
def test_cubic_takes_four_taps(height: int, width: int, size: tuple[int, int], seed: int) -> None:
    picture = noise(seed, height, width, 3)
    expected = along_both(interpolated, picture, *size, rows_first=True)
    seen = cubic(picture, *size)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, expected, rtol=0, atol=2e-3)  # float32 places: 1e-6 of a pixel


def test_cubic_left_of_the_first_centre_looks_back() -> None:
    """x = -0.25 is cut off to 0, not rounded down to -1: t is -0.25."""
    line = np.array([[[0.0], [128.0]]], np.float32)
    a, t = -0.75, -0.25
    w1 = ((a + 2) * t - (a + 3)) * t * t + 1
    w0 = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a
    assert cubic(line, 1, 4)[0, 0, 0] == pytest.approx(128 * (1 - w0 - w1))


def test_the_same_size_is_a_copy() -> None:
    picture = noise(1, 5, 6, 3)
    assert (cubic(picture, 5, 6) == picture).all()
    assert (area(picture, 5, 6) == picture).all()


def test_overshoot_is_kept() -> None:
    edge = np.zeros((1, 8, 1), np.uint8)
    edge[:, 4:] = 255
    assert cubic(edge, 1, 19).min() < -1
    assert cubic(edge, 1, 19).max() > 256


@pytest.mark.parametrize("size", [(9, 11), (40, 50), (9, 60)])
def test_blocks_do_not_show(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise(2, 31, 37, 3)
    resizes = [cubic] if max(size) > 31 else [cubic, area]
    whole = [resize(picture, *size).tobytes() for resize in resizes]
    monkeypatch.setattr(ccv, "BLOCK_BYTES", 1)
    assert [resize(picture, *size).tobytes() for resize in resizes] == whole


@given(size=st.tuples(st.integers(1, 60), st.integers(1, 60)), side=st.integers(1, 30))
def test_a_square_makes_the_shorter_side_exact(size: tuple[int, int], side: int) -> None:
    rows, columns = size
    formed = form(noise(3, rows, columns, 3), side, side).shape
    assert min(formed[:2]) == side
    assert max(formed[:2]) == pytest.approx(side * max(size) / min(size), abs=0.51)


def test_pictures_that_fit_are_not_resized() -> None:
    for rows, columns in [(11, 11), (11, 30), (30, 11)]:
        picture = noise(4, rows, columns, 3)
        formed = form(picture, 11, 11)
        assert formed.dtype == np.float32
        assert (formed == picture).all()


def test_which_resize_forms_a_picture() -> None:
    large, small, wide = noise(5, 40, 30, 3), noise(6, 10, 9, 3), noise(7, 20, 9, 3)
    assert (form(large, 11, 11) == area(large, 15, 11)).all()
    assert (form(small, 11, 11) == cubic(small, 12, 11)).all()
    assert (form(wide, 11, 11) == cubic(wide, 24, 11)).all()


def test_a_side_that_would_grow_while_both_are_large_is_refused() -> None:
    with pytest.raises(ImageError, match="40 x 30 cannot be brought to 39 x 27 as ccv") as caught:
        form(noise(8, 30, 40, 3), 27, 39)
    assert caught.value.slug == "ccv-form"
    assert form(noise(8, 27, 39, 3), 27, 39).shape == (27, 39, 3)
    assert form(noise(8, 20, 40, 3), 27, 39).shape[0] == 27  # one side is smaller: cubic


@pytest.mark.parametrize("shape", [(1, 20_000), (20_000, 1), (300, 90_000)])
def test_a_sliver_is_refused_before_anything_is_made(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"is too narrow.*{MAX_FORMED_PIXELS:,}") as caught:
        form(np.broadcast_to(np.uint8(7), (*shape, 3)), 257, 257)
    assert caught.value.slug == "image-too-narrow"


def test_a_narrow_picture_below_the_limit_is_formed() -> None:
    formed = form(np.full((1, 900, 3), 9, np.uint8), 31, 31)
    assert formed.shape == (31, 27_900, 3)
    np.testing.assert_allclose(formed, 9, rtol=1e-6)


def test_the_cut_is_from_the_middle_and_loses_the_stretched_mean() -> None:
    mean = np.linspace(60, 190, 11 * 11 * 3, dtype=np.float32).reshape(11, 11, 3)
    recipe = replace(PLAIN, mean_picture=mean.astype("<f4").tobytes())
    formed = noise(9, 11, 20, 3).astype(np.float32)
    cut = cut_out(formed, recipe, 4)
    assert cut.shape == (11, 19, 3)
    np.testing.assert_array_equal(cut, formed[:, 0:19] - cubic(mean, 11, 19))
    np.testing.assert_array_equal(cut_out(formed, recipe, 1), formed - cubic(mean, 11, 20))


def test_a_stretched_mean_is_kept_and_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    mean = np.full((11, 11, 3), 90, "<f4").tobytes()
    recipe = replace(PLAIN, mean_picture=mean)
    kept = mean_at(recipe, 11, 20)
    assert mean_at(replace(recipe, height=8), 11, 20) is kept
    with pytest.raises(ValueError, match="read-only"):
        kept[:] = 0
    other = replace(recipe, mean_picture=np.full((11, 11, 3), 91, "<f4").tobytes())
    assert mean_at(other, 11, 20).max() == 91
    monkeypatch.setattr(ccv, "MOST_KEPT_PIXELS", 11 * 20 - 1)
    assert mean_at(recipe, 11, 20) is not kept
    np.testing.assert_array_equal(mean_at(recipe, 11, 20), kept)


def test_channels_mean_and_scale_of_a_cut() -> None:
    formed = noise(10, 11, 11, 3).astype(np.float32)
    turned = replace(PLAIN, channels="bgr", mean=(1.0, 2.0, 3.0), scale=(2.0, 4.0, 8.0))
    expected = (formed[:, :, ::-1] - [1, 2, 3]) / [2, 4, 8]
    np.testing.assert_allclose(cut_out(formed, turned, 1), expected, rtol=1e-6)
    gray = replace(PLAIN, channels="gray", mean=(5.0,), scale=(1.0,))
    luma = formed @ np.array([[0.299], [0.587], [0.114]]) - 5
    np.testing.assert_allclose(cut_out(formed, gray, 1), luma, rtol=1e-5, atol=1e-4)


def test_what_cannot_be_cut_is_refused() -> None:
    formed = np.zeros((11, 20, 3), np.float32)
    with pytest.raises(ImageError, match="7 x 7 that moves by 3: 19 x 10 would be") as caught:
        cut_out(formed, PLAIN, 3)
    assert caught.value.slug == "ccv-cut"
    assert cut_out(formed[:, :12], replace(PLAIN, width=8, height=8), 3).shape == (11, 11, 3)


# What ccv itself made.


@pytest.fixture(scope="session")
def fixtures(data_folder: Path) -> Path:
    folder = data_folder / "ccv" / "fixtures"
    if not folder.is_dir():
        pytest.skip(f"'{folder}' is not there: ccv's own files are not here")
    return folder


def recipe_in(path: Path) -> Recipe:
    """The recipe that a ccv file's tables mean."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        height, width, mean = database.execute(
            "SELECT input_height, input_width, mean_activity FROM convnet_params"
        ).fetchone()
        rows, columns = database.execute(
            "SELECT input_matrix_rows, input_matrix_cols FROM layer_params WHERE layer = 0"
        ).fetchone()
    return Recipe("ccv", height, width, "box", rows, columns, "rgb", (0.0,) * 3, (1.0,) * 3, mean)


def test_pictures_are_those_of_ccv(fixtures: Path) -> None:
    recipe = recipe_in(fixtures / "tiny.sqlite3")
    checked = []
    with np.load(fixtures / "tiny.expected.npz") as expected:
        for key in expected.files:
            kind, _, image = key.partition("/")
            if not image:
                continue
            pixels = decode_as_ccv(fixtures / "images" / image)
            checked.append(kind)
            if kind == "rgb":
                np.testing.assert_array_equal(pixels, expected[key], err_msg=key)
                continue
            formed = form(pixels, recipe.resize_height, recipe.resize_width)
            if kind == "mean":
                cut = cut_out(formed, recipe, 8)
                mean = mean_at(recipe, *cut.shape[:2])
                np.testing.assert_array_equal(mean, expected[key], err_msg=key)  # to the bit
            else:
                np.testing.assert_allclose(formed, expected[key], atol=5e-5, err_msg=key)
    assert sorted(set(checked)) == ["formed", "mean", "rgb"]


@pytest.mark.parametrize(
    ("name", "step"),
    [("micro", 1), ("odd", 1), ("tiny", 8), ("tiny-half", 8), ("mobile/mobile", 8)],
)
def test_sizes_are_those_of_ccv(fixtures: Path, name: str, step: int) -> None:
    recipe = recipe_in(fixtures / f"{name}.sqlite3")
    results = json.loads((fixtures / f"{name}.expected.json").read_text())["results"]
    assert results
    for image, result in results.items():
        pixels = decode_as_ccv(fixtures / "images" / image)
        formed = form(pixels, recipe.resize_height, recipe.resize_width)
        cut = cut_out(formed, recipe, step)
        sizes = [list(array.shape) for array in (pixels, formed, cut)]
        keys = ("source_shape", "formed_shape", "sliced_shape")
        assert sizes == [result[key] for key in keys], image
