"""The opened lens: photos in, answers out. NumPy is touched only where arrays are asked for."""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from pocketlens.base.errors import EngineError, LensFileError, UsageError
from pocketlens.base.knobs import THREADS
from pocketlens.classify.ccv import window_probabilities
from pocketlens.classify.engines import Engines
from pocketlens.classify.sliding import sliding_probabilities
from pocketlens.engine.prepare import normalize, prepare
from pocketlens.graph.probabilities import ends_in_softmax as ends_in_softmax
from pocketlens.images.crops import crop_views
from pocketlens.images.decode import open_image
from pocketlens.images.views import CCV5, CCV10, SLIDE, Crops
from pocketlens.importers.contents import read_contents
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import LensContents

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Photo: TypeAlias = str | os.PathLike[str] | bytes | Image

TOLD_BYTES = 1 << 16
"""Tensors kept as values up to here, biases mostly, tell one network from another."""


@dataclass(frozen=True)
class Answer:
    """One class and how sure the network is of it.

    number      of the class, from 0
    label       what it is called
    confidence  probability, 0 to 1, averaged over the crops
    """

    number: int
    label: Label
    confidence: float


class Lens:
    """A classifier that runs from its palette indices. Close it, or use it in a `with` block."""

    def __init__(
        self,
        contents: LensContents,
        *,
        threads: int | None = None,
        target: str | None = None,
        precision: str | None = None,
        again: Callable[[], LensContents] | None = None,
    ) -> None:
        """Make a lens ready to run.

        contents  as read_lens() or compress.pack() return them. What is kept of them is all but
                  the tensors, which the engine has packed: a lens in memory is that large once
        threads   of the core; None: the knob POCKETLENS_THREADS, else 1
        target    instruction set of the core by name; None: the knob POCKETLENS_TARGET, else
                  the best one. One that is missing raises EngineError 'target-missing'.
        precision "fp32", or "bf16": what a conv2d multiplies is rounded to bfloat16
                  (docs/guide/precision.md); None: the knob POCKETLENS_PRECISION, else "fp32".
                  Where it is missing: EngineError 'precision-missing'.
        again     gives the contents once more, whenever the network is opened for a picture of
                  another size; None: `contents` are kept for that
        """
        self.contents = replace(contents, tensors=())
        read, count = again or (lambda: contents), _threads(threads)
        self._engines = Engines(contents, read, threads=count, target=target, precision=precision)
        self._gives_probabilities = ends_in_softmax(contents.graph)

    @property
    def name(self) -> str:
        """The lens's name, for people."""
        return self.contents.name

    @property
    def labels(self) -> tuple[Label, ...]:
        """One a class, in the order of the scores."""
        return self.contents.labels

    @property
    def engine_name(self) -> str:
        """What computes: 'core avx512', say, or 'core avx512 bf16'."""
        precision = "" if self._engines.precision == "fp32" else f" {self._engines.precision}"
        return f"core {self._engines.target}{precision}"

    @property
    def gives_probabilities(self) -> bool:
        """Whether the network itself ends in a softmax, so that scores() are probabilities."""
        return self._gives_probabilities

    def memory(self) -> dict[str, int]:
        """Engine memory in bytes: weights, packed, arena, scratch (see pl_memory in core.h).

        What has been opened for larger pictures counts as well; the weights are there once.
        """
        return self._engines.memory()

    def classify(self, photo: Photo, top: int = 5, crops: Crops = 1) -> list[Answer]:
        """Name what is on a photo.

        photo    a path, the bytes of a picture file, or a PIL image
        top      how many answers, best first; equal confidences by class number
        crops    views averaged: 1 (centre), 5 (corners and centre) or 10 (mirrored as well);
                 "slide": every position on the whole photo, in one run; "ccv10": ten windows
                 as ccv has them, for a lens whose recipe is ccv's; "ccv5": none mirrored
        Raises ImageError, UsageError; ModelError 'cannot-slide'; EngineError.
        """
        if top < 1:
            raise UsageError(f"The top {top} answers were asked for; ask for 1.", slug="bad-top")
        confidences = self.confidences(photo, crops=crops)
        best = sorted(range(len(confidences)), key=lambda i: (-confidences[i], i))[:top]
        return [Answer(i, self.labels[i], confidences[i]) for i in best]

    def confidences(self, photo: Photo, *, crops: Crops = 1) -> list[float]:
        """Probability of every class, averaged over the crops after softmax.

        Raises what classify() raises, and EngineError 'scores-overflow'.
        """
        probabilities = self._probabilities_of(photo, crops)
        if not all(math.isfinite(sum(row)) for row in probabilities):
            raise EngineError(
                f"The lens '{self.name}' makes scores of this photo that are no numbers: somewhere "
                "they grew beyond single precision. Its weights, or its recipe, are not those "
                "that it was trained with.",
                slug="scores-overflow",
            )
        count = len(probabilities)
        return [math.fsum(column) / count for column in zip(*probabilities, strict=True)]

    def _probabilities_of(self, photo: Photo, crops: Crops) -> list[Sequence[float]]:
        if crops == SLIDE:
            return self._rows(
                sliding_probabilities(open_image(photo), self.contents, self._engines)
            )
        if crops == CCV10 or crops == CCV5:  # noqa: SIM109 - so mypy knows a number is left
            mirrored = crops == CCV10
            return self._rows(
                window_probabilities(photo, self.contents, self._engines, mirrored=mirrored)
            )
        inputs = prepare(open_image(photo), self.contents.recipe, crops=crops)
        rows = self.run(inputs, batch=crops)
        return rows if self._gives_probabilities else [softmax(row) for row in rows]

    def views(self, photo: Photo, *, crops: int = 1) -> list[Image]:
        """The crops of a photo as pictures in the network's size, values 0..255."""
        return crop_views(open_image(photo), self.contents.recipe, crops)

    def input_of(self, view: Image) -> bytes:
        """A view as the network's input: float32, (channels, height, width)."""
        return normalize(view, self.contents.recipe)

    def run(self, inputs: bytes, *, batch: int) -> list[Sequence[float]]:
        """Raw outputs of the network for `batch` inputs: one row of class scores each."""
        return self._rows(self._engines.scores(inputs, batch=batch))

    def _rows(self, raw: bytes) -> list[Sequence[float]]:
        scores = array("f")
        scores.frombytes(raw)
        classes = len(self.labels)
        return [scores[i : i + classes] for i in range(0, len(scores), classes)]

    def scores(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw outputs of the network for prepared pictures.

        pictures  (N, C, H, W) or (C, H, W) float32, as the recipe makes them
        returns   (N, classes) or (classes,) float32
        Raises EngineError 'wrong-input' for another shape.
        """
        import numpy as np

        graph = self.contents.graph
        shape = graph.shapes[graph.inputs[0]][1:]
        try:
            given = np.asarray(pictures, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EngineError(
                f"The lens '{self.name}' takes pictures of shape {shape}, alone or as a batch, in "
                f"float32; what was given is no array of numbers: {error}.",
                slug="wrong-input",
            ) from error
        batch = given[None] if given.ndim == len(shape) else given
        if batch.shape[1:] != shape or not len(batch):
            raise EngineError(
                f"The lens '{self.name}' takes pictures of shape {shape}, alone or as a batch; "
                f"an array of shape {given.shape} was given.",
                slug="wrong-input",
            )
        data = np.ascontiguousarray(batch).tobytes()
        rows = np.frombuffer(self._engines.scores(data, batch=len(batch)), np.float32)
        out = rows.reshape(len(batch), len(self.labels)).copy()
        return out if batch is given else out[0]

    def close(self) -> None:
        """Free the engine's memory. Closing twice is fine, from any thread.

        A run that is under way ends as it would have; a later one is refused.
        """
        self._engines.close()

    def __enter__(self) -> Lens:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_lens(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    target: str | None = None,
    precision: str | None = None,
) -> Lens:
    """Read a lens file, or a network of ccv's, and make it ready to run.

    A network of ccv's runs as its file has it, with what pictures of weights lie beside it.
    Raises LensFileError, FileError, EngineError; ModelError of a network of ccv's.

    Planes are inflated and judged once, by the core as it takes them in.
    """
    contents = read_contents(Path(path), pixels=False)
    told = _tell(contents)
    try:
        return Lens(
            contents,
            threads=threads,
            target=target,
            precision=precision,
            again=lambda: _same(path, told),
        )
    except (EngineError, LensFileError):
        # Where the core refuses pixels, this says which, and in which file.
        read_contents(Path(path))
        raise


def _same(path: str | os.PathLike[str], told: object) -> LensContents:
    """The lens once more. Raises LensFileError 'lens-changed' where it has another network."""
    contents = read_contents(Path(path), pixels=False)
    if _tell(contents) != told:
        raise LensFileError(
            f"'{path}' was opened and has changed since: it holds another network. Open it again.",
            slug="lens-changed",
        )
    return contents


def _tell(contents: LensContents) -> object:
    """What tells a network from another without a look at every weight."""
    told = [
        (tensor.palettes, tensor.values if len(tensor.values) <= TOLD_BYTES else b"")
        for tensor in contents.tensors
    ]
    return contents.graph, told


def softmax(scores: Iterable[float]) -> list[float]:
    """exp(s) / sum exp(s), shifted by the largest score so that nothing overflows."""
    values = list(scores)
    largest = max(values)
    powers = [math.exp(value - largest) for value in values]
    total = math.fsum(powers)
    return [power / total for power in powers]


def _threads(asked: int | None) -> int:
    text = THREADS.read()
    if asked is None and text is not None:
        if not text.isdecimal():
            raise UsageError(
                f"{THREADS.name} is '{text}'; it must be a number.", slug="bad-threads"
            )
        asked = int(text)
    threads = 1 if asked is None else asked
    if not 1 <= threads <= 256:
        raise UsageError(f"{threads} threads were asked for; choose 1 to 256.", slug="bad-threads")
    return threads
