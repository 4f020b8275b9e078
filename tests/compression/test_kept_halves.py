"""Tensors that were in half precision already: not made larger, and not changed."""

from __future__ import annotations

import numpy as np

from pocketlens.compression.fates import store_tensors
from pocketlens.compression.overrides import Override
from pocketlens.compression.settings import Settings
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network


def network() -> Network:
    random = np.random.default_rng(0)
    build = Builder()
    x = build.input("x", (1, 40))
    for name in ("a", "b"):
        weight = random.standard_normal((40, 40)).astype(np.float16).astype(np.float32)
        bias = random.standard_normal(40).astype(np.float16).astype(np.float32)
        x = build.add("linear", x, build.tensor(f"{name}.weight", weight),
                      build.tensor(f"{name}.bias", bias), name=name)  # fmt: skip
    return build.network(outputs=(x,))


def fates(settings: Settings, halves: tuple[str, ...]) -> dict[str, str]:
    made = network()
    records = store_tensors(made.graph, made.tensors, settings=settings, halves=halves)
    for record in records:
        if record.fate != "palette":
            assert np.array_equal(tensor_values(record), made.tensors[record.name])
    return {record.name: record.fate for record in records}


def test_floats_are_asked_for_but_halves_are_there() -> None:
    halves = ("a.weight", "a.bias")
    expected = {"a.weight": "half", "a.bias": "half", "b.weight": "float", "b.bias": "float"}
    assert fates(Settings(bits=32), halves) == expected
    assert fates(Settings(bits=16), halves) == {**expected, "b.weight": "half"}


def test_palettes_are_made_all_the_same() -> None:
    assert fates(Settings(bits=4, crush=None), ("a.weight",))["a.weight"] == "palette"


def test_who_asks_by_name_gets_floats() -> None:
    settings = Settings(bits=32, overrides=(Override("a.weight", bits=32),))
    assert fates(settings, ("a.weight", "a.bias"))["a.weight"] == "float"
