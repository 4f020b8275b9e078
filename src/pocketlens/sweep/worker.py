"""Points side by side: processes that each do one, and stop cleanly when told to.

An interrupt from the keyboard reaches every process of the terminal; the workers leave it to the
one that started them, which ends them with SIGTERM, which they take as an exception, so that
half-written files are removed. A worker whose starter was killed ends by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING, Any

from pocketlens.base.progress import Progress, silent
from pocketlens.importers.imported import Imported
from pocketlens.sweep.bench import Bench
from pocketlens.sweep.ledger import Entry
from pocketlens.sweep.points import Point

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

STAGE = "measuring"
_LOOK_S = 0.2


def measure_points(
    bench: Bench, points: Sequence[Point], *, jobs: int, progress: Progress = silent
) -> Iterator[Entry]:
    """Measure points, yielding each as it is finished; in what order depends on their times.

    jobs      processes; 1: this one
    progress  told how many answers there are, of photos x points

    Whatever ends it, no process goes on. Raises what packing and measuring raise.
    """
    if min(jobs, len(points)) <= 1:
        yield from _one_by_one(bench, points, progress)
        return
    context = multiprocessing.get_context("spawn")
    counter = context.Value("Q", 0)
    total = len(points) * len(bench.classes)
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(jobs, len(points)), context, initializer=_begin, initargs=(bench, counter)
    )
    try:
        waiting = {pool.submit(_measure, point) for point in points}
        while waiting:
            done, waiting = wait(waiting, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            progress(STAGE, counter.value, total)
            for future in done:
                yield future.result()
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _one_by_one(bench: Bench, points: Sequence[Point], progress: Progress) -> Iterator[Entry]:
    if not points:
        return
    imported = bench.read()
    done, total = 0, len(points) * len(bench.classes)

    def photo_done() -> None:
        nonlocal done
        done += 1
        progress(STAGE, done, total)

    for point in points:
        yield bench.measure(imported, point, photo_done=photo_done)


class _Worker:
    """What a worker process keeps between its points."""

    def __init__(self, bench: Bench, counter: Synchronized[int]) -> None:
        self.bench = bench
        self.counter = counter
        self.imported: Imported | None = None
        self.is_stopped = False

    def measure(self, point: Point) -> Entry:
        if self.imported is None:
            self.imported = self.bench.read()
        return self.bench.measure(self.imported, point, photo_done=self._photo_done)

    def _photo_done(self) -> None:
        with self.counter.get_lock():
            self.counter.value += 1


_worker: _Worker | None = None
"""Of this process, where it is a worker: a pool hands its tasks to plain functions."""


def _begin(bench: Bench, counter: Synchronized[int]) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    sys.unraisablehook = _unraisable
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = _Worker(bench, counter)


def _measure(point: Point) -> Entry:
    if _worker is None:
        raise AssertionError
    if _worker.is_stopped:  # the pool takes the exception for the last point's and hands out more
        sys.exit(1)
    return _worker.measure(point)


def _stop(*_: Any) -> None:
    if _worker is not None:
        _worker.is_stopped = True
    sys.exit(1)


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Say nothing where `_stop` came amid a destructor: is_stopped ends the worker all the same."""
    if not issubclass(unraisable.exc_type, SystemExit):
        sys.__unraisablehook__(unraisable)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
