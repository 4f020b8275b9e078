"""--crops ccv10 on the command line: from ccv's file to its own answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from importers.ccv_files import fixtures
from pocketlens.lensfile.reader import read_lens

from .conftest import Run


@pytest.fixture
def mobile(data_folder: Path, run: Run, tmp_path: Path) -> Path:
    """A lens of the fixture with pictures of weights, whose palettes are kept."""
    for path in (fixtures(data_folder) / "mobile").glob("*.*"):
        shutil.copy(path, tmp_path)
    lens = tmp_path / "mobile.lens"
    run("compress", tmp_path / "mobile.sqlite3", "-o", lens, "--bits", 8, "--no-crush")
    return lens


def test_classify_answers_nearly_as_ccv(data_folder: Path, run: Run, mobile: Path) -> None:
    folder = fixtures(data_folder)
    said = json.loads((folder / "mobile" / "mobile.expected.json").read_text())["results"]
    for crops, ranked in (("ccv10", "symmetric"), ("ccv5", "not_symmetric")):
        photo = folder / "images" / "exact49.png"
        told = json.loads(
            run("classify", mobile, photo, "--crops", crops, "--json", "--top", 3).stdout
        )
        assert told["crops"] == crops
        (row,) = told["photos"]
        number, confidence = said["exact49.png"][ranked][0]
        assert row["answers"][0]["number"] == number
        assert row["answers"][0]["confidence"] == pytest.approx(confidence, abs=0.05)


def test_eval_and_report_say_it(run: Run, mobile: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=pixels[None], labels=np.array([3]))
    told = json.loads(run("eval", mobile, "set.npz", "--crops", "ccv10", "--json").stdout)
    assert told["crops"] == "ccv10"
    (receipt,) = read_lens(mobile).receipts
    assert (receipt.crops, receipt.views) == ("ccv10", "10 windows as in ccv")
    assert "10 windows as in ccv" in run("inspect", mobile).stdout
    run("eval", mobile, "set.npz", "--crops", 5)
    run("report", mobile, "-o", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "10 windows as in ccv" in page and "5 crops" in page


def test_another_lens_says_how_to_get_such_a_recipe(run: Run, lens: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "photo.png")
    refused = run("classify", lens, "photo.png", "--crops", "ccv10", code=2)
    assert "sqlite3" in refused.stderr and "no-ccv-recipe" in refused.stderr
