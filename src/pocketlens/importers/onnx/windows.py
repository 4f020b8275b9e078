"""Windows that slide over pictures: kernel, strides, pads, dilations of Conv and the pools."""

from __future__ import annotations

from dataclasses import dataclass

from pocketlens.importers.onnx.site import Site


@dataclass(frozen=True)
class Window:
    """Sizes in pixels as graph.ops wants them: (height, width); pads top, left, bottom, right."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]


def window(
    site: Site, spatial: tuple[int, ...], *, kernel: tuple[int, ...], ceil: bool = False
) -> Window:
    """The window of a node over a picture (or, with one spatial axis, a row of pixels).

    `ceil`: the node has ceil_mode, which does not go together with auto_pad.
    """
    count = len(spatial)
    strides = _sizes(site, "strides", count) or (1,) * count
    dilations = _sizes(site, "dilations", count) or (1,) * count
    if len(kernel) != count or min((*kernel, *strides, *dilations)) < 1:
        raise site.refuse(
            f"a kernel {kernel} with strides {strides} and dilations {dilations} over {count} axes",
            slug="onnx-invalid",
        )
    reach = [dilations[axis] * (kernel[axis] - 1) + 1 for axis in range(count)]
    before, after = _pads(site, spatial, reach, strides)
    if ceil and site.text_of("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise site.refuse("ceil_mode together with auto_pad")
    if count == 1:
        kernel, strides, dilations = (1, *kernel), (1, *strides), (1, *dilations)
        before, after = (0, *before), (0, *after)
    return Window(_pair(kernel), _pair(strides), (*_pair(before), *_pair(after)), _pair(dilations))


def _pads(
    site: Site, spatial: tuple[int, ...], reach: list[int], strides: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Pads before and after, one an axis."""
    count, auto = len(spatial), site.text_of("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = _sizes(site, "pads", 2 * count) or (0,) * (2 * count)
        return pads[:count], pads[count:]
    if auto == "VALID":
        return (0,) * count, (0,) * count
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise site.refuse(f"auto_pad is '{auto}'", slug="onnx-invalid")
    totals = [
        max(0, (-(-size // stride) - 1) * stride + span - size)
        for size, span, stride in zip(spatial, reach, strides, strict=True)
    ]
    small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
    return (small, large) if auto == "SAME_UPPER" else (large, small)


def _sizes(site: Site, name: str, count: int) -> tuple[int, ...] | None:
    values = site.ints_of(name)
    if values is not None and len(values) != count:
        raise site.refuse(
            f"its attribute '{name}' has {len(values)} entries, expected {count}",
            slug="onnx-invalid",
        )
    return values


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]
