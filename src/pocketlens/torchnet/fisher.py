"""What an error of a weight costs, by back-propagation: the diagonal of the Fisher information.

For a network whose answer is a distribution p over classes, KL(p || p') of a small change e of
its weights is 1/2 e' F e with F = E[g g'], where g is a photo's gradient of -log p(t) and t is
drawn from p itself: no labels are needed (Martens 2020, "New insights and perspectives on the
natural gradient method", JMLR 21, section 5).

Gradients are whole photos': what a weight does at one position of a picture and what it does at
the next add up or cancel before they are squared. Squaring position by position (Fisher of the
outputs instead of the weights) is cheaper and misjudges layers against each other by up to 12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pocketlens.base.progress import Progress, silent
from pocketlens.graph.graph import Network, Node
from pocketlens.torchnet.module import NetworkModule

Floats = NDArray[np.float64]

TEMPERATURE = 1.5
"""Scores are divided by this: the gradient of a network that is sure of itself says little."""

_LEAST = 1e-30  # of a probability whose logarithm is taken


def weight_fisher(
    network: Network,
    inputs: Iterable[NDArray[np.float32]],
    means: Mapping[str, Floats],
    *,
    probabilities: bool,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, Floats]:
    """Fisher information of each output's weights, summed over its columns.

    inputs         (1, C, H, W) float32 each
    means          of each layer's input columns, (groups, columns), by the name of its weights;
                   inputs are counted from them, since biases are corrected for them
    probabilities  whether the network ends in a softmax; else its output is logits
    seed           of the drawn classes
    threads        of torch
    returns        (outputs,) for every name of `means`: sum_c E[(dL / dw_oc)^2], L in nats
    """
    module = NetworkModule(network)
    generator = torch.Generator().manual_seed(seed)
    centres = {name: torch.from_numpy(np.array(mean)) for name, mean in means.items()}
    sums = {name: np.zeros(network.graph.shapes[name][0]) for name in means}
    photos = 0
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for picture in inputs:
            progress("sensitivities", photos, 0)
            weights = {name: module.tensor(name).detach().requires_grad_() for name in means}
            shifts: dict[str, Tensor] = {}
            out = module(
                torch.from_numpy(np.array(picture)), tensors=weights, tap=_adding_up(shifts)
            )
            _drawn_loss(out, probabilities, temperature, generator).backward()
            for name, weight in weights.items():
                if weight.grad is not None:
                    sums[name] += _squares(weight.grad, shifts[name], centres[name]).numpy()
            photos += 1
    finally:
        torch.set_num_threads(before)
    progress("sensitivities", photos, photos)
    return {name: total / max(photos, 1) for name, total in sums.items()}


def _drawn_loss(
    out: Tensor, probabilities: bool, temperature: float, generator: torch.Generator
) -> Tensor:
    """-log p of a class that is drawn from p."""
    scores = out.reshape(1, -1)
    scores = (scores.clamp(min=_LEAST).log() if probabilities else scores) / temperature
    drawn = torch.multinomial(scores.detach().softmax(1), 1, generator=generator)[:, 0]
    return functional.cross_entropy(scores, drawn)


def _adding_up(shifts: dict[str, Tensor]) -> Callable[[Node, Tensor], Tensor]:
    """A tap that adds the gradients of a layer's outputs over positions: those of its biases."""

    def tap(node: Node, out: Tensor) -> Tensor:
        name = node.inputs[1]
        axis = 1 if node.op == "conv2d" else out.ndim - 1
        others = [i for i in range(out.ndim) if i != axis]

        def add(gradient: Tensor) -> None:
            shift = gradient.sum(others, dtype=torch.float64) if others else gradient.double()
            shifts[name] = shifts[name] + shift if name in shifts else shift

        if out.requires_grad:
            out.register_hook(add)
        return out

    return tap


def _squares(gradient: Tensor, shift: Tensor, centre: Tensor) -> Tensor:
    """Squared gradients of one photo, inputs counted from their means: (outputs,)."""
    groups, columns = centre.shape
    centred = gradient.double().reshape(groups, -1, columns)
    centred = centred - shift.reshape(groups, -1, 1) * centre[:, None]
    return (centred * centred).sum(2).reshape(-1)
