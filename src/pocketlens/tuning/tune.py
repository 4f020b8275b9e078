"""Fine-tuning from end to end: a lens learns to answer as its float network does, or stays.

The values of palettes and the biases are trained by distillation on the part fit, indices stay.
After every pass the lens is rounded to what a file holds and judged on the part select; the best
of them is kept, and the untouched lens is one of those to choose from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import DataError
from pocketlens.base.progress import Progress, silent
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.graph import Network
from pocketlens.lensfile.contents import LensContents
from pocketlens.torchnet.network import ask_for_torch
from pocketlens.tuning.effort import default_passes
from pocketlens.tuning.judge import SelectJudge
from pocketlens.tuning.pictures import FloatAnswers, Pictures
from pocketlens.tuning.settings import TuningSettings
from pocketlens.tuning.trainables import Place, places_of, with_values

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from pocketlens.torchnet.distil import Distillation

Array = NDArray[np.float32]
Tell = Callable[[int, float, bool], None]
"""Told after each pass: its number (0: untouched), KL on select, whether it is the best so far."""

STAGE = "fine-tuning"
WARM_UP = 0.1
"""Part of all steps in which they grow to their full length."""

ASTRAY = 1.5
"""A lens so many times as far from the float network as the untouched one has gone astray: the
best one is taken up again, with steps half as long."""

PHOTOS_A_CHECK = 4096
"""With many photos, a lens is judged more often than once a pass."""

EXAMPLE_PHOTOS = 16


def tell_nobody(number: int, kl: float, best: bool) -> None:
    """A Tell that says nothing."""


@dataclass(frozen=True)
class Tuned:
    """A lens after fine-tuning.

    contents   the best lens; the untouched one where none was better
    kept       which check it is of, 1 and up; 0: fine-tuning was dropped
    kl         on the part select, nats a photo: untouched, then at each check; infinite where
               training had broken down
    photos     it was trained on
    passes     over them
    """

    contents: LensContents
    kept: int
    kl: tuple[float, ...]
    photos: int
    passes: int

    @property
    def is_better(self) -> bool:
        """Whether fine-tuning was kept."""
        return self.kept > 0


def tune(
    contents: LensContents,
    network: Network,
    fit: Sequence[Array],
    select: Sequence[Array],
    *,
    settings: TuningSettings | None = None,
    tell: Tell = tell_nobody,
    progress: Progress = silent,
) -> Tuned:
    """Train what a lens's file has room for to answer as the float network.

    contents  of a lens coded from `network`
    network   the float network
    fit       trained on, float32 (1, C, H, W) each, as the network takes them
    select    choices are made on; no photo of `fit`
    tell      told how each check went

    Palettes and biases take as many bytes as before; indices and planes are untouched. The same
    arguments give the same bytes, with any number of threads. Raises MissingExtraError without
    torch, DataError 'tuning-needs-photos', EngineError where the core cannot run the network.
    """
    ask_for_torch("Fine-tuning")
    settings = settings or TuningSettings()
    if not len(fit) or not len(select):
        raise DataError(
            "Fine-tuning needs photos to train on and others to choose by; one of the two parts "
            "is empty. Give more photos, or leave fine-tuning out.",
            slug="tuning-needs-photos",
        )
    answers = FloatAnswers(network, threads=settings.threads)
    try:
        judge = SelectJudge(select, answers, threads=settings.threads)
        pictures = Pictures(fit, answers, shift=settings.shift, seed=settings.seed)
        return _Run(contents, settings, judge, pictures, tell, progress).go(fit)
    finally:
        answers.close()


class _Run:
    """One fine-tuning under way."""

    def __init__(
        self,
        contents: LensContents,
        settings: TuningSettings,
        judge: SelectJudge,
        pictures: Pictures,
        tell: Tell,
        progress: Progress,
    ) -> None:
        self._contents = contents
        self._settings = settings
        self._passes = settings.passes or default_passes(contents.graph, len(pictures))
        self._judge = judge
        self._pictures = pictures
        self._tell = tell
        self._progress = progress
        self._places = places_of(contents.graph, contents.tensors)
        self._best = contents
        self._best_values = {place.record.name: place.trainable.values for place in self._places}
        self._kept = 0
        self._cut = 1.0
        self._kl: list[float] = []

    def go(self, fit: Sequence[Array]) -> Tuned:
        """Train, check, keep the best."""
        from pocketlens.torchnet.workers import workers

        self._note(self._contents)
        if self._places:
            with workers(self._settings.threads) as pool:
                self._train(self._distillation(fit, pool))
        return Tuned(self._best, self._kept, tuple(self._kl), len(self._pictures), self._passes)

    def _distillation(self, fit: Sequence[Array], pool: Executor) -> Distillation:
        from pocketlens.torchnet.distil import Distillation

        graph = self._contents.graph
        decoded = {record.name: tensor_values(record) for record in self._contents.tensors}
        return Distillation(
            Network(graph, decoded),
            [place.trainable for place in self._places],
            probabilities=ends_in_softmax(graph),
            value_rate=self._settings.palette_rate,
            layer_rate=self._settings.bias_rate,
            example=np.concatenate([fit[i] for i in range(min(len(fit), EXAMPLE_PHOTOS))]),
            pool=pool,
        )

    def _train(self, distillation: Distillation) -> None:
        batch, passes = self._settings.batch, self._passes
        steps = -(-len(self._pictures) // batch) * passes
        checks = max(passes, passes * len(self._pictures) // PHOTOS_A_CHECK)
        step = 0
        for number in range(passes):
            for pictures, answers in self._pictures.batches(number, batch):
                self._progress(STAGE, step, steps)
                rate = self._cut * schedule(step / steps)
                distillation.step(pictures, answers, rate=rate)
                _keep_within(distillation, self._places)
                step += 1
                if step * checks // steps > (step - 1) * checks // steps:
                    self._check(distillation)
        self._progress(STAGE, steps, steps)

    def _check(self, distillation: Distillation) -> None:
        values = distillation.values()
        if self._note(self._with(values)):
            self._best_values = values
        elif not self._kl[-1] <= ASTRAY * self._kl[0]:
            distillation.put(self._best_values)
            distillation.forget()
            self._cut /= 2

    def _with(self, values: Mapping[str, Array]) -> LensContents | None:
        """The lens with trained values; None where they are numbers no more."""
        if not all(np.isfinite(each).all() for each in values.values()):
            return None
        tensors = with_values(self._contents.tensors, self._places, values)
        return replace(self._contents, tensors=tensors)

    def _note(self, contents: LensContents | None) -> bool:
        """Judge a lens; whether it is the best so far."""
        number = len(self._kl)
        kl = math.inf if contents is None else self._judge.kl(contents)
        best = contents is not None and (number == 0 or kl < min(self._kl))
        self._kl.append(kl)
        if contents is not None and best:
            self._best, self._kept = contents, number
        self._tell(number, kl, best)
        return best


def schedule(done: float) -> float:
    """Length of step, 0 to 1, when so much of the training is done: up, then down a cosine."""
    return min(1.0, (done + 1e-3) / WARM_UP) * 0.5 * (1.0 + math.cos(math.pi * done))


def _keep_within(distillation: Distillation, places: Sequence[Place]) -> None:
    """Take back what no lens can hold."""
    values = distillation.values()
    kept = {place.record.name: place.keep(values[place.record.name]) for place in places}
    changed = {
        name: value for name, value in kept.items() if not np.array_equal(value, values[name])
    }
    if changed:
        distillation.put(changed)
