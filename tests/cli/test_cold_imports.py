"""What `pocketlens classify` imports on its way to the first label: modules, for times vary.

A module more here is a millisecond or ten more for every call; add it only where it is needed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lens_samples import small_lens
from pocketlens.lensfile.writer import write_lens

OURS = {
    "_version",
    *("base.errors", "base.floats", "base.halves", "base.knobs", "base.unreadable"),
    *("classify.ccv", "classify.engines", "classify.lens", "classify.sliding"),
    *("cli.classify_command", "cli.crops_option", "cli.main", "cli.precision_option"),
    *("engine._core", "engine.constants", "engine.core", "engine.plan", "engine.prepare"),
    "engine.refusals",
    *("graph.attributes", "graph.graph", "graph.inference", "graph.ops", "graph.shapes"),
    *("graph.five_windows", "graph.larger", "graph.probabilities", "graph.sliding"),
    *("images.ccv", "images.ccv_decode", "images.colours", "images.crops", "images.decode"),
    *("images.limits", "images.recipe", "images.sliding", "images.views"),
    *("importers.contents", "labels.labels"),
    *("planes.plane", "planes.scanlines", "planes.trellis"),
}  # fmt: skip
"""The rooms' own packages and the room `lensfile` aside."""

NOT_TO_READ = {"lensfile.image", "lensfile.writer"}
"""Of `lensfile`: what only makes lenses."""

THEIRS = {"PIL", "click"}
"""What is installed beside Pocketlens."""

HEAVY = {"asyncio", "decimal", "email", "http", "importlib.metadata", "multiprocessing", "tempfile",
         "unittest", "xml"}  # fmt: skip
"""Of Python's own: not for nothing."""

CODE = """
import json, sys
before = set(sys.modules)
from pocketlens.cli.main import main
main(sys.argv[1:], standalone_mode=False)
found = {name: getattr(sys.modules[name], "__file__", None) for name in set(sys.modules) - before}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Modules and their files, of a process that named what is on a JPEG."""
    folder = tmp_path_factory.mktemp("cold")
    write_lens(folder / "small.lens", small_lens())
    Image.linear_gradient("L").convert("RGB").save(folder / "photo.jpg")
    done = subprocess.run(
        [sys.executable, "-c", CODE, "classify", folder / "small.lens", folder / "photo.jpg"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    answers, found = done.stdout.rsplit("\n", 2)[:2]
    assert "%" in answers
    modules: dict[str, str | None] = json.loads(found)
    return modules


def test_ours_are_those_of_the_list(imported: dict[str, str | None]) -> None:
    ours = {name: Path(file or "") for name, file in imported.items() if "pocketlens." in name}
    rooms = {name for name, file in ours.items() if file.stem == "__init__"}
    names = {name.removeprefix("pocketlens.") for name in ours.keys() - rooms}
    assert {name for name in names if not name.startswith("lensfile.")} == OURS
    assert not NOT_TO_READ & names


def test_of_others_only_the_command_line_and_the_picture_library(
    imported: dict[str, str | None],
) -> None:
    others = {name.partition(".")[0] for name, file in imported.items()
              if file and "site-packages" in Path(file).parts}  # fmt: skip
    assert others - {"pocketlens"} <= THEIRS
    assert not {"numpy", "rich", "onnx", "onnxruntime", "torch"} & set(imported)


def test_nothing_heavy_of_pythons_own(imported: dict[str, str | None]) -> None:
    assert not HEAVY & set(imported)


def test_a_jpeg_takes_the_plugin_for_jpeg_alone(imported: dict[str, str | None]) -> None:
    plugins = {name for name in imported if name.startswith("PIL.") and name.endswith("Plugin")}
    assert plugins == {"PIL.JpegImagePlugin"}
    assert "PIL.ImageCms" not in imported, "the photo has no colour profile"
