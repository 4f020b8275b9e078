"""ncnn, timed (see serving.py). FILE is the .param, with the .bin beside it; OPTIONS say whether
half precision is allowed. It knows no batches: ten pictures run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import one_by_one, serve


class Net:
    """A loaded network; its first input and its last output."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        import ncnn

        self.version = f"ncnn {ncnn.__version__}"
        self._net = ncnn.Net()
        self._net.opt.num_threads = options["threads"]
        self._net.opt.use_vulkan_compute = False
        if not options["half"]:
            self._net.opt.use_fp16_packed = False
            self._net.opt.use_fp16_storage = False
            self._net.opt.use_fp16_arithmetic = False
        if self._net.load_param(str(path)) or self._net.load_model(str(path.with_suffix(".bin"))):
            raise RuntimeError(f"Error: ncnn cannot read {path.name}")

    def runner(self, pictures: bytes, batch: int) -> Callable[[], Any]:
        """See serving.Runtime."""
        import ncnn
        import numpy as np

        values = np.frombuffer(pictures, np.float32)
        side = round((values.size / batch / 3) ** 0.5)
        values = values.reshape(batch, 3, side, side)
        first, last = self._net.input_names()[0], self._net.output_names()[-1]

        def run(picture: Any) -> Any:
            extractor = self._net.create_extractor()
            extractor.input(first, picture)
            failed, scores = extractor.extract(last)
            if failed:
                raise RuntimeError(f"Error: ncnn gave up with {failed}")
            return np.array(scores)

        return one_by_one(run, [ncnn.Mat(np.ascontiguousarray(p)).clone() for p in values])


if __name__ == "__main__":
    serve(Net)
