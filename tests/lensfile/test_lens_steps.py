"""Numbers in half precision told as multiples of a step: the same bytes back, fewer in the file."""

from __future__ import annotations

import dataclasses
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from lens_forge import forge_rows, with_tensor
from lens_samples import small_lens
from pocketlens.base.errors import LensFileError
from pocketlens.graph.graph import Graph, Node
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.rows import to_rows
from pocketlens.lensfile.rows_of_network import Endings, usual_endings
from pocketlens.lensfile.schema import Rows, Value, tables
from pocketlens.lensfile.steps import MOST_STEPPED, gathered, stepped
from pocketlens.lensfile.writer import write_lens

COLUMNS = [each.name for each in tables()["lens"].columns]
STEM_BIAS, HEAD = 1, 2


def halves(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}e", *numbers)


def multiples(count: int, step: float, *, most: int = 300, seed: int = 1) -> bytes:
    dice = random.Random(seed)
    return halves(*(dice.randint(-most, most) * step for _ in range(count)))


def rounded(count: int = 512, *, seed: int = 1) -> LensContents:
    """A head of `count` numbers and the stem's bias, in half precision, rounded."""
    contents = small_lens(middle=count // 4)
    head = dataclasses.replace(
        contents.tensors[HEAD], fate="half", palette_size=0, group_rows=0, palettes=b"",
        plane=None, values=multiples(count, 2.0**-7, seed=seed),
    )  # fmt: skip
    contents = with_tensor(contents, HEAD, **vars(head))
    bias = contents.tensors[STEM_BIAS]
    return with_tensor(
        contents, STEM_BIAS, values=multiples(len(bias.values) // 2, 0.25), loss=1e-5
    )


@pytest.mark.parametrize(
    "values",
    [
        halves(0.0, 0.0),
        halves(0.5, -0.25, 3.0),
        halves(-1.0, 32767 * 2.0**-15),
        halves(2.0**-24, -(2.0**-24), 100 * 2.0**-24),
        halves(2048.0, -4096.0, 1.0),
        multiples(1000, 2.0**-9),
    ],
)
def test_multiples_come_back_to_the_bit(values: bytes) -> None:
    found = stepped(values)
    assert found is not None
    assert found.values == values
    assert all(0 <= index < 65536 for index in found.indices)


@pytest.mark.parametrize(
    "values",
    [
        halves(1.0, 2.0**-24),  # 2^24 steps
        halves(-0.0, 1.0),
        halves(float("inf"), 1.0),
        halves(float("nan")),
        halves(65504.0, 0.5),
    ],
)
def test_what_16_bits_do_not_tell_stays_as_it_is(values: bytes) -> None:
    assert stepped(values) is None


def test_a_picture_is_made_where_it_is_smaller() -> None:
    png, found = gathered({3: multiples(400, 0.125), 7: multiples(600, 2.0**-5)})
    assert list(found) == [3, 7]
    assert len(png) < 0.85 * 2000
    assert gathered({3: multiples(20, 0.125)}) == (b"", {})
    dice = random.Random(2)
    noise = halves(*(dice.gauss(0, 1) for _ in range(500)))
    assert gathered({0: noise}) == (b"", {})


def test_no_more_values_than_fit() -> None:
    half = MOST_STEPPED // 2 * 2
    _, found = gathered({0: multiples(MOST_STEPPED - 10, 0.5), 1: bytes(half), 2: halves(1.0) * 10})
    assert list(found) == [0, 2]


def test_comes_back_and_takes_less(tmp_path: Path) -> None:
    contents = rounded(2048)
    path = tmp_path / "model.lens"
    write_lens(path, contents)
    assert read_lens(path) == contents
    half = {row[1]: row for row in to_rows(contents)["lens"] if row[0] == "half"}
    told = [row[COLUMNS.index("numbers")] for row in half.values()]
    assert told == [struct.pack("<e", 0.25), struct.pack("<e", 2.0**-7)]


def edit(kind: str, which: int, /, **values: Value) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        places = [n for n, row in enumerate(rows["lens"]) if row[0] == kind]
        row = dict(zip(COLUMNS, rows["lens"][places[which]], strict=True)) | values
        rows["lens"][places[which]] = tuple(row[column] for column in COLUMNS)

    return change


def picture(rows: Rows) -> int:
    """Number of the row of the picture of steps."""
    return next(int(str(row[5])) for row in rows["lens"] if row[0] == "half")


def another_picture(rows: Rows) -> None:
    place = picture(rows)
    rows["lens"].append(rows["lens"][place - 1])
    edit("half", 0, plane=len(rows["lens"]))(rows)


def of_other_size(rows: Rows) -> None:
    """The picture of more numbers."""
    other = to_rows(rounded(1024))
    rows["lens"][picture(rows) - 1] = other["lens"][picture(other) - 1]


def a_palette_of_it(rows: Rows) -> None:
    edit("half", 0, kind=None, numbers=bytes(8), levels=2)(rows)


def png_of_zeros(rows: Rows) -> None:
    place = picture(rows)
    row = rows["lens"][place - 1]
    rows["lens"][place - 1] = (*row[:-1], b"PNG")


EVIL: dict[str, tuple[str, Callable[[Rows], None]]] = {
    "a step of 4 bytes": ("lens-bad-row", edit("half", 0, numbers=bytes(4))),
    "no step": ("lens-bad-row", edit("half", 0, numbers=None)),
    "a step that is endless": ("lens-values", edit("half", 0, numbers=b"\0\x7c")),
    "a step that is no number": ("lens-values", edit("half", 0, numbers=b"\0\x7e")),
    "a step so large that values are endless": (
        "lens-bad-row",
        edit("half", 0, numbers=struct.pack("<e", 32768.0)),
    ),
    "no such picture": ("lens-bad-row", edit("half", 0, plane=2**40)),
    "a row that is no picture": ("lens-bad-row", edit("half", 0, plane=1)),
    "a picture of one's own beside it": ("lens-bad-row", edit("half", 0, png=b"PNG")),
    "parts beside it": ("lens-bad-row", edit("half", 0, says="parts=1")),
    "bands beside it": ("lens-bad-row", edit("half", 0, says="bands=1")),
    "a beginning": ("lens-fate", edit("half", 0, says="first=3")),
    "levels": ("lens-bad-row", edit("half", 0, levels=2)),
    "two pictures": ("lens-bad-row", another_picture),
    "a picture of another size": ("lens-bad-row", of_other_size),
    "a picture that is none": ("plane-damaged", png_of_zeros),
    "a palette in that picture": ("lens-bad-row", a_palette_of_it),
    "a float in that picture": ("lens-bad-row", edit("half", 0, kind="float")),
}


@pytest.mark.parametrize("name", EVIL)
def test_reader_refuses(name: str, tmp_path: Path) -> None:
    slug, change = EVIL[name]
    with pytest.raises(LensFileError) as caught:
        read_lens(forge_rows(tmp_path / "evil.lens", rounded(), change))
    assert caught.value.slug == slug


def named(*names: tuple[str, str, str]) -> Graph:
    """Nodes by name, array, activation, one after the other."""
    nodes, before = [], "photo"
    for name, array, activation in names:
        nodes.append(Node("unary", name, (before,), array, {"activation": activation}))
        before = array
    return Graph(("photo",), (before,), tuple(nodes), {})


def test_endings_are_those_of_most_names() -> None:
    graph = named(
        ("a_node", "a_relu", "relu"),
        ("b_node", "b", "none"),
        ("c_node", "c_relu", "relu"),
        ("d_node", "other", "relu"),
    )
    endings = usual_endings(graph)
    assert endings == Endings("_node", "_relu", "")
    assert [endings.array("x_node", active=each) for each in (True, False)] == ["x_relu", "x"]


def test_names_without_a_common_ending_have_none() -> None:
    assert usual_endings(named(("a_node", "a", "none"), ("b", "b", "none"))) == Endings("", "", "")
    assert usual_endings(named(("a", "a b", "none"), ("c", "c b", "none"))) == Endings("", "", "")
    assert usual_endings(named(("pool", "pooled", "none"))) == Endings("", "", "")
