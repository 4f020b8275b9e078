"""Contents of a lens to the rows of its tables. `assemble` is the way back.

Rows of the table `lens` call each other by number, and their order is free but for operators
(running order) and receipts (oldest first): `pages` looks for the order that takes the fewest
pages. So rows are drafted with links in place of numbers first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pocketlens.images.recipe import Recipe
from pocketlens.labels.labels import Label, numbered
from pocketlens.lensfile.contents import LensContents, Provenance, Receipt
from pocketlens.lensfile.draft import Draft, Link, Text
from pocketlens.lensfile.pages import Item, packed
from pocketlens.lensfile.rows_of_network import draft_nodes, draft_tensors, usual_endings
from pocketlens.lensfile.schema import Row, Rows
from pocketlens.lensfile.words import listed, said

BARE_RECIPE_KEYS = ("channels", "resize", "filter")
"""What of a recipe stands first, in this order, and without its key."""


@dataclass(frozen=True)
class Drafts:
    """A lens's rows before they have an order: those of `lens` with links, those of `labels`."""

    lens: tuple[Draft, ...]
    labels: tuple[Row, ...]

    def rows(self, *, page_bytes: int | None = None) -> Rows:
        """The rows, not sealed yet, in the order for pages of that size; else section by section.

        Whatever the order, a row's number has as many digits as the last one's at most, so no row
        is larger than `pages` took it for.
        """
        order: Sequence[int] = range(len(self.lens))
        if page_bytes is not None:
            widest = {draft.key: len(self.lens) for draft in self.lens}
            items = [Item(draft.row(widest), fixed=draft.fixed) for draft in self.lens]
            order = packed(items, page_bytes=page_bytes)
        numbers = {self.lens[place].key: number for number, place in enumerate(order, 1)}
        lens = [self.lens[place].row(numbers) for place in order]
        return {"lens": lens, "labels": list(self.labels)}


def to_drafts(contents: LensContents) -> Drafts:
    """The rows of every table. The contents have been checked."""
    graph = contents.graph
    tensors = draft_tensors(graph, contents.tensors)
    made_by = {node.output: number for number, node in enumerate(graph.nodes)}
    output = made_by.get(graph.outputs[0])
    endings = said({key: ending for key, ending in vars(usual_endings(graph)).items() if ending})
    head = Draft(
        ("lens",),
        "lens",
        name=None if contents.name == usual_name(contents.provenance) else contents.name,
        list=Text(Link("photo") if output is None else Link("node", output)),
        says=None if endings is None else Text(endings),
        numbers=b"\0" * 32,
    )
    return Drafts(
        (
            head,
            *_provenance(contents),
            _photo(contents),
            *draft_nodes(graph),
            *tensors,
            *(_receipt(number, each) for number, each in enumerate(contents.receipts)),
        ),
        tuple(_labels(contents.labels)),
    )


def to_rows(contents: LensContents) -> Rows:
    """The rows of every table, section by section, not sealed yet."""
    return to_drafts(contents).rows()


def usual_name(provenance: Provenance) -> str:
    """A lens's name where it does not say one: its source's, without the ending."""
    return provenance.source_name.rpartition(".")[0]


def _provenance(contents: LensContents) -> Iterable[Draft]:
    of = contents.provenance
    digest = bytes.fromhex(of.source_sha256) or None
    if of.source_name or of.licence or digest:
        yield Draft(
            ("source",),
            "source",
            name=of.source_name or None,
            says=Text(of.licence) if of.licence else None,
            numbers=digest,
        )
    if of.made_by or of.settings != "{}":
        yield Draft(("made",), "made", name=of.made_by or None, says=Text(of.settings))


def _photo(contents: LensContents) -> Draft:
    recipe = contents.recipe
    return Draft(
        ("photo",),
        "photo",
        name=contents.graph.inputs[0],
        list=Text(listed((recipe.height, recipe.width))),
        says=Text(said(_recipe(recipe), bare=BARE_RECIPE_KEYS) or ""),
        numbers=recipe.mean_picture or None,
    )


def _recipe(recipe: Recipe) -> dict[str, str]:
    pairs = {
        "channels": recipe.channels,
        "resize": recipe.resize,
        "filter": recipe.filter,
        "to": listed((recipe.resize_height, recipe.resize_width)),
    }
    if recipe.mean != (0.0,) * recipe.channel_count:
        pairs["mean"] = listed(recipe.mean)
    if recipe.scale != (1.0,) * recipe.channel_count:
        pairs["scale"] = listed(recipe.scale)
    return pairs


def _receipt(number: int, receipt: Receipt) -> Draft:
    says: dict[str, object] = {
        "photos": receipt.n,
        "crops": receipt.crops,
        "top1": [receipt.top1_missing, *receipt.top1_interval],
    }
    if receipt.top5_missing is not None or receipt.top5_interval is not None:
        says["top5"] = [receipt.top5_missing, *(receipt.top5_interval or (None, None))]
    if receipt.against:
        says["against"] = receipt.against
    if receipt.difference is not None or receipt.difference_interval is not None:
        says["difference"] = [receipt.difference, *(receipt.difference_interval or (None, None))]
    if receipt.flips is not None:
        says["flips"] = receipt.flips
    says |= {"engine": receipt.engine, "version": receipt.version}
    return Draft(
        ("receipt", number),
        "receipt",
        name=receipt.dataset,
        says=Text(json.dumps(says, ensure_ascii=False, separators=(",", ":"))),
        numbers=bytes.fromhex(receipt.dataset_sha256) or None,
        fixed=True,
    )


def _labels(labels: tuple[Label, ...]) -> Iterable[Row]:
    """Rows of classes, then of the tree that their paths form, branches in order of first use."""
    if labels == numbered(len(labels)):
        return
    branches: dict[tuple[str, ...], int] = {}
    branch_rows: list[Row] = []
    for label in labels:
        parent: int | None = None
        for depth, name in enumerate(label.path, 1):
            path = label.path[:depth]
            if path not in branches:
                branches[path] = len(labels) + 1 + len(branches)
                branch_rows.append((name, None, parent))
            parent = branches[path]
        yield label.name, int(label.wnid[1:]) if label.wnid else None, parent
    yield from branch_rows
