"""Which graphs ccv has layers for, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from exporters.ccv_networks import Chain, small
from pocketlens.base.errors import ModelError
from pocketlens.exporters.ccv.layers import Below, Convolution, FullConnect, Norm, Pool
from pocketlens.exporters.ccv.walk import layers_of
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Graph


def test_a_chain_becomes_its_layers() -> None:
    first, norm, pool, second, last, hidden, scores = layers_of(small().graph)
    assert first == Convolution(
        "first", Below(17, 17, 3), 1, 3, 3, 8, 2, 1, weight="first.0", bias="first.1"
    )
    assert norm == Norm("norm", Below(9, 9, 8), 2, 3, 2.0, norm.alpha, 0.75)
    assert norm.alpha == pytest.approx(1e-4)
    assert pool == Pool("pool", Below(9, 9, 8), "max", 3, 2, 0)
    assert (second.groups, second.strides, second.border) == (2, 1, 1)
    assert last == Pool("last", Below(4, 4, 8), "max", 2, 2, 0)
    assert hidden == FullConnect("hidden", Below(2, 2, 8), 12, True, "hidden.0", "hidden.1")
    assert scores == FullConnect("scores", Below(12, 1, 1), 6, False, "scores.0", "scores.1")


def test_columns_go_where_ccv_has_the_numbers() -> None:
    hidden, scores = layers_of(small().graph)[-2:]
    # Channel 5, row 1, column 0: with channels first number 5 * 4 + 2, with them last 2 * 8 + 5.
    assert hidden.places[5 * 4 + 2] == 2 * 8 + 5
    assert sorted(hidden.places) == list(range(32))
    assert scores.places is None


def test_channels_last_before_the_full_connect_need_no_move() -> None:
    chain = Chain().conv("conv", 4).pool("pool").add("transpose", "last", perm=(0, 2, 3, 1))
    full = layers_of(chain.flat().full("scores", 5).graph())[-1]
    assert full.below == Below(8, 8, 4) and full.places is None


def test_a_mean_over_the_map_is_a_pool_of_its_size() -> None:
    for keepdims in (0, 1):
        chain = Chain().conv("conv", 4).add("reduce", "mean", kind="mean", axes=(2, 3),
                                             keepdims=keepdims)  # fmt: skip
        pool, full = layers_of(chain.flat().full("scores", 5).graph())[1:]
        assert pool == Pool("mean", Below(17, 17, 4), "average", 17, 1, 0)
        assert full.below == Below(1, 1, 4) and full.places is None


def test_a_pool_of_one_pixel_stands_between_convolution_and_full_connect() -> None:
    layers = layers_of(Chain(side=5).conv("conv", 4).flat().full("scores", 5).graph())
    assert layers[1] == Pool("scores.idle", Below(5, 5, 4), "average", 1, 1, 0)


def test_a_softmax_at_the_end_is_left_out() -> None:
    chain = Chain().conv("conv", 4).pool("pool").flat().full("scores", 5)
    bare = layers_of(chain.graph())
    soft = chain.add("softmax", "soft", axis=1, log=0).add("reshape", "row", shape=(1, 5))
    assert layers_of(soft.graph()) == bare


def test_no_bias_and_a_full_connect_without_function_in_between() -> None:
    chain = Chain().conv("conv", 4).pool("pool").flat()
    chain.add("linear", "hidden", (7, 256)).full("scores", 5)
    hidden = layers_of(chain.graph())[-2]
    assert (hidden.bias, hidden.relu) == ("", False)


def ends(chain: Chain) -> Graph:
    return chain.pool("pool").flat().full("scores", 5).graph()


def branched() -> Graph:
    build = Builder()
    x = build.input("picture", (1, 4, 5, 5))
    w = build.tensor("w", np.zeros((4, 4, 1, 1), np.float32))
    a = build.add("conv2d", x, w, name="left", activation="relu")
    b = build.add("conv2d", x, w, name="right", activation="sigmoid")
    return build.network(outputs=(build.add("binary", a, b, name="sum", kind="add"),)).graph


REFUSED: dict[str, tuple[Callable[[], Graph], str]] = {
    "sigmoid": (lambda: ends(Chain().conv("conv", 4).add("unary", "lit", activation="sigmoid")),
                "'lit': it has no operator 'unary sigmoid'"),
    "no relu": (lambda: ends(Chain().conv("conv", 4, activation="none")),
                "'conv': nothing follows"),
    "clip": (lambda: ends(Chain().conv("conv", 4, activation="clip", beta=6.0)), "'clip' follows"),
    "even kernel": (lambda: ends(Chain().conv("conv", 4, 2, pads=(0,) * 4)), "kernel is 2x2"),
    "strides": (lambda: ends(Chain().conv("conv", 4, strides=(1, 2))), r"strides \(1, 2\) differ"),
    "pads": (lambda: ends(Chain().conv("conv", 4, pads=(1, 1, 0, 0))),
             r"pads \(1, 1, 0, 0\) differ"),
    "dilated": (lambda: ends(Chain().conv("conv", 4, dilations=(2, 2))), "kernel is dilated"),
    "six filters": (lambda: ends(Chain().conv("conv", 6)), "6 filters in a group"),
    "left over": (lambda: ends(Chain().conv("conv", 4, strides=(3, 3))),
                  "'conv': steps of 3 leave 1 of 17 rows over"),
    "pool left over": (lambda: ends(Chain(side=18).conv("conv", 4)), "'pool': steps of 2 leave 1"),
    "window": (lambda: ends(Chain().conv("conv", 4).add("max_pool", "wide", kernel=(3, 1))),
               r"'wide': its kernel \(3, 1\) differ"),
    "dilated pool": (lambda: ends(Chain().conv("conv", 4).add("max_pool", "wide", kernel=(3, 3),
                                                             dilations=(2, 2))), "dilated"),
    "pad counted": (lambda: ends(Chain().conv("conv", 4).add("avg_pool", "mean", kernel=(3, 3),
                                 pads=(1,) * 4, count_include_pad=1)), "counts the pad"),
    "even norm": (lambda: ends(Chain().conv("conv", 4).add("lrn", "norm", size=2, alpha=1.0,
                               beta=1.0, bias=1.0)), "window is of 2 channels"),
    "sum": (lambda: Chain().conv("conv", 4)
            .add("reduce", "sum", kind="sum", axes=(2, 3), keepdims=0)
            .full("scores", 5).graph(), "'sum': it has no operator 'reduce sum'"),
    "long map": (lambda: Chain().conv("conv", 4, pads=(0, 1, 0, 1)).graph(), "its pads"),
    "branch": (branched, "'right': operator 'conv2d' is part of a branch"),
    "no full connect": (lambda: Chain().conv("conv", 4).pool("pool").graph(),
                        "'pool': the network"),
    "relu last": (lambda: Chain().conv("conv", 4).pool("pool").flat().full("scores", 5, "relu")
                  .graph(), "'scores': the last full connect"),
    "no convolution": (lambda: ends(Chain()), "'scores': there is no convolution"),
    "rows": (lambda: Chain(side=5).conv("conv", 4).add("reshape", "rows", shape=(1, 4, 25))
             .full("scores", 5).graph(), "'scores': it reads 100 numbers in rows of 25"),
    "moved": (lambda: ends(Chain().conv("conv", 4).add("transpose", "turned", perm=(0, 1, 3, 2))
                           .conv("again", 4)), "'again': 'conv2d' reads a picture whose numbers"),
    "after full connect": (lambda: Chain().conv("conv", 4).pool("pool").flat().full("hidden", 16)
                           .add("reshape", "up", shape=(1, 4, 2, 2)).conv("again", 4).flat()
                           .full("scores", 5).graph(), "after a full connect"),
    "softmax inside": (lambda: Chain().conv("conv", 4).pool("pool").flat().full("hidden", 8)
                       .add("softmax", "soft", axis=1, log=0).full("scores", 5).graph(),
                       "'soft': a softmax stands before the end"),
}  # fmt: skip


def test_the_first_node_is_named() -> None:
    chain = Chain().conv("conv", 4).add("unary", "lit", activation="sigmoid").conv("more", 4)
    chain.build.add("binary", chain.told, "conv", name="sum", kind="mul")
    graph = chain.build.network(outputs=("sum",)).graph
    with pytest.raises(ModelError, match="'lit'"):
        layers_of(graph)


@pytest.mark.parametrize("name", REFUSED)
def test_what_ccv_has_no_layer_for_is_named(name: str) -> None:
    make, said = REFUSED[name]
    with pytest.raises(ModelError, match=said) as caught:
        layers_of(make())
    assert caught.value.slug == "ccv-cannot-express"
