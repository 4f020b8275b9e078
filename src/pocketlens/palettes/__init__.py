"""Palettes: the best half-precision values for a tensor, and which of them each weight becomes."""
