"""A sweep's rows are what compress and eval give, whatever stops it on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import pocketlens
from pocketlens.base.errors import DataError, FileError, PocketlensError, UsageError
from pocketlens.calibration.collect import collect
from pocketlens.compression import priced
from pocketlens.compression.about import About
from pocketlens.compression.overrides import Override
from pocketlens.compression.price import Price
from pocketlens.compression.priced import compress_at_price
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import compress
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.labels.labels import Label
from pocketlens.sweep.ledger import LEDGER, Ledger
from pocketlens.sweep.points import MIX, Point, points_by_hand, without_repeats
from pocketlens.sweep.sights import read_sight
from pocketlens.sweep.story import Sweep, sweep
from pocketlens.sweep.table import row_json, rows_about
from sweep.conftest import PHOTOS, write_photos


def swept(model: Path, photos: Path, folder: Path, **options: Any) -> Sweep:
    given = {"recipe": "cifar-raw", "crush": None, "jobs": 1, "repeats": 1} | options
    return sweep(model, photos, folder, **given)


def lasting(found: Sweep) -> list[dict[str, Any]]:
    """Rows without their times."""
    return [{**row_json(row), "milliseconds": None} for row in found.rows]


@pytest.fixture(scope="module")
def whole(model: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return swept(model, photos, tmp_path_factory.mktemp("whole"))


def test_the_usual_rows_are_the_widths_and_the_mix(whole: Sweep) -> None:
    names = [row.entry.name for row in whole.rows]
    widths = ["32 bits", "16 bits", "8 bits", MIX, "6 bits", "4 bits", "3 bits", "2 bits"]
    assert names == widths
    assert whole.rows[3].entry.settings["overrides"][0]["pattern"] == "w3"
    assert all(row.timing is not None and row.timing.milliseconds > 0 for row in whole.rows)


def test_rows_agree_with_compress_and_evaluate(
    whole: Sweep, model: Path, photos: Path, tmp_path: Path
) -> None:
    row = whole.rows[4]
    lens = tmp_path / "6.lens"
    compress(model, lens, settings=Settings(bits=6, crush=None), about=About("cifar-raw"))
    assert row.entry.file_bytes == lens.stat().st_size
    compress(model, tmp_path / "32.lens", settings=Settings(bits=32), about=About("cifar-raw"))
    with pocketlens.open(tmp_path / "32.lens") as reference:
        evaluation = pocketlens.evaluate(lens, photos, against=reference)
    assert row.entry.measurement == evaluation.measurement
    assert row.comparison == evaluation.comparison
    assert row.entry.measurement.n == PHOTOS


def test_crushing_makes_lenses_smaller_and_both_sizes_are_told(
    model: Path, photos: Path, tmp_path: Path, whole: Sweep
) -> None:
    crushed = swept(model, photos, tmp_path, crush=2, usual=False, by_hand=[
        Point("8 bits", Settings(bits=8, crush=2))])  # fmt: skip
    before, after = whole.rows[2].entry, crushed.rows[1].entry
    assert before.file_bytes == before.uncrushed_bytes
    assert after.file_bytes <= after.uncrushed_bytes
    assert abs(after.uncrushed_bytes - before.file_bytes) <= 512  # the settings in it differ


def test_processes_change_nothing_but_the_time(
    model: Path, photos: Path, tmp_path: Path, whole: Sweep
) -> None:
    assert lasting(swept(model, photos, tmp_path, jobs=2)) == lasting(whole)
    assert not list(tmp_path.glob(".*"))


def test_a_second_call_measures_nothing_and_says_the_same(
    model: Path, photos: Path, tmp_path: Path
) -> None:
    first = swept(model, photos, tmp_path)
    before = (tmp_path / LEDGER).read_bytes()
    second = swept(model, photos, tmp_path)
    assert (first.measured, second.measured) == (8, 0)
    assert [row_json(row) for row in second.rows] == [row_json(row) for row in first.rows]
    assert (tmp_path / LEDGER).read_bytes() == before


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_sweep_goes_on(
    model: Path, photos: Path, tmp_path: Path, whole: Sweep, jobs: int
) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "measuring" and done > total / 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swept(model, photos, tmp_path, jobs=jobs, progress=interrupt)
    assert not list(tmp_path.glob(".*"))
    assert not list(tmp_path.glob("*.tmp"))
    found = swept(model, photos, tmp_path)
    assert found.measured < 8 or jobs > 1
    assert lasting(found) == lasting(whole)


def test_a_line_that_a_kill_cut_short_is_measured_again(
    model: Path, photos: Path, tmp_path: Path, whole: Sweep
) -> None:
    swept(model, photos, tmp_path)
    ledger = tmp_path / LEDGER
    points = [line for line in ledger.read_bytes().splitlines(keepends=True) if b'"point"' in line]
    ledger.write_bytes(b"".join(points[:5]) + points[5][: len(points[5]) // 2])
    found = swept(model, photos, tmp_path)
    assert found.measured == 3
    assert lasting(found) == lasting(whole)
    assert len(Ledger(tmp_path).entries) == 8


def test_a_lens_that_was_changed_or_deleted_is_made_again(
    model: Path, photos: Path, tmp_path: Path, whole: Sweep
) -> None:
    swept(model, photos, tmp_path)
    (tmp_path / "8-bits.lens").write_bytes(b"something else")
    (tmp_path / "4-bits.lens").unlink()
    found = swept(model, photos, tmp_path)
    assert found.measured == 2
    assert lasting(found) == lasting(whole)


def test_other_photos_or_another_recipe_are_other_rows(
    model: Path, photos: Path, tmp_path: Path
) -> None:
    only = {"usual": False}
    swept(model, photos, tmp_path, **only)
    again = swept(model, photos, tmp_path, recipe="imagenet", **only)
    assert again.measured == 1
    about = rows_about(Ledger(tmp_path), again.rows[0].entry.model_sha256)
    assert [row.entry for row in about] == [again.rows[0].entry]
    other = write_photos(tmp_path / "other.npz", 5)
    found = swept(model, other, tmp_path, **only)
    assert found.measured == 1
    about = rows_about(Ledger(tmp_path), found.rows[0].entry.model_sha256)
    assert {row.entry.measurement.n for row in about} == {5}


@pytest.mark.parametrize("line", [b"nonsense\n", b"{}\n", b'{"kind": "point", "key": "k"}\n',
                                  b'{"kind": "other"}\n', b"\xff\n", b"[1]\n"])  # fmt: skip
def test_a_damaged_line_is_told_by_its_number(
    model: Path, photos: Path, tmp_path: Path, line: bytes
) -> None:
    swept(model, photos, tmp_path, usual=False)
    with (tmp_path / LEDGER).open("ab") as file:
        file.write(line)
    number = len((tmp_path / LEDGER).read_bytes().splitlines())
    with pytest.raises(DataError, match=rf"Line {number} .*ledger-damaged"):
        swept(model, photos, tmp_path)


def slug_of(model: Path, photos: Path, folder: Path, **options: Any) -> str:
    with pytest.raises(PocketlensError) as caught:
        swept(model, photos, folder, **options)
    return caught.value.slug


def test_bad_calls_are_told_before_the_work(model: Path, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    too_high = write_photos(tmp_path / "many.npz", classes=20)
    mistyped = [Point("x", Settings(overrides=(Override("w9", 4),)))]
    assert slug_of(model, tmp_path / "none.npz", folder) == "no-such-file"
    assert slug_of(model, empty, folder) in {"not-a-dataset", "empty-dataset"}
    assert slug_of(model, too_high, folder) == "unknown-label"
    assert slug_of(model, photos, folder, jobs=0) == "bad-jobs"
    assert slug_of(model, photos, folder, by_hand=mistyped) == "unknown-tensor"
    assert slug_of(model, photos, folder, labels=(Label("one"),)) == "labels-do-not-fit"
    assert slug_of(model, photos, pocketlens.bundled()) == "not-a-folder"
    assert not list(folder.glob("*.lens"))


def test_a_folder_that_cannot_be_written(model: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match="cannot-write"):
        swept(model, photos, tmp_path / "file" / "out")
    (tmp_path / "taken" / LEDGER).mkdir(parents=True)
    with pytest.raises(FileError):
        swept(model, photos, tmp_path / "taken")


def test_a_photo_that_cannot_be_decoded_ends_the_sweep_in_a_sentence(
    model: Path, tmp_path: Path
) -> None:
    for number in range(10):
        folder = tmp_path / "photos" / str(number)
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(PocketlensError):
        swept(model, tmp_path / "photos", tmp_path / "out")
    assert not list((tmp_path / "out").glob(".*"))


def test_errors_in_another_process_arrive_whole(model: Path, photos: Path, tmp_path: Path) -> None:
    for name in ("8-bits.lens", "4-bits.lens"):
        (tmp_path / name).mkdir()
    with pytest.raises(FileError, match=r"8-bits.lens|4-bits.lens") as caught:
        swept(model, photos, tmp_path, jobs=2)
    assert caught.value.slug == "cannot-write"


def test_rows_by_hand() -> None:
    points = points_by_hand(bits=[5, 4], group_rows=[16, 8], crush=None)
    assert [point.name for point in points] == [
        "5 bits, groups of 16", "5 bits, groups of 8",
        "4 bits, groups of 16", "4 bits, groups of 8",
    ]  # fmt: skip
    assert points[0].lens == "5-bits-groups-of-16.lens"
    with pytest.raises(UsageError, match="group-rows-alone"):
        points_by_hand(group_rows=[16], crush=None)


def test_points_by_rate_and_distortion(model: Path, photos: Path, tmp_path: Path) -> None:
    unlabelled = write_photos(tmp_path / "unlabelled.npz", 40, seed=2)
    points = points_by_hand(lagrangians=[1e-4], sizes=["20kB"], photos=unlabelled, crush=None)
    found = swept(model, photos, tmp_path / "out", usual=False, by_hand=points)
    price, fits = (row.entry for row in found.rows[1:])
    assert price.settings["lagrangian"] == 1e-4
    assert fits.file_bytes <= 20_000
    assert fits.lens == "at-most-20kb.lens"
    again = swept(model, photos, tmp_path / "out", usual=False, by_hand=points)
    assert again.measured == 0
    write_photos(unlabelled, 40, seed=3)
    assert swept(model, photos, tmp_path / "out", usual=False, by_hand=points).measured == 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_photos_are_looked_at_once_for_all_points(
    model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    looked = []
    monkeypatch.setattr(priced, "collect", lambda *a, **k: looked.append(1) or collect(*a, **k))
    unlabelled = write_photos(tmp_path / "unlabelled.npz", 40, seed=2)
    points = points_by_hand(lagrangians=[1e-4, 1e-5], photos=unlabelled, crush=None)
    out = tmp_path / "out"
    found = swept(model, photos, out, usual=False, by_hand=points, jobs=jobs)
    assert len(looked) == 1
    assert not list(out.glob(".*"))
    (out / found.rows[2].entry.lens).unlink()
    assert swept(model, photos, out, usual=False, by_hand=points).measured == 1
    assert len(looked) == 2
    for row, point in zip(found.rows[1:], points, strict=True):
        assert point.price is not None
        lens = tmp_path / "alone.lens"
        about = About("cifar-raw")
        compress_at_price(read_onnx(model), lens, price=point.price, crush=None, about=about)
        assert lens.read_bytes() == (out / row.entry.lens).read_bytes()


def test_a_sweep_whose_statistics_were_taken_away_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="sights-gone"):
        read_sight(tmp_path, Price(lagrangian=1e-4))


def test_photos_that_calibrate_do_not_measure(model: Path, photos: Path, tmp_path: Path) -> None:
    same = points_by_hand(lagrangians=[1e-4], photos=photos, crush=None)
    none = points_by_hand(lagrangians=[1e-4], photos=tmp_path / "none", crush=None)
    assert slug_of(model, photos, tmp_path, by_hand=same) == "calibration-measures"
    assert slug_of(model, photos, tmp_path, by_hand=none) == "no-such-file"


def test_equal_settings_are_one_row_and_equal_names_two_files() -> None:
    eight, four = Settings(bits=8), Settings(bits=4)
    points = without_repeats([Point("a", eight), Point("b", eight), Point("A", four)])
    assert [point.lens for point in points] == ["a.lens", "a-2.lens"]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_command_goes_on_where_it_was(
    model: Path, tmp_path: Path, sign: signal.Signals
) -> None:
    photos = write_photos(tmp_path / "many.npz", 2000)
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "pocketlens", "sweep", str(model), "--data", str(photos),
               "-o", str(folder), "--preset", "cifar-raw", "--no-crush", "--jobs", "2",
               "--repeats", "1", "--json"]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    while process.poll() is None and not _lines(folder / LEDGER):
        time.sleep(0.02)
    os.kill(process.pid, sign)
    said = process.communicate()[1].decode()
    assert "Traceback" not in said
    if sign == signal.SIGINT and process.returncode:
        assert "goes on from there" in said
        assert not list(folder.glob(".*"))
    before = len(_lines(folder / LEDGER))
    document = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert len(document["rows"]) == 8
    points = [line for line in _lines(folder / LEDGER) if b'"point"' in line]
    assert before >= 1
    assert len({json.loads(line)["key"] for line in points}) == len(points) == 8


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.is_file() else []
