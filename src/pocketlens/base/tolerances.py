"""How close is close: the named tolerances that tests and self-checks use.

All are relative to the largest magnitude of the expected array: max|a - b| <= t * max|b|.
"""

from __future__ import annotations

EXACT = 0.0
"""Same arithmetic in the same order: bit-equal."""

CLOSE = 1e-5
"""float32 with another order of summation or fused multiply-add (one op)."""

NETWORK = 1e-4
"""float32 through a whole network of up to some hundred layers."""

HALF = 1e-3
"""Weights rounded to half precision, through a whole network."""
