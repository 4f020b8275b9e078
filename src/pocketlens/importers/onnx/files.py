"""Bytes on disk to a ModelProto. https://onnx.ai/onnx/repo-docs/ExternalData.html

A model may keep weights in files beside it. Such a file's name comes from the model, so it is
judged here: inside the model's folder after links are followed, and as long as the tensor needs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import inliner

from pocketlens.base.errors import ModelError
from pocketlens.base.files import cannot_read


@dataclass(frozen=True)
class ModelFile:
    """A parsed file: its model, with all weights in it, and what its bytes hash to."""

    model: onnx.ModelProto
    sha256: str


def load(path: Path) -> ModelFile:
    """Read and parse `path`, fetch its external data, and let onnx's checker judge it.

    Raises FileError where it cannot be read; ModelError 'not-onnx', 'onnx-invalid',
    'empty-model', 'external-data'.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error
    model = _parse(content, path.name)
    if not model.graph.node:
        raise ModelError(
            f"'{path.name}' is an ONNX file without a single node; there is nothing to run.",
            slug="empty-model",
        )
    _check_text(model, path.name)
    _fetch_external(model, path)
    _check(model, path.name)
    return ModelFile(_without_functions(model, path.name), hashlib.sha256(content).hexdigest())


def _parse(content: bytes, name: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ModelError(
            f"'{name}' is not an ONNX file, or was cut short ({len(content)} bytes); "
            "fetch it again.",
            slug="not-onnx",
        ) from error
    if not (model.HasField("graph") and model.ir_version and model.opset_import):
        raise ModelError(
            f"'{name}' is not an ONNX file: it names no graph or no operator set.", slug="not-onnx"
        )
    return model


def _check_text(model: onnx.ModelProto, name: str) -> None:
    """Protobuf hands out text that is not UTF-8 as bytes; no name may be like that."""
    for text in _texts(model):
        if not isinstance(text, str):
            raise ModelError(
                f"'{name}' is not a valid ONNX model: the name {text!r:.60} is not text.",
                slug="onnx-invalid",
            )


def _texts(model: onnx.ModelProto) -> Iterator[object]:
    graph = model.graph
    yield from (entry.domain for entry in model.opset_import)
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    yield from (info.name for info in (*graph.input, *graph.output))
    for tensor in _tensors(graph):
        yield tensor.name
        for entry in tensor.external_data:
            yield from (entry.key, entry.value)


def _check(model: onnx.ModelProto, name: str) -> None:
    for info in model.graph.output:
        # The checker wants every output to have a shape; some exporters leave it away, and
        # nobody here reads it, since shapes follow from the inputs'.
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        # The checker's first line says what; the rest is a dump of the node.
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ModelError(
            f"'{name}' is not a valid ONNX model: {reason.rstrip('.')}.", slug="onnx-invalid"
        ) from error


def _without_functions(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Functions that the model defines itself, put where they are called."""
    if not model.functions:
        return model
    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"'{name}' is not a valid ONNX model: its functions cannot be inlined: {error}.",
            slug="onnx-invalid",
        ) from error


def _fetch_external(model: onnx.ModelProto, path: Path) -> None:
    for tensor in _tensors(model.graph):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        tensor.raw_data = _read_external(tensor, path)
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _read_external(tensor: onnx.TensorProto, path: Path) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = _beside(entries.get("location", ""), tensor.name, path)
    wanted = _bytes_of(tensor, path.name)
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(wanted)))
    except ValueError:
        raise _bad_external(path, tensor.name, "its offset or length is not a number") from None
    if offset < 0 or length != wanted:
        raise _bad_external(
            path, tensor.name, f"offset {offset}, length {length}, but its shape needs {wanted}"
        )
    try:
        if offset + length > file.stat().st_size:
            raise _bad_external(
                path, tensor.name, f"'{file.name}' ends before its {length} bytes at {offset}"
            )
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)
    except OSError as error:
        raise cannot_read(file, error) from error


def _beside(location: str, tensor: str, path: Path) -> Path:
    """The file that `location` names, which has to lie in the model's folder."""
    parts = PurePosixPath(location).parts
    absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).drive
    if not location or absolute or ".." in parts or "\\" in location or "\0" in location:
        raise _bad_external(path, tensor, f"'{location}' is not a plain relative path")
    folder = path.parent.resolve()
    file = (folder / location).resolve()
    if not file.is_relative_to(folder):
        raise _bad_external(path, tensor, f"'{location}' leads out of the model's folder")
    if file.exists() and not file.is_file():
        raise _bad_external(path, tensor, f"'{location}' is not a file")
    return file


def _bytes_of(tensor: onnx.TensorProto, name: str) -> int:
    try:
        itemsize = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"'{name}' is not a valid ONNX model: tensor '{tensor.name}' has the unknown element "
            f"type {tensor.data_type}.",
            slug="onnx-invalid",
        ) from None
    return int(math.prod(tensor.dims) * itemsize)


def _bad_external(path: Path, tensor: str, why: str) -> ModelError:
    return ModelError(
        f"'{path.name}' keeps tensor '{tensor}' in another file that is refused: {why}. "
        "External data has to lie beside the model.",
        slug="external-data",
    )
