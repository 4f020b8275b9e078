"""A lens to ccv's files from the command line and from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pocketlens
from cli.conftest import Run
from exporters.ccv_networks import lens_of, recipe, small
from pocketlens.base.errors import UsageError
from pocketlens.compression.settings import Settings
from pocketlens.importers.ccv.reader import is_ccv
from pocketlens.lensfile.writer import write_lens


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    settings = Settings(palette_size=16, crush=None)
    write_lens(tmp_path / "chain.lens", lens_of(small(), settings=settings, recipe=recipe()))
    return tmp_path / "chain.lens"


def test_files_and_sizes_are_told(run: Run, chain: Path) -> None:
    output = run("convert", chain, "--to", "ccv", "out").output
    assert all(name in output for name in ("chain.sqlite3", "layer-5-4bit.png", "together"))
    assert "ccv brings the shorter side to 25" in " ".join(output.split())
    assert is_ccv(Path("out/chain.sqlite3"))


def test_json(run: Run, chain: Path) -> None:
    output = run("convert", chain, "--to", "ccv", "out", "--name", "klaus", "--json").stdout
    document = json.loads(output)
    assert [Path(row["file"]).name for row in document["files"]] == [
        "klaus.sqlite3", "layer-5-4bit.png", "layer-6-4bit.png"
    ]  # fmt: skip
    assert all(Path(row["file"]).stat().st_size == row["bytes"] for row in document["files"])
    assert len(document["notes"]) == 1


def test_what_ccv_has_no_layer_for_is_a_sentence(run: Run, lens: Path) -> None:
    output = run("convert", lens, "--to", "ccv", "out", code=2).output
    assert "ccv cannot express" in output and "ccv-cannot-express" in output
    assert not Path("out").exists()


def test_other_programs_are_not_known(run: Run, chain: Path) -> None:
    assert "'caffe' is not 'ccv'" in run("convert", chain, "--to", "caffe", "out", code=2).output
    with pytest.raises(UsageError, match="unknown-format"):
        pocketlens.convert(chain, "out", to="caffe")


def test_a_network_of_ccv_is_written_again(run: Run, chain: Path) -> None:
    run("convert", chain, "--to", "ccv", "out")
    run("convert", "out/chain.sqlite3", "--to", "ccv", "again")
    for path in Path("out").iterdir():
        assert path.read_bytes() == (Path("again") / path.name).read_bytes()
    assert (
        "out-is-source" in run("convert", "out/chain.sqlite3", "--to", "ccv", "out", code=2).output
    )
    taken = run("convert", "out/chain.sqlite3", "--to", "ccv", "out", "--name", "other", code=2)
    assert "ccv-pictures-taken" in taken.output


def test_from_python(chain: Path, tmp_path: Path) -> None:
    files = pocketlens.convert(chain, tmp_path / "out", to="ccv", name="net")
    assert files[0] == tmp_path / "out" / "net.sqlite3" and len(files) == 3
