"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real models and photos, named by POCKETLENS_DATA."""
    value = os.environ.get("POCKETLENS_DATA")
    if not value:
        pytest.skip("POCKETLENS_DATA is not set: the real models and photos are not here")
    folder = Path(value).resolve()
    if not (folder / "models").is_dir():
        pytest.fail(f"POCKETLENS_DATA names '{folder}', which has no folder 'models'")
    return folder
