"""The tree of synsets, and files that would rather be something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketlens.base.errors import DataError, FileError
from pocketlens.labels.labels import Label
from pocketlens.labels.synsets import MAX_DEPTH, Synsets, read_synsets, with_paths

TREE = """<?xml version="1.0" encoding="UTF-8"?>
<ImageNetStructure><releaseData>fall2011</releaseData>
<synset wnid="fall11" words="everything" gloss="all">
  <synset wnid="n00015388" words="animal, beast" gloss="breathes &amp; eats">
    <synset wnid="n02084071" words="dog, domestic dog, Canis familiaris">
      <synset wnid="n02110185" words="Siberian husky"/>
    </synset>
    <synset wnid="n02121808" words="domestic cat"/>
  </synset>
  <synset wnid="n00002684" words="thing">
    <synset wnid="n02121808" words="domestic cat, house cat"/>
  </synset>
</synset></ImageNetStructure>
"""
HUSKY = Label("husky", "n02110185")
DOGS = ("animal, beast", "dog, domestic dog, Canis familiaris")


@pytest.fixture
def synsets(tmp_path: Path) -> Synsets:
    return read_synsets(written(tmp_path, TREE))


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "structure.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_paths_go_from_general_to_specific_without_the_root(synsets: Synsets) -> None:
    assert synsets["n02110185"] == (*DOGS, "Siberian husky")
    assert synsets["n00015388"] == ("animal, beast",)
    assert synsets["fall11"] == ()


def test_the_last_place_wins(synsets: Synsets) -> None:
    assert synsets["n02121808"] == ("thing", "domestic cat, house cat")


def test_labels_get_their_paths(synsets: Synsets) -> None:
    labels = (HUSKY, Label("teapot"), Label("n02121808", "n02121808"), Label("x", "n99999999"))
    assert with_paths(labels, synsets) == (
        Label("husky", "n02110185", DOGS),
        labels[1],
        Label("domestic cat, house cat", "n02121808", ("thing",)),
        labels[3],
    )
    assert with_paths((Label("all", "fall11"),), synsets) == (Label("all", "fall11"),)


def test_a_synset_without_words_goes_by_its_id(tmp_path: Path) -> None:
    inner = '<synset wnid="a"><synset wnid="b" words=" "/></synset>'
    text = f'<synset wnid="top" words="x">{inner}</synset>'
    assert read_synsets(written(tmp_path, text))["b"] == ("a", "b")


@pytest.mark.parametrize("label", [Label("husky"), Label("husky", "n00000000")])
def test_a_tree_that_knows_no_class(synsets: Synsets, label: Label) -> None:
    with pytest.raises(DataError, match="synsets-unknown"):
        with_paths((label,), synsets)


BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<synset wnid="n1" words="&b;"/>"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><synset wnid="a" words="b"/>', "document type"),
        ('<synset wnid="a" words="&b;"/>', "not XML"),
        ("", "not XML"),
        ("names\n", "not XML"),
        ('<synset wnid="a" words="b">', "not XML"),
        ("<tree/>", "no element 'synset'"),
        ('<synset words="b"/>', "lacks its wnid"),
        ('<synset wnid=" " words="b"/>', "lacks its wnid"),
        ('<synset wnid="a" words="b&#x9b;31m"/>', "cannot be shown"),
        ('<synset wnid="a" words="' + "b" * 1001 + '"/>', "cannot be shown"),
        (b'<synset wnid="a" words="\0"/>', "not XML"),
        (b'<synset wnid="a" words="\xff"/>', "not XML"),
    ],
)
def test_broken(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_synsets(written(tmp_path, text))
    assert caught.value.slug == "synsets-not-understood"


def test_a_tree_that_is_too_deep(tmp_path: Path) -> None:
    nested = '<synset wnid="a" words="b">' * (MAX_DEPTH + 1)
    with pytest.raises(DataError, match="synsets-too-large"):
        read_synsets(written(tmp_path, nested))


def test_a_file_that_is_far_too_large(tmp_path: Path) -> None:
    path = written(tmp_path, "<tree>")
    with path.open("ab") as file:
        file.write((b" " * 1023 + b"\n") * (64 << 10))
    with pytest.raises(DataError, match="synsets-too-large"):
        read_synsets(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no-such-file"):
        read_synsets(tmp_path / "none.xml")
