"""A class's name, its WordNet id where it is known, and its path from general to specific."""

from __future__ import annotations

from dataclasses import dataclass


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
