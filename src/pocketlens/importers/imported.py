"""What an importer hands over: a network, and what its file says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pocketlens.graph.graph import Network, Shape
from pocketlens.images.recipe import Recipe
from pocketlens.labels.labels import Label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scores = Literal["logits", "probabilities"]
ClassOrder = Literal["", "ilsvrc2012"]


@dataclass(frozen=True)
class GivenPalette:
    """A tensor that is palette and indices already: value i is values[indices[i]].

    indices  uint8, shaped like the tensor
    values   float16 (k,), k from 1 to 256, ascending, all different; some may be unused
    """

    indices: NDArray[np.uint8]
    values: NDArray[np.float16]


@dataclass(frozen=True)
class Imported:
    """A classifier read from a foreign file.

    network        one input (1, C, H, W), one output (1, classes)
    name           for people: the file's name without its ending
    source_name    the file's name, no folder
    source_sha256  of the file's bytes, hex
    scores         what the output is: "probabilities" where the network ends in a softmax
    input_shape    of the network's input
    licence        what the file says, or ""
    labels         one a class in the order of the outputs where the file names them, or ()
    source_nodes   operators in the file, before lowering
    palettes       by tensor, of weights that are palette and indices in the file: the tensor's
                   values are exactly what they tell
    recipe         how a photo becomes the input where the file says so, or None
    beside_bytes   of files beside it that hold weights and were read with it
    halves         tensors that the file holds in half precision
    class_order    "ilsvrc2012" where a thousand classes stand in the order of its development kit,
                   as ccv has them, or ""
    """

    network: Network
    name: str
    source_name: str
    source_sha256: str
    scores: Scores
    input_shape: Shape
    licence: str = ""
    labels: tuple[Label, ...] = ()
    source_nodes: int = 0
    palettes: Mapping[str, GivenPalette] = field(default_factory=dict)
    recipe: Recipe | None = None
    beside_bytes: int = 0
    halves: frozenset[str] = frozenset()
    class_order: ClassOrder = ""
