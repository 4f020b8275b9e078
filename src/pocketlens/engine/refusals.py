"""What the core's status codes say, as sentences. The codes are pl_code of core.h."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketlens.base.errors import EngineError
from pocketlens.engine.plan import Plan

if TYPE_CHECKING:
    from pocketlens.engine import _core

_MAKE_AGAIN = "Make the lens again from the model."

PHOTO_TOO_LARGE = 7
"""Of pl_photo_begin: the photo, or what it would be resized to."""

PHOTO_NOT_FORMED, PHOTO_NOT_CUT = 27, 28
"""Of a recipe of ccv's: what its formula asks of the photo, and what would be left."""

# By code: slug, sentence (with {where}, {seen}, {expected}), cure.
REFUSALS: dict[int, tuple[str, str, str]] = {
    1: ("no-memory", "There is not enough memory for the lens", "Close something, or use fewer "
        "threads."),
    2: ("target-missing", "This build or machine lacks the instruction set", "Choose another."),
    3: ("bad-argument", "The core was called with {seen} where it takes up to {expected}",
        "Hand in inputs and threads as engine/core.py says."),
    4: ("plan-not", "These are not the bytes of a plan", _MAKE_AGAIN),
    5: ("plan-version", "The plan has version {seen}; this core reads {expected}",
        "Update pocketlens."),
    6: ("plan-sections", "The plan's sections do not fit together (seen {seen}, expected "
        "{expected})", _MAKE_AGAIN),
    7: ("plan-too-large", "The network is larger than the core takes{where}: seen {seen:,}, "
        "the limit is {expected:,}", "Use a smaller network or input."),
    8: ("plan-value", "Array number {seen} has a rank or dimensions that no array may have",
        _MAKE_AGAIN),
    9: ("plan-tensor", "The table entry of a tensor does not hold together{where}: seen {seen}, "
        "expected {expected}", _MAKE_AGAIN),
    10: ("plan-palette", "A palette does not fit its tensor{where}: seen {seen}, expected "
         "{expected}", _MAKE_AGAIN),
    11: ("plan-operator", "An operator is unknown or has a wrong number of inputs or "
         "attributes{where}: seen {seen}, expected {expected}", _MAKE_AGAIN),
    12: ("plan-reference", "An operator reads something that it may not{where}: only conv2d and "
         "linear multiply with palettes, their weights and biases are constants", _MAKE_AGAIN),
    13: ("plan-attribute", "An attribute is out of range{where}: word {expected} is {seen}",
         _MAKE_AGAIN),
    14: ("plan-shape", "Shapes do not fit{where}: seen {seen}, expected {expected}", _MAKE_AGAIN),
    15: ("plan-order", "Array number {seen} is read before it is made, made twice or "
         "never{where}", _MAKE_AGAIN),
    16: ("plane-band", "There is no band {seen}{where}; it has {expected}", _MAKE_AGAIN),
    17: ("plane-band", "Band {seen} came twice{where}", _MAKE_AGAIN),
    18: ("plane-band", "A band has {seen:,} bytes{where}; its rows take {expected:,}",
         _MAKE_AGAIN),
    19: ("plane-filter", "Row {seen} of a band has a filter that PNG does not know{where}",
         _MAKE_AGAIN),
    20: ("plane-index", "A plane holds the index {seen}{where}; expected is one below "
         "{expected}", _MAKE_AGAIN),
    21: ("plane-missing", "Bands of planes are missing; the lens cannot run yet", _MAKE_AGAIN),
    22: ("plan-plane", "The table entry of plane number {seen} does not hold together, or no "
         "tensor reads it", _MAKE_AGAIN),
    23: ("plane-mask", "A plane came before all of its mask{where}", _MAKE_AGAIN),
    24: ("plane-mask", "A mask leaves {seen:,} pixels{where}; its plane has {expected:,}",
         _MAKE_AGAIN),
    25: ("bad-recipe", "Field {seen} of the recipe cannot be followed", _MAKE_AGAIN),
    26: ("precision-missing", "No instruction set of this build and machine computes in the "
         "precision", "Use precision='fp32'."),
    27: ("ccv-form", "ccv would form the photo to {seen} x {expected}, larger on one side and "
         "smaller on the other", "Crop it to about the recipe's ratio first."),
    28: ("ccv-cut", "Of the photo {seen} x {expected} would be left, neither as wide nor as high "
         "as the recipe says", "Use 1, 5 or 10 crops."),
}  # fmt: skip


def refusal(error: _core.CoreError, plan: Plan | None = None) -> EngineError:
    """The core's exception (code, op, tensor, seen, expected) as a sentence that names the node."""
    code, op, tensor, seen, expected = error.args
    where = ""
    if plan and op >= 0:
        where = f" at node '{plan.ops[op]}'"
    elif plan and tensor >= 0:
        where = f" at tensor '{plan.tensors[tensor]}'"
    slug, sentence, cure = REFUSALS[code]
    text = sentence.format(where=where, seen=_signed(seen), expected=_signed(expected))
    return EngineError(f"{text}. {cure}", slug=slug)


def _signed(number: int) -> int:
    """Negative numbers reach us as 64-bit ones."""
    return number - 2**64 if number >= 2**63 else number
