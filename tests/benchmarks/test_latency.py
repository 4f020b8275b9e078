"""The benchmark of whole networks: its networks, its batches, its processes."""

import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODULES = ("latency", "latency_peers", "compression_peers", "measuring", "models", "networks")

RUNTIME = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS / "peers")!r})
from serving import serve

class Fake:
    version = "fake 1"
    def runner(self, pictures, batch):
        return lambda: [len(pictures), batch, 0.0]

def load(path, options):
    print("a word that is no answer")
    if options.get("fail"):
        raise RuntimeError("no such operator")
    return Fake()

serve(load)
"""


@pytest.fixture
def latency(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import latency

    yield latency
    for name in list(sys.modules):
        if name.split(".")[0] in MODULES:
            sys.modules.pop(name)


@pytest.fixture
def fake(latency, tmp_path, monkeypatch):
    peers = sys.modules["latency_peers"]
    monkeypatch.setattr(peers, "SCRIPTS", tmp_path)
    (tmp_path / "fake.py").write_text(RUNTIME, "utf-8")
    (tmp_path / "pictures.f32").write_bytes(bytes(40))

    def start(**options):
        engine = peers.Engine("fake", "fake.py", "model", (), options=options)
        return peers.Worker(engine, threads=1, cache=tmp_path, work=tmp_path)

    return start


def test_klaus_network_has_the_parameters_of_2014(latency):
    chains = sys.modules["networks.chains"]
    hidden = 16
    model = chains.klaus(hidden)
    count = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    full = 9216 * hidden + hidden + hidden * hidden + hidden + hidden * 1000 + 1000
    assert count == 2_311_968 + 1_376 + full  # ccv's topology "mobile"
    session = onnxruntime.InferenceSession(model.SerializeToString())
    picture = np.zeros((1, 3, 225, 225), np.float32)
    assert session.run(None, {"picture": picture})[0].shape == (1, 1000)


def test_skeletons_are_made_full_size(latency):
    skeletons = sys.modules["networks.skeletons"]
    model = skeletons.full_size("vit_tiny")
    table = next(t for t in model.graph.initializer if t.name == "pos_embed")
    assert list(table.dims) == [1, 197, 192]
    sides = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides == [1, 3, 224, 224]


def reshaping(*, token: bool):
    """(1, 2, 3) made flat, or with a row put before it that a batch has no second of."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    tensors = [numpy_helper.from_array(np.array([1, -1], np.int64), "shape"),
               numpy_helper.from_array(np.ones((1, 1, 3), np.float32), "token")]  # fmt: skip
    nodes = [helper.make_node("Concat", ["token", "x"], ["more"], axis=1)] if token else []
    nodes.append(helper.make_node("Reshape", ["more" if token else "x", "shape"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2, 3])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, None])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("token", [False, True])
def test_a_batch_stands_only_where_it_says_the_same(latency, tmp_path, token):
    pictures = np.arange(60, dtype=np.float32).reshape(10, 2, 3)
    (tmp_path / "pictures.f32").write_bytes(pictures.tobytes())
    np.save(tmp_path / "fit.npy", pictures[:2])
    onnx.save(reshaping(token=token), str(tmp_path / "model.onnx"))
    latency.widen(tmp_path / "model.onnx")
    assert (tmp_path / "model-10.onnx").is_file() is not token


def test_a_worker_answers_and_is_timed(fake):
    with fake() as worker:
        assert worker.first["label"] == 0 and worker.first["version"] == "fake 1"
        assert worker.first["peak_bytes"] > 0 and worker.first_label_ms > worker.first["cpu_ms"] / 2
        times = worker.times_ms(10, 4)
        assert len(times) == 4 and all(clock >= 0 and cpu >= 0 for clock, cpu in times)


def test_a_worker_that_fails_says_why(fake):
    with pytest.raises(sys.modules["compression_peers"].PeerError, match="no such operator"):
        fake(fail=True)
