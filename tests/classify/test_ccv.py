"""--crops ccv10 and ccv5 answer as ccv does, on all of its pictures and networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pocketlens
from conformance.engines import CORES, REFERENCE, Engine, float_contents
from importers.ccv_files import NAMES, fixtures
from pocketlens.base.errors import EngineError, UsageError
from pocketlens.classify.ccv import windowed
from pocketlens.classify.lens import Lens
from pocketlens.compression.settings import FLOAT_BITS, Settings
from pocketlens.compression.story import pack
from pocketlens.engine.core import targets
from pocketlens.evaluation.dataset import Dataset
from pocketlens.evaluation.lenses import evaluate_lens
from pocketlens.graph.five_windows import find_last_conv
from pocketlens.graph.graph import Network
from pocketlens.images.ccv import cut_out, form
from pocketlens.images.ccv_decode import decode_as_ccv
from pocketlens.importers.ccv.reader import read_ccv
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.writer import write_lens

TOLERANCE = 1e-5


def contents_of(folder: Path, name: str) -> LensContents:
    """The network as it is in the file: palettes of pictures are kept, the rest is float."""
    return pack(read_ccv(folder / f"{name}.sqlite3"), settings=Settings(bits=FLOAT_BITS))


def expected(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name.removesuffix('-full')}.expected.json"
    results: dict[str, Any] = json.loads(path.read_text())["results"]
    return results


@pytest.fixture
def folder(data_folder: Path) -> Path:
    return fixtures(data_folder)


def assert_ranked(confidences: list[float], ranked: list[tuple[int, float]]) -> None:
    wanted = dict(ranked)
    assert max(abs(confidences[number] - wanted[number]) for number in wanted) <= TOLERANCE
    order = sorted(range(len(confidences)), key=lambda i: (-confidences[i], i))
    for (number, confidence), own in zip(ranked, order, strict=True):
        assert number == own or abs(wanted[own] - confidence) <= TOLERANCE / 10


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize("name", NAMES)
def test_confidences_are_those_of_ccv(folder: Path, name: str, target: str) -> None:
    with Lens(contents_of(folder, name), target=target) as lens:
        for picture, said in expected(folder, name).items():
            photo = folder / "images" / picture
            assert_ranked(lens.confidences(photo, crops="ccv10"), said["symmetric"])
            assert_ranked(lens.confidences(photo, crops="ccv5"), said["not_symmetric"])


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_answers_as_ccv(folder: Path, name: str) -> None:
    contents = contents_of(folder, name)
    recipe, step = contents.recipe, find_last_conv(contents.graph).step
    for picture, said in expected(folder, name).items():
        pixels = decode_as_ccv(folder / "images" / picture)
        formed = form(pixels, recipe.resize_height, recipe.resize_width)
        assert list(formed.shape) == said["formed_shape"]
        cut = cut_out(formed, recipe, step)
        assert list(cut.shape) == said["sliced_shape"]
        grown = replace(contents, graph=windowed(contents.graph, *cut.shape[:2]))
        x = np.ascontiguousarray(cut.transpose(2, 0, 1)[None])
        rows = [*REFERENCE.run(grown, [x])[0], *REFERENCE.run(grown, [x[..., ::-1].copy()])[0]]
        mean = np.mean(rows, axis=0)
        assert_ranked(list(mean), said["symmetric"])


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_of_the_core_is_as_in_ccv(folder: Path, name: str, engine: Engine) -> None:
    network = read_ccv(folder / f"{name}.sqlite3").network
    layers = tuple(node.output for node in network.graph.nodes if node.op != "reshape")
    opened = Network(replace(network.graph, outputs=layers), network.tensors)
    said = np.load(folder / f"{name.removesuffix('-full')}.expected.npz")
    patch = np.ascontiguousarray(said["patch"].transpose(2, 0, 1)[None])
    for number, found in enumerate(engine.run(float_contents(opened), [patch])):
        want = said[f"act{number:02d}"]
        want = want.transpose(2, 0, 1)[None] if want.ndim == 3 else want.reshape(1, -1)
        assert np.abs(found - want).max() <= 1e-5 * np.abs(want).max()


def test_another_recipe_is_refused(folder: Path) -> None:
    contents = contents_of(folder, "micro")
    plain = replace(contents.recipe, resize="exact", mean=(0.0,) * 3, mean_picture=b"")
    lens, photo = Lens(replace(contents, recipe=plain)), folder / "images" / "small.png"
    with lens, pytest.raises(UsageError, match="sqlite3") as refused:
        lens.confidences(photo, crops="ccv10")
    assert refused.value.slug == "no-ccv-recipe"


def test_a_way_that_is_none_is_refused(folder: Path) -> None:
    with Lens(contents_of(folder, "micro")) as lens, pytest.raises(UsageError) as refused:
        lens.confidences(folder / "images" / "small.png", crops="ccv30")  # type: ignore[arg-type]
    assert refused.value.slug == "bad-crops"


def test_a_closed_lens_has_no_windows(folder: Path) -> None:
    lens = Lens(contents_of(folder, "micro"))
    photo = folder / "images" / "small.png"
    lens.confidences(photo, crops="ccv10")
    lens.close()
    with pytest.raises(EngineError, match="closed"):
        lens.confidences(photo, crops="ccv10")


def test_a_receipt_says_it_and_files_are_decoded_as_ccv_does(folder: Path, tmp_path: Path) -> None:
    contents = contents_of(folder, "tiny")
    photo = folder / "images" / "exif6.jpg"  # lies on its side, and ccv leaves it so
    wanted = expected(folder, "tiny")["exif6.jpg"]["symmetric"][0][0]
    dataset = Dataset("one", "by hand", "0" * 64, (wanted,), lambda _: Image.open(photo),
                      lambda _: "exif6.jpg", file_of=lambda _: photo)  # fmt: skip
    with Lens(contents) as lens:
        evaluation = evaluate_lens(lens, dataset, crops="ccv10")
    assert evaluation.measurement.answers == (wanted,)
    receipt = evaluation.receipt
    assert (receipt.crops, receipt.views) == ("ccv10", "10 windows as in ccv")
    write_lens(tmp_path / "x.lens", replace(contents, receipts=(receipt,)))
    with pocketlens.open(tmp_path / "x.lens") as opened:
        assert opened.contents.receipts == (receipt,)
        assert_ranked(
            opened.confidences(photo, crops="ccv10"),
            expected(folder, "tiny")["exif6.jpg"]["symmetric"],
        )
