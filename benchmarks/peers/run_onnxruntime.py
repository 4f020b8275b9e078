"""onnxruntime, timed (see serving.py). FILE is an ONNX model; the one of ten pictures beside it
ends in -10.onnx, and where there is none, pictures run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import one_by_one, serve


class Session:
    """An inference session, and one for ten pictures once it is asked for."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        import onnxruntime

        self.version = f"onnxruntime {onnxruntime.__version__}"
        self._path, self._threads = path, options["threads"]
        self._session = self._open(path)

    def _open(self, path: Path) -> Any:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 3
        return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

    def runner(self, pictures: bytes, batch: int) -> Callable[[], Any]:
        """See serving.Runtime."""
        import numpy as np

        given = self._session.get_inputs()[0]
        values = np.frombuffer(pictures, np.float32).reshape(batch, *given.shape[1:])
        many = self._path.with_name(f"{self._path.stem}-{batch}.onnx")
        session = self._open(many) if batch > 1 and many.is_file() else self._session
        if batch == 1 or many.is_file():
            return lambda: session.run(None, {given.name: values})[0]
        return one_by_one(
            lambda picture: session.run(None, {given.name: picture})[0],
            [values[i : i + 1] for i in range(batch)],
        )


if __name__ == "__main__":
    serve(Session)
