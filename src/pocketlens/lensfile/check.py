"""Judges the contents of a lens: every rule that no single row can show.

One door for both ways: the writer refuses to make a lens that the reader would refuse to open.
Tensors are judged in `check_tensors`, texts and numbers by the helpers of `rules`.
"""

from __future__ import annotations

import json
import math
import re

from pocketlens.base.errors import LensFileError, ModelError
from pocketlens.graph.graph import Graph
from pocketlens.graph.shapes import check_graph
from pocketlens.images.recipe import MAX_SIDE, Recipe, fault
from pocketlens.images.views import CROPS, WAYS, is_crops
from pocketlens.labels.labels import Label
from pocketlens.labels.labels import fault as fault_of_label
from pocketlens.lensfile.check_tensors import check_tensors
from pocketlens.lensfile.contents import LensContents, Provenance, Receipt
from pocketlens.lensfile.rules import (
    MOST_CLASSES,
    MOST_PATH,
    check_text,
    check_word,
    is_real,
    is_whole,
)

MOST_RECEIPTS = 10_000
MOST_COUNT = 2**53
_WNID = re.compile(r"n[0-9]{8}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_contents(contents: LensContents, *, pixels: bool = True) -> None:
    """Judge a lens as a whole. Raises LensFileError; docs/errors/lensfile.md lists the slugs.

    pixels  as check_planes()
    """
    check_word("The lens's name", contents.name)
    _check_graph(contents.graph)
    check_tensors(contents.graph, contents.tensors, pixels=pixels)
    _check_labels(contents.labels, contents.graph)
    _check_recipe(contents.recipe, contents.graph)
    _check_provenance(contents.provenance)
    if len(contents.receipts) > MOST_RECEIPTS:
        raise _receipt(f"There are {len(contents.receipts):,} receipts; {MOST_RECEIPTS:,} fit")
    for receipt in contents.receipts:
        _check_receipt(receipt)


def _check_graph(graph: Graph) -> None:
    try:
        check_graph(graph)
    except ModelError as error:
        raise LensFileError(f"Its graph is wrong: {error.sentence}", slug="lens-graph") from error
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise _graph(
            f"it has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; a classifier "
            "has one of each"
        )
    for name in graph.shapes:
        check_word("A name in its graph", name)
    for node in graph.nodes:
        check_word("The name of a node", node.name)
    made = {*graph.inputs, *(node.output for node in graph.nodes)}
    tensors = set(graph.tensor_names())
    unused = [name for name in graph.shapes if name not in made and name not in tensors]
    if unused:
        raise _graph(f"it has a shape for {unused[0]!r:.80}, which no node makes or reads")


def _check_labels(labels: tuple[Label, ...], graph: Graph) -> None:
    classes = math.prod(graph.shapes[graph.outputs[0]])
    if len(labels) != classes or classes > MOST_CLASSES:
        raise _label(
            f"There are {len(labels):,} labels; its graph gives scores for {classes:,} classes "
            f"(at most {MOST_CLASSES:,})"
        )
    for number, label in enumerate(labels):
        wrong = fault_of_label(label)
        if wrong:
            raise _label(f"Class {number} {wrong}")
        if label.wnid and not _WNID.fullmatch(label.wnid):
            raise _label(
                f"Class {number} has the WordNet id {label.wnid!r:.40}; ids look like 'n02099601'"
            )
        if len(label.path) > MOST_PATH:
            raise _label(f"Class {number} has {len(label.path)} hypernyms; {MOST_PATH} fit")


def _check_recipe(recipe: Recipe, graph: Graph) -> None:
    sizes = (recipe.resize_height, recipe.resize_width, recipe.height, recipe.width)
    if not all(is_whole(size, 0, MAX_SIDE) for size in sizes):
        raise _recipe(f"has sizes that are not whole numbers from 0 to {MAX_SIDE:,}")
    if not all(is_real(value) for value in (*recipe.mean, *recipe.scale)):
        raise _recipe("has a mean or a scale that is not a finite number")
    wrong = fault(recipe)
    if wrong:
        raise _recipe(wrong)
    expected = (1, recipe.channel_count, recipe.height, recipe.width)
    taken = graph.shapes[graph.inputs[0]]
    if taken != expected:
        raise _recipe(f"makes an input of shape {expected}; its graph takes {taken}")


def _check_provenance(provenance: Provenance) -> None:
    check_word("The name of its source", provenance.source_name, empty=True)
    check_word("What made it", provenance.made_by, empty=True)
    check_text("Its licence", provenance.licence)
    check_text("Its settings", provenance.settings)
    if provenance.source_sha256 and not _SHA256.fullmatch(provenance.source_sha256):
        raise _provenance("the SHA-256 of its source is not 64 hex digits")
    try:
        settings = json.loads(provenance.settings)
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise _provenance("its settings are not a JSON object")


def _check_receipt(receipt: Receipt) -> None:
    for what, text in (
        ("data set", receipt.dataset),
        ("engine", receipt.engine),
        ("version", receipt.version),
    ):
        check_word(f"The {what} of a receipt", text)
    check_word("What a receipt is paired with", receipt.against, empty=True)
    if not _SHA256.fullmatch(receipt.dataset_sha256):
        raise _receipt("The fingerprint of its data set is not 64 hex digits")
    if not is_whole(receipt.n, 1, MOST_COUNT):
        raise _receipt("Its photos cannot be counted like this")
    if not is_crops(receipt.crops):
        known = ", ".join(map(str, (*CROPS, *WAYS)))
        raise _receipt(f"It averages {receipt.crops!r:.40} crops; known are {known}")
    _check_rate("top-1 missing rate", receipt.top1_missing, receipt.top1_interval, low=0.0)
    _check_rate(
        "top-5 missing rate", receipt.top5_missing, receipt.top5_interval, low=0.0, optional=True
    )
    _check_rate(
        "difference", receipt.difference, receipt.difference_interval, low=-100.0, optional=True
    )
    paired = (receipt.difference is not None, receipt.flips is not None)
    if paired not in ((False, False), (True, True)) or (paired[0] and not receipt.against):
        raise _receipt("It is half paired: against, difference and flips come together")
    if receipt.flips is not None and not is_whole(receipt.flips, 0, receipt.n):
        raise _receipt(f"It has {receipt.flips!r:.40} flips among {receipt.n} photos")


def _check_rate(
    what: str,
    rate: float | None,
    interval: tuple[float, float] | None,
    *,
    low: float,
    optional: bool = False,
) -> None:
    """A rate and its interval: both there or both not, in percent."""
    if rate is None and interval is None and optional:
        return
    if rate is None or interval is None:
        raise _receipt(f"Its {what} and the interval of it come together")
    if not all(is_real(value) and low <= value <= 100.0 for value in (rate, *interval)):
        raise _receipt(f"Its {what} or the interval of it is not from {low:g} to 100")
    if len(interval) != 2 or interval[0] > interval[1]:
        raise _receipt(f"The interval of its {what} is upside down")


def _graph(what: str) -> LensFileError:
    return LensFileError(f"Its graph is wrong: {what}. Import the model again.", slug="lens-graph")


def _label(what: str) -> LensFileError:
    return LensFileError(f"{what}. Give one label a class.", slug="lens-labels")


def _recipe(what: str) -> LensFileError:
    return LensFileError(
        f"Its recipe {what}. Spell the recipe out when compressing.", slug="lens-recipe"
    )


def _provenance(what: str) -> LensFileError:
    return LensFileError(
        f"Its provenance is wrong: {what}. Make it again from the model.", slug="lens-provenance"
    )


def _receipt(what: str) -> LensFileError:
    return LensFileError(
        f"A receipt is wrong: {what}. Evaluate the lens again.", slug="lens-receipt"
    )
