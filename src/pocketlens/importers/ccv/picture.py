"""How a photo becomes the input: the size that pictures are brought to, and their mean."""

from __future__ import annotations

from pocketlens.base.errors import ModelError
from pocketlens.images.recipe import Recipe, fault
from pocketlens.importers.ccv.database import Database, told
from pocketlens.importers.ccv.layers import Layer, as_whole, whole
from pocketlens.importers.ccv.weights import floats, seen

_TABLE = "convnet_params"


def read_recipe(database: Database, first: Layer) -> Recipe:
    """The recipe of a network whose layer 0 is `first`: resize "ccv", the mean as it is stored.

    Raises ModelError 'ccv-picture', 'ccv-mean', 'not-finite'.
    """
    columns = ("convnet", "input_height", "input_width", *told("mean_activity"))
    rows = [
        row
        for row in database.rows(_TABLE, columns)
        if row[0] is not None and as_whole(row[0]) == 0
    ]
    if len(rows) != 1:
        raise ModelError(
            f"its table '{_TABLE}' has {len(rows) or 'no'} row{'s' * (len(rows) > 1)} with "
            "convnet = 0, the only one that counts",
            slug="ccv-picture",
        )
    key, *sides, kind, length = rows[0]
    height, width = (
        whole(side, what, f"'{_TABLE}'", slug="ccv-picture", least=1)
        for side, what in zip(sides, ("'input_height'", "'input_width'"), strict=True)
    )
    _check_picture(first, height, width)
    expected = height * width * first.channels * 4
    if kind != "blob" or length != expected:
        raise ModelError(
            f"its 'mean_activity' has {seen(kind, length)}; {height} x {width} pixels of "
            f"{first.channels} channels in single precision take {expected:,} bytes",
            slug="ccv-mean",
        )
    mean = database.blob(_TABLE, "mean_activity", "convnet", key)
    floats(mean, "<f4", (height, width, first.channels), "its mean picture")
    return _recipe(first, height, width, mean)


def _check_picture(first: Layer, height: int, width: int) -> None:
    if first.channels not in (1, 3):
        raise first.fault(
            f"takes {first.channels} channels; a picture has 3, or 1 where it is grey",
            slug="ccv-picture",
        )
    if height < first.rows or width < first.cols:
        raise ModelError(
            f"pictures are brought to {height}x{width}, less than the patch of "
            f"{first.rows}x{first.cols} that layer 0 takes",
            slug="ccv-picture",
        )


def _recipe(first: Layer, height: int, width: int, mean: bytes) -> Recipe:
    nothing, one = (0.0,) * first.channels, (1.0,) * first.channels
    recipe = Recipe(
        resize="ccv",
        resize_height=height,
        resize_width=width,
        filter="box",
        height=first.rows,
        width=first.cols,
        channels="rgb" if first.channels == 3 else "gray",
        mean=nothing,
        scale=one,
        mean_picture=mean,
    )
    wrong = fault(recipe)
    if wrong:
        raise ModelError(f"its recipe {wrong}", slug="ccv-picture")
    return recipe
