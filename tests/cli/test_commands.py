"""Every command does its job from the command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.conftest import Run
from pocketlens.cli.main import COMMANDS
from pocketlens.lensfile.reader import read_lens


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(run: Run, name: str) -> None:
    assert f"pocketlens {name}" in run(name, "--help").output


def test_help_lists_every_command(run: Run) -> None:
    output = " ".join(run("--help").output.split())
    assert all(name in output and line in output for name, line in COMMANDS.items())


def test_compress_makes_a_smaller_file_and_says_so(run: Run, model: Path) -> None:
    result = run("compress", model, "-o", "out.lens", "--bits", 4)
    assert "times smaller" in result.output
    assert "assumed" in result.output
    assert Path("out.lens").stat().st_size < model.stat().st_size / 2


def test_compress_is_the_same_bytes_every_time(run: Run, model: Path) -> None:
    run("compress", model, "-o", "a.lens", "--bits", 3)
    run("compress", model, "-o", "b.lens", "--bits", 3)
    assert Path("a.lens").read_bytes() == Path("b.lens").read_bytes()


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 8, 16, 32])
def test_every_width_compresses_and_classifies(
    run: Run, model: Path, photo: Path, bits: int
) -> None:
    run("compress", model, "-o", "out.lens", "--bits", bits, "--no-crush", "--preset", "cifar-raw")
    rows = json.loads(run("classify", "out.lens", photo, "--json").stdout)
    confidences = [a["confidence"] for a in rows["photos"][0]["answers"]]
    assert len(confidences) == 5
    assert confidences == sorted(confidences, reverse=True)


def test_compress_json_tells_the_fate_of_every_tensor(run: Run, model: Path) -> None:
    document = json.loads(run("compress", model, "-o", "out.lens", "--json").stdout)
    assert {row["fate"] for row in document["tensors"]} == {"palette", "half"}
    assert document["lens_bytes"] == Path("out.lens").stat().st_size
    assert all(row["reason"] for row in document["tensors"])


def test_labels_name_the_answers(run: Run, model: Path, photo: Path) -> None:
    names = [f"thing {i}" for i in range(10)]
    Path("names.txt").write_text("\n".join(names), encoding="utf-8")
    run("compress", model, "-o", "out.lens", "--labels", "names.txt", "--preset", "cifar-raw")
    document = json.loads(run("classify", "out.lens", photo, "--json", "--top", 10).stdout)
    assert {a["name"] for a in document["photos"][0]["answers"]} == set(names)


def test_a_mean_picture_goes_into_the_lens_and_is_subtracted(
    run: Run, model: Path, photo: Path
) -> None:
    with Image.open(photo) as picture:
        picture.resize((32, 32), Image.Resampling.BILINEAR).save("mean.png")
    same = ("--preset", "cifar-raw", "--no-crush")
    run("compress", model, "-o", "black.lens", *same)
    output = run("compress", model, "-o", "mean.lens", *same, "--mean-picture", "mean.png").output
    assert "minus a mean picture" in output
    Image.new("RGB", (32, 32)).save("black.png")
    answers = [
        json.loads(run("classify", *arguments, "--json").stdout)["photos"][0]["answers"]
        for arguments in (("mean.lens", photo), ("black.lens", "black.png"))
    ]
    assert answers[0] == answers[1]


def test_inspect_tells_of_a_mean_picture_without_printing_it(run: Run, model: Path) -> None:
    np.save("mean.npy", np.full((3, 32, 32), 104.5))
    run("compress", model, "-o", "out.lens", "--mean-picture", "mean.npy")
    picture = read_lens(Path("out.lens")).recipe.mean_picture
    assert picture == np.full((3, 32, 32), 104.5, "<f2").tobytes()
    recipe = json.loads(run("inspect", "out.lens", "--json").stdout)["recipe"]
    told = {"bytes": 2 * 3 * 32 * 32, "sha256": hashlib.sha256(picture).hexdigest()}
    assert recipe["mean_picture"] == told
    assert recipe["mean"] == [0, 0, 0]
    assert "minus a mean picture" in run("inspect", "out.lens").output
    run("compress", model, "-o", "out.lens")
    recipe = json.loads(run("inspect", "out.lens", "--json").stdout)["recipe"]
    assert recipe["mean_picture"] is None


@pytest.mark.parametrize("crops", [1, 5, 10])
def test_classify_averages_crops(run: Run, lens: Path, photo: Path, crops: int) -> None:
    document = json.loads(run("classify", lens, photo, "--crops", crops, "--json").stdout)
    assert document["crops"] == crops
    total = sum(a["confidence"] for a in document["photos"][0]["answers"])
    assert 0.4 < total <= 1.0 + 1e-5


def test_classify_takes_folders_and_standard_input(run: Run, lens: Path, photo: Path) -> None:
    folder = Path("photos")
    folder.mkdir()
    for name in ("b.jpg", "a.png"):
        Image.radial_gradient("L").convert("RGB").save(folder / name)
    document = json.loads(run("classify", lens, folder, "--json").stdout)
    assert [Path(row["photo"]).name for row in document["photos"]] == ["a.png", "b.jpg"]
    piped = run("classify", lens, "-", "--json", stdin=photo.read_bytes())
    named = run("classify", lens, photo, "--json")
    answers = [json.loads(r.stdout)["photos"][0]["answers"] for r in (piped, named)]
    assert answers[0] == answers[1]


def test_classify_prints_bars(run: Run, lens: Path, photo: Path) -> None:
    output = run("classify", lens, photo, "--top", 2).output
    assert output.count("░") > 0
    assert output.count("%") == 2


def test_threads_change_nothing(run: Run, lens: Path, photo: Path) -> None:
    outputs = [run("classify", lens, photo, "--json", "--threads", n).stdout for n in (1, 2, 3)]
    assert len(set(outputs)) == 1


def write_npz(path: Path, n: int = 40) -> Path:
    rng = np.random.default_rng(0)
    np.savez(
        path,
        images=rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8),
        labels=(np.arange(n) % 10).astype(np.uint8),
    )
    return path


def test_eval_counts_and_leaves_a_receipt(run: Run, lens: Path) -> None:
    data = write_npz(Path("data.npz"))
    document = json.loads(run("eval", lens, data, "--json").stdout)
    assert document["n"] == 40
    assert document["top1_missing"] == pytest.approx(100 - 100 * document["top1_right"] / 40)
    low, high = document["top1_interval"]
    assert low <= document["top1_missing"] <= high
    (receipt,) = read_lens(lens).receipts
    assert receipt.n == 40
    assert receipt.dataset_sha256 == document["dataset_sha256"]


def test_eval_against_the_float_original_pairs_the_answers(
    run: Run, lens: Path, model: Path
) -> None:
    data = write_npz(Path("data.npz"))
    Path("small.onnx").write_bytes(model.read_bytes())
    document = json.loads(run("eval", lens, data, "--against", "float", "--json").stdout)
    paired = document["against"]
    assert paired["name"] == "small.onnx float32"
    assert paired["difference"] == pytest.approx(document["top1_missing"] - paired["top1_missing"])
    assert paired["difference_interval"][0] <= paired["difference"]
    (receipt,) = read_lens(lens).receipts
    assert receipt.flips == paired["flips"]


def test_eval_against_itself_shows_no_difference(run: Run, lens: Path) -> None:
    data = write_npz(Path("data.npz"))
    before = lens.read_bytes()
    output = run("eval", lens, data, "--against", lens, "--no-receipt").output
    assert "0 of 40 answers changed" in output
    assert lens.read_bytes() == before


def test_inspect_shows_tensors_memory_and_planes(run: Run, lens: Path) -> None:
    assert "first" in run("inspect", lens).output or "w1" in run("inspect", lens).output
    document = json.loads(run("inspect", lens, "--json", "--planes", "pictures").stdout)
    assert document["memory_bytes"]["weights"] > 0
    palettes = [row for row in document["tensors"] if row["fate"] == "palette"]
    pictures = sorted(Path("pictures").iterdir())
    assert len(pictures) == len(palettes) == 3
    with Image.open(pictures[0]) as picture:
        assert picture.format == "PNG"
        assert picture.size[0] > 0


@pytest.mark.parametrize("key", ["bytes", "error"])
def test_inspect_sorts_and_tells_shares(run: Run, lens: Path, key: str) -> None:
    plain = json.loads(run("inspect", lens, "--json").stdout)["tensors"]
    rows = json.loads(run("inspect", lens, "--json", "--sort", key).stdout)["tensors"]
    assert [row[key] for row in rows] == sorted((row[key] for row in plain), reverse=True)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert all(
        row["bits_per_weight"] == pytest.approx(8 * row["bytes"] / row["values"]) for row in rows
    )
