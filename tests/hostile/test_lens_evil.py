"""Lenses made to harm, with a seal that fits: nothing runs, nothing grows, nothing loops."""

from __future__ import annotations

import contextlib
import json
import resource
import sqlite3
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lens_forge import forge, forge_rows, forge_sql, with_plane
from lens_samples import chunk, small_lens
from pocketlens.base.errors import LensFileError
from pocketlens.lensfile import image, reader
from pocketlens.lensfile.contents import Band
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.schema import Rows, Value, tables

GOOD = small_lens()


def refused(path: Path) -> str:
    with pytest.raises(LensFileError) as caught:
        read_lens(path)
    assert str(path) in caught.value.sentence
    assert len(caught.value.sentence) < 600
    assert "\x1b" not in caught.value.sentence
    return caught.value.slug


EVIL_SCHEMAS = {
    "a view that loads code": ["CREATE VIEW evil AS SELECT load_extension('/tmp/evil.so')"],
    "a view in place of a table": [
        "ALTER TABLE labels RENAME TO hidden",
        "CREATE VIEW labels AS SELECT * FROM hidden",
    ],
    "a trigger": ["CREATE TRIGGER evil AFTER INSERT ON labels BEGIN DELETE FROM labels; END"],
    "an index": ["CREATE INDEX evil ON labels (name)"],
    "an index on an expression": ["CREATE INDEX evil ON labels (upper(name))"],
    "a partial index": ["CREATE INDEX evil ON labels (name) WHERE length(name) > 3"],
    "a generated column": [
        "ALTER TABLE labels ADD COLUMN evil TEXT AS (printf('%.*c', 100000000, 'x'))"
    ],
    "a table too many": ["CREATE TABLE evil (x)"],
    "a table too few": ["DROP TABLE receipts"],
    "a virtual table": ["CREATE VIRTUAL TABLE evil USING fts5(x)"],
    "another column": ["ALTER TABLE labels ADD COLUMN evil TEXT"],
    "another default": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'name TEXT', 'name TEXT DEFAULT 1')",
    ],
    "without rowid": [
        "DROP TABLE branches",
        "CREATE TABLE branches(number INTEGER PRIMARY KEY,parent INTEGER,name TEXT NOT NULL)"
        "WITHOUT ROWID",
    ],
    "no tables at all": [f"DROP TABLE {name}" for name in tables()],
    "statistics for the planner": ["ANALYZE"],
    "two tables in one page": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET rootpage = 2 WHERE name = 'labels'",
    ],
    "a schema that is no SQL": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE labels(' WHERE name = 'labels'",
    ],
}


@pytest.mark.parametrize("name", EVIL_SCHEMAS)
def test_evil_schema(name: str, tmp_path: Path) -> None:
    path = forge_sql(tmp_path / "evil.lens", GOOD, *EVIL_SCHEMAS[name])
    before = path.read_bytes()
    expected = {
        "lens-schema",
        # SQLite itself refuses schemas that cannot be parsed, or what lies in the wrong page.
        *(["lens-damaged"] if "no SQL" in name or "one page" in name else []),
        *(["lens-bad-row"] if "one page" in name else []),
    }
    assert refused(path) in expected
    assert path.read_bytes() == before


def test_edited_in_a_browser(tmp_path: Path) -> None:
    path = forge_sql(tmp_path / "edited.lens", GOOD, "UPDATE labels SET name = 'shark'")
    assert refused(path) == "lens-damaged"


def test_vacuumed_in_a_browser_is_harmless(tmp_path: Path) -> None:
    path = forge_sql(tmp_path / "same.lens", GOOD, "PRAGMA page_size = 8192", "VACUUM")
    assert read_lens(path) == GOOD


def put(table: str, row: int, column: str, value: Value) -> Callable[[Rows], None]:
    """Replaces one value."""

    def change(rows: Rows) -> None:
        place = [each.name for each in tables()[table].columns].index(column)
        values = list(rows[table][row])
        values[place] = value
        rows[table][row] = tuple(values)

    return change


def drop(table: str, row: int) -> Callable[[Rows], None]:
    return lambda rows: rows[table].pop(row) and None


