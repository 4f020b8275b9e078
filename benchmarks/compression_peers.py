"""The peers of `make bench-compression`: what each needs, which points it is run at, and how.

Each peer has a virtual environment of its own below the cache folder, made when it is first
wanted, and a script in benchmarks/peers that runs in it: SCRIPT WORK POINT. WORK is a folder that
holds model.onnx, weights.npz, fit.npy (calibration inputs) and statistics.npz; the script leaves
answer.json and either decoded.npz (weights by name) or compressed.onnx there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCRIPTS = Path(__file__).parent / "peers"
Point = dict[str, Any]
TORCH = ("torch==2.13.0", "torchvision==0.28.0")
SECONDS = 3600
"""After so long a point is given up."""


class PeerError(Exception):
    """A peer could not be installed or run; the sentence goes into its row."""


@dataclass(frozen=True)
class Peer:
    """One way of compressing a network that others made.

    name          in the table
    script        in benchmarks/peers
    requirements  what pip installs into its environment
    points        what it is asked for, each the script's second argument
    statistics    whether points need statistics.npz
    fit           whether points need fit.npy
    home          the environment's name, for scripts that share one; empty: the script's
    """

    name: str
    script: str
    requirements: tuple[str, ...]
    points: tuple[Point, ...]
    statistics: bool = False
    fit: bool = False
    home: str = ""


NNC = ("nncodec==2.1.3", *TORCH)
COREML = ("coremltools==9.0", "scikit-learn>=1.4", "onnx>=1.16")
NNC_QPS = (-46, -42, -38, -34, -30, -26)

PEERS = (
    Peer(
        "coremltools",
        "core_ml.py",
        COREML,
        ({"bits": 16}, *({"bits": bits} for bits in (8, 6, 4, 3))),
    ),
    Peer(
        "coremltools grouped",
        "core_ml.py",
        COREML,
        tuple({"bits": bits, "group": 16} for bits in (8, 6, 4, 3)),
    ),
    Peer(
        "coremltools sensitive",
        "core_ml_sensitive.py",
        (*COREML, TORCH[0]),
        tuple({"bits": bits} for bits in (8, 6, 4, 3)),
        fit=True,
    ),
    Peer("nnc", "mpeg_nnc.py", NNC, tuple({"qp": qp} for qp in NNC_QPS)),
    Peer(
        "nnc opt_qp",
        "mpeg_nnc.py",
        NNC,
        tuple({"qp": qp, "opt_qp": True} for qp in NNC_QPS),
    ),
    Peer(
        "nnc strengthened",
        "mpeg_nnc.py",
        NNC,
        tuple({"qp": qp, "strengthened": True} for qp in NNC_QPS),
        statistics=True,
    ),
    Peer(
        "onnxruntime int8",
        "ort_int8.py",
        ("onnxruntime==1.32.0", "onnx>=1.16", "sympy>=1.12"),
        tuple({"calibration": c, "photos": 100} for c in ("minmax", "percentile")),
        fit=True,
    ),
    Peer(
        "nncf",
        "nncf_openvino.py",
        ("nncf==3.4.0", "openvino==2026.4.1", "onnx>=1.16", "onnxruntime>=1.18"),
        (
            {"mode": "int8", "preset": "performance"},
            {"mode": "int8", "preset": "mixed"},
            {"mode": "weights", "bits": 8},
            {"mode": "weights", "bits": 4},
        ),
        fit=True,
    ),
)


def environment(peer: Peer, cache: Path) -> Path:
    """The Python of a peer's environment, made if it is not there. Raises PeerError."""
    mark = hashlib.sha256("\n".join(peer.requirements).encode()).hexdigest()[:12]
    folder = cache / "environments" / f"{peer.home or Path(peer.script).stem}-{mark}"
    python, done = folder / "bin" / "python", folder / "installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be making it
        if not done.is_file():
            _install(peer, folder)
            done.touch()
    return python


def _install(peer: Peer, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", *peer.requirements]
    with (folder / "install.log").open("w", encoding="utf-8") as log:
        code = subprocess.run(install, stdout=log, stderr=log, check=False).returncode
    if code:
        raise PeerError(f"cannot be installed: {_last_error(folder / 'install.log')}")


def run(
    peer: Peer, point: Point, *, cache: Path, work: Path, seconds: float = SECONDS
) -> dict[str, Any]:
    """Run one point; its answer, with the path of the ONNX file or the decoded weights.

    work     see the module; what earlier points left there is removed first
    seconds  after which it is given up
    Raises PeerError.
    """
    python = environment(peer, cache)
    for name in ("answer.json", "decoded.npz", "compressed.onnx"):
        (work / name).unlink(missing_ok=True)
    command = [str(python), str(SCRIPTS / peer.script), str(work), json.dumps(point)]
    log = work / "run.log"
    surroundings = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    start_s = time.perf_counter()
    try:
        with log.open("w", encoding="utf-8") as out:
            code = subprocess.run(
                command, stdout=out, stderr=out, check=False, timeout=seconds, cwd=work,
                env=surroundings | threads,
            ).returncode  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"given up after {seconds:.0f} s") from error
    answer_file = work / "answer.json"
    if code or not answer_file.is_file():
        raise PeerError(f"does not run: {_last_error(log)}")
    answer: dict[str, Any] = json.loads(answer_file.read_text(encoding="utf-8"))
    return answer | {"wall_s": round(time.perf_counter() - start_s, 2)}


def weights_of(work: Path) -> dict[str, NDArray[Any]] | None:
    """Decoded weights that the last point left; None where it left an ONNX file."""
    decoded = work / "decoded.npz"
    return dict(np.load(decoded)) if decoded.is_file() else None


def script_mark(peer: Peer) -> str:
    """Changes with the peer's script, its requirements and their versions."""
    content = (SCRIPTS / peer.script).read_bytes() + "\n".join(peer.requirements).encode()
    return hashlib.sha256(content).hexdigest()[:12]


def _last_error(log: Path) -> str:
    """The last line of a log that looks like an error, else its last line."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line]
    telling = [line for line in lines if "Error" in line or line.startswith("ERROR")]
    return (telling or lines or ["no word"])[-1][:300]
