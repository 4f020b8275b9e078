"""LiteRT, timed (see serving.py). FILE is a TFLite model; XNNPACK is its default on processors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import one_by_one, serve


class Interpreted:
    """An interpreter with its tensors allocated. Pictures go in one by one, channels last."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        from importlib.metadata import version

        from ai_edge_litert.interpreter import Interpreter

        self.version = f"litert {version('ai-edge-litert')}"
        self._interpreter = Interpreter(str(path), num_threads=options["threads"])
        self._interpreter.allocate_tensors()

    def runner(self, pictures: bytes, batch: int) -> Callable[[], Any]:
        """See serving.Runtime."""
        import numpy as np

        given = self._interpreter.get_input_details()[0]
        told = self._interpreter.get_output_details()[0]
        _, height, width, channels = (int(length) for length in given["shape"])
        values = np.frombuffer(pictures, np.float32).reshape(batch, channels, height, width)
        values = np.ascontiguousarray(values.transpose(0, 2, 3, 1))
        if given["dtype"] != np.float32:
            scale, zero = given["quantization"]
            low, high = np.iinfo(given["dtype"]).min, np.iinfo(given["dtype"]).max
            values = np.clip(np.round(values / scale + zero), low, high).astype(given["dtype"])

        def run(picture: Any) -> Any:
            self._interpreter.set_tensor(given["index"], picture)
            self._interpreter.invoke()
            return self._interpreter.get_tensor(told["index"])

        return one_by_one(run, [values[i : i + 1] for i in range(batch)])


if __name__ == "__main__":
    serve(Interpreted)
