"""Every rewrite: found where it holds, left alone where it does not, results the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import onnx

from pocketlens.graph.graph import Network
from pocketlens.graph.passes.simplify import simplify
from pocketlens.graph.shapes import check_graph

from .models import agree, model, node, normal, ops

PICTURE = {"x": (1, 4, 6, 5)}
KERNEL = {"w": normal(4, 4, 3, 3, seed=3), "b": normal(4, seed=4)}
SAME = {"pads": [1, 1, 1, 1]}
NORM = {"s": normal(4), "o": normal(4, seed=1), "m": normal(4, seed=2), "v": np.abs(normal(4)) + 1}


def simplified(
    *nodes: onnx.NodeProto,
    constants: dict[str, Any] | None = None,
    inputs: dict[str, tuple[int, ...]] | None = None,
    outputs: tuple[str, ...] = ("y",),
) -> Network:
    """The simplified network, which onnxruntime agrees with, and which holds together."""
    inputs = inputs or PICTURE
    made = model(nodes, inputs=dict(inputs), constants=constants, outputs=outputs)
    given = {name: normal(*shape, seed=9) for name, shape in inputs.items()}
    network = agree(made, given)
    check_graph(network.graph)
    assert set(network.tensors) == set(network.graph.tensor_names())
    assert simplify(network) == network, "simplifying twice changes nothing"
    return network


def activation(network: Network) -> object:
    """The activation of the last node."""
    return network.graph.nodes[-1].attributes["activation"]


CONV = node("Conv", "x w b", "c", "conv", **SAME)


class TestFoldAffine:
    def test_batch_norm_goes_into_the_convolution(self) -> None:
        network = simplified(
            CONV, node("BatchNormalization", "c s o m v", "y"), constants={**KERNEL, **NORM}
        )
        assert ops(network) == ["conv2d"]
        assert set(network.tensors) == {"w", "b"}, "names stay"

    def test_a_convolution_without_bias_gets_one(self) -> None:
        network = simplified(
            node("Conv", "x w", "c", "conv", **SAME),
            node("BatchNormalization", "c s o m v", "y"),
            constants={"w": KERNEL["w"], **NORM},
        )
        assert ops(network) == ["conv2d"]
        assert set(network.tensors) == {"w", "conv.bias"}

    def test_grouped_weights_are_scaled_an_output(self) -> None:
        network = simplified(
            node("Conv", "x w", "c", group=2),
            node("BatchNormalization", "c s o m v", "y"),
            constants={"w": normal(4, 2, 1, 1), **NORM},
        )
        assert ops(network) == ["conv2d"]

    def test_batch_norm_after_a_linear(self) -> None:
        network = simplified(
            node("Gemm", "x w", "g"),
            node("BatchNormalization", "g s o m v", "y"),
            constants={"w": normal(6, 4), **NORM},
            inputs={"x": (1, 6)},
        )
        assert ops(network) == ["linear"]

    @pytest.mark.parametrize(
        "after",
        [
            node("Mul", "c k", "y"),
            node("Mul", "k c", "y"),
            node("Add", "c k", "y"),
            node("Sub", "c k", "y"),
            node("Sub", "k c", "y"),
            node("Div", "c k", "y"),
        ],
        ids=lambda after: f"{after.op_type} {' '.join(after.input)}",
    )
    @pytest.mark.parametrize("shape", [(), (4, 1, 1), (1, 4, 1, 1), (1,)])
    def test_one_constant_an_output(self, after: onnx.NodeProto, shape: tuple[int, ...]) -> None:
        constants = {**KERNEL, "k": np.asarray(normal(*shape), np.float32)}
        assert ops(simplified(CONV, after, constants=constants)) == ["conv2d"]

    @pytest.mark.parametrize("shape", [(6, 1), (5,), (1, 4, 6, 5), (2, 1, 1, 1)])
    def test_other_constants_stay(self, shape: tuple[int, ...]) -> None:
        constants = {**KERNEL, "k": normal(*shape)}
        network = simplified(CONV, node("Mul", "c k", "y"), constants=constants)
        assert ops(network) == ["conv2d", "binary"]

    def test_division_of_a_constant_stays(self) -> None:
        constants = {**KERNEL, "k": np.float32(2)}
        made = model([CONV, node("Div", "k c", "y")], inputs=dict(PICTURE), constants=constants)
        assert ops(agree(made, {"x": normal(1, 4, 6, 5)}, tolerance=1e-3)) == ["conv2d", "binary"]

    def test_a_result_that_is_read_twice_stays(self) -> None:
        network = simplified(
            CONV,
            node("Mul", "c k", "d"),
            node("Sub", "d c", "y"),
            constants={**KERNEL, "k": np.float32(2)},
        )
        assert ops(network) == ["conv2d", "binary", "binary"]

    def test_nothing_goes_through_an_activation(self) -> None:
        network = simplified(
            CONV,
            node("Relu", "c", "r"),
            node("Mul", "r k", "y"),
            constants={**KERNEL, "k": np.float32(2)},
        )
        assert ops(network) == ["conv2d", "binary"]

    def test_shared_weights_are_scaled_for_one_reader_only(self) -> None:
        network = simplified(
            CONV,
            node("Mul", "c k", "d"),
            node("Conv", "d w b", "y", "again", **SAME),
            constants={**KERNEL, "k": np.float32(2)},
        )
        assert ops(network) == ["conv2d", "conv2d"]
        assert np.array_equal(network.tensors["w"], KERNEL["w"])
        assert np.array_equal(network.tensors["w.folded"], KERNEL["w"] * 2)

    def test_a_scale_that_overflows_stays(self) -> None:
        made = model(
            [CONV, node("Mul", "c k", "y")],
            inputs=dict(PICTURE),
            constants={"w": KERNEL["w"] * 1e10, "b": KERNEL["b"], "k": np.float32(1e38)},
        )
        from pocketlens.importers.onnx.reader import lower_model

        assert ops(lower_model(made)) == ["conv2d", "binary"]


class TestFusing:
    def test_activations(self) -> None:
        for op, name in (("Relu", "relu"), ("Sigmoid", "sigmoid"), ("HardSwish", "hard_swish")):
            network = simplified(CONV, node(op, "c", "y"), constants=KERNEL)
            assert (ops(network), activation(network)) == (["conv2d"], name)

    def test_an_activation_of_a_sum(self) -> None:
        network = simplified(
            node("Add", "x k", "a"), node("Relu", "a", "y"), constants={"k": normal(5)}
        )
        assert (ops(network), activation(network)) == (["binary"], "relu")

    def test_residual_and_activation(self) -> None:
        network = simplified(
            CONV, node("Add", "c x", "a"), node("Relu", "a", "y"), constants=KERNEL
        )
        assert ops(network) == ["conv2d"]
        assert network.graph.nodes[0].inputs == ("x", "w", "b", "x")
        assert activation(network) == "relu"

    def test_residual_without_bias_keeps_its_place(self) -> None:
        network = simplified(
            node("Conv", "x w", "c", **SAME),
            node("Add", "x c", "y"),
            constants={"w": KERNEL["w"]},
        )
        assert network.graph.nodes[0].inputs == ("x", "w", "", "x")

    def test_the_later_of_two_convolutions_takes_the_sum(self) -> None:
        network = simplified(
            CONV,
            node("Conv", "x w", "d", "shortcut", **SAME),
            node("Add", "c d", "y"),
            constants=KERNEL,
        )
        assert [n.name for n in network.graph.nodes] == ["conv", "shortcut"]
        assert network.graph.nodes[1].inputs == ("x", "w", "", "c")

    def test_a_sum_that_broadcasts_stays(self) -> None:
        network = simplified(
            CONV,
            node("GlobalAveragePool", "x", "p"),
            node("Add", "c p", "y"),
            constants=KERNEL,
        )
        assert sorted(ops(network)) == ["binary", "conv2d", "reduce"]

    def test_a_rectified_convolution_takes_no_sum(self) -> None:
        network = simplified(
            CONV, node("Relu", "c", "r"), node("Add", "r x", "y"), constants=KERNEL
        )
        assert ops(network) == ["conv2d", "binary"]

    def test_a_result_that_is_handed_out_stays(self) -> None:
        network = simplified(CONV, node("Relu", "c", "y"), constants=KERNEL, outputs=("c", "y"))
        assert ops(network) == ["conv2d", "unary"]
        assert network.graph.outputs == ("c", "y")


THREE, SIX = np.float32(3), np.float32(6)


class TestWrittenOut:
    @pytest.mark.parametrize("order", ["x g", "g x"])
    def test_silu(self, order: str) -> None:
        network = simplified(node("Sigmoid", "x", "g"), node("Mul", order, "y"))
        assert (ops(network), activation(network)) == (["unary"], "silu")

    def test_silu_of_a_convolution(self) -> None:
        network = simplified(
            CONV, node("Sigmoid", "c", "g"), node("Mul", "c g", "y"), constants=KERNEL
        )
        assert (ops(network), activation(network)) == (["conv2d"], "silu")

    def test_another_gate_is_not_silu(self) -> None:
        network = simplified(
            node("Neg", "x", "n"), node("Sigmoid", "n", "g"), node("Mul", "x g", "y")
        )
        assert ops(network) == ["unary", "unary", "binary"]

    @pytest.mark.parametrize(
        "nodes",
        [
            [node("HardSigmoid", "x", "g", alpha=1 / 6, beta=0.5), node("Mul", "g x", "y")],
            [
                node("Add", "x three", "a"),
                node("Clip", "a zero six", "k"),
                node("Div", "k six", "g"),
                node("Mul", "x g", "y"),
            ],
            [
                node("Add", "three x", "a"),
                node("Clip", "a zero six", "k"),
                node("Mul", "k x", "g"),
                node("Div", "g six", "y"),
            ],
            [
                node("Add", "three x", "a"),
                node("Clip", "a zero six", "k"),
                node("Mul", "x k", "g"),
                node("Mul", "sixth g", "y"),
            ],
        ],
    )
    def test_hard_swish(self, nodes: list[onnx.NodeProto]) -> None:
        constants = {"three": THREE, "six": SIX, "zero": np.float32(0), "sixth": 1 / SIX}
        network = simplified(*nodes, constants=constants)
        assert (ops(network), activation(network)) == (["unary"], "hard_swish")

    def test_another_slope_is_not_hard_swish(self) -> None:
        network = simplified(
            node("HardSigmoid", "x", "g", alpha=0.2, beta=0.5), node("Mul", "g x", "y")
        )
        assert ops(network) == ["unary", "binary"]

    @pytest.mark.parametrize(
        "nodes",
        [
            [node("Mul", "x one_and", "h"), node("Mul", "h half", "y")],
            [node("Mul", "half x", "h"), node("Mul", "h one_and", "y")],
            [node("Mul", "half one_and", "h"), node("Mul", "x h", "y")],
        ],
    )
    @pytest.mark.parametrize("inside", [node("Div", "x root", "d"), node("Mul", "x inverse", "d")])
    def test_gelu(self, nodes: list[onnx.NodeProto], inside: onnx.NodeProto) -> None:
        front = [inside, node("Erf", "d", "e"), node("Add", "e one", "one_and")]
        constants = {
            "root": np.float32(np.sqrt(2)),
            "inverse": np.float32(np.sqrt(0.5)),
            "one": np.float32(1),
            "half": np.float32(0.5),
        }
        network = simplified(*front, *nodes, constants=constants)
        assert (ops(network), activation(network)) == (["unary"], "gelu")

    @pytest.mark.parametrize("axes", [[-1], [2, 3], [1, 2, 3]])
    def test_layer_norm(self, axes: list[int]) -> None:
        nodes = _layer_norm(axes)
        shape = PICTURE["x"][min(axis % 4 for axis in axes) :]
        network = simplified(
            *nodes,
            node("Mul", "n gain", "g"),
            node("Add", "shift g", "y"),
            constants={**LAYER_NORM, "gain": normal(*shape), "shift": normal(*shape, seed=1)},
        )
        assert ops(network) == ["layer_norm"]
        assert set(network.tensors) == {"gain", "shift"}

    def test_layer_norm_over_channels_stays(self) -> None:
        network = simplified(*_layer_norm([1])[:-1], node("Div", "d s", "y"), constants=LAYER_NORM)
        assert "layer_norm" not in ops(network)

    def test_a_bias_without_a_scale(self) -> None:
        network = simplified(
            *_layer_norm([3]),
            node("Add", "n shift", "y"),
            constants={**LAYER_NORM, "shift": normal(5)},
        )
        assert ops(network) == ["layer_norm"]
        assert network.graph.nodes[0].inputs == ("x", "", "shift")

    def test_a_scale_after_the_bias_stays(self) -> None:
        network = simplified(
            *_layer_norm([3]),
            node("Add", "n shift", "a"),
            node("Mul", "a gain", "y"),
            constants={**LAYER_NORM, "shift": normal(5), "gain": normal(5)},
        )
        assert ops(network) == ["layer_norm", "binary"]


LAYER_NORM = {"two": np.float32(2), "eps": np.float32(1e-3)}


def _layer_norm(axes: list[int]) -> list[onnx.NodeProto]:
    """From x to n, as exporters write it."""
    return [
        node("ReduceMean", "x", "m", axes=axes),
        node("Sub", "x m", "d"),
        node("Pow", "d two", "q"),
        node("ReduceMean", "q", "v", axes=axes),
        node("Add", "v eps", "e"),
        node("Sqrt", "e", "s"),
        node("Div", "d s", "n"),
    ]


ATTENTION = {"q": (1, 2, 5, 3), "k": (1, 2, 5, 3)}


class TestMatmul:
    def test_transposed_and_scaled(self) -> None:
        network = simplified(
            node("Transpose", "k", "t", perm=[0, 1, 3, 2]),
            node("MatMul", "q t", "p"),
            node("Div", "p root", "y"),
            constants={"root": np.float32(1.7)},
            inputs=ATTENTION,
        )
        assert ops(network) == ["matmul"]
        assert network.graph.nodes[0].attributes["transpose_b"] == 1

    def test_both_sides_scaled(self) -> None:
        network = simplified(
            node("Mul", "q f", "a"),
            node("Transpose", "k", "t", perm=[0, 1, 3, 2]),
            node("Mul", "f t", "b"),
            node("MatMul", "a b", "y"),
            constants={"f": np.float32(0.5)},
            inputs=ATTENTION,
        )
        assert ops(network) == ["matmul"]
        assert network.graph.nodes[0].attributes["scale"] == 0.25

    def test_transposed_in_a_stack(self) -> None:
        network = simplified(
            node("Reshape", "k stack", "s"),
            node("Transpose", "s", "u", perm=[0, 2, 1]),
            node("Reshape", "u back", "t"),
            node("MatMul", "q t", "y"),
            constants={"stack": np.int64([-1, 5, 3]), "back": np.int64([1, 2, 3, 5])},
            inputs=ATTENTION,
        )
        assert ops(network) == ["matmul"]

    def test_other_transposes_stay(self) -> None:
        network = simplified(
            node("Transpose", "k", "t", perm=[0, 3, 1, 2]),
            node("MatMul", "q t", "y"),
            inputs={"q": (1, 2, 5, 3), "k": (1, 3, 4, 2)},
        )
        assert ops(network) == ["transpose", "matmul"]


class TestMoves:
    def test_moves_that_undo_each_other(self) -> None:
        network = simplified(
            node("Transpose", "x", "t", perm=[0, 2, 3, 1]),
            node("Transpose", "t", "u", perm=[0, 3, 1, 2]),
            node("Relu", "u", "y"),
        )
        assert ops(network) == ["unary"]

    def test_reshapes_become_one(self) -> None:
        network = simplified(
            node("Reshape", "x a", "r"),
            node("Reshape", "r b", "y"),
            constants={"a": np.int64([4, 30]), "b": np.int64([2, 60])},
        )
        assert ops(network) == ["reshape"]

    def test_a_transpose_of_axes_of_length_one_is_a_reshape(self) -> None:
        network = simplified(
            node("Transpose", "x", "y", perm=[0, 2, 3, 1]), inputs={"x": (1, 4, 1, 1)}
        )
        assert ops(network) == ["reshape"]

    def test_an_adaptive_pool_of_the_right_size_vanishes(self) -> None:
        network = simplified(
            node("AveragePool", "x", "p", kernel_shape=[1, 1]), node("Relu", "p", "y")
        )
        assert ops(network) == ["unary"]


class TestFoldPad:
    PADS = np.int64([0, 0, 1, 0, 0, 0, 2, 1])

    def test_into_a_convolution(self) -> None:
        network = simplified(
            node("Pad", "x p", "f"),
            node("Conv", "f w b", "y", **SAME),
            constants={**KERNEL, "p": self.PADS},
        )
        assert ops(network) == ["conv2d"]
        assert network.graph.nodes[0].attributes["pads"] == (2, 1, 3, 2)

    @pytest.mark.parametrize("counted", [0, 1])
    @pytest.mark.parametrize("own", [0, 1])
    def test_into_an_average(self, counted: int, own: int) -> None:
        """Zeros of the frame count; the pool's own pads do so only where it says so."""
        network = simplified(
            node("Pad", "x p", "f"),
            node(
                "AveragePool",
                "f",
                "y",
                kernel_shape=[4, 4],
                pads=[own] * 4,
                count_include_pad=counted,
            ),
            constants={"p": np.int64([0, 0, 1, 0, 0, 0, 1, 1])},
        )
        assert ops(network) == (["avg_pool"] if counted or not own else ["pad", "avg_pool"])

    @pytest.mark.parametrize(
        ("pads", "value"), [([0, 1, 0, 0, 0, 0, 0, 0], 0.0), ([0, 0, 1, 0, 0, 0, 1, 0], 1.0)]
    )
    def test_other_frames_stay(self, pads: list[int], value: float) -> None:
        channels = 4 + pads[1]
        network = simplified(
            node("Pad", "x p v", "f"),
            node("Conv", "f w", "y"),
            constants={
                "w": normal(2, channels, 1, 1),
                "p": np.int64(pads),
                "v": np.float32(value),
            },
        )
        assert ops(network) == ["pad", "conv2d"]


def test_dead_nodes_are_swept_away() -> None:
    network = simplified(
        node("Relu", "x", "dead"),
        node("Sigmoid", "dead", "deader"),
        node("Tanh", "x", "y"),
    )
    assert ops(network) == ["unary"]
    assert set(network.graph.shapes) == {"x", "y"}
