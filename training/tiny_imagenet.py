"""Turn the Tiny ImageNet data set into the cached arrays that ``train.py`` reads.

The source is either a ``tiny-imagenet-200`` folder or a git repository (bare or not)
that holds such a folder.  A repository is read through one ``git cat-file --batch``
process, so no work tree with 120,000 small files is ever written.

Output folder:

========================  =====================================================
``train_images.npy``      uint8 ``[100000, 64, 64, 3]``, RGB, class after class
``train_labels.npy``      int64 ``[100000]``
``val_images.npy``        uint8 ``[10000, 64, 64, 3]``, RGB
``val_labels.npy``        int64 ``[10000]``
``labels.txt``            one line a class in output order, ``wnid<TAB>words``
========================  =====================================================
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

FOLDER_NAME = "tiny-imagenet-200"
IMAGE_SIZE = 64

Item = tuple[str, int]
"""Path of an image inside the data set, and the index of its class."""

Reader = Callable[[list[str]], Iterator[bytes]]
"""Gives the content of each of the named files, in order."""


class DataError(Exception):
    """The data set is missing, incomplete or unreadable; the text says which."""


def folder_reader(root: Path) -> Reader:
    """A reader for files below ``root``."""

    def read(paths: list[str]) -> Iterator[bytes]:
        for path in paths:
            try:
                yield (root / path).read_bytes()
            except OSError as error:
                raise DataError(f"cannot read {root / path}: {error.strerror}") from error

    return read


def folder_listing(root: Path) -> list[str]:
    """All files below ``root``, as sorted relative paths with forward slashes."""
    if not (root / "wnids.txt").is_file():
        raise DataError(f"{root} is not a {FOLDER_NAME} folder: it has no wnids.txt")
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def git_listing(repository: Path, revision: str) -> dict[str, str]:
    """Object names of all files below the data folder of ``revision``, by relative path."""
    command = ["git", "-C", str(repository), "ls-tree", "-r", "-z", revision, f"{FOLDER_NAME}/"]
    try:
        listing = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise DataError("the git command is not installed") from error
    except subprocess.CalledProcessError as error:
        detail = error.stderr.decode(errors="replace").strip()
        raise DataError(f"git cannot list {revision} of {repository}: {detail}") from error
    names: dict[str, str] = {}
    for entry in listing.split(b"\0"):
        if entry:
            meta, _, path = entry.partition(b"\t")
            names[path.decode().removeprefix(f"{FOLDER_NAME}/")] = meta.split()[2].decode()
    if "wnids.txt" not in names:
        raise DataError(f"{revision} of {repository} holds no {FOLDER_NAME}/wnids.txt")
    return names


def git_reader(repository: Path, names: dict[str, str]) -> Reader:
    """A reader for the files in ``names``, through one ``git cat-file --batch`` process."""

    def read(paths: list[str]) -> Iterator[bytes]:
        command = ["git", "-C", str(repository), "cat-file", "--batch", "--buffer"]
        with tempfile.TemporaryFile() as wanted:
            wanted.write("".join(f"{names[path]}\n" for path in paths).encode())
            wanted.seek(0)
            process = subprocess.Popen(command, stdin=wanted, stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            for path in paths:
                header = process.stdout.readline().split()
                if len(header) != 3:
                    raise DataError(f"the repository lacks the content of {path}")
                size = int(header[2])
                yield process.stdout.read(size + 1)[:size]

    return read


def class_lines(wnids: list[str], words: str) -> list[str]:
    """Lines ``wnid<TAB>first synonym`` for ``wnids``, from the text of ``words.txt``."""
    first: dict[str, str] = {}
    for line in words.splitlines():
        wnid, _, synonyms = line.partition("\t")
        first[wnid] = synonyms.split(",")[0].strip()
    return [f"{wnid}\t{first.get(wnid, wnid)}" for wnid in wnids]


def train_items(files: list[str], index: dict[str, int]) -> list[Item]:
    """Training images with their class index, sorted by path."""
    items: list[Item] = []
    for path in sorted(files):
        parts = path.split("/")
        if len(parts) == 4 and parts[0] == "train" and parts[2] == "images":
            if parts[1] not in index:
                raise DataError(f"{path} belongs to no class of wnids.txt")
            items.append((path, index[parts[1]]))
    return items


def val_items(annotations: str, index: dict[str, int]) -> list[Item]:
    """Validation images with their class index, from ``val_annotations.txt``."""
    items: list[Item] = []
    for number, line in enumerate(annotations.splitlines(), start=1):
        fields = line.split("\t")
        if len(fields) < 2 or fields[1] not in index:
            raise DataError(f"val_annotations.txt line {number} names no known class")
        items.append((f"val/images/{fields[0]}", index[fields[1]]))
    return sorted(items)


def decode(content: bytes, path: str) -> NDArray[np.uint8]:
    """One JPEG as uint8 RGB ``[64, 64, 3]``; grey images get three equal channels."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} is not a readable image") from error
    if pixels.shape != (IMAGE_SIZE, IMAGE_SIZE, 3):
        raise DataError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]}, not 64x64")
    return pixels


def write_part(part: str, items: list[Item], read: Reader, out: Path) -> None:
    """Decode ``items`` into ``<part>_images.npy`` and ``<part>_labels.npy`` in ``out``."""
    if not items:
        raise DataError(f"the data set has no {part} images")
    shape = (len(items), IMAGE_SIZE, IMAGE_SIZE, 3)
    partial = out / f"{part}_images.npy.tmp"
    images = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    paths = [path for path, _ in items]
    for row, (path, content) in enumerate(zip(paths, read(paths), strict=True)):
        images[row] = decode(content, path)
        if (row + 1) % 20000 == 0:
            print(f"{part}: {row + 1} of {len(items)} images", flush=True)
    images.flush()
    partial.replace(out / f"{part}_images.npy")
    np.save(out / f"{part}_labels.npy", np.array([label for _, label in items], np.int64))
    print(f"{part}: {len(items)} images", flush=True)


def convert(files: list[str], read: Reader, out: Path) -> None:
    """Write the cached arrays and ``labels.txt`` of the data set into ``out``."""
    texts = ["wnids.txt", "words.txt", "val/val_annotations.txt"]
    missing = [name for name in texts if name not in files]
    if missing:
        raise DataError(f"the data set lacks {', '.join(missing)}")
    wnids_text, words, annotations = (content.decode() for content in read(texts))
    wnids = sorted(wnids_text.split())
    index = {wnid: row for row, wnid in enumerate(wnids)}
    out.mkdir(parents=True, exist_ok=True)
    labels = "\n".join(class_lines(wnids, words)) + "\n"
    (out / "labels.txt").write_text(labels, encoding="utf-8")
    write_part("val", val_items(annotations, index), read, out)
    write_part("train", train_items(files, index), read, out)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--folder", type=Path, help=f"a {FOLDER_NAME} folder")
    source.add_argument("--git", type=Path, help=f"a git repository that holds {FOLDER_NAME}/")
    parser.add_argument("--revision", default="HEAD", help="revision to read with --git")
    parser.add_argument("--out", type=Path, required=True, help="folder for the cached arrays")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 on success, 2 when the data set cannot be used."""
    options = parse_arguments(arguments)
    try:
        if options.git is not None:
            names = git_listing(options.git, options.revision)
            convert(list(names), git_reader(options.git, names), options.out)
        else:
            convert(folder_listing(options.folder), folder_reader(options.folder), options.out)
    except DataError as error:
        print(f"tiny_imagenet: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
