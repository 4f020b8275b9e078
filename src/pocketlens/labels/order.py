"""The order of the classes: labels are put in the network's, by WordNet id rather than by position.

ILSVRC 2012 has two orders. That of its own devkit begins with the kit fox and is ccv's; that of
ascending WordNet ids begins with the tench, and is Caffe's, Keras's and torchvision's. Labels in
the wrong one name every photo wrongly, and nothing else shows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from pocketlens.base.errors import DataError
from pocketlens.labels.files import read_labels
from pocketlens.labels.labels import Label

ILSVRC_CLASSES = 1000

_WNID = re.compile(r"n[0-9]{8}")
_FIRST_SORTED = ("tench", "goldfish")
"""The first names in the order of ascending ids; ccv's first is the kit fox."""


def read_wnids(path: Path) -> tuple[str, ...]:
    """WordNet ids in the order of a network's classes, one a line: ccv's image-net-2012.wnid.

    A name may follow an id; any file that read_labels() takes will do, if every class has its id.
    Raises as read_labels(); DataError 'wnids-not-understood'.
    """
    return checked_wnids([label.wnid for label in read_labels(path)], where=f"'{path}'")


def checked_wnids(wnids: Sequence[str], *, where: str) -> tuple[str, ...]:
    """WordNet ids, all of them some and all different. Raises DataError 'wnids-not-understood'."""
    for number, wnid in enumerate(wnids):
        if not _WNID.fullmatch(wnid):
            raise DataError(
                f"Class {number} in {where} has no WordNet id. Expected one a class, in the order "
                "of the network, each an 'n' and eight digits: n02119789.",
                slug="wnids-not-understood",
            )
    twice = _twice(wnids)
    if twice:
        raise DataError(
            f"WordNet id {twice} stands twice in {where}. Expected one a class.",
            slug="wnids-not-understood",
        )
    return tuple(wnids)


def in_order(labels: Sequence[Label] | None, wnids: Sequence[str]) -> tuple[Label, ...]:
    """One label for each of the network's WordNet ids, in their order.

    labels   with ids: any order, more of them than classes if need be; each class takes the label
             of its id. Without: one a class in the order of `wnids`. None: ids are the names
    returns  labels that carry `wnids`
    Raises DataError 'labels-order' where a class has no label, or two.
    """
    if not labels:
        return tuple(Label(wnid, wnid=wnid) for wnid in wnids)
    known = [label for label in labels if label.wnid]
    if not known:
        if len(labels) != len(wnids):
            raise DataError(
                f"There are {len(labels)} labels and {len(wnids)} WordNet ids. Labels without ids "
                "are taken in order, so there has to be one for each id.",
                slug="labels-order",
            )
        return tuple(replace(label, wnid=wnid) for label, wnid in zip(labels, wnids, strict=True))
    if len(known) != len(labels):
        raise DataError(
            f"{len(known)} of {len(labels)} labels have a WordNet id. Labels are matched by id or "
            "taken in order: give all of them an id, or none.",
            slug="labels-order",
        )
    return _by_id(known, wnids)


def refuse_sorted(labels: Sequence[Label], *, source: str) -> None:
    """Refuse labels in the order of ascending ids for a network that has ccv's order.

    labels  one a class, of which a thousand are taken for ILSVRC 2012's
    source  the network, for the sentence
    Raises DataError 'labels-order'.
    """
    if len(labels) != ILSVRC_CLASSES:
        return
    wnids = [label.wnid for label in labels]
    ascending = all(wnids) and all(one < other for one, other in pairwise(wnids))
    names = tuple(label.name.split(",")[0].strip().casefold() for label in labels[:2])
    if ascending or names == _FIRST_SORTED:
        raise DataError(
            f"The labels are in the order of ascending WordNet ids, beginning with "
            f"'{labels[0].name}', as Caffe, Keras and torchvision number ILSVRC 2012's classes; "
            f"'{source}' numbers them as ccv does, beginning with the kit fox. Give the ids in the "
            "network's order as well, and labels with ids are put in it: --wnids "
            "image-net-2012.wnid, or wnids= from Python.",
            slug="labels-order",
        )


def _by_id(labels: Sequence[Label], wnids: Sequence[str]) -> tuple[Label, ...]:
    twice = _twice([label.wnid for label in labels])
    if twice:
        raise DataError(
            f"WordNet id {twice} has more than one label. Expected one an id.", slug="labels-order"
        )
    by_id = {label.wnid: label for label in labels}
    missing = [wnid for wnid in wnids if wnid not in by_id]
    if missing:
        raise DataError(
            f"{len(missing)} of the network's {len(wnids)} WordNet ids have no label, the first is "
            f"{missing[0]}. Expected labels for all of them, in any order.",
            slug="labels-order",
        )
    return tuple(by_id[wnid] for wnid in wnids)


def _twice(wnids: Sequence[str]) -> str | None:
    """The first id that has been there before."""
    seen: set[str] = set()
    for wnid in wnids:
        if wnid in seen:
            return wnid
        seen.add(wnid)
    return None
