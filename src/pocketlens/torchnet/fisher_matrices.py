"""What errors of weights cost together, by back-propagation: Fisher information, not its diagonal.

For a network whose answer is a distribution p over classes, KL(p || p') of a small change e of
weights is 1/2 e' F e with F = E[g g'], g a photo's gradient of v . logits with E[v v'] =
diag(p) - p p' (Martens 2020, "New insights and perspectives on the natural gradient method",
JMLR 21, section 9). F of one output's weights is columns x columns; all outputs of a group share
the shape of the sum of theirs, and each has its own trace.

Against the covariance of the layer's input this knows which inputs matter, and that positions of
a picture add up: where outputs are averaged over a picture, only the picture's mean input counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketlens.base.progress import Progress, silent
from pocketlens.graph.graph import Network, Node
from pocketlens.torchnet.module import NetworkModule

Floats = NDArray[np.float64]

TEMPERATURE = 1.5
"""p is that of the scores divided by this: a network that is sure of itself says little."""

MOST_PRODUCTS = 4 * 10**9
"""A layer whose matrix takes more multiplications a gradient has none; its traces are cheap."""

_LEAST = 1e-30  # of a probability whose logarithm is taken


@dataclass(frozen=True)
class FisherMatrices:
    """Fisher information of a layer's weights, the mean over photos and draws.

    matrices  (groups, columns, columns): summed over the outputs of a group; None: too large
    traces    (outputs,): each output's own, summed over its columns
    between   (outputs, outputs): of pairs of outputs, summed over columns; None: several groups
    """

    matrices: Floats | None
    traces: Floats
    between: Floats | None = None


class _Sums:
    """One layer's, while photos go by."""

    def __init__(self, shape: tuple[int, ...], mean: Floats) -> None:
        self.centre = torch.from_numpy(np.array(mean, np.float32))
        groups, columns = mean.shape
        self.traces = torch.zeros(shape[0], dtype=torch.float64)
        small = shape[0] * columns * columns <= MOST_PRODUCTS
        self.matrices = (
            torch.zeros(groups, columns, columns, dtype=torch.float64) if small else None
        )
        pairs = groups == 1 and shape[0] * shape[0] * columns <= MOST_PRODUCTS
        self.between = torch.zeros(shape[0], shape[0], dtype=torch.float64) if pairs else None

    def add(self, gradient: Tensor, shift: Tensor) -> None:
        """One photo's gradient by the weights, and that by the biases, (outputs,)."""
        groups, columns = self.centre.shape
        centred = gradient.reshape(groups, -1, columns)
        centred = centred - shift.reshape(groups, -1, 1) * self.centre[:, None]
        self.traces += (centred * centred).sum(2, dtype=torch.float64).reshape(-1)
        if self.matrices is not None:
            self.matrices += torch.bmm(centred.transpose(1, 2), centred)
        if self.between is not None:
            self.between += centred[0] @ centred[0].T

    def finish(self, count: int) -> FisherMatrices:
        matrices = None if self.matrices is None else (self.matrices / count).numpy()
        between = None if self.between is None else (self.between / count).numpy()
        return FisherMatrices(matrices, (self.traces / count).numpy(), between)


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
    draws          of v for each photo; seed: of v; threads: of torch
    """
    module = NetworkModule(network)
    generator = torch.Generator().manual_seed(seed)
    sums = {name: _Sums(network.graph.shapes[name], mean) for name, mean in means.items()}
    photos = 0
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for picture in inputs:
            progress("sensitivities", photos, 0)
            _add_photo(module, torch.from_numpy(np.array(picture)), sums, probabilities, draws,
                       generator)  # fmt: skip
            photos += 1
    finally:
        torch.set_num_threads(before)
    progress("sensitivities", photos, photos)
    return {name: layer.finish(max(photos * draws, 1)) for name, layer in sums.items()}


def _add_photo(
    module: NetworkModule,
    picture: Tensor,
    sums: Mapping[str, _Sums],
    probabilities: bool,
    draws: int,
    generator: torch.Generator,
) -> None:
    weights = {name: module.tensor(name).detach().requires_grad_() for name in sums}
    shifts: dict[str, Tensor] = {}

    def tap(node: Node, out: Tensor) -> Tensor:
        """Add something to every position of an output: its gradient is that of the bias."""
        name = node.inputs[1]
        if name not in sums:
            return out
        axis = 1 if node.op == "conv2d" else out.ndim - 1
        shift = shifts.setdefault(name, torch.zeros(out.shape[axis], requires_grad=True))
        return out + shift.reshape([-1 if i == axis else 1 for i in range(out.ndim)])

    out = module(picture, tensors=weights, tap=tap)
    assert isinstance(out, Tensor)
    scores = out.reshape(-1)
    scores = scores.clamp(min=_LEAST).log() if probabilities else scores
    roots = (scores.detach() / TEMPERATURE).softmax(0).sqrt()
    names = [name for name in sums if name in shifts]
    asked = [weights[name] for name in names] + [shifts[name] for name in names]
    for draw in range(draws):
        noise = torch.randn(len(roots), generator=generator)
        direction = roots * noise - roots * roots * (roots @ noise)
        found = torch.autograd.grad(
            scores @ direction, asked, retain_graph=draw < draws - 1, allow_unused=True
        )
        for name, gradient, shift in zip(names, found, found[len(names) :], strict=False):
            if gradient is not None and shift is not None:
                sums[name].add(gradient, shift)
