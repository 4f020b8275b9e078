"""Images for training and validation: loading, batch augmentation, normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

MEAN = (123.675, 116.28, 103.53)
"""Mean of the red, green and blue channel, in pixel values 0..255."""

STD = (58.395, 57.12, 57.375)
"""Standard deviation of the red, green and blue channel, in pixel values 0..255."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

_MIN_AREA = 0.35
_MAX_LOG_ASPECT = float(np.log(4 / 3))
_JITTER = 0.2


class DataError(Exception):
    """The data cannot be used; the text says which part and why."""


@dataclass(frozen=True)
class Split:
    """Images uint8 ``[N, S, S, 3]`` (RGB) and their class indices int64 ``[N]``."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class DataSet:
    """Training and validation split, and one label line a class, in output order."""

    train: Split
    val: Split
    classes: list[str]


def load(path: Path, size: int) -> DataSet:
    """Read cached arrays (a folder or an ``.npz`` file) or a folder of class folders.

    Images of a class-folder data set are scaled to ``size`` x ``size`` pixels; cached
    arrays keep the size they were stored with.
    """
    if path.is_file() and path.suffix == ".npz":
        with np.load(path) as archive:
            return _from_arrays({name: archive[name] for name in archive.files}, path)
    if (path / "train_images.npy").is_file():
        names = [f"{p}_{kind}" for p in ("train", "val") for kind in ("images", "labels")]
        missing = [name for name in names if not (path / f"{name}.npy").is_file()]
        if missing:
            raise DataError(f"{path} lacks {missing[0]}.npy")
        return _from_arrays({name: np.load(path / f"{name}.npy") for name in names}, path)
    if (path / "train").is_dir() and (path / "val").is_dir():
        return _from_folders(path, size)
    raise DataError(f"{path} holds neither train/ and val/ folders nor cached arrays")


def _from_arrays(arrays: dict[str, NDArray[np.generic]], path: Path) -> DataSet:
    splits: list[Split] = []
    for part in ("train", "val"):
        try:
            images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        except KeyError as error:
            raise DataError(f"{path} lacks the array {error.args[0]}") from error
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise DataError(f"{part}_images must be uint8 [N, S, S, 3], RGB")
        if labels.shape != images.shape[:1] or len(labels) == 0:
            raise DataError(f"{part}_labels must hold one class index an image")
        splits.append(Split(images.astype(np.uint8, copy=False), labels.astype(np.int64)))
    count = int(max(split.labels.max() for split in splits)) + 1
    listing = path / "labels.txt"
    lines = [f"class{index}" for index in range(count)]
    if path.is_dir() and listing.is_file():
        lines = listing.read_text(encoding="utf-8").splitlines()
    if len(lines) < count or min(int(split.labels.min()) for split in splits) < 0:
        raise DataError(f"the class indices of {path} do not fit its {len(lines)} labels")
    return DataSet(splits[0], splits[1], lines)


def _from_folders(path: Path, size: int) -> DataSet:
    classes = sorted(p.name for p in (path / "train").iterdir() if p.is_dir())
    if not classes:
        raise DataError(f"{path / 'train'} has no class folders")
    splits: list[Split] = []
    for part in ("train", "val"):
        images: list[NDArray[np.uint8]] = []
        labels: list[int] = []
        for index, name in enumerate(classes):
            for file in sorted((path / part / name).rglob("*")):
                if file.suffix.lower() in IMAGE_SUFFIXES:
                    images.append(read_image(file, size))
                    labels.append(index)
        if not images:
            raise DataError(f"{path / part} has no images")
        splits.append(Split(np.stack(images), np.array(labels, np.int64)))
    return DataSet(splits[0], splits[1], classes)


def read_image(file: Path, size: int) -> NDArray[np.uint8]:
    """The largest centred square of an image, scaled to uint8 RGB ``[size, size, 3]``."""
    try:
        with Image.open(file) as image:
            rgb = image.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{file} is not a readable image") from error
    side = min(rgb.size)
    left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(rgb.resize((size, size), Image.Resampling.BICUBIC, box=box))


def normalise(images: NDArray[np.uint8]) -> Tensor:
    """Uint8 RGB ``[N, S, S, 3]`` to normalised float ``[N, 3, S, S]``, channels last."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    return (pixels - mean) / std


def plain(images: NDArray[np.uint8], size: int) -> Tensor:
    """Normalised images without augmentation, float ``[N, 3, size, size]``."""
    batch = normalise(images)
    if batch.shape[2:] != (size, size):
        batch = functional.interpolate(
            batch, (size, size), mode="bilinear", align_corners=False, antialias=True
        )
    return batch.contiguous(memory_format=torch.channels_last)


def augment(images: NDArray[np.uint8], size: int, random: np.random.Generator) -> Tensor:
    """Randomly cropped, flipped and colour-jittered images, float ``[N, 3, size, size]``.

    Each crop covers 35 to 100 % of the area with an aspect of 3:4 to 4:3; contrast and
    brightness move by up to 20 % of the normalised range.
    """
    count = len(images)
    area = random.uniform(_MIN_AREA, 1, count)
    aspect = np.exp(random.uniform(-_MAX_LOG_ASPECT, _MAX_LOG_ASPECT, count))
    wide = np.minimum(1, np.sqrt(area * aspect))
    high = np.minimum(1, np.sqrt(area / aspect))
    theta = np.zeros((count, 2, 3), np.float32)
    theta[:, 0, 0] = wide * random.choice((-1.0, 1.0), count)
    theta[:, 1, 1] = high
    theta[:, 0, 2] = random.uniform(-1, 1, count) * (1 - wide)
    theta[:, 1, 2] = random.uniform(-1, 1, count) * (1 - high)
    grid = functional.affine_grid(
        torch.from_numpy(theta), [count, 3, size, size], align_corners=False
    )
    batch = functional.grid_sample(
        normalise(images), grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    contrast = random.uniform(1 - _JITTER, 1 + _JITTER, (count, 1, 1, 1))
    brightness = random.uniform(-_JITTER, _JITTER, (count, 1, 1, 1))
    batch = batch * torch.from_numpy(contrast).float() + torch.from_numpy(brightness).float()
    return batch.contiguous(memory_format=torch.channels_last)
