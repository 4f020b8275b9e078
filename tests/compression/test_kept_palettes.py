"""Palettes that a network came with: kept to the bit whatever is asked of all tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from pocketlens.base.errors import UsageError
from pocketlens.compression.about import About
from pocketlens.compression.overrides import Override
from pocketlens.compression.recipes import RecipeRequest
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import frame, pack
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.build import Builder
from pocketlens.images.recipe import Recipe
from pocketlens.importers.imported import GivenPalette, Imported
from pocketlens.importers.records import KEPT, as_lens
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.writer import write_lens

RECIPE = Recipe("exact", 4, 4, "bilinear", 4, 4, "rgb", (1.0,) * 3, (2.0,) * 3)


def network(*, levels: tuple[int, int] = (16, 200), common: float = 0.3) -> Imported:
    """Two full connect layers that are palettes of so many values, and one that is not.

    common  share of the weights that have one value
    """
    random = np.random.default_rng(3)
    build = Builder()
    array = build.add("reshape", build.input("x", (1, 3, 4, 4)), shape=(1, 48))
    palettes = {}
    sizes = {"a": (300, 48, levels[0]), "b": (30, 300, levels[1]), "c": (5, 30, 0)}
    for name, (outputs, inputs, k) in sizes.items():
        weights = random.normal(size=(outputs, inputs)).astype(np.float32)
        if k:
            values = np.unique(random.normal(size=2 * k).astype(np.float16))[:k]
            alike = random.random((outputs, inputs)) < common
            indices = np.where(alike, 3, random.integers(0, k, (outputs, inputs)))
            palettes[f"{name}.weight"] = GivenPalette(indices.astype(np.uint8), values)
            weights = values.astype(np.float32)[indices]
        weight = build.tensor(f"{name}.weight", weights)
        bias = build.tensor(f"{name}.bias", np.ones(outputs, np.float32))
        array = build.add("linear", array, weight, bias, name=name, activation="relu")
    made = build.network(outputs=(array,))
    shape = made.graph.shapes["x"]
    return Imported(
        made, "n", "n.sqlite3", "0" * 64, "logits", shape, palettes=palettes, recipe=RECIPE
    )


def records(contents: LensContents) -> Mapping[str, TensorRecord]:
    return {record.name: record for record in contents.tensors}


@pytest.mark.parametrize("settings", [
    Settings(bits=32), Settings(bits=16), Settings(), Settings(bits=2),
    Settings(palette_size=7, group_rows=4, crush=None),
])  # fmt: skip
def test_they_stay_what_they_are(settings: Settings, tmp_path: Path) -> None:
    imported = network()
    write_lens(tmp_path / "n.lens", pack(imported, settings=settings))
    found = records(read_lens(tmp_path / "n.lens"))
    for name, palette in imported.palettes.items():
        record = found[name]
        assert record.reason == KEPT
        assert record.error == 0.0
        assert record.palettes == palette.values.tobytes()
        assert np.array_equal(tensor_values(record), imported.network.tensors[name])
    assert found["c.weight"].reason != KEPT


def test_an_override_by_name_wins() -> None:
    settings = Settings(overrides=(Override("a.*", palette_size=4), Override("b.weight", 32)))
    found = records(pack(network(), settings=settings))
    assert found["a.weight"].palette_size == 4
    assert found["b.weight"].fate == "float"


def test_most_of_one_value_make_a_mask() -> None:
    imported = network(common=0.95)
    found = records(pack(imported, settings=Settings(bits=32)))
    assert found["a.weight"].mask is not None
    assert np.array_equal(tensor_values(found["a.weight"]), imported.network.tensors["a.weight"])


def test_small_ones_share_a_plane() -> None:
    imported = network(levels=(200, 200))
    found = records(pack(imported, settings=Settings(bits=32)))
    assert found["a.weight"].plane is found["b.weight"].plane
    for name in imported.palettes:
        assert np.array_equal(tensor_values(found[name]), imported.network.tensors[name])


class TestRecipe:
    def test_the_models_own_is_taken(self) -> None:
        for said in (None, RecipeRequest()):
            assert frame(network(), settings="{}", about=About(said)).recipe == RECIPE

    def test_the_users_wins_where_it_fits(self) -> None:
        asked = About(RecipeRequest(preset="unit"))
        assert frame(network(), settings="{}", about=asked).recipe.scale == (255.0,) * 3

    def test_the_users_is_refused_where_it_does_not(self) -> None:
        asked = About(RecipeRequest(preset="unit", crop="3"))
        with pytest.raises(UsageError):
            frame(network(), settings="{}", about=asked)


def test_as_it_is_nothing_is_coded() -> None:
    imported = network()
    contents = as_lens(imported)
    assert contents.recipe == RECIPE
    assert [label.name for label in contents.labels] == [f"class {n}" for n in range(5)]
    for name, record in records(contents).items():
        assert np.array_equal(tensor_values(record), imported.network.tensors[name])
        assert record.fate == ("palette" if name in imported.palettes else "float")
