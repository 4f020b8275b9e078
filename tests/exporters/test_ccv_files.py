"""What is in ccv's files, and that they are never half there."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.ccv_networks import Chain, lens_of, recipe, small
from pocketlens.base.errors import DataError, FileError, ModelError, UsageError
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.exporters.ccv import writer
from pocketlens.exporters.ccv.writer import export_ccv, write_ccv
from pocketlens.importers.ccv.reader import read_ccv
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.indices import tensor_indices
from pocketlens.networks.build import chain, filled, first_biases
from pocketlens.networks.layers import AveragePool, Convolution, FullConnect, MaxPool, Norm
from pocketlens.planes.decode import decode_png
from pocketlens.planes.scanlines import read_header

PALETTES = Settings(palette_size=20, crush=None)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def lens_scores(contents: LensContents, pixels: np.ndarray) -> np.ndarray:
    """Scores of pixels (rows, cols, 3), red first, prepared as the lens's recipe says."""
    made = contents.recipe
    ordered = pixels[..., ::-1] if made.channels == "bgr" else pixels
    values = (ordered - np.array(made.mean, np.float32)) / np.array(made.scale, np.float32)
    picture = np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)
    return ReferenceEngine(contents).run([picture])[0]


def ccv_scores(path: Path, pixels: np.ndarray, mean: np.ndarray) -> np.ndarray:
    picture = np.ascontiguousarray((pixels - mean).transpose(2, 0, 1)[None], np.float32)
    return ReferenceEngine(read_ccv(path).network).run([picture])[0]


@pytest.mark.parametrize("settings", [Settings(bits=32), PALETTES], ids=["float", "palettes"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": "bgr"},
        {"scale": (58.395, 57.12, 57.375)},
        {"scale": (2.0, 3.0, -4.0), "channels": "bgr"},
    ],
    ids=["plain", "blue first", "scaled", "both"],
)
def test_scores_are_the_lens_s(tmp_path: Path, settings: Settings, changes: dict[str, Any]) -> None:
    contents = lens_of(small(), settings=settings, recipe=recipe(**changes))
    path = write_ccv(contents, tmp_path, name="net")[0]
    pixels = np.random.default_rng(1).uniform(0, 255, (17, 17, 3)).astype(np.float32)
    mean = (10.0, 20.0, 30.0)[:: -1 if "channels" in changes else 1]
    expected = lens_scores(contents, pixels)
    assert np.ptp(expected) > 1
    assert ccv_scores(path, pixels, np.array(mean)) == pytest.approx(expected, rel=1e-4, abs=1e-3)
    stored = rows(path, "SELECT input_height, input_width, mean_activity FROM convnet_params")
    assert stored[0][:2] == (25, 25)
    assert np.frombuffer(stored[0][2], "<f4").reshape(-1, 3).tolist() == [list(mean)] * 625


def test_groups_of_the_first_convolution_are_scaled_apart(tmp_path: Path) -> None:
    network = Chain().conv("conv", 12, groups=3).pool("pool").flat().full("scores", 5).network()
    contents = lens_of(network, recipe=recipe(scale=(2.0, 3.0, 5.0)))
    pixels = np.random.default_rng(1).uniform(0, 255, (17, 17, 3)).astype(np.float32)
    path = write_ccv(contents, tmp_path, name="net")[0]
    expected = lens_scores(contents, pixels)
    assert ccv_scores(path, pixels, np.array((10.0, 20, 30))) == pytest.approx(expected, rel=1e-4)
    blue_first = lens_of(network, recipe=recipe(channels="bgr"))
    with pytest.raises(ModelError, match="blue first in groups"):
        write_ccv(blue_first, tmp_path, name="net")


def test_layers_in_the_words_of_ccv(tmp_path: Path) -> None:
    path = write_ccv(lens_of(small()), tmp_path, name="net")[0]
    assert rows(path, "SELECT * FROM layer_params") == [
        (0, 1, 17, 17, 3, 1, 0, 3, 3, 3, 2, 8, 2, 1, None, None, None, None, None),
        (1, 5, 9, 9, 8, 2, 0, *(None,) * 7, 3, 2.0, 9.999999747378752e-05, 0.75, None),
        (2, 3, 9, 9, 8, 2, 0, *(None,) * 5, 2, 0, 3, None, None, None, None),
        (3, 1, 4, 4, 8, 2, 0, 3, 3, 8, 2, 8, 1, 1, None, None, None, None, None),
        (4, 3, 4, 4, 8, 2, 0, *(None,) * 5, 2, 0, 2, None, None, None, None),
        (5, 2, 2, 2, 8, 1, 32, *(None,) * 4, 12, *(None,) * 6, 1),
        (6, 2, 12, 1, 1, 1, 12, *(None,) * 4, 6, *(None,) * 6, 0),
    ]
    tables = {name for (name,) in rows(path, "SELECT name FROM sqlite_master")}
    assert tables == {"layer_params", "convnet_params", "layer_data"}


