"""How many photos a compression looks at where nobody says: more of them where each costs little.

A network has as many weights to measure however small its pictures are, and more photos measure
them better: ResNet-8 in 31,744 bytes has a KL of .021 with 4,096 rows of CIFAR-10 and .030 with 512
(in all parts together). A photo costs its pixels, and for every layer the matrices of what errors
cost together.
"""

from __future__ import annotations

import math

from pocketlens.calibration.columns import weight_users
from pocketlens.graph.graph import Graph
from pocketlens.images.recipe import Recipe

FEWEST, MOST = 512, 4096
_PIXELS = FEWEST * 224 * 224
_PRODUCTS = FEWEST * 5 * 10**8
"""Both take minutes on one core. As many photos as come first at one of them."""


def photo_limit(graph: Graph, recipe: Recipe) -> int:
    """Most photos for a network: FEWEST to MOST, by its input's size and its weights."""
    shapes = [graph.shapes[name] for name in weight_users(graph)]
    products = sum(shape[0] * math.prod(shape[1:]) ** 2 for shape in shapes)
    photos = min(
        _PIXELS // (recipe.height * recipe.width),
        _PRODUCTS // max(products, 1),
    )
    return min(max(photos, FEWEST), MOST)
