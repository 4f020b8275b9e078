"""Random networks run alike on the reference and on every core target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.engines import CORES, REFERENCE, Engine
from pocketlens.base.tolerances import NETWORK
from pocketlens.engine.core import CoreEngine
from pocketlens.graph.graph import Network

from .compressed import FATES, Fate, compressed_contents
from .random_graphs import networks
from .test_operators import assert_close


@settings(max_examples=60)
@given(networks())
def test_random_networks_run_and_stay_finite(network: Network) -> None:
    shape = network.graph.shapes["x"]
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    for output in REFERENCE.run(compressed_contents(network, Fate("half")), [x]):
        assert np.isfinite(output).all()


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@settings(max_examples=60)
@given(network=networks(), fate=st.sampled_from(FATES))
def test_random_networks_run_alike(network: Network, fate: Fate, engine: Engine) -> None:
    shape = network.graph.shapes["x"]
    x = np.random.default_rng(0).uniform(-1, 1, (2, *shape[1:])).astype(np.float32)
    contents = compressed_contents(network, fate)
    if any(network.graph.shapes[name][0] != 1 for name in network.graph.outputs):
        x = x[:1]
    expected = REFERENCE.run(contents, [x])
    for one, other in zip(engine.run(contents, [x]), expected, strict=True):
        assert_close(one, other, NETWORK, floor=0.01)


@settings(max_examples=30)
@given(network=networks(), threads=st.integers(2, 5))
def test_threads_change_nothing(network: Network, threads: int) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, network.graph.shapes["x"]).astype(np.float32)
    contents = compressed_contents(network, Fate("palette", 16, 4))
    alone = CoreEngine(contents, threads=1).run([x])
    for one, other in zip(CoreEngine(contents, threads=threads).run([x]), alone, strict=True):
        np.testing.assert_array_equal(one, other)
