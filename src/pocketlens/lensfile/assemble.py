"""Rows of the tables back to the contents of a lens.

Rows have the types of their columns (the reader saw to that) and nothing more can be trusted:
lists may be anything, numbers may not count. What the values mean is judged by `check`.
"""

from __future__ import annotations

import json
from typing import Any

from pocketlens.images.recipe import Recipe
from pocketlens.labels.labels import Label, numbered
from pocketlens.lensfile.assemble_network import assemble_network
from pocketlens.lensfile.bad_row import bad_row
from pocketlens.lensfile.contents import LensContents, Provenance, Receipt
from pocketlens.lensfile.found import Found, Rowbook
from pocketlens.lensfile.rows import BARE_RECIPE_KEYS, usual_name
from pocketlens.lensfile.rules import MOST_CLASSES, MOST_PATH, product
from pocketlens.lensfile.schema import Row, Rows
from pocketlens.lensfile.words import reals, wholes

_RECIPE_KEYS = (*BARE_RECIPE_KEYS, "to", "mean", "scale")
_RECEIPT_KEYS = ("photos", "crops", "top1", "top5", "against", "difference", "flips", "engine",
                 "version")  # fmt: skip


def assemble(rows: Rows) -> LensContents:
    """Put the contents together. Raises LensFileError 'lens-bad-row', 'lens-graph'."""
    book = Rowbook(rows["lens"])
    head, photo = book.only("lens"), book.only("photo")
    head.has("name", "list", "says", "numbers")
    recipe = _recipe(photo)
    shape = (1, recipe.channel_count, recipe.height, recipe.width)
    graph, tensors = assemble_network(book, head, photo, shape)
    classes = product(graph.shapes[graph.outputs[0]])
    provenance = _provenance(book)
    contents = LensContents(
        name=usual_name(provenance) if head.name is None else head.name,
        graph=graph,
        tensors=tensors,
        labels=_labels(rows["labels"], classes),
        recipe=recipe,
        provenance=provenance,
        receipts=tuple(_receipt(row) for row in book.every("receipt")),
    )
    book.check_all_used()
    return contents


def _provenance(book: Rowbook) -> Provenance:
    source, made = book.at_most_one("source"), book.at_most_one("made")
    source_name = licence = digest = made_by = ""
    settings = "{}"
    if source is not None:
        source.has("name", "says", "numbers")
        source_name, licence = source.name or "", source.says or ""
        digest = (source.numbers or b"").hex()
    if made is not None:
        made.has("name", "says")
        made_by, settings = made.name or "", made.says or ""
    return Provenance(source_name, digest, licence, made_by, settings)


def _recipe(photo: Found) -> Recipe:
    photo.has("name", "list", "says", "numbers")
    pairs = photo.pairs(_RECIPE_KEYS, bare=BARE_RECIPE_KEYS)
    missing = [key for key in _RECIPE_KEYS[:4] if key not in pairs]
    crop, to = photo.listed(), photo.read(wholes, pairs.get("to", ""))
    if missing or len(crop) != 2 or len(to) != 2:
        bad_row(photo.number, "lacks a height, a width or another part of its recipe")
    channels: Any = pairs["channels"]
    resize: Any = pairs["resize"]
    filter_name: Any = pairs["filter"]
    count = 1 if channels == "gray" else 3
    return Recipe(
        resize=resize,
        resize_height=to[0],
        resize_width=to[1],
        filter=filter_name,
        height=crop[0],
        width=crop[1],
        channels=channels,
        mean=photo.read(reals, pairs["mean"]) if "mean" in pairs else (0.0,) * count,
        scale=photo.read(reals, pairs["scale"]) if "scale" in pairs else (1.0,) * count,
        mean_picture=photo.numbers or b"",
    )


def _receipt(row: Found) -> Receipt:
    row.has("name", "says", "numbers")
    try:
        says = json.loads(row.says or "")
    except (ValueError, RecursionError):  # ValueError also for a number of too many digits
        bad_row(row.number, "says what is no JSON")
    if not isinstance(says, dict) or not set(says) <= set(_RECEIPT_KEYS):
        bad_row(row.number, f"should say a JSON object of {', '.join(_RECEIPT_KEYS)}")
    for key in ("against", "engine", "version"):
        if not isinstance(says.get(key, ""), str):
            bad_row(row.number, f"has no text for {key!r}")
    top1, top1_interval = _rate(row, says, "top1")
    top5, top5_interval = _rate(row, says, "top5")
    difference, difference_interval = _rate(row, says, "difference")
    if top1 is None or top1_interval is None:
        bad_row(row.number, "lacks its top-1 missing rate")
    return Receipt(
        dataset=row.name or "",
        dataset_sha256=(row.numbers or b"").hex(),
        n=says.get("photos", 0),
        crops=says.get("crops", 0),
        top1_missing=top1,
        top1_interval=top1_interval,
        top5_missing=top5,
        top5_interval=top5_interval,
        against=says.get("against", ""),
        difference=difference,
        difference_interval=difference_interval,
        flips=says.get("flips"),
        engine=says.get("engine", ""),
        version=says.get("version", ""),
    )


def _rate(
    row: Found, says: dict[str, Any], key: str
) -> tuple[float, tuple[float, float]] | tuple[None, None]:
    """A rate and its interval: three numbers, or nothing."""
    value = says.get(key)
    if value is None:
        return None, None
    if not isinstance(value, list) or len(value) != 3:
        bad_row(row.number, f"should have a rate and its interval for {key!r}")
    if not all(type(number) in (int, float) for number in value):
        bad_row(row.number, f"has a rate or an interval for {key!r} that is no number")
    return value[0], (value[1], value[2])


def _labels(rows: list[Row], classes: int | None) -> tuple[Label, ...]:
    if classes is None or classes > MOST_CLASSES:
        bad_row(1, "cannot be told: the number of classes is beyond reason", table="labels")
    if not rows:
        return numbered(classes)
    paths = _paths(rows, classes)
    labels = []
    for number, (name, wnid, parent) in enumerate(rows[:classes], 1):
        if parent is not None and parent not in paths:
            bad_row(number, f"is a kind of row {parent!r:.40}, which is no branch", table="labels")
        if wnid is not None and not 0 <= int(wnid) < 10**8:
            bad_row(number, f"has the WordNet id {wnid!r}; ids have 8 digits", table="labels")
        text = "" if wnid is None else f"n{int(wnid):08d}"
        labels.append(Label(str(name), text, () if parent is None else paths[int(parent)]))
    return tuple(labels)


def _paths(rows: list[Row], classes: int) -> dict[int, tuple[str, ...]]:
    """Path of each branch: the rows after the classes, each of them of use."""
    paths: dict[int, tuple[str, ...]] = {}
    for number, (name, wnid, parent) in enumerate(rows[classes:], classes + 1):
        if wnid is not None or (parent is not None and parent not in paths):
            bad_row(number, "is neither a class nor a branch below an earlier one", table="labels")
        path = () if parent is None else paths[int(parent)]
        if len(path) >= MOST_PATH:
            bad_row(number, f"lies below {MOST_PATH} others; no path is that long", table="labels")
        paths[number] = (*path, str(name))
    idle = paths.keys() - {parent for _, _, parent in rows}
    if idle:
        bad_row(min(idle), "is a branch with nothing below it, or a class too many", table="labels")
    return paths
