"""An imported network as a lens in memory, nothing coded: floats stay floats, palettes palettes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError
from pocketlens.base.progress import Progress, silent
from pocketlens.importers.imported import GivenPalette, Imported
from pocketlens.labels.labels import numbered
from pocketlens.lensfile.check import check_contents
from pocketlens.lensfile.contents import FateKind, LensContents, Provenance, TensorRecord
from pocketlens.planes.best import BestPlane, encode_best
from pocketlens.planes.encode import store_plane
from pocketlens.planes.plane import index_bits_for

KEPT = "palette of the ccv file, kept"
"""The reason for the fate of a tensor that was palette and indices already."""


def kept_record(
    name: str, palette: GivenPalette, *, crush: int | None = None, progress: Progress = silent
) -> TensorRecord:
    """The record of a tensor whose palette and indices are there already: nothing is lost.

    crush  as planes.encode_plane() takes it
    """
    size = len(palette.values)
    best = encode_best(palette.indices, palette_size=size, crush=crush, progress=progress)
    return _palette_record(name, palette, best)


def _palette_record(name: str, palette: GivenPalette, best: BestPlane) -> TensorRecord:
    return TensorRecord(
        name,
        palette.indices.shape,
        "palette",
        KEPT,
        palette_size=len(palette.values),
        group_rows=palette.indices.shape[0],
        palettes=np.ascontiguousarray(palette.values, dtype="<f2").tobytes(),
        plane=best.plane,
        mask=best.mask,
        common=best.common,
    )


def as_lens(imported: Imported) -> LensContents:
    """The contents of a lens that computes what the network does, as its file has it; planes are
    not compressed.

    Raises ModelError 'no-recipe' where the file does not say how a photo becomes the input;
    LensFileError where its name cannot be a lens's.
    """
    if imported.recipe is None:
        raise ModelError(
            f"'{imported.source_name}' does not say how a photo becomes its input. Make a lens of "
            "it with `pocketlens compress` and its options.",
            slug="no-recipe",
        )
    graph = imported.network.graph
    records = []
    for name in graph.tensor_names():
        if name in imported.palettes:
            palette = imported.palettes[name]
            bits = index_bits_for(len(palette.values))
            plane = store_plane(palette.indices, index_bits=bits)
            records.append(_palette_record(name, palette, BestPlane(plane)))
            continue
        values = imported.network.tensors[name]
        records.append(_plain_record(name, values, is_half=name in imported.halves))
    contents = LensContents(
        name=imported.name,
        graph=graph,
        tensors=tuple(records),
        labels=imported.labels or numbered(graph.shapes[graph.outputs[0]][-1]),
        recipe=imported.recipe,
        provenance=Provenance(imported.source_name, imported.source_sha256, imported.licence),
    )
    check_contents(contents, pixels=False)
    return contents


def _plain_record(name: str, values: NDArray[np.float32], *, is_half: bool) -> TensorRecord:
    data = np.ascontiguousarray(values, dtype="<f2" if is_half else "<f4").tobytes()
    fate: FateKind = "half" if is_half else "float"
    return TensorRecord(name, values.shape, fate, "as it was", values=data)
