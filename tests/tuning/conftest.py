"""A small classifier with palettes of four values, and smooth pictures to tune it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pocketlens.compression.fates import store_tensors
from pocketlens.compression.settings import Settings
from pocketlens.graph.graph import Network
from pocketlens.images.recipe import Recipe
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.labels.files import numbered
from pocketlens.lensfile.contents import LensContents
from small_models import write_small_classifier

SIDE = 12


@dataclass(frozen=True)
class Coded:
    """A float network, its lens, and pictures (1, 3, SIDE, SIDE)."""

    network: Network
    contents: LensContents
    fit: list[np.ndarray]
    select: list[np.ndarray]


@pytest.fixture(scope="session")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Coded:
    folder: Path = tmp_path_factory.mktemp("tuning")
    network = read_onnx(write_small_classifier(folder / "small.onnx", side=SIDE)).network
    rng = np.random.default_rng(3)
    coarse = 4 * rng.standard_normal((64, 1, 3, 4, 4)).astype(np.float32)
    pictures = [np.repeat(np.repeat(x, 3, 2), 3, 3) for x in coarse]
    settings = Settings(bits=2, crush=None)
    records = store_tensors(network.graph, network.tensors, settings=settings)
    recipe = Recipe("none", SIDE, SIDE, "bilinear", SIDE, SIDE, "rgb", (0.0,) * 3, (1.0,) * 3)
    contents = LensContents("small", network.graph, records, numbered(10), recipe)
    return Coded(network, contents, pictures[:48], pictures[48:])
