"""The door: what counts as a classifier, and what its file says about itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import onnx

from pocketlens.base.errors import ModelError
from pocketlens.base.tolerances import NETWORK
from pocketlens.importers.onnx.reader import read_onnx

from .models import by_onnxruntime, model, node, normal, ops, run, save, small_classifier


def read(made: onnx.ModelProto, folder: Path, **options: Any) -> Any:
    return read_onnx(save(made, folder / "some.model.onnx"), **options)


def test_everything_that_is_known(tmp_path: Path) -> None:
    imported = read(small_classifier(), tmp_path)
    assert imported.name == "some.model"
    assert imported.source_name == "some.model.onnx"
    content = (tmp_path / "some.model.onnx").read_bytes()
    assert imported.source_sha256 == hashlib.sha256(content).hexdigest()
    assert imported.input_shape == (1, 3, 8, 8)
    assert imported.scores == "logits"
    assert (imported.licence, imported.labels) == ("", ())
    assert imported.source_nodes == 5
    assert ops(imported.network) == ["conv2d", "reduce", "reshape", "linear"]


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_a_softmax_is_kept_and_told(op: str, tmp_path: Path) -> None:
    made = small_classifier()
    made.graph.node[-1].output[0] = "logits"
    made.graph.node.append(node(op, "logits", "y"))
    imported = read(made, tmp_path)
    assert imported.scores == ("probabilities" if op == "Softmax" else "logits")
    assert ops(imported.network)[-1] == "softmax"


def test_one_by_one_pictures_are_flattened(tmp_path: Path) -> None:
    made = small_classifier(
        nodes=[
            node("GlobalAveragePool", "x", "p"),
            node("Conv", "p w", "c"),
            node("Softmax", "c", "y", axis=1),
        ],
        constants={"w": normal(5, 3, 1, 1)},
    )
    imported = read(made, tmp_path)
    graph = imported.network.graph
    assert graph.shapes[graph.outputs[0]] == (1, 5)
    assert imported.scores == "probabilities"


def test_channels_last_becomes_channels_first(tmp_path: Path) -> None:
    made = small_classifier()
    made.graph.node.insert(0, node("Transpose", "picture", "x", perm=[0, 3, 1, 2]))
    made.graph.input[0].CopyFrom(
        onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, ["n", 8, 8, 3])
    )
    imported = read(made, tmp_path)
    assert imported.input_shape == (1, 3, 8, 8)
    assert "transpose" not in ops(imported.network), "the two undo each other"
    given = normal(1, 3, 8, 8)
    expected = by_onnxruntime(made, {"picture": given.transpose(0, 2, 3, 1).copy()})[0]
    actual = run(imported.network, {imported.network.graph.inputs[0]: given})[0]
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_old_files_list_their_weights_as_inputs(tmp_path: Path) -> None:
    made = small_classifier()
    for tensor in made.graph.initializer:
        made.graph.input.append(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    assert read(made, tmp_path).input_shape == (1, 3, 8, 8)


def test_whole_number_pictures_that_are_cast_at_once(tmp_path: Path) -> None:
    made = small_classifier()
    made.graph.node.insert(0, node("Cast", "bytes", "x", to=onnx.TensorProto.FLOAT))
    made.graph.input[0].CopyFrom(
        onnx.helper.make_tensor_value_info("bytes", onnx.TensorProto.UINT8, [1, 3, 8, 8])
    )
    assert read(made, tmp_path).network.graph.inputs == ("bytes",)


@pytest.mark.parametrize("kind", [onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16])
def test_weights_of_another_width_are_kept_as_float32(kind: int, tmp_path: Path) -> None:
    made = small_classifier()
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    for tensor in made.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).astype(dtype)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    for info in (*made.graph.input, *made.graph.output):
        info.type.tensor_type.elem_type = kind
    imported = read(made, tmp_path)
    assert {values.dtype for values in imported.network.tensors.values()} == {np.dtype("f4")}


class TestInputShape:
    def test_a_free_batch_is_one(self, tmp_path: Path) -> None:
        assert read(small_classifier(), tmp_path).input_shape[0] == 1

    def test_other_free_axes_have_to_be_said(self, tmp_path: Path) -> None:
        made = small_classifier(inputs={"x": ("n", 3, "h", "w")})
        with pytest.raises(ModelError, match=r"\(1, 3, \?, \?\).*input_shape=.*input-shape-open"):
            read(made, tmp_path)
        assert read(made, tmp_path, input_shape=(1, 3, 9, 7)).input_shape == (1, 3, 9, 7)

    def test_a_shape_with_other_axes_does_not_fit(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="input-shape-does-not-fit"):
            read(small_classifier(), tmp_path, input_shape=(3, 8, 8))

    def test_a_shape_with_nonsense_is_refused(self, tmp_path: Path) -> None:
        for shape in ((1, 3, 0, 8), (1, 3, -8, 8), (1, 3, 2**40, 8)):
            with pytest.raises(ModelError):
                read(small_classifier(), tmp_path, input_shape=shape)

    def test_a_fixed_batch_says_what_to_do(self, tmp_path: Path) -> None:
        made = small_classifier(inputs={"x": (16, 3, 8, 8)})
        with pytest.raises(ModelError, match=r"16 pictures.*input_shape=\(1, 3, 8, 8\)"):
            read(made, tmp_path)
        assert read(made, tmp_path, input_shape=(1, 3, 8, 8)).input_shape == (1, 3, 8, 8)


NAMES = ["a", "b", "c", "d", "e"]


class TestMetadata:
    def test_licence(self, tmp_path: Path) -> None:
        made = small_classifier()
        onnx.helper.set_model_props(made, {"License": "Apache-2.0", "author": "someone"})
        assert read(made, tmp_path).licence == "Apache-2.0"

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("names", str(dict(enumerate(NAMES)))),
            ("names", str(dict(reversed(list(enumerate(NAMES)))))),
            ("classes", json.dumps(NAMES)),
            ("id2label", json.dumps({str(i): name for i, name in enumerate(NAMES)})),
            ("labels", "\n".join(NAMES)),
        ],
    )
    def test_names(self, key: str, value: str, tmp_path: Path) -> None:
        made = small_classifier()
        onnx.helper.set_model_props(made, {key: value})
        assert [label.name for label in read(made, tmp_path).labels] == NAMES

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "a\nb",
            json.dumps(NAMES[:4]),
            json.dumps([1, 2, 3, 4, 5]),
            json.dumps({"0": "a", "1": "b", "2": "c", "3": "d", "5": "e"}),
            "[" * 5000,
            "__import__('os')",
            "{0: 'a',",
        ],
    )
    def test_names_that_do_not_fit_are_left(self, value: str, tmp_path: Path) -> None:
        made = small_classifier()
        onnx.helper.set_model_props(made, {"names": value})
        assert read(made, tmp_path).labels == ()


class TestNotAClassifier:
    def refused(self, made: onnx.ModelProto, folder: Path) -> str:
        with pytest.raises(ModelError, match="not-a-classifier") as caught:
            read(made, folder)
        return caught.value.sentence

    def test_a_detection_head(self, tmp_path: Path) -> None:
        made = small_classifier(
            nodes=[
                node("Conv", "x w", "boxes", pads=[1, 1, 1, 1]),
                node("GlobalAveragePool", "x", "scores"),
            ],
            outputs=("boxes", "scores"),
        )
        assert "2 outputs (boxes, scores)" in self.refused(made, tmp_path)

    def test_a_segmentation(self, tmp_path: Path) -> None:
        made = small_classifier(nodes=[node("Conv", "x w b", "y")])
        assert "(1, 4, 6, 6)" in self.refused(made, tmp_path)

    def test_two_pictures(self, tmp_path: Path) -> None:
        made = model([node("Add", "a b", "y")], inputs={"a": (1, 3, 4, 4), "b": (1, 3, 4, 4)})
        assert "2 inputs (a, b)" in self.refused(made, tmp_path)

    def test_no_picture(self, tmp_path: Path) -> None:
        made = model(
            [node("MatMul", "x w", "y")], inputs={"x": (1, 4)}, constants={"w": normal(4, 5)}
        )
        assert "(1, 4)" in self.refused(made, tmp_path)

    def test_a_single_score(self, tmp_path: Path) -> None:
        made = small_classifier()
        made.graph.initializer[2].CopyFrom(onnx.numpy_helper.from_array(normal(1, 4), "fw"))
        made.graph.initializer[3].CopyFrom(onnx.numpy_helper.from_array(normal(1), "fb"))
        assert "(1, 1)" in self.refused(made, tmp_path)


REAL = {
    "squeezenet_v1.0.onnx": ((1, 3, 227, 227), 1000, 50.0),
    "mobilenet_v1_0.25_224_float.onnx": ((1, 3, 224, 224), 1000, 1.0),
    "tf2_mobilenet_v2_1.0_224.onnx": ((1, 3, 224, 224), 1000, 1.0),
    "mlperf_resnet8_cifar10.onnx": ((1, 3, 32, 32), 10, 50.0),
}


@pytest.mark.data
@pytest.mark.parametrize("file", REAL)
def test_real_models_agree_with_onnxruntime(file: str, data_folder: Path) -> None:
    shape, classes, spread = REAL[file]
    path = data_folder / "models" / file
    imported = read_onnx(path)
    assert imported.input_shape == shape
    given = normal(*shape) * np.float32(spread)
    expected = by_onnxruntime(onnx.load(path), {"input": given})[0]
    actual = run(imported.network, {"input": given})[0]
    assert actual.shape == (1, classes)
    assert np.abs(actual - expected).max() <= NETWORK * np.abs(expected).max()
