"""Named recipes, fitted to a network's input size.

The sizes of the papers (256 resized, 224 cropped) are kept in proportion for other inputs:
resize = input * 8 // 7, as timm rounds it (torchvision's Inception resizes 299 to 342, this to
341: spell it out if it matters). All take a photo of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pocketlens.base.errors import UsageError
from pocketlens.images.recipe import Channels, Filter, Recipe, ResizeKind, fault

IMAGENET_MEAN = (123.675, 116.28, 103.53)
"""Mean of ImageNet's red, green and blue, pixel values 0..255 (0.485, 0.456, 0.406 of 255)."""

IMAGENET_SCALE = (58.395, 57.12, 57.375)
"""Their standard deviation (0.229, 0.224, 0.225 of 255)."""

CAFFE_MEAN_BGR = (104.0, 117.0, 123.0)
"""Mean of ImageNet's blue, green and red as Caffe's model zoo rounds it."""


def preset(name: str, *, height: int, width: int, channels: int = 3) -> Recipe:
    """The recipe of that name for a network's input.

    name           one of `PRESETS`
    height, width  of the network's input, pixels
    channels       of the network's input: 3, or 1 for gray

    Raises UsageError 'unknown-preset', 'preset-needs-colour' or 'bad-recipe'.
    """
    make = PRESETS.get(name)
    if make is None:
        raise UsageError(
            f"There is no preset '{name}'. Expected one of {', '.join(PRESETS)}; "
            "or spell the recipe out.",
            slug="unknown-preset",
        )
    if channels not in (1, 3):
        raise UsageError(
            f"The network's input has {channels} channels. Expected 3 (colour) or 1 (gray): "
            "other inputs are not photos.",
            slug="bad-recipe",
        )
    recipe = make(height, width, channels)
    problem = fault(recipe)
    if problem:
        raise UsageError(
            f"The preset '{name}' does not fit an input of {height}x{width}: the recipe "
            f"{problem}. Spell the recipe out.",
            slug="bad-recipe",
        )
    return recipe


def in_proportion(side: int) -> int:
    """What to resize to before cropping `side`: 256 for 224, others in proportion, rounded down."""
    return side * 8 // 7


def _shorter(
    height: int,
    width: int,
    *,
    to: int,
    kernel: Filter,
    mean: tuple[float, ...],
    scale: tuple[float, ...],
) -> Recipe:
    channels: Channels = "gray" if len(mean) == 1 else "rgb"
    return Recipe("shorter", to, to, kernel, height, width, channels, mean, scale)


def _imagenet(height: int, width: int, channels: int, *, kernel: Filter = "bilinear") -> Recipe:
    _needs_colour("imagenet", channels)
    side = in_proportion(max(height, width))
    return _shorter(height, width, to=side, kernel=kernel, mean=IMAGENET_MEAN, scale=IMAGENET_SCALE)


def _imagenet_bicubic(height: int, width: int, channels: int) -> Recipe:
    return _imagenet(height, width, channels, kernel="bicubic")


def _tiny_imagenet(height: int, width: int, channels: int) -> Recipe:
    _needs_colour("tiny-imagenet", channels)
    side = max(height, width)
    return _shorter(
        height, width, to=side, kernel="bicubic", mean=IMAGENET_MEAN, scale=IMAGENET_SCALE
    )


def _even(height: int, width: int, channels: int, *, mean: float, scale: float) -> Recipe:
    return _shorter(
        height,
        width,
        to=in_proportion(max(height, width)),
        kernel="bilinear",
        mean=(mean,) * channels,
        scale=(scale,) * channels,
    )


def _tf(height: int, width: int, channels: int) -> Recipe:
    return _even(height, width, channels, mean=127.5, scale=127.5)


def _unit(height: int, width: int, channels: int) -> Recipe:
    return _even(height, width, channels, mean=0.0, scale=255.0)


def _caffe(height: int, width: int, channels: int) -> Recipe:
    _needs_colour("caffe", channels)
    # 224 (VGG, GoogLeNet) and 227 (AlexNet, SqueezeNet) are both cut from 256.
    rows, columns = (256 if 224 <= s <= 227 else in_proportion(s) for s in (height, width))
    return Recipe(
        "exact", rows, columns, "bicubic", height, width, "bgr", CAFFE_MEAN_BGR, (1.0, 1.0, 1.0)
    )


def _cifar_raw(height: int, width: int, channels: int) -> Recipe:
    kind: ResizeKind = "exact"
    order: Channels = "gray" if channels == 1 else "rgb"
    nothing, one = (0.0,) * channels, (1.0,) * channels
    return Recipe(kind, height, width, "bilinear", height, width, order, nothing, one)


def _needs_colour(name: str, channels: int) -> None:
    if channels != 3:
        raise UsageError(
            f"The preset '{name}' has a mean for red, green and blue, but the network's input "
            "is gray. Expected 'tf', 'unit' or 'cifar-raw'; or spell the recipe out.",
            slug="preset-needs-colour",
        )


PRESETS: Mapping[str, Callable[[int, int, int], Recipe]] = MappingProxyType(
    {
        # torchvision's and PyTorch's usual one: shorter side 256 bilinear, crop 224.
        "imagenet": _imagenet,
        # timm's usual one: the same with bicubic (crop_pct 0.875).
        "imagenet-bicubic": _imagenet_bicubic,
        # -1..1: TensorFlow's Inception and MobileNet, Keras's mode "tf".
        "tf": _tf,
        # 0..1, nothing else.
        "unit": _unit,
        # Warped to 256x256 bicubic, crop 224 or 227, BGR minus the mean.
        "caffe": _caffe,
        # Warped to the input, pixels 0..255 as they are: MLPerf Tiny's ResNet-8.
        "cifar-raw": _cifar_raw,
        # Shorter side to the input itself, bicubic; ImageNet's mean and deviation.
        "tiny-imagenet": _tiny_imagenet,
    }
)
"""Every preset: from (height, width, channels) of the input to a recipe. Use `preset`."""
