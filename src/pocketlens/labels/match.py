"""Which class a folder, a WordNet id or a name in somebody's data set means."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pocketlens.base.errors import DataError
from pocketlens.labels.labels import Label

Rule = Literal["wnid", "name", "number", "order"]
Otherwise = Literal["error", "sorted", "as given"]

_LEADING_WNID = re.compile(r"(n[0-9]{8})(?![0-9])")
_AMBIGUOUS = -1


@dataclass(frozen=True)
class Matching:
    """The classes of some words, and how they were found.

    rule     "wnid": by WordNet id; "name": by name; "number": the words are class numbers;
             "order": the words stand for the classes one by one
    classes  class numbers, one a word, in the order of the words
    """

    rule: Rule
    classes: tuple[int, ...]

    def in_words(self) -> str:
        """The rule for people."""
        return {
            "wnid": "matched by WordNet id",
            "name": "matched by name",
            "number": "taken as class numbers",
            "order": "taken in order",
        }[self.rule]


def match(
    labels: Sequence[Label], wanted: Sequence[str], *, where: str, otherwise: Otherwise = "error"
) -> Matching:
    """Find the class of each word. One rule serves all words; the first that does is taken.

    1. WordNet id: the word is one, or starts with one ("n01440764_tench").
    2. Name: the label's name, or one of its comma-separated synonyms where only one class has
       it; upper case, underscores and hyphens make no difference.
    3. Number: every word is a class number, from 0.
    4. Order, only if `otherwise` allows it: there are as many different words as classes, and
       no rule above knew a single one: they stand for the classes 0, 1, ...

    where      what the words are, for errors: "the folders of 'val'"
    otherwise  "sorted" or "as given": in which order rule 4 takes the words; "error": never
    Raises DataError 'unknown-label' that names the first word without a class.
    """
    rules: tuple[tuple[Rule, Callable[[str], int | None]], ...] = (
        ("wnid", _by_wnid(labels)),
        ("name", _by_name(labels)),
        ("number", _by_number(labels)),
    )
    best: list[int | None] = [None] * len(wanted)
    for rule, find in rules:
        found = [find(word) for word in wanted]
        classes = tuple(c for c in found if c is not None and c != _AMBIGUOUS)
        if len(classes) == len(wanted):
            return Matching(rule, classes)
        if sum(c is None for c in found) < sum(c is None for c in best):
            best = found
    nothing_known = all(number is None for number in best)
    one_each = len(set(wanted)) == len(wanted) == len(labels)
    if otherwise != "error" and nothing_known and one_each:
        order = sorted(wanted) if otherwise == "sorted" else wanted
        place = {word: number for number, word in enumerate(order)}
        return Matching("order", tuple(place[word] for word in wanted))
    raise _unknown(labels, wanted, best, where)


def _by_wnid(labels: Sequence[Label]) -> Callable[[str], int | None]:
    classes: dict[str, int] = {}
    for number, label in enumerate(labels):
        if label.wnid:
            classes[label.wnid] = _AMBIGUOUS if label.wnid in classes else number

    def find(word: str) -> int | None:
        leading = _LEADING_WNID.match(word)
        return classes.get(leading[1] if leading else word)

    return find


def _by_name(labels: Sequence[Label]) -> Callable[[str], int | None]:
    full: dict[str, int] = {}
    synonyms: dict[str, int] = {}
    for number, label in enumerate(labels):
        name = _plain(label.name)
        full[name] = _AMBIGUOUS if name in full else number
        for part in {_plain(part) for part in label.name.split(",")}:
            synonyms[part] = _AMBIGUOUS if part in synonyms else number

    def find(word: str) -> int | None:
        plain = _plain(word)
        number = full.get(plain)
        return synonyms.get(plain) if number is None else number

    return find


def _by_number(labels: Sequence[Label]) -> Callable[[str], int | None]:
    def find(word: str) -> int | None:
        if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) >= len(labels):
            return None
        return int(word)

    return find


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[_\-\s]+", " ", name).casefold().split())


def _unknown(
    labels: Sequence[Label], wanted: Sequence[str], best: Sequence[int | None], where: str
) -> DataError:
    lost = next(i for i, number in enumerate(best) if number is None or number == _AMBIGUOUS)
    known = sum(number is not None and number != _AMBIGUOUS for number in best)
    sample = ", ".join(f"'{label.name}'" for label in labels[:3])
    if best[lost] == _AMBIGUOUS:
        problem = f"'{wanted[lost]}' is the name of more than one class"
    else:
        problem = f"'{wanted[lost]}' is none of the {len(labels)} classes ({sample}, ...)"
    return DataError(
        f"In {where}, {problem}; {known} of {len(wanted)} were found. "
        "Name classes by WordNet id, by label, or by number from 0.",
        slug="unknown-label",
    )
