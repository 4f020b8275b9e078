"""Worth goes to the outputs that somebody reads."""

from __future__ import annotations

import numpy as np
import pytest

from pocketlens.calibration.collect import collect
from pocketlens.calibration.downstream import seen_variances, spread_by_readers
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network


def two_readers() -> Network:
    """Channels 0 to 3 of `first` are read: 0 loudly, 1 softly, 2 not at all, 3 as a residual."""
    rng = np.random.default_rng(0)
    builder = Builder()
    x = builder.input("x", (1, 3, 6, 6))
    weights = {
        "first": rng.standard_normal((4, 3, 1, 1)),
        "middle": np.zeros((4, 4, 1, 1)),
        "second": np.zeros((5, 8, 1, 1)),
    }
    weights["middle"][0, 0] = 1.0
    weights["second"][:, 0] = 0.3  # middle's channels, then first's
    weights["second"][:, 4:6] = [[[[2.0]], [[0.5]]]] * 5
    t = {name: builder.tensor(name, v.astype(np.float32)) for name, v in weights.items()}
    a = builder.add("conv2d", x, t["first"])
    b = builder.add("conv2d", a, t["middle"], "", a)
    joined = builder.add("concat", b, builder.add("max_pool", a, kernel=(1, 1)), axis=1)
    pooled = builder.add("reduce", joined, kind="mean", axes=(2, 3), keepdims=1)
    c = builder.add("conv2d", pooled, t["second"])
    out = builder.add("reshape", c, shape=(1, 5))
    return builder.network(outputs=(out,))


def test_outputs_are_worth_what_their_readers_say() -> None:
    network = two_readers()
    rng = np.random.default_rng(1)
    photos = [rng.standard_normal((1, 3, 6, 6)).astype(np.float32) for _ in range(4)]
    statistics = collect(network, photos)
    worths = {"first": 2.0, "middle": 0.5, "second": 1.0}
    spread = spread_by_readers(network, statistics, worths)
    assert spread["second"] == pytest.approx(1.0)
    first = spread["first"]
    assert first[0] > first[1] > first[2]
    assert first[2] == pytest.approx(first[3], rel=1e-6)
    assert spread["middle"][0] > spread["middle"][1]
    for name, worth in worths.items():
        seen = seen_variances(statistics[name])
        assert spread[name] @ seen == pytest.approx(worth * seen.sum())
