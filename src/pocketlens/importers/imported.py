"""What an importer hands over: a network, and what its file says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pocketlens.graph.graph import Network, Shape
from pocketlens.labels.labels import Label

Scores = Literal["logits", "probabilities"]


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
