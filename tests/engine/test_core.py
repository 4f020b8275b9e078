"""The core engine as Python sees it: targets, threads, memory, refusals; scores without NumPy."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from array import array

import numpy as np
import pytest
from PIL import Image

from lens_samples import plane_of, small_lens
from pocketlens.base.errors import EngineError, LensFileError
from pocketlens.base.tolerances import CLOSE
from pocketlens.engine import _core
from pocketlens.engine.core import CoreEngine, targets
from pocketlens.engine.plan import build_plan
from pocketlens.engine.prepare import normalize
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.engine.refusals import REFUSALS
from pocketlens.images.recipe import Recipe
from pocketlens.lensfile.contents import LensContents, TensorRecord


def photos(count: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (count, 3, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("target", targets())
def test_every_target_agrees_with_the_reference(target: str) -> None:
    contents = small_lens()
    (expected,) = ReferenceEngine(contents).run([photos(3)])
    engine = CoreEngine(contents, target=target)
    (actual,) = engine.run([photos(3)])
    assert engine.target == target
    assert np.abs(actual - expected).max() <= CLOSE * np.abs(expected).max()


@pytest.mark.parametrize("target", targets())
def test_threads_change_nothing(target: str) -> None:
    contents = small_lens(side=40, middle=40)
    x = np.random.default_rng(5).uniform(-1, 1, (2, 3, 40, 40)).astype(np.float32)
    one, two, three = (
        CoreEngine(contents, target=target, threads=n).run([x])[0] for n in (1, 2, 3)
    )
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)


def test_scores_are_those_of_run() -> None:
    engine = CoreEngine(small_lens())
    x = photos(4)
    scores = engine.scores(x.tobytes(), 4)
    assert np.array_equal(np.frombuffer(scores, np.float32).reshape(4, 4), engine.run([x])[0])
    assert np.array_equal(engine.run({"photo": x})[0], engine.run([x])[0])
    assert np.array_equal(engine.run([x.astype(np.float64)])[0], engine.run([x])[0])
    assert np.array_equal(engine.run([np.asfortranarray(x)])[0], engine.run([x])[0])


def test_any_buffer_is_an_input() -> None:
    contents = small_lens()
    core = _core.Core(build_plan(contents).data, None, 1)
    with pytest.raises(_core.CoreError) as error:
        core.run([bytes(4 * 108)], 1)
    assert REFUSALS[error.value.args[0]][0] == "plane-missing"
    engine = CoreEngine(contents)
    x = array("f", range(108))
    assert engine.scores(x.tobytes(), 1) == bytes(engine._core.run([x], 1)[0])  # type: ignore[union-attr]


def test_a_missing_target_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="avx4096") as error:
        CoreEngine(small_lens(), target="avx4096")
    assert error.value.slug == "target-missing"
    assert all(name in error.value.sentence for name in targets())
    monkeypatch.setenv("POCKETLENS_TARGET", "mmx")
    with pytest.raises(EngineError, match="mmx"):
        CoreEngine(small_lens())
    monkeypatch.setenv("POCKETLENS_TARGET", "scalar")
    assert CoreEngine(small_lens()).target == "scalar"


def test_memory_is_counted() -> None:
    memory = CoreEngine(small_lens()).memory()
    contents = small_lens()
    packed = 108 + 2 * 5 + 2 * 8 + (32 + 7) // 8 + 2 * 2 * 2 + 4
    assert sum(len(record.values) + len(record.palettes) for record in contents.tensors) == 38
    assert memory["packed"] == packed
    assert memory["weights"] >= 108
    assert memory["arena"] > 0


def test_a_closed_engine_says_so() -> None:
    engine = CoreEngine(small_lens())
    engine.close()
    engine.close()
    with pytest.raises(EngineError) as error:
        engine.scores(photos(1).tobytes(), 1)
    assert error.value.slug == "engine-closed"


@pytest.mark.parametrize("inputs", [[], [photos(1)] * 2, {"picture": photos(1)}, [photos(1)[0]]])
def test_wrong_inputs_are_refused(inputs: object) -> None:
    with pytest.raises(EngineError) as error:
        CoreEngine(small_lens()).run(inputs)  # type: ignore[arg-type]
    assert error.value.slug == "bad-input"


@pytest.mark.parametrize(("size", "batch"), [(431, 1), (432, 2), (0, 0), (433, 1)])
def test_wrong_bytes_are_refused(size: int, batch: int) -> None:
    with pytest.raises(EngineError) as error:
        CoreEngine(small_lens()).scores(bytes(size), batch)
    assert error.value.slug == "wrong-input"


def with_tensor(number: int, **changes: object) -> LensContents:
    contents = small_lens()
    tensors: list[TensorRecord] = list(contents.tensors)
    tensors[number] = dataclasses.replace(tensors[number], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(contents, tensors=tuple(tensors))


def shapes_of(contents: LensContents, **shapes: object) -> LensContents:
    graph = dataclasses.replace(contents.graph, shapes={**contents.graph.shapes, **shapes})
    return dataclasses.replace(contents, graph=graph)


STEM = small_lens().tensors[0]


@pytest.mark.parametrize(
    ("contents", "slug", "names"),
    [
        (with_tensor(0, palette_size=17), "plan-palette", "stem.weight"),
        (with_tensor(0, palettes=b""), "plan-palette", "stem.weight"),
        (with_tensor(1, values=b"\0"), "plan-tensor", "stem.bias"),
        (with_tensor(0, shape=(8, 9, 3, 1)), "plan-shape", "stem/conv"),
        (with_tensor(3, shape=(3,), values=bytes(12)), "plan-shape", "calm"),
        (
            with_tensor(0, plane=plane_of([9] * 216, width=35, bits=4, band_rows=2)),
            "plane-index",
            "stem.weight",
        ),
        (shapes_of(small_lens(), scores=(1, 5)), "plan-shape", "calm"),
        (shapes_of(small_lens(), photo=(1, 0, 6, 6)), "plan-value", "number 0"),
    ],
)
def test_refusals_name_the_place(contents: LensContents, slug: str, names: str) -> None:
    with pytest.raises(EngineError, match=re_escape(names)) as error:
        CoreEngine(contents)
    assert error.value.slug == slug


def re_escape(text: str) -> str:
    return text.replace(".", r"\.")


def test_a_damaged_plane_is_refused() -> None:
    plane = STEM.plane
    assert plane is not None
    first = dataclasses.replace(plane.bands[0], png=plane.bands[0].png[:-20])
    damaged = dataclasses.replace(plane, bands=(first, *plane.bands[1:]))
    with pytest.raises(LensFileError) as error:
        CoreEngine(with_tensor(0, plane=damaged))
    assert error.value.slug == "plane-damaged"


def test_every_code_has_a_sentence() -> None:
    for slug, sentence, cure in REFUSALS.values():
        text = sentence.format(where=" at node 'x'", seen=1, expected=2)
        assert slug and text and cure.endswith(".")


@pytest.mark.parametrize("channels", ["rgb", "bgr", "gray"])
def test_normalize_is_the_recipe(channels: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    count = 1 if channels == "gray" else 3
    mean, scale = (104.0, 117.5, 123.0)[:count], (1.0, 57.375, 0.017)[:count]
    recipe = Recipe("none", 5, 7, "bilinear", 5, 7, channels, mean, scale)  # type: ignore[arg-type]
    picture = Image.fromarray(pixels)
    if channels == "gray":
        expected = np.asarray(picture.convert("L"), np.float32)[None]
    else:
        expected = pixels[..., :: 1 if channels == "rgb" else -1].transpose(2, 0, 1)
    expected = (expected.astype(np.float32) - np.float32(mean).reshape(-1, 1, 1)) / np.float32(
        scale
    ).reshape(-1, 1, 1)
    actual = np.frombuffer(normalize(picture, recipe), np.float32).reshape(expected.shape)
    assert np.array_equal(actual, expected)


def test_scores_need_no_numpy() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from lens_samples import small_lens\n"
        "from pocketlens.engine.core import CoreEngine\n"
        "assert len(CoreEngine(small_lens()).scores(bytes(432), 1)) == 16\n"
        "assert 'numpy' not in sys.modules, 'numpy was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code, *sys.path], check=True)
