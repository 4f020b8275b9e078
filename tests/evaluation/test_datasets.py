"""The three layouts of a data set, and everything that can be wrong with one."""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pocketlens.base.errors import DataError, FileError, ImageError, PocketlensError
from pocketlens.evaluation.dataset import Dataset, fingerprint
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.images import arrays
from pocketlens.labels.labels import Label, numbered

PETS = (
    Label("cat", wnid="n02121808"),
    Label("dog, domestic dog", wnid="n02084071"),
    Label("goldfish", wnid="n01443537"),
)


def save(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2), (shade, 0, 0)).save(path)
    return path


def class_folders(root: Path, names: tuple[str, ...] = ("cat", "dog", "goldfish")) -> Path:
    for number, name in enumerate(names):
        for photo in range(2):
            save(root / name / f"{photo}.png", 10 * number + photo)
    return root


def table(
    root: Path, content: str | bytes, *, photos: tuple[str, ...] = ("a.png", "b.png")
) -> Path:
    root.mkdir(exist_ok=True)
    for shade, name in enumerate(photos):
        save(root / name, shade)
    (root / "labels.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def npz(path: Path, **contents: Any) -> Path:
    np.savez_compressed(path, **contents)
    return path


def reds(dataset: Dataset) -> list[int]:
    return [dataset.photo_of(number).getpixel((0, 0))[0] for number in range(len(dataset))]


class TestClassFolders:
    def test_by_name(self, tmp_path: Path) -> None:
        dataset = open_dataset(class_folders(tmp_path / "pets"), PETS)
        assert dataset.classes == (0, 0, 1, 1, 2, 2)
        assert reds(dataset) == [0, 1, 10, 11, 20, 21]
        assert (dataset.name, len(dataset)) == ("pets", 6)
        assert dataset.rule == "folders matched by name"
        assert dataset.name_of(3) == "dog/1.png"

    def test_by_wnid_and_by_number(self, tmp_path: Path) -> None:
        folders = class_folders(tmp_path / "a", ("n01443537", "n02084071_dog"))
        dataset = open_dataset(str(folders), PETS)
        assert (dataset.classes, dataset.rule) == ((2, 2, 1, 1), "folders matched by WordNet id")
        dataset = open_dataset(class_folders(tmp_path / "b", ("0", "2")), PETS)
        assert (dataset.classes, dataset.rule) == ((0, 0, 2, 2), "folders taken as class numbers")

    def test_in_sorted_order(self, tmp_path: Path) -> None:
        dataset = open_dataset(class_folders(tmp_path, ("z", "x", "y")), numbered(3))
        assert dataset.rule == "folders taken in order"
        assert [dataset.name_of(n) for n in (0, 2, 4)] == ["x/0.png", "y/0.png", "z/0.png"]
        assert dataset.classes == (0, 0, 1, 1, 2, 2)

    def test_deeper_folders_count_and_hidden_and_other_files_do_not(self, tmp_path: Path) -> None:
        save(tmp_path / "cat" / "images" / "deep.PNG", 1)
        save(tmp_path / "cat" / ".hidden.png", 2)
        save(tmp_path / "cat" / ".thumbs" / "x.png", 3)
        save(tmp_path / ".git" / "x.png", 4)
        save(tmp_path / "beside.png", 5)
        (tmp_path / "cat" / "Thumbs.db").write_bytes(b"x")
        (tmp_path / "empty").mkdir()
        dataset = open_dataset(tmp_path, PETS)
        assert [dataset.name_of(n) for n in range(len(dataset))] == ["cat/images/deep.PNG"]

    def test_a_part_is_named_with_its_set(self, tmp_path: Path) -> None:
        assert open_dataset(class_folders(tmp_path / "pets" / "val"), PETS).name == "pets/val"

    @pytest.mark.parametrize(
        ("names", "slug"),
        [
            ((), "not-a-dataset"),
            (("cat", "horse"), "unknown-label"),
            (("x", "y"), "unknown-label"),
            (("cat", "dog", "golfdish"), "unknown-label"),
            (("train", "val"), "unknown-label"),
        ],
    )
    def test_refused(self, names: tuple[str, ...], slug: str, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            open_dataset(class_folders(tmp_path, names), PETS)
        assert caught.value.slug == slug

    def test_folders_without_photos(self, tmp_path: Path) -> None:
        (tmp_path / "cat").mkdir()
        with pytest.raises(DataError, match=r"1 folders.*empty-dataset"):
            open_dataset(tmp_path, PETS)

    def test_a_photo_that_is_none_is_named_when_it_is_asked_for(self, tmp_path: Path) -> None:
        (class_folders(tmp_path) / "cat" / "0.png").write_bytes(b"text")
        dataset = open_dataset(tmp_path, PETS)
        with pytest.raises(ImageError, match=r"0\.png.*not-an-image"):
            dataset.photo_of(0)


class TestLabelsCsv:
    @pytest.mark.parametrize(
        ("content", "rule"),
        [
            ("file,wnid\na.png,n01443537\nb.png,n02121808\n",
             "column 'wnid' matched by WordNet id"),
            ("file,index\na.png,2\nb.png,0\n", "column 'index' taken as class numbers"),
            ("label,file\nGoldfish,a.png\ncat,b.png\n", "column 'label' matched by name"),
            ("\ufefffile,name,note\r\na.png,goldfish,x\r\nb.png,cat,y\r\n",
             "column 'name' matched by name"),
            ("file,label,wnid,index\na.png,?,n01443537,7\nb.png,?,n02121808,8\n",
             "column 'wnid' matched by WordNet id"),
            ("file,label\na.png,2\nb.png,0\n", "column 'label' taken as class numbers"),
        ],
    )  # fmt: skip
    def test_columns(self, content: str, rule: str, tmp_path: Path) -> None:
        dataset = open_dataset(table(tmp_path / "set", content), PETS)
        assert (dataset.classes, dataset.rule) == ((2, 0), rule)
        assert (reds(dataset), dataset.name) == ([0, 1], "set")

    def test_wnids_are_left_aside_where_the_labels_have_none(self, tmp_path: Path) -> None:
        content = "file,wnid,index\na.png,n01443537,1\nb.png,n02121808,0\n"
        assert open_dataset(table(tmp_path, content), numbered(2)).classes == (1, 0)

    def test_the_table_itself_and_the_table_beside(self, tmp_path: Path) -> None:
        content = "file,index\na.png,2\nb.png,0\n"
        inside = open_dataset(table(tmp_path / "x", content), PETS)
        itself = open_dataset(tmp_path / "x" / "labels.csv", PETS)
        root = table(tmp_path / "y", content, photos=("photos/a.png", "photos/b.png"))
        below = open_dataset(root, PETS)
        beside = open_dataset(root / "photos", PETS)
        assert inside.sha256 == itself.sha256 == below.sha256 == beside.sha256
        assert [s.classes for s in (inside, itself, below, beside)] == [(2, 0)] * 4
        assert below.name_of(0) == "photos/a.png"

    @pytest.mark.parametrize(
        ("content", "slug"),
        [
            ("", "empty-dataset"),
            ("file,index\n", "empty-dataset"),
            ("photo,index\na.png,0\n", "dataset-csv"),
            ("file,class\na.png,0\n", "dataset-csv"),
            ("file,index\na.png\n", "dataset-csv"),
            ("file,index\n,0\n", "dataset-csv"),
            ('file,index\n"a.png,0\n', "dataset-csv"),
            ("file,index\n/etc/passwd,0\n", "dataset-csv"),
            ("file,index\n../x.png,0\n", "dataset-csv"),
            ("file,index\na.png,3\n", "unknown-label"),
            ("file,index\na.png,-1\n", "unknown-label"),
            ("file,index\na.png,1.0\n", "unknown-label"),
            ("file,wnid\na.png,n00000000\n", "unknown-label"),
            ("file,label\na.png,horse\n", "unknown-label"),
            ("file,index\nmissing.png,0\n", "photo-missing"),
            (b"file,label\na.png,caf\xe9\n", "dataset-not-utf-8"),
            (b"\x89PNG\r\n", "dataset-not-utf-8"),
        ],
    )
    def test_refused(self, content: str | bytes, slug: str, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            open_dataset(table(tmp_path, content), PETS)
        assert caught.value.slug == slug
        assert "labels.csv" in caught.value.sentence

    def test_only_wnids_for_labels_without_any(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"no WordNet ids.*dataset-csv"):
            open_dataset(table(tmp_path, "file,wnid\na.png,n01443537\n"), numbered(3))

    def test_a_file_in_two_folders(self, tmp_path: Path) -> None:
        table(tmp_path, "file,index\na.png,0\n", photos=("x/a.png", "y/a.png"))
        with pytest.raises(DataError, match=r"lies in two folders.*dataset-csv"):
            open_dataset(tmp_path, PETS)


IMAGES = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)


class TestNpz:
    def test_numbers(self, tmp_path: Path) -> None:
        path = npz(tmp_path / "tiny.npz", images=IMAGES, labels=np.uint8([2, 0]), more=[1])
        dataset = open_dataset(path, PETS)
        assert (dataset.name, dataset.classes) == ("tiny", (2, 0))
        assert (dataset.rule, dataset.name_of(1)) == ("labels taken as class numbers", "row 1")
        for number in range(2):
            photo = dataset.photo_of(number)
            assert photo.mode == "RGB"
            assert np.array_equal(np.asarray(photo), IMAGES[number])

    @pytest.mark.parametrize(
        ("names", "classes", "rule"),
        [
            (["goldfish", "dog", "cat"], (0, 1), "names matched by name"),
            (["goldfish", "dog", "cat", "cat"], (0, 1), "names matched by name"),
            (["a", "b", "c"], (2, 1), "names taken in order"),
        ],
    )
    def test_names(
        self, names: list[str], classes: tuple[int, ...], rule: str, tmp_path: Path
    ) -> None:
        path = npz(tmp_path / "a.npz", images=IMAGES, labels=np.int64([2, 1]), names=names)
        dataset = open_dataset(path, PETS)
        assert (dataset.classes, dataset.rule) == (classes, rule)

    @pytest.mark.parametrize(
        ("contents", "slug", "said"),
        [
            ({"labels": [0]}, "dataset-npz", "no array 'images'"),
            ({"images": IMAGES}, "dataset-npz", "no array 'labels'"),
            ({"images": IMAGES / 255, "labels": [0, 1]}, "dataset-npz", "float64"),
            ({"images": IMAGES[0], "labels": [0, 1]}, "dataset-npz", "(3, 4, 3)"),
            ({"images": IMAGES[..., :1], "labels": [0, 1]}, "dataset-npz", "(2, 3, 4, 1)"),
            ({"images": IMAGES, "labels": [0]}, "dataset-npz", "2 images but 1 labels"),
            ({"images": IMAGES, "labels": [[0, 1]]}, "dataset-npz", "(1, 2)"),
            ({"images": IMAGES, "labels": [0.0, 1.0]}, "dataset-npz", "float64"),
            ({"images": IMAGES[:0], "labels": np.int64([])}, "empty-dataset", "(0, 3, 4, 3)"),
            ({"images": IMAGES[:, :0], "labels": [0, 1]}, "empty-dataset", "(2, 0, 4, 3)"),
            ({"images": IMAGES, "labels": [0, 3]}, "unknown-label", "holds 3"),
            ({"images": IMAGES, "labels": [0, -1]}, "unknown-label", "holds -1"),
            ({"images": IMAGES, "labels": [0, 1], "names": ["cat", "horse", "x"]},
             "unknown-label", "'horse'"),
            ({"images": IMAGES, "labels": [0, 1], "names": ["a", "b"]}, "unknown-label", "'a'"),
            ({"images": IMAGES, "labels": [0, 2], "names": ["cat", "dog"]},
             "unknown-label", "holds 2"),
            ({"images": IMAGES, "labels": [0, 1], "names": [1, 2, 3]}, "dataset-npz", "'names'"),
            ({"images": IMAGES, "labels": np.array([0, "x"], object)}, "npz-pickled", "'labels'"),
            ({"images": IMAGES, "labels": [0, 1], "names": np.array(["a", 1], object)},
             "npz-pickled", "'names'"),
        ],
    )  # fmt: skip
    def test_refused(self, contents: dict[str, Any], slug: str, said: str, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            open_dataset(npz(tmp_path / "a.npz", **contents), PETS)
        assert caught.value.slug == slug
        assert said in caught.value.sentence

    @pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9, 0.99])
    def test_cut(self, part: float, tmp_path: Path) -> None:
        path = npz(tmp_path / "a.npz", images=IMAGES, labels=[0, 1])
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
        with pytest.raises(DataError, match="dataset-npz"):
            open_dataset(path, PETS)

    def test_every_flipped_byte_gives_a_set_or_a_sentence(self, tmp_path: Path) -> None:
        content = npz(tmp_path / "a.npz", images=IMAGES, labels=[0, 1]).read_bytes()
        path = tmp_path / "b.npz"
        for place in range(len(content)):
            path.write_bytes(
                content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
            )
            try:
                assert len(open_dataset(path, PETS)) == 2
            except PocketlensError as error:
                assert isinstance(error, DataError)

    def test_a_zip_of_other_things(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("images", b"text")
            archive.writestr("labels.npy", b"text")
        with pytest.raises(DataError, match="dataset-npz"):
            open_dataset(tmp_path / "a.npz", PETS)

    def test_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(arrays, "MAX_ARRAY_BYTES", 100)
        with pytest.raises(DataError, match="npz-too-large"):
            open_dataset(npz(tmp_path / "a.npz", images=IMAGES, labels=[0, 1]), PETS)


@pytest.mark.parametrize(
    ("make", "error", "slug"),
    [
        (lambda root: root / "none", FileError, "no-such-file"),
        (lambda root: save(root / "photo.png", 1), DataError, "not-a-dataset"),
        (lambda root: root, DataError, "not-a-dataset"),
        (lambda root: save(root / "photo.png", 1).parent, DataError, "not-a-dataset"),
    ],
)
def test_not_a_data_set(
    make: Callable[[Path], Path], error: type[PocketlensError], slug: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        open_dataset(make(tmp_path), PETS)
    assert caught.value.slug == slug


def test_the_fingerprint_is_what_it_says(tmp_path: Path) -> None:
    files = [save(tmp_path / "cat" / "0.png", 5), save(tmp_path / "dog" / "0.png", 6)]
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    lines = sorted((f"{hashes[0]} 0\n", f"{hashes[1]} 1\n"))
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert open_dataset(tmp_path, PETS).sha256 == expected


def test_the_fingerprint_knows_photos_and_classes_but_not_names(tmp_path: Path) -> None:
    first = open_dataset(class_folders(tmp_path / "a"), PETS).sha256
    renamed = class_folders(tmp_path / "b", ("n02121808", "n02084071", "n01443537"))
    (renamed / "n02121808" / "1.png").rename(renamed / "n02121808" / "other.png")
    assert open_dataset(renamed, PETS).sha256 == first
    swapped = class_folders(tmp_path / "c", ("dog", "cat", "goldfish"))
    assert open_dataset(swapped, PETS).sha256 != first
    save(renamed / "n02121808" / "other.png", 99)
    assert open_dataset(renamed, PETS).sha256 != first
    assert fingerprint([("b", 1), ("a", 2)]) == fingerprint([("a", 2), ("b", 1)])


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    open_dataset(class_folders(tmp_path), PETS, progress=lambda *step: told.append(step))
    assert told == [("reading the data set", done, 6) for done in range(7)]


@pytest.mark.data
def test_the_real_photos(data_folder: Path) -> None:
    with (data_folder / "images" / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = tuple(int(row["index"]) for row in rows)
    by_number = open_dataset(data_folder / "images", numbered(1000))
    beside = open_dataset(data_folder / "images" / "imagenet1k-dev", numbered(1000))
    assert by_number.classes == beside.classes == expected
    assert by_number.sha256 == beside.sha256
    known = {int(row["index"]): Label(row["label"], wnid=row["wnid"]) for row in rows}
    labels = [known.get(n, Label(f"unknown {n}")) for n in range(1000)]
    by_wnid = open_dataset(data_folder / "images", labels)
    assert (by_wnid.classes, by_wnid.sha256) == (expected, by_number.sha256)
    assert by_wnid.rule == "column 'wnid' matched by WordNet id"


@pytest.mark.data
def test_the_real_cifar(data_folder: Path) -> None:
    path = data_folder / "cifar10" / "cifar10_test_even.npz"
    dataset = open_dataset(path, numbered(10))
    with np.load(path) as archive:
        assert dataset.classes == tuple(archive["labels"].tolist())
        names = [Label(name) for name in archive["names"].tolist()]
    assert (dataset.rule, len(dataset)) == ("names taken in order", 5000)
    backwards = open_dataset(path, names[::-1])
    assert backwards.rule == "names matched by name"
    assert backwards.classes == tuple(9 - number for number in dataset.classes)


def test_opening_needs_no_numpy_for_folders(tmp_path: Path) -> None:
    class_folders(tmp_path, ("0", "1"))
    code = (
        "import sys; from pocketlens.evaluation.datasets import open_dataset;"
        "import pocketlens.evaluation.accuracy;"
        "from pocketlens.labels.labels import numbered;"
        f"assert len(open_dataset({str(tmp_path)!r}, numbered(2))) == 4;"
        "assert 'numpy' not in sys.modules, 'numpy was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_an_npz_from_a_stream_of_plain_arrays_is_the_same(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, images=IMAGES, labels=np.int32([1, 0]))
    (tmp_path / "a.npz").write_bytes(stream.getvalue())
    packed = npz(tmp_path / "b.npz", images=IMAGES, labels=np.uint8([1, 0]))
    assert open_dataset(tmp_path / "a.npz", PETS).sha256 == open_dataset(packed, PETS).sha256