def node(**changes: object) -> Callable[[Rows], None]:
    """Changes the last node, a binary."""
    columns = [each.name for each in tables()["nodes"].columns]

    def change(rows: Rows) -> None:
        row = dict(zip(columns, rows["nodes"][-1], strict=True)) | changes
        rows["nodes"][-1] = tuple(row[name] for name in columns)  # type: ignore[misc]

    return change


EVIL_ROWS: dict[str, tuple[str, Callable[[Rows], None]]] = {
    "text for a number": ("lens-bad-row", put("planes", 0, "height", "two")),
    "a blob for a text": ("lens-bad-row", put("labels", 0, "name", b"tench")),
    "a number for a blob": ("lens-bad-row", put("planes", 0, "png", 7)),
    "a text for a blob": ("lens-bad-row", put("planes", 0, "png", "PNG")),
    "a row missing": ("lens-bad-row", drop("recipe", 0)),
    "a label missing": ("lens-bad-row", drop("labels", 1)),
    "the last label missing": ("lens-labels", drop("labels", 3)),
    "a band missing": ("lens-bad-row", drop("planes", 1)),
    "the last node missing": ("lens-graph", drop("nodes", 3)),
    "the first part missing": ("lens-bad-row", drop("numbers", 0)),
    "two recipes": ("lens-bad-row", lambda rows: rows["recipe"].append(rows["recipe"][0])),
    "numbers too many": ("lens-bad-row", lambda rows: rows["numbers"].append((1, b"1234"))),
    "a plane of no tensor": ("lens-bad-row", put("planes", 0, "tensor", 99)),
    "a plane of tensor -1": ("lens-bad-row", put("planes", 0, "tensor", -1)),
    "a plane for half precision": ("lens-bad-row", put("planes", 0, "tensor", 1)),
    "a band out of order": ("lens-bad-row", put("planes", 0, "band", 1)),
    "a shape that is no JSON": ("lens-bad-row", put("tensors", 0, "shape", "[8,3,3,3")),
    "a shape of numbers with points": ("lens-bad-row", put("tensors", 0, "shape", "[8.0,3,3,3]")),
    "a shape of true": ("lens-bad-row", put("tensors", 3, "shape", "[true]")),
    "a shape of 100,000 axes": ("lens-bad-row", put("tensors", 3, "shape", f"[{'1,' * 99999}1]")),
    "a shape of huge digits": ("lens-bad-row", put("tensors", 3, "shape", f"[{'9' * 5000}]")),
    "a shape of 2^80": ("lens-bad-row", put("tensors", 3, "shape", f"[{2**80}]")),
    "deep JSON": ("lens-bad-row", put("nodes", 0, "inputs", "[" * 500_000)),
    "inputs that are a text": ("lens-bad-row", put("nodes", 0, "inputs", '"photo"')),
    "inputs that are numbers": ("lens-bad-row", put("nodes", 0, "inputs", "[1,2]")),
    "a name that a terminal obeys": ("lens-text", put("nodes", 0, "name", "\x1b[2J")),
    "a group of -1": ("lens-bad-row", put("tensors", 0, "group_rows", -1)),
    "k = 2^62": ("lens-bad-row", put("tensors", 0, "palette_size", 2**62)),
    "bits = 2^62": ("lens-plane", put("tensors", 0, "index_bits", 2**62)),
    "width = 2^62": ("lens-plane", put("tensors", 0, "plane_width", 2**62)),
    "height = -2^63": ("lens-plane", put("planes", 0, "height", -(2**63))),
    "an endless error": ("lens-fate", put("tensors", 0, "error", float("inf"))),
    "a mean that is no number": ("lens-recipe", put("recipe", 0, "mean", "[NaN,1.0,1.0]")),
    "a mean of 1e999": ("lens-recipe", put("recipe", 0, "mean", "[1e999,1.0,1.0]")),
    "a mean of whole numbers": ("lens-bad-row", put("recipe", 0, "mean", "[1,2,3]")),
    "a mean picture of text": ("lens-bad-row", put("recipe", 0, "mean_picture", "\0" * 216)),
    "a mean picture beside a mean": ("lens-recipe", put("recipe", 0, "mean_picture", bytes(216))),
    "a mean picture of 2 MB": ("lens-damaged", put("recipe", 0, "mean_picture", bytes(2_000_000))),
    "an interval of one end": ("lens-bad-row", put("receipts", 0, "difference_low", None)),
    "an unknown operator": ("lens-graph", node(op="exec", attributes="{}")),
    "an operator of escape codes": ("lens-graph", node(op="\x1b[2J", attributes="{}")),
    "an attribute that is null": ("lens-bad-row", node(attributes='{"kind":null}')),
    "an attribute that is true": ("lens-bad-row", node(attributes='{"kind":true}')),
    "an attribute that is a list of texts": ("lens-bad-row", node(attributes='{"kind":["mul"]}')),
    "attributes that are a list": ("lens-bad-row", node(attributes="[]")),
    "an attribute missing": ("lens-graph", node(attributes="{}")),
    "an attribute too many": ("lens-graph", node(attributes='{"kind":"mul","x":1}')),
    "an attribute that is NaN": ("lens-graph", node(attributes='{"kind":"mul","alpha":NaN}')),
    "a node that reads itself": ("lens-graph", node(inputs='["scores","calm.scale"]')),
    "a node that makes what is there": ("lens-bad-row", node(output="stem")),
    "a node that makes a weight": ("lens-bad-row", node(output="calm.scale")),
    "a branch above itself": ("lens-bad-row", put("branches", 0, "parent", 0)),
    "a branch below none": ("lens-bad-row", put("branches", 1, "parent", 77)),
    "a label on no branch": ("lens-bad-row", put("labels", 2, "branch", 4)),
    "a WordNet id below 0": ("lens-bad-row", put("labels", 2, "wnid", -1)),
    "an endless path": (
        "lens-bad-row",
        lambda rows: rows["branches"].extend((n, n - 1, "x") for n in range(4, 70)),
    ),
}