def test_weights_are_channels_last(tmp_path: Path) -> None:
    network = small()
    path = write_ccv(lens_of(network), tmp_path, name="net")[0]
    blobs = {row[0]: row[1:] for row in rows(path, "SELECT * FROM layer_data")}
    assert set(blobs) == {0, 3, 5, 6}
    weight = network.tensors["second.0"]
    assert blobs[3][0] == weight.transpose(0, 2, 3, 1).astype("<f4").tobytes()
    assert blobs[3][1:] == (network.tensors["second.1"].astype("<f4").tobytes(), 0)
    rows_of_hidden = np.frombuffer(blobs[5][0], "<f4").reshape(12, 2, 2, 8)
    expected = network.tensors["hidden.0"].reshape(12, 8, 2, 2)
    assert np.array_equal(rows_of_hidden.transpose(0, 3, 1, 2), expected)


def test_palettes_of_full_connects_become_pictures(tmp_path: Path) -> None:
    settings = Settings(palette_size=16, crush=None)
    contents = lens_of(small(), settings=settings)
    database, *others = write_ccv(contents, tmp_path, name="net")
    assert [path.name for path in others] == ["layer-5-4bit.png", "layer-6-4bit.png"]
    records = {record.name: record for record in contents.tensors}
    quants = dict(rows(database, "SELECT layer, quant FROM layer_quant"))
    blobs = {row[0]: row[1:] for row in rows(database, "SELECT * FROM layer_data")}
    for number, name in ((5, "hidden.0"), (6, "scores.0")):
        record = records[name]
        png = (tmp_path / f"layer-{number}-4bit.png").read_bytes()
        outputs, inputs = record.shape
        assert read_header(png) == (inputs, outputs, 8)
        assert png.count(b"IDAT") == 1 and b"tEXt" not in png and b"gAMA" not in png
        indices = tensor_indices(record)
        if number == 5:
            indices = indices.reshape(12, 8, 2, 2).transpose(0, 2, 3, 1).reshape(12, 32)
        assert np.array_equal(decode_png(png), indices)
        assert quants[number] == record.palettes
        assert blobs[number][0] is None and blobs[number][2] == 1
    assert len(blobs[0][0]) == 2 * 8 * 3 * 3 * 3


def test_more_values_than_16_and_several_palettes(tmp_path: Path) -> None:
    names = [path.name for path in write_ccv(lens_of(small(), settings=PALETTES), tmp_path / "one",
                                             name="net")]  # fmt: skip
    assert names == ["net.sqlite3", "layer-5.png", "layer-6.png"]
    grouped = lens_of(small(), settings=Settings(bits=2, group_rows=4, crush=None))
    assert [path.name for path in write_ccv(grouped, tmp_path / "two", name="net")] == [
        "net.sqlite3"
    ]
    imported = read_ccv(tmp_path / "two" / "net.sqlite3")
    again = {len(np.unique(values)) for name, values in imported.network.tensors.items()
             if name in ("fc5.weight", "fc6.weight")}  # fmt: skip
    assert max(again) <= 12


def test_half_precision_only_where_the_lens_has_it_throughout(tmp_path: Path) -> None:
    def precision(contents: LensContents) -> set[int]:
        path = write_ccv(contents, tmp_path, name="net")[0]
        return {row[0] for row in rows(path, "SELECT half_precision FROM layer_data")}

    assert precision(lens_of(small(), settings=PALETTES)) == {1}
    assert precision(lens_of(small())) == {0}
    scaled = recipe(scale=(2.0, 2.0, 3.0))
    assert precision(lens_of(small(), settings=PALETTES, recipe=scaled)) == {0}


