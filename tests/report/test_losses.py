"""What a layer costs is KL with that layer alone as it is in the lens; what is foreseen is kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Run
from pocketlens.calibration.divergence import kl_each
from pocketlens.cli.inspect_command import stored_bytes, tensor_rows
from pocketlens.compression.overrides import Override
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.graph import Network
from pocketlens.importers.imported import Imported
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.lensfile.contents import LensContents
from pocketlens.planes.encode import encode_plane
from pocketlens.report.lens_page import lens_page
from pocketlens.report.losses import foreseen, layer_losses
from report.test_lens_page import page_of
from small_models import write_small_classifier
from sweep.conftest import write_photos


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return read_onnx(write_small_classifier(tmp_path_factory.mktemp("model") / "m.onnx", side=16))


@pytest.fixture(scope="module")
def inputs() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.standard_normal((1, 3, 16, 16)).astype(np.float32) for _ in range(20)]


def packed(imported: Imported, *overrides: Override) -> LensContents:
    settings = Settings(bits=3, crush=None, overrides=overrides)
    return pack(imported, settings=settings, recipe="cifar-raw")


def test_a_loss_is_the_divergence_with_one_layer_coded(
    imported: Imported, inputs: list[np.ndarray]
) -> None:
    contents = packed(imported)
    found = layer_losses(contents, imported.network, inputs)
    assert list(found.each) == ["w1", "w2", "w3"]
    exact = imported.network
    photos = np.concatenate(inputs)

    def scores(tensors: dict[str, np.ndarray]) -> np.ndarray:
        return ReferenceEngine(Network(exact.graph, tensors)).run([photos])[0]

    before = scores(dict(exact.tensors))
    values = {record.name: tensor_values(record) for record in contents.tensors}
    for name, bias in (("w1", "b1"), ("w2", "b2"), ("w3", "b3")):
        mixed = {**exact.tensors, name: values[name], bias: values[bias]}
        costs = kl_each(before, scores(mixed), probabilities=False)
        assert found.each[name] == pytest.approx(costs.mean(), rel=1e-3)
        low, high = found.interval[name]
        assert low < found.each[name] < high
    whole = kl_each(before, scores(values), probabilities=False).mean()
    assert found.whole == pytest.approx(whole, rel=1e-3)
    assert (found.by, found.photos) == ("measured", 20)


def test_a_layer_with_more_bits_hurts_less(imported: Imported, inputs: list[np.ndarray]) -> None:
    plain = layer_losses(packed(imported), imported.network, inputs).each
    finer = layer_losses(packed(imported, Override("w2", 6)), imported.network, inputs).each
    assert finer["w2"] < plain["w2"] / 5
    assert finer["w1"] == plain["w1"]


def test_a_float_lens_has_lost_nothing(imported: Imported, inputs: list[np.ndarray]) -> None:
    contents = pack(imported, settings=Settings(bits=32), recipe="cifar-raw")
    found = layer_losses(contents, imported.network, inputs)
    assert (dict(found.each), found.whole) == ({}, 0.0)


def test_what_is_foreseen_is_told_and_sorted_by(imported: Imported) -> None:
    contents = packed(imported)
    assert foreseen(contents) is None
    assert {row["loss"] for row in tensor_rows(contents)} == {None}
    told = {"w1": 0.25, "w2": 0.0, "w3": 0.75}
    records = tuple(
        dataclasses.replace(record, loss=told.get(record.name)) for record in contents.tensors
    )
    rows = tensor_rows(dataclasses.replace(contents, tensors=records), sort="loss")
    assert [row["name"] for row in rows][:2] == ["w3", "w1"]
    assert {row["name"]: row["loss_share"] for row in rows if row["loss"] is not None} == told


def test_shared_planes_masks_and_even_palettes_are_counted_once(imported: Imported) -> None:
    contents = packed(imported)
    first, second = (record for record in contents.tensors if record.name in ("w1", "w2"))
    counts = [int(np.prod(record.shape)) for record in (first, second)]
    indices = np.random.default_rng(0).integers(0, 8, sum(counts)).astype(np.uint8)
    plane = encode_plane(indices, index_bits=4)
    mask = encode_plane((indices[: counts[0]] > 3).astype(np.uint8), index_bits=1)
    shared = [
        dataclasses.replace(first, plane=plane, mask=mask),
        dataclasses.replace(second, plane=plane, first_pixel=counts[0], affine=(-1.0, 0.25)),
    ]
    sizes = stored_bytes(dataclasses.replace(contents, tensors=tuple(shared)))
    plane_bytes = sum(len(band.png) for band in plane.bands)
    mask_bytes = sum(len(band.png) for band in mask.bands)
    assert sum(sizes) == plane_bytes + mask_bytes + len(first.palettes) + 8
    part = (sizes[0] - mask_bytes - len(first.palettes)) / plane_bytes
    assert part == pytest.approx(counts[0] / sum(counts), abs=0.01)


def test_the_commands_measure_it(run: Run, lens: Path, model: Path) -> None:
    photos = write_photos(Path("photos.npz"), 60)
    given = ("--original", model, "--photos", photos)
    document = json.loads(run("inspect", lens, *given, "--sort", "loss", "--json").stdout)
    rows = [row for row in document["tensors"] if row["loss"] is not None]
    assert [row["loss"] for row in rows] == sorted((row["loss"] for row in rows), reverse=True)
    assert sum(row["loss_share"] for row in rows) == pytest.approx(1)
    assert document["losses"]["by"] == "measured"
    assert 16 <= document["losses"]["photos"] <= 48
    assert "the KL of the whole lens" in " ".join(run("inspect", lens, *given).output.split())
    run("report", lens, *given, "-o", "page.html")
    page = page_of("page.html")
    assert "losses" in page.ids
    assert "#losses" in page.links
    assert f"{rows[0]['loss']:.1e} nats" in page.text
    assert document["losses"]["photos_sha256"][:16] in page.text
    run("report", lens, "-o", "page.html")
    assert "is not known" in page_of("page.html").text


def test_what_calibration_foresaw_is_in_the_page(imported: Imported, tmp_path: Path) -> None:
    contents = packed(imported)
    records = tuple(dataclasses.replace(r, loss=0.5 * r.error) for r in contents.tensors)
    contents = dataclasses.replace(contents, tensors=records)
    losses = foreseen(contents)
    assert losses is not None
    text = lens_page(
        contents,
        file_bytes=10_000,
        layers=tensor_rows(contents, losses=losses),
        memory={"weights": 1, "arena": 1, "scratch": 1},
        losses=losses,
    )
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = page_of(tmp_path / "page.html")
    assert "as calibration foresaw" in page.text
    assert f"{records[0].loss:.1e} nats" in page.text


def test_bad_calls_are_told(run: Run, lens: Path, model: Path, tmp_path: Path) -> None:
    other = write_small_classifier(tmp_path / "other.onnx", seed=1)
    photos = write_photos(Path("photos.npz"), 60)
    both = run("inspect", lens, "--original", model, code=2)
    assert "[original-and-photos]" in both.stderr
    assert "[losses-unknown]" in run("inspect", lens, "--sort", "loss", code=2).stderr
    another = run("report", lens, "--original", other, "--photos", photos, code=2)
    assert "[lens-of-another-model]" in another.stderr
    few = write_photos(tmp_path / "few.npz", 3)
    said = run("inspect", lens, "--original", model, "--photos", few, code=2).stderr
    assert "[calibration-few]" in said
