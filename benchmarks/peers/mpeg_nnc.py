"""MPEG Neural Network Coding (ISO/IEC 15938-17) by Fraunhofer's nncodec: decoded weights.

    python mpeg_nnc.py WORK POINT

WORK holds weights.npz and, for strengthened points, statistics.npz; decoded.npz and answer.json
are written there. POINT is JSON: {"qp": -34} with, if wanted, "opt_qp": true (its own choice of
a step for each tensor) or "strengthened": true: every weight tensor is multiplied by its
sensitivity before coding, which makes one global step spend where a byte buys most, divided by
it after decoding, and biases take up the mean of the error. Trellis quantization and the codec's
own parameter optimisation are on. The scales travel outside the bitstream at 4 bytes each, and
are counted; the corrected biases cost what the coded ones do.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

if torch.version.cuda is None and "+cpu" not in version("torchvision"):
    # torchvision's compiled half does not load beside a torch for processors only, and its other
    # half then looks for these operators in vain. The codec imports torchvision but never runs it.
    _detection = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _detection.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from nncodec.nn import decode, encode

SCALE_BYTES = 4


def main(work: Path, point: dict[str, Any]) -> None:
    weights = dict(np.load(work / "weights.npz"))
    strengthened = point.get("strengthened", False)
    statistics = dict(np.load(work / "statistics.npz")) if strengthened else {}
    scales = {name: statistics.get(f"{name}|scale", np.float64(1.0)) for name in weights}
    start_s = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        arguments = {
            "qp": point["qp"],
            "opt_qp": point.get("opt_qp", False),
            "use_dq": True,
            "param_opt": True,
            "results": folder,
            "verbose": False,
        }
        scaled = {n: np.ascontiguousarray(w * scales[n], np.float32) for n, w in weights.items()}
        stream = encode(scaled, arguments)
    seconds = time.process_time() - start_s
    decoded = {name: values / scales[name] for name, values in decode(stream).items()}
    for name, bias in biases_of(statistics).items():
        error = (weights[name] - decoded[name]).reshape(weights[name].shape[0], -1)
        means = statistics[f"{name}|mean"]
        mean = np.repeat(means, len(error) // len(means), axis=0)
        decoded[bias] = decoded[bias] + (error * mean).sum(axis=1)
    np.savez(work / "decoded.npz", **{n: v.astype(np.float32) for n, v in decoded.items()})
    answer = {
        "bytes": len(stream) + SCALE_BYTES * sum(float(scale) != 1 for scale in scales.values()),
        "counted": "bitstream" + (" and scales" if strengthened else ""),
        "seconds": seconds,
        "version": f"nncodec {version('nncodec')}",
    }
    (work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def biases_of(statistics: dict[str, Any]) -> dict[str, str]:
    """Weight name to bias name, where statistics know both."""
    return {k.removesuffix("|bias"): str(v) for k, v in statistics.items() if k.endswith("|bias")}


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
