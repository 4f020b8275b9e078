"""What can be asked of a compression, as one value."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from pocketlens.base.errors import UsageError
from pocketlens.compression.overrides import Override, chosen_override

FLOAT_BITS = 32
HALF_BITS = 16
MOST_PALETTE_VALUES = 256


@dataclass(frozen=True)
class Settings:
    """How a network is compressed.

    bits          32: float; 16: half precision; 1 to 8: palettes of 2^bits values
    palette_size  values in a palette, 2 to 256, in place of 2^bits; None: 2^bits
    group_rows    outputs that share a palette; None: one palette a tensor
    crush         effort of the PNG optimiser, 0 to 6; None: leave it out
    overrides     tensors that are treated otherwise; the last one that means a tensor counts
    """

    bits: int = 8
    palette_size: int | None = None
    group_rows: int | None = None
    crush: int | None = 4
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        if self.bits not in (*range(1, 9), HALF_BITS, FLOAT_BITS):
            raise UsageError(
                f"Weights of {self.bits} bits were asked for; choose 1 to 8 (palettes), "
                "16 (half precision) or 32 (float).",
                slug="bad-bits",
            )
        if self.palette_size is not None and not 2 <= self.palette_size <= MOST_PALETTE_VALUES:
            raise UsageError(
                f"A palette of {self.palette_size} values was asked for; it holds 2 to 256.",
                slug="bad-palette-size",
            )
        if self.group_rows is not None and self.group_rows < 1:
            raise UsageError(
                f"Groups of {self.group_rows} outputs were asked for; a group has at least one.",
                slug="bad-group-rows",
            )
        if self.crush is not None and not 0 <= self.crush <= 6:
            raise UsageError(
                f"Crush level {self.crush} was asked for; levels go from 0 (quick) "
                "to 6 (thorough).",
                slug="bad-crush-level",
            )
        for override in self.overrides:
            self._overridden(override)

    @property
    def makes_palettes(self) -> bool:
        """Whether weights become palette indices."""
        return self.bits <= 8 or self.palette_size is not None

    @property
    def levels(self) -> int:
        """Values in a palette."""
        return self.palette_size or 1 << self.bits

    def for_tensor(self, name: str, *, is_weight: bool) -> Settings:
        """What is asked for one tensor: these settings, or what an override makes of them."""
        override = chosen_override(self.overrides, name, is_weight=is_weight)
        return self if override is None else self._overridden(override)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, as JSON reads them back; overrides only where there are any."""
        values = asdict(self)
        overrides = list(values.pop("overrides"))
        return {**values, "overrides": overrides} if overrides else values

    def to_json(self) -> str:
        """JSON text with sorted keys, for the lens's provenance."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def _overridden(self, override: Override) -> Settings:
        says_width = override.bits is not None or override.palette_size is not None
        return replace(
            self,
            bits=self.bits if override.bits is None else override.bits,
            palette_size=override.palette_size if says_width else self.palette_size,
            group_rows=override.group_rows or self.group_rows,
            overrides=(),
        )
