"""A palette's values taken by their indices, with a backward pass that is one sweep."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Take(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, values: Tensor, indices: Tensor) -> Tensor:
        ctx.save_for_backward(indices)
        ctx.size = len(values)
        return values.index_select(0, indices.reshape(-1)).reshape(indices.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (indices,) = ctx.saved_tensors
        # One bin after the other in the order of the weights: the same for any threads, and in
        # double precision, since a value may stand for a million weights.
        sums = torch.bincount(indices.reshape(-1), gradient.reshape(-1).double(), ctx.size)
        return sums.to(gradient.dtype), None


def take(values: Tensor, indices: Tensor) -> Tensor:
    """values[indices]: a value's gradient is the sum of those of the weights it stands for.

    values   (m,), floating
    indices  int32 of any shape, each below m
    """
    return _Take.apply(values, indices)
