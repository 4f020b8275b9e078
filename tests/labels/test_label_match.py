"""Which class somebody's folder names, ids and numbers mean."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pocketlens.base.errors import DataError
from pocketlens.labels.labels import Label, numbered
from pocketlens.labels.match import match

FISH = (
    Label("tench, Tinca tinca", wnid="n01440764"),
    Label("goldfish, Carassius auratus", wnid="n01443537"),
    Label("great white shark, white shark", wnid="n01484850"),
)


@pytest.mark.parametrize(
    ("wanted", "rule", "classes"),
    [
        (["n01484850", "n01440764"], "wnid", (2, 0)),
        (["n01443537_goldfish", "n01440764 tench"], "wnid", (1, 0)),
        (["tench, Tinca tinca"], "name", (0,)),
        (["White_Shark", "GOLDFISH", "tinca-tinca"], "name", (2, 1, 0)),
        (["2", "0", "001"], "number", (2, 0, 1)),
        ([], "wnid", ()),
    ],
)
def test_rules(wanted: list[str], rule: str, classes: tuple[int, ...]) -> None:
    found = match(FISH, wanted, where="the folders")
    assert (found.rule, found.classes) == (rule, classes)


def test_order_only_where_it_is_allowed() -> None:
    wanted = ["c", "a", "b"]
    with pytest.raises(DataError, match="unknown-label"):
        match(FISH, wanted, where="the folders")
    assert match(FISH, wanted, where="the folders", otherwise="sorted").classes == (2, 0, 1)
    found = match(FISH, wanted, where="the folders", otherwise="as given")
    assert (found.rule, found.classes) == ("order", (0, 1, 2))
    assert match(numbered(3), wanted, where="x", otherwise="sorted").classes == (2, 0, 1)


@pytest.mark.parametrize("wanted", [["a", "b"], ["a", "b", "c", "d"], ["a", "a", "b"]])
def test_order_needs_one_word_a_class(wanted: list[str]) -> None:
    with pytest.raises(DataError, match="unknown-label"):
        match(FISH, wanted, where="the folders", otherwise="sorted")


@pytest.mark.parametrize(
    "wanted", [["tench", "goldfish", "shrak"], ["1", "2", "3"], ["n01440764", "n01443537", "x"]]
)
def test_a_single_slip_is_not_taken_for_another_order(wanted: list[str]) -> None:
    with pytest.raises(DataError, match=r"2 of 3 were found.*unknown-label") as caught:
        match(FISH, wanted, where="the folders", otherwise="sorted")
    assert f"'{wanted[2]}'" in str(caught.value)


def test_a_name_of_two_classes_is_ambiguous() -> None:
    cranes = (Label("crane"), Label("crane"), Label("heron"))
    assert match(cranes, ["heron"], where="x").classes == (2,)
    with pytest.raises(DataError, match=r"'crane' is the name of more than one class"):
        match(cranes, ["heron", "crane"], where="x")


def test_a_shared_synonym_is_ambiguous_but_a_full_name_is_not() -> None:
    labels = (Label("maillot"), Label("maillot, tank suit"))
    assert match(labels, ["maillot", "tank suit"], where="x").classes == (0, 1)
    shared = (Label("a, crane"), Label("b, crane"))
    with pytest.raises(DataError, match="more than one class"):
        match(shared, ["crane"], where="x")


def test_names_go_before_numbers() -> None:
    digits = tuple(Label(str(9 - n)) for n in range(10))
    assert match(digits, ["0", "9"], where="x").classes == (9, 0)


def test_the_rule_in_words() -> None:
    assert match(FISH, ["tench"], where="x").in_words() == "matched by name"


@pytest.mark.data
def test_the_photos_names_and_ids_agree(data_folder: Path) -> None:
    with (data_folder / "images" / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = [Label(row["label"], wnid=row["wnid"]) for row in rows]
    expected = tuple(range(500))
    assert match(labels, [row["file"] for row in rows], where="x").classes == expected
    by_name = match([Label(label.name) for label in labels], [r["label"] for r in rows], where="x")
    assert (by_name.rule, by_name.classes) == ("name", expected)
