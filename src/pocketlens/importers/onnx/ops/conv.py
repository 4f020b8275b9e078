"""Convolutions: 2-D as they are, 1-D as pictures of one row."""

from __future__ import annotations

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import reshape
from pocketlens.importers.onnx.values import Array
from pocketlens.importers.onnx.windows import window


@lowers("Conv", inputs=(2, 3))
def conv(site: Site) -> Array:
    """Weights and bias have to be constant."""
    x, weights = site.array(0), site.constant(1, "weights")
    rank = len(x.shape)
    if rank not in (3, 4) or weights.ndim != rank:
        raise site.refuse(
            f"it convolves an array of shape {x.shape} with weights of shape {weights.shape}; "
            "1-D and 2-D convolutions are supported"
        )
    sizes = window(site, x.shape[2:], kernel=weights.shape[2:])
    if rank == 3:
        x = reshape(site, x, (*x.shape[:2], 1, x.shape[2]))
        weights = weights[:, :, None, :]
    out = site.emit(
        "conv2d",
        x,
        site.tensor(weights, site.tensor_name(1, "weight")),
        _bias(site, weights.shape[0]),
        activation="none",
        alpha=0.0,
        beta=0.0,
        strides=sizes.strides,
        pads=sizes.pads,
        dilations=sizes.dilations,
        groups=site.int_of("group", 1),
    )
    return out if rank == 4 else reshape(site, out, (*out.shape[:2], out.shape[3]))


def _bias(site: Site, outputs: int) -> Array | None:
    if not site.has(2):
        return None
    bias = site.constant(2, "bias")
    if bias.shape != (outputs,):
        raise site.refuse(f"its bias has shape {bias.shape}, expected ({outputs},)")
    return site.tensor(bias, site.tensor_name(2, "bias"))
