"""Every environment variable that Pocketlens looks at, and nothing else reads os.environ."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Knob:
    """An environment variable: its name and what it does."""

    name: str
    meaning: str

    def read(self) -> str | None:
        """The value, or None where it is not set or empty."""
        return os.environ.get(self.name) or None


TARGET = Knob(
    "POCKETLENS_TARGET",
    "forces the instruction set of the core (avx512, avx2, sse2, neon, scalar); "
    "one that this machine or build lacks is an error",
)
PRECISION = Knob(
    "POCKETLENS_PRECISION",
    "default precision of the core: fp32, or bf16, which rounds what conv2d multiplies; one that "
    "this machine or build lacks is an error",
)
THREADS = Knob("POCKETLENS_THREADS", "default number of threads (otherwise 1)")

KNOBS = (TARGET, PRECISION, THREADS)
