"""How a file that breaks a rule of the format is refused, by the writer and by the reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from lens_forge import forge
from pocketlens.base.errors import LensFileError
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.writer import write_lens


def assert_refused(contents: LensContents, slug: str, folder: Path, *, read_as: str | None) -> None:
    """The writer refuses and leaves nothing in the empty folder; the reader refuses a forged file.

    slug     of the writer's error
    read_as  of the reader's; None: no file can hold such a thing
    """
    path = folder / "model.lens"
    with pytest.raises(LensFileError) as caught:
        write_lens(path, contents)
    assert caught.value.slug == slug
    assert str(path) in caught.value.sentence
    assert list(folder.iterdir()) == []
    if read_as is None:
        return
    forge(path, contents)
    with pytest.raises(LensFileError) as caught:
        read_lens(path)
    assert caught.value.slug == read_as
    assert str(path) in caught.value.sentence
    assert len(caught.value.sentence) < 500
