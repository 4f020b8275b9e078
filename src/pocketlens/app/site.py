"""The story of a site: a lens and a folder in, static files out that any web host can serve."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import pocketlens.engine
from pocketlens.app.model_files import HASH_DIGITS, INFO, model_files
from pocketlens.app.page_files import (
    FOR_DEVELOPERS,
    SERVICE_WORKER,
    WEB,
    page_files,
    service_worker,
)
from pocketlens.base.errors import FileError, UsageError
from pocketlens.base.files import cannot_write, write_bytes
from pocketlens.base.progress import Progress, silent
from pocketlens.lensfile.contents import LensContents

MODEL = "model"
BUILDS = ("body", "kernels_relaxed_simd", "kernels_simd128")
WASM = Path(pocketlens.engine.__file__).parent / "wasm"


@dataclass(frozen=True)
class SiteFile:
    """A file of a site.

    path        within the site, with slashes
    bytes       as it is
    gzip_bytes  as most hosts send it
    is_model    whether it changes with the lens alone
    """

    path: str
    bytes: int
    gzip_bytes: int
    is_model: bool


def core_builds() -> dict[str, bytes]:
    """The core's WebAssembly modules by name: its body, and the kernels of each instruction set.

    Raises FileError 'no-wasm'.
    """
    builds = {}
    for name in BUILDS:
        path = WASM / f"{name}.wasm"
        if not path.is_file():
            raise FileError(
                f"The core for browsers, {path.name}, is not in this installation: it was built "
                "without it. Install pocketlens again with the package ziglang at hand.",
                slug="no-wasm",
            )
        builds[name] = path.read_bytes()
    return builds


def site_files(contents: LensContents) -> dict[str, bytes]:
    """Every file of the site of a lens, by path, in the order in which they are to be written."""
    model = model_files(contents, core_builds())
    files = {f"{MODEL}/{name}": content for name, content in model.items() if name != INFO}
    files |= page_files(contents.name)
    files |= {name: (WEB / name).read_bytes() for name in FOR_DEVELOPERS}
    files[f"{MODEL}/{INFO}"] = model[INFO]
    kept = {path: content for path, content in files.items() if path not in FOR_DEVELOPERS}
    hashes = {path: hashlib.sha256(kept[path]).hexdigest()[:HASH_DIGITS] for path in sorted(kept)}
    return files | {SERVICE_WORKER: service_worker(hashes)}


def write_site(
    contents: LensContents, out: Path, *, progress: Progress = silent
) -> tuple[SiteFile, ...]:
    """Write the site into a folder: a new one, an empty one, or a site that is there already.

    What visitors load first (lens.json, sw.js) is written last, and files of an older lens go
    only then, so that a folder which is being served is whole at any moment. Raises UsageError
    'site-in-the-way'; FileError 'cannot-write'.
    """
    _look(out)
    files = site_files(contents)
    for number, (path, content) in enumerate(files.items()):
        progress("files", number, len(files))
        target = out / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(target, error) from error
        write_bytes(target, content)
    for old in sorted((out / MODEL).iterdir()):
        if f"{MODEL}/{old.name}" not in files:
            old.unlink()
    return tuple(_site_file(path, content) for path, content in files.items())


def _look(out: Path) -> None:
    """Refuse a folder that holds something else."""
    if out.is_dir() and any(out.iterdir()) and not (out / MODEL / INFO).is_file():
        raise UsageError(
            f"'{out}' holds files that are no site of Pocketlens. Name a new or empty folder, or "
            "the folder of a site that is to be replaced.",
            slug="site-in-the-way",
        )
    if out.exists() and not out.is_dir():
        raise UsageError(
            f"'{out}' is a file; a site is a folder. Choose another name.", slug="site-in-the-way"
        )


def _site_file(path: str, content: bytes) -> SiteFile:
    packed = len(gzip.compress(content, mtime=0))
    is_model = path.startswith(f"{MODEL}/") and not path.endswith(".wasm")
    return SiteFile(path, len(content), min(packed, len(content)), is_model)
