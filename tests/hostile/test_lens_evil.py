"""Lenses made to harm, with a seal that fits: nothing runs, nothing grows, nothing loops."""

from __future__ import annotations

import contextlib
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
from pocketlens.lensfile import reader
from pocketlens.lensfile.contents import Band
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.schema import Row, Rows, Value, tables

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
    "another table in place of labels": ["DROP TABLE labels", "CREATE TABLE evil (x)"],
    "a view in place of labels": ["DROP TABLE labels", "CREATE VIEW labels AS SELECT 1, 2, 3"],
    "a table too few": ["DROP TABLE lens"],
    "a virtual table": ["CREATE VIRTUAL TABLE evil USING fts5(x)"],
    "another column": ["ALTER TABLE labels ADD COLUMN evil TEXT"],
    "another default": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'name TEXT', 'name TEXT DEFAULT 1')",
    ],
    "a column that may be NULL": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')",
    ],
    "without rowid": [
        "DROP TABLE labels",
        "CREATE TABLE labels(name TEXT NOT NULL PRIMARY KEY,wnid INTEGER,parent INTEGER)"
        "WITHOUT ROWID",
    ],
    "no tables at all": [f"DROP TABLE {name}" for name in tables()],
    "statistics for the planner": ["ANALYZE"],
    "two tables in one page": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET rootpage = 2",
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


COLUMNS = [each.name for each in tables()["lens"].columns]


def places(rows: Rows, kind: str) -> list[int]:
    """Where rows of a kind stand."""
    found = [place for place, row in enumerate(rows["lens"]) if (row[0] or "palette") == kind]
    assert found, kind
    return found


def put(kind: str, which: int, /, **values: Value) -> Callable[[Rows], None]:
    """Replaces values of one of the rows of a kind."""

    def change(rows: Rows) -> None:
        place = places(rows, kind)[which]
        row = dict(zip(COLUMNS, rows["lens"][place], strict=True)) | values
        rows["lens"][place] = tuple(row[column] for column in COLUMNS)

    return change


def label(place: int, /, **values: Value) -> Callable[[Rows], None]:
    """Replaces values of one of the labels."""
    columns = [each.name for each in tables()["labels"].columns]

    def change(rows: Rows) -> None:
        row = dict(zip(columns, rows["labels"][place], strict=True)) | values
        rows["labels"][place] = tuple(row[column] for column in columns)

    return change


def drop(kind: str, which: int) -> Callable[[Rows], None]:
    return lambda rows: rows["lens"].pop(places(rows, kind)[which]) and None


def blank(kind: str, which: int) -> Callable[[Rows], None]:
    """Puts a row that nothing belongs to in place of one."""
    return put(kind, which, kind="band", name=None, list=None, says=None, numbers=None, png=b"")


def add(kind: str, /, **values: Value) -> Callable[[Rows], None]:
    """Adds a row at the end."""

    def change(rows: Rows) -> None:
        row: dict[str, Value] = {**dict.fromkeys(COLUMNS), "kind": kind, **values}
        rows["lens"].append(tuple(row[column] for column in COLUMNS))

    return change


def node(name: str, reads: str) -> Row:
    """A row that multiplies."""
    return ("binary", name, reads, "kind=mul", *[None] * 6)


def half(name: str, what: str | None) -> Row:
    """A row of one number in half precision."""
    return ("half", name, "1", what, *[None] * 4, b"12", None)


def says(kind: str, which: int, old: str, new: str) -> Callable[[Rows], None]:
    """Replaces a part of what a row says."""

    def change(rows: Rows) -> None:
        text = rows["lens"][places(rows, kind)[which]][COLUMNS.index("says")]
        assert isinstance(text, str)
        assert old in text, text
        put(kind, which, says=text.replace(old, new))(rows)

    return change


def stem(old: str, new: str) -> Callable[[Rows], None]:
    return says("palette", 0, old, new)


def recipe(old: str, new: str) -> Callable[[Rows], None]:
    return says("photo", 0, old, new)


