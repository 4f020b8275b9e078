"""Rate and distortion from end to end: photos are seen, a price of a bit found, a lens made."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.collect import collect
from pocketlens.calibration.divergence import Divergence
from pocketlens.calibration.invented import without_photos
from pocketlens.calibration.photos import PhotoParts
from pocketlens.calibration.sensitivity import add_sensitivities
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.compression.about import About
from pocketlens.compression.blending import blend
from pocketlens.compression.budget import Tell, Trial, fit_size, quiet
from pocketlens.compression.coding import code_network
from pocketlens.compression.drop import fit_drop
from pocketlens.compression.judging import Judge, Verdict
from pocketlens.compression.material import Material
from pocketlens.compression.photo_limit import photo_limit
from pocketlens.compression.price import Price
from pocketlens.compression.story import frame
from pocketlens.graph.graph import Graph, Network
from pocketlens.lensfile.contents import LensContents, Receipt
from pocketlens.lensfile.writer import write_lens

if TYPE_CHECKING:
    from pocketlens.images.recipe import Recipe
    from pocketlens.importers.imported import Imported

FIRST_LAGRANGIAN = 1e-6
LEAST_LAGRANGIAN = 1e-12
MOST_LAGRANGIAN = 10.0
"""Nats a photo that a bit may cost: beyond these nothing changes, or nothing is left."""
STAGE = "trials"


class Finish(Protocol):
    """Makes a coded lens better, its file no larger: fine-tuning, say."""

    def photo_limit(self, graph: Graph) -> int:
        """Most photos that it wants, of all parts."""

    def told(self) -> Mapping[str, Any]:
        """What the lens's settings keep of it, no shorter than they will."""

    def __call__(
        self, contents: LensContents, network: Network, parts: PhotoParts, *, progress: Progress
    ) -> LensContents:
        """The better lens: fitted to the part fit, chosen by the part select."""


@dataclass(frozen=True)
class Priced:
    """A lens by rate and distortion.

    contents    of the lens
    lagrangian  the price that was found
    photos      that statistics were taken of; 0: none were given
    chosen      the trial it is, with the loss foreseen and, for a drop, the drop on the photos
                that choices are made on
    trials      all that were made, in their order, without what they made
    verdict     what is lost on photos that nothing was fitted to or chosen by; None without
    """

    contents: LensContents
    lagrangian: float
    photos: int
    chosen: Trial[None]
    trials: tuple[Trial[None], ...]
    verdict: Verdict | None

    @property
    def unseen(self) -> Divergence | None:
        """How far the answers are from the float network's on the verdict's photos."""
        return None if self.verdict is None else self.verdict.divergence


def compress_at_price(
    imported: Imported,
    out: Path,
    *,
    price: Price,
    crush: int | None = 4,
    about: About | None = None,
    known: Mapping[str, LayerStatistics] | None = None,
    finish: Finish | None = None,
    tell: Tell = quiet,
    progress: Progress = silent,
) -> Priced:
    """Code a network by rate and distortion and write the lens.

    crush  effort of the PNG optimiser, 0 to 6; None: leave it out
    about  what the lens says beside its network
    known  what look() says for this price; None: it is asked now
    finish makes the coded lens better before it is looked at; only with photos
    tell   told of every trial: its price, its bytes, what it loses
    Raises UsageError, DataError, ImageError, FileError.
    """
    empty, material = _gathered(imported, price, about, progress, finish)
    if material.parts is not None:
        chosen_by = price.drop_points is not None or finish is not None
        kept = material.parts.told(chosen=chosen_by)
        told = price.to_json(kept if finish is None else {**kept, **finish.told()})
        provenance = dataclasses.replace(empty.provenance, settings=told)
        empty = dataclasses.replace(empty, provenance=provenance)
    statistics = known or _seen(material, empty, price, progress)
    trials: list[Trial[None]] = []

    def note(trial: Trial[Any], number: int, expected: int) -> None:
        trials.append(trial.without_result)
        progress(STAGE, len(trials), max(expected, len(trials)))
        tell(trial, len(trials), len(trials) + expected - number)

    attempt = partial(
        code_at,
        empty,
        imported.network,
        statistics,
        crush=crush,
        threads=price.threads,
        round_biases=finish is None,
        placeholder=material.placeholder,
        progress=progress,
    )
    trial = _search(attempt, material, price, note, progress)
    contents = trial.result
    if finish is not None and material.parts is not None:
        contents = finish(contents, imported.network, material.parts, progress=progress)
    verdict = material.verdict(contents, progress)
    if verdict is not None and verdict.receipt is not None:
        contents = dataclasses.replace(contents, receipts=(verdict.receipt,))
    write_lens(out, contents, progress=progress)
    fitted = 0 if material.parts is None else len(material.parts.fit)
    chosen = trial.without_result
    return Priced(contents, trial.lagrangian, fitted, chosen, tuple(trials), verdict)


def look(
    imported: Imported,
    *,
    price: Price,
    about: About | None = None,
    progress: Progress = silent,
) -> dict[str, LayerStatistics]:
    """What the price's photos do to every layer, which is the same for any budget on them.

    Arguments and errors are those of compress_at_price().
    """
    empty, material = _gathered(imported, price, about, progress)
    return _seen(material, empty, price, progress)


