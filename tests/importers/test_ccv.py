"""Networks of ccv's: its fixtures as it computes them, and every way of saying no."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest

from importers.ccv_files import NAMES, changed, fixtures, malformed
from pocketlens.base.errors import FileError, ModelError, PocketlensError, UsageError
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.graph.graph import Network
from pocketlens.importers.ccv.reader import is_ccv, read_ccv
from pocketlens.importers.imported import Imported
from pocketlens.importers.reader import read_model


@pytest.fixture
def folder(data_folder: Path) -> Path:
    return fixtures(data_folder)


@pytest.fixture
def mobile(folder: Path, tmp_path: Path) -> Path:
    """The fixture with pictures, to be changed."""
    for path in (folder / "mobile").glob("*.*"):
        shutil.copy(path, tmp_path)
        (tmp_path / path.name).chmod(0o644)
    return tmp_path / "mobile.sqlite3"


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_computes_what_ccv_computes(folder: Path, name: str) -> None:
    imported = read_ccv(folder / f"{name}.sqlite3")
    graph = imported.network.graph
    expected = np.load(folder / f"{name.removesuffix('-full')}.expected.npz")
    layers = tuple(node.output for node in graph.nodes if node.op != "reshape")
    network = Network(dataclasses.replace(graph, outputs=layers), imported.network.tensors)
    patch = expected["patch"].transpose(2, 0, 1)[None]
    for number, found in enumerate(ReferenceEngine(network).run([patch])):
        want = expected[f"act{number:02d}"]
        want = want.transpose(2, 0, 1)[None] if want.ndim == 3 else want.reshape(1, -1)
        assert found.shape == want.shape
        assert np.abs(found - want).max() <= 1e-5 * np.abs(want).max()


@pytest.mark.parametrize("name", ["tiny", "tiny-half", "odd"])
def test_weights_are_the_blobs(folder: Path, name: str) -> None:
    path = folder / f"{name}.sqlite3"
    tensors = read_ccv(path).network.tensors
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as database:
        params = {row[0]: row[1:] for row in database.execute(
            "select layer, type, input_matrix_rows, input_matrix_cols, input_matrix_channels, "
            "output_rows, output_cols, output_count from layer_params")}  # fmt: skip
        for layer, weight, bias, half in database.execute("select * from layer_data"):
            kind, rows, cols, channels, kernel_rows, kernel_cols, count = params[layer]
            item = "<f2" if half else "<f4"
            numbers = np.frombuffer(weight, item).astype(np.float32)
            if kind == 1:
                wanted = numbers.reshape(count, kernel_rows, kernel_cols, -1).transpose(0, 3, 1, 2)
            else:
                cube = numbers.reshape(count, rows, cols, channels)
                wanted = cube.transpose(0, 3, 1, 2).reshape(count, -1)
            label = f"{'conv' if kind == 1 else 'fc'}{layer}"
            assert np.array_equal(tensors[f"{label}.weight"], wanted)
            assert np.array_equal(
                tensors[f"{label}.bias"], np.frombuffer(bias, item).astype(np.float32)
            )


def test_what_the_file_says_of_itself(folder: Path) -> None:
    imported = read_model(folder / "tiny.sqlite3")
    assert imported.name == "tiny"
    assert imported.source_name == "tiny.sqlite3"
    assert len(imported.source_sha256) == 64
    assert imported.scores == "logits"
    assert imported.input_shape == (1, 3, 33, 33)
    assert not imported.palettes
    recipe = imported.recipe
    assert recipe is not None
    assert (recipe.resize, recipe.resize_height, recipe.resize_width) == ("ccv", 49, 49)
    assert (recipe.height, recipe.width, recipe.channels) == (33, 33, "rgb")
    assert len(recipe.mean_picture) == 49 * 49 * 3 * 4


def test_onnx_is_not_imported_for_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert read_model(folder / "micro.sqlite3").name == "micro"


def test_it_is_known_by_its_table(folder: Path, tmp_path: Path) -> None:
    assert is_ccv(folder / "micro.sqlite3")
    assert not is_ccv(tmp_path / "none.sqlite3")
    assert not is_ccv(tmp_path)
    other = tmp_path / "other.sqlite3"
    with sqlite3.connect(other) as database:
        database.execute("create table t(a)")
    assert not is_ccv(other)
    with pytest.raises(ModelError) as refused:
        read_model(other)
    assert refused.value.slug == "not-ccv"
    with pytest.raises(FileError):
        read_model(tmp_path / "none.sqlite3")


def test_nothing_is_left_beside_it(folder: Path, tmp_path: Path) -> None:
    path = changed(folder / "micro.sqlite3", tmp_path / "m.sqlite3", "pragma journal_mode=wal")
    read_ccv(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.sqlite3"]


class TestMalformed:
    def test_every_case_of_the_list(self, folder: Path, tmp_path: Path) -> None:
        base = folder / "micro.sqlite3"
        good = read_ccv(base).network
        seen = {}
        for case in malformed(folder):
            path = changed(base, tmp_path / f"{case['name']}.sqlite3", case["sql"])
            should = case["reader_should"]
            if should.startswith("accept,") or should == "accept as 0":
                network = read_ccv(path).network
                assert all(
                    np.array_equal(network.tensors[name], values)
                    for name, values in good.tensors.items()
                )
                assert network.graph == good.graph
            elif case["name"] == "relu_on_last":
                node = read_ccv(path).network.graph.nodes[-1]
                assert node.attributes["activation"] == "relu"
            else:
                with pytest.raises(ModelError) as refused:
                    read_model(path)
                seen[case["name"]] = refused.value.slug
                assert refused.value.sentence.startswith(f"Cannot read '{path}'")
                assert refused.value.sentence.endswith(".")
        assert seen == SLUGS

    @pytest.mark.parametrize(("sql", "slug"), [
        ("update layer_params set output_border=3 where layer=1", "ccv-layer"),
        ("update layer_params set output_strides=-1 where layer=0", "ccv-layer"),
        ("update layer_params set input_matrix_partition=2 where layer=0", "ccv-layer"),
        ("update layer_params set input_matrix_partition=null where layer=0", "ccv-layer"),
        ("update layer_params set output_channels=4 where layer=0", "ccv-layer"),
        ("update layer_params set output_count='many' where layer=0", "ccv-layer"),
        ("update layer_params set output_count=4.5 where layer=0", "ccv-layer"),
        ("update layer_params set output_relu=x'01' where layer=2", "ccv-layer"),
        ("update layer_params set type=null where layer=0", "ccv-layers"),
        ("update layer_params set type=3, output_size=3, output_strides=2, output_border=0 "
         "where layer=2", "ccv-not-a-classifier"),
        ("update layer_params set output_border=16777216 where layer=0", "ccv-too-large"),
        ("update layer_data set weight=zeroblob(length(weight)-16)||x'0000c07f0000c07f0000c07f"
         "0000c07f' where layer=0", "not-finite"),
        ("update layer_data set bias='text' where layer=0", "ccv-weights"),
        ("update layer_data set weight=x'' where layer=0", "ccv-weights"),
        ("update convnet_params set input_height=5", "ccv-picture"),
        ("update convnet_params set input_height=12", "ccv-mean"),
        ("update convnet_params set mean_activity=zeroblob(1448)||x'0000c07f'", "not-finite"),
        ("update layer_params set output_size=zeroblob(100000) where layer=1", "ccv-too-large"),
        ("with recursive n(i) as (select 3 union all select i+1 from n where i<5000) "
         "insert into layer_params(layer) select i from n", "ccv-too-large"),
        ("alter table layer_params drop column output_relu", "ccv-too-old"),
        ("alter table layer_data drop column half_precision", "ccv-too-old"),
        ("drop table convnet_params", "ccv-too-old"),
        ("alter table layer_params drop column output_kappa", "ccv-schema"),
        ("alter table layer_data rename to d; create view layer_data as select * from d",
         "ccv-schema"),
        ("alter table layer_data drop column bias; alter table layer_data add column bias "
         "generated always as (zeroblob(1000000000)) virtual", "ccv-schema"),
        ("create table layer_quant(layer, quant); insert into layer_quant values(9, x'0000')",
         "ccv-table"),
        ("create table layer_quant(layer, quant); insert into layer_quant values(2, "
         "zeroblob(514))", "ccv-table"),
        ("create table layer_quant(layer, quant); insert into layer_quant values(2, x'000000')",
         "ccv-table"),
        ("create table layer_quant(layer, quant); insert into layer_quant values(2, null)",
         "ccv-table"),
    ])  # fmt: skip
    def test_and_others(self, folder: Path, tmp_path: Path, sql: str, slug: str) -> None:
        path = changed(folder / "micro.sqlite3", tmp_path / "m.sqlite3", sql)
        with pytest.raises(ModelError) as refused:
            read_model(path)
        assert refused.value.slug == slug

    @pytest.mark.parametrize("sql", [
        # Declared types and the order of columns do not matter; they turn what is stored.
        "create table p as select * from layer_params; drop table layer_params; "
        "create table layer_params(output_relu text, output_beta text, output_alpha text, "
        "output_kappa text, output_size real, output_border real, output_strides text, "
        "output_count text, output_partition, output_channels real, output_cols, output_rows, "
        "input_node_count text, input_matrix_partition real, input_matrix_channels, "
        "input_matrix_cols, input_matrix_rows, type text, layer text); insert into layer_params("
        "layer, type, input_matrix_rows, input_matrix_cols, input_matrix_channels, "
        "input_matrix_partition, input_node_count, output_rows, output_cols, output_channels, "
        "output_partition, output_count, output_strides, output_border, output_size, "
        "output_kappa, output_alpha, output_beta, output_relu) select * from p",
        "update layer_params set output_partition=7",
        "update layer_params set input_matrix_partition=3 where layer=1",
        "alter table layer_params rename to other; alter table other rename to Layer_Params",
        "create table layer_quant(layer, quant); insert into layer_quant values(2, x'0000')",
        "create table layer_quant(layer, quant); insert into layer_quant values(1, null)",
    ])  # fmt: skip
    def test_what_does_not_matter(self, folder: Path, tmp_path: Path, sql: str) -> None:
        base = folder / "micro.sqlite3"
        path = changed(base, tmp_path / "m.sqlite3", sql)
        assert read_ccv(path).network.graph == read_ccv(base).network.graph

    def test_cut_short(self, folder: Path, tmp_path: Path) -> None:
        content = (folder / "micro.sqlite3").read_bytes()
        path = tmp_path / "cut.sqlite3"
        for length in (16, 50, 100, 3000, 4096, 8192, 10_000, len(content) - 1):
            path.write_bytes(content[:length])
            with pytest.raises(ModelError) as refused:
                read_model(path)
            assert refused.value.slug in ("ccv-damaged", "not-ccv", "ccv-schema")

    @pytest.mark.parametrize("name", ["micro", "mobile/mobile"])
    def test_flipped_bytes_never_give_a_traceback(
        self, folder: Path, mobile: Path, name: str
    ) -> None:
        path = mobile.with_name("flipped.sqlite3")
        content = (folder / f"{name}.sqlite3").read_bytes()
        random = np.random.default_rng(5)
        refused = 0
        for number in range(150):
            data = bytearray(content)
            # Half of them where the schema and the first table are.
            places = random.integers(0, 6000 if number % 2 else len(data), 1 + number % 8)
            for place in places:
                data[place] = random.integers(0, 256)
            path.write_bytes(data)
            try:
                imported: Imported | None = read_model(path)
            except PocketlensError as error:
                imported = None
                refused += 1
                assert error.slug
            if imported is not None:
                assert all(np.isfinite(v).all() for v in imported.network.tensors.values())
        assert 0 < refused < 150


SLUGS = {
    "weight_short": "ccv-weights",
    "weight_long": "ccv-weights",
    "weight_trailing_byte": "ccv-weights",
    "weight_null": "ccv-weights",
    "weight_null_bias_kept_conv": "ccv-weights",
    "bias_null": "ccv-weights",
    "row_missing": "ccv-weights",
    "row_beyond_last_layer": "ccv-weights",
    "half_flag_2": "ccv-weights",
    "half_flag_on_float32": "ccv-weights",
    "mean_null": "ccv-mean",
    "mean_short": "ccv-mean",
    "convnet_row_missing": "ccv-picture",
    "convnet_id_1": "ccv-picture",
    "layer_gap": "ccv-layers",
    "layer_gap_params_only": "ccv-layers",
    "unknown_type": "ccv-layers",
    "even_kernel": "ccv-layer",
    "indivisible_pool": "ccv-shapes",
    "count_not_multiple_of_4": "ccv-shapes",
    "pool_channels_wrong": "ccv-shapes",
    "fc_input_matrix_wrong": "ccv-shapes",
    "fc_nodes_wrong": "ccv-shapes",
    "strides_null": "ccv-layer",
    "no_tables": "not-ccv",
    "no_layer_data_table": "ccv-schema",
}


class TestPictures:
    def test_palettes_are_the_table_and_the_picture(self, folder: Path) -> None:
        imported = read_ccv(folder / "mobile/mobile.sqlite3")
        inline = read_ccv(folder / "mobile/mobile-full.sqlite3")
        assert not inline.palettes
        assert set(imported.palettes) == {"fc7.weight", "fc8.weight", "fc9.weight"}
        for name, palette in imported.palettes.items():
            assert palette.indices.dtype == np.uint8
            assert palette.values.dtype == np.float16
            assert (np.diff(palette.values) > 0).all()
            values = palette.values.astype(np.float32)[palette.indices]
            assert np.array_equal(values, inline.network.tensors[name])
            assert np.array_equal(values, imported.network.tensors[name])

    def test_true_4_bits_are_the_same_indices(self, folder: Path) -> None:
        path = folder / "mobile/mobile.sqlite3"
        other = read_ccv(path, planes={7: folder / "mobile/bitdepth4/layer-7-4bit.png"})
        expected = read_ccv(path).palettes["fc7.weight"]
        assert np.array_equal(other.palettes["fc7.weight"].indices, expected.indices)
        assert np.array_equal(other.palettes["fc7.weight"].values, expected.values)

    def test_one_missing(self, mobile: Path) -> None:
        mobile.with_name("layer-8.png").unlink()
        self._refused(mobile, "ccv-plane-missing", "--plane 8=FILE")

    def test_two_for_one_layer(self, mobile: Path) -> None:
        shutil.copy(mobile.with_name("layer-8.png"), mobile.with_name("layer-8-8bit.png"))
        self._refused(mobile, "ccv-plane-ambiguous", "--plane 8=layer-8")
        given = {8: mobile.with_name("layer-8-8bit.png")}
        assert "fc8.weight" in read_ccv(mobile, planes=given).palettes

    def test_layer_80_is_not_layer_8(self, mobile: Path) -> None:
        shutil.copy(mobile.with_name("layer-8.png"), mobile.with_name("layer-80.png"))
        assert "fc8.weight" in read_ccv(mobile).palettes

    def test_one_for_a_layer_that_has_no_table(self, mobile: Path) -> None:
        with pytest.raises(UsageError) as refused:
            read_ccv(mobile, planes={5: mobile.with_name("layer-8.png")})
        assert refused.value.slug == "ccv-plane-of-none"
        with pytest.raises(UsageError) as refused:
            read_model(mobile.with_name("layer-8.png"), planes={5: mobile})
        assert refused.value.slug == "planes-of-onnx"

    def test_one_given_that_is_not_there(self, mobile: Path) -> None:
        with pytest.raises(FileError):
            read_ccv(mobile, planes={8: mobile.with_name("none.png")})

    def test_of_another_size(self, mobile: Path) -> None:
        shutil.copy(mobile.with_name("layer-9.png"), mobile.with_name("layer-8.png"))
        self._refused(mobile, "ccv-plane-size", "48 x 32")

    def test_a_table_that_is_too_short(self, mobile: Path) -> None:
        self._sql(mobile, "update layer_quant set quant=substr(quant, 1, 500) where layer=8")
        self._refused(mobile, "ccv-index", "250 values")

    def test_a_table_with_a_value_that_is_used_and_not_finite(self, mobile: Path) -> None:
        self._sql(mobile, "update layer_quant set quant=x'007e'||substr(quant, 3) where layer=7")
        self._refused(mobile, "not-finite", "layer 7")

    def test_weights_twice(self, mobile: Path) -> None:
        with sqlite3.connect(mobile.with_name("mobile-full.sqlite3")) as database:
            (weight,) = database.execute("select weight from layer_data where layer=8").fetchone()
            (bias,) = database.execute("select bias from layer_data where layer=8").fetchone()
        with sqlite3.connect(mobile) as database:
            database.execute(
                "update layer_data set weight=?, bias=?, half_precision=0 where layer=8",
                (weight, bias),
            )
        assert "fc8.weight" in read_ccv(mobile).palettes
        with sqlite3.connect(mobile) as database:
            other = np.frombuffer(weight, "<f4") * np.float32(2)
            database.execute("update layer_data set weight=? where layer=8", (other.tobytes(),))
        self._refused(mobile, "ccv-weights-twice", "layer-8.png")
        mobile.with_name("layer-8.png").unlink()
        imported = read_ccv(mobile)
        assert "fc8.weight" not in imported.palettes
        assert np.array_equal(imported.network.tensors["fc8.weight"].reshape(-1), other)

    def _refused(self, path: Path, slug: str, words: str) -> None:
        with pytest.raises(ModelError) as refused:
            read_ccv(path)
        assert refused.value.slug == slug
        assert words in refused.value.sentence

    def _sql(self, path: Path, sql: str) -> None:
        with sqlite3.connect(path) as database:
            database.execute(sql)
