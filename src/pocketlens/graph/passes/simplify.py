"""Every rewrite, in order. The network that comes out computes the same from fewer nodes."""

from __future__ import annotations

from pocketlens.graph.graph import Network
from pocketlens.graph.passes.fold_affine import fold_affine
from pocketlens.graph.passes.fold_pad import fold_pad
from pocketlens.graph.passes.fuse_activation import fuse_activation
from pocketlens.graph.passes.fuse_matmul import scale_into_matmul, transpose_into_matmul
from pocketlens.graph.passes.fuse_residual import fuse_residual
from pocketlens.graph.passes.gates import hard_sigmoid, hard_swish, silu
from pocketlens.graph.passes.gelu import gelu
from pocketlens.graph.passes.layer_norm import layer_norm, scale_into_layer_norm
from pocketlens.graph.passes.moves import (
    merge_reshapes,
    merge_transposes,
    skip_idle,
    transpose_to_reshape,
    unstack_transpose,
)
from pocketlens.graph.passes.rewriting import Rule, View

# Patterns are recognized before anything is fused into their parts; activations are fused last,
# since nothing is folded through them.
STAGES: tuple[tuple[Rule, ...], ...] = (
    (skip_idle, merge_reshapes, unstack_transpose, merge_transposes, transpose_to_reshape),
    (layer_norm, scale_into_layer_norm, gelu, hard_sigmoid, hard_swish, silu),
    (fold_pad, fold_affine, transpose_into_matmul, scale_into_matmul),
    (fuse_residual, fuse_activation),
)


def simplify(network: Network) -> Network:
    """Apply every rewrite until none applies, stage by stage; sweep away what nobody reads."""
    view = View(network)
    for stage in STAGES:
        while sum(view.run(rule) for rule in stage):
            pass
    return view.network()
