"""What every benchmark shares: interleaved timing, the machine in words, rows as JSON lines."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def interleaved_ms(
    runners: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warm_up: int = 3,
    before: Callable[[Callable[[], object]], object] = lambda run: None,  # noqa: ARG005
) -> dict[str, dict[str, float]]:
    """Time each runner in turn, `repeats` rounds; minimum and median in milliseconds each.

    In turn, because a shared machine speeds up and slows down: neighbours then hurt all alike.
    before  what is done ahead of every timed run, and is not timed; it is handed the runner
    """
    for _ in range(warm_up):
        for run in runners.values():
            run()
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(repeats):
        for name, run in runners.items():
            before(run)
            start_ns = time.perf_counter_ns()
            run()
            times[name].append((time.perf_counter_ns() - start_ns) / 1e6)
    return {
        name: {"min_ms": min(values), "median_ms": statistics.median(values)}
        for name, values in times.items()
    }


def machine() -> str:
    """The processor's name and the system, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {platform.system()} {platform.machine()}"


def commit() -> str:
    """The commit that is measured, with a + where files other than results have changed since."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", ":/", ":!/benchmarks/results")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def append_rows(name: str, rows: list[dict[str, Any]]) -> Path:
    """Append rows to benchmarks/results/<name>.jsonl, each with machine and commit."""
    path = HERE / "results" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    origin = {"machine": machine(), "commit": commit()}
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({**row, **origin}) + "\n" for row in rows)
    return path
