"""Pictures of weights: samples of every depth, tables of every kind, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from importers.ccv_files import png, write_network
from pocketlens.base.errors import ModelError
from pocketlens.importers.ccv.reader import read_ccv
from pocketlens.importers.ccv.samples import read_samples
from pocketlens.importers.imported import GivenPalette

NAME = "fc2.weight"
RANDOM = np.random.default_rng(4)


def hwc(weights: np.ndarray) -> np.ndarray:
    """Weights of the network, channels first, back in ccv's order."""
    return weights.reshape(6, 4, 3, 3).transpose(0, 2, 3, 1).reshape(6, 36)


def read(tmp_path: Path, table: np.ndarray, picture: bytes) -> GivenPalette:
    """The palette of a network with that table and that picture."""
    path = write_network(tmp_path / "n.sqlite3", table=table)
    (tmp_path / "layer-2.png").write_bytes(picture)
    imported = read_ccv(path)
    palette = imported.palettes[NAME]
    values = palette.values.astype(np.float32)[palette.indices]
    assert np.array_equal(values.view(np.uint32), imported.network.tensors[NAME].view(np.uint32))
    codes = palette.values.astype(np.float64)
    assert (np.diff(codes) >= 0).all()
    assert len({value.tobytes() for value in palette.values}) == len(codes)
    return palette


def weights(palette: GivenPalette) -> np.ndarray:
    """What a palette tells, in ccv's order, float16."""
    return hwc(palette.values[palette.indices])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("colour", [0, 3])
