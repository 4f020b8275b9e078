"""Label files as they are found in the world, and broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.base.errors import DataError, FileError
from pocketlens.labels.files import numbered, read_labels
from pocketlens.labels.labels import Label, fault

TENCH = Label("tench, Tinca tinca", wnid="n01440764")
GOLDFISH = Label("goldfish", wnid="n01443537")


def written(folder: Path, content: str | bytes, name: str = "labels.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "n01440764\ttench, Tinca tinca\nn01443537\tgoldfish\n",
        "n01440764 tench, Tinca tinca\nn01443537 goldfish",
        "n01440764\ttench, Tinca tinca\r\nn01443537\tgoldfish\r\n\r\n",
        "\ufeffn01440764  tench, Tinca tinca\rn01443537  goldfish\r",
    ],
)
def test_lines_with_wnids(content: str, tmp_path: Path) -> None:
    assert read_labels(written(tmp_path, content)) == (TENCH, GOLDFISH)


def test_lines_without_wnids(tmp_path: Path) -> None:
    content = "kit fox, Vulpes macrotis\n  7 of 9 \nn0144 is none\ncaffè\u2028latte"
    with pytest.raises(DataError, match=r"class 3.*control character"):
        read_labels(written(tmp_path, content))
    names = [label.name for label in read_labels(written(tmp_path, content.split("\u2028")[0]))]
    assert names == ["kit fox, Vulpes macrotis", "7 of 9", "n0144 is none", "caffè"]


def test_a_wnid_alone_is_its_own_name(tmp_path: Path) -> None:
    assert read_labels(written(tmp_path, "n01440764\n")) == (Label("n01440764", wnid="n01440764"),)


@pytest.mark.parametrize(
    "content",
    [
        ["n01440764 tench, Tinca tinca", "n01443537 goldfish"],
        [["n01440764", "tench, Tinca tinca"], ["n01443537", "goldfish"]],
        [{"name": "tench, Tinca tinca", "wnid": "n01440764"},
         {"name": "goldfish", "wnid": "n01443537", "path": []}],
        {"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench, Tinca tinca"]},
        {"n01443537 goldfish": 1, "n01440764 tench, Tinca tinca": 0},
        {"model_type": "resnet",
         "id2label": {"0": "n01440764 tench, Tinca tinca", "1": "n01443537 goldfish"}},
    ],
)  # fmt: skip
def test_json(content: object, tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(content), "labels.JSON")
    assert read_labels(path) == (TENCH, GOLDFISH)


def test_paths(tmp_path: Path) -> None:
    expected = (Label("tench", path=("animal", "fish")), Label("mug"))
    as_json = [{"name": "tench", "path": ["animal", "fish"]}, "mug"]
    assert read_labels(written(tmp_path, json.dumps(as_json), "a.json")) == expected
    as_csv = "name,path\ntench,animal > fish\nmug,\n"
    assert read_labels(written(tmp_path, as_csv, "a.csv")) == expected


def test_csv_in_order_of_the_index(tmp_path: Path) -> None:
    content = 'note,label,wnid,index\nx,goldfish,n01443537,1\ny,"tench, Tinca tinca",n01440764,0\n'
    assert read_labels(written(tmp_path, content, "a.csv")) == (TENCH, GOLDFISH)
    content = content.replace('"', "").replace("tench, Tinca tinca", "tench; T").replace(",", "\t")
    assert read_labels(written(tmp_path, content, "a.tsv"))[0].name == "tench; T"


@pytest.mark.parametrize(
    ("name", "content", "slug"),
    [
        ("a.txt", "", "labels-empty"),
        ("a.txt", " \n\n", "labels-empty"),
        ("a.txt", "cat\n\ndog\n", "labels-not-understood"),
        ("a.txt", b"cat\ndog\xff\n", "labels-not-utf-8"),
        ("a.txt", b"\x89PNG\r\n\x1a\n", "labels-not-utf-8"),
        ("a.txt", "cat\x1b[31m\n", "labels-not-understood"),
        ("a.txt", "c" * 1001, "labels-not-understood"),
        ("a.json", "[]", "labels-empty"),
        ("a.json", "", "labels-not-understood"),
        ("a.json", '["cat",', "labels-not-understood"),
        ("a.json", '"cat"', "labels-not-understood"),
        ("a.json", "[1, 2]", "labels-not-understood"),
        ("a.json", '[{"title": "cat"}]', "labels-not-understood"),
        ("a.json", '[{"name": "cat", "path": "animal"}]', "labels-not-understood"),
        ("a.json", '[{"name": "cat", "path": [1]}]', "labels-not-understood"),
        ("a.json", '["cat", " "]', "labels-not-understood"),
        ("a.json", '{"0": "cat", "2": "dog"}', "labels-incomplete"),
        ("a.json", '{"cat": 0, "dog": 0}', "labels-not-understood"),
        ("a.json", '{"cat": -1}', "labels-not-understood"),
        ("a.json", '{"0": "cat", "00": "dog"}', "labels-not-understood"),
        ("a.json", '{"cat": "dog"}', "labels-not-understood"),
        ("a.json", "[" * 100_000, "labels-not-understood"),
        ("a.csv", "", "labels-empty"),
        ("a.csv", "name\n", "labels-empty"),
        ("a.csv", "title\ncat\n", "labels-not-understood"),
        ("a.csv", 'name\n"cat\n', "labels-not-understood"),
        ("a.csv", "name,index\ncat,one\n", "labels-not-understood"),
        ("a.csv", "name,index\ncat\n", "labels-not-understood"),
        ("a.csv", "name,index\ncat,0\ndog,0\n", "labels-not-understood"),
        ("a.csv", "name,index\ncat,0\ndog,2\n", "labels-incomplete"),
        ("a.csv", "index,name\n0,\n", "labels-not-understood"),
    ],
)
def test_broken(name: str, content: str | bytes, slug: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_labels(written(tmp_path, content, name))
    assert caught.value.slug == slug
    assert name in caught.value.sentence


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no-such-file"):
        read_labels(tmp_path / "none.txt")
    with pytest.raises(FileError, match="is-a-folder"):
        read_labels(tmp_path)


def test_a_file_that_is_far_too_large(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    with path.open("wb") as file:
        file.truncate((32 << 20) + 1)
    with pytest.raises(DataError, match="labels-too-large"):
        read_labels(path)


@given(st.text(max_size=80), st.sampled_from(["a.txt", "a.json", "a.csv", "a.tsv"]))
def test_any_text_gives_labels_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str
) -> None:
    content = text.encode("utf-8", "surrogatepass")
    try:
        labels = read_labels(written(tmp_path_factory.mktemp("labels"), content, name))
    except DataError:
        return
    assert labels
    assert all(fault(label) is None for label in labels)


def test_numbered() -> None:
    assert numbered(2) == (Label("class 0"), Label("class 1"))
    assert numbered(0) == ()


@pytest.mark.data
def test_the_words_that_ccv_ships(data_folder: Path) -> None:
    labels = read_labels(data_folder / "ccv" / "fixtures" / "image-net-2012.words")
    assert len(labels) == 1000
    assert labels[0] == Label("kit fox, Vulpes macrotis")
