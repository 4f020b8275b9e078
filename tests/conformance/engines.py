"""The engines that tests run on, side by side: the reference, and the core on every target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neon_core import NEON_TARGETS, neon_core
from node_core import WASM_TARGETS, node_core
from pocketlens.engine.core import CoreEngine, targets
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.graph.graph import Network
from pocketlens.images.recipe import Recipe
from pocketlens.lensfile.contents import LensContents, TensorRecord
from process_core import ProcessCore, ProcessEngine

Array = NDArray[np.float32]
Run = Callable[[LensContents, Sequence[Array]], list[Array]]

RECIPE = Recipe(
    resize="none",
    resize_height=1,
    resize_width=1,
    filter="bilinear",
    height=1,
    width=1,
    channels="gray",
    mean=(0.0,),
    scale=(1.0,),
)
"""Of no consequence here: engines are handed arrays."""


@dataclass(frozen=True)
class Engine:
    """An engine as tests see it.

    name      for people
    run       contents and inputs in the graph's order to outputs in its order
    emulated  whether an emulator runs it: dozens of times as slow
    """

    name: str
    run: Run
    emulated: bool = False


def float_contents(network: Network) -> LensContents:
    """A lens that keeps every tensor in float."""
    records = tuple(
        TensorRecord(name, values.shape, "float", "a test", values=values.astype("<f4").tobytes())
        for name, values in network.tensors.items()
    )
    return LensContents("test", network.graph, records, (), RECIPE)


def _reference(contents: LensContents, inputs: Sequence[Array]) -> list[Array]:
    return ReferenceEngine(contents).run(inputs)


def _core(target: str) -> Run:
    def run(contents: LensContents, inputs: Sequence[Array]) -> list[Array]:
        return CoreEngine(contents, target=target).run(inputs)

    return run


def _process(core_of: Callable[[str], ProcessCore], target: str) -> Run:
    def run(contents: LensContents, inputs: Sequence[Array]) -> list[Array]:
        engine = ProcessEngine(contents, core_of(target), target=target)
        try:
            return engine.run(inputs)
        finally:
            engine.close()

    return run


REFERENCE = Engine("reference", _reference)
CORES = (
    *(Engine(f"core-{target}", _core(target)) for target in targets()),
    *(Engine(f"core-wasm_{target}", _process(node_core, target)) for target in WASM_TARGETS),
    *(Engine(f"core-{target}", _process(neon_core, target), True) for target in NEON_TARGETS),
)
ENGINES = (REFERENCE, *CORES)
