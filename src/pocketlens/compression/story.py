"""The story of compression in one readable function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens._version import __version__
from pocketlens.base.errors import ModelError, UsageError
from pocketlens.base.files import keep_apart
from pocketlens.base.progress import Progress, silent
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.compression.about import About
from pocketlens.compression.fates import store_tensors
from pocketlens.compression.recipes import RecipeRequest
from pocketlens.compression.settings import Settings
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.graph import Network
from pocketlens.importers.imported import Imported
from pocketlens.importers.reader import read_model
from pocketlens.labels.labels import numbered
from pocketlens.labels.order import in_order, refuse_sorted
from pocketlens.labels.synsets import with_paths
from pocketlens.lensfile.contents import LensContents, Provenance
from pocketlens.lensfile.writer import write_lens

if TYPE_CHECKING:
    from pocketlens.images.recipe import Recipe
    from pocketlens.labels.labels import Label


def compress(
    model: Path,
    out: Path,
    *,
    settings: Settings | None = None,
    about: About | None = None,
    planes: Mapping[int, Path] | None = None,
    progress: Progress = silent,
) -> LensContents:
    """Import a model, give every tensor its fate, and write a lens.

    model    an ONNX file, or an SQLite file of ccv's
    out      where the lens goes; replaced whole or not at all
    about    what the lens says beside its network
    planes   pictures of weights by layer, of a network of ccv's: see read_ccv()
    returns  what was written
    Raises ModelError, UsageError, FileError.
    """
    keep_apart(model, out)
    progress("reading the model", 0, 1)
    imported = read_model(model, planes=planes)
    progress("reading the model", 1, 1)
    return compress_imported(imported, out, settings=settings, about=about, progress=progress)


def compress_imported(
    imported: Imported,
    out: Path,
    *,
    settings: Settings | None = None,
    about: About | None = None,
    progress: Progress = silent,
) -> LensContents:
    """Give every tensor of a network its fate, and write a lens: compress() says the rest."""
    settings, about = settings or Settings(), about or About()
    contents = _packed(imported, settings=settings, about=about, progress=progress)
    write_lens(out, contents, progress=progress)
    return contents


def pack(
    imported: Imported,
    *,
    settings: Settings,
    recipe: Recipe | RecipeRequest | str | None = None,
    labels: tuple[Label, ...] | None = None,
    name: str | None = None,
    licence: str | None = None,
    progress: Progress = silent,
) -> LensContents:
    """Turn an imported network into the contents of a lens, without writing a file.

    Palettes that the network came with stay, whatever the settings ask of all tensors.
    """
    about = About(recipe, labels, name, licence)
    return _packed(imported, settings=settings, about=about, progress=progress)


def _packed(
    imported: Imported, *, settings: Settings, about: About, progress: Progress
) -> LensContents:
    empty = frame(imported, settings=settings.to_json(), about=about)
    network = imported.network
    records = store_tensors(
        network.graph,
        network.tensors,
        settings=settings,
        palettes=imported.palettes,
        halves=imported.halves,
        progress=progress,
    )
    return replace(empty, tensors=records)


def frame(imported: Imported, *, settings: str, about: About) -> LensContents:
    """A lens without its tensors: made before the long work, so that a typo is told early.

    settings  what was asked, as JSON text
    Raises UsageError, ModelError, DataError where labels, recipe and network do not fit together.
    """
    licence = about.licence if about.licence is not None else imported.licence
    return LensContents(
        name=about.name or imported.name,
        graph=imported.network.graph,
        tensors=(),
        labels=_fitting_labels(about, imported),
        recipe=_fitting_recipe(about.recipe, imported),
        provenance=Provenance(
            source_name=imported.source_name,
            source_sha256=imported.source_sha256,
            licence=licence,
            made_by=f"pocketlens {__version__}",
            settings=settings,
        ),
    )


def unpack(contents: LensContents) -> Imported:
    """Read a lens back as a network with float tensors, to be compressed anew.

    The tensors are what the lens holds, decoded: what was lost stays lost.
    """
    graph = contents.graph
    tensors = {record.name: tensor_values(record) for record in contents.tensors}
    return Imported(
        network=Network(graph, tensors),
        name=contents.name,
        source_name=contents.provenance.source_name,
        source_sha256=contents.provenance.source_sha256,
        scores="probabilities" if ends_in_softmax(graph) else "logits",
        input_shape=graph.shapes[graph.inputs[0]],
        licence=contents.provenance.licence,
        labels=contents.labels,
    )


def _class_count(imported: Imported) -> int:
    graph = imported.network.graph
    return graph.shapes[graph.outputs[0]][-1]


def _fitting_labels(about: About, imported: Imported) -> tuple[Label, ...]:
    classes = _class_count(imported)
    labels = about.labels or imported.labels
    own = tuple(label.wnid for label in imported.labels)
    if about.wnids is not None:
        labels = in_order(labels, about.wnids)
    elif about.labels and own and all(own):
        labels = in_order(labels, own)
    elif imported.class_order == "ilsvrc2012":
        refuse_sorted(labels, source=imported.source_name)
    if about.synsets is not None:
        labels = with_paths(labels, about.synsets)
    if not labels:
        return numbered(classes)
    if len(labels) != classes:
        raise UsageError(
            f"There are {len(labels)} labels, but '{imported.source_name}' answers with "
            f"{classes} classes. Give one label a class, in the order of the outputs.",
            slug="labels-do-not-fit",
        )
    return labels


def _fitting_recipe(recipe: Recipe | RecipeRequest | str | None, imported: Imported) -> Recipe:
    graph = imported.network.graph
    shape = graph.shapes[graph.inputs[0]]
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise ModelError(
            f"The input of '{imported.source_name}' has shape {shape}; a picture's is "
            "(1, 3, height, width), or 1 in place of 3 for gray.",
            slug="input-not-a-picture",
        )
    _, channels, height, width = shape
    if recipe is None or isinstance(recipe, str):
        recipe = RecipeRequest(preset=recipe)
    if isinstance(recipe, RecipeRequest):
        recipe = recipe.fit(height, width, channels=channels, told=imported.recipe)
    if (recipe.height, recipe.width) != (height, width):
        raise UsageError(
            f"The recipe makes pictures of {recipe.height}x{recipe.width}, but "
            f"'{imported.source_name}' takes {height}x{width}.",
            slug="recipe-does-not-fit",
        )
    return recipe
