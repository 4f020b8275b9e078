"""ccv's way from a decoded picture to what its network reads: formed, cut, minus the mean.

The plain reference: photos go through core/src/photo/form.cc, and tests hold the two together.
docs/format/lens.md says the same in words ("The recipe of ccv"). Arrays are rows x columns x
channels, values 0..255; nothing is rounded to bytes on the way. NumPy is imported where arrays
are made and nowhere else.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pocketlens.base.errors import ImageError
from pocketlens.images.limits import MAX_FORMED_PIXELS, too_narrow

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from pocketlens.images.recipe import Recipe

    Samples: TypeAlias = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]

BLOCK_BYTES = 1 << 24
"""About what a resize holds beside its source and its result."""

MOST_KEPT_PIXELS = 1 << 20
"""The largest stretched mean picture that is kept for the next photo: 12 MiB in colour."""

_A = -0.75  # of Keys's cubic: OpenCV's and ccv's; Pillow's is -0.5


def formed_size(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a picture after `form`: as small as covers height x width.

    For height = width the ratio is kept, rounded; otherwise as ccv's formula says.
    Raises ImageError 'ccv-form' where a side would grow though both are larger than asked for
    (only possible for height != width); 'image-too-narrow'.
    """
    if (rows == height and columns >= width) or (columns == width and rows >= height):
        new_rows, new_columns = rows, columns
    else:
        new_rows = max(height, _in_proportion(rows, height, columns))
        new_columns = max(width, _in_proportion(columns, width, rows))
    if rows > height and columns > width and (new_rows > rows or new_columns > columns):
        raise ImageError(
            f"A picture of {columns:,} x {rows:,} cannot be brought to {width} x {height} as ccv "
            f"does it: its formula asks for {new_columns:,} x {new_rows:,}, larger on one side "
            "and smaller on the other. Crop the picture to about that ratio first.",
            slug="ccv-form",
        )
    pixels = new_rows * new_columns
    if pixels > MAX_FORMED_PIXELS:
        raise too_narrow(columns, rows, pixels=pixels, most=MAX_FORMED_PIXELS)
    return new_rows, new_columns


def form(pixels: Samples, height: int, width: int) -> NDArray[np.float32]:
    """A picture at the size that ccv cuts from: one side exactly as asked for, the other at least.

    pixels   (rows, columns, channels) uint8 or float32
    returns  (R', C', channels) float32, R' >= height, C' >= width
    Raises ImageError 'ccv-form', 'image-too-narrow'.
    """
    import numpy as np

    rows, columns = pixels.shape[:2]
    size = formed_size(rows, columns, height, width)
    if size == (rows, columns):
        return pixels.astype(np.float32)
    if rows > height and columns > width:
        return area(pixels, *size)
    return cubic(pixels, *size)


