"""The small texts in a lens's rows: lists "64,32,3,3", pairs "k=16 error=0.01", short names.

Whatever a file may hold is read here, so every function that reads raises ValueError and nothing
else, and none makes more of a text than is in it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_REAL = re.compile(r"-?([0-9]{1,330}|(?=\.))(\.[0-9]{1,330})?(e[-+]?[0-9]{1,3})?")
STAR = "*"
"""Stands for the name of the node that a tensor or an array belongs to."""
REPEATED = {"kernel": 2, "strides": 2, "dilations": 2, "pads": 4}
"""Attributes of so many numbers, told once where all are the same."""
USUAL_NAMES = {1: "*.weight", 2: "*.bias"}
"""What tensors are called that a node reads in these places, if the file does not say."""


def told(number: float) -> str:
    """A number as text, as short as gives it back: 6, .25, 1e-07."""
    text = repr(number if type(number) is int else float(number)).removesuffix(".0")
    return re.sub(r"^(-?)0\.", r"\1.", text)


def listed(numbers: Iterable[float]) -> str:
    """Numbers with commas."""
    return ",".join(map(told, numbers))


def said(pairs: Mapping[str, str], *, bare: Collection[str] = ()) -> str | None:
    """Pairs as text; of `bare` keys the value alone. None where there are no pairs."""
    parts = (value if key in bare else f"{key}={value}" for key, value in pairs.items())
    return " ".join(parts) or None


def whole(text: str) -> int:
    """The whole number that a text tells."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r:.40} is no whole number")
    return int(text)


def real(text: str) -> float:
    """The number that a text tells; never infinite or not a number."""
    if not _REAL.fullmatch(text) or len(text) > 400:
        raise ValueError(f"{text!r:.40} is no number")
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text!r:.40} is beyond any number")
    return number


def wholes(text: str | None) -> tuple[int, ...]:
    """Whole numbers with commas; none where there is no text."""
    return tuple(map(whole, text.split(","))) if text else ()


def reals(text: str) -> tuple[float, ...]:
    """Numbers with commas."""
    return tuple(map(real, text.split(",")))


def pairs(text: str | None, *, bare: Collection[str] = ()) -> dict[str, str]:
    """The pairs that a text says, in order; values that stand alone belong to `bare` keys."""
    found: dict[str, str] = {}
    keys = iter(bare)
    for pair in text.split(" ") if text else ():
        key, equals, value = pair.partition("=")
        if not equals:
            key, equals, value = next(keys, ""), "=", pair
        if not value or not key or key in found:
            raise ValueError(f"{pair!r:.40} is no key=value, or says it again")
        found[key] = value
    return found


def starred(name: str, node_name: str) -> str:
    """A name in which a star stands for its node's; a star of its own is doubled."""
    if STAR in name:
        return name.replace(STAR, STAR * 2)
    stem = re.escape(_stem(node_name))
    return re.sub(rf"(?<![A-Za-z0-9]){stem}(?![A-Za-z0-9])", STAR, name, count=1) if stem else name


def unstarred(text: str, node_name: str) -> str:
    """The name that `starred` made short."""
    parts = text.split(STAR * 2)
    stars = sum(part.count(STAR) for part in parts)
    if stars > 1:
        raise ValueError(f"{text!r:.40} has more than one star")
    return STAR.join(part.replace(STAR, _stem(node_name)) for part in parts)


def _stem(node_name: str) -> str:
    """A node's name without the ending that exporters give to tell it from what it makes."""
    return node_name.removesuffix("_node")