@pytest.mark.parametrize("name", EVIL_ROWS)
def test_evil_rows(name: str, tmp_path: Path) -> None:
    slug, change = EVIL_ROWS[name]
    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == slug


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = forge_sql(
        tmp_path / "evil.lens", GOOD, "UPDATE labels SET name = CAST(x'FFFE41' AS TEXT)"
    )
    assert refused(path) == "lens-damaged"


def test_nodes_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "PAGE_SIZES", (4096,))

    def change(rows: Rows) -> None:
        first = rows["nodes"][0]
        rows["nodes"] = [(number, *first[1:]) for number in range(300_000)]

    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == "lens-too-large"


def test_nodes_below_the_row_limit_but_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "PAGE_SIZES", (4096,))

    def change(rows: Rows) -> None:
        *_, shape, attributes = rows["nodes"][-1]
        rows["nodes"] += [
            (n, "binary", f"n{n}", f'["{"scores" if n == 4 else f"a{n - 1}"}","calm.scale"]',
             f"a{n}", shape, attributes)
            for n in range(4, 70_000)
        ]  # fmt: skip

    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == "lens-graph"


def test_labels_by_the_million_that_nobody_wrote(tmp_path: Path) -> None:
    """No rows in `labels` stand for numbered classes; the graph must not ask for 10^9 of them."""

    def change(rows: Rows) -> None:
        rows["labels"] = []
        node(shape="[1,1000000000]")(rows)

    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == "lens-bad-row"


def test_tree_that_leads_to_the_same_page_again_and_again(tmp_path: Path) -> None:
    """An interior page of a b-tree whose cells all point to one leaf: rows without end."""
    contents = small_lens(classes=200)
    content = bytearray(forge(tmp_path / "good.lens", contents).read_bytes())
    page_bytes = struct.unpack_from(">H", content, 16)[0]
    with contextlib.closing(sqlite3.connect(tmp_path / "good.lens")) as database:
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'labels'"
        ).fetchone()
    at = (root - 1) * page_bytes
    assert content[at] == 5, "an interior page of a table"
    (cells,) = struct.unpack_from(">H", content, at + 3)
    (leaf,) = struct.unpack_from(">I", content, at + 8)
    for cell in range(cells):
        (place,) = struct.unpack_from(">H", content, at + 12 + 2 * cell)
        struct.pack_into(">I", content, at + place, leaf)
    evil = tmp_path / "evil.lens"
    evil.write_bytes(content)
    assert refused(evil) in ("lens-damaged", "lens-bad-row", "lens-too-large")

    # The same page as its own child: SQLite's depth limit ends it.
    struct.pack_into(">I", content, at + 8, root)
    evil.write_bytes(content)
    assert refused(evil) in ("lens-damaged", "lens-bad-row", "lens-too-large")


