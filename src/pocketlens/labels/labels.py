"""A class's name, its WordNet id where it is known, and its path from general to specific."""

from __future__ import annotations

from dataclasses import dataclass

MAX_TEXT = 1000
"""The longest name or hypernym, characters."""


@dataclass(frozen=True)
class Label:
    """What a class is called.

    name   for people: "golden retriever"
    wnid   WordNet id, "n02099601", or "" where there is none
    path   hypernyms from general to specific without the name itself:
           ("animal", "dog", "retriever"), or ()
    """

    name: str
    wnid: str = ""
    path: tuple[str, ...] = ()


def numbered(count: int) -> tuple[Label, ...]:
    """Names for want of better ones: "class 0", "class 1", ..."""
    return tuple(Label(f"class {number}") for number in range(count))


def fault(label: Label) -> str | None:
    """What is wrong with a label, as the end of a sentence; None if it can be shown and stored.

    Names come from files of strangers and are printed on terminals: control characters are out.
    """
    for text in (label.name, label.wnid, *label.path):
        if len(text) > MAX_TEXT:
            return f"is {len(text):,} characters long, expected at most {MAX_TEXT:,}"
        if not text.isprintable():
            return f"holds a control character: {text[:60]!a}"
    return None if label.name.strip() else "has no name"