def area(pixels: Samples, height: int, width: int) -> NDArray[np.float32]:
    """The exact box average: a source cell weighs what of it lies in the new one.

    pixels   (rows, columns, channels) uint8 or float32, rows >= height, columns >= width
    returns  (height, width, channels) float32, rounded once from double precision
    """
    import numpy as np

    rows, columns, channels = pixels.shape
    if columns > 8 * rows:  # the second axis is gone along once a block: let it be the short one
        return area(pixels.transpose(1, 0, 2), width, height).transpose(1, 0, 2)
    out = np.empty((height, width, channels), np.float32)
    step = max(1, BLOCK_BYTES // (columns * channels * 8))
    for top in range(0, height, step):
        bottom = min(top + step, height)
        lines = _averaged(pixels, height, (top, bottom))
        out[top:bottom] = _averaged(lines.transpose(1, 0, 2), width, (0, width)).transpose(1, 0, 2)
    return out


def cubic(pixels: Samples, height: int, width: int) -> NDArray[np.float32]:
    """Four taps of Keys's cubic with a = -0.75, not widened where the picture shrinks.

    First along each row, then along the columns, in float32; overshoot is kept.

    pixels   (rows, columns, channels)
    returns  (height, width, channels) float32; of the same size: a copy
    """
    import numpy as np

    rows, columns, channels = pixels.shape
    if (rows, columns) == (height, width):
        return pixels.astype(np.float32)
    out = np.empty((height, width, channels), np.float32)
    across, down = _taps(columns, width), _taps(rows, height)
    step = max(1, BLOCK_BYTES // (max(columns, width) * channels * 16))
    for top in range(0, height, step):
        places, weights = down[0][:, top : top + step], down[1][:, top : top + step]
        read, among = np.unique(places, return_inverse=True)
        lines = np.ascontiguousarray(pixels[read].astype(np.float32).transpose(1, 0, 2))
        lines = np.ascontiguousarray(_blended(lines, *across).transpose(1, 0, 2))
        out[top : top + step] = _blended(lines, among.reshape(places.shape), weights)
    return out


def cut_out(formed: NDArray[np.float32], recipe: Recipe, step: int) -> NDArray[np.float32]:
    """The middle of a formed picture, minus the mean: what the network slides over.

    formed   (rows, columns, 3), as `form` returns it
    recipe   of the kind "ccv"; its height and width are the patch
    step     pixels from one position of the patch to the next: the product of the network's
             strides. 1 cuts nothing off
    returns  (r, c, channels) float32, channels in the recipe's order; r and c are the patch and a
             whole number of steps. (value - mean) / scale, the mean picture stretched to r x c
    Raises ImageError 'ccv-cut' where what fits is neither as high nor as wide as the recipe says.
    """
    rows, columns = formed.shape[:2]
    high, wide = cut_size(rows, columns, recipe, step)
    top, left = (rows - high) // 2, (columns - wide) // 2
    cut = in_order(formed[top : top + high, left : left + wide], recipe)
    return scaled(cut - mean_at(recipe, high, wide), recipe)


def cut_size(rows: int, columns: int, recipe: Recipe, step: int) -> tuple[int, int]:
    """Rows and columns that `cut_out` leaves of a formed picture of that size.

    Raises ImageError 'ccv-cut' where they are neither as high nor as wide as the recipe says.
    """
    high = recipe.height + (rows - recipe.height) // step * step
    wide = recipe.width + (columns - recipe.width) // step * step
    if high != recipe.resize_height and wide != recipe.resize_width:
        raise ImageError(
            f"A picture formed to {columns:,} x {rows:,} cannot be cut for a patch of "
            f"{recipe.width} x {recipe.height} that moves by {step}: {wide:,} x {high:,} would be "
            f"left, neither {recipe.resize_width} wide nor {recipe.resize_height} high. ccv cannot "
            "classify it either; use 1, 5 or 10 crops.",
            slug="ccv-cut",
        )
    return high, wide


def prepared(pixels: Samples, recipe: Recipe, crops: int) -> NDArray[np.float32]:
    """The inputs for views of a photo: crops of what `cut_out` leaves of all of it.

    pixels   (rows, columns, 3), as decoded
    crops    1, 5 or 10, in the order of `crops.crop_views`; mirrored with their mean, as ccv does
    returns  (crops, channels, height, width) float32
    """
    import numpy as np

    whole = form(pixels, recipe.resize_height, recipe.resize_width)
    views = _windows(cut_out(whole, recipe, 1), recipe, crops)
    return np.ascontiguousarray(np.stack(views).transpose(0, 3, 1, 2))


def pictures(pixels: Samples, recipe: Recipe, crops: int) -> list[NDArray[np.uint8]]:
    """The same views before the mean is subtracted, for people: (height, width, 3) bytes.

    Rounded, and what the cubic overshoots clipped.
    """
    import numpy as np

    whole = form(pixels, recipe.resize_height, recipe.resize_width)
    views = _windows(whole, recipe, crops)
    return [np.rint(view).clip(0, 255).astype(np.uint8) for view in views]


def normalized(view: Samples, recipe: Recipe) -> NDArray[np.float32]:
    """A picture of the network's size as its input, as if it were the middle of a square photo.

    view     (height, width, 3), or 1 channel that is gray already
    returns  (channels, height, width) float32
    """
    import numpy as np

    rows, columns = view.shape[:2]
    mean = mean_at(recipe, recipe.resize_height, recipe.resize_width)
    if mean.ndim == 3:
        top, left = (mean.shape[0] - rows) // 2, (mean.shape[1] - columns) // 2
        mean = mean[top : top + rows, left : left + columns]
    values = scaled(in_order(view.astype(np.float32), recipe) - mean, recipe)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _windows(picture: NDArray[np.float32], recipe: Recipe, crops: int) -> list[NDArray[np.float32]]:
    """Centre; or top left, top right, bottom left, bottom right, centre; or these and mirrored.

    Where the picture is just as high or wide as the patch, some are the same: ccv counts them so.
    """
    down, right = picture.shape[0] - recipe.height, picture.shape[1] - recipe.width
    places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    if crops == 1:
        places = places[4:]
    views = [picture[y : y + recipe.height, x : x + recipe.width] for y, x in places]
    return views + [view[:, ::-1] for view in views] if crops == 10 else views


def in_order(picture: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    """Red, green, blue as the recipe's channels. Gray: ITU-R BT.601 luma, as for other recipes."""
    import numpy as np

    if recipe.channels == "gray" and picture.shape[2] == 3:
        weights = np.array((0.299, 0.587, 0.114), np.float32)
        luma: NDArray[np.float32] = (picture * weights).sum(axis=2, keepdims=True)
        return luma
    return picture[:, :, ::-1] if recipe.channels == "bgr" else picture


def mean_at(recipe: Recipe, height: int, width: int) -> NDArray[np.float32]:
    """What is subtracted from a cut of that size: (height, width, channels), or (channels,)."""
    import numpy as np

    if not recipe.mean_picture:
        return np.array(recipe.mean, np.float32)
    shape = (recipe.resize_height, recipe.resize_width, recipe.channel_count)
    kept = height * width <= MOST_KEPT_PIXELS
    stretched = _stretched if kept else _stretched.__wrapped__
    return stretched(recipe.mean_picture, shape, height, width)


@lru_cache(maxsize=4)
def _stretched(
    mean_picture: bytes, shape: tuple[int, int, int], height: int, width: int
) -> NDArray[np.float32]:
    """A mean picture at a size; kept, since a camera's photos have two sizes."""
    import numpy as np

    picture = cubic(np.frombuffer(mean_picture, "<f4").reshape(shape), height, width)
    picture.setflags(write=False)
    return picture


def mean_of_channels(recipe: Recipe) -> tuple[float, ...]:
    """One number a channel: the recipe's mean, or the average of its mean picture."""
    if not recipe.mean_picture:
        return recipe.mean
    mean = mean_at(recipe, recipe.resize_height, recipe.resize_width)
    return tuple(float(value) for value in mean.mean(axis=(0, 1), dtype="f8"))


def scaled(picture: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    """The last step of a recipe; ccv's own files never scale."""
    import numpy as np

    if all(value == 1 for value in recipe.scale):
        return picture
    out: NDArray[np.float32] = np.divide(picture, np.array(recipe.scale, np.float32))
    return out


def _in_proportion(side: int, to: int, other: int) -> int:
    """The product side x to / other in float32, rounded in double as ccv does: half up."""
    import numpy as np

    quotient = np.float32(side) * np.float32(to) / np.float32(other)
    return int(float(quotient) + 0.5)


def _averaged(lines: Samples, count: int, span: tuple[int, int]) -> NDArray[np.float64]:
    """Lines span[0] to span[1] of the `count` that the first axis is averaged to, in doubles.

    In units of 1/count of a source line every edge is a whole number: new line i reaches from
    i x n to (i + 1) x n, source line k from k x count to (k + 1) x count.
    """
    import numpy as np

    n = len(lines)
    out = np.empty((span[1] - span[0], *lines.shape[1:]), np.float64)
    whole = np.uint64 if lines.dtype == np.uint8 else np.float64
    for i in range(*span):
        start, end = i * n, (i + 1) * n
        first, last = start // count, (end - 1) // count
        total = out[i - span[0]]
        total[:] = lines[first] * np.float64((min(end, (first + 1) * count) - start) / n)
        if last > first:
            total += lines[last] * np.float64((end - last * count) / n)
        if last > first + 1:
            inside = np.add.reduce(lines[first + 1 : last], axis=0, dtype=whole)
            total += inside * np.float64(count / n)
    return out


def _taps(source: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Places (4, count) in a line of `source` values, and their weights."""
    import numpy as np

    x = ((np.arange(count) + 0.5) * source / count - 0.5).astype(np.float32)
    base = np.trunc(x)  # toward zero: left of the first centre t is negative
    places = np.clip(base.astype(np.intp) + np.arange(-1, 3).reshape(4, 1), 0, source - 1)
    t = x - base
    a, one = np.float32(_A), np.float32(1)
    far, rest = t + one, one - t
    weights = np.empty((4, count), np.float32)
    weights[0] = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    weights[1] = ((a + 2) * t - (a + 3)) * t * t + one
    weights[2] = ((a + 2) * rest - (a + 3)) * rest * rest + one
    weights[3] = one - weights[0] - weights[1] - weights[2]
    return places, weights


def _blended(
    lines: NDArray[np.float32], places: NDArray[np.intp], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sum over the four taps along the first axis: float32, in the order of the taps."""
    shaped = weights.reshape(4, -1, *(1,) * (lines.ndim - 1))
    total: NDArray[np.float32] = lines[places[0]] * shaped[0]
    for tap in range(1, 4):
        total += lines[places[tap]] * shaped[tap]
    return total