@pytest.mark.parametrize(
    ("asked", "side"), [(25, 25), (17, 17), (18, 17), (20, 21), (24, 25), (300, 301)]
)
def test_the_picture_is_larger_than_a_patch_by_whole_steps(
    tmp_path: Path, asked: int, side: int
) -> None:
    contents = lens_of(small(), recipe=recipe(resize_height=asked, resize_width=asked))
    written = export_ccv(contents, tmp_path, name="net")
    stored = rows(written.files[0], "SELECT input_height, input_width FROM convnet_params")
    assert stored == [(side, side)]  # steps of 4: the first convolution's and the first pool's
    assert f"to {side}, by box average" in written.notes[0]


@pytest.mark.parametrize(("side", "notes"), [(25, 0), (24, 1)])
def test_ccv_s_own_pictures_stay_what_they_are(tmp_path: Path, side: int, notes: int) -> None:
    mean = np.random.default_rng(0).uniform(0, 255, (side, side, 3)).astype("<f4")
    given = recipe(resize="ccv", filter="box", resize_height=side, resize_width=side,
                   mean=(0.0,) * 3, mean_picture=mean.tobytes())  # fmt: skip
    written = export_ccv(lens_of(small(), recipe=given), tmp_path, name="net")
    stored = rows(written.files[0], "SELECT input_height, input_width FROM convnet_params")
    assert stored == [(side, side)]
    assert len(written.notes) == notes
    assert read_ccv(written.files[0]).recipe == given


def test_a_mean_picture_is_kept_or_stretched(tmp_path: Path) -> None:
    planar = np.random.default_rng(0).uniform(90, 150, (3, 17, 17)).astype("<f2")
    given = {"mean": (0.0,) * 3, "mean_picture": planar.tobytes(), "channels": "bgr"}
    small_picture = {"resize_height": 17, "resize_width": 17}
    path = write_ccv(lens_of(small(), recipe=recipe(**given, **small_picture)), tmp_path, name="a")[
        0
    ]
    mean = np.frombuffer(rows(path, "SELECT mean_activity FROM convnet_params")[0][0], "<f4")
    assert np.array_equal(mean.reshape(17, 17, 3), planar[::-1].transpose(1, 2, 0))
    written = export_ccv(lens_of(small(), recipe=recipe(**given)), tmp_path, name="b")
    assert "mean picture is stretched to 25x25" in written.notes[1]
    blob = rows(written.files[0], "SELECT mean_activity FROM convnet_params")[0][0]
    assert abs(np.frombuffer(blob, "<f4").mean() - planar.astype(np.float32).mean()) < 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"resize": "exact", "resize_height": 20}, "brought to 20x25"),
        ({"resize_height": 8192, "resize_width": 8192}, "8193 pixels"),
    ],
)
def test_recipes_that_ccv_has_not(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=f"{said}.*ccv-cannot-express"):
        write_ccv(lens_of(small(), recipe=recipe(**changes)), tmp_path, name="net")


def test_pixels_that_are_divided_before_a_pool(tmp_path: Path) -> None:
    chain = Chain().pool("thin", size=1, stride=1).conv("conv", 4).pool("pool")
    network = chain.flat().full("scores", 5).network()
    write_ccv(lens_of(network, recipe=recipe(channels="bgr")), tmp_path, name="net")
    with pytest.raises(ModelError, match="first layer is no convolution"):
        write_ccv(lens_of(network, recipe=recipe(scale=(2.0, 2.0, 2.0))), tmp_path, name="net")


def test_labels_lie_beside_it(tmp_path: Path) -> None:
    labels = tuple(Label(f"thing {n}, part", f"n{n:08d}") for n in range(6))
    names = [path.name for path in write_ccv(lens_of(small(), labels=labels), tmp_path, name="net")]
    assert names == ["net.sqlite3", "net.wnid", "net.words"]
    assert (tmp_path / "net.wnid").read_bytes() == b"".join(b"n%08d\n" % n for n in range(6))
    assert (tmp_path / "net.words").read_text().splitlines()[3] == "thing 3, part"
    some = (Label("thing"), *labels[1:])
    assert len(write_ccv(lens_of(small(), labels=some), tmp_path / "some", name="net")) == 2
    assert len(write_ccv(lens_of(small()), tmp_path / "none", name="net")) == 1


