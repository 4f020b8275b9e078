"""What the numbers in a plane along a trellis mean. No NumPy here.

A palette of 2 x n values stands in ascending order. A column of weights, those at the same place of
every output, runs down the outputs through 8 states, from state 0. In state s number i is the value
at place 2 i + s mod 2, and the next state is NEXT[s][i mod 2] (Marcellin and Fischer, "Trellis
coded quantization", 1990; the states are Ungerboeck's).
"""

from __future__ import annotations

STATES = 8
NEXT = ((0, 1), (2, 3), (5, 4), (7, 6), (1, 0), (3, 2), (4, 5), (6, 7))
LEAST_VALUES = 4
"""Of a palette: one of each of the kinds that a state and a number's evenness tell apart."""


def palette_places(numbers: bytes, columns: int) -> bytes:
    """Places in the palette, one a byte, from numbers (outputs x columns) below 128."""
    states = bytearray(columns)
    places = bytearray()
    for at, number in enumerate(numbers):
        column = at % columns
        state = states[column]
        places.append(2 * number + state % 2)
        states[column] = NEXT[state][number % 2]
    return bytes(places)
