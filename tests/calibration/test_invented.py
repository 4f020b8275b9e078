"""Invented pictures are pictures, repeat, and calibrate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pocketlens.calibration.invented import InventedPhotos, leaves, without_photos
from pocketlens.images.recipe import Recipe
from pocketlens.importers.onnx.reader import read_onnx
from small_models import write_small_classifier


def recipe(channels: str, side: int) -> Recipe:
    count = 1 if channels == "gray" else 3
    return Recipe("none", side, side, "bilinear", side, side, channels, (128.0,) * count,
                  (64.0,) * count)  # type: ignore[arg-type] # fmt: skip


def test_pictures_vary_and_repeat() -> None:
    photos = InventedPhotos(recipe("rgb", 32), count=5, seed=3)
    assert len(photos) == len(list(photos)) == 5
    assert len(photos[1:3]) == 2
    for photo in photos:
        assert (photo.dtype, photo.shape) == (np.float32, (1, 3, 32, 32))
        assert photo.std() > 0.3
    assert (photos[2] == InventedPhotos(recipe("rgb", 32), count=5, seed=3)[2]).all()
    assert (photos[2] != photos[3]).any()
    assert (photos[2] != InventedPhotos(recipe("rgb", 32), count=5, seed=4)[2]).any()


def test_neighbours_are_alike_as_in_photos() -> None:
    pixels = np.asarray(leaves(64, 48, seed=(0, 0))).astype(float)
    assert pixels.shape == (64, 48, 3)
    near = np.corrcoef(pixels[:, 1:].ravel(), pixels[:, :-1].ravel())[0, 1]
    far = np.corrcoef(pixels[:, 24:].ravel(), pixels[:, :-24].ravel())[0, 1]
    assert near > 0.7
    assert near > far + 0.2


def test_tiny_and_gray_inputs_work() -> None:
    assert np.isfinite(InventedPhotos(recipe("gray", 1), count=1)[0]).all()
    assert InventedPhotos(recipe("gray", 9), count=2)[1].shape == (1, 1, 9, 9)


def test_statistics_say_that_they_are_invented(tmp_path: Path) -> None:
    network = read_onnx(write_small_classifier(tmp_path / "m.onnx", side=16)).network
    found = without_photos(network, recipe("rgb", 16), count=4, method="shaking")
    for layer in found.values():
        assert layer.is_data_free
        assert layer.invented
        assert layer.photos == 4
        assert layer.sensitivity.all()