def test_samples_are_as_they_stand_in_the_file(tmp_path: Path, bits: int, colour: int) -> None:
    samples = RANDOM.integers(0, 1 << bits, (6, 36)).astype(np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(png(samples, bits, colour=colour))
    Image.open(path).load()
    found = read_samples(path, height=6, width=36)
    assert (found.bits, found.colour) == (bits, colour)
    assert np.array_equal(found.values, samples)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("colour", [0, 3])
def test_an_index_points_into_the_table(tmp_path: Path, bits: int, colour: int) -> None:
    table = RANDOM.normal(size=1 << bits).astype(np.float16)
    samples = RANDOM.integers(0, 1 << bits, (6, 36))
    palette = read(tmp_path, table, png(samples, bits, colour=colour))
    assert np.array_equal(weights(palette), table[samples])


def test_pillows_pictures_are_read(tmp_path: Path) -> None:
    table = np.arange(200, dtype=np.float16)
    samples = RANDOM.integers(0, 200, (6, 36)).astype(np.uint8)
    Image.fromarray(samples).save(tmp_path / "p.png", optimize=True)
    assert np.array_equal(
        weights(read(tmp_path, table, (tmp_path / "p.png").read_bytes())), table[samples]
    )


class TestTimes17:
    def test_16_values_and_8_bits_of_multiples(self, tmp_path: Path) -> None:
        table = RANDOM.normal(size=16).astype(np.float16)
        samples = RANDOM.integers(0, 16, (6, 36))
        palette = read(tmp_path, table, png(samples * 17, 8))
        assert np.array_equal(weights(palette), table[samples])

    def test_16_values_and_8_bits_below_16_are_indices(self, tmp_path: Path) -> None:
        table = RANDOM.normal(size=16).astype(np.float16)
        samples = RANDOM.integers(0, 16, (6, 36))
        assert np.array_equal(weights(read(tmp_path, table, png(samples, 8))), table[samples])

    @pytest.mark.parametrize(("bits", "times"), [(4, 17), (2, 85), (1, 255)])
    def test_256_values_and_fewer_bits(self, tmp_path: Path, bits: int, times: int) -> None:
        table = np.sort(RANDOM.normal(size=256)).astype(np.float16)
        samples = RANDOM.integers(0, 1 << bits, (6, 36))
        palette = read(tmp_path, table, png(samples, bits))
        assert np.array_equal(weights(palette), table[samples * times])
        assert len(palette.values) == 1 << bits

    def test_a_palettes_index_is_never_scaled(self, tmp_path: Path) -> None:
        table = np.arange(256, dtype=np.float16)
        samples = RANDOM.integers(0, 16, (6, 36))
        assert np.array_equal(
            weights(read(tmp_path, table, png(samples, 4, colour=3))), table[samples]
        )
        with pytest.raises(ModelError) as refused:
            read(tmp_path, table[:16], png(samples * 17, 8, colour=3))
        assert refused.value.slug == "ccv-index"

    def test_other_tables_are_not_scaled(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError) as refused:
            read(tmp_path, np.arange(17, dtype=np.float16), png(np.full((6, 36), 34), 8))
        assert refused.value.slug == "ccv-index"


class TestTables:
    def test_in_any_order_with_repetitions(self, tmp_path: Path) -> None:
        table = np.array([3, -1, 3, 0.5, -2, -1, 0, 7], np.float16)
        samples = RANDOM.integers(0, 8, (6, 36))
        palette = read(tmp_path, table, png(samples, 4))
        assert palette.values.tolist() == [-2, -1, 0, 0.5, 3, 7]
        assert np.array_equal(weights(palette), table[samples])

    def test_minus_zero_stays(self, tmp_path: Path) -> None:
        table = np.array([0.0, -0.0, -1e-7, 1e-7], np.float16)
        samples = RANDOM.integers(0, 4, (6, 36))
        palette = read(tmp_path, table, png(samples, 2))
        assert len(palette.values) == 4
        assert weights(palette).tobytes() == table[samples].tobytes()

    def test_values_that_nothing_uses_stay_so_that_indices_do(self, tmp_path: Path) -> None:
        table = np.arange(200, dtype=np.float16)
        samples = RANDOM.integers(50, 150, (6, 36))
        palette = read(tmp_path, table, png(samples, 8))
        assert np.array_equal(hwc(palette.indices), samples)
        assert len(palette.values) == 200

    def test_nan_is_let_be_where_nothing_uses_it(self, tmp_path: Path) -> None:
        table = np.arange(200, dtype=np.float16)
        table[199], table[0] = np.nan, np.inf
        samples = RANDOM.integers(1, 199, (6, 36))
        palette = read(tmp_path, table, png(samples, 8))
        assert np.array_equal(weights(palette), table[samples])
        samples[2, 2] = 199
        with pytest.raises(ModelError) as refused:
            read(tmp_path, table, png(samples, 8))
        assert refused.value.slug == "not-finite"

    def test_one_value(self, tmp_path: Path) -> None:
        palette = read(tmp_path, np.array([2], np.float16), png(np.zeros((6, 36)), 8))
        assert (weights(palette) == 2).all()


def test_a_convolution_may_have_one_too(tmp_path: Path) -> None:
    table = RANDOM.normal(size=16).astype(np.float16)
    samples = RANDOM.integers(0, 16, (4, 27))
    path = write_network(tmp_path / "n.sqlite3", conv_table=table)
    (tmp_path / "layer-0.png").write_bytes(png(samples, 8))
    found = read_ccv(path).network.tensors["conv0.weight"]
    wanted = table[samples].astype(np.float32).reshape(4, 3, 3, 3).transpose(0, 3, 1, 2)
    assert np.array_equal(found, wanted)


GOOD = png(np.arange(216).reshape(6, 36), 8)


@pytest.mark.parametrize(("picture", "slug"), [
    (b"", "ccv-plane"),
    (b"GIF89a", "ccv-plane"),
    (GOOD[:-1], "ccv-plane"),
    (GOOD[:60], "ccv-plane"),
    (GOOD[:-20] + b"\x00" + GOOD[-19:], "ccv-plane"),
    (png(np.zeros((6, 36)), 8, interlace=1), "ccv-plane"),
    (png(np.zeros((36, 6)), 8), "ccv-plane-size"),
    (png(np.zeros((6, 35)), 8), "ccv-plane-size"),
    (png(np.zeros((7, 36)), 8), "ccv-plane-size"),
    (png(np.full((6, 36), 255), 8), "ccv-index"),
])  # fmt: skip
def test_pictures_that_are_refused(tmp_path: Path, picture: bytes, slug: str) -> None:
    with pytest.raises(ModelError) as refused:
        read(tmp_path, np.arange(216, dtype=np.float16), picture)
    assert refused.value.slug == slug
    assert "layer-2.png" in refused.value.sentence


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
def test_other_colours_are_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (36, 6)).save(tmp_path / "p.png")
    with pytest.raises(ModelError) as refused:
        read(tmp_path, np.arange(216, dtype=np.float16), (tmp_path / "p.png").read_bytes())
    assert refused.value.slug == "ccv-plane"


def test_flipped_bytes_are_found_or_harmless(tmp_path: Path) -> None:
    """A checksum stands over every chunk: what a flipped byte leaves readable is what it was."""
    table = np.arange(216, dtype=np.float16)
    expected = weights(read(tmp_path, table, GOOD))
    refused = 0
    for place in range(0, len(GOOD), 3):
        data = bytearray(GOOD)
        data[place] ^= 1 << place % 8
        try:
            found = weights(read(tmp_path, table, bytes(data)))
        except ModelError:
            refused += 1
            continue
        assert np.array_equal(found, expected)
    assert refused
