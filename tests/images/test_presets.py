"""The named recipes, the recipe spelled out, and what is said when it is misspelled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pocketlens.base.errors import UsageError
from pocketlens.images.options import from_options
from pocketlens.images.presets import IMAGENET_MEAN, IMAGENET_SCALE, PRESETS, preset
from pocketlens.images.recipe import Recipe, describe, fault

IMAGENET = preset("imagenet", height=224, width=224)
CAFFE = preset("caffe", height=227, width=227)


def test_imagenet() -> None:
    assert (
        Recipe("shorter", 256, 256, "bilinear", 224, 224, "rgb", IMAGENET_MEAN, IMAGENET_SCALE)
        == IMAGENET
    )
    assert preset("imagenet-bicubic", height=224, width=224) == replace(IMAGENET, filter="bicubic")


def test_caffe() -> None:
    expected = Recipe(
        "exact", 256, 256, "bicubic", 227, 227, "bgr", (104.0, 117.0, 123.0), (1.0, 1.0, 1.0)
    )
    assert expected == CAFFE
    assert preset("caffe", height=224, width=224) == replace(expected, height=224, width=224)


@pytest.mark.parametrize(
    ("side", "resize"), [(224, 256), (299, 341), (192, 219), (96, 109), (64, 73), (384, 438)]
)
def test_the_resize_follows_the_input(side: int, resize: int) -> None:
    for name in ("imagenet", "imagenet-bicubic", "tf", "unit"):
        assert preset(name, height=side, width=side).resize_height == resize


def test_an_input_that_is_not_square() -> None:
    recipe = preset("imagenet", height=112, width=224)
    assert (recipe.resize_height, recipe.height, recipe.width) == (256, 112, 224)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("height", "width"), [(224, 224), (32, 32), (1, 1), (40, 90)])
def test_every_preset_can_be_followed(name: str, height: int, width: int) -> None:
    recipe = preset(name, height=height, width=width)
    assert fault(recipe) is None
    assert (recipe.height, recipe.width) == (height, width)


@pytest.mark.parametrize(("name", "mean", "scale"), [("tf", 127.5, 127.5), ("unit", 0.0, 255.0)])
def test_gray(name: str, mean: float, scale: float) -> None:
    recipe = preset(name, height=28, width=28, channels=1)
    assert (recipe.channels, recipe.mean, recipe.scale) == ("gray", (mean,), (scale,))


@pytest.mark.parametrize("name", ["imagenet", "imagenet-bicubic", "caffe", "tiny-imagenet"])
def test_colour_presets_refuse_gray(name: str) -> None:
    with pytest.raises(UsageError, match="preset-needs-colour"):
        preset(name, height=28, width=28, channels=1)


def test_refusals() -> None:
    with pytest.raises(UsageError, match=r"'alexnet'.*imagenet.*unknown-preset"):
        preset("alexnet", height=224, width=224)
    with pytest.raises(UsageError, match=r"4 channels.*bad-recipe"):
        preset("unit", height=224, width=224, channels=4)
    with pytest.raises(UsageError, match=r"0x224.*bad-recipe"):
        preset("unit", height=0, width=224)


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ({}, {}),
        ({"resize": "shorter:300"}, {"resize_height": 300, "resize_width": 300}),
        (
            {"resize": "exact:300x400"},
            {"resize": "exact", "resize_height": 300, "resize_width": 400},
        ),
        ({"resize": "EXACT:256"}, {"resize": "exact"}),
        ({"resize": "none"}, {"resize": "none", "resize_height": 0, "resize_width": 0}),
        ({"filter_name": "Lanczos"}, {"filter": "lanczos"}),
        ({"crop": "200"}, {"height": 200, "width": 200}),
        ({"crop": "200x100"}, {"height": 200, "width": 100}),
        (
            {"channels": "bgr"},
            {"channels": "bgr", "mean": IMAGENET_MEAN[::-1], "scale": IMAGENET_SCALE[::-1]},
        ),
        (
            {"channels": "BGR", "mean": "104, 117, 123"},
            {"channels": "bgr", "mean": (104.0, 117.0, 123.0), "scale": IMAGENET_SCALE[::-1]},
        ),
        (
            {"channels": "gray", "mean": "0", "scale": "255"},
            {"channels": "gray", "mean": (0.0,), "scale": (255.0,)},
        ),
        ({"mean": "-1.5"}, {"mean": (-1.5,) * 3}),
        ({"scale": "1 2 4"}, {"scale": (1.0, 2.0, 4.0)}),
    ],
)
def test_words(words: dict[str, str], changes: dict[str, Any]) -> None:
    assert from_options(IMAGENET, **words) == replace(IMAGENET, **changes)


def test_the_words_spell_out_a_preset() -> None:
    start = preset("unit", height=227, width=227)
    spelled = from_options(
        start,
        resize="exact:256x256",
        filter_name="bicubic",
        crop="227",
        channels="bgr",
        mean="104,117,123",
        scale="1",
    )
    assert spelled == CAFFE


def test_gray_to_colour() -> None:
    gray = preset("unit", height=28, width=28, channels=1)
    assert from_options(gray, channels="rgb") == preset("unit", height=28, width=28)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"resize": "256"}, "--resize '256'"),
        ({"resize": "exact"}, "--resize 'exact'"),
        ({"resize": "shorter:-1"}, "--resize"),
        ({"resize": "shorter:256x256"}, "--resize"),
        ({"resize": "exact:2x2x2"}, "--resize"),
        ({"resize": "shorter:100"}, "resizes to 100x100, less than its crop of 224x224"),
        ({"resize": "shorter:999999"}, "sides of 1 to 8192"),
        ({"resize": "exact:256x0"}, "256x0"),
        ({"filter_name": "cubic"}, "no filter 'cubic'"),
        ({"crop": "big"}, "--crop 'big'"),
        ({"crop": "0"}, "0x0"),
        ({"channels": "rbg"}, "no channel order 'rbg'"),
        ({"channels": "gray"}, "needs its own --mean"),
        ({"channels": "gray", "mean": "3"}, "needs its own --scale"),
        ({"mean": "a,b,c"}, "--mean 'a,b,c'"),
        ({"mean": ""}, "--mean ''"),
        ({"mean": "1,2"}, "2 numbers"),
        ({"mean": "nan"}, "not finite"),
        ({"scale": "1,0,1"}, "divides by 0"),
        ({"mean": "0.485,0.456,0.406"}, "--mean 123.675,116.28,103.53"),
        ({"scale": "0.229,0.224,0.225"}, "--scale 58.395,57.12,57.375"),
    ],
)
def test_misspelled(words: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match="bad-recipe") as caught:
        from_options(IMAGENET, **words)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"resize": "fit"}, "resize 'fit'"),
        ({"filter": "sinc"}, "filter 'sinc'"),
        ({"channels": "rgba"}, "channels 'rgba'"),
        ({"height": 0}, "0x224"),
        ({"width": 9000}, "224x9000"),
        ({"resize_width": 300}, "both 256 and 300"),
        ({"resize": "exact", "resize_height": 100}, "less than its crop"),
        ({"mean": (1.0,)}, "1 numbers for mean"),
        ({"scale": (1.0, float("inf"), 1.0)}, "not finite"),
        ({"scale": (1.0, 0.0, 1.0)}, "divides by 0"),
    ],
)
def test_faults_of_a_recipe_from_elsewhere(changes: dict[str, Any], said: str) -> None:
    problem = fault(replace(IMAGENET, **changes))
    assert problem is not None
    assert said in problem


def test_descriptions() -> None:
    assert describe(IMAGENET) == (
        "shorter side to 256 (bilinear), crop 224x224, RGB, minus (123.675, 116.28, 103.53), "
        "divided by (58.395, 57.12, 57.375)"
    )
    assert describe(CAFFE) == (
        "warped to 256x256 (bicubic), crop 227x227, BGR, minus (104, 117, 123)"
    )
    assert describe(preset("cifar-raw", height=32, width=32)) == (
        "warped to 32x32 (bilinear), crop 32x32, RGB, pixels 0 to 255"
    )
    gray = replace(preset("tf", height=28, width=28, channels=1), resize="none")
    assert describe(gray) == "not resized, crop 28x28, gray, minus 127.5, divided by 127.5"
