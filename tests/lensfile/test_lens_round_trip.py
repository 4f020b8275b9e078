"""What is written comes back, the same contents give the same bytes, and small stays small."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lens_samples import chunk, palette_tensor, plain_tensor, receipt, small_lens
from pocketlens.labels.labels import Label, numbered
from pocketlens.lensfile.contents import Band, LensContents, Plane, Provenance, TensorRecord
from pocketlens.lensfile.image import build_image
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.rows import to_rows
from pocketlens.lensfile.schema import APPLICATION_ID, SCHEMA, VERSION, VERSIONS, tables
from pocketlens.lensfile.unfilter import unfilter
from pocketlens.lensfile.writer import add_receipt, write_lens
from pocketlens.planes.scanlines import scanline_bytes

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12
)
LABELS = st.builds(
    Label,
    WORDS,
    st.one_of(st.just(""), st.from_regex(r"n[0-9]{8}", fullmatch=True)),
    st.lists(WORDS, max_size=4).map(tuple),
)


@st.composite
def lenses(draw: st.DrawFn) -> LensContents:
    """Lenses of every size of palette, group, band and picture."""
    channels = draw(st.sampled_from([1, 3]))
    middle, classes = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    bits = draw(st.sampled_from([1, 2, 4, 8]))
    base = small_lens(channels=channels, side=draw(st.integers(1, 9)), middle=middle,
                      classes=classes)  # fmt: skip
    stem = palette_tensor(
        "stem.weight",
        (middle, channels, 3, 3),
        size=draw(st.integers(1, 1 << bits)),
        bits=bits,
        group_rows=draw(st.integers(1, middle)),
        width=draw(st.integers(1, middle * channels * 9)),
        band_rows=draw(st.integers(1, 50)),
    )
    head = plain_tensor(
        "head.weight", (classes, middle), fate=draw(st.sampled_from(["half", "float"]))
    )
    recipe = base.recipe
    if draw(st.booleans()):
        numbers = channels * recipe.height * recipe.width
        picture = struct.pack("<e", draw(st.floats(0, 255))) * numbers
        recipe = dataclasses.replace(recipe, mean=(0.0,) * channels, mean_picture=picture)
    elif draw(st.booleans()):
        side = recipe.height + draw(st.integers(0, 3))
        picture = struct.pack("<f", draw(st.floats(0, 255))) * (channels * side * side)
        recipe = dataclasses.replace(
            recipe, resize="ccv", resize_height=side, resize_width=side,
            mean=(0.0,) * channels, mean_picture=picture,
        )  # fmt: skip
    return dataclasses.replace(
        base,
        name=draw(WORDS),
        recipe=recipe,
        tensors=(stem, base.tensors[1], head, base.tensors[3]),
        labels=tuple(draw(st.lists(LABELS, min_size=classes, max_size=classes))),
        provenance=Provenance(licence="\n".join(draw(st.lists(WORDS, max_size=3)))),
        receipts=tuple(
            receipt(n=n, flips=0) for n in draw(st.lists(st.integers(1, 2**53), max_size=3))
        ),
    )


@settings(max_examples=60)
@given(lenses())
def test_contents_come_back(contents: LensContents) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.lens"
        write_lens(path, contents)
        assert read_lens(path) == contents
        written = path.read_bytes()
        write_lens(path, read_lens(path))
        assert path.read_bytes() == written


def test_names_of_files_are_not_understood_as_addresses(tmp_path: Path) -> None:
    for name in ("a?mode=rw&b#c%41.lens", "grüße 🐕.lens", "'\".lens"):
        write_lens(tmp_path / name, small_lens())
        assert read_lens(tmp_path / name) == small_lens()


def test_order_of_mappings_does_not_reach_the_bytes(tmp_path: Path) -> None:
    good = small_lens()
    nodes = tuple(
        dataclasses.replace(node, attributes=dict(reversed(node.attributes.items())))
        for node in good.graph.nodes
    )
    graph = dataclasses.replace(
        good.graph, nodes=nodes, shapes=dict(reversed(good.graph.shapes.items()))
    )
    other = dataclasses.replace(good, graph=graph)
    assert build_image(to_rows(other)) == build_image(to_rows(good))


def test_header_holds_no_history() -> None:
    image = build_image(to_rows(small_lens()))
    assert struct.unpack_from(">I", image, 24) == (1,)
    assert struct.unpack_from(">II", image, 92) == (1, 3_036_000)
    assert struct.unpack_from(">I", image, 60) == (VERSION,)
    assert struct.unpack_from(">I", image, 68) == (APPLICATION_ID,)
    assert image[18:20] == b"\1\1", "no write-ahead log"


def test_sqlite_finds_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "model.lens"
    write_lens(path, small_lens())
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA freelist_count").fetchall() == [(0,)]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["model.lens"]


def test_receipts_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "model.lens"
    write_lens(path, small_lens())
    add_receipt(path, receipt(n=7))
    assert [each.n for each in read_lens(path).receipts] == [5, 7]
    assert dataclasses.replace(read_lens(path), receipts=()) == dataclasses.replace(
        small_lens(), receipts=()
    )


def test_classes_without_names_take_no_rows(tmp_path: Path) -> None:
    contents = dataclasses.replace(small_lens(), labels=numbered(4))
    assert to_rows(contents)["labels"] == []
    write_lens(tmp_path / "model.lens", contents)
    assert read_lens(tmp_path / "model.lens").labels == numbered(4)


def test_hypernyms_are_stored_once() -> None:
    rows = to_rows(small_lens())["labels"]
    assert rows[4:] == [
        ("animal", None, None), ("fish", None, 5), ("dog", None, 5), ("retriever", None, 7)
    ]  # fmt: skip


def test_numbers_and_planes_beyond_a_megabyte_come_back(tmp_path: Path) -> None:
    """A float tensor of 1.2 MB is cut in parts; the file then suits larger pages."""
    contents = small_lens(middle=75, classes=4000, side=1)
    tensors = list(contents.tensors)
    tensors[2] = plain_tensor("head.weight", (4000, 75), fate="float")
    contents = dataclasses.replace(contents, tensors=tuple(tensors), labels=numbered(4000))
    path = tmp_path / "model.lens"
    write_lens(path, contents)
    assert read_lens(path) == contents
    parts = [row[-2] for row in to_rows(contents)["lens"] if row[0] == "part"]
    assert [len(part) for part in parts if isinstance(part, bytes)] == [1_000_000, 200_000]
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA page_size").fetchone()[0] > 512


def test_overhead_stays_small(tmp_path: Path) -> None:
    """2.5% and 8 kB above what its texts and blobs need: tables, pages, schema."""
    dice = random.Random(1)
    labels = tuple(Label(f"class of {dice.random()}", f"n{n:08}") for n in range(1000))
    contents = small_lens(middle=64, classes=1000)
    wide = palette_tensor("head.weight", (1000, 64), size=256, bits=8, width=2048, band_rows=16)
    tensors = (*contents.tensors[:2], wide, contents.tensors[3])
    contents = dataclasses.replace(contents, tensors=tensors, labels=labels)
    image = build_image(to_rows(contents))
    held = sum(
        len(value.encode() if isinstance(value, str) else value)
        for rows in to_rows(contents).values()
        for row in rows
        for value in row
        if isinstance(value, (str, bytes))
    )
    rows = sum(map(len, to_rows(contents).values()))
    assert len(image) <= 1.025 * held + 16 * rows + 8_000


def test_reading_needs_no_numpy(tmp_path: Path) -> None:
    path = tmp_path / "model.lens"
    write_lens(path, small_lens())
    script = (
        "import sys; from pathlib import Path; from pocketlens.lensfile.reader import read_lens;"
        "read_lens(Path(sys.argv[1])); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script, str(path)], check=True)


def test_every_column_has_a_comment_and_every_version_its_change() -> None:
    lines = [line for line in SCHEMA.splitlines() if line.startswith("    ")]
    columns = [line for line in lines if not line.strip().startswith("--")]
    assert columns and all("-- " in line for line in columns)
    assert sum(len(table.columns) for table in tables().values()) == len(columns)
    assert SCHEMA.count("\n-- ") >= SCHEMA.count("CREATE TABLE") == len(tables())
    assert list(VERSIONS) == list(range(1, VERSION + 1))


def test_filters_of_an_optimiser_are_undone(tmp_path: Path) -> None:
    """The five filters, against the definition in section 9.2 of the PNG specification."""
    dice = random.Random(2)
    width, kinds = 37, [0, 1, 2, 3, 4, 4, 3, 2, 1]
    plain = [bytes(dice.randrange(200) for _ in range(width)) for _ in kinds]
    scanlines = b"".join(
        bytes([kind]) + _filtered(kind, row, above)
        for kind, row, above in zip(kinds, plain, [bytes(width), *plain], strict=False)
    )
    assert unfilter(scanlines, width + 1) == b"".join(b"\0" + row for row in plain)

    header = struct.pack(">IIBBBBB", width, len(kinds), 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    png += chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b"")
    plane = Plane(width, 8, (Band(len(kinds), png),))
    base = palette_tensor("head.weight", (len(kinds), width), size=200, bits=8)
    contents = small_lens(middle=width, classes=len(kinds))
    tensors = list(contents.tensors)
    tensors[2] = dataclasses.replace(base, plane=plane)
    contents = dataclasses.replace(contents, tensors=tuple(tensors))
    write_lens(tmp_path / "model.lens", contents)
    assert read_lens(tmp_path / "model.lens") == contents
    assert scanline_bytes(width, 8) == width + 1


def _filtered(kind: int, row: bytes, above: bytes) -> bytes:
    left = b"\0" + row[:-1]
    corner = b"\0" + above[:-1]

    def paeth(a: int, b: int, c: int) -> int:
        distances = [(abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c)]
        return min(distances)[2]

    predictions = {
        0: [0] * len(row),
        1: list(left),
        2: list(above),
        3: [(a + b) // 2 for a, b in zip(left, above, strict=True)],
        4: [paeth(a, b, c) for a, b, c in zip(left, above, corner, strict=True)],
    }[kind]
    return bytes((x - p) & 255 for x, p in zip(row, predictions, strict=True))


def test_a_constant_tensor_and_a_scalar_come_back(tmp_path: Path) -> None:
    contents = small_lens(middle=1, classes=1, stem_size=1, stem_bits=1)
    scalar = TensorRecord("calm.scale", (1,), "float", "", values=struct.pack("<f", -0.0))
    contents = dataclasses.replace(contents, tensors=(*contents.tensors[:3], scalar))
    write_lens(tmp_path / "model.lens", contents)
    assert read_lens(tmp_path / "model.lens") == contents
