"""Tensors by name or glob get what was asked for them, and a name that means nothing is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pocketlens.base.errors import UsageError
from pocketlens.compression.overrides import Override, read_overrides
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.lensfile.contents import TensorRecord
from small_models import write_small_classifier


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_classifier(tmp_path_factory.mktemp("model") / "small.onnx")


def written(tmp_path: Path, text: str) -> tuple[Override, ...]:
    path = tmp_path / "bits.toml"
    path.write_text(text, encoding="utf-8")
    return read_overrides(path)


def records(model: Path, *overrides: Override, bits: int = 8) -> dict[str, TensorRecord]:
    settings = Settings(bits=bits, crush=None, overrides=overrides)
    contents = pack(read_onnx(model), settings=settings, recipe="cifar-raw")
    return {record.name: record for record in contents.tensors}


def slug_of(call: object, *arguments: object) -> str:
    with pytest.raises(UsageError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.slug


def test_every_kind_of_value_is_read_in_order(tmp_path: Path) -> None:
    text = """
        "w*" = 6
        head.bias = "float"
        w1 = "half"
        w2 = { palette_size = 12, group_rows = 16 }
    """
    assert written(tmp_path, text) == (
        Override("w*", 6),
        Override("head.bias", 32),
        Override("w1", 16),
        Override("w2", palette_size=12, group_rows=16),
    )


@pytest.mark.parametrize(
    "text",
    ["", "w1 = ", 'w1 = "quarter"', "w1 = 4.5", "w1 = true", "w1 = [4]", "w1 = { bits = true }"],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, text: str) -> None:
    assert slug_of(written, tmp_path, text) == "bad-recipe-file"


def test_bits_that_cannot_be_are_told() -> None:
    assert slug_of(lambda: Settings(overrides=(Override("w1", 9),))) == "bad-bits"


def test_each_tensor_gets_what_was_asked_and_its_reason_says_so(model: Path) -> None:
    found = records(
        model,
        Override("w*", 6),
        Override("w1", 16),
        Override("w2", palette_size=12, group_rows=16),
        Override("b3", 32),
    )
    assert found["w1"].fate == "half"
    assert (found["w2"].palette_size, found["w2"].group_rows) == (12, 16)
    assert found["w3"].palette_size == 64
    assert found["b3"].fate == "float"
    assert found["b1"].fate == "half"
    assert "asked for 'w1'" in found["w1"].reason
    assert "asked for" not in found["b1"].reason


def test_a_glob_of_palettes_leaves_biases_as_they_would_be(model: Path) -> None:
    same = records(model, Override("*", 4), bits=8)
    plain = records(model, bits=4)
    assert [dataclasses.replace(r, reason="") for r in same.values()] == [
        dataclasses.replace(r, reason="") for r in plain.values()
    ]


def test_a_bias_can_be_half_where_the_rest_is_half(model: Path) -> None:
    assert records(model, bits=16)["b1"].fate == "float"
    assert records(model, Override("b1", 16), bits=16)["b1"].fate == "half"


def test_names_that_mean_nothing_are_told_with_names_near_by(model: Path) -> None:
    with pytest.raises(UsageError, match=r"w1.*unknown-tensor"):
        records(model, Override("w11", 4))
    assert slug_of(records, model, Override("b*", 4)) == "not-a-weight"


def test_settings_without_overrides_read_as_ever() -> None:
    assert "overrides" not in Settings().to_json()
    assert '"pattern":"w1"' in Settings(overrides=(Override("w1", 4),)).to_json()
