"""A coded layer: what it promises of its palette, its bits, its loss; and odd layers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.base.halves import even_halves
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.compression.layer import CodedLayer, CodingSettings, code_layer, guess_statistics
from pocketlens.compression.trellis import TRELLIS_BITS
from pocketlens.lensfile.indices import along_trellis
from pocketlens.palettes.palette import fit_palette
from pocketlens.planes.encode import encode_plane
from pocketlens.planes.plane import index_bits_for

Weights = NDArray[np.float32]


def seen(groups: int, outputs: int, columns: int, *, seed: int = 0) -> LayerStatistics:
    """Statistics of correlated inputs that are not centred on 0."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(groups, 600, columns)) @ rng.normal(size=(columns, columns)) + 0.5
    mean = inputs.mean(axis=1)
    centred = inputs - mean[:, None]
    covariance = np.matmul(centred.transpose(0, 2, 1), centred) / 600
    return LayerStatistics(mean, covariance, rng.uniform(0.5, 2, outputs), 60, 600)


def laplace(*shape: int) -> Weights:
    return np.random.default_rng(1).laplace(0, 0.1, shape).astype(np.float32)


def restored(coded: CodedLayer) -> Weights:
    return coded.palette.astype(np.float32)[coded.indices]


def output_error(weights: Weights, coded: Weights, statistics: LayerStatistics) -> float:
    e = (weights - coded).reshape(len(weights), -1).astype(np.float64)
    covariance = np.repeat(statistics.covariance, len(e) // statistics.groups, axis=0)
    through = np.einsum("oc,ocd,od->o", e, covariance, e)
    return float((statistics.sensitivity * through).sum()) / 2


def check(coded: CodedLayer, weights: Weights) -> None:
    assert coded.indices.shape == weights.shape
    assert coded.indices.dtype == np.uint8
    assert coded.palette.dtype == np.float16
    numbers, count = coded.indices, len(coded.palette)
    if coded.trellis:
        numbers, count = coded.indices // np.uint8(2), count // 2
        rows = numbers.reshape(len(numbers), -1)
        assert along_trellis(rows).tobytes() == coded.indices.tobytes()
        assert count == numbers.max() + 1
    if coded.trellis and coded.affine is None:
        assert (np.diff(coded.palette.astype(np.float64)) >= 0).all()
    elif coded.affine is None:
        assert (np.diff(coded.palette.astype(np.float64)) > 0).all()
        assert np.unique(coded.indices).tolist() == list(range(len(coded.palette)))
    else:
        assert coded.palette.tobytes() == even_halves(*coded.affine, len(coded.palette))
        assert coded.trellis or coded.indices.max() == len(coded.palette) - 1
    assert coded.bias_shift.shape == (len(weights),)
    assert np.isfinite(coded.bias_shift).all()
    plane = encode_plane(numbers, index_bits=index_bits_for(count))
    bits = 8 * plane.png_bytes + (64 if coded.affine else 16 * len(coded.palette))
    assert coded.bits == bits + coded.trellis * TRELLIS_BITS


@pytest.mark.parametrize(
    ("groups", "shape"), [(1, (24, 60)), (1, (12, 4, 3, 3)), (16, (16, 1, 3, 3)), (2, (8, 5, 1, 1))]
)
def test_a_layer_is_coded(groups: int, shape: tuple[int, ...]) -> None:
    weights = laplace(*shape)
    statistics = seen(groups, shape[0], weights[0].size)
    coded = code_layer(weights, statistics, lagrangian=1e-5)
    check(coded, weights)
    measured = output_error(weights, restored(coded), statistics)
    # The loss is counted with damping and shrunk sensitivities.
    assert coded.distortion == pytest.approx(measured, rel=0.5)


@pytest.mark.parametrize("together", [False, True])
def test_a_trellis_loses_less_in_as_many_bits(together: bool) -> None:
    weights, statistics = laplace(96, 120), seen(1, 96, 120)
    if together:
        mixed = np.random.default_rng(2).normal(size=(96, 30))
        gram = mixed @ mixed.T / 30
        root = np.sqrt(np.diagonal(gram))
        between = gram / np.outer(root, root)
        statistics = dataclasses.replace(statistics, between=between, photos=10**6)
    costs = {}
    for along in (False, True):
        settings = CodingSettings(trellis=along)
        coded = code_layer(weights, statistics, lagrangian=2e-3, settings=settings)
        check(coded, weights)
        assert coded.trellis is along
        costs[along] = coded.distortion / 2e-3 + coded.bits
    # A sixth of a bit a weight is known of columns without an end; here it is most of that.
    assert 0.09 * weights.size < costs[False] - costs[True] < 0.25 * weights.size


def test_grouped_outputs_have_no_trellis() -> None:
    weights = laplace(64, 1, 3, 3)
    assert not code_layer(weights, seen(64, 64, 9), lagrangian=1e-5).trellis


def test_dearer_bits_are_fewer_bits() -> None:
    weights, statistics = laplace(40, 80), seen(1, 40, 80)
    layers = [code_layer(weights, statistics, lagrangian=lam) for lam in (1e-4, 1e-3, 1e-2, 1e-1)]
    bits = [layer.bits for layer in layers]
    losses = [layer.distortion for layer in layers]
    assert bits == sorted(bits, reverse=True)
    assert losses == sorted(losses)
    assert {index_bits_for(len(layer.palette)) for layer in layers} >= {8, 4}


def test_it_beats_plain_palettes_at_the_same_size() -> None:
    weights, statistics = laplace(64, 100), seen(1, 64, 100)
    plain = fit_palette(weights, 16)
    plane = encode_plane(plain.indices, index_bits=4)
    plain_bits = 8 * sum(len(band.png) for band in plane.bands) + 16 * 16
    plain_error = output_error(weights, plain.values.astype(np.float32)[plain.indices], statistics)
    least = CodingSettings(inner_rate=1.0, unbias=0.0)  # what counts here is squared error alone
    lagrangian = 1e-3
    while True:
        coded = code_layer(weights, statistics, lagrangian=lagrangian, settings=least)
        if coded.bits <= plain_bits:
            break
        lagrangian *= 1.5
    assert output_error(weights, restored(coded), statistics) < 0.5 * plain_error


def test_the_bias_takes_up_the_mean_error() -> None:
    weights = laplace(10, 30)
    statistics = seen(1, 10, 30)
    coded = code_layer(weights, statistics, lagrangian=1e-4)
    error = (restored(coded).astype(np.float64) - weights) @ statistics.mean[0]
    assert np.abs(error).max() > 1e-4
    np.testing.assert_allclose(coded.bias_shift, -error, rtol=1e-4, atol=1e-6)


def test_stretching_makes_outputs_follow() -> None:
    weights, statistics = laplace(40, 50), seen(1, 40, 50)

    def slope(unbias: float) -> float:
        settings = CodingSettings(unbias=unbias)
        coded = code_layer(weights, statistics, lagrangian=0.05, settings=settings)
        through = weights.astype(np.float64) @ statistics.covariance[0]
        return float((through * restored(coded)).sum() / (through * weights).sum())

    assert slope(0.0) < 0.99
    assert slope(0.0) < slope(0.5) < slope(1.0) < 1.02


def test_what_is_gone_is_not_stretched() -> None:
    weights, statistics = laplace(40, 50), seen(1, 40, 50)
    weights -= weights.mean(axis=1, keepdims=True)
    coded = code_layer(weights, statistics, lagrangian=10.0)
    assert len(coded.palette) <= 2
    nothing = output_error(weights, np.zeros_like(weights), statistics)
    assert coded.distortion < 1.5 * nothing


@pytest.mark.parametrize(
    "weights",
    [
        np.zeros((4, 6)),
        np.full((4, 6), 0.3),
        np.array([[0.7]]),
        np.eye(4)[:, :, None, None],
        np.full((2, 3), 65504.0),
        np.array([[1e-8, -1e-8]]),
    ],
)
def test_odd_weights(weights: Weights) -> None:
    weights = weights.astype(np.float32)
    coded = code_layer(weights, seen(1, len(weights), weights[0].size), lagrangian=1e-9)
    check(coded, weights)
    np.testing.assert_allclose(restored(coded), weights, rtol=2e-3, atol=1e-6)


def test_a_covariance_in_blocks_is_coded_block_by_block() -> None:
    weights = laplace(12, 50)
    whole = seen(2, 12, 50).covariance
    blocks = np.zeros((6, 20, 20))
    apart = np.zeros_like(whole)
    for group in range(2):
        for block, start in enumerate((0, 20, 40)):
            piece = whole[group, start : start + 20, start : start + 20]
            blocks[3 * group + block, : len(piece), : len(piece)] = piece
            apart[group, start : start + 20, start : start + 20] = piece
    known = dataclasses.replace(seen(2, 12, 50), photos=10**6, samples=10**7)
    in_blocks = code_layer(weights, dataclasses.replace(known, covariance=blocks), lagrangian=1e-3)
    check(in_blocks, weights)
    # The same covariance with zeros between the blocks; the order of columns alone differs.
    at_once = code_layer(weights, dataclasses.replace(known, covariance=apart), lagrangian=1e-3)
    assert in_blocks.distortion == pytest.approx(at_once.distortion, rel=0.1)
    assert in_blocks.bits == pytest.approx(at_once.bits, rel=0.02)


def test_dead_channels_take_part_for_next_to_nothing() -> None:
    weights, statistics = laplace(20, 40), seen(1, 20, 40)
    covariance = statistics.covariance.copy()
    covariance[:, 20:] = covariance[:, :, 20:] = 0
    dead = dataclasses.replace(statistics, covariance=covariance)
    coded = code_layer(weights, dead, lagrangian=1e-4)
    check(coded, weights)
    alive, rest = coded.indices[:, :20], coded.indices[:, 20:]
    assert len(np.unique(rest)) < len(np.unique(alive))


@pytest.mark.parametrize("photos", [1, 400])
def test_nothing_known_at_all(photos: int) -> None:
    nothing = LayerStatistics(np.zeros((1, 9)), np.zeros((1, 9, 9)), np.zeros(6), photos, photos)
    weights = laplace(6, 1, 3, 3)
    check(code_layer(weights, nothing, lagrangian=1e-6), weights)


def test_without_photos() -> None:
    weights = laplace(32, 64)
    guessed = guess_statistics(weights)
    coded = code_layer(weights, guessed, lagrangian=1e-5)
    check(coded, weights)
    assert not coded.bias_shift.any()
    error = float(((restored(coded) - weights) ** 2).sum() / (weights**2).sum())
    assert error < 0.02
    larger = code_layer(weights * 8, guess_statistics(weights * 8), lagrangian=1e-5)
    assert larger.bits == pytest.approx(coded.bits, rel=0.02)  # scale says nothing


def test_without_photos_in_groups() -> None:
    weights = laplace(16, 1, 3, 3)
    check(code_layer(weights, guess_statistics(weights, groups=16), lagrangian=1e-4), weights)
    zeros = np.zeros((3, 2), np.float32)
    check(code_layer(zeros, guess_statistics(zeros), lagrangian=1e-4), zeros)


def test_the_same_again() -> None:
    weights, statistics = laplace(30, 45), seen(1, 30, 45)
    first = code_layer(weights, statistics, lagrangian=1e-5)
    second = code_layer(weights.copy(), statistics, lagrangian=1e-5)
    assert first.indices.tobytes() == second.indices.tobytes()
    assert first.palette.tobytes() == second.palette.tobytes()


def test_what_does_not_fit_is_refused() -> None:
    weights, statistics = laplace(4, 6), seen(1, 4, 6)
    broken = statistics.sensitivity.copy()
    broken[0] = np.inf
    lost = np.full((1, 6), np.nan)
    cases = [
        (weights[:3], statistics, 1.0, "bad-statistics"),
        (weights[:, :5], statistics, 1.0, "bad-statistics"),
        (weights, dataclasses.replace(statistics, sensitivity=broken), 1.0, "bad-statistics"),
        (weights, dataclasses.replace(statistics, mean=lost), 1.0, "bad-statistics"),
        (weights, statistics, -1.0, "bad-lagrangian"),
        (weights * np.float32(np.nan), statistics, 1.0, "bad-weights"),
        (np.float32(3) * np.ones((), np.float32), statistics, 1.0, "bad-weights"),
    ]
    for odd, given, lagrangian, slug in cases:
        with pytest.raises(UsageError) as refusal:
            code_layer(np.asarray(odd), given, lagrangian=lagrangian)
        assert refusal.value.slug == slug


def test_what_is_mostly_one_value_takes_less_than_a_bit_a_weight() -> None:
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 1, (64, 400)).astype(np.float32)
    weights[rng.random(weights.shape) > 0.04] = 0
    coded = code_layer(weights, seen(1, 64, 400), lagrangian=1e-6)
    assert len(coded.palette) > 16  # more than an index of 4 bits tells
    assert coded.bits < weights.size


def test_errors_that_cancel_in_the_answer_are_free() -> None:
    weights = np.random.default_rng(4).normal(0, 1, (16, 40)).astype(np.float32)
    known = dataclasses.replace(seen(1, 16, 40), photos=10_000, samples=10**6)
    together = np.full((16, 16), 0.9)
    np.einsum("oo->o", together)[...] = 1.0
    alone = code_layer(weights, known, lagrangian=1e-3)
    aware = code_layer(weights, dataclasses.replace(known, between=together), lagrangian=1e-3)
    assert aware.distortion + 1e-3 * aware.bits < alone.distortion + 1e-3 * alone.bits
    check(aware, weights)
