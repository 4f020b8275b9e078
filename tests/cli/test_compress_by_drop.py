"""compress --max-drop: kept and proved, told where it cannot be; parts never mix; bad photos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import pocketlens
from cli.conftest import Run
from pocketlens.base.errors import UsageError
from pocketlens.lensfile.reader import read_lens

COUNT = 400


def pictures(count: int, seed: int = 5) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        images.append(np.asarray(small.resize((32, 32), Image.Resampling.BICUBIC)))
    return np.stack(images)


@pytest.fixture(scope="module")
def labelled(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with the float network's own first answers for labels, but for every tenth."""
    folder = tmp_path_factory.mktemp("labelled")
    images = pictures(COUNT)
    with pocketlens.compress(model, folder / "f.lens", bits=32, recipe="cifar-raw") as lens:
        inputs = images.transpose(0, 3, 1, 2).astype(np.float32)
        labels = lens.scores(inputs).argmax(axis=1)
    labels[::10] = (labels[::10] + 1) % 10
    np.savez(folder / "p.npz", images=images, labels=labels)
    return folder / "p.npz"


@pytest.fixture
def plain(run: Run, tmp_path: Path) -> Path:
    np.savez(tmp_path / "plain.npz", images=pictures(COUNT))
    return tmp_path / "plain.npz"


def made(run: Run, model: Path, *options: object) -> dict[str, Any]:
    result = run("compress", model, "-o", "x.lens", "--preset", "cifar-raw", "--json", "--no-crush",
                 *options)  # fmt: skip
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def sentence(run: Run, model: Path, *options: object) -> str:
    result = run("compress", model, "-o", "x.lens", "--preset", "cifar-raw", *options, code=2)
    assert not Path("x.lens").exists()
    return result.stderr


def test_a_drop_is_kept_and_the_receipt_tells_it(run: Run, model: Path, labelled: Path) -> None:
    document = made(run, model, "--max-drop", 5, "--photos", labelled)
    trials = document["trials"]
    kept = [trial for trial in trials if trial["drop"]["interval"][1] <= 5]
    lost = [trial for trial in trials if trial["drop"]["interval"][1] > 5]
    assert kept and lost
    assert document["lagrangian"] in {trial["lagrangian"] for trial in kept}
    smallest = min(trial["bytes"] for trial in kept)
    assert Path("x.lens").stat().st_size <= smallest
    contents = read_lens(Path("x.lens"))
    (receipt,) = contents.receipts
    assert receipt.dataset == "p, report part"
    assert receipt.n == document["receipt"]["n"] == document["unseen_drop"]["photos"]
    assert receipt.difference == pytest.approx(document["unseen_drop"]["points"])
    told = json.loads(contents.provenance.settings)
    counts = told["fit_photos"], told["select_photos"], receipt.n
    assert sum(counts) == COUNT
    assert counts[1] == trials[0]["drop"]["photos"]
    assert trials[0]["drop"]["labelled"]


def test_without_labels_answers_count(run: Run, model: Path, plain: Path) -> None:
    document = made(run, model, "--max-drop", 6, "--photos", plain)
    assert not document["trials"][0]["drop"]["labelled"]
    assert document["receipt"] is None
    assert document["unseen_drop"]["won"] == 0
    assert read_lens(Path("x.lens")).receipts == ()


def test_the_text_tells_trials_and_what_came_out(run: Run, model: Path, labelled: Path) -> None:
    result = run("compress", model, "-o", "x.lens", "--preset", "cifar-raw", "--max-drop", 8,
                 "--photos", labelled)  # fmt: skip
    assert "trial 1: 1e-06 nats a bit" in result.stderr
    assert " more" in result.stderr
    words = " ".join(result.stdout.split())
    assert "the receipt is in the lens" in words
    assert "On photos that nothing was chosen by" in words


def test_both_budgets_are_kept_or_it_says_which_cannot(
    run: Run, model: Path, labelled: Path
) -> None:
    said = sentence(run, model, "--max-drop", 3, "--max-size", "7kB", "--photos", labelled)
    assert "[budgets-clash]" in said
    assert "7,000 asked for" in said
    document = made(run, model, "--max-drop", 20, "--max-size", "30kB", "--photos", labelled)
    assert document["lens_bytes"] <= 30_000


def test_few_photos_are_told_what_they_can_prove(run: Run, model: Path, labelled: Path) -> None:
    said = sentence(run, model, "--max-drop", 0.5, "--photos", labelled)
    assert "[too-few-to-prove]" in said
    assert "(765 to choose on)" in said


def test_eval_says_which_photos_the_lens_saw(run: Run, model: Path, labelled: Path) -> None:
    document = made(run, model, "--max-drop", 8, "--photos", labelled)
    own = run("eval", "x.lens", labelled, "--json")
    seen = json.loads(own.stdout)
    assert (seen["fitted_to"], seen["chosen_by"]) == (
        document["fit_photos"], document["trials"][0]["drop"]["photos"])  # fmt: skip
    assert "flatters" in own.stderr
    np.savez("other.npz", images=pictures(30, seed=6), labels=np.zeros(30, int))
    other = run("eval", "x.lens", "other.npz", "--json")
    assert json.loads(other.stdout)["fitted_to"] == 0
    assert "flatters" not in other.stderr


