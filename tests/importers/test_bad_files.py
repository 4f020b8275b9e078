"""Files that are not ONNX, are damaged, or ask for what is not supported: each gets a sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnxruntime")

import onnx
from onnx import TensorProto, helper, numpy_helper

from pocketlens.base.errors import FileError, MissingExtraError, ModelError, PocketlensError
from pocketlens.importers.onnx.reader import lower_model, read_onnx

from .models import model, node, normal, save, small_classifier


def refused(made: onnx.ModelProto | bytes, folder: Path, slug: str) -> str:
    """The sentence of the ModelError that reading gives."""
    path = folder / "bad.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    with pytest.raises(ModelError) as caught:
        read_onnx(path)
    assert caught.value.slug == slug, caught.value
    assert "bad.onnx" in caught.value.sentence
    return caught.value.sentence


class TestFiles:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="no-such-file"):
            read_onnx(tmp_path / "none.onnx")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="is-a-folder"):
            read_onnx(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"Just some text.\n" * 40, b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(64)],
        ids=["empty", "text", "PNG", "zeros"],
    )
    def test_foreign(self, content: bytes, tmp_path: Path) -> None:
        refused(content, tmp_path, "not-onnx")

    def test_truncated_anywhere(self, tmp_path: Path) -> None:
        content = small_classifier().SerializeToString()
        for length in range(0, len(content), 7):
            path = tmp_path / "cut.onnx"
            path.write_bytes(content[:length])
            with pytest.raises(ModelError):
                read_onnx(path)

    def test_no_nodes(self, tmp_path: Path) -> None:
        made = small_classifier()
        del made.graph.node[:]
        refused(made, tmp_path, "empty-model")

    def test_opsets(self, tmp_path: Path) -> None:
        for opset, cure in ((6, "version_converter"), (99, "update the onnx package")):
            made = small_classifier()
            made.opset_import[0].version = opset
            made.ir_version = 10
            path = save(made, tmp_path / "other.onnx")
            with pytest.raises(ModelError, match=f"opset {opset}.*{cure}|onnx-invalid"):
                read_onnx(path)

    def test_cycle(self, tmp_path: Path) -> None:
        made = small_classifier(
            nodes=[node("Add", "x b", "a"), node("Add", "x a", "b")], outputs=("b",)
        )
        refused(made, tmp_path, "onnx-invalid")

    def test_the_extra_is_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "onnx", None)
        with pytest.raises(MissingExtraError, match=r"pip install .pocketlens\[onnx\]"):
            read_onnx(tmp_path / "any.onnx")


class TestNumbers:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_weights_that_are_not_finite(self, bad: float, tmp_path: Path) -> None:
        weights = normal(4, 3, 3, 3)
        weights[1, 2, 0, :2] = bad
        made = small_classifier(
            constants={"w": weights, "b": normal(4), "fw": normal(5, 4), "fb": normal(5)}
        )
        assert "'w' has 2 of 108" in refused(made, tmp_path, "not-finite")

    def test_doubles_beyond_float32(self, tmp_path: Path) -> None:
        made = small_classifier()
        weights = normal(4, 3, 3, 3).astype(np.float64)
        weights[0, 0, 0, 0] = 1e300
        made.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
        assert "'w' has 1 of 108" in refused(made, tmp_path, "float-overflow")

    def test_a_batch_norm_without_variance(self, tmp_path: Path) -> None:
        zeros = np.zeros(3, np.float32)
        made = small_classifier(
            nodes=[
                node("BatchNormalization", "x z z z z", "n", "norm", epsilon=0.0),
                node("GlobalAveragePool", "n", "y"),
            ],
            constants={"z": zeros},
        )
        assert "norm" in refused(made, tmp_path, "not-finite")

    def test_folding_that_asks_for_too_much(self, tmp_path: Path) -> None:
        for made in (
            [node("ConstantOfShape", "big", "k", "bomb"), node("Add", "x k", "y")],
            [node("Expand", "one big", "k", "bomb"), node("Add", "x k", "y")],
            [node("Tile", "one big1", "k", "bomb"), node("Add", "x k", "y")],
            [node("Range", "zero far step", "k", "bomb"), node("Add", "x k", "y")],
            [node("Add", "row column", "k", "bomb"), node("Add", "x k", "y")],
            [node("Gather", "row many", "k", "bomb", axis=1), node("Add", "x k", "y")],
        ):
            constants = {
                "big": np.int64([1, 100000, 100000]),
                "big1": np.int64([10**10]),
                "one": np.ones(1, np.float32),
                "zero": np.float32(0),
                "far": np.float32(1e12),
                "step": np.float32(1),
                "row": np.zeros((1, 70000), np.float32),
                "column": np.zeros((70000, 1), np.float32),
                "many": np.zeros((70000, 1), np.int64),
            }
            used = {name for item in made for name in item.input}
            bomb = small_classifier(
                nodes=made, constants={k: v for k, v in constants.items() if k in used}
            )
            if "many" in used:
                bomb.graph.initializer[0].CopyFrom(
                    numpy_helper.from_array(np.zeros((70000, 2), np.float32), "row")
                )
            assert "bomb" in refused(bomb, tmp_path, "not-computable")

    def test_huge_arrays(self, tmp_path: Path) -> None:
        made = small_classifier(inputs={"x": (1, 3, 2**30, 2**30)})
        refused(made, tmp_path, "too-large")

    def test_tensors_that_lie_about_their_size(self, tmp_path: Path) -> None:
        made = small_classifier()
        made.graph.initializer[0].dims[0] = 2**40
        refused(made, tmp_path, "onnx-invalid")


class TestOperators:
    def one(self, op: str, **attributes: Any) -> onnx.ModelProto:
        return small_classifier(nodes=[node(op, "x", "y", "the node", **attributes)])

    @pytest.mark.parametrize(
        ("op", "why"),
        [("Hardmax", "HardSwish"), ("Sin", "supported"), ("GlobalLpPool", "GlobalAveragePool")],
    )
    def test_named_with_neighbours(self, op: str, why: str, tmp_path: Path) -> None:
        sentence = refused(self.one(op), tmp_path, "unsupported-operator")
        assert "the node" in sentence
        assert op in sentence
        assert why in sentence

    def test_a_head_that_answers_with_a_number(self, tmp_path: Path) -> None:
        sentence = refused(self.one("ArgMax", axis=1), tmp_path, "unsupported-operator")
        assert "cut it off" in sentence

    def test_other_domains(self, tmp_path: Path) -> None:
        made = self.one("FusedConv", domain="com.microsoft")
        made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        assert "com.microsoft" in refused(made, tmp_path, "unsupported-operator")

    def test_quantized_activations(self, tmp_path: Path) -> None:
        made = small_classifier(
            nodes=[node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")],
            constants={"s": np.float32(0.1), "z": np.uint8(3)},
        )
        assert "import the float model" in refused(made, tmp_path, "unsupported-operator")

    def test_graphs_inside_graphs(self, tmp_path: Path) -> None:
        branch = helper.make_graph(
            [node("Relu", "x", "r")],
            "branch",
            [],
            [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)],
        )
        made = small_classifier(
            nodes=[node("If", "yes", "y", "choice", then_branch=branch, else_branch=branch)],
            constants={"yes": np.array(True)},
        )
        assert "choice" in refused(made, tmp_path, "unsupported-operator")

    def test_sequences(self, tmp_path: Path) -> None:
        made = small_classifier()
        made.graph.input[0].CopyFrom(
            helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
        )
        refused(made, tmp_path, "not-a-classifier")

    def test_text_inputs(self, tmp_path: Path) -> None:
        made = small_classifier(kind=TensorProto.STRING)
        assert refused(made, tmp_path, "integer-arithmetic")

    def test_whole_number_arithmetic(self, tmp_path: Path) -> None:
        made = small_classifier(
            nodes=[node("Add", "x k", "y")],
            constants={"k": np.int32(3)},
            kind=TensorProto.INT32,
        )
        refused(made, tmp_path, "integer-arithmetic")

    def test_side_outputs(self, tmp_path: Path) -> None:
        made = small_classifier(
            nodes=[
                node("MaxPool", "x", "m i", "pool", kernel_shape=[2, 2]),
                node("Cast", "i", "y", to=1),
            ]
        )
        assert "side output of node 'pool'" in refused(made, tmp_path, "unsupported-form")

    def test_weights_that_are_computed(self, tmp_path: Path) -> None:
        made = small_classifier(nodes=[node("Conv", "x x", "y", "dynamic")])
        assert "its weights has to be constant" in refused(made, tmp_path, "unsupported-form")

    def test_three_dimensional_convolutions(self) -> None:
        made = model(
            [node("Conv", "x w", "y")],
            inputs={"x": (1, 2, 4, 4, 4)},
            constants={"w": normal(2, 2, 1, 1, 1)},
        )
        with pytest.raises(ModelError, match="1-D and 2-D"):
            lower_model(made)


class TestExternalData:
    def outside(self, folder: Path, location: str, **entries: str) -> onnx.ModelProto:
        """The small classifier with tensor 'w' in another file."""
        made = small_classifier()
        tensor = made.graph.initializer[0]
        folder.mkdir(exist_ok=True)
        raw = bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=value)
        (folder / "weights.bin").write_bytes(bytes(16) + raw)
        return made

    def test_beside_the_model(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        made = self.outside(folder, "weights.bin", offset="16", length="432")
        imported = read_onnx(save(made, folder / "good.onnx"))
        assert np.array_equal(imported.network.tensors["w"], normal(4, 3, 3, 3))

    def test_below_the_model(self, tmp_path: Path) -> None:
        (tmp_path / "model").mkdir()
        made = self.outside(tmp_path / "model" / "data", "data/weights.bin", offset="16")
        imported = read_onnx(save(made, tmp_path / "model" / "good.onnx"))
        assert np.array_equal(imported.network.tensors["w"], normal(4, 3, 3, 3))

    @pytest.mark.parametrize(
        "location",
        [
            "../weights.bin",
            "a/../../weights.bin",
            "/etc/passwd",
            "C:\\weights.bin",
            "..\\weights.bin",
            "",
            "a\0b",
            ".",
        ],
    )
    def test_outside_is_refused(self, location: str, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        made = self.outside(folder, location, offset="16", length="432")
        (tmp_path / "weights.bin").write_bytes(bytes(448))
        assert "'w'" in refused(made, folder, "external-data")

    def test_links_that_lead_out_are_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        made = self.outside(folder, "link.bin", offset="16", length="432")
        (tmp_path / "weights.bin").write_bytes(bytes(448))
        (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
        assert "leads out" in refused(made, folder, "external-data")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_pipes_are_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        made = self.outside(folder, "pipe")
        os.mkfifo(folder / "pipe")
        assert "not a file" in refused(made, folder, "external-data")

    @pytest.mark.parametrize(
        "entries",
        [
            {"offset": "17", "length": "432"},
            {"offset": "-1", "length": "432"},
            {"offset": "0", "length": "431"},
            {"offset": "x", "length": "432"},
            {"offset": "0", "length": "9" * 30},
            {"offset": "9" * 30, "length": "432"},
        ],
    )
    def test_offsets_and_lengths(self, entries: dict[str, str], tmp_path: Path) -> None:
        folder = tmp_path / "model"
        refused(self.outside(folder, "weights.bin", **entries), folder, "external-data")

    def test_a_missing_file(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        path = save(self.outside(folder, "gone.bin"), tmp_path / "model" / "bad.onnx")
        with pytest.raises(FileError, match=r"gone\.bin"):
            read_onnx(path)


SMALL = small_classifier().SerializeToString()


@settings(max_examples=300)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=4
    )
)
def test_changed_bytes_never_crash(
    changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(SMALL)
    for position, value in changes:
        content[position] = value
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(content)
    try:
        imported = read_onnx(path)
    except PocketlensError:
        return
    assert imported.network.graph.nodes
