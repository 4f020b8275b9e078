"""The engines of the latency table: how each gets its file, and which process runs it.

Peers have virtual environments of their own below the cache folder, as in compression_peers.py. A
converter there makes a runtime's file from model.onnx; a script of benchmarks/peers serves it (see
peers/serving.py). What cannot be converted or started raises PeerError, whose sentence becomes
the engine's row.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pocketlens
from compression_peers import SCRIPTS, Peer, PeerError, environment, run
from pocketlens.engine.core import targets

SOURCE = str(Path(pocketlens.__file__).parents[1])
PATIENCE_S = 300
"""An engine that says nothing for so long is given up."""

ONNXRUNTIME = ("onnxruntime==1.32.0", "numpy>=1.26")
OPENVINO = ("openvino==2026.4.1", "numpy>=1.26")
NCNN = ("ncnn==1.0.20261020", "numpy>=1.26")
LITERT = ("ai-edge-litert==2.3.0", "numpy>=1.26")
TORCH = ("torch==2.13.0", "pnnx==20261020", "numpy>=1.26", "onnx>=1.16", "pillow>=10.1",
         "click>=8.1", "rich>=13.5")  # fmt: skip
ONNX_TO_TFLITE = ("onnx2tf==1.29.24",)


@dataclass(frozen=True)
class Converter:
    """Makes a runtime's file from model.onnx; script and point as in compression_peers.py."""

    script: str
    requirements: tuple[str, ...]
    point: dict[str, Any] = field(default_factory=dict)
    home: str = ""


@dataclass(frozen=True)
class Engine:
    """One column of the table.

    name          of the runtime and its precision
    script        in benchmarks/peers
    file          that the script is given, in the network's folder
    parts         everything that must be shipped, in the same folder: its bytes are the file size
    requirements  of its environment; empty: the Python that runs this
    options       for the script
    converter     makes the file; None: it is there
    surroundings  environment variables that it is started with
    reason        why it cannot be measured at all; empty: it can
    """

    name: str
    script: str
    file: str
    parts: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    converter: Converter | None = None
    surroundings: dict[str, str] = field(default_factory=dict)
    reason: str = ""


ORT_INT8 = Converter(
    "ort_int8.py",
    ("onnxruntime==1.32.0", "onnx>=1.16", "sympy>=1.12"),
    {"calibration": "minmax", "photos": 8},
)
TO_TORCH = Converter("to_torch.py", TORCH, {"source": SOURCE}, "run_torch")
TO_TFLITE = Converter("to_tflite.py", ONNX_TO_TFLITE)
TO_NCNN = Converter("to_ncnn.py", TORCH, {"half": False}, "run_torch")
TO_NCNN_HALF = Converter("to_ncnn.py", TORCH, {"half": True}, "run_torch")
NCNN_INT8 = "needs ncnn2table and ncnn2int8, which ncnn's packages for Python do not have"

NO_BF16 = "needs a processor with AVX-512 and BF16"


def _ours(bits: int) -> Engine:
    file = f"{bits}.lens"
    return Engine(f"pocketlens {bits} bits", "run_pocketlens.py", file, (file,))


def _onnx(name: str, file: str, converter: Converter | None = None) -> Engine:
    return Engine(name, "run_onnxruntime.py", file, (file,), ONNXRUNTIME, {}, converter)


def _openvino(precision: str) -> Engine:
    return Engine(f"openvino {precision}", "run_openvino.py", "model.onnx", ("model.onnx",),
                  OPENVINO, {"precision": precision})  # fmt: skip


def _ncnn(name: str, converter: Converter, options: dict[str, Any]) -> Engine:
    parts = (f"{name}.ncnn.param", f"{name}.ncnn.bin")
    return Engine(f"ncnn {name}", "run_ncnn.py", parts[0], parts, NCNN, options, converter)


def _litert(precision: str) -> Engine:
    file = f"{precision}.tflite"
    return Engine(f"litert {precision}", "run_litert.py", file, (file,), LITERT, {}, TO_TFLITE)


