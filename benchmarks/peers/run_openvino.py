"""OpenVINO, timed (see serving.py). FILE is an ONNX model, with one of ten pictures beside it as
for onnxruntime; OPTIONS name the precision, "f32" or "bf16".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import one_by_one, serve


class Compiled:
    """A model compiled for the processor, for latency: one stream with all threads."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        import openvino

        self.version = f"openvino {openvino.__version__.split('-')[0]}"
        self._core = openvino.Core()
        self._path = path
        self._settings = {
            "INFERENCE_PRECISION_HINT": options["precision"],
            "INFERENCE_NUM_THREADS": options["threads"],
            "NUM_STREAMS": "1",
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._model = self._core.compile_model(str(path), "CPU", self._settings)

    def runner(self, pictures: bytes, batch: int) -> Callable[[], Any]:
        """See serving.Runtime."""
        import numpy as np

        shape = list(self._model.inputs[0].shape)[1:]
        values = np.frombuffer(pictures, np.float32).reshape(batch, *shape)
        many = self._path.with_name(f"{self._path.stem}-{batch}.onnx")
        if batch > 1 and many.is_file():
            request = self._core.compile_model(
                str(many), "CPU", self._settings
            ).create_infer_request()
        else:
            request = self._model.create_infer_request()

        def run(given: Any) -> Any:
            return request.infer([given], share_inputs=True)[0]

        if batch == 1 or many.is_file():
            return lambda: run(values)
        return one_by_one(run, [values[i : i + 1] for i in range(batch)])


if __name__ == "__main__":
    serve(Compiled)
