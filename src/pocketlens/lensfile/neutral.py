"""Attributes that say nothing: left out of a lens when it is written, put back when it is read.

A graph leaves no attribute to a default; in a file, where most convolutions step by 1 and pad
nothing, what is left out is what need not be read. docs/format/lens.md shows this table.
"""

from __future__ import annotations

from collections.abc import Mapping

from pocketlens.graph.graph import AttributeValue
from pocketlens.graph.ops import OPS

NEUTRAL: dict[str, AttributeValue] = {
    "activation": "none",
    "alpha": 0.0,
    "beta": 0.0,
    "strides": (1, 1),
    "pads": (0, 0, 0, 0),
    "dilations": (1, 1),
    "groups": 1,
    "ceil_mode": 0,
    "count_include_pad": 0,
    "keepdims": 0,
    "transpose_b": 0,
    "scale": 1.0,
    "log": 0,
}
"""Value of each attribute that is left out where it has it. Never change: files rely on it."""

_OPS_THAT_MEAN_IT_OTHERWISE = frozenset({"lrn", "grouped_lrn"})
"""Their alpha and beta are no parameters of an activation."""


def without_neutral(op: str, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Attributes in the operator's order, the neutral ones left out."""
    neutral = _neutral_of(op)
    return {
        each.name: attributes[each.name]
        for each in OPS[op].attributes
        if each.name not in neutral or attributes[each.name] != neutral[each.name]
    }


def with_neutral(op: str, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Attributes with the neutral ones put back; those of an unknown operator as they are."""
    return {**_neutral_of(op), **attributes}


def _neutral_of(op: str) -> dict[str, AttributeValue]:
    if op not in OPS or op in _OPS_THAT_MEAN_IT_OTHERWISE:
        return {}
    return {each.name: NEUTRAL[each.name] for each in OPS[op].attributes if each.name in NEUTRAL}
