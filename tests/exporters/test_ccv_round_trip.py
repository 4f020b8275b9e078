"""ccv's own files through a lens and back: numbers, layers and pictures are what they were."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.ccv_by_hand import encode
from pocketlens.classify.lens import open_lens
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.exporters.ccv.writer import write_ccv
from pocketlens.importers.ccv.reader import read_ccv
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.writer import write_lens
from pocketlens.planes.decode import decode_png

pytestmark = pytest.mark.data

NAMES = ("micro", "tiny", "tiny-half", "odd", "mobile/mobile-full", "mobile/mobile")
WITHOUT_EFFECT = {"output_partition", "input_matrix_partition"}
"""Of convolutions and of pools; a graph does not know them."""


@pytest.fixture
def fixtures(data_folder: Path) -> Path:
    return data_folder / "ccv" / "fixtures"


def through_a_lens(path: Path, folder: Path, *, bits: int = 32) -> LensContents:
    settings = Settings(bits=bits, crush=None)
    contents = pack(read_ccv(path), settings=settings)
    write_lens(folder / "net.lens", contents)
    return read_lens(folder / "net.lens")


def table(path: Path, name: str) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {name} ORDER BY 1")]


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(fixtures: Path, tmp_path: Path, name: str) -> None:
    source = fixtures / f"{name}.sqlite3"
    back = write_ccv(through_a_lens(source, tmp_path), tmp_path / "back", name="net")[0]
    assert table(back, "convnet_params") == table(source, "convnet_params")
    for ours, theirs in zip(
        table(back, "layer_params"), table(source, "layer_params"), strict=True
    ):
        assert ours.keys() == theirs.keys()
        for column in ours:
            if column == "output_size" and ours["type"] == 5:
                assert ours[column] == theirs[column] // 2 * 2 + 1  # an even window counts so
            elif column not in WITHOUT_EFFECT or (
                column == "input_matrix_partition" and ours["type"] in (1, 5)
            ):
                assert ours[column] == theirs[column], (ours["layer"], column)
    assert table(back, "layer_data") == table(source, "layer_data")


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_gives_what_ccv_s_did(fixtures: Path, tmp_path: Path, name: str) -> None:
    expected = np.load(fixtures / f"{name.removesuffix('-full')}.expected.npz")
    contents = through_a_lens(fixtures / f"{name}.sqlite3", tmp_path)
    back = write_ccv(contents, tmp_path / "back", name="net")[0]
    outputs = encode(back, expected["patch"])
    for number, output in enumerate(outputs):
        theirs = expected[f"act{number:02}"]
        assert output.size == theirs.size
        worst = np.abs(output.reshape(-1) - theirs.reshape(-1)).max()
        assert worst <= 1e-5 * np.abs(theirs).max(), number


@pytest.mark.parametrize("bits", [32, 8, 4])
def test_pictures_and_tables_are_what_they_were(fixtures: Path, tmp_path: Path, bits: int) -> None:
    source = fixtures / "mobile" / "mobile.sqlite3"
    back = write_ccv(through_a_lens(source, tmp_path, bits=bits), tmp_path / "back", name="net")
    assert table(back[0], "layer_quant") == table(source, "layer_quant")
    assert [path.name for path in back[1:]] == ["layer-7-4bit.png", "layer-8.png", "layer-9.png"]
    for path in back[1:]:
        theirs = decode_png((source.parent / path.name).read_bytes())
        assert np.array_equal(decode_png(path.read_bytes()), theirs)


@pytest.mark.parametrize("crops", ["ccv10", "ccv5"])
def test_answers_are_what_they_were(fixtures: Path, tmp_path: Path, crops: Any) -> None:
    source = fixtures / "mobile" / "mobile.sqlite3"
    back = write_ccv(through_a_lens(source, tmp_path), tmp_path / "back", name="net")
    photo = fixtures / "images" / "photo.jpg"
    with open_lens(source) as theirs, open_lens(back[0]) as ours:
        assert ours.confidences(photo, crops=crops) == theirs.confidences(photo, crops=crops)


@pytest.mark.parametrize("name", NAMES)
def test_a_second_trip_changes_nothing_at_all(fixtures: Path, tmp_path: Path, name: str) -> None:
    once = write_ccv(
        through_a_lens(fixtures / f"{name}.sqlite3", tmp_path), tmp_path / "1", name="n"
    )
    again = write_ccv(through_a_lens(once[0], tmp_path), tmp_path / "2", name="n")
    assert [path.name for path in once] == [path.name for path in again]
    for one, other in zip(once, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
