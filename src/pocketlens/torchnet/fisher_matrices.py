"""What errors of weights cost together, by back-propagation: Fisher information, not its diagonal.

For a network whose answer is a distribution p over classes, KL(p || p') of a small change e of
weights is 1/2 e' F e with F = E[g g'], g a photo's gradient of v . logits with E[v v'] =
diag(p) - p p' (Martens 2020, "New insights and perspectives on the natural gradient method",
JMLR 21, section 9). F of one output's weights is columns x columns; all outputs of a group share
the shape of the sum of theirs, and each has its own trace.

Against the covariance of the layer's input this knows which inputs matter, and that positions of
a picture add up: where outputs are averaged over a picture, only the picture's mean input counts.

Photos go in runs of a few, each run's sums by one thread; runs are added in their order. So any
number of threads gives the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketlens.base.progress import Progress, silent
from pocketlens.graph.graph import Network, Node
from pocketlens.torchnet.fisher_sums import (
    FisherMatrices,
    LayerSums,
    factored,
    put_out_by,
    seen_by,
)
from pocketlens.torchnet.module import NetworkModule
from pocketlens.torchnet.workers import workers

Floats = NDArray[np.float64]
Sums = dict[str, LayerSums]

TEMPERATURE = 1.5
"""p is that of the scores divided by this: a network that is sure of itself says little."""

PHOTOS_A_RUN = 8
"""Summed in single precision by one thread; runs are summed in double."""

_LEAST = 1e-30  # of a probability whose logarithm is taken


def fisher_matrices(
    network: Network,
    inputs: Iterable[NDArray[np.float32]],
    means: Mapping[str, Floats],
    *,
    probabilities: bool,
    draws: int = 2,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, FisherMatrices]:
    """Fisher information of the weights of every layer of `means`.

    inputs         (1, C, H, W) float32 each
    means          of each layer's input columns, (groups, columns), by the name of its weights;
                   inputs are counted from them, since biases are corrected for them
    probabilities  whether the network ends in a softmax; else its output is logits
    draws          of v for each photo; seed: of v
    threads        that look at photos side by side; the result is the same for any number
    """
    generator = torch.Generator().manual_seed(seed)
    gradients = _Gradients(network, means, probabilities=probabilities)
    sums = gradients.nothing(torch.float64)
    classes = int(np.prod(network.graph.shapes[network.graph.outputs[0]]))
    photos = 0
    for count, found in _in_order(
        gradients.of,
        _runs(
            (picture, [torch.randn(classes, generator=generator) for _ in range(draws)])
            for picture in inputs
        ),
        threads,
    ):
        for name, layer in sums.items():
            layer.add(found[name])
        photos += count
        progress("sensitivities", photos, 0)
    progress("sensitivities", photos, photos)
    return {name: layer.finish(max(photos * draws, 1)) for name, layer in sums.items()}


_Run = list[tuple[NDArray[np.float32], list[Tensor]]]


def _runs(photos: Iterable[tuple[NDArray[np.float32], list[Tensor]]]) -> Iterator[_Run]:
    rest = iter(photos)
    while run := list(islice(rest, PHOTOS_A_RUN)):
        yield run


def _in_order(
    work: Callable[[_Run], Sums], runs: Iterable[_Run], threads: int
) -> Iterator[tuple[int, Sums]]:
    """How many photos a run has, and what comes of it; few runs are under way at once."""
    waiting: deque[tuple[int, Future[Sums]]] = deque()
    with workers(threads) as pool:
        for run in runs:
            waiting.append((len(run), pool.submit(work, run)))
            if len(waiting) > threads:
                count, future = waiting.popleft()
                yield count, future.result()
        for count, future in waiting:
            yield count, future.result()


class _Gradients:
    """The gradients of a network's layers, summed over photos."""

    def __init__(
        self, network: Network, means: Mapping[str, Floats], *, probabilities: bool
    ) -> None:
        self._module = NetworkModule(network)
        self._shapes = network.graph.shapes
        self._means = means
        self._probabilities = probabilities
        self._factored = factored(network.graph, set(means))

    def nothing(self, dtype: torch.dtype) -> Sums:
        """Sums over no photo."""
        return {
            name: LayerSums(self._shapes[name], mean, dtype=dtype)
            for name, mean in self._means.items()
        }

    def of(self, run: _Run) -> Sums:
        """Sums over the photos of a run, with the draws of each."""
        sums = self.nothing(torch.float32)
        for picture, noise in run:
            self._add(torch.from_numpy(np.array(picture)), noise, sums)
        return sums

    def _add(self, picture: Tensor, noise: Sequence[Tensor], sums: Sums) -> None:
        weights = {
            name: self._module.tensor(name).detach().requires_grad_()
            for name in sums
            if name not in self._factored
        }
        watch = _Watch(weights, self._factored)
        out = self._module(picture, tensors=weights, tap=watch.tap)
        assert isinstance(out, Tensor)
        scores = out.reshape(-1)
        scores = scores.clamp(min=_LEAST).log() if self._probabilities else scores
        roots = (scores.detach() / TEMPERATURE).softmax(0).sqrt()
        for draw, drawn in enumerate(noise):
            direction = roots * drawn - roots * roots * (roots @ drawn)
            watch.look_back(scores @ direction, sums, again=draw < len(noise) - 1)
        watch.finish(sums)


class _Watch:
    """One photo's way through the network, and back."""

    def __init__(self, weights: Mapping[str, Tensor], factored: set[str]) -> None:
        """Watch layers of `weights` by their gradients, those `factored` by what they put out."""
        self._weights = weights
        self._factored = factored
        self._shifts: dict[str, Tensor] = {}
        self._nodes: dict[str, Node] = {}
        self._seen: dict[str, Tensor] = {}
        self._outs: dict[str, Tensor] = {}
        self._gradients: dict[str, list[Tensor]] = {}

    def tap(self, node: Node, seen: Tensor, out: Tensor) -> Tensor:
        """A Tap. Adds something to every position of an output: its gradient is the bias's."""
        name = node.inputs[1]
        if name in self._factored:
            out = out if out.requires_grad else out.requires_grad_()
            self._nodes[name], self._seen[name] = node, seen_by(node, seen.detach())
            self._outs[name], self._gradients[name] = out, []
            return out
        if name not in self._weights:
            return out
        axis = 1 if node.op == "conv2d" else out.ndim - 1
        shift = self._shifts.setdefault(name, torch.zeros(out.shape[axis], requires_grad=True))
        return out + shift.reshape([-1 if i == axis else 1 for i in range(out.ndim)])

    def look_back(self, score: Tensor, sums: Sums, *, again: bool) -> None:
        """Take the gradients of a score; `again`: another will follow."""
        names = list(self._shifts)
        asked = [self._weights[name] for name in names] + list(self._shifts.values())
        found = torch.autograd.grad(
            score, asked + list(self._outs.values()), retain_graph=again, allow_unused=True
        )
        for name, gradient, shift in zip(names, found, found[len(names) :], strict=False):
            if gradient is not None and shift is not None:
                sums[name].add_gradient(gradient, shift)
        for name, gradient in zip(self._outs, found[len(asked) :], strict=True):
            if gradient is not None:
                self._gradients[name].append(put_out_by(self._nodes[name], gradient))

    def finish(self, sums: Sums) -> None:
        """Add what waits until all gradients are there."""
        for name, gradients in self._gradients.items():
            if gradients:
                sums[name].add_factors(self._seen[name], gradients)
