"""Engines that share packed weights: another graph of the same tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conformance.engines import float_contents
from lens_samples import small_lens
from parity.compressed import Fate, compressed_contents
from parity.test_sliding import mean, network, picture, slid
from pocketlens.base.errors import EngineError
from pocketlens.engine.core import CoreEngine, targets
from pocketlens.lensfile.contents import LensContents

FATE = Fate("palette", 16)


def palettes() -> tuple[LensContents, LensContents]:
    """The network as it is, and on a larger picture."""
    made = network(mean, pad=1)
    contents = compressed_contents(made, FATE)
    return contents, replace(contents, graph=slid(made, 41, 49).graph)


@pytest.mark.parametrize("target", targets())
def test_answers_are_those_of_an_engine_of_its_own(target: str) -> None:
    contents, grown = palettes()
    first = CoreEngine(contents, target=target)
    beside = CoreEngine(grown, beside=first)
    assert beside.target == target
    (alone,) = CoreEngine(grown, target=target).run([picture(41, 49)])
    (shared,) = beside.run([picture(41, 49)])
    np.testing.assert_array_equal(shared, alone)
    first.close()
    (later,) = beside.run([picture(41, 49)])
    np.testing.assert_array_equal(later, alone)


def test_what_is_shared_is_counted_by_each_and_told() -> None:
    contents, grown = palettes()
    first = CoreEngine(contents)
    one, other = first.memory(), CoreEngine(grown, beside=first).memory()
    assert one["shared"] == other["shared"] > 0
    assert one["shared"] < other["weights"]
    assert other["arena"] > one["arena"]


def test_other_tensors_are_refused() -> None:
    contents, _ = palettes()
    for others in (small_lens(), float_contents(network(mean, pad=1))):
        with pytest.raises(EngineError):
            CoreEngine(others, beside=CoreEngine(contents))


def test_a_closed_engine_shares_nothing() -> None:
    contents, grown = palettes()
    first = CoreEngine(contents)
    first.close()
    with pytest.raises(EngineError, match="closed"):
        CoreEngine(grown, beside=first)
