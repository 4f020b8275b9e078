"""A small classifier, photos for it, and a sweep of them in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from small_models import write_small_classifier

PHOTOS = 24


def write_photos(path: Path, n: int = PHOTOS, *, classes: int = 10, seed: int = 1) -> Path:
    rng = np.random.default_rng(seed)
    np.savez(
        path,
        images=rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8),
        labels=np.arange(n) % classes,
    )
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_classifier(tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("photos") / "photos.npz")