def test_labels_that_do_not_match(run: Run, model: Path, tmp_path: Path) -> None:
    images = pictures(40)
    np.savez("many.npz", images=images, labels=np.arange(40))
    assert "[unknown-label]" in sentence(run, model, "--max-drop", 30, "--photos", "many.npz")
    for number, name in enumerate(("cat", "dog", "Monday")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for row in range(8):
            picture = Image.fromarray(images[8 * number + row])
            picture.save(tmp_path / "photos" / name / f"{row}.png")
    said = sentence(run, model, "--max-drop", 30, "--photos", "photos")
    assert "[unknown-label]" in said
    assert "'Monday'" in said or "'cat'" in said or "'dog'" in said


@pytest.mark.parametrize(
    ("options", "slug"),
    [
        (("--max-drop", 0), "bad-drop"),
        (("--max-drop", 1), "drop-needs-photos"),
        (("--max-drop", 1, "--lagrangian", 1e-6), "one-price"),
        (("--max-size", "30kB", "--bits", 4), "width-and-budget"),
        (("--max-drop", 1, "--photos", "none.npz"), "no-such-file"),
        (("--max-drop", 1, "--photos", "none"), "no-such-file"),
    ],
)
def test_mistakes_are_told(run: Run, model: Path, options: tuple[object, ...], slug: str) -> None:
    assert f"[{slug}]" in sentence(run, model, *options)


@pytest.mark.parametrize("budget", [("--max-size", "16kB"), ("--max-drop", 50)])
class TestBadPhotos:
    """Each a sentence and exit code 2."""

    def save(self, folder: str, images: NDArray[np.uint8]) -> list[Path]:
        Path(folder).mkdir()
        paths = [Path(folder) / f"{number:03}.png" for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path)
        return paths

    def test_an_empty_folder(self, run: Run, model: Path, budget: tuple[object, ...]) -> None:
        Path("p").mkdir()
        said = sentence(run, model, *budget, "--photos", "p")
        assert "[calibration-empty]" in said

    def test_one_photo(self, run: Run, model: Path, budget: tuple[object, ...]) -> None:
        self.save("p", pictures(1))
        assert "[calibration-few]" in sentence(run, model, *budget, "--photos", "p")

    def test_copies_of_one(self, run: Run, model: Path, budget: tuple[object, ...]) -> None:
        self.save("p", np.repeat(pictures(1), 40, axis=0))
        said = sentence(run, model, *budget, "--photos", "p")
        assert "1 different photos" in said
        assert "[calibration-few]" in said

    def test_damaged_ones(self, run: Run, model: Path, budget: tuple[object, ...]) -> None:
        paths = self.save("p", pictures(40))
        for path in paths[3:6]:
            path.write_bytes(path.read_bytes()[:90] + path.name.encode())
        said = sentence(run, model, *budget, "--photos", "p")
        assert "3 of 40 photos cannot be used, among them '003.png', '004.png', '005.png'" in said
        assert "[photos-damaged]" in said

    def test_all_damaged(self, run: Run, model: Path, budget: tuple[object, ...]) -> None:
        for path in self.save("p", pictures(40)):
            path.write_text(f"no picture {path}", "utf-8")
        said = sentence(run, model, *budget, "--photos", "p")
        assert "40 of 40 photos cannot be used" in said


def test_photos_that_say_nothing_still_calibrate(run: Run, model: Path) -> None:
    """Plain colours: every covariance is singular, and with black most inputs are dead."""
    images = np.zeros((60, 32, 32, 3), np.uint8)
    images[:, :, :, 0] = np.arange(60)[:, None, None]
    np.savez("flat.npz", images=images)
    document = made(run, model, "--max-size", "16kB", "--photos", "flat.npz")
    assert document["lens_bytes"] <= 16_000


def test_the_door_has_twins(run: Run, model: Path, labelled: Path, tmp_path: Path) -> None:
    common: dict[str, Any] = {"recipe": "cifar-raw", "photos": labelled, "crush": None}
    with pocketlens.compress(model, tmp_path / "a.lens", max_size="16kB", **common) as lens:
        assert (tmp_path / "a.lens").stat().st_size <= 16_000
        assert lens.contents.receipts == ()
    with pocketlens.compress(model, tmp_path / "b.lens", max_drop=8.0, **common) as lens:
        assert len(lens.contents.receipts) == 1
    with pocketlens.compress(model, tmp_path / "c.lens", lagrangian=1e-6, **common) as lens:
        told = json.loads(lens.contents.provenance.settings)
        assert told["lagrangian"] == 1e-6
    for wrong in ({"bits": 4, "max_size": 9000}, {"max_size": 0}, {"max_drop": 1.0}):
        with pytest.raises(UsageError):
            pocketlens.compress(model, tmp_path / "d.lens", recipe="cifar-raw", **wrong)
