"""ncnn's two files from an ONNX model, by its own converter, pnnx.

    python to_ncnn.py WORK POINT

WORK holds model.onnx and fit.npy (for the shape); fp32.ncnn.param and .bin, or fp16.*, and
answer.json are written there. POINT is JSON: {"half": whether weights are stored in half
precision}.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pnnx


def main(work: Path, point: dict[str, Any]) -> None:
    name = "fp16" if point["half"] else "fp32"
    shape = (1, *np.load(work / "fit.npy", mmap_mode="r").shape[1:])
    with tempfile.TemporaryDirectory(dir=work) as place:
        folder = Path(place)
        (folder / "model.onnx").symlink_to(work / "model.onnx")
        program = str(Path(pnnx.__file__).parent / "pnnx")
        given = f"inputshape=[{','.join(map(str, shape))}]"
        command = [program, "model.onnx", given, f"fp16={int(point['half'])}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
        for kind in ("param", "bin"):
            made = folder / f"model.ncnn.{kind}"
            if not made.is_file():
                sys.exit(f"Error: pnnx ended with {done.returncode} and made no {made.name}")
            made.rename(work / f"{name}.ncnn.{kind}")
    (work / "answer.json").write_text(json.dumps({"version": f"pnnx {version('pnnx')}"}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
