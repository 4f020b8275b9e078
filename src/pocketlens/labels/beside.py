"""Labels that lie beside a network of ccv's and have its name, as ccv's samples and `convert` do.

net.sqlite3 has net.wnid (WordNet ids) and net.words (names), one a line, in its order of classes.
"""

from __future__ import annotations

from pathlib import Path

from pocketlens.labels.files import read_labels
from pocketlens.labels.labels import Label
from pocketlens.labels.order import in_order, read_wnids


def labels_beside(model: Path, *, classes: int) -> tuple[Label, ...]:
    """The labels beside a network, one a class; () where there are none, or not just as many.

    Raises what read_labels(), read_wnids() and in_order() raise.
    """
    wnids, words = model.with_suffix(".wnid"), model.with_suffix(".words")
    names = read_labels(words) if words.is_file() else ()
    if wnids.is_file():
        ids = read_wnids(wnids)
        if len(ids) == classes and len(names) in (0, classes):
            return in_order(names, ids)
    return names if len(names) == classes else ()
