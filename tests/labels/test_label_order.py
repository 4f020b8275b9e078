"""Labels in the network's order, whichever order they come in."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pocketlens.base.errors import DataError
from pocketlens.labels.files import read_labels
from pocketlens.labels.labels import Label, numbered
from pocketlens.labels.order import in_order, read_wnids, refuse_sorted

KIT_FOX, TENCH, HUSKY = "n02119789", "n01440764", "n02110185"
WNIDS = (KIT_FOX, TENCH, HUSKY)
LABELED = tuple(
    Label(name, wnid) for name, wnid in zip(("fox", "tench", "husky"), WNIDS, strict=True)
)


def many(count: int = 1000) -> list[str]:
    return [f"n{number:08d}" for number in range(1000, 1000 + 7 * count, 7)]


def test_labels_with_ids_are_matched_by_id() -> None:
    shuffled = [LABELED[1], LABELED[2], LABELED[0]]
    assert in_order(shuffled, WNIDS) == LABELED
    assert in_order([*shuffled, Label("more", "n00000001")], WNIDS) == LABELED


def test_labels_without_ids_are_taken_in_order() -> None:
    assert in_order([Label("fox"), Label("tench"), Label("husky")], WNIDS) == LABELED


def test_without_labels_ids_are_the_names() -> None:
    assert in_order(None, WNIDS) == tuple(Label(wnid, wnid) for wnid in WNIDS)


def test_paths_are_kept() -> None:
    labels = [Label("fox", path=("animal",)), Label("tench"), Label("husky")]
    assert in_order(labels, WNIDS)[0] == Label("fox", KIT_FOX, ("animal",))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELED[:2], f"1 of the network's 3 WordNet ids have no label.*{HUSKY}"),
        ((*LABELED, Label("fox again", KIT_FOX)), f"{KIT_FOX} has more than one label"),
        ((*LABELED[:2], Label("husky")), "2 of 3 labels have a WordNet id"),
        (numbered(4), "4 labels and 3 WordNet ids"),
    ],
)
def test_what_does_not_fit(labels: tuple[Label, ...], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        in_order(labels, WNIDS)
    assert caught.value.slug == "labels-order"


def test_wnids_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "some.wnid"
    path.write_text("\n".join(WNIDS) + "\n", "utf-8")
    assert read_wnids(path) == WNIDS
    path.write_text("\n".join(f"{wnid}\tname" for wnid in WNIDS), "utf-8")
    assert read_wnids(path) == WNIDS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n02119789\nkit fox\n", "Class 1 in"),
        ("n0211978\n", "Class 0 in"),
        ("n02119789\nn01440764\nn02119789\n", "n02119789 stands twice"),
    ],
)
def test_wnids_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "some.wnid"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=said) as caught:
        read_wnids(path)
    assert caught.value.slug == "wnids-not-understood"


def test_ascending_ids_are_refused_for_ccv_order() -> None:
    labels = [Label(f"thing {wnid}", wnid) for wnid in many()]
    with pytest.raises(DataError, match=r"kit fox.*--wnids.*labels-order"):
        refuse_sorted(labels, source="net.sqlite3")
    random.Random(0).shuffle(labels)
    refuse_sorted(labels, source="net.sqlite3")


def test_names_in_the_sorted_order_are_refused_too() -> None:
    names = [Label("tench, Tinca tinca"), Label("goldfish"), *numbered(998)]
    with pytest.raises(DataError, match="labels-order"):
        refuse_sorted(names, source="net.sqlite3")
    refuse_sorted([names[1], names[0], *names[2:]], source="net.sqlite3")


def test_other_numbers_of_classes_are_none_of_our_business() -> None:
    refuse_sorted([Label(wnid, wnid) for wnid in many(999)], source="net.sqlite3")
    refuse_sorted(numbered(1000), source="net.sqlite3")


@pytest.mark.data
def test_ccv_ships_its_own_order(data_folder: Path) -> None:
    fixtures = data_folder / "ccv" / "fixtures"
    wnids = read_wnids(fixtures / "image-net-2012.wnid")
    words = read_labels(fixtures / "image-net-2012.words")
    assert len(set(wnids)) == 1000 and list(wnids) != sorted(wnids)
    labels = in_order(words, wnids)
    assert labels[0] == Label("kit fox, Vulpes macrotis", KIT_FOX)
    refuse_sorted(labels, source="ccv")
    by_id = sorted(labels, key=lambda label: label.wnid)
    assert by_id[0].wnid == TENCH
    with pytest.raises(DataError, match="labels-order"):
        refuse_sorted(by_id, source="ccv")
    with pytest.raises(DataError, match="labels-order"):
        refuse_sorted([Label(label.name) for label in by_id], source="ccv")
    assert in_order(by_id, wnids) == labels
