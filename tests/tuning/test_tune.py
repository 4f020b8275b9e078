"""Fine-tuning improves a lens or is dropped, changes no plane, and is the same again."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pocketlens.base.errors import DataError, MissingExtraError, UsageError
from pocketlens.engine.core import CoreEngine
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.writer import write_lens
from pocketlens.tuning.effort import MOST_PASSES
from pocketlens.tuning.settings import TuningSettings
from pocketlens.tuning.tune import Tuned, schedule, tune
from tuning.conftest import Coded

with_torch = pytest.mark.skipif(
    find_spec("torch") is None, reason="the 'torch' extra is not installed"
)
SETTINGS = TuningSettings(passes=6, batch=8)


def tuned(coded: Coded, **changes: object) -> Tuned:
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    return tune(coded.contents, coded.network, coded.fit, coded.select, settings=settings)


def size_of(contents: LensContents, path: Path) -> int:
    write_lens(path, contents)
    return path.stat().st_size


@pytest.fixture(scope="module")
def better(coded: Coded) -> Tuned:
    pytest.importorskip("torch", reason="the 'torch' extra is not installed")
    return tuned(coded)


def test_answers_come_nearer(better: Tuned) -> None:
    assert better.is_better
    assert better.kept == int(np.argmin(better.kl))
    assert better.kl[better.kept] < 0.8 * better.kl[0]
    assert better.photos == 48


def test_planes_and_bytes_stay(coded: Coded, better: Tuned, tmp_path: Path) -> None:
    before, after = coded.contents.tensors, better.contents.tensors
    assert [record.plane for record in before] == [record.plane for record in after]
    assert any(old.palettes != new.palettes for old, new in zip(before, after, strict=True))
    assert any(old.values != new.values for old, new in zip(before, after, strict=True))
    sizes = [size_of(x, tmp_path / "x.lens") for x in (coded.contents, better.contents)]
    assert sizes[0] == sizes[1]


def test_what_is_written_is_what_was_judged(coded: Coded, better: Tuned) -> None:
    engine = CoreEngine(better.contents)
    assert np.isfinite(engine.run([coded.select[0]])[0]).all()
    engine.close()


def test_the_same_again_with_any_threads(coded: Coded, better: Tuned) -> None:
    assert tuned(coded, threads=2) == better


@with_torch
def test_another_seed_is_another_lens(coded: Coded, better: Tuned) -> None:
    assert tuned(coded, seed=1).kl[1:] != better.kl[1:]


@with_torch
def test_steps_too_long_are_dropped_or_shortened(coded: Coded) -> None:
    """A hundred times too long, whatever comes of it is no worse than the untouched lens."""
    astray = tuned(coded, passes=2, palette_rate=20.0, bias_rate=20.0)
    assert max(astray.kl) > 2 * astray.kl[0]
    assert astray.kl[astray.kept] == min(astray.kl) <= astray.kl[0]
    if not astray.is_better:
        assert astray.contents is coded.contents


@with_torch
def test_numbers_that_break_down_are_never_written(coded: Coded) -> None:
    broken = tuned(coded, passes=2, palette_rate=1e30, bias_rate=1e30)
    assert not broken.is_better
    assert broken.contents is coded.contents
    assert max(broken.kl) > broken.kl[0]


@with_torch
def test_what_cannot_be_better_is_dropped(coded: Coded) -> None:
    """No step at all: the untouched lens is kept, and the result says so."""
    still = tuned(coded, passes=1, palette_rate=0.0, bias_rate=0.0)
    assert not still.is_better
    assert still.contents is coded.contents
    assert still.kl[1] == pytest.approx(still.kl[0])


@with_torch
def test_threads_of_torch_are_put_back(coded: Coded) -> None:
    import torch

    before = torch.get_num_threads()
    tuned(coded, passes=1, threads=before + 1)
    assert torch.get_num_threads() == before


@with_torch
def test_passes_are_as_many_as_the_network_allows(coded: Coded) -> None:
    told = tuned(coded, passes=None)
    assert told.passes == MOST_PASSES
    assert len(told.kl) == MOST_PASSES + 1


@with_torch
def test_an_interruption_leaves_nothing_behind(coded: Coded) -> None:
    import torch

    threads = torch.get_num_threads()

    def stop(stage: str, done: int, total: int) -> None:
        if done > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(coded.contents, coded.network, coded.fit, coded.select,
             settings=replace(SETTINGS, threads=threads + 1), progress=stop)  # fmt: skip
    assert torch.get_num_threads() == threads


@with_torch
@pytest.mark.parametrize("empty", ["fit", "select"])
def test_both_parts_are_needed(coded: Coded, empty: str) -> None:
    parts = {"fit": coded.fit, "select": coded.select} | {empty: []}
    with pytest.raises(DataError, match="tuning-needs-photos"):
        tune(coded.contents, coded.network, parts["fit"], parts["select"])


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_without_torch_it_says_what_to_install(coded: Coded) -> None:
    with pytest.raises(MissingExtraError, match=r"pocketlens\[torch\]"):
        tuned(coded)


def test_passes_are_counted() -> None:
    with pytest.raises(UsageError, match="bad-passes"):
        TuningSettings(passes=0)


def test_steps_grow_then_shrink() -> None:
    lengths = [schedule(done) for done in np.linspace(0, 1, 101)]
    assert 0 < lengths[0] < 0.05
    assert max(lengths) > 0.95
    assert lengths[-1] == 0.0
    assert int(np.argmax(lengths)) == 10
