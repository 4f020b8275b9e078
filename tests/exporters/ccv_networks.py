"""Small networks that ccv has layers for, and their lenses."""

from __future__ import annotations

from typing import Any

import numpy as np

from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Graph, Network
from pocketlens.images.recipe import Recipe
from pocketlens.importers.imported import Imported
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import LensContents

PATCH = 17


class Chain:
    """A network in the making, every node named."""

    def __init__(self, *, channels: int = 3, side: int = PATCH, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self.build = Builder()
        self.told = self.build.input("picture", (1, channels, side, side))

    def add(self, op: str, name: str, *tensors: tuple[int, ...], **attributes: Any) -> Chain:
        """A node that reads the last one, and random tensors of these shapes."""
        names = [
            self.build.tensor(f"{name}.{i}", self._random.standard_normal(shape, np.float32) / 4)
            for i, shape in enumerate(tensors)
        ]
        self.told = self.build.add(op, self.told, *names, name=name, **attributes)
        return self

    def conv(self, name: str, count: int, size: int = 3, **attributes: Any) -> Chain:
        """A convolution with max(x, 0), as large as its input unless asked otherwise."""
        groups = attributes.get("groups", 1)
        own = self.build.shape(self.told)[1] // groups
        given = {"activation": "relu", "pads": (size // 2,) * 4, **attributes}
        return self.add("conv2d", name, (count, own, size, size), (count,), **given)

    def pool(self, name: str, op: str = "max_pool", size: int = 3, stride: int = 2) -> Chain:
        """A square pool."""
        return self.add(op, name, kernel=(size, size), strides=(stride, stride))

    def flat(self) -> Chain:
        """All numbers in one row."""
        count = int(np.prod(self.build.shape(self.told)))
        return self.add("reshape", f"{self.told}.flat", shape=(1, count))

    def full(self, name: str, count: int, activation: str = "none") -> Chain:
        """A full connect."""
        inputs = self.build.shape(self.told)[-1]
        return self.add("linear", name, (count, inputs), (count,), activation=activation)

    def network(self) -> Network:
        """All of it."""
        return self.build.network(outputs=(self.told,))

    def graph(self) -> Graph:
        """Its graph."""
        return self.network().graph


def small(*, classes: int = 6, **chain: Any) -> Network:
    """Convolution, norm, pool, convolution, pool, two full connects."""
    made = Chain(**chain).conv("first", 8, strides=(2, 2))
    made.add("grouped_lrn", "norm", size=3, alpha=3e-4, beta=0.75, bias=2.0, groups=2)
    made.pool("pool").conv("second", 8, groups=2).pool("last", size=2)
    return made.flat().full("hidden", 12, "relu").full("scores", classes).network()


def recipe(**changes: Any) -> Recipe:
    """Shorter side to 25, patches of 17."""
    values: dict[str, Any] = {
        "resize": "shorter", "resize_height": 25, "resize_width": 25, "filter": "bilinear",
        "height": PATCH, "width": PATCH, "channels": "rgb",
        "mean": (10.0, 20.0, 30.0), "scale": (1.0, 1.0, 1.0),
    }  # fmt: skip
    return Recipe(**{**values, **changes})


def lens_of(
    network: Network,
    *,
    settings: Settings | None = None,
    recipe: Recipe | None = None,
    labels: tuple[Label, ...] | None = None,
) -> LensContents:
    """A lens, in float where nothing is said."""
    graph = network.graph
    imported = Imported(
        network=network,
        name="small",
        source_name="small",
        source_sha256="0" * 64,
        scores="logits",
        input_shape=graph.shapes["picture"],
    )
    return pack(imported, settings=settings or Settings(bits=32), recipe=recipe or _plain(graph),
                labels=labels)  # fmt: skip


def _plain(graph: Graph) -> Recipe:
    _, channels, height, width = graph.shapes["picture"]
    return recipe(height=height, width=width, resize_height=height, resize_width=width,
                  channels="rgb" if channels == 3 else "gray",
                  mean=(10.0, 20.0, 30.0)[:channels], scale=(1.0,) * channels)  # fmt: skip
