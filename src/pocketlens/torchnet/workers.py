"""Threads that each run torch alone: photos side by side, not one photo's small layers cut up.

Two threads for one photo's layers are 1.4 times as quick on a machine at rest, and several times
slower where anything else runs; and sums then depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of so many; torch uses one thread in each and, meanwhile, in this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # those that begin now take it over
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)
