"""Photos are split by their bytes; what is wrong with a folder is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketlens.base.errors import DataError, FileError, ImageError, UsageError
from pocketlens.calibration.photos import FEWEST, open_photos
from pocketlens.images.recipe import Recipe

RECIPE = Recipe("exact", 12, 10, "bilinear", 8, 6, "bgr", (1.0, 2.0, 3.0), (2.0,) * 3)


def fill(folder: Path, n: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        pixels = rng.integers(0, 256, (9, 11, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"p{i:03}.png")
    return folder


def test_photos_become_inputs_of_the_recipe(tmp_path: Path) -> None:
    parts = open_photos(fill(tmp_path / "photos", 40), RECIPE)
    sets = (parts.fit, parts.select, parts.report)
    assert sum(map(len, sets)) == 40
    assert parts.duplicates == 0
    for photo in parts.fit:
        assert (photo.dtype, photo.shape) == (np.float32, (1, 3, 8, 6))
        assert photo.std() > 5
    hashes = [{photo.sha256 for photo in part.photos} for part in sets]
    assert not (hashes[0] & hashes[1] or hashes[0] & hashes[2] or hashes[1] & hashes[2])
    assert {int(sha256[:2], 16) < 0x60 for sha256 in hashes[0]} == {True}
    assert {0x60 <= int(sha256[:2], 16) < 0x80 for sha256 in hashes[1]} == {True}


def test_names_and_copies_change_nothing(tmp_path: Path) -> None:
    folder = fill(tmp_path / "one", 40)
    other = tmp_path / "other" / "deep"
    other.mkdir(parents=True)
    for i, file in enumerate(sorted(folder.iterdir())):
        (other / f"{(i * 17) % 40:02}.PNG").write_bytes(file.read_bytes())
        if i < 5:
            (other.parent / f"copy{i}.png").write_bytes(file.read_bytes())
    (other / ".hidden.png").write_bytes(b"nothing")
    (other / "notes.txt").write_text("nothing")
    one, two = open_photos(folder, RECIPE), open_photos(tmp_path / "other", RECIPE)
    assert two.duplicates == 5
    for first, second in ((one.fit, two.fit), (one.select, two.select), (one.report, two.report)):
        assert [p.sha256 for p in first.photos] == [p.sha256 for p in second.photos]
        assert first.sha256 == second.sha256


def test_a_limit_takes_the_same_photos_of_every_part(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos", 120)
    everything, some = open_photos(folder, RECIPE), open_photos(folder, RECIPE, limit=60)
    assert len(some.fit) + len(some.select) + len(some.report) == 60
    for all_of, few_of in ((everything.fit, some.fit), (everything.report, some.report)):
        assert 0 < len(few_of) < len(all_of)
        assert few_of.photos == () or [p.name for p in few_of.photos] == [
            p.name for p in all_of.photos[: len(few_of)]
        ]
    assert len(everything.fit[:7]) == 7


def test_an_array_of_pictures_will_do(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 9, 11, 3), np.uint8)
    pixels[7] = pixels[3]
    np.savez(tmp_path / "p.npz", images=pixels, labels=np.zeros(50, int))
    parts = open_photos(tmp_path / "p.npz", RECIPE, shares=(1.0, 0.0, 0.0))
    assert (len(parts.fit), len(parts.select), parts.duplicates) == (49, 0, 1)
    assert parts.fit[0].shape == (1, 3, 8, 6)


@pytest.mark.parametrize("n", (0, 1, FEWEST - 1))
def test_too_few_photos_are_refused(tmp_path: Path, n: int) -> None:
    with pytest.raises(DataError, match="calibration-few" if n else "calibration-empty"):
        open_photos(fill(tmp_path / "few", n), RECIPE)


def test_copies_of_one_photo_are_one_photo(tmp_path: Path) -> None:
    folder = fill(tmp_path / "p", 1)
    for i in range(30):
        (folder / f"again{i}.png").write_bytes((folder / "p000.png").read_bytes())
    with pytest.raises(DataError, match=r"1 different photos.*calibration-few"):
        open_photos(folder, RECIPE)


@pytest.mark.parametrize("content", (b"", b"no picture at all", None))
def test_a_damaged_photo_is_named(tmp_path: Path, content: bytes | None) -> None:
    folder = fill(tmp_path / "p", 40)
    victim = folder / "p017.png"
    victim.write_bytes(victim.read_bytes()[:60] if content is None else content)
    with pytest.raises(ImageError, match=r"p017\.png"):
        open_photos(folder, RECIPE)


def test_other_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        open_photos(tmp_path / "nowhere", RECIPE)
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="calibration-not-photos"):
        open_photos(tmp_path / "a.png", RECIPE)


def test_bad_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for arrays in ({"pictures": np.zeros(3)}, {"images": np.zeros((20, 4, 4, 3))}):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match="dataset-npz"):
            open_photos(path, RECIPE)
    np.savez(path, images=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="npz-pickled"):
        open_photos(path, RECIPE)
    np.savez(path, images=np.zeros((0, 4, 4, 3), np.uint8))
    with pytest.raises(DataError, match="calibration-empty"):
        open_photos(path, RECIPE)
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(DataError, match="dataset-npz"):
        open_photos(path, RECIPE)


def test_bad_shares_are_refused(tmp_path: Path) -> None:
    for shares in ((0.0, 0.5, 0.5), (0.5, 0.5, 0.5), (1.5, -0.5, 0.0)):
        with pytest.raises(UsageError, match="bad-shares"):
            open_photos(tmp_path, RECIPE, shares=shares)
    with pytest.raises(UsageError, match="bad-shares"):
        open_photos(tmp_path, RECIPE, limit=1)
