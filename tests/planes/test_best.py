"""Masks and shared planes: smaller, decoded to the same indices, and plain where nothing is won."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocketlens.base.errors import LensFileError, UsageError
from pocketlens.palettes.palette import fit_palette
from pocketlens.planes.best import BestPlane, encode_best
from pocketlens.planes.decode import decode_indices, decode_plane
from pocketlens.planes.encode import encode_plane, encode_run, encode_shared
from pocketlens.planes.entropy import index_entropy_bytes
from pocketlens.planes.plane import MOST_BAND_BYTES, Plane, index_bits_for
from pocketlens.planes.scanlines import read_header

Indices = NDArray[np.uint8]


def draw(shape: tuple[int, ...], size: int, *, common: int, share: float, seed: int = 0) -> Indices:
    """Indices below `size`; `share` of them are `common`."""
    rng = np.random.default_rng(seed)
    indices = np.clip(rng.normal(size / 2, size / 6 + 0.4, shape), 0, size - 1).astype(np.uint8)
    indices[rng.random(shape) < share] = common
    return indices


def decoded(best: BestPlane, count: int) -> Indices:
    return decode_indices(best.plane, count, mask=best.mask, common=best.common)


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 256),
    st.integers(0, 255),
    st.sampled_from([0.0, 0.5, 0.9, 1.0]),
)
def test_the_best_plane_gives_the_indices_back(
    outputs: int, row_length: int, size: int, common: int, share: float
) -> None:
    indices = draw((outputs, row_length), size, common=common % size, share=share)
    best = encode_best(indices, palette_size=size)
    assert np.array_equal(decoded(best, indices.size), indices.reshape(-1))
    plain = encode_plane(indices, index_bits=index_bits_for(size))
    assert best.png_bytes <= plain.png_bytes
    assert best == encode_best(indices, palette_size=size)


def test_many_zeros_get_a_mask() -> None:
    indices = draw((400, 1000), 200, common=77, share=0.8)
    best = encode_best(indices, palette_size=200)
    assert best.mask is not None
    assert best.mask.index_bits == 1
    assert best.common == 77
    assert best.png_bytes < 1.012 * index_entropy_bytes(indices, 200)
    assert encode_plane(indices, index_bits=8).png_bytes > 1.08 * index_entropy_bytes(indices, 200)


def test_seventeen_levels_fit_four_bits() -> None:
    best = encode_best(draw((300, 1000), 17, common=8, share=0.3), palette_size=17)
    assert best.mask is not None
    assert best.plane.index_bits == 4


def test_plain_where_a_mask_wins_nothing() -> None:
    even = draw((300, 1000), 16, common=8, share=0.0)
    best = encode_best(even, palette_size=16)
    assert best == BestPlane(encode_plane(even, index_bits=4))
    constant = np.zeros((40, 50), np.uint8)
    assert encode_best(constant, palette_size=1) == BestPlane(encode_plane(constant, index_bits=1))
    assert encode_best(constant, palette_size=2).mask is None


def test_nearly_constant_planes_take_next_to_nothing() -> None:
    assert encode_plane(np.zeros((300, 1000), np.uint8), index_bits=1).png_bytes < 200


def test_what_is_kept_is_crushed() -> None:
    pytest.importorskip("oxipng")
    indices = draw((200, 500), 100, common=3, share=0.7)
    told: list[tuple[str, int, int]] = []
    best = encode_best(indices, palette_size=100)
    crushed = encode_best(
        indices, palette_size=100, crush=2, progress=lambda *event: told.append(event)
    )
    assert crushed.png_bytes <= best.png_bytes
    assert (crushed.mask is None) == (best.mask is None)
    assert np.array_equal(decoded(crushed, indices.size), indices.reshape(-1))
    assert told[-1] == ("planes", 1, 1)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 90)), min_size=1, max_size=9),
    st.sampled_from([1, 2, 4, 8]),
)
def test_tensors_share_a_plane(shapes: list[tuple[int, int]], bits: int) -> None:
    tensors = [
        np.random.default_rng(n).integers(0, 1 << bits, shape).astype(np.uint8)
        for n, shape in enumerate(shapes)
    ]
    plane, starts = encode_shared(tensors, index_bits=bits)
    assert starts[0] == 0
    ends = [start + indices.size for start, indices in zip(starts, tensors, strict=True)]
    assert list(starts[1:]) == ends[:-1], "without a gap"
    for start, indices in zip(starts, tensors, strict=True):
        seen = decode_indices(plane, indices.size, first_pixel=start)
        assert np.array_equal(seen, indices.reshape(-1))
    everything = np.concatenate([indices.reshape(-1) for indices in tensors])
    assert np.array_equal(decode_plane(plane, ends[-1]), everything), "zeros follow the last"


def test_a_shared_plane_may_have_bands() -> None:
    tensors = [draw((n, 1000), 200, common=3, share=0.1, seed=n) for n in (900, 3, 1100)]
    plane, starts = encode_shared(tensors, index_bits=8)
    assert len(plane.bands) == 3
    assert len({band.rows for band in plane.bands[:-1]}) == 1
    for band in plane.bands:
        assert len(band.png) <= MOST_BAND_BYTES
        assert read_header(band.png) == (plane.width, band.rows, 8)
    for start, indices in zip(starts, tensors, strict=True):
        seen = decode_indices(plane, indices.size, first_pixel=start)
        assert np.array_equal(seen, indices.reshape(-1))


def test_sharing_saves_frames_and_tables() -> None:
    alike = [draw((30, 40), 16, common=8, share=0.1, seed=n) for n in range(20)]
    plane, _ = encode_shared(alike, index_bits=4)
    alone = sum(encode_plane(indices, index_bits=4).png_bytes for indices in alike)
    entropy = sum(index_entropy_bytes(indices, 16) for indices in alike)
    assert plane.png_bytes < alone - 19 * 100
    assert plane.png_bytes < 1.015 * entropy + 150


def test_sharing_among_strangers_costs_little() -> None:
    """A tensor unlike its neighbours has a table of its own."""
    strangers = [draw((60, 400), 256, common=n * 40, share=0.6, seed=n) for n in range(6)]
    plane, _ = encode_shared(strangers, index_bits=8)
    alone = sum(encode_run(indices, index_bits=8).png_bytes for indices in strangers)
    assert plane.png_bytes < alone


def test_nothing_to_share_is_refused() -> None:
    for tensors in ([], [np.zeros((2, 0), np.uint8)], [np.full((2, 2), 9, np.uint8)]):
        with pytest.raises(UsageError) as error:
            encode_shared(tensors, index_bits=2)
        assert error.value.slug == "bad-indices"


def masked() -> tuple[Indices, BestPlane]:
    indices = draw((40, 500), 100, common=50, share=0.8)
    best = encode_best(indices, palette_size=100)
    assert best.mask is not None
    return indices, best


def test_masks_and_runs_that_do_not_fit_are_refused() -> None:
    indices, best = masked()
    plane, mask, count = best.plane, best.mask, indices.size
    assert mask is not None
    fewer = indices.reshape(-1) != best.common
    fewer[np.flatnonzero(fewer)[: plane.width + 1]] = False
    zeros = np.zeros(indices.shape, np.uint8)
    short = encode_plane(fewer.reshape(indices.shape).view(np.uint8), index_bits=1)
    wrong: list[tuple[Plane, int, int, Plane | None]] = [
        (plane, count, 0, None),
        (plane, 5, plane.rows * plane.width - 4, None),
        (plane, 5, -1, None),
        (plane, count, 1, mask),
        (plane, count, 0, short),
        (plane, count, 0, encode_plane(zeros, index_bits=1)),
        (plane, count, 0, encode_plane((indices != 50).view(np.uint8), index_bits=2)),
        (plane, count + 40, 0, mask),
        (dataclasses.replace(plane, bands=()), count, 0, mask),
    ]
    for broken, number, first, its_mask in wrong:
        with pytest.raises(LensFileError) as error:
            decode_indices(broken, number, first_pixel=first, mask=its_mask, common=best.common)
        assert error.value.slug == "plane-mismatch"


@pytest.mark.data
@pytest.mark.parametrize("crush", [None, 2])
def test_squeezenets_last_layer_stays_at_its_entropy(data_folder: Path, crush: int | None) -> None:
    """80% zeros among 512,000 weights: a plain plane is 13.6% above the entropy."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(data_folder / "models" / "squeezenet_v1.0.onnx")
    (weights,) = (
        onnx.numpy_helper.to_array(t)
        for t in model.graph.initializer
        if list(t.dims) == [1000, 512, 1, 1]
    )
    palette = fit_palette(weights, 256)
    best = encode_best(palette.indices, palette_size=len(palette.values), crush=crush)
    assert np.array_equal(decoded(best, weights.size), palette.indices.reshape(-1))
    assert best.png_bytes < 1.012 * index_entropy_bytes(palette.indices, 256)
