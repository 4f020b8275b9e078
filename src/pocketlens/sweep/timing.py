"""Milliseconds an image: the least of several rounds in which every lens has its turn.

In turn, because a shared machine speeds up and slows down: neighbours then hurt all alike.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from pocketlens.base.progress import Progress, silent
from pocketlens.classify.lens import open_lens

STAGE = "timing"
_WARM_UP = 2


def least_milliseconds(
    lenses: Sequence[Path], inputs: bytes, *, repeats: int, progress: Progress = silent
) -> list[float]:
    """The least time that each lens took for one image, on one thread.

    inputs   one image as the lenses take it
    repeats  rounds, 1 or more
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(open_lens(path, threads=1)) for path in lenses]
        least_ns = [0] * len(opened)
        for round_number in range(-_WARM_UP, repeats):
            progress(STAGE, max(round_number, 0), repeats)
            for number, lens in enumerate(opened):
                start_ns = time.perf_counter_ns()
                lens.run(inputs, batch=1)
                took_ns = time.perf_counter_ns() - start_ns
                if round_number == 0:
                    least_ns[number] = took_ns
                elif round_number > 0:
                    least_ns[number] = min(least_ns[number], took_ns)
        progress(STAGE, repeats, repeats)
    return [nanoseconds / 1e6 for nanoseconds in least_ns]
