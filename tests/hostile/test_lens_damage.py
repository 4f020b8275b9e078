"""Lenses that were cut, flipped or never were: a sentence with a slug, or the same contents."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import sqlite3
import struct
from pathlib import Path

import pytest

from lens_forge import forge, forge_sql
from lens_samples import small_lens
from pocketlens.base.errors import FileError, LensFileError, PocketlensError
from pocketlens.lensfile import reader
from pocketlens.lensfile.header import HEADER_BYTES
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.schema import VERSION

GOOD = small_lens()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return forge(tmp_path_factory.mktemp("lens") / "good.lens", GOOD).read_bytes()


def refused(path: Path) -> str:
    """The slug with which the file is refused; its sentence names the file."""
    with pytest.raises(PocketlensError) as caught:
        read_lens(path)
    assert str(path) in caught.value.sentence
    assert caught.value.sentence.count(".") >= 1
    return caught.value.slug


def test_cut_at_any_byte(image: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.lens"
    lengths = {*range(1, 600), *(len(image) * part // 64 for part in range(1, 64)), len(image) - 1}
    for length in sorted(lengths):
        path.write_bytes(image[:length])
        assert refused(path) == "lens-truncated", length


def test_bytes_after_the_end(image: bytes, tmp_path: Path) -> None:
    path = tmp_path / "long.lens"
    path.write_bytes(image + b"\0")
    assert refused(path) == "lens-damaged"


def test_one_flipped_byte_never_changes_the_contents(image: bytes, tmp_path: Path) -> None:
    """The header and the schema byte by byte, the rest sampled: refused, or nothing changed."""
    dice = random.Random(2026)
    places = [*range(700), *(dice.randrange(len(image)) for _ in range(2500))]
    path = tmp_path / "flipped.lens"
    refusals = 0
    for place in places:
        damaged = bytearray(image)
        damaged[place] ^= dice.choice([1, 2, 4, 8, 16, 32, 64, 128, 255])
        path.write_bytes(damaged)
        try:
            contents = read_lens(path)
        except (LensFileError, FileError) as error:
            assert str(path) in error.sentence
            refusals += 1
        else:
            assert contents == GOOD, place
    assert refusals > len(places) / 4


def test_pages_swapped_zeroed_or_random(image: bytes, tmp_path: Path) -> None:
    dice = random.Random(7)
    page = struct.unpack_from(">H", image, 16)[0]
    pages = [image[at : at + page] for at in range(0, len(image), page)]
    path = tmp_path / "pages.lens"
    for number in range(len(pages)):
        other = dice.randrange(len(pages))
        for content in (bytes(page), dice.randbytes(page), b"\xff" * page, pages[other]):
            path.write_bytes(b"".join([*pages[:number], content, *pages[number + 1 :]]))
            try:
                assert read_lens(path) == GOOD
            except LensFileError as error:
                assert error.slug.startswith("lens-")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.lens").touch()
    assert refused(tmp_path / "empty.lens") == "lens-empty"


def test_missing_file_and_missing_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.lens") == "no-such-file"
    assert refused(tmp_path / "none" / "none.lens") == "no-such-file"


def test_folder(tmp_path: Path) -> None:
    assert refused(tmp_path) == "is-a-folder"


def test_what_is_no_regular_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.lens")
    assert refused(tmp_path / "pipe.lens") == "cannot-read"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        monkeypatch.chdir(tmp_path)  # addresses of sockets are short
        listener.bind("socket.lens")
    assert refused(tmp_path / "socket.lens") == "cannot-read"


def test_name_that_no_file_has() -> None:
    assert refused(Path("a\0b.lens")) == "cannot-read"


def test_unreadable_file(image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.lens"
    path.write_bytes(image)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert refused(path) == "cannot-read"


@pytest.mark.parametrize(
    "content",
    [b"GIF89a...", b"\x08\x07\x12\x07pytorch" * 40, b"PK\x03\x04" + bytes(500), b"S", b"\0" * 4096,
     bytes(random.Random(1).randbytes(4096))],
)  # fmt: skip
def test_other_kinds_of_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.lens"
    path.write_bytes(content)
    expected = "lens-truncated" if content == b"S" else "lens-not-sqlite"
    assert refused(path) == expected


def test_foreign_database(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE urls (url TEXT)")
        database.commit()
    assert refused(path) == "lens-foreign"


def test_encrypted_pages_behind_an_honest_header(image: bytes, tmp_path: Path) -> None:
    path = tmp_path / "encrypted.lens"
    key = random.Random(3).randbytes(len(image) - HEADER_BYTES)
    secret = bytes(a ^ b for a, b in zip(image[HEADER_BYTES:], key, strict=True))
    path.write_bytes(image[:HEADER_BYTES] + secret)
    assert refused(path) == "lens-damaged"


def test_newer_version(tmp_path: Path) -> None:
    path = forge_sql(tmp_path / "new.lens", GOOD, f"PRAGMA user_version = {VERSION + 1}")
    assert refused(path) == "lens-newer"


def test_version_one_was_never_released(tmp_path: Path) -> None:
    path = forge_sql(tmp_path / "old.lens", GOOD, "PRAGMA user_version = 1")
    assert refused(path) == "lens-older"


def test_version_zero(tmp_path: Path) -> None:
    path = forge_sql(tmp_path / "old.lens", GOOD, "PRAGMA user_version = 0")
    assert refused(path) == "lens-damaged"


def test_page_size_that_sqlite_does_not_know(image: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pages.lens"
    path.write_bytes(image[:16] + b"\x03\x00" + image[18:])
    assert refused(path) == "lens-damaged"


def test_larger_than_any_lens(
    image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.lens"
    path.write_bytes(image)
    monkeypatch.setattr(reader, "MOST_FILE_BYTES", len(image) - 1)
    assert refused(path) == "lens-too-large"


def test_files_beside_a_lens_are_not_read(image: bytes, tmp_path: Path) -> None:
    """A journal or a write-ahead log beside it could bring other pages in."""
    path = tmp_path / "model.lens"
    forge_sql(path, GOOD)
    other = tmp_path / "other.lens"
    forge(other, GOOD)
    with contextlib.closing(sqlite3.connect(other, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE labels SET name = 'shark'")
        for kind in ("-wal", "-shm"):
            shutil.copyfile(f"{other}{kind}", f"{path}{kind}")
        shutil.copyfile(f"{other}-wal", f"{path}-journal")
    assert read_lens(path) == GOOD
    assert path.read_bytes() == image