EVIL_ROWS: dict[str, tuple[str, Callable[[Rows], None]]] = {
    "a number for a text": ("lens-damaged", put("photo", 0, name=7)),
    "a blob for a text": ("lens-bad-row", put("photo", 0, name=b"photo")),
    "a number for a blob": ("lens-bad-row", put("band", 0, png=7)),
    "a text for a blob": ("lens-bad-row", put("band", 0, png="PNG")),
    "a text for a number": ("lens-bad-row", label(0, wnid="tench")),
    "no kind of row": ("lens-graph", add("")),
    "no photo": ("lens-bad-row", blank("photo", 0)),
    "two photos": ("lens-bad-row", add("photo", name="photo", list="6,6")),
    "two networks": ("lens-bad-row", add("lens", name="other", list="4")),
    "two sources": ("lens-bad-row", add("source", name="other")),
    "a receipt with a picture": ("lens-bad-row", put("receipt", 0, png=b"")),
    "a band for nothing": ("lens-bad-row", add("band", png=b"")),
    "a part for nothing": ("lens-bad-row", add("part", numbers=b"")),
    "a tensor for nothing": ("lens-bad-row", add("half", name="idle", list="1", numbers=b"12")),
    "a reason that is usual twice": ("lens-bad-row", add("why", says="bias-half")),
    "a reason that is usual for nothing": ("lens-bad-row", add("why", says="quarter")),
    "a reason that is no reason": ("lens-bad-row", put("half", 0, says="why=4")),
    "a label missing": ("lens-bad-row", lambda rows: rows["labels"].pop(1) and None),
    "a label too many": ("lens-bad-row", lambda rows: rows["labels"].insert(0, ("x", None, None))),
    "a label that is its own kind": ("lens-bad-row", label(2, parent=3)),
    "a label on no branch": ("lens-bad-row", label(2, parent=9)),
    "a label of kind 2^62": ("lens-bad-row", label(2, parent=2**62)),
    "a WordNet id below 0": ("lens-bad-row", label(2, wnid=-1)),
    "a WordNet id of 2^62": ("lens-bad-row", label(2, wnid=2**62)),
    "a branch with a WordNet id": ("lens-bad-row", label(4, wnid=1)),
    "a branch above itself": ("lens-bad-row", label(4, parent=5)),
    "a branch below a later one": ("lens-bad-row", label(4, parent=6)),
    "an endless path": (
        "lens-bad-row",
        lambda rows: rows["labels"].extend(("x", None, n) for n in range(8, 80)),
    ),
    "an ending of no name": ("lens-bad-row", put("lens", 0, says="node=_node tensor=_t")),
    "endings without keys": ("lens-bad-row", put("lens", 0, says="_node")),
    "strides of three": ("lens-graph", says("conv2d", 0, "pads=1", "pads=1 strides=1,1,1")),
    "the output is missing": ("lens-bad-row", put("lens", 0, list=None)),
    "the output is a tensor": ("lens-bad-row", put("lens", 0, list="1")),
    "two outputs": ("lens-bad-row", put("lens", 0, list="5,6")),
    "the output is row 2^62": ("lens-bad-row", put("lens", 0, list=str(2**62))),
    "the last node missing": ("lens-bad-row", blank("binary", 0)),
    "a node that reads nothing there": ("lens-bad-row", put("binary", 0, list="99,4")),
    "a node that reads row 0": ("lens-bad-row", put("binary", 0, list="0,4")),
    "a node that reads row -1": ("lens-bad-row", put("binary", 0, list="-1,4")),
    "a node that reads row 2^80": ("lens-bad-row", put("binary", 0, list=str(2**80))),
    "a node that reads a reason": ("lens-bad-row", put("binary", 0, list="1,1")),
    "a node that reads names": ("lens-bad-row", put("binary", 0, list="photo,stem")),
    "a node that reads 1.0": ("lens-bad-row", put("binary", 0, list="1.0")),
    "a node that makes what is there": ("lens-bad-row", put("binary", 0, name="calm\nstem")),
    "a node that makes a weight": ("lens-bad-row", put("binary", 0, name="calm\ncalm.scale")),
    "a node of two stars": ("lens-bad-row", put("binary", 0, name="calm\n*a*")),
    "a node of a million stars": ("lens-text", put("binary", 0, name="calm\n" + "*" * 999_999)),
    "a name that a terminal obeys": ("lens-text", put("binary", 0, name="\x1b[2J\nscores")),
    "an unknown operator": ("lens-graph", put("binary", 0, kind="exec")),
    "an operator of escape codes": ("lens-graph", put("binary", 0, kind="\x1b[2J")),
    "an attribute that is no text": ("lens-damaged", put("binary", 0, says=1)),
    "a word in place of an attribute": ("lens-graph", put("binary", 0, says="kind")),
    "two words in place of one": ("lens-bad-row", put("binary", 0, says="relu relu kind=mul")),
    "an attribute said twice": ("lens-bad-row", put("binary", 0, says="kind=mul kind=add")),
    "an attribute of nothing": ("lens-bad-row", put("binary", 0, says="kind=")),
    "an attribute missing": ("lens-graph", put("binary", 0, says=None)),
    "an attribute too many": ("lens-graph", put("binary", 0, says="kind=mul x=1")),
    "an attribute that is NaN": ("lens-bad-row", put("binary", 0, says="kind=mul alpha=nan")),
    "an attribute that is endless": ("lens-bad-row", put("binary", 0, says="kind=mul alpha=1e999")),
    "an attribute of huge digits": (
        "lens-bad-row",
        put("conv2d", 0, says=f"pads={'9' * 5000},1,1,1"),
    ),
    "an attribute that is true": ("lens-bad-row", put("conv2d", 0, says="groups=true")),
    "a shape that is no list": ("lens-bad-row", put("palette", 0, list="[8,3,3,3")),
    "a shape of numbers with points": ("lens-bad-row", put("palette", 0, list="8.0,3,3,3")),
    "a shape of nothing": ("lens-graph", put("palette", 0, list=None)),
    "a shape of 100,000 axes": ("lens-bad-row", put("palette", 0, list="1," * 99999 + "1")),
    "a shape of huge digits": ("lens-bad-row", put("palette", 0, list="9" * 5000)),
    "a shape of 2^80": ("lens-bad-row", put("palette", 0, list=str(2**80))),
    "a shape below 0": ("lens-bad-row", put("palette", 0, list="8,-3,3,-3")),
    "a palette that says what it may not": ("lens-bad-row", stem("bands=", "x=1 bands=")),
    "a palette of no size": ("lens-palette", put("palette", 0, numbers=None)),
    "a palette of half a number": ("lens-bad-row", put("palette", 0, numbers=bytes(9))),
    "a group of -1": ("lens-bad-row", stem("bands=", "rows=-1 bands=")),
    "levels of half precision": ("lens-bad-row", put("half", 0, levels=2)),
    "an error below 0": ("lens-fate", put("palette", 0, error=-(2**62))),
    "an error of words": ("lens-bad-row", put("palette", 0, error="x")),
    "a loss that is no number": ("lens-bad-row", put("palette", 0, loss=0.5)),
    "a plane that is no row": ("lens-bad-row", stem("bands=", "bands=99,")),
    "a plane that is row 2^62": ("lens-bad-row", put("palette", 0, plane=2**62, says=None)),
    "a plane beside bands": ("lens-bad-row", put("palette", 0, plane=11)),
    "a plane of tensors": ("lens-bad-row", put("palette", 0, says="bands=15,15")),
    "a plane of nobody": ("lens-bad-row", put("palette", 0, says=None)),
    "a plane of half precision": ("lens-bad-row", put("half", 0, png=b"PNG")),
    "a plane twice": ("lens-bad-row", put("palette", 0, png=b"PNG")),
    "a band that two planes have": ("lens-bad-row", put("palette", 1, says="bands=11,12")),
    "a mask that is a plane": ("lens-bad-row", stem("bands=", "mask=11 bands=")),
    "a mask that is no row": ("lens-bad-row", stem("bands=", "mask=99 bands=")),
    "an even palette of 10 bytes": ("lens-bad-row", put("palette", 0, levels=5)),
    "an even palette of 2^62": (
        "lens-bad-row",
        put("palette", 0, levels=2**62, numbers=bytes(8)),
    ),
    "an even palette beyond half precision": (
        "lens-bad-row",
        put("palette", 0, levels=5, numbers=struct.pack("<2f", 0, 6e4)),
    ),
    "parts that are bands": ("lens-bad-row", put("half", 0, says="parts=11", numbers=None)),
    "parts and numbers": ("lens-bad-row", put("half", 0, says="parts=11")),
    "a recipe without a filter": ("lens-bad-row", recipe("bilinear ", "")),
    "a recipe with a word too many": ("lens-bad-row", recipe("to=", "to to=")),
    "a recipe with more": ("lens-bad-row", recipe("mean", "shear=1 mean")),
    "a recipe of three sides": ("lens-bad-row", recipe("to=8,8", "to=8,8,8")),
    "a crop of one side": ("lens-bad-row", put("photo", 0, list="6")),
    "a mean that is no number": ("lens-bad-row", recipe("mean=104", "mean=NaN")),
    "a mean of 1e999": ("lens-bad-row", recipe("mean=104", "mean=1e999")),
    "a mean of text": ("lens-bad-row", recipe("mean=104", "mean=x")),
    "a mean picture of text": ("lens-bad-row", put("photo", 0, numbers="\0" * 216)),
    "a mean picture beside a mean": ("lens-recipe", put("photo", 0, numbers=bytes(216))),
    "a mean picture of 2 MB": ("lens-damaged", put("photo", 0, numbers=bytes(2_000_000))),
    "a receipt that is no JSON": ("lens-bad-row", put("receipt", 0, says="{")),
    "a receipt of deep JSON": ("lens-bad-row", put("receipt", 0, says="[" * 500_000)),
    "a receipt of huge digits": ("lens-bad-row", put("receipt", 0, says="9" * 5000)),
    "a receipt that is a list": ("lens-bad-row", put("receipt", 0, says="[]")),
    "a receipt with more": ("lens-bad-row", says("receipt", 0, '"crops"', '"x":1,"crops"')),
    "a receipt without a rate": ("lens-bad-row", says("receipt", 0, "[20.0,0.5,71.6]", "null")),
    "an interval of one end": ("lens-bad-row", says("receipt", 0, "0.5,71.6", "0.5")),
    "a rate that is true": ("lens-bad-row", says("receipt", 0, "[20.0", "[true")),
    "a rate that is NaN": ("lens-receipt", says("receipt", 0, "[20.0", "[NaN")),
    "an engine that is a number": ("lens-bad-row", says("receipt", 0, '"reference"', "1")),
    "photos that are text": ("lens-receipt", says("receipt", 0, '"photos":5', '"photos":"5"')),
    "flips that are NaN": ("lens-receipt", says("receipt", 0, '"flips":0', '"flips":NaN')),
    "a fingerprint of 3 bytes": ("lens-receipt", put("receipt", 0, numbers=b"123")),
    "a source's SHA-256 of 3 bytes": ("lens-provenance", put("source", 0, numbers=b"123")),
    "settings that are no JSON": ("lens-provenance", put("made", 0, says="bits=4")),
    "settings that are NULL": ("lens-provenance", put("made", 0, says=None)),
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


def test_nodes_without_end(tmp_path: Path) -> None:
    def change(rows: Rows) -> None:
        rows["lens"] += [node(f"n{n}", "1,1") for n in range(300_000)]

    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == "lens-too-large"


def test_nodes_below_the_row_limit_but_too_many(tmp_path: Path) -> None:
    def change(rows: Rows) -> None:
        last = places(rows, "binary")[0] + 1
        rows["lens"] += [node(f"n{n}", f"{last},{last}") for n in range(70_000)]

    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == "lens-graph"


def test_labels_by_the_million_that_nobody_wrote(tmp_path: Path) -> None:
    """No rows in `labels` stand for numbered classes; the graph must not ask for 10^9 of them."""

    def change(rows: Rows) -> None:
        rows["labels"] = []
        put("binary", 0, kind="expand", list=str(places(rows, "linear")[0] + 1),
            says="shape=10000000,4")(rows)  # fmt: skip

    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == "lens-bad-row"


def test_reasons_of_a_megabyte_for_everyone(tmp_path: Path) -> None:
    """Each reason is made anew with the number of the tensor's values in it."""

    def change(rows: Rows) -> None:
        put("why", 0, name="#" + "x" * 1_000_000)(rows)
        first = len(rows["lens"]) + 1
        rows["lens"] += [half(f"t{n}", "why=9") for n in range(2_000)]
        reads = ",".join(str(first + n) for n in range(2_000))
        add("concat", name="many", list=reads, says="axis=0")(rows)

    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == "lens-too-large"


def test_names_of_a_megabyte_for_everyone(tmp_path: Path) -> None:
    def change(rows: Rows) -> None:
        first = len(rows["lens"]) + 1
        rows["lens"] += [half(f"*{n}", None) for n in range(2_000)]
        reads = ",".join(str(first + n) for n in range(2_000))
        add("concat", name="x" * 1_000_000, list=reads, says="axis=0")(rows)

    assert refused(forge_rows(tmp_path / "evil.lens", GOOD, change)) == "lens-too-large"


def test_rows_that_are_left_out(tmp_path: Path) -> None:
    """Rows call each other by number; a hole would let them mean others in another program."""
    path = forge_sql(tmp_path / "evil.lens", GOOD, "UPDATE lens SET rowid = rowid + 100")
    assert refused(path) == "lens-bad-row"


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

    def change(rows: Rows) -> None:
        png = bomb(1 << 15, 1 << 15, bits=4, raw_bytes=1 << 20)
        put("palette", 0, list=f"{1 << 15},{1 << 15}", says=None, png=png)(rows)

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