ENGINES = (
    _ours(4),
    Engine(
        "pocketlens 4 bits bf16",
        "run_pocketlens.py",
        "4.lens",
        ("4.lens",),
        (),
        {"precision": "bf16"},
        reason="" if targets("bf16") else NO_BF16,
    ),
    _ours(8),
    _onnx("onnxruntime fp32", "model.onnx"),
    _onnx("onnxruntime int8", "int8.onnx", ORT_INT8),
    _openvino("f32"),
    _openvino("bf16"),
    Engine("pytorch fp32", "run_torch.py", "model.pt", ("model.pt",), TORCH, {}, TO_TORCH),
    _ncnn("fp32", TO_NCNN, {"half": False}),
    _ncnn("fp16", TO_NCNN_HALF, {"half": True}),
    Engine("ncnn int8", "run_ncnn.py", "", (), reason=NCNN_INT8),
    _litert("fp32"),
    _litert("int8"),
)


AVX2_ALONE = (
    Engine("pocketlens 4 bits, AVX2", "run_pocketlens.py", "4.lens", ("4.lens",), (),
           {"target": "avx2"}),
    Engine("openvino f32, AVX2", "run_openvino.py", "model.onnx", ("model.onnx",), OPENVINO,
           {"precision": "f32"}, None, {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
)  # fmt: skip
"""Engines that can be told to go without AVX-512; onnxruntime's kernels ask the processor alone."""


def convert(engine: Engine, *, cache: Path, work: Path) -> None:
    """Make the engine's file in `work` unless it stands there. Raises PeerError.

    A failure is remembered beside it, so that it is not tried in vain again.
    """
    target = work / engine.file
    failure = target.with_suffix(".failure")
    if engine.converter is None or target.is_file():
        return
    if failure.is_file():
        raise PeerError(failure.read_text(encoding="utf-8"))
    converter = engine.converter
    peer = Peer(engine.name, converter.script, converter.requirements, (), home=converter.home)
    try:
        try:
            run(peer, converter.point, cache=cache, work=work)
        except PeerError:
            if not target.is_file():
                raise
        if not target.is_file():
            (work / "compressed.onnx").rename(target)
    except PeerError as error:
        failure.write_text(str(error), encoding="utf-8")
        raise


class Worker:
    """A process that runs one engine and obeys. Use it in a `with` block."""

    def __init__(self, engine: Engine, *, threads: int, cache: Path, work: Path) -> None:
        """Start it and wait for its first label. Raises PeerError."""
        peer = Peer(engine.name, engine.script, engine.requirements, ())
        python = environment(peer, cache) if engine.requirements else Path(sys.executable)
        surroundings = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
        surroundings |= {"OMP_NUM_THREADS": str(threads)} | engine.surroundings
        if not engine.requirements:
            surroundings["PYTHONPATH"] = SOURCE
        options = json.dumps({**engine.options, "threads": threads})
        command = [str(python), str(SCRIPTS / engine.script), str(work / engine.file),
                   str(work / "pictures.f32"), options]  # fmt: skip
        self._log = work / f"{engine.name.replace(' ', '-')}.log"
        with self._log.open("w", encoding="utf-8") as log:
            start_s = time.perf_counter()
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=surroundings,
            )  # fmt: skip
        self._heard = b""
        self.first = self._answer()
        self.first_label_ms = (time.perf_counter() - start_s) * 1000

    def times_ms(self, batch: int, repeats: int) -> list[tuple[float, float]]:
        """Milliseconds on the clock and of the processor, of each of `repeats` runs.

        Raises PeerError.
        """
        assert self._process.stdin is not None
        try:
            asked = json.dumps({"batch": batch, "repeats": repeats}) + "\n"
            self._process.stdin.write(asked.encode())
            self._process.stdin.flush()
        except OSError as error:
            raise PeerError(self._last_words()) from error
        answer = self._answer()
        self.peak_bytes = int(answer["peak_bytes"])
        return list(zip(answer["ms"], answer["cpu_ms"], strict=True))

    def _answer(self) -> dict[str, Any]:
        """The next line that is an answer: some runtimes talk on stdout."""
        while True:
            line = self._line()
            if line.startswith(b"{"):
                answer: dict[str, Any] = json.loads(line)
                return answer

    def _line(self) -> bytes:
        """The next line, read past Python's buffer, which select() would not see."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._heard:
            if not select.select([pipe], [], [], PATIENCE_S)[0]:
                self.close()
                raise PeerError(f"given up after {PATIENCE_S} s")
            said = os.read(pipe, 1 << 16)
            if not said:
                self.close()
                raise PeerError(self._last_words())
            self._heard += said
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        telling = [line for line in said if "Error" in line or "error" in line]
        return f"does not run: {(telling or said or ['no word'])[-1][:300]}"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
