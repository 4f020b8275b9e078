"""Budgets at the edge: dead channels, singular Hessians, networks of zeros, sizes out of reach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.calibration.photos import open_photos, seen_before
from pocketlens.classify.lens import open_lens
from pocketlens.compression.about import About
from pocketlens.compression.price import Price
from pocketlens.compression.priced import Priced, compress_at_price
from pocketlens.graph.build import Builder
from pocketlens.images.presets import preset
from pocketlens.importers.imported import Imported

Floats = NDArray[np.float32]
SIDE = 12


def network(first: Floats, biases: Floats, last: Floats) -> Imported:
    """conv2d, relu, mean over the picture, linear."""
    build = Builder()
    x = build.input("x", (1, 3, SIDE, SIDE))
    w, b = build.tensor("first", first), build.tensor("biases", biases)
    maps = build.add("conv2d", x, w, b, pads=(1, 1, 1, 1), activation="relu")
    means = build.add("reduce", maps, kind="mean", axes=(2, 3), keepdims=0)
    scores = build.add("linear", means, build.tensor("last", last))
    return Imported(build.network(outputs=(scores,)), "odd", "odd.onnx", "0" * 64, "logits",
                    (1, 3, SIDE, SIDE))  # fmt: skip


def usual(*, dead: int = 0) -> Imported:
    """Of 24 maps, with `dead` ones that no picture wakes."""
    rng = np.random.default_rng(3)
    first = rng.standard_normal((24, 3, 3, 3)).astype(np.float32) / 5
    biases = np.zeros(24, np.float32)
    biases[:dead] = -1e4
    return network(first, biases, rng.standard_normal((10, 24)).astype(np.float32))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (60, SIDE, SIDE, 3), np.uint8)
    np.savez(tmp_path / "p.npz", images=images)
    return tmp_path / "p.npz"


def made(imported: Imported, out: Path, price: Price) -> Priced:
    return compress_at_price(imported, out, price=price, crush=None, about=About("unit"))


@pytest.mark.parametrize("dead", [1, 23, 24])
def test_dead_channels_cost_nothing(tmp_path: Path, photos: Path, dead: int) -> None:
    price = Price(lagrangian=1e-5, photos=photos)
    found = made(usual(dead=dead), tmp_path / "x.lens", price)
    assert found.unseen is not None
    assert found.unseen.agreement > 90
    with open_lens(tmp_path / "x.lens") as lens:
        scores = lens.scores(np.zeros((1, 3, SIDE, SIDE), np.float32))
    assert np.isfinite(scores).all()


def test_a_hessian_of_rank_one_is_coded(tmp_path: Path) -> None:
    """Gray pictures of one shade each: all columns of the first layer say the same."""
    images = np.zeros((40, SIDE, SIDE, 3), np.uint8)
    images[:] = (5 * np.arange(40)[:, None, None, None]).astype(np.uint8)
    np.savez(tmp_path / "gray.npz", images=images)
    price = Price(lagrangian=1e-6, photos=tmp_path / "gray.npz")
    found = made(usual(), tmp_path / "x.lens", price)
    assert found.unseen is not None
    assert found.unseen.agreement > 90


def test_a_network_of_zeros_is_coded(tmp_path: Path, photos: Path) -> None:
    nothing = network(
        np.zeros((24, 3, 3, 3), np.float32), np.zeros(24, np.float32),
        np.zeros((10, 24), np.float32),
    )  # fmt: skip
    found = made(nothing, tmp_path / "x.lens", Price(lagrangian=1e-6, photos=photos))
    assert found.unseen is not None
    assert found.unseen.agreement == 100


def test_a_size_out_of_reach_says_what_the_smallest_costs(tmp_path: Path, photos: Path) -> None:
    price = Price(size_bytes=700, photos=photos)
    with pytest.raises(UsageError) as refusal:
        made(usual(), tmp_path / "x.lens", price)
    said = refusal.value.sentence
    assert refusal.value.slug == "size-out-of-reach"
    assert "the smallest is" in said
    assert "nats a photo, as foreseen" in said
    assert "% other answers" in said
    assert not (tmp_path / "x.lens").exists()
    with pytest.raises(UsageError, match="as foreseen"):
        made(usual(), tmp_path / "x.lens", Price(size_bytes=700))


def test_trials_are_told_as_they_are_made(tmp_path: Path, photos: Path) -> None:
    told: list[tuple[int, int, int]] = []
    price = Price(lagrangian=1e-11, photos=photos)
    largest = made(usual(), tmp_path / "x.lens", price).chosen.size_bytes
    found = compress_at_price(
        usual(),
        tmp_path / "y.lens",
        price=Price(size_bytes=largest - 600, photos=photos),
        crush=None,
        about=About("unit"),
        tell=lambda trial, number, expected: told.append((trial.size_bytes, number, expected)),
    )
    assert [number for _, number, _ in told] == list(range(1, len(told) + 1))
    assert all(number <= expected for _, number, expected in told)
    assert [trial.size_bytes for trial in found.trials] == [size for size, _, _ in told]
    assert (tmp_path / "y.lens").stat().st_size == found.chosen.size_bytes <= largest - 600


def test_a_lens_knows_its_own_folder_again(photos: Path) -> None:
    recipe = preset("unit", height=SIDE, width=SIDE, channels=3)
    parts = open_photos(photos, recipe)
    told = parts.told(chosen=True)
    everything = [p.sha256 for part in (parts.fit, parts.select, parts.report) for p in part.photos]
    assert seen_before(everything, told) == (len(parts.fit), len(parts.select))
    assert seen_before(everything, parts.told(chosen=False)) == (len(parts.fit), 0)
    assert seen_before([p.sha256 for p in parts.report.photos], told) == (0, 0)
    assert seen_before(everything, {}) == (0, 0)
    assert seen_before(everything, {"fit_photos": "many", "fit_sha256": 7}) == (0, 0)
    limited = open_photos(photos, recipe, fit_limit=5)
    assert len(limited.fit) == 5
    assert len(limited.select) == len(parts.select) + len(parts.fit) - 5
    assert seen_before(everything, limited.told(chosen=False)) == (5, 0)
