"""What every timed runtime does: start, name one picture, then run as often as it is told.

    python run_RUNTIME.py FILE PICTURE OPTIONS

FILE is the runtime's own model, PICTURE raw float32 of ten pictures, OPTIONS JSON with "threads"
and what the runtime knows. The first line on stdout is the answer to the first picture: its class,
the processor's milliseconds until then, and the peak of resident memory. Then each line of stdin,
{"batch": 10, "repeats": 3}, is
answered by the milliseconds that each run took, on the clock and of the processor. The runtime is
imported where it is loaded, so that the first answer counts all of a cold start.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

CROPS = 10
Run = Callable[[], Any]


class Runtime(Protocol):
    """A model that is loaded."""

    version: str

    def runner(self, pictures: bytes, batch: int) -> Run:
        """What runs `batch` pictures and returns the scores of all of them."""


def serve(load: Callable[[Path, dict[str, Any]], Runtime]) -> None:
    """Load, answer, obey."""
    path, picture, options = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    ten = picture.read_bytes()
    size = len(ten) // CROPS
    runtime = load(path, options)
    scores = runtime.runner(ten[:size], 1)()
    cpu_ms = time.process_time() * 1000  # from the start of the process
    first = {"label": best(scores), "version": runtime.version, "cpu_ms": cpu_ms}
    say(first | {"peak_bytes": peak_bytes()})
    runners: dict[int, Run] = {1: runtime.runner(ten[:size], 1)}
    for line in sys.stdin:
        asked = json.loads(line)
        batch = asked["batch"]
        if batch not in runners:
            runners[batch] = runtime.runner(ten[: size * batch], batch)
        runners[batch]()  # what the neighbours pushed out of the caches comes back
        times = [times_ms(runners[batch]) for _ in range(asked["repeats"])]
        clock, cpu = zip(*times, strict=True)
        say({"ms": clock, "cpu_ms": cpu, "peak_bytes": peak_bytes()})


def times_ms(run: Run) -> tuple[float, float]:
    """Milliseconds that a run took, and those that the processor spent on this process in it.

    With one thread both are the same on an idle machine; on a busy one only the second is telling.
    """
    start_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    run()
    return (time.perf_counter_ns() - start_ns) / 1e6, (time.process_time_ns() - cpu_ns) / 1e6


def one_by_one(run: Callable[[Any], Any], pictures: Sequence[Any]) -> Run:
    """For runtimes whose model takes one picture: all of them in turn."""

    def every() -> Any:
        answers = [run(picture) for picture in pictures]
        return answers[0] if len(answers) == 1 else answers

    return every


def best(scores: Any) -> int:
    """The class with the highest score."""
    values = scores.reshape(-1).tolist() if hasattr(scores, "reshape") else list(scores)
    return max(range(len(values)), key=values.__getitem__)


def peak_bytes() -> int:
    """The most memory that was resident in this process so far (Linux's VmHWM)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
