"""Rows of `layer_params` to layers: every number that a layer of its kind uses is judged here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pocketlens.base.errors import ModelError
from pocketlens.importers.ccv.database import LAYER_COLUMNS, Value

Kind = Literal["conv", "fc", "max_pool", "avg_pool", "norm"]

KINDS: Mapping[int, Kind] = {1: "conv", 2: "fc", 3: "max_pool", 4: "avg_pool", 5: "norm"}
"""ccv's numbers of its layers' types."""

WORDS: Mapping[Kind, str] = {
    "conv": "a convolution",
    "fc": "full connect",
    "max_pool": "a max pool",
    "avg_pool": "an average pool",
    "norm": "a local response norm",
}
MOST_NUMBER = 2**24
"""Of anything that is counted: the longest axis that a network may have."""
_MOST_FLOAT = 3.4028234663852886e38
_SIZED = ("max_pool", "avg_pool", "norm")


@dataclass(frozen=True)
class Layer:
    """A layer as its row has it; numbers that its kind does not use are 0.

    number        position, from 0
    rows, cols, channels  the input that one patch gives it, as declared
    groups        of channels: conv and norm
    nodes         inputs of a full connect layer
    kernel_rows, kernel_cols  of a conv
    count         filters of a conv, outputs of a full connect layer
    strides, border  of a conv or a pool, the same in both directions
    size          window of a pool; channels that a norm sums over
    kappa, alpha, beta  of a norm
    relu          of a full connect layer; a conv always has it
    """

    number: int
    kind: Kind
    rows: int
    cols: int
    channels: int
    groups: int = 1
    nodes: int = 0
    kernel_rows: int = 0
    kernel_cols: int = 0
    count: int = 0
    strides: int = 0
    border: int = 0
    size: int = 0
    kappa: float = 0.0
    alpha: float = 0.0
    beta: float = 0.0
    relu: bool = False

    @property
    def name(self) -> str:
        """In the graph: "conv0", "pool1", "norm1", "fc10"."""
        return f"{'pool' if self.kind.endswith('pool') else self.kind}{self.number}"

    @property
    def has_weights(self) -> bool:
        """Whether it has weights and a bias."""
        return self.kind in ("conv", "fc")

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """As ccv stores them: (count, kernel rows, kernel cols, channels of a group), or
        (outputs, inputs).
        """
        if self.kind == "fc":
            return self.count, self.nodes
        return self.count, self.kernel_rows, self.kernel_cols, self.channels // self.groups

    def fault(self, what: str, *, slug: str = "ccv-layer") -> ModelError:
        """The error that names this layer."""
        return ModelError(f"layer {self.number}, {WORDS[self.kind]}, {what}", slug=slug)


def read_layers(rows: Sequence[tuple[Value, ...]]) -> tuple[Layer, ...]:
    """The layers of rows of LAYER_COLUMNS, in any order. Raises ModelError 'ccv-layers' where
    they are not numbered 0, 1, 2, ..., 'ccv-layer' where a number cannot be.
    """
    if not rows:
        raise ModelError("it has no layer", slug="ccv-layers")
    named = [dict(zip(LAYER_COLUMNS, row, strict=True)) for row in rows]
    numbers = [whole(row["layer"], "number", "a layer", slug="ccv-layers") for row in named]
    by_number = dict(zip(numbers, named, strict=True))
    if sorted(numbers) != list(range(len(rows))):
        shown = ", ".join(map(str, sorted(numbers)[:12]))
        raise ModelError(
            f"its layers have the numbers {shown}{', ...' * (len(rows) > 12)}; expected is every "
            f"number from 0 to {len(rows) - 1}, once",
            slug="ccv-layers",
        )
    return tuple(_layer(number, by_number[number]) for number in range(len(rows)))


def whole(value: Value, what: str, owner: str, *, slug: str, least: int = 0) -> int:
    """A count: NULL is 0; a REAL or a TEXT that tells a whole number, that (declared types of
    columns do not matter, and they turn what is stored). Raises ModelError.
    """
    number = as_whole(value)
    if number is None or not least <= number <= MOST_NUMBER:
        raise ModelError(
            f"{owner} has {what} {_shown(value)}; expected is a whole number from {least} to "
            f"{MOST_NUMBER:,}",
            slug=slug,
        )
    return number


def flag(value: Value, what: str, owner: str) -> bool:
    """A number of which only counts whether it is 0; NULL is 0. Raises ModelError 'ccv-layer'."""
    number = as_whole(value)
    if number is None:
        raise ModelError(
            f"{owner} has {what} {_shown(value)}; expected is a whole number", slug="ccv-layer"
        )
    return number != 0


def _layer(number: int, row: Mapping[str, Value]) -> Layer:
    kind = KINDS.get(as_whole(row["type"]) or 0)
    if kind is None:
        raise ModelError(
            f"layer {number} has type {_shown(row['type'])}; ccv knows 1 (convolution), 2 (full "
            "connect), 3 (max pool), 4 (average pool) and 5 (local response norm)",
            slug="ccv-layers",
        )
    owner = f"layer {number}, {WORDS[kind]},"

    def count(column: str, least: int = 1) -> int:
        return whole(row[column], f"'{column}'", owner, slug="ccv-layer", least=least)

    layer = Layer(
        number,
        kind,
        rows=count("input_matrix_rows"),
        cols=count("input_matrix_cols"),
        channels=count("input_matrix_channels"),
        groups=count("input_matrix_partition") if kind in ("conv", "norm") else 1,
        nodes=count("input_node_count") if kind == "fc" else 0,
        kernel_rows=count("output_rows") if kind == "conv" else 0,
        kernel_cols=count("output_cols") if kind == "conv" else 0,
        count=count("output_count") if kind in ("conv", "fc") else 0,
        strides=count("output_strides") if kind in ("conv", "max_pool", "avg_pool") else 0,
        border=count("output_border", 0) if kind in ("conv", "max_pool", "avg_pool") else 0,
        # NULL reads as 0 here too, and a norm over 0 channels is one over the channel itself.
        size=count("output_size", 0 if kind == "norm" else 1) if kind in _SIZED else 0,
        kappa=_real(row, "output_kappa", owner) if kind == "norm" else 0.0,
        alpha=_real(row, "output_alpha", owner) if kind == "norm" else 0.0,
        beta=_real(row, "output_beta", owner) if kind == "norm" else 0.0,
        relu=kind == "fc" and flag(row["output_relu"], "'output_relu'", owner),
    )
    _check(layer, row)
    return layer


def _check(layer: Layer, row: Mapping[str, Value]) -> None:
    """What numbers of one layer have to do with each other."""
    if layer.kind == "conv":
        told = whole(row["output_channels"], "'output_channels'", "it", slug="ccv-layer")
        if told != layer.channels:
            raise layer.fault(f"has filters for {told} channels and an input of {layer.channels}")
        if layer.kernel_rows % 2 == 0 or layer.kernel_cols % 2 == 0:
            raise layer.fault(
                f"has a kernel of {layer.kernel_rows}x{layer.kernel_cols}; its sides must be odd"
            )
        if layer.count % layer.groups:
            raise layer.fault(f"has {layer.count} filters in {layer.groups} groups")
    if layer.channels % layer.groups:
        raise layer.fault(f"has {layer.channels} channels in {layer.groups} groups")
    if layer.kind.endswith("pool") and layer.border >= layer.size:
        raise layer.fault(
            f"has a border of {layer.border} around windows of {layer.size}: some would see "
            "nothing but border"
        )
    if layer.kind == "norm" and (layer.kappa <= 0 or layer.alpha < 0):
        raise layer.fault(
            f"has kappa {layer.kappa:g} and alpha {layer.alpha:g}; (kappa + alpha x sum)^-beta is "
            "a number for every sum only with a kappa above 0 and an alpha not below 0"
        )


def as_whole(value: Value) -> int | None:
    """The whole number that a value tells; NULL tells 0; None where it tells none."""
    if value is None:
        return 0
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,19}(\.0*)?", value):
        return int(value.partition(".")[0])
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, int) else None


def _real(row: Mapping[str, Value], column: str, owner: str) -> float:
    value = row[column]
    try:
        number = 0.0 if value is None else math.nan if isinstance(value, bytes) else float(value)
    except ValueError:
        number = math.nan
    if not abs(number) <= _MOST_FLOAT:
        raise ModelError(
            f"{owner} has '{column}' {_shown(value)}; expected is a finite number in single "
            "precision",
            slug="ccv-layer",
        )
    return number


def _shown(value: Value) -> str:
    if isinstance(value, bytes):
        return f"a blob of {len(value):,} bytes"
    return "NULL" if value is None else f"{value!r:.40}"
