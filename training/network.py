"""The network: a small residual net of plain 3x3 convolutions for 32..96 pixel images.

Only convolutions, batch normalisation, ReLU, addition, average pooling and one linear
layer are used, so that every step of it has an exact counterpart in the exported graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

STAGE_FACTORS = (2, 4, 10, 20)
"""Channels of each stage, as a multiple of the network's width."""

STAGE_BLOCKS = (1, 2, 2, 1)
"""Number of residual blocks of each stage."""


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """A convolution without bias, padded to keep the size, and its batch normalisation."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Block(nn.Module):  # type: ignore[misc]
    """Basic residual block: two 3x3 convolutions and a shortcut, float ``[N, C, H, W]``."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv_norm(inputs, outputs, 3, stride)
        self.second = conv_norm(outputs, outputs, 3, 1)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool = nn.AvgPool2d(stride) if stride != 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, conv_norm(inputs, outputs, 1, 1))
        norm = self.second[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Float ``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        inner = torch.relu(self.first(x))
        return torch.relu(self.second(inner) + self.shortcut(x))


class LensNet(nn.Module):  # type: ignore[misc]
    """The classifier: a stride-2 stem, four stages, global average pooling, linear."""

    def __init__(self, classes: int, width: int = 16, blocks: Sequence[int] = STAGE_BLOCKS) -> None:
        super().__init__()
        channels = width * STAGE_FACTORS[0]
        self.stem = nn.Sequential(conv_norm(3, channels, 3, 2), nn.ReLU())
        stages: list[nn.Module] = []
        for stage, (factor, count) in enumerate(zip(STAGE_FACTORS, blocks, strict=True)):
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(Block(channels, width * factor, stride))
                channels = width * factor
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised float images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        features = self.stages(self.stem(x))
        pooled = functional.adaptive_avg_pool2d(features, 1).flatten(1)
        logits: Tensor = self.head(pooled)
        return logits


def parameter_count(network: nn.Module) -> int:
    """Number of trainable values, batch normalisation included."""
    return sum(p.numel() for p in network.parameters())


def multiply_adds(network: nn.Module, size: int) -> int:
    """Multiply-adds of convolutions and linear layers for one ``size`` x ``size`` image."""
    total = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += module.weight.numel()

    kinds = (nn.Conv2d, nn.Linear)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return total
