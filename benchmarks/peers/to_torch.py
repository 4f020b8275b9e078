"""A TorchScript file for PyTorch: norms folded, traced, frozen and handed to oneDNN.

    python to_torch.py WORK POINT

WORK holds model.onnx; model.pt, model-10.pt (where ten pictures can be traced) and answer.json are
written there. POINT is JSON: {"source": folder of the package whose importer reads the model}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

CROPS = 10


def main(work: Path, point: dict[str, Any]) -> None:
    sys.path.insert(0, point["source"])
    from pocketlens.importers.onnx.reader import read_onnx
    from pocketlens.torchnet.module import NetworkModule

    start_s = time.process_time()
    network = read_onnx(work / "model.onnx").network
    module = NetworkModule(network).eval()
    shape = network.graph.shapes[network.graph.inputs[0]]
    for name, batch in (("model.pt", 1), (f"model-{CROPS}.pt", CROPS)):
        picture = torch.zeros(batch, *shape[1:])
        with torch.no_grad():
            traced = torch.jit.trace(module, picture, check_trace=False)
            frozen = torch.jit.freeze(traced)
        torch.jit.save(frozen, str(work / name))
    answer = {"seconds": time.process_time() - start_s, "version": f"torch {torch.__version__}"}
    (work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
