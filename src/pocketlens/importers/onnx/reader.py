"""The door of the ONNX importer. It does not need the onnx package to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.base.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx

    from pocketlens.graph.graph import Network, Shape
    from pocketlens.importers.imported import Imported


def read_onnx(path: Path | str, *, input_shape: Shape | None = None) -> Imported:
    """Read the classifier in an ONNX file, opsets 7 to the newest that onnx knows.

    input_shape  (1, channels, height, width), where the file leaves it open or fixes a batch
    returns      a network with one input (1, C, H, W) and one output (1, classes), simplified;
                 float32 whatever the file's floats are
    Raises MissingExtraError, FileError (missing, unreadable), ModelError: 'not-onnx',
    'onnx-invalid', 'onnx-opset', 'external-data', 'unsupported-operator', 'unsupported-form',
    'not-a-classifier', 'input-shape-open', 'not-finite' and others; docs/errors/importers.md.
    """
    _ask_for_onnx()
    from pocketlens.importers.onnx import classifier

    return classifier.read(Path(path), input_shape=input_shape)


def lower_model(
    model: onnx.ModelProto,
    *,
    source: str = "the model",
    input_shapes: Mapping[str, Shape] | None = None,
    simplified: bool = True,
) -> Network:
    """The network that a ModelProto describes: any number of inputs and outputs of any rank.

    source        what to call the model in sentences
    input_shapes  by name, for inputs whose shape is left open; a free first axis is 1 anyway
    simplified    False: node by node as lowered, without the rewrites of graph/passes
    Raises MissingExtraError, ModelError.
    """
    _ask_for_onnx()
    from pocketlens.importers.onnx import lowering

    return lowering.lower(model, source=source, input_shapes=input_shapes, simplified=simplified)


def _ask_for_onnx() -> None:
    try:
        import onnx  # noqa: F401 - only asked whether it is there
    except ImportError as error:
        raise MissingExtraError("Importing ONNX", "onnx") from error
