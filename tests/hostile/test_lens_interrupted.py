"""Writing that is interrupted at any step leaves the previous file, and nothing beside it."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lens_samples import receipt, small_lens
from pocketlens.base import files
from pocketlens.base.errors import FileError, LensFileError
from pocketlens.lensfile import image, writer
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.writer import add_receipt, write_lens

OLD, NEW = (small_lens(middle=100, seed=seed) for seed in (1, 2))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_lens(tmp_path / "model.lens", OLD)
    return tmp_path / "model.lens"


@contextlib.contextmanager
def untouched(path: Path) -> Iterator[None]:
    before = path.read_bytes()
    yield
    assert path.read_bytes() == before
    assert read_lens(path) == OLD
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


STEPS = {
    "drafting the rows": (image, "to_drafts"),
    "building the image": (image, "_image"),
    "making the temporary file": (files, "_create"),
    "writing": (Path, "write_bytes"),
    "reading back": (writer, "read_lens"),
    "syncing": (os, "fsync"),
    "giving it the usual mode": (Path, "chmod"),
    "renaming": (Path, "replace"),
}
ERRORS = {
    "Ctrl-C": (KeyboardInterrupt(), KeyboardInterrupt),
    "out of memory": (MemoryError(), MemoryError),
    "disk full": (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), FileError),
    "disk broken": (OSError(errno.EIO, os.strerror(errno.EIO)), FileError),
}


IN_MEMORY = ("drafting the rows", "building the image")


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (step, error)
        for step in STEPS
        for error in ERRORS
        if not (step in IN_MEMORY and error.startswith("disk"))
    ],
)
def test_interrupted(step: str, error: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raised, expected = ERRORS[error]

    def fail(*_: object, **__: object) -> None:
        raise raised

    with untouched(path):
        with monkeypatch.context() as patch, pytest.raises(expected) as caught:
            patch.setattr(*STEPS[step], fail)
            write_lens(path, NEW)
        if isinstance(caught.value, FileError):
            assert caught.value.slug == "cannot-write"
            assert str(path) in caught.value.sentence
            assert "untouched" in caught.value.sentence


def test_interrupted_half_way_through_the_bytes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.write_bytes

    def half(self: Path, content: bytes) -> int:
        real(self, content[: len(content) // 2])
        raise KeyboardInterrupt

    with untouched(path), monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "write_bytes", half)
        write_lens(path, NEW)


def test_disk_that_lies(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that arrive altered are noticed before anything is replaced."""
    real = Path.write_bytes
    with untouched(path):
        with monkeypatch.context() as patch, pytest.raises(LensFileError) as caught:
            patch.setattr(Path, "write_bytes", lambda self, content: real(self, content[:-512]))
            write_lens(path, NEW)
        assert caught.value.slug == "lens-truncated"
        with monkeypatch.context() as patch, pytest.raises(LensFileError) as caught:
            patch.setattr(writer, "smallest_image", lambda *_, **__: path.read_bytes())
            write_lens(path, NEW)
        assert caught.value.slug == "lens-not-as-written"


def test_receipt_that_cannot_be_added(path: Path) -> None:
    with untouched(path), pytest.raises(LensFileError):
        add_receipt(path, receipt(n=-1))


def test_larger_than_any_lens(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_FILE_BYTES", 1000)
    with untouched(path), pytest.raises(LensFileError) as caught:
        write_lens(path, NEW)
    assert caught.value.slug == "lens-too-large"


def test_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        write_lens(tmp_path / "none" / "model.lens", NEW)
    assert caught.value.slug == "cannot-write"
    assert list(tmp_path.iterdir()) == []


def test_file_size_limit(path: Path) -> None:
    """The kernel refuses to let a file grow: the same error path as a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with untouched(path):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
            with pytest.raises(FileError) as caught:
                write_lens(path, NEW)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.slug == "cannot-write"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 16 kB, where mounting is permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "pocketlens-test", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"mounting a small disk is not permitted: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(small_disk: Path) -> None:
    path = small_disk / "model.lens"
    write_lens(path, OLD)
    with untouched(path), pytest.raises(FileError) as caught:
        write_lens(path, NEW)
    assert caught.value.slug == "cannot-write"
    assert "No space left" in caught.value.sentence


def test_read_only_folder(small_disk: Path) -> None:
    path = small_disk / "model.lens"
    write_lens(path, OLD)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with untouched(path), pytest.raises(FileError) as caught:
        write_lens(path, NEW)
    assert caught.value.slug == "cannot-write"
    assert "Read-only" in caught.value.sentence


def test_database_errors_while_building_are_no_tracebacks(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with untouched(path):
        with monkeypatch.context() as patch, pytest.raises(FileError) as caught:
            patch.setattr(image, "_image", fail)
            write_lens(path, NEW)
        assert caught.value.slug == "cannot-write"
