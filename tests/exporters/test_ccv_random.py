"""Random chains through ccv's files: what is read back, and what ccv makes of them, is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporters.ccv_by_hand import encode
from exporters.ccv_networks import lens_of, recipe
from pocketlens.base.errors import ModelError
from pocketlens.compression.settings import Settings
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.exporters.ccv.writer import write_ccv
from pocketlens.importers.ccv.reader import read_ccv
from pocketlens.networks.build import chain, filled, first_biases
from pocketlens.networks.layers import (
    AveragePool,
    Convolution,
    FullConnect,
    Layer,
    MaxPool,
    Norm,
)

CONVOLUTIONS = st.builds(
    Convolution,
    count=st.sampled_from((8, 16)),
    size=st.sampled_from((1, 3, 5)),
    stride=st.integers(1, 2),
    border=st.integers(0, 2),
    groups=st.sampled_from((1, 2)),
    bias=st.floats(-1, 1, width=16),
)
NORMS = st.builds(Norm, groups=st.sampled_from((1, 2, 4)), size=st.sampled_from((1, 3, 5)))
POOLS = st.builds(MaxPool, size=st.integers(1, 3), stride=st.integers(1, 2)) | st.builds(
    AveragePool, size=st.integers(1, 3), stride=st.integers(1, 2)
)
BELOW = st.lists(CONVOLUTIONS | NORMS | POOLS, min_size=1, max_size=4)
ABOVE = st.lists(st.builds(FullConnect, st.integers(2, 20), st.booleans()), max_size=2)
SETTINGS = st.sampled_from(
    (
        Settings(bits=32),
        Settings(bits=16),
        Settings(palette_size=5, crush=None),
        Settings(bits=4, group_rows=3, crush=None),
    )
)
RECIPES = st.sampled_from(({}, {"channels": "bgr"}, {"scale": (2.0, 0.5, -3.0)}))


@settings(max_examples=60)
@given(
    first=CONVOLUTIONS.filter(lambda layer: layer.groups == 1),
    below=BELOW,
    above=ABOVE,
    side=st.integers(9, 24),
    asked=SETTINGS,
    changes=RECIPES,
)
def test_what_is_read_back_computes_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    first: Convolution,
    below: list[Layer],
    above: list[Layer],
    side: int,
    asked: Settings,
    changes: dict[str, Any],
) -> None:
    layers = (first, *below, *above, FullConnect(4, relu=False))
    told = recipe(height=side, width=side, resize_height=side, resize_width=side, **changes)
    folder = tmp_path_factory.mktemp("ccv")
    try:
        network = filled(chain(layers, side=side), first_biases(layers), seed=side)
        contents = lens_of(network, settings=asked, recipe=told)
        path = write_ccv(contents, folder, name="net")[0]
    except ModelError as error:
        assert error.slug in ("ccv-cannot-express", "bad-shape")
        assume(False)
    pixels = np.random.default_rng(side).uniform(0, 255, (side, side, 3)).astype(np.float32)
    ours = pixels[..., ::-1] if told.channels == "bgr" else pixels
    ours = (ours - np.array(told.mean)) / np.array(told.scale)
    theirs = pixels - read_mean(path)
    expected, found = (
        ReferenceEngine(model).run([picture.transpose(2, 0, 1)[None].astype(np.float32)])[0]
        for model, picture in ((contents, ours), (read_ccv(path).network, theirs))
    )
    by_hand = encode(path, theirs)[-1].reshape(1, -1)
    size = np.abs(expected).max() + 1e-6
    assert np.abs(found - expected).max() <= 1e-4 * size
    assert np.abs(by_hand - expected).max() <= 1e-4 * size


def read_mean(path: Path) -> np.ndarray:
    told = read_ccv(path).recipe
    assert told is not None
    if told.mean_picture:
        return np.frombuffer(told.mean_picture, "<f4").reshape(told.height, told.width, 3)
    return np.array(told.mean)
