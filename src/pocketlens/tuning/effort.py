"""How much fine-tuning a network gets where nobody says: some minutes of a CPU.

By the network, not by the clock: the same network and photos get the same training anywhere.
"""

from __future__ import annotations

import math

from pocketlens.graph.graph import Graph, Node

WORK = 3 * 10**12
"""Of all steps together; one core does about 1 to 2 times 10^10 a second."""

WORK_A_VALUE = 100
"""What a value that an operator puts out costs beside its products: it is read, clipped, added
and read again on the way back. Depthwise convolutions do little else."""

FEWEST_PASSES, MOST_PASSES = 4, 64
FEWEST_PHOTOS, MOST_PHOTOS = 512, 4096
_FIT_SHARE = 3 / 8  # photos.SHARES[0], as a part of those asked for


def default_passes(graph: Graph, photos: int) -> int:
    """Passes over so many photos that take some minutes."""
    return min(max(_pictures(graph) // max(photos, 1), 1), MOST_PASSES)


def photos_for_tuning(graph: Graph) -> int:
    """Most photos, of all parts, that a compression with fine-tuning looks at.

    Training makes more of many photos than calibration does, but each is to be shown some times.
    """
    wanted = int(_pictures(graph) / FEWEST_PASSES / _FIT_SHARE)
    return min(max(wanted, FEWEST_PHOTOS), MOST_PHOTOS)


def _pictures(graph: Graph) -> int:
    """That are shown in all."""
    return max(WORK // max(sum(_work(graph, node) for node in graph.nodes), 1), 1)


def _work(graph: Graph, node: Node) -> int:
    """Of one picture at one node: its products, and its values at their price."""
    values = math.prod(graph.shapes[node.output])
    products = 0
    if node.op in ("conv2d", "linear"):
        products = values * math.prod(graph.shapes[node.inputs[1]][1:])
    elif node.op == "matmul":
        products = values * graph.shapes[node.inputs[0]][-1]
    return products + WORK_A_VALUE * values
