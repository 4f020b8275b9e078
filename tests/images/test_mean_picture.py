"""A mean for every pixel: what may stand in a recipe, how it is read, what it makes of a photo."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pocketlens.base.errors import FileError, ImageError, UsageError
from pocketlens.engine import prepare as core
from pocketlens.images.apply import normalize_reference, prepare_reference
from pocketlens.images.mean_picture import read_mean_picture
from pocketlens.images.options import from_options
from pocketlens.images.presets import preset
from pocketlens.images.recipe import Recipe, describe, fault

PLAIN = Recipe("none", 0, 0, "bilinear", 2, 3, "rgb", (0.0,) * 3, (1.0, 2.0, 4.0))
RAMP = np.arange(3 * 2 * 3, dtype=np.float32).reshape(3, 2, 3) * 14


def halves(values: Any) -> bytes:
    return np.asarray(values, "<f2").tobytes()


def values_of(recipe: Recipe) -> NDArray[np.float32]:
    shape = (recipe.channel_count, recipe.height, recipe.width)
    return np.frombuffer(recipe.mean_picture, "<f2").astype(np.float32).reshape(shape)


def saved(path: Path, array: Any) -> Path:
    with path.open("wb") as file:
        np.save(file, np.asarray(array))
    return path


def read(path: Path, recipe: Recipe) -> NDArray[np.float32]:
    return values_of(replace(recipe, mean_picture=read_mean_picture(path, recipe)))


def test_each_pixel_has_its_mean() -> None:
    recipe = replace(PLAIN, mean_picture=halves(RAMP))
    assert fault(recipe) is None
    made = normalize_reference(Image.new("RGB", (3, 2), (100, 150, 200)), recipe)
    assert made[0].tolist() == [[100.0, 86.0, 72.0], [58.0, 44.0, 30.0]]
    assert made[1, 0].tolist() == [(150 - 84) / 2, (150 - 98) / 2, (150 - 112) / 2]
    assert made[2, 1, 2] == (200 - 17 * 14) / 4
    assert made.dtype == np.float32 and made.flags.c_contiguous


@given(
    channels=st.sampled_from(["rgb", "bgr", "gray"]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_core_and_the_reference_agree_to_the_last_bit(
    channels: Any, height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    count = 1 if channels == "gray" else 3
    codes = rng.integers(0, 1 << 16, (count, height, width)).astype("<u2")
    codes[codes & 0x7C00 == 0x7C00] = 0x0001  # every finite half may stand there, subnormals too
    scale = tuple(float(v) for v in rng.uniform(-300, 300, count).astype(np.float32))
    recipe = Recipe(
        "none", 0, 0, "bilinear", height, width, channels, (0.0,) * count, scale, codes.tobytes()
    )
    assert fault(recipe) is None
    shape = (height, width) if count == 1 else (height, width, 3)
    view = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
    expected = normalize_reference(view, recipe)
    assert core.normalize(view, recipe) == expected.tobytes()


@pytest.mark.parametrize("channels", ["rgb", "bgr", "gray"])
def test_without_one_the_core_and_the_reference_agree_as_well(channels: str) -> None:
    recipe = preset("tf", height=40, width=30, channels=1 if channels == "gray" else 3)
    recipe = from_options(recipe, channels=channels, mean="101.7", scale="58.395")
    pixels = np.random.default_rng(1).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    view = Image.fromarray(pixels).convert("L" if channels == "gray" else "RGB")
    assert core.normalize(view, recipe) == normalize_reference(view, recipe).tobytes()


def test_the_core_refuses_a_picture_of_another_size() -> None:
    recipe = replace(PLAIN, mean_picture=halves(RAMP)[:-2])
    with pytest.raises(ValueError, match="mean_picture"):
        core.normalize(Image.new("RGB", (3, 2)), recipe)


def test_the_same_picture_is_taken_from_every_view() -> None:
    recipe = replace(PLAIN, mean_picture=halves(RAMP))
    photo = Image.fromarray(np.arange(6 * 7 * 3, dtype=np.uint8).reshape(6, 7, 3))
    scale = np.array(PLAIN.scale, np.float32).reshape(3, 1, 1)
    without = prepare_reference(photo, PLAIN, crops=10)
    made = prepare_reference(photo, recipe, crops=10)
    assert np.array_equal(made, without - RAMP / scale)


def test_the_core_needs_no_numpy_for_it() -> None:
    script = (
        "import sys; from PIL import Image; from pocketlens.engine.prepare import normalize;"
        "from pocketlens.images.recipe import Recipe, fault;"
        "r = Recipe('none', 0, 0, 'box', 1, 1, 'gray', (0.0,), (2.0,), b'\\0\\x40');"
        "assert fault(r) is None;"
        "import struct; assert normalize(Image.new('L', (1, 1), 9), r) == struct.pack('f', 3.5);"
        "assert 'numpy' not in sys.modules, 'numpy was imported'"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mean_picture": halves(RAMP)[:-1]}, "35 bytes, expected 36"),
        ({"mean_picture": halves(RAMP) + b"\0"}, "37 bytes, expected 36"),
        ({"mean_picture": halves(RAMP), "height": 3}, "36 bytes, expected 54"),
        ({"mean_picture": halves([np.nan] * 18)}, "not finite"),
        ({"mean_picture": halves([*[0] * 17, -np.inf])}, "not finite"),
        ({"mean_picture": halves(RAMP), "mean": (0.0, 1.0, 0.0)}, "(0, 1, 0) as well"),
        ({"mean_picture": b"\0\0", "height": 500, "width": 500}, "1,500,000 bytes"),
    ],
)
def test_faults(changes: dict[str, Any], said: str) -> None:
    problem = fault(replace(PLAIN, **changes))
    assert problem is not None
    assert said in problem


def test_it_is_described_and_not_dumped() -> None:
    recipe = replace(PLAIN, mean_picture=halves(RAMP))
    assert describe(recipe) == (
        "not resized, crop 2x3, RGB, minus a mean picture, divided by (1, 2, 4)"
    )
    assert "mean_picture" not in repr(recipe)


def test_an_array_of_just_the_size_is_taken_as_it_is(tmp_path: Path) -> None:
    for dtype in (np.float64, np.float32, np.float16, np.uint8, ">f4"):
        path = saved(tmp_path / "mean.npy", RAMP.astype(dtype))
        assert np.array_equal(read(path, PLAIN), RAMP)
    channels_last = saved(tmp_path / "last.NPY", RAMP.transpose(1, 2, 0))
    assert np.array_equal(read(channels_last, PLAIN), RAMP)
    in_columns = saved(tmp_path / "columns.npy", np.asfortranarray(RAMP))
    assert np.array_equal(read(in_columns, PLAIN), RAMP)


def test_an_array_is_in_the_order_of_the_recipe(tmp_path: Path) -> None:
    path = saved(tmp_path / "mean.npy", RAMP)
    assert np.array_equal(read(path, replace(PLAIN, channels="bgr")), RAMP)


def test_a_picture_is_put_in_the_order_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mean.png"
    pixels = RAMP.transpose(1, 2, 0).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    assert np.array_equal(read(path, PLAIN), RAMP)
    assert np.array_equal(read(path, replace(PLAIN, channels="bgr")), RAMP[::-1])
    gray = replace(PLAIN, channels="gray", mean=(0.0,), scale=(1.0,))
    assert np.array_equal(read(path, gray)[0], np.asarray(Image.fromarray(pixels).convert("L")))


def test_a_jpeg_will_do(tmp_path: Path) -> None:
    path = tmp_path / "mean.jpg"
    Image.new("RGB", (30, 20), (104, 117, 123)).save(path, quality=100)
    made = read(path, replace(PLAIN, channels="bgr"))
    assert np.allclose(made[:, 0, 0], (123, 117, 104), atol=2)


def test_another_size_is_stretched(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    array = rng.uniform(0, 255, (3, 9, 5)).astype(np.float32)
    made = read(saved(tmp_path / "mean.npy", array), PLAIN)
    for plane, expected in zip(made, array, strict=True):
        stretched = Image.fromarray(expected).resize((3, 2), Image.Resampling.BICUBIC)
        assert np.allclose(plane, np.asarray(stretched).clip(0, 255), atol=0.0626)


def test_the_size_of_the_resize_is_cropped_as_photos_are(tmp_path: Path) -> None:
    caffe = preset("caffe", height=227, width=227)
    array = np.random.default_rng(0).uniform(0, 255, (3, 256, 256)).astype(np.float32)
    made = read(saved(tmp_path / "mean.npy", array), caffe)
    assert np.abs(made - array[:, 14:241, 14:241]).max() <= 0.0625
    assert fault(replace(caffe, mean=(0.0,) * 3, mean_picture=halves(made))) is None


def test_half_precision_is_close_enough(tmp_path: Path) -> None:
    side = 128
    array = np.linspace(0, 255, 3 * side * side, dtype=np.float32).reshape(3, side, side)
    made = read(saved(tmp_path / "mean.npy", array), replace(PLAIN, height=side, width=side))
    assert np.abs(made - array).max() <= 0.0625


def test_stretching_never_leaves_the_pixel_values(tmp_path: Path) -> None:
    edge = np.zeros((3, 4, 4))
    edge[:, 2:] = 255
    made = read(saved(tmp_path / "mean.npy", edge), replace(PLAIN, height=30, width=30))
    assert (made.min(), made.max()) == (0.0, 255.0)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 3)), "shape (2, 3)"),
        (np.full(3, 104.0), "--mean takes"),
        (np.zeros((4, 2, 3, 3)), "shape (4, 2, 3, 3)"),
        (np.zeros((4, 2, 4)), "expected (3, height, width) or (height, width, 3)"),
        (np.zeros((1, 2, 3), complex), "complex128"),
        (np.zeros((3, 2, 3), bool), "type bool"),
        (np.array([["a"]]), "type <U1"),
        (np.where(RAMP > 200, np.nan, RAMP), "not finite"),
        (np.where(RAMP > 200, np.inf, RAMP), "not finite"),
        (RAMP / 255, "Multiply it by 255"),
        (RAMP - 100.5, "from -100.5 to 137.5"),
        (RAMP.astype(np.float64) * 1e300, "expected pixel values of 0 to 255"),
        (np.zeros((3, 0, 3)), "sides of 1 to 8192"),
        (np.zeros((3, 1, 9000)), "sides of 1 to 8192"),
        (np.array([{"a": 1}], object), "is no array"),
    ],
)
def test_arrays_that_are_no_mean_picture(array: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mean.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(UsageError, match="bad-mean-picture") as caught:
        read_mean_picture(path, PLAIN)
    assert said in caught.value.sentence
    assert str(path) in caught.value.sentence


def test_files_that_are_no_array(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.npy", RAMP).read_bytes()
    endless = whole.replace(b"(3, 2, 3)", b"(3,2,9**9)")
    huge = whole.replace(b"(3, 2, 3), }  ", b"(3, 2, 99999), }")[: len(whole)]
    path = tmp_path / "mean.npy"
    for content in (b"", b"text", whole[:-1], whole[:40], endless, huge, whole[:10] + b"[" * 500):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="bad-mean-picture"):
            read_mean_picture(path, PLAIN)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("missing.npy", "missing.png"):
        with pytest.raises(FileError, match="no-such-file"):
            read_mean_picture(tmp_path / name, PLAIN)
    folder = tmp_path / "folder.npy"
    folder.mkdir()
    with pytest.raises(FileError, match="is-a-folder"):
        read_mean_picture(folder, PLAIN)
    text = tmp_path / "mean.binaryproto"
    text.write_text("no picture")
    with pytest.raises(ImageError, match="not-an-image"):
        read_mean_picture(text, PLAIN)


def test_the_option_takes_the_place_of_the_mean(tmp_path: Path) -> None:
    imagenet = preset("imagenet", height=2, width=3)
    path = saved(tmp_path / "mean.npy", RAMP)
    made = from_options(imagenet, mean_picture=path)
    assert made == replace(imagenet, mean=(0.0,) * 3, mean_picture=halves(RAMP))
    assert from_options(made, mean="3") == replace(imagenet, mean=(3.0,) * 3)
    with pytest.raises(UsageError, match=r"--mean '3' and --mean-picture.*bad-recipe"):
        from_options(imagenet, mean="3", mean_picture=path)


def test_the_option_knows_the_other_options(tmp_path: Path) -> None:
    start = preset("imagenet", height=9, width=9)
    path = saved(tmp_path / "mean.npy", RAMP[:1])
    words = {"crop": "2x3", "channels": "gray", "scale": "2"}
    made = from_options(start, **words, mean_picture=path)
    assert values_of(made).tolist() == RAMP[:1].tolist()
    assert made.mean == (0.0,)
    colour = saved(tmp_path / "colour.npy", RAMP)
    with pytest.raises(UsageError, match=r"1,500,000 bytes.*--mean\. \[bad-recipe\]"):
        from_options(PLAIN, resize="none", crop="500", mean_picture=colour)


def test_a_recipe_that_has_one_can_be_changed() -> None:
    start = replace(PLAIN, mean_picture=halves(RAMP))
    turned = from_options(start, channels="bgr")
    assert values_of(turned).tolist() == RAMP[::-1].tolist()
    assert turned.scale == (4.0, 2.0, 1.0)
    with pytest.raises(UsageError, match=r"gray needs its own --mean.*bad-recipe"):
        from_options(start, channels="gray", scale="1")
    assert from_options(start, channels="gray", mean="7", scale="1").mean_picture == b""
    with pytest.raises(UsageError, match=r"36 bytes, expected 54.*bad-recipe"):
        from_options(start, crop="3")
