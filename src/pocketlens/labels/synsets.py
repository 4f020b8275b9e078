"""The tree of synsets that ILSVRC's development kit holds as XML: what is a kind of what.

`synset` elements lie in each other; nesting is the hypernym relation, `wnid` and `words` (all
synonyms) are their attributes. Klaus named a photo by the path from the root's child down to the
class; the root, which stands for the whole tree, is left out.

The file comes from strangers: a document type, and with it every entity, is refused before it is
read, and size, depth and count are bounded. Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.parsers import expat

from pocketlens.base.errors import DataError
from pocketlens.base.files import cannot_read
from pocketlens.labels.labels import MAX_TEXT, Label

MAX_FILE_BYTES = 64 << 20
"""ImageNet's whole tree is some 15 MB."""
MAX_DEPTH = 64
"""WordNet's nouns are at most 20 deep."""
MAX_SYNSETS = 1 << 20

_BLOCK_BYTES = 1 << 16

Synsets = Mapping[str, tuple[str, ...]]
"""By WordNet id: the words of each level from general to specific, those of the id itself last.
The root's own are ()."""


def read_synsets(path: Path) -> Synsets:
    """Every synset of a file with its path. One that occurs several times keeps its last place.

    Raises FileError 'no-such-file', 'is-a-folder', 'cannot-read'; DataError 'synsets-too-large',
    'synsets-not-understood'.
    """
    reading = _Reading(path)
    try:
        with path.open("rb") as file:
            size = 0
            while block := file.read(_BLOCK_BYTES):
                size += len(block)
                if size > MAX_FILE_BYTES:
                    raise _too_large(path, f"{MAX_FILE_BYTES:,} bytes")
                reading.take(block)
    except OSError as error:
        raise cannot_read(path, error) from error
    reading.take(b"", last=True)
    if not reading.synsets:
        raise _not_understood(path, "it has no element 'synset' with a 'wnid'")
    return reading.synsets


def with_paths(labels: Sequence[Label], synsets: Synsets) -> tuple[Label, ...]:
    """Labels with the path of their WordNet id, where the tree has it.

    A label whose name is but its id takes its words from the tree. The path of a label is without
    the label itself. Raises DataError 'synsets-unknown' where not a single class is in the tree.
    """
    found = tuple(_with_path(label, synsets) for label in labels)
    if not any(label.wnid in synsets for label in labels):
        named = "have no WordNet ids" if not any(label.wnid for label in labels) else "are others"
        raise DataError(
            f"None of the {len(labels)} classes is in the synset tree: they {named}. Give labels "
            "with WordNet ids, or the ids in the network's order: --wnids.",
            slug="synsets-unknown",
        )
    return found


def _with_path(label: Label, synsets: Synsets) -> Label:
    steps = synsets.get(label.wnid, ()) if label.wnid else ()
    if not steps:
        return label
    name = steps[-1] if label.name == label.wnid else label.name
    return replace(label, name=name, path=steps[:-1])


class _Reading:
    """The state of a parse: where in the tree it stands, and what it has found."""

    def __init__(self, path: Path) -> None:
        self.synsets: dict[str, tuple[str, ...]] = {}
        self._path = path
        self._steps: list[str] = []
        """Words of the open synsets, the root's first."""
        self._depth = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def take(self, block: bytes, *, last: bool = False) -> None:
        """The next bytes of the file."""
        try:
            self._parser.Parse(block, last)
        except expat.ExpatError as error:
            why = f"it is not XML, {expat.ErrorString(error.code)} in line {error.lineno}"
            raise _not_understood(self._path, why) from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_large(self._path, f"{MAX_DEPTH} levels")
        if name != "synset":
            return
        wnid = attributes.get("wnid", "").strip()
        words = attributes.get("words", "").strip() or wnid
        line = self._parser.CurrentLineNumber
        if not wnid:
            raise _not_understood(self._path, f"a synset in line {line} lacks its wnid")
        if len(words) > MAX_TEXT or not words.isprintable():
            raise _not_understood(self._path, f"the words in line {line} cannot be shown")
        if len(self.synsets) >= MAX_SYNSETS:
            raise _too_large(self._path, f"{MAX_SYNSETS:,} synsets")
        self._steps.append(words)
        self.synsets[wnid] = tuple(self._steps[1:])

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == "synset":
            self._steps.pop()

    def _refuse_doctype(self, *_: object) -> None:
        why = "it declares a document type, and a tree of synsets needs no entities"
        raise _not_understood(self._path, why)


def _too_large(path: Path, most: str) -> DataError:
    return DataError(
        f"'{path}' has more than {most}, too much for a tree of synsets. Is it another file?",
        slug="synsets-too-large",
    )


def _not_understood(path: Path, why: str) -> DataError:
    return DataError(
        f"The synset tree in '{path}' is not understood: {why}. Expected XML of nested elements "
        "'synset' with 'wnid' and 'words', as structure_released.xml of ILSVRC has them.",
        slug="synsets-not-understood",
    )
