"""Class names from files as they are found: text, JSON, CSV. One label a class, in order.

text  one a line: `name`, `wnid<TAB>name` or `wnid name`; an empty last line is ignored
JSON  a list of names or of {"name", "wnid", "path"}; or an object, from number to name or
to [wnid, name] (Keras), or from name to number; "id2label" in a model's config.json
CSV   a header with `name` or `label`, and if wanted `wnid`, `path` ("animal > dog") and
`index`, which puts the rows in order; other columns are ignored
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pocketlens.base.errors import DataError
from pocketlens.base.files import cannot_read
from pocketlens.labels.labels import Label, fault, numbered

__all__ = ["numbered", "read_labels"]

MAX_FILE_BYTES = 32 << 20
"""Far more than the names of ImageNet-21k (1 MB)."""

_WNID = re.compile(r"(n[0-9]{8})(?:[\t ]+(.*))?")


def read_labels(path: Path) -> tuple[Label, ...]:
    """The labels of a file: JSON for .json, CSV for .csv, tab-separated for .tsv, else text.

    Raises FileError 'no-such-file', 'is-a-folder' or 'cannot-read'; DataError 'labels-empty',
    'labels-not-utf-8', 'labels-not-understood', 'labels-too-large' or 'labels-incomplete'.
    """
    text = _read_text(path)
    kind = path.suffix.lower()
    if kind == ".json":
        labels = _from_json(text, path)
    elif kind in (".csv", ".tsv"):
        labels = _from_csv(text, path, delimiter="\t" if kind == ".tsv" else ",")
    else:
        labels = _from_lines(text, path)
    if not labels:
        raise DataError(
            f"'{path}' holds no labels. Expected one class a line, or a JSON list.",
            slug="labels-empty",
        )
    for number, label in enumerate(labels):
        problem = fault(label)
        if problem:
            raise _not_understood(path, f"the label of class {number} {problem}")
    return tuple(labels)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(content) > MAX_FILE_BYTES:
        raise DataError(
            f"'{path}' is larger than {MAX_FILE_BYTES:,} bytes, too large for a list of labels. "
            "Is it another file?",
            slug="labels-too-large",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"'{path}' is not UTF-8: byte 0x{content[error.start]:02x} in line {line}. "
            "Save it as UTF-8.",
            slug="labels-not-utf-8",
        ) from error


def _from_lines(text: str, path: Path) -> list[Label]:
    # Not splitlines(): that also cuts at rare characters that a name may hold.
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text.rstrip())]
    if lines == [""]:
        return []
    for number, line in enumerate(lines, start=1):
        if not line:
            raise _not_understood(path, f"line {number} is empty, and a class cannot be skipped")
    return [_from_line(line) for line in lines]


def _from_line(line: str) -> Label:
    found = _WNID.fullmatch(line)
    if not found:
        return Label(line)
    return Label((found[2] or "").strip() or found[1], wnid=found[1])


def _from_json(text: str, path: Path) -> list[Label]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise _not_understood(
            path, f"it is not JSON, {error.msg} in line {error.lineno}"
        ) from error
    except RecursionError as error:
        raise _not_understood(path, "its JSON is nested too deep") from error
    if isinstance(content, Mapping) and isinstance(content.get("id2label"), Mapping):
        content = content["id2label"]
    if isinstance(content, Mapping):
        content = _in_order(content, path)
    if not isinstance(content, list):
        raise _not_understood(path, "its JSON is neither a list nor an object")
    return [_from_value(value, number, path) for number, value in enumerate(content)]


def _in_order(content: Mapping[str, Any], path: Path) -> list[Any]:
    """{"0": name, ...} or {name: 0, ...} as a list."""
    names_are_keys = all(type(value) is int for value in content.values())
    rows: dict[int, Any] = {}
    for key, value in content.items():
        number, name = (value, key) if names_are_keys else (key, value)
        if not re.fullmatch(r"[0-9]{1,9}", str(number)):
            raise _not_understood(path, f"'{number}' is not the number of a class")
        if int(number) in rows:
            raise _not_understood(path, f"class {int(number)} is named twice")
        rows[int(number)] = name
    return _complete(rows, path)


def _complete(rows: Mapping[int, Any], path: Path) -> list[Any]:
    missing = next((number for number in range(len(rows)) if number not in rows), None)
    if missing is not None:
        raise DataError(
            f"'{path}' names {len(rows)} classes up to number {max(rows)}, but not class "
            f"{missing}. Expected every number from 0.",
            slug="labels-incomplete",
        )
    return [rows[number] for number in range(len(rows))]


def _from_value(value: Any, number: int, path: Path) -> Label:
    if isinstance(value, str):
        return _from_line(value.strip())
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value):
        return Label(value[1], wnid=value[0])
    if isinstance(value, Mapping):
        name, wnid = value.get("name"), value.get("wnid", "")
        steps = value.get("path", [])
        texts = [name, wnid, *steps] if isinstance(steps, list) else [None]
        if all(isinstance(item, str) for item in texts):
            return Label(str(name), wnid=str(wnid), path=tuple(steps))
    raise _not_understood(
        path, f"class {number} is neither a name, nor [wnid, name], nor an object with 'name'"
    )


def _from_csv(text: str, path: Path, *, delimiter: str) -> list[Label]:
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise _not_understood(path, f"its CSV is broken: {error}") from error
    columns = rows[0].keys() if rows else ()
    title = "name" if "name" in columns else "label"
    if rows and title not in columns:
        raise _not_understood(path, "its first line has neither a column 'name' nor 'label'")
    labels = [_from_row(row, title) for row in rows]
    if "index" not in columns:
        return labels
    numbers = [(row["index"] or "").strip() for row in rows]
    return _ordered(labels, numbers, path)


def _from_row(row: Mapping[str, str | None], title: str) -> Label:
    steps = (row.get("path") or "").split(">")
    return Label(
        (row[title] or "").strip(),
        wnid=(row.get("wnid") or "").strip(),
        path=tuple(step.strip() for step in steps if step.strip()),
    )


def _ordered(labels: list[Label], numbers: list[str], path: Path) -> list[Label]:
    rows: dict[int, Label] = {}
    for label, number in zip(labels, numbers, strict=True):
        if not re.fullmatch(r"[0-9]{1,9}", number):
            raise _not_understood(path, f"the index '{number}' is not a number")
        if int(number) in rows:
            raise _not_understood(path, f"index {int(number)} stands there twice")
        rows[int(number)] = label
    return _complete(rows, path)


def _not_understood(path: Path, why: str) -> DataError:
    return DataError(
        f"The labels in '{path}' are not understood: {why}. "
        "Expected one class a line, a JSON list, or a CSV with a column 'name'.",
        slug="labels-not-understood",
    )
