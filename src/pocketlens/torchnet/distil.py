"""A network with few trainable values learns to answer as another does.

The loss is KL(p || q), p being the teacher's answer, which is handed in, and q this network's
(Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network", at temperature 1):
no labels are needed. Steps are Adam's (Kingma and Ba 2015), each value's length of step in units
of its own tensor, so that one rate serves networks of any scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pocketlens.graph.graph import Network, Node
from pocketlens.torchnet.gather import take
from pocketlens.torchnet.module import NetworkModule
from pocketlens.torchnet.trainable import Trainable

Array = NDArray[np.float32]
Keep = Callable[[Array], Array]

PARTS = 2
"""A batch is always cut into so many; whether they go side by side changes nothing."""

_LEAST = 1e-30  # of a probability whose logarithm is taken
_BETAS = (0.9, 0.99)  # of Adam: there are only some hundred steps


class Distillation:
    """A training under way."""

    def __init__(
        self,
        network: Network,
        trainables: Sequence[Trainable],
        *,
        probabilities: bool,
        value_rate: float,
        layer_rate: float,
        example: Array,
        pool: Executor,
    ) -> None:
        """Get ready to train.

        network        graph and tensors as they are now
        probabilities  whether it ends in a softmax; else its output is logits
        value_rate     step of values in units of their scale
        layer_rate     step of biases in units of the spread of their layer's outputs
        example        (n, C, H, W): pictures on which that spread is seen
        pool           of workers(), for the parts of a batch
        """
        self._pool = pool
        self._module = NetworkModule(network)
        self._probabilities = probabilities
        spreads = self._spreads(example)
        self._cells: dict[str, _Cell] = {}
        groups = []
        for trainable in trainables:
            cell = _Cell(trainable)
            self._cells[trainable.name] = cell
            rate = value_rate if trainable.layer is None else layer_rate * spreads[trainable.layer]
            groups.append({"params": [cell.moved], "full_lr": rate * trainable.scale, "lr": 0.0})
        self._adam = torch.optim.Adam(groups, betas=_BETAS)

    def step(self, pictures: Array, answers: Array, *, rate: float) -> float:
        """One step towards the teacher's answers.

        pictures  (n, C, H, W); answers (n, classes): natural logarithms of probabilities
        rate      0 to 1: part of the full length of step
        returns   mean KL before the step, nats a photo
        """
        for group in self._adam.param_groups:
            group["lr"] = rate * group["full_lr"]
        tensors = {name: cell.tensor() for name, cell in self._cells.items()}
        leaves = {name: each.detach().requires_grad_() for name, each in tensors.items()}
        cuts = np.linspace(0, len(pictures), min(PARTS, len(pictures)) + 1).astype(int)
        parts = list(pairwise(cuts))
        found = list(
            self._pool.map(
                lambda part: self._gradients(
                    pictures[slice(*part)], answers[slice(*part)], leaves, of=len(pictures)
                ),
                parts,
            )
        )
        self._adam.zero_grad()
        torch.autograd.backward(
            list(tensors.values()), [sum(each) for each in zip(*(g for _, g in found), strict=True)]
        )
        self._adam.step()
        return sum(loss for loss, _ in found)

    def _gradients(
        self, pictures: Array, answers: Array, tensors: Mapping[str, Tensor], *, of: int
    ) -> tuple[float, tuple[Tensor, ...]]:
        """Loss and gradients of some of the `of` pictures of a batch."""
        out = self._module(torch.from_numpy(pictures), tensors=tensors)
        scores = out.reshape(len(pictures), -1)
        scores = scores.clamp(min=_LEAST).log() if self._probabilities else scores
        loss = functional.kl_div(
            functional.log_softmax(scores, 1),
            torch.from_numpy(answers),
            log_target=True,
            reduction="sum",
        )
        loss = loss / of
        gradients = torch.autograd.grad(
            loss, list(tensors.values()), allow_unused=True, materialize_grads=True
        )
        return float(loss.detach()), gradients

    def values(self) -> dict[str, Array]:
        """A copy of all trained values, by the name of their tensor."""
        return {name: cell.values().detach().numpy().copy() for name, cell in self._cells.items()}

    def put(self, values: Mapping[str, Array]) -> None:
        """Go on from these values, by the name of their tensor; Adam's memory stays."""
        for name, given in values.items():
            self._cells[name].put(given)

    def forget(self) -> None:
        """Empty Adam's memory."""
        self._adam.state.clear()

    def _spreads(self, example: Array) -> dict[str, float]:
        """Of each layer's outputs before the activation: mean deviation over positions."""
        spreads: dict[str, float] = {}

        def tap(node: Node, seen: Tensor, out: Tensor) -> Tensor:  # noqa: ARG001
            axis = 1 if node.op == "conv2d" else out.ndim - 1
            others = [i for i in range(out.ndim) if i != axis]
            spreads[node.inputs[1]] = float(out.std(dim=others, correction=0).mean())
            return out

        with torch.no_grad():
            self._module(torch.from_numpy(example), tap=tap)
        return spreads


class _Cell:
    """One tensor's trained values: where they began, and how far they were moved."""

    def __init__(self, trainable: Trainable) -> None:
        self.shape = trainable.shape
        self.start = torch.from_numpy(np.array(trainable.values, np.float32))
        self.indices = (
            None if trainable.indices is None else torch.from_numpy(np.array(trainable.indices))
        )
        self.basis: Tensor | None = None
        if trainable.is_even:
            ramp = torch.linspace(-1.0, 1.0, len(self.start))
            self.basis = torch.stack([torch.ones_like(ramp), ramp], 1)
        size = len(self.start) if self.basis is None else 2
        self.moved = torch.zeros(size).requires_grad_()

    def values(self) -> Tensor:
        return self.start + (self.moved if self.basis is None else self.basis @ self.moved)

    def tensor(self) -> Tensor:
        values = self.values()
        return values.reshape(self.shape) if self.indices is None else take(values, self.indices)

    def put(self, given: Array) -> None:
        move = torch.from_numpy(np.array(given, np.float32)) - self.start
        if self.basis is not None:
            move = torch.linalg.lstsq(self.basis, move[:, None]).solution[:, 0]
        with torch.no_grad():
            self.moved.copy_(move)
