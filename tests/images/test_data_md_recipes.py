"""The presets make, bit by bit, the inputs that the reference models were measured with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pocketlens.images.apply import prepare_reference
from pocketlens.images.decode import open_image
from pocketlens.images.presets import preset

Array = NDArray[np.float32]
PHOTOS = 60


def crop(im: Image.Image, c: int) -> Image.Image:
    w, h = im.size
    x, y = (w - c) // 2, (h - c) // 2
    return im.crop((x, y, x + c, y + c))


def chw(a: Array) -> Array:
    return np.ascontiguousarray(a.transpose(2, 0, 1))


def squeezenet(im: Image.Image) -> Array:
    a = np.asarray(crop(im.resize((256, 256), Image.BICUBIC), 227), np.float32)[:, :, ::-1]
    return chw(a - np.float32([104, 117, 123]))


def mobilenet_v1(im: Image.Image) -> Array:
    return chw(
        (np.asarray(crop(im, 224), np.float32) - np.float32([123.675, 116.28, 103.53]))
        / np.float32([58.395, 57.12, 57.375])
    )


def mobilenet_v2(im: Image.Image) -> Array:
    return chw((np.asarray(crop(im, 224), np.float32) - 127.5) / 127.5)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "side", "literal"),
    [("caffe", 227, squeezenet), ("imagenet", 224, mobilenet_v1), ("tf", 224, mobilenet_v2)],
)
def test_photos(
    name: str, side: int, literal: Callable[[Image.Image], Array], data_folder: Path
) -> None:
    recipe = preset(name, height=side, width=side)
    files = sorted((data_folder / "images" / "imagenet1k-dev").glob("*.JPEG"))
    assert len(files) == 500
    for file in files[:: 500 // PHOTOS]:
        with Image.open(file) as opened:
            expected = literal(opened.convert("RGB"))
        made = prepare_reference(open_image(file), recipe)
        assert made.shape == (1, 3, side, side)
        assert made.dtype == np.float32
        assert np.array_equal(made[0].view(np.uint32), expected.view(np.uint32)), file.name


@pytest.mark.data
def test_cifar(data_folder: Path) -> None:
    recipe = preset("cifar-raw", height=32, width=32)
    with np.load(data_folder / "cifar10" / "cifar10_test_even.npz") as archive:
        images = archive["images"]
    for pixels in images[::50]:
        expected = chw(pixels.astype(np.float32))
        made = prepare_reference(open_image(Image.fromarray(pixels)), recipe)
        assert np.array_equal(made[0], expected)
