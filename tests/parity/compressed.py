"""Lenses whose weights are palette indices, half precision or float: every fate, made by hand.

Palettes and indices are drawn, not fitted: parity asks whether engines agree on what a lens says,
not whether it says something near the original.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from conformance.engines import RECIPE
from pocketlens.graph.graph import Network
from pocketlens.graph.shapes import weight_names
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.planes.encode import encode_plane
from pocketlens.planes.plane import index_bits_for


@dataclasses.dataclass(frozen=True)
class Fate:
    """What becomes of every weight tensor.

    kind          "palette", "trellis", "half" or "float"
    palette_size  k; along a trellis even, with half as many numbers
    group_rows    outputs that share a palette; 0: all of them
    """

    kind: str
    palette_size: int = 0
    group_rows: int = 0

    @property
    def name(self) -> str:
        """For people."""
        if self.kind == "trellis":
            return f"trellis-k{self.palette_size}"
        if self.kind != "palette":
            return self.kind
        return f"k{self.palette_size}-rows{self.group_rows or 'all'}"


FATES = (
    Fate("float"),
    Fate("half"),
    *(Fate("palette", k, rows) for k in (1, 2, 3, 4, 16, 17, 256) for rows in (0, 1, 4)),
    *(Fate("trellis", k) for k in (4, 16, 34, 256)),
)


def compressed_contents(network: Network, fate: Fate, *, seed: int = 0) -> LensContents:
    """A lens of the network with that fate for its weights; every other tensor stays float."""
    rng = np.random.default_rng(seed)
    weights = weight_names(network.graph)
    records = []
    for name, values in network.tensors.items():
        kept = TensorRecord(name, values.shape, "float", "a test", values=values.tobytes())
        if name in weights and fate.kind == "half":
            half = values.astype("<f2").tobytes()
            kept = dataclasses.replace(kept, fate="half", values=half)
        elif name in weights and fate.kind in ("palette", "trellis"):
            kept = _palette_record(name, values.shape, fate, rng)
        records.append(kept)
    return LensContents("test", network.graph, tuple(records), (), RECIPE)


def _palette_record(
    name: str, shape: tuple[int, ...], fate: Fate, rng: np.random.Generator
) -> TensorRecord:
    rows = fate.group_rows or shape[0]
    groups = -(-shape[0] // rows)
    spread = 1 / np.sqrt(np.prod(shape[1:]))
    palettes = rng.uniform(-spread, spread, (groups, fate.palette_size)).astype("<f2")
    palettes.sort(axis=1)
    trellis = fate.kind == "trellis"
    numbers = fate.palette_size // 2 if trellis else fate.palette_size
    indices = rng.integers(0, numbers, shape).astype(np.uint8)
    return TensorRecord(
        name,
        shape,
        "palette",
        "a test",
        palette_size=fate.palette_size,
        group_rows=rows,
        palettes=palettes.tobytes(),
        plane=encode_plane(indices, index_bits=index_bits_for(numbers)),
        trellis=trellis,
    )
