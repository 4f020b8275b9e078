"""The benchmark that stands beside peers: its split, its judge, its ledger."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import compression_judge

    yield compression_judge
    for name in ("compression_judge", "models"):
        sys.modules.pop(name, None)


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import compression_table

    yield compression_table
    for name in ("compression_table", "compression_figures"):
        sys.modules.pop(name, None)


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import compression_figures

    yield compression_figures
    sys.modules.pop("compression_figures", None)


@pytest.fixture
def linear_file(tmp_path):
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weight = np.arange(12, dtype=np.float32).reshape(4, 3)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        "linear",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4])],
        [
            numpy_helper.from_array(weight, "w"),
            numpy_helper.from_array(np.zeros(4, np.float32), "b"),
        ],
    )
    opset = [helper.make_opsetid("", 13)]
    file = tmp_path / "linear.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), file)
    return file


@pytest.mark.parametrize(
    ("first", "part"),
    [("00", "fit"), ("5f", "fit"), ("60", "select"), ("7f", "select"), ("80", "report")],
)
def test_a_photo_belongs_to_the_part_that_its_hash_says(judge, first, part):
    assert judge.part_of(first + "ab" * 31) == part


def test_the_split_is_that_of_calibration(judge):
    from pocketlens.calibration import photos

    parts = ("fit", "select", "report")
    for first in range(256):
        sha256 = f"{first:02x}" + "00" * 31
        assert judge.part_of(sha256) == parts[photos._part(sha256, photos.SHARES)]


def test_weights_are_replaced_and_run(judge, linear_file):
    inputs = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    new = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    scores = judge.scores_of(judge.with_weights(linear_file, {"w": new}), inputs)
    np.testing.assert_allclose(scores, inputs @ new.T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weights", [{"w": np.zeros((3, 4))}, {"v": np.zeros((4, 3))}])
def test_weights_that_do_not_fit_are_refused(judge, linear_file, weights):
    with pytest.raises(ValueError, match=r"expected \(4, 3\)|no tensors \['v'\]"):
        judge.with_weights(linear_file, weights)


def test_the_judge_counts_what_was_lost_and_won(judge):
    # The float network answers 0, 1, 1; the other one 0, 0, 2; the classes are 0, 1, 2.
    expected = np.array([[9, 0, 0], [0, 9, 0], [0, 9, 0]], np.float32)
    scores = np.array([[9, 0, 0], [9, 0, 0], [0, 0, 9]], np.float32)
    found = judge.judge(expected, scores, np.array([0, 1, 2]))
    assert {k: found[k] for k in ("n", "top1_right", "agree", "lost", "won")} == {
        "n": 3, "top1_right": 2, "agree": 1, "lost": 1, "won": 1
    }  # fmt: skip


def test_divergence_is_that_of_the_definition(judge):
    p, q = np.array([[0.7, 0.2, 0.1]]), np.array([[0.5, 0.25, 0.25]])
    found = judge.divergence(np.log(p).astype(np.float32), 5 + np.log(q).astype(np.float32))
    assert found == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-5)


def test_a_ledger_cut_short_is_gone_on_with(table, tmp_path):
    place = tmp_path / "ledger.jsonl"
    table.Ledger(place).add({"key": ["a"], "kl": 0.5, "right": "f0"})
    table.Ledger(place).add({"key": ["b"], "note": "cannot be installed"})
    table.Ledger(place).add({"key": ["d"], "kl": 0.5})  # of a judge that counted no photo by photo
    with place.open("a") as file:
        file.write('{"key": ["c"], "k')
    again = table.Ledger(place)
    assert [again.holds([key]) for key in "abcd"] == [True, False, False, False]
    new = {"key": ["c"], "kl": 1.0, "right": "0f"}
    again.add(new)
    assert [table.Ledger(place).holds([key]) for key in "abc"] == [True, False, True]
    assert json.loads(place.read_text().splitlines()[-1]) == new


def test_bytes_at_a_kl_lie_between_the_two_nearest_points(figures):
    rows = [{"bytes": b, "kl": kl} for b, kl in ((100, 0.1), (400, 0.001), (250, 0.5))]
    assert figures.bytes_at(rows, 0.01) == pytest.approx(200)
    assert figures.bytes_at(rows, 0.1) == pytest.approx(100)
    assert figures.bytes_at(rows, 0.2) is None
    assert figures.bytes_at(rows, 0.0001) is None
    assert figures.bytes_within(rows, 0.2) == 100  # nothing smaller there is
    assert figures.bytes_within(rows, 0.0001) is None


def row(size, kl, right):
    """`right` of 128 photos."""
    return {"bytes": size, "kl": kl, "top1_right": right, "n": 128,
            "right": f"{(1 << right) - 1:032x}"}  # fmt: skip


def percents(found):
    return [saving.percent for saving in found]


def test_savings_are_of_every_file_that_can_be_compared(figures):
    ours = [row(1000, 0.01, 90), row(500, 0.04, 80)]
    theirs = [row(2000, 0.01, 91), row(2000, 0.04, 90), row(800, 0.05, 80), row(900, 0.005, 99)]
    # At a KL of 0.05 it is at least what our smallest saves; 0.005 is closer than any of ours.
    assert percents(figures.savings(ours, theirs, figures.same_kl)) == [50.0, 75.0, 37.5]
    # None of ours has 91 or 99 right.
    assert percents(figures.savings(ours, theirs, figures.same_top1)) == [50.0, 37.5]
    # 91 are one more than 90, which is chance; 99 are nine more, which is not.
    chance = figures.savings(ours, theirs, figures.bytes_not_worse)
    assert percents(chance) == [50.0, 50.0, 37.5]


def test_a_larger_file_is_a_saving_below_nothing(figures):
    ours, theirs = [row(300, 0.01, 5)], [row(200, 0.01, 5)]
    assert percents(figures.savings(ours, theirs, figures.same_kl)) == [-50.0]
    assert percents(figures.savings(ours, theirs, figures.same_top1)) == [-50.0]
    assert figures.bytes_for_top1(ours, 6) is None


def test_a_smaller_and_worse_file_has_none_to_be_compared_with(figures):
    """Nor has one that answers at random, however large."""
    ours, theirs = [row(300, 0.01, 90)], [row(200, 0.9, 3), row(400, 5.0, 1)]
    for needs in (figures.same_kl, figures.same_top1, figures.bytes_not_worse):
        assert figures.savings(ours, theirs, needs) == []
