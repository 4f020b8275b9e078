"""Counting what is missed, comparing two classifiers, and the receipt."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pocketlens.base.errors import DataError, EngineError, ImageError
from pocketlens.evaluation.accuracy import (
    Measurement,
    ScoresOf,
    compare,
    measure,
    measure_together,
    rank_of,
    receipt_of,
)
from pocketlens.evaluation.dataset import Dataset, fingerprint
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.evaluation.statistics import paired_interval, wilson_interval
from pocketlens.images.apply import prepare_reference
from pocketlens.images.presets import preset
from pocketlens.labels.labels import numbered


def photos(classes: Sequence[int]) -> Dataset:
    """Photo n is one pixel of red n."""
    return Dataset(
        name="shades",
        rule="made up",
        sha256=fingerprint((str(n), c) for n, c in enumerate(classes)),
        classes=tuple(classes),
        photo_of=lambda n: Image.new("RGB", (1, 1), (n, 0, 0)),
        name_of=lambda n: f"row {n}",
    )


def looked_up(table: Sequence[Sequence[float]]) -> ScoresOf:
    return lambda photo: table[photo.getpixel((0, 0))[0]]


def measured(ranks: Sequence[int], answers: Sequence[int] = (), classes: int = 10) -> Measurement:
    given_answers = tuple(answers) or tuple(int(rank > 0) for rank in ranks)
    return Measurement("set", "ab", classes, (0,) * len(ranks), given_answers, tuple(ranks))


def test_counts() -> None:
    scores = [[0.1, 0.2, 0.9, 0.3, 0.5, 0.4, 0.0]] * 7
    result = measure(photos(range(7)), looked_up(scores), class_count=7)
    assert result.answers == (2,) * 7
    assert result.ranks == (5, 4, 0, 3, 1, 2, 6)
    assert (result.n, result.top1_wrong, result.top5_wrong) == (7, 6, 2)
    assert result.top1_missing == pytest.approx(600 / 7)
    assert result.top5_missing == pytest.approx(200 / 7)
    assert result.top1_interval == wilson_interval(6, 7)
    assert result.top5_interval == wilson_interval(2, 7)
    assert (result.dataset, result.dataset_sha256) == ("shades", photos(range(7)).sha256)


@pytest.mark.parametrize(("classes", "counted"), [(5, False), (6, True)])
def test_top5_needs_six_classes(classes: int, counted: bool) -> None:
    scores = [[0.0] * classes] * 2
    result = measure(photos([0, classes - 1]), looked_up(scores), class_count=classes)
    assert result.top5_wrong == (1 if counted else None)
    assert (result.top5_missing is not None) == counted
    assert (result.top5_interval is not None) == counted


def test_of_equal_scores_the_lower_number_is_first() -> None:
    result = measure(photos(range(4)), looked_up([[1.0] * 4] * 4), class_count=4)
    assert result.answers == (0,) * 4
    assert result.ranks == (0, 1, 2, 3)


@given(st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=20), st.data())
def test_ranks_are_those_of_a_stable_sort(scores: list[float], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(scores) - 1))
    order = sorted(range(len(scores)), key=lambda n: (-scores[n], n))
    assert rank_of(number, scores) == order.index(number)


def test_infinite_scores_count_and_numpy_scores_are_fine() -> None:
    scores = [np.float32([-np.inf, 0.0, np.inf])]
    assert measure(photos([2]), looked_up(scores), class_count=3).top1_wrong == 0


@pytest.mark.parametrize("scores", [[0.0, float("nan")], [0.0], [0.0, 1.0, 2.0], []])
def test_broken_scores(scores: list[float]) -> None:
    with pytest.raises(EngineError, match=r"'row 0', expected 2 numbers.*wrong-scores"):
        measure(photos([0]), looked_up([scores]), class_count=2)


def test_several_classifiers_see_the_same_photo_once_decoded() -> None:
    decoded: list[int] = []
    base = photos([0, 1, 2])

    def photo_of(number: int) -> Image.Image:
        decoded.append(number)
        return base.photo_of(number)

    dataset = Dataset(base.name, base.rule, base.sha256, base.classes, photo_of, base.name_of)
    right = [[float(c == n) for c in range(3)] for n in range(3)]
    wrong = [[float(c != n) for c in range(3)] for n in range(3)]
    both = measure_together(dataset, [looked_up(right), looked_up(wrong)], class_count=3)
    assert decoded == [0, 1, 2]
    assert [m.top1_wrong for m in both] == [0, 3]


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_nothing(threads: int) -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(0, 5, (200, 8)).astype(float).tolist()
    dataset = photos(rng.integers(0, 8, 200).tolist())
    callers = set()

    def scores_of(photo: Image.Image) -> list[float]:
        callers.add(threading.get_ident())
        return table[photo.getpixel((0, 0))[0]]

    alone = measure(dataset, scores_of, class_count=8)
    assert measure(dataset, scores_of, class_count=8, threads=threads) == alone
    assert callers == {threading.get_ident()}


def test_few_photos_are_in_memory_at_once() -> None:
    base, ahead, used, lock = photos([0] * 100), [], 0, threading.Lock()
    decoded = 0

    def photo_of(number: int) -> Image.Image:
        nonlocal decoded
        with lock:
            decoded += 1
            ahead.append(decoded - used)
        return base.photo_of(number)

    def scores_of(photo: Image.Image) -> list[float]:
        nonlocal used
        with lock:
            used += 1
        return [0.0]

    dataset = Dataset(base.name, base.rule, base.sha256, base.classes, photo_of, base.name_of)
    measure(dataset, scores_of, class_count=1, threads=3)
    assert decoded == used == 100
    assert max(ahead) <= 2 * 3


@pytest.mark.parametrize("threads", [1, 2])
def test_a_broken_photo_ends_the_measurement(threads: int, tmp_path: Path) -> None:
    for name in ("0", "1"):
        (tmp_path / name).mkdir()
        for number in range(20):
            Image.new("L", (1, 1)).save(tmp_path / name / f"{number:02}.png")
    (tmp_path / "1" / "05.png").write_bytes(b"text")
    dataset = open_dataset(tmp_path, numbered(2))
    with pytest.raises(ImageError, match=r"05\.png.*not-an-image"):
        measure(dataset, lambda photo: [0.0, 1.0], class_count=2, threads=threads)


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    measure(
        photos([0, 0]),
        lambda photo: [1.0],
        class_count=1,
        progress=lambda *step: told.append(step),
    )
    assert told == [("measuring", 0, 2), ("measuring", 1, 2), ("measuring", 2, 2)]


def test_comparison() -> None:
    this = measured([0, 0, 0, 1, 2, 3, 0, 0], answers=[0, 0, 0, 1, 2, 3, 0, 0])
    other = measured([0, 1, 1, 0, 1, 3, 0, 0], answers=[0, 1, 2, 0, 3, 3, 0, 0])
    result = compare(this, other)
    assert (result.lost, result.won, result.flips) == (1, 2, 4)
    assert result.difference == pytest.approx(this.top1_missing - other.top1_missing) == -12.5
    assert result.interval == paired_interval(1, 2, 8)
    assert result.p_value == 1.0
    back = compare(other, this)
    assert (back.lost, back.won, back.flips) == (2, 1, 4)
    assert back.interval == (-result.interval[1], -result.interval[0])


def test_a_classifier_against_itself() -> None:
    result = compare(measured([0, 3, 0]), measured([0, 3, 0]))
    assert (result.difference, result.flips, result.p_value) == (0.0, 0, 1.0)
    assert result.interval[0] < 0 < result.interval[1]


def test_other_photos_cannot_be_paired() -> None:
    this = measured([0, 1])
    for other in (
        Measurement("set", "cd", 10, this.truth, this.answers, this.ranks),
        Measurement("set", "ab", 10, (1, 0), this.answers, this.ranks),
    ):
        with pytest.raises(DataError, match="not-the-same-photos"):
            compare(this, other)


def test_receipts() -> None:
    this, other = measured([0, 1, 6, 0]), measured([0, 0, 6, 0])
    comparison = compare(this, other)
    paired = receipt_of(
        this,
        crops=10,
        engine="reference",
        version="1.2",
        against="a.onnx float32",
        comparison=comparison,
    )
    assert (paired.dataset, paired.dataset_sha256, paired.n, paired.crops) == ("set", "ab", 4, 10)
    assert (paired.top1_missing, paired.top5_missing) == (50.0, 25.0)
    assert (paired.top1_interval, paired.top5_interval) == (
        wilson_interval(2, 4),
        wilson_interval(1, 4),
    )
    assert (paired.against, paired.difference, paired.flips) == ("a.onnx float32", 25.0, 1)
    assert paired.difference_interval == comparison.interval
    assert (paired.engine, paired.version) == ("reference", "1.2")
    alone = receipt_of(this, crops=1, engine="reference", version="1.2")
    assert (alone.against, alone.difference, alone.difference_interval, alone.flips) == (
        "", None, None, None,
    )  # fmt: skip


def test_a_comparison_needs_a_name_and_a_name_a_comparison() -> None:
    this = measured([0, 1])
    with pytest.raises(ValueError, match="go together"):
        receipt_of(this, crops=1, engine="e", version="v", against="x")
    with pytest.raises(ValueError, match="go together"):
        receipt_of(this, crops=1, engine="e", version="v", comparison=compare(this, this))


@pytest.mark.data
@pytest.mark.parametrize(
    ("model", "name", "side", "top1", "top5"),
    [
        ("mobilenet_v1_0.25_224_float", "imagenet", 224, 248, 371),
        ("mlperf_resnet8_cifar10", "cifar-raw", 32, 4364, 4963),
    ],
)
def test_onnxruntime_is_as_right_as_it_was_measured(
    model: str, name: str, side: int, top1: int, top5: int, data_folder: Path
) -> None:
    """Decoding, recipe, labels and counting together give the counts of the reference."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(data_folder / "models" / f"{model}.onnx"), options, providers=["CPUExecutionProvider"]
    )
    recipe = preset(name, height=side, width=side)
    entry = session.get_inputs()[0].name

    def scores_of(photo: Image.Image) -> Sequence[float]:
        batch = prepare_reference(photo, recipe)
        return session.run(None, {entry: batch})[0][0].tolist()

    cifar = name == "cifar-raw"
    place = "cifar10/cifar10_test_even.npz" if cifar else "images"
    count = 10 if cifar else 1000
    dataset = open_dataset(data_folder / place, numbered(count))
    result = measure(dataset, scores_of, class_count=count)
    assert (result.n - result.top1_wrong, result.n - (result.top5_wrong or 0)) == (top1, top5)
