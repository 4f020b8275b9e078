"""A mistake gets a sentence and exit code 2; what was there before is untouched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import interruptible
from cli.conftest import Run


def sentence(run: Run, *arguments: object, code: int = 2) -> str:
    """What a mistaken call prints: one sentence with its slug, on stderr."""
    result = run(*arguments, code=code)
    text = result.stderr.strip()
    assert text.startswith("pocketlens: "), text
    assert text.endswith("]"), text
    return text


def test_missing_files(run: Run, lens: Path, photo: Path) -> None:
    assert "[no-such-file]" in sentence(run, "compress", "nothing.onnx")
    assert "[no-such-file]" in sentence(run, "classify", "nothing.lens", photo)
    assert "[no-such-file]" in sentence(run, "classify", lens, "nothing.jpg")
    assert "[no-such-file]" in sentence(run, "inspect", "nothing.lens")
    assert "[no-such-file]" in sentence(run, "eval", lens, "nothing")


def test_things_that_are_no_picture(run: Run, lens: Path, photo: Path) -> None:
    Path("text.jpg").write_text("not a picture", encoding="utf-8")
    Path("empty.png").write_bytes(b"")
    Path("cut.png").write_bytes(photo.read_bytes()[:200])
    for name in ("text.jpg", "empty.png", "cut.png"):
        sentence(run, "classify", lens, name)


def test_one_bad_photo_among_good_ones_is_told_and_the_rest_answered(
    run: Run, lens: Path, photo: Path
) -> None:
    Path("text.jpg").write_text("not a picture", encoding="utf-8")
    result = run("classify", lens, "text.jpg", photo, code=1)
    assert "text.jpg" in result.stderr
    assert "%" in result.stdout


def test_a_picture_of_one_pixel_works(run: Run, lens: Path) -> None:
    Image.new("RGB", (1, 1), "red").save("dot.png")
    assert "%" in run("classify", lens, "dot.png", "--crops", 10).output


def test_a_picture_of_four_hundred_megapixels_is_refused(run: Run, lens: Path) -> None:
    Image.new("1", (20_000, 20_000)).save("huge.png")
    assert "20,000 x 20,000 pixels" in sentence(run, "classify", lens, "huge.png")


def test_an_empty_folder_of_photos(run: Run, lens: Path) -> None:
    Path("none").mkdir()
    assert "[no-photos]" in sentence(run, "classify", lens, "none")


def test_a_text_file_named_onnx(run: Run) -> None:
    Path("fake.onnx").write_text("hello " * 100, encoding="utf-8")
    sentence(run, "compress", "fake.onnx")
    assert not Path("fake.lens").exists()


def test_a_model_cut_short(run: Run, model: Path) -> None:
    content = model.read_bytes()
    for part in (0, 1, 100, len(content) // 2, len(content) - 1):
        Path("cut.onnx").write_bytes(content[:part])
        sentence(run, "compress", "cut.onnx")


def test_numbers_that_cannot_be(run: Run, model: Path, lens: Path, photo: Path) -> None:
    assert "[bad-bits]" in sentence(run, "compress", model, "--bits", 9)
    assert "[bad-palette-size]" in sentence(run, "compress", model, "-k", 257)
    assert "[bad-group-rows]" in sentence(run, "compress", model, "--group-rows", 0)
    assert "[bad-top]" in sentence(run, "classify", lens, photo, "--top", 0)
    assert "[bad-threads]" in sentence(run, "classify", lens, photo, "--threads", 0)


def test_labels_that_do_not_fit(run: Run, model: Path) -> None:
    Path("three.txt").write_text("a\nb\nc\n", encoding="utf-8")
    assert "3 labels" in sentence(run, "compress", model, "--labels", "three.txt")


def test_a_recipe_of_another_size(run: Run, model: Path) -> None:
    larger = ("--resize", "exact:64", "--crop", 64)
    assert "[recipe-does-not-fit]" in sentence(run, "compress", model, *larger)


def test_mean_pictures_that_cannot_be(run: Run, model: Path, photo: Path) -> None:
    np.save("flat.npy", np.zeros((32, 32)))
    np.save("nan.npy", np.full((3, 32, 32), np.nan))
    Path("text.npy").write_text("hello", encoding="utf-8")
    Path("text.png").write_text("hello", encoding="utf-8")

    def said(file: object, *more: object) -> str:
        return sentence(run, "compress", model, "-o", "x.lens", "--mean-picture", file, *more)

    assert "[no-such-file]" in said("nothing.npy")
    assert "[not-an-image]" in said("text.png")
    assert "[bad-mean-picture]" in said("text.npy")
    assert "shape (32, 32), expected (3, height, width)" in said("flat.npy")
    assert "not finite" in said("nan.npy")
    assert "[bad-recipe]" in said(photo, "--mean", "104,117,123")
    assert not Path("x.lens").exists()


def test_a_lens_that_is_damaged(run: Run, lens: Path, photo: Path) -> None:
    content = lens.read_bytes()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    for bad in (b"", content[:50], content[: len(content) // 2], bytes(damaged), b"x" * 4096):
        Path("bad.lens").write_bytes(bad)
        sentence(run, "classify", "bad.lens", photo)
        sentence(run, "inspect", "bad.lens")


def test_the_float_original_that_is_not_there(run: Run, lens: Path) -> None:
    assert "[no-float-original]" in sentence(run, "eval", lens, ".", "--against", "float")


def test_a_forced_target_that_is_missing(
    run: Run, lens: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETLENS_TARGET", "abacus")
    assert "[target-missing]" in sentence(run, "classify", lens, photo)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(run: Run, model: Path) -> None:
    folder = Path("locked")
    folder.mkdir(mode=0o500)
    assert "[cannot-write]" in sentence(run, "compress", model, "-o", folder / "x.lens")


def test_a_result_never_replaces_what_it_is_made_from(run: Run, model: Path, lens: Path) -> None:
    Path("own.onnx").write_bytes(model.read_bytes())
    Path("link.lens").hardlink_to("own.onnx")
    for out in ("own.onnx", "link.lens"):
        assert "[out-is-source]" in sentence(run, "compress", "own.onnx", "-o", out)
        priced = ("--max-size", 16_000, "--preset", "cifar-raw")
        assert "[out-is-source]" in sentence(run, "compress", "own.onnx", "-o", out, *priced)
    assert Path("own.onnx").read_bytes() == model.read_bytes()
    before = lens.read_bytes()
    assert "[out-is-source]" in sentence(run, "report", lens, "-o", lens)
    assert lens.read_bytes() == before


def test_a_folder_in_place_of_a_file(run: Run) -> None:
    for command in (("compress", "."), ("report", "."), ("sweep", ".", "--data", ".")):
        assert "[is-a-folder]" in sentence(run, *command)


def test_a_folder_that_is_not_there(run: Run, model: Path) -> None:
    assert "[cannot-write]" in sentence(run, "compress", model, "-o", "no/where/x.lens")


def test_a_failed_compress_leaves_the_previous_lens(run: Run, lens: Path) -> None:
    before = lens.read_bytes()
    Path("fake.onnx").write_text("hello", encoding="utf-8")
    sentence(run, "compress", "fake.onnx", "-o", lens)
    assert lens.read_bytes() == before


def test_interrupting_leaves_an_old_or_a_new_lens_and_no_litter(
    run: Run, lens: Path, model: Path
) -> None:
    old = lens.read_bytes()
    run("compress", model, "-o", "new.lens")
    new = Path("new.lens").read_bytes()
    assert new != old
    command = [sys.executable, "-m", "pocketlens", "compress", str(model), "-o", str(lens)]
    outcomes = set()
    for delay_s in (0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9):
        lens.write_bytes(old)
        process = interruptible.start(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=lens.parent
        )
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        assert lens.read_bytes() in (old, new)
        assert not list(lens.parent.glob(".*.tmp"))
        outcomes.add(process.returncode)
    assert outcomes - {0}
