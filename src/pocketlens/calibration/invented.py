"""Pictures for whoever has no photos: discs that hide each other, with a soft texture.

Dead leaves have much of a photo's statistics, edges at all scales and areas between them that
vary slowly (Lee, Mumford and Huang 2001, "Occlusion models for natural images", IJCV 41), and a
network's inner layers see nearly their usual inputs. Clearly worse than photos and clearly better
than nothing: MobileNetV2 rounded to 4.0 bits a weight has KL 0.021 with 48 photos, 0.037 with
these, 0.57 with data_free.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.collect import collect
from pocketlens.calibration.sensitivity import Method, add_sensitivities
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.engine.prepare import normalize
from pocketlens.graph.graph import Network
from pocketlens.images.recipe import Recipe

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

PICTURES = 32
LEAVES = 60
"""Discs in a picture, the later ones on top."""

_LARGEST = 0.5  # radius of a disc, of the picture's height
_SMALLEST = 1 / 13  # of the largest
_TEXTURE = 40.0  # largest standard deviation of the texture in a disc, pixel values


class InventedPhotos(Sequence[Array]):
    """Invented pictures as network inputs, float32 (1, C, H, W); made when they are asked for."""

    def __init__(self, recipe: Recipe, *, count: int = PICTURES, seed: int = 0) -> None:
        self.recipe = recipe
        self._seeds = [(seed, number) for number in range(count)]

    def __len__(self) -> int:
        return len(self._seeds)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Array]: ...
    def __getitem__(self, index: int | slice) -> Array | Sequence[Array]:
        """One picture's input, or a list of some."""
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        recipe = self.recipe
        picture = leaves(recipe.height, recipe.width, seed=self._seeds[index])
        values = np.frombuffer(normalize(picture, recipe), np.float32)
        return values.reshape(1, recipe.channel_count, recipe.height, recipe.width)


def without_photos(
    network: Network,
    recipe: Recipe,
    *,
    count: int = PICTURES,
    method: Method | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, LayerStatistics]:
    """Statistics and sensitivities of invented pictures; `is_data_free` says that they are.

    method, seed, threads  as add_sensitivities() takes them. Raises EngineError.
    """
    pictures = InventedPhotos(recipe, count=count, seed=seed)
    statistics = collect(network, pictures, threads=threads, progress=progress)
    known = add_sensitivities(
        network,
        statistics,
        pictures,
        method=method,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    return {name: dataclasses.replace(layer, invented=True) for name, layer in known.items()}


def leaves(height: int, width: int, *, seed: tuple[int, ...]) -> Image.Image:
    """A picture of dead leaves, mode "RGB"."""
    rng = np.random.default_rng(seed)
    texture = _soft_texture(rng, height, width)
    pixels = np.empty((height, width, 3))
    pixels[:] = rng.uniform(0, 255, 3)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    for _ in range(LEAVES):
        radius = height * _LARGEST / (1 + rng.random() * (1 / _SMALLEST - 1))
        row, column = rng.random(2) * (height, width)
        inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        depth = rng.uniform(0, _TEXTURE)
        pixels[inside] = rng.uniform(0, 255, 3) + depth * texture[inside][:, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _soft_texture(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Noise whose amplitude falls as 1 / frequency, standard deviation 1."""
    noise = np.fft.rfft2(rng.standard_normal((height, width)))
    down = np.fft.fftfreq(height)[:, None] * height
    across = np.fft.rfftfreq(width)[None] * width
    frequency = np.hypot(down, across)
    frequency[0, 0] = np.inf
    texture: Floats = np.fft.irfft2(noise / frequency, (height, width))
    deviation = float(texture.std())
    return texture / deviation if deviation > 0 else texture