def _gathered(
    imported: Imported,
    price: Price,
    about: About | None,
    progress: Progress,
    finish: Finish | None = None,
) -> tuple[LensContents, Material]:
    graph = imported.network.graph
    empty = frame(imported, settings=price.to_json(), about=about or About())
    material = Material.gather(
        imported,
        empty,
        photos=price.photos,
        limit=price.photo_limit
        or (photo_limit(graph, empty.recipe) if finish is None else finish.photo_limit(graph)),
        drop_points=price.drop_points,
        threads=price.threads,
        progress=progress,
    )
    return empty, material


def _seen(
    material: Material, empty: LensContents, price: Price, progress: Progress
) -> dict[str, LayerStatistics]:
    return see(
        material.imported.network,
        () if material.parts is None else material.parts.fit,
        empty.recipe,
        seed=price.seed,
        threads=price.threads,
        progress=progress,
    )


def see(
    network: Network,
    inputs: Sequence[NDArray[np.float32]],
    recipe: Recipe,
    *,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, LayerStatistics]:
    """What photos do to every layer; without photos, what invented pictures do: clearly worse.

    What outputs are worth is Fisher information where torch is installed, else what shaking the
    weights does to the answers: two ways to the same, which give different bytes. WORTH_BY says
    which it is, and the lens keeps it.
    inputs  network inputs, float32 (1, C, H, W), as the recipe makes them; may be empty
    """
    if not inputs:
        return without_photos(network, recipe, seed=seed, threads=threads, progress=progress)
    statistics = collect(network, inputs, threads=threads, progress=progress)
    return add_sensitivities(
        network, statistics, inputs, seed=seed, threads=threads, progress=progress
    )


def code_at(
    contents: LensContents,
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    *,
    lagrangian: float,
    crush: int | None,
    threads: int = 1,
    round_biases: bool = True,
    placeholder: tuple[Receipt, ...] = (),
    progress: Progress = silent,
) -> Trial[LensContents]:
    """Code the network at one price of a bit and measure the finished file.

    contents     everything of the lens but its tensors: name, labels, recipe, provenance
    round_biases  as code_network() takes it
    placeholder  receipts that the finished file will have, counted in its size
    """
    coded = code_network(
        network,
        statistics,
        lagrangian=lagrangian,
        crush=crush,
        threads=threads,
        round_biases=round_biases,
        progress=progress,
    )
    made = dataclasses.replace(contents, graph=coded.graph, tensors=coded.tensors)
    file_bytes = _file_bytes(made, placeholder)
    return Trial(lagrangian, file_bytes, made, coded.distortion, losses=coded.losses)


class Attempt(Protocol):
    """Codes the network at a price of a bit."""

    def __call__(self, *, lagrangian: float) -> Trial[LensContents]:
        """The finished lens and its bytes."""


def _search(
    attempt: Attempt, material: Material, price: Price, tell: Tell, progress: Progress
) -> Trial[LensContents]:
    """At the price that was given, or at that which keeps the budgets."""
    if price.lagrangian is not None:
        trial = attempt(lagrangian=price.lagrangian)
        tell(trial, 1, 1)
        return trial
    if price.drop_points is None:
        assert price.size_bytes is not None
        return _to_size(attempt, material, price.size_bytes, tell, progress)
    judge = material.judge(progress)
    smallest = fit_drop(
        lambda lagrangian: _judged(attempt(lagrangian=lagrangian), judge, progress),
        price.drop_points,
        first=FIRST_LAGRANGIAN,
        lowest=LEAST_LAGRANGIAN,
        highest=MOST_LAGRANGIAN,
        tell=tell,
    )
    if price.size_bytes is None or smallest.size_bytes <= price.size_bytes:
        return smallest
    sized = _judged(_to_size(attempt, material, price.size_bytes, tell, progress), judge, progress)
    assert sized.drop is not None
    if sized.drop.bound <= price.drop_points:
        return sized
    raise UsageError(
        f"A drop of {price.drop_points:g} points takes {smallest.size_bytes:,} bytes, more than "
        f"the {price.size_bytes:,} asked for; with {sized.size_bytes:,} bytes it is "
        f"{sized.drop.in_words}. Allow a larger file or a larger drop.",
        slug="budgets-clash",
    )


def _judged(trial: Trial[LensContents], judge: Judge, progress: Progress) -> Trial[LensContents]:
    return dataclasses.replace(trial, drop=judge.drop(trial.result, progress=progress))


def _to_size(
    attempt: Attempt, material: Material, size_bytes: int, tell: Tell, progress: Progress
) -> Trial[LensContents]:
    def cost(trial: Trial[LensContents]) -> str:
        foreseen = f"It costs {trial.foreseen_nats:.3g} nats a photo, as foreseen"
        if material.parts is None or not len(material.parts.select):
            return f"{foreseen}."
        drop = material.judge(progress).drop(trial.result, progress=progress)
        return f"{foreseen}, and {drop.in_words}."

    file_bytes = partial(_file_bytes, placeholder=material.placeholder)
    return fit_size(
        lambda lagrangian: attempt(lagrangian=lagrangian),
        size_bytes,
        first=FIRST_LAGRANGIAN,
        lowest=LEAST_LAGRANGIAN,
        highest=MOST_LAGRANGIAN,
        blend=lambda below, above: blend(below, above, size_bytes, file_bytes=file_bytes),
        cost=cost,
        tell=tell,
    )


def _file_bytes(contents: LensContents, placeholder: tuple[Receipt, ...] = ()) -> int:
    made = dataclasses.replace(contents, receipts=placeholder)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.lens"
        write_lens(path, made)
        return path.stat().st_size