def test_a_network_by_name_is_read_back_as_it_was(tmp_path: Path) -> None:
    layers = (Convolution(8, 5, 2, 2), Norm(2), MaxPool(), Convolution(8, 3, groups=2),
              AveragePool(2, 2), FullConnect(9), FullConnect(4, relu=False))  # fmt: skip
    network = filled(chain(layers, side=17), first_biases(layers), seed=0)
    path = write_ccv(lens_of(network), tmp_path, name="net")[0]
    again = read_ccv(path).network
    assert again.graph == network.graph
    assert all(np.array_equal(again.tensors[name], network.tensors[name]) for name in again.tensors)


def test_same_lens_same_bytes(tmp_path: Path) -> None:
    contents = lens_of(small(), settings=PALETTES)
    for folder in ("one", "two"):
        write_ccv(contents, tmp_path / folder, name="net")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_an_earlier_export_is_replaced_whole(tmp_path: Path) -> None:
    longer = Chain().conv("a", 8).pool("b").flat().full("c", 9, "relu").full("d", 6, "relu").full(
        "e", 5
    ).network()  # fmt: skip
    write_ccv(lens_of(longer, settings=PALETTES), tmp_path, name="net")
    shorter = Chain().conv("a", 8).pool("b").flat().full("c", 5).network()
    files = write_ccv(lens_of(shorter, settings=Settings(bits=4, crush=None)), tmp_path, name="net")
    assert rows(files[0], "SELECT layer FROM layer_params") == [(0,), (1,), (2,)]
    assert {path.name for path in tmp_path.glob("layer-2*")} == {"layer-2-4bit.png"}
    assert read_ccv(files[0]).palettes.keys() == {"fc2.weight"}


def test_pictures_of_another_network_are_left_alone(tmp_path: Path) -> None:
    contents = lens_of(small(), settings=PALETTES)
    write_ccv(contents, tmp_path, name="net")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileError, match="ccv-pictures-taken"):
        write_ccv(contents, tmp_path, name="other")
    with pytest.raises(FileError, match="ccv-pictures-taken"):
        write_ccv(lens_of(small(), settings=Settings(bits=4, crush=None)), tmp_path, name="other")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_fails_on_the_way_leaves_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ccv(lens_of(small(), settings=PALETTES), tmp_path, name="net")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "write_database", fails)
    with pytest.raises(KeyboardInterrupt):
        write_ccv(lens_of(small(seed=1), settings=PALETTES), tmp_path, name="net")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_is_killed_in_between_is_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ccv(lens_of(small(), settings=PALETTES), tmp_path, name="net")
    replace, moved = Path.replace, []

    def dies(self: Path, target: Path) -> Path:
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        write_ccv(lens_of(small(seed=1), settings=PALETTES), tmp_path, name="net")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layer-5.png", "layer-6.png"]


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a\0b", "x" * 201])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="bad-file-name"):
        write_ccv(lens_of(small()), tmp_path / "files", name=name)
    assert not (tmp_path / "files").exists()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot-write"):
        write_ccv(lens_of(small()), tmp_path / "file", name="net")


@pytest.mark.parametrize("with_ids", [True, False])
def test_labels_come_back_with_the_network(tmp_path: Path, with_ids: bool) -> None:
    ids = [f"n{number:08d}" if with_ids else "" for number in (5, 3, 9, 1, 7, 2)]
    labels = tuple(Label(f"thing {n}", wnid) for n, wnid in enumerate(ids))
    path = write_ccv(lens_of(small(), labels=labels), tmp_path, name="net")[0]
    assert read_ccv(path).labels == labels
    path.with_suffix(".words").write_text("one\ntwo\n", "utf-8")
    assert read_ccv(path).labels == ()


def test_sorted_labels_of_the_network_itself_are_no_mistake(tmp_path: Path) -> None:
    chain = Chain(side=9).conv("conv", 4).pool("pool").flat().full("scores", 1000)
    labels = tuple(Label(f"thing {n}", f"n{n:08d}") for n in range(1000))
    path = write_ccv(lens_of(chain.network(), labels=labels), tmp_path, name="net")[0]
    imported = read_ccv(path)
    assert pack(imported, settings=Settings(bits=32)).labels == labels
    with pytest.raises(DataError, match="labels-order"):
        path.with_suffix(".wnid").unlink()
        path.with_suffix(".words").unlink()
        pack(read_ccv(path), settings=Settings(bits=32), labels=labels)
