"""Judges the attributes of one operator: all there, no others, of the right type and range.

Attributes may come from a hostile file: nothing here raises anything but ModelError, and no
number is used before its size is known. What depends on shapes is graph/inference.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from pocketlens.base.errors import ModelError
from pocketlens.graph.graph import AttributeValue
from pocketlens.graph.ops import OPS, Attribute, Op

MAX_INT = 2**31 - 1
MAX_FLOAT = 3.4028234663852886e38
"""Largest float32: a plan stores every float attribute as one."""

_AT_LEAST: dict[str, int] = {
    "kernel": 1,
    "strides": 1,
    "dilations": 1,
    "groups": 1,
    "pads": 0,
    "before": 0,
    "after": 0,
    "sizes": 1,
    "shape": 1,
    "axes": 0,
    "perm": 0,
    "axis": 0,
    "starts": 0,
    "size": 1,
}
_FLAGS = frozenset({"ceil_mode", "count_include_pad", "transpose_b", "keepdims", "log"})
_POSITIVE = frozenset({"scale_h", "scale_w"})
_NOT_NEGATIVE = frozenset({"epsilon"})


def quoted(name: object) -> str:
    """A name from a file, safe to print: escaped, and cut at 60 characters."""
    text = name if isinstance(name, str) else f"<{type(name).__name__}>"
    return repr(text if len(text) <= 60 else text[:57] + "...")


def find_op(name: object) -> Op:
    """The operator called `name`. Raises ModelError 'unknown-operator'."""
    op = OPS.get(name) if isinstance(name, str) else None
    if op is None:
        raise ModelError(
            f"There is no operator {quoted(name)}; known are {', '.join(OPS)}.",
            slug="unknown-operator",
        )
    return op


def check_attributes(op: Op, attributes: Mapping[str, AttributeValue]) -> None:
    """Judge every attribute of one node of `op`. Raises ModelError 'bad-attribute'."""
    if not isinstance(attributes, Mapping):
        _refuse(op, "attributes", attributes, "a mapping from names to values")
    for attribute in op.attributes:
        if attribute.name not in attributes:
            raise ModelError(
                f"Operator '{op.name}' lacks its attribute '{attribute.name}'; "
                "a graph leaves none to a default.",
                slug="bad-attribute",
            )
        _check_one(op, attribute, attributes[attribute.name])
    if len(attributes) != len(op.attributes):
        known = {attribute.name for attribute in op.attributes}
        extra = next(name for name in attributes if name not in known)
        raise ModelError(
            f"Operator '{op.name}' has no attribute {quoted(extra)}; "
            f"it has {', '.join(sorted(known)) or 'none'}.",
            slug="bad-attribute",
        )


def _check_one(op: Op, attribute: Attribute, value: object) -> None:
    if attribute.kind == "choice":
        _check_choice(op, attribute, value)
    elif attribute.kind == "float":
        _check_float(op, attribute.name, value)
    elif attribute.kind == "int":
        _check_int(op, attribute.name, value)
    else:
        _check_ints(op, attribute, value)


def _check_choice(op: Op, attribute: Attribute, value: object) -> None:
    choices = attribute.choices or {}
    if not isinstance(value, str) or value not in choices:
        _refuse(op, attribute.name, value, f"one of {', '.join(choices)}")


def _check_float(op: Op, name: str, value: object) -> None:
    if type(value) not in (int, float) or not -MAX_FLOAT <= value <= MAX_FLOAT:  # type: ignore[operator]
        _refuse(op, name, value, "a finite number that float32 can hold")
    assert isinstance(value, (int, float))
    if name in _POSITIVE and value <= 0:
        _refuse(op, name, value, "a number above 0")
    if name in _NOT_NEGATIVE and value < 0:
        _refuse(op, name, value, "a number not below 0")


def _check_int(op: Op, name: str, value: object) -> None:
    if type(value) is not int:
        _refuse(op, name, value, "a whole number")
    low, high = (0, 1) if name in _FLAGS else (_AT_LEAST.get(name, -MAX_INT), MAX_INT)
    if not low <= value <= high:
        _refuse(op, name, value, f"a whole number from {low} to {high}")


def _check_ints(op: Op, attribute: Attribute, value: object) -> None:
    name, count = attribute.name, attribute.count
    # Lists of one entry an axis are as long as the rank, which inference compares.
    fewest = 0 if count > 4 else count
    if not isinstance(value, tuple) or not fewest <= len(value) <= count:
        wanted = f"{count}" if fewest == count else f"at most {count}"
        _refuse(op, name, value, f"a tuple of {wanted} whole numbers")
    for number in value:
        _check_int(op, name, number)
    if name == "steps" and 0 in value:
        _refuse(op, name, value, "steps other than 0")


def _refuse(op: Op, name: str, value: object, expected: str) -> NoReturn:
    raise ModelError(
        f"Attribute '{name}' of operator '{op.name}' is {_shown(value)}; expected {expected}.",
        slug="bad-attribute",
    )


def _shown(value: object) -> str:
    """A value from a file, safe to print; a huge whole number is not spelt out."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= 2**64):
        return repr(value)
    if isinstance(value, int):
        return "a huge number"
    if isinstance(value, (tuple, list)):
        shown = ", ".join(
            _shown(item) if not isinstance(item, (tuple, list)) else "..." for item in value[:8]
        )
        return f"({shown}{', ...' if len(value) > 8 else ''})"
    return f"a value of type {type(value).__name__}"
