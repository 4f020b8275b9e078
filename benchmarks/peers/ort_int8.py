"""onnxruntime's static int8 quantization (QDQ, weights per channel): an ONNX file.

    python ort_int8.py WORK POINT

WORK holds model.onnx and fit.npy (calibration inputs); compressed.onnx and answer.json are
written there. POINT is JSON: {"calibration": "minmax" | "entropy" | "percentile", "photos": n}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out calibration inputs one by one."""

    def __init__(self, name: str, inputs: Any) -> None:
        self._feeds = iter([{name: picture[None]} for picture in inputs])

    def get_next(self) -> dict[str, Any] | None:
        """The next input, or None after the last one."""
        return next(self._feeds, None)


def main(work: Path, point: dict[str, Any]) -> None:
    start_s = time.process_time()
    source, prepared, out = (work / n for n in ("model.onnx", "prepared.onnx", "compressed.onnx"))
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    name = onnxruntime.InferenceSession(str(source)).get_inputs()[0].name
    inputs = np.load(work / "fit.npy", mmap_mode="r")[: point.get("photos")]
    quantize_static(
        str(prepared),
        str(out),
        Reader(name, inputs),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=METHODS[point["calibration"]],
    )
    prepared.unlink()
    answer = {
        "bytes": out.stat().st_size,
        "counted": "ONNX file",
        "seconds": time.process_time() - start_s,
        "version": f"onnxruntime {onnxruntime.__version__}",
    }
    (work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
