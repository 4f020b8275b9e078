"""Networks of ccv's on the command line: made into lenses, opened as they are, or refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

import pocketlens
from cli.conftest import Run
from importers.ccv_files import changed, fixtures, malformed
from pocketlens.base.errors import UsageError
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.importers.ccv.reader import read_ccv
from pocketlens.importers.records import KEPT
from pocketlens.lensfile.reader import read_lens


@pytest.fixture
def folder(data_folder: Path) -> Path:
    return fixtures(data_folder)


@pytest.fixture
def mobile(run: Run, folder: Path) -> Path:
    """The fixture with pictures; `run` has made tmp_path the current folder."""
    del run
    shutil.copytree(folder / "mobile", "mobile")
    for path in (Path("mobile"), *Path("mobile").rglob("*")):
        path.chmod(0o755)
    return Path("mobile")


def test_every_malformed_file_is_a_sentence_or_a_lens(run: Run, folder: Path) -> None:
    refused = 0
    for case in malformed(folder):
        path = changed(folder / "micro.sqlite3", Path(f"{case['name']}.sqlite3"), case["sql"])
        should = str(case["reader_should"])
        taken = should.startswith(("accept,", "accept as")) or case["name"] == "relu_on_last"
        compressed = run("compress", path, "--no-crush", code=0 if taken else 2)
        shown = run("inspect", path, code=0 if taken else 2)
        assert path.with_suffix(".lens").exists() == taken
        for result in () if taken else (compressed, shown):
            refused += 1
            assert result.stderr.count("\n") == 1
            assert result.stderr.startswith("pocketlens: ")
    assert refused == 2 * 26


def test_a_lens_of_it_says_what_it_says(run: Run, folder: Path) -> None:
    text = " ".join(run("compress", folder / "micro.sqlite3", "-o", "m.lens").output.split())
    assert "(as the model says)" in text
    assert "assumed" not in text
    contents = read_lens(Path("m.lens"))
    assert contents.recipe == read_ccv(folder / "micro.sqlite3").recipe
    assert contents.provenance.source_name == "micro.sqlite3"


@pytest.mark.parametrize("crops", ["1", "10"])
def test_it_is_opened_as_it_is(run: Run, folder: Path, crops: str) -> None:
    path = folder / "micro.sqlite3"
    photo = folder / "images" / "photo.jpg"
    run("compress", path, "-o", "m.lens", "--bits", 32)
    rows = [
        json.loads(run("classify", each, photo, "--crops", crops, "--json").stdout)["photos"]
        for each in (path, "m.lens")
    ]
    assert rows[0] == rows[1]
    assert [entry.name for entry in Path().iterdir()] == ["m.lens"]


def test_threads_and_target_are_the_callers(folder: Path) -> None:
    with pocketlens.open(folder / "micro.sqlite3", threads=2, target="scalar") as lens:
        assert lens.engine_name == "core scalar"
        assert lens.name == "micro"


def test_it_is_measured_and_keeps_no_receipt(run: Run, folder: Path) -> None:
    path = Path(shutil.copy(folder / "micro.sqlite3", "m.sqlite3"))
    before = hashlib.sha256(path.read_bytes()).digest()
    for number in range(3):
        target = Path("photos", f"class {number}")
        target.mkdir(parents=True)
        shutil.copy(folder / "images" / "photo.jpg", target / "a.jpg")
    document = json.loads(run("eval", path, "photos", "--json").stdout)
    assert document["n"] == 3
    assert "receipt is in" not in run("eval", path, "photos").output
    assert hashlib.sha256(path.read_bytes()).digest() == before


class TestPlanes:
    def test_palettes_are_kept(self, run: Run, mobile: Path) -> None:
        told = run("compress", mobile / "mobile.sqlite3", "-o", "m.lens", "--bits", 4, "--json")
        rows = {row["name"]: row for row in json.loads(told.stdout)["tensors"]}
        found = {record.name: record for record in read_lens(Path("m.lens")).tensors}
        imported = read_ccv(mobile / "mobile.sqlite3")
        for name in imported.palettes:
            assert rows[name]["reason"] == KEPT
            assert np.array_equal(tensor_values(found[name]), imported.network.tensors[name])
        pictures = sum(path.stat().st_size for path in mobile.glob("*.png"))
        model_bytes = (mobile / "mobile.sqlite3").stat().st_size + pictures
        assert json.loads(told.stdout)["model_bytes"] == model_bytes

    def test_one_is_named(self, run: Run, mobile: Path) -> None:
        path = mobile / "mobile.sqlite3"
        run("compress", path, "-o", "a.lens")
        (mobile / "layer-7-4bit.png").rename("elsewhere.png")
        result = run("compress", path, "-o", "b.lens", code=2)
        assert "[ccv-plane-missing]" in result.stderr
        assert not Path("b.lens").exists()
        run("compress", path, "-o", "b.lens", "--plane", "7=elsewhere.png")
        assert Path("a.lens").read_bytes() == Path("b.lens").read_bytes()
        pocketlens.compress(path, "c.lens", planes={7: mobile / "bitdepth4/layer-7-4bit.png"})
        assert Path("a.lens").read_bytes() == Path("c.lens").read_bytes()

    @pytest.mark.parametrize("word", ["7", "=a.png", "x=a.png", "7=", "-1=a.png"])
    def test_words_that_name_none(self, run: Run, mobile: Path, word: str) -> None:
        result = run("compress", mobile / "mobile.sqlite3", "--plane", word, code=2)
        assert "[bad-plane-option]" in result.stderr

    def test_one_layer_twice(self, run: Run, mobile: Path) -> None:
        words = ("--plane", "7=a.png", "--plane", "07=b.png")
        result = run("compress", mobile / "mobile.sqlite3", *words, code=2)
        assert "[bad-plane-option]" in result.stderr

    def test_a_model_that_has_none(self, run: Run, model: Path) -> None:
        result = run("compress", model, "-o", "m.lens", "--plane", "7=a.png", code=2)
        assert "[planes-of-onnx]" in result.stderr
        with pytest.raises(UsageError):
            pocketlens.compress(model, "m.lens", planes={7: "a.png"})


def test_weights_that_overflow_are_told_in_a_sentence(run: Run, folder: Path) -> None:
    """Every number is finite, but what they make of a photo is not."""
    large = np.full(216, 3e38, "<f4")
    large[::2] *= -1
    sql = f"update layer_data set weight=x'{large.tobytes().hex()}' where layer=2"
    path = changed(folder / "micro.sqlite3", Path("big.sqlite3"), sql)
    for crops in (1, 10, "ccv10"):
        photo = folder / "images" / "photo.jpg"
        result = run("classify", path, photo, "--crops", crops, code=2)
        assert "[scores-overflow]" in result.stderr


def test_a_lens_is_not_compressed_again(run: Run, folder: Path) -> None:
    run("compress", folder / "micro.sqlite3", "-o", "m.lens")
    assert "[is-a-lens]" in run("compress", "m.lens", "-o", "n.lens", code=2).stderr


def test_a_model_may_come_through_a_pipe(run: Run, model: Path) -> None:
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(model.read_bytes()))
    writer.start()
    run("compress", "pipe", "-o", "m.lens", "--no-crush")
    writer.join()
    assert Path("m.lens").exists()