def test_tables_that_claim_more_than_the_file_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when b-trees share their pages: the sum of what is read stays below the file's size."""
    path = forge(tmp_path / "good.lens", GOOD)
    real = reader._check_file
    monkeypatch.setattr(reader, "_check_file", lambda path: real(path) // 8)
    assert refused(path) == "lens-too-large"


def bomb(width: int, height: int, *, bits: int = 8, raw_bytes: int | None = None) -> bytes:
    """A small PNG that inflates to a lot of zeros."""
    stride = 1 + (width * bits + 7) // 8
    deflate = zlib.compressobj(9)
    data = b""
    left = stride * height if raw_bytes is None else raw_bytes
    while left > 0:
        data += deflate.compress(bytes(min(left, 1 << 20)))
        left -= 1 << 20
    data += deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def test_picture_that_inflates_beyond_its_size(tmp_path: Path) -> None:
    plane = GOOD.tensors[0].plane
    assert plane is not None
    png = bomb(35, 2, bits=4, raw_bytes=200 << 20)
    bands = (Band(2, png), *plane.bands[1:])
    path = forge(tmp_path / "evil.lens", with_plane(GOOD, 0, bands=bands))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(path) == "plane-damaged"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 << 10, f"{grown} KiB more at the peak"


def test_picture_of_gigabytes_whose_size_is_told(tmp_path: Path) -> None:
    """Shape, rows, width and header agree on 2^31 - 1 indices: nothing is inflated."""
    plane = GOOD.tensors[0].plane
    assert plane is not None

    def change(rows: Rows) -> None:
        put("tensors", 0, "shape", json.dumps([1 << 15, 1 << 15]))(rows)
        put("tensors", 0, "plane_width", 1 << 15)(rows)
        put("tensors", 0, "group_rows", 1 << 15)(rows)
        png = bomb(1 << 15, 1 << 15, bits=4, raw_bytes=1 << 20)
        rows["planes"] = [
            (0, 0, 0, 1 << 15, png),
            *((n + 1, *row[1:]) for n, row in enumerate(rows["planes"]) if row[1] != 0),
        ]
        rows["planes"] = [(n, *row[1:]) for n, row in enumerate(rows["planes"])]

    start = time.process_time()
    slug = refused(forge_rows(tmp_path / "evil.lens", GOOD, change))
    assert slug in ("lens-shape", "lens-graph", "lens-band")
    assert time.process_time() - start < 60, "it was inflated after all"


def test_band_that_inflates_to_more_than_a_megabyte(tmp_path: Path) -> None:
    """Honest in every other way: 1,100 x 1,000 zeros in 1,200 bytes."""
    contents = small_lens(middle=1000, classes=1100)
    png = bomb(1000, 1100, bits=1)
    contents = with_plane(contents, 2, width=1000, bands=(Band(1100, png),))
    read_lens(forge(tmp_path / "fine.lens", contents))
    png = bomb(1000, 1100, bits=8)
    contents = with_plane(contents, 2, width=1000, index_bits=8, bands=(Band(1100, png),))
    assert refused(forge(tmp_path / "evil.lens", contents)) == "lens-band"


def test_nothing_but_selects_is_allowed(tmp_path: Path) -> None:
    path = forge(tmp_path / "good.lens", GOOD)
    with reader._database(path) as database:
        for statement in (
            "DELETE FROM labels",
            "PRAGMA query_only = OFF",
            "ATTACH ':memory:' AS other",
            "SELECT load_extension('x')",
            "CREATE TEMP TABLE t (x)",
            "SELECT upper(name) FROM labels",
        ):
            with pytest.raises(sqlite3.DatabaseError):
                database.execute(statement)
