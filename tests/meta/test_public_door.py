"""The public door is exactly this list, and opening it is cheap."""

from __future__ import annotations

import subprocess
import sys

import pocketlens

DOOR = {
    "Answer",
    "DataError",
    "EngineError",
    "FileError",
    "ImageError",
    "Lens",
    "LensFileError",
    "MissingExtraError",
    "ModelError",
    "PocketlensError",
    "UsageError",
    "__version__",
    "bundled",
    "compress",
    "convert",
    "evaluate",
    "open",
}


def test_the_door_is_this_list() -> None:
    assert set(pocketlens.__all__) == DOOR
    assert set(dir(pocketlens)) == DOOR


def test_every_name_of_the_door_opens_and_is_documented() -> None:
    for name in DOOR - {"__version__"}:
        assert getattr(pocketlens, name).__doc__, name


def test_importing_the_package_and_opening_a_lens_leaves_numpy_alone() -> None:
    script = (
        "import sys, pocketlens; assert 'PIL' not in sys.modules;"
        "lens = pocketlens.open(pocketlens.bundled());"
        "from PIL import Image; lens.classify(Image.new('RGB', (80, 60), 'red'));"
        "assert 'numpy' not in sys.modules, 'numpy was imported'"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
