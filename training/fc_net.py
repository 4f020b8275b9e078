"""Train a network of which nearly all weights are in two full connect layers, on CIFAR-10.

Networks of 2014 were like this, and Pocketlens's first table was of one.  Four convolutions make
128 x 4 x 4 features, two full connect layers of 2048 outputs and one of 10 follow: 8.65 million
weights, 97 % of them in full connect layers.  The ONNX file is for measuring only (34 MB); see
``benchmarks/rate_distortion.py --model-file``.

    python training/fc_net.py --git CIFAR-10-dataset --out fc_net.onnx --epochs 9

The data is a git repository with ``train/<class>/*.png`` and ``test/<class>/*.png`` (bare or
not), or arrays as ``data.py`` loads them.  The same seed, thread count, machine and library
versions give the same weights.
"""

from __future__ import annotations

import argparse
import io
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from data import DataError, DataSet, Split, load, normalise
from export import write_onnx
from tiny_imagenet import Reader, git_reader
from train import evaluate, learning_rate, make_optimiser

SIZE = 32
CHANNELS = (32, 64, 128, 128)
HIDDEN = 2048
SHIFT = 4
"""A training image is moved by up to so many pixels, mirrored at its edges."""

PARTS = {"train": "train", "val": "test"}


class FullConnectNet(nn.Module):  # type: ignore[misc]
    """Four 3x3 convolutions, the first three followed by 2x2 pooling, and three linear layers."""

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for number, outputs in enumerate(CHANNELS):
            conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
            if number < 3:
                layers.append(nn.MaxPool2d(2))
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(inputs * (SIZE // 8) ** 2, HIDDEN), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Normalised float images ``[N, 3, 32, 32]`` to logits ``[N, classes]``."""
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits


def read_repository(repository: Path) -> DataSet:
    """All images of a CIFAR-10 repository, without a work tree."""
    listing = subprocess.run(
        ["git", "-C", str(repository), "ls-tree", "-r", "-z", "HEAD"],
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        raise DataError(f"git cannot list {repository}: {listing.stderr.decode().strip()}")
    names: dict[str, str] = {}
    for entry in listing.stdout.decode().split("\0"):
        meta, _, path = entry.partition("\t")
        if path.endswith(".png") and path.count("/") == 2:
            names[path] = meta.split()[2]
    classes = sorted({path.split("/")[1] for path in names})
    read = git_reader(repository, names)
    splits = [_read_part(folder, sorted(names), classes, read) for folder in PARTS.values()]
    return DataSet(splits[0], splits[1], classes)


def _read_part(folder: str, names: list[str], classes: list[str], read: Reader) -> Split:
    paths = [path for path in names if path.startswith(f"{folder}/")]
    if not paths:
        raise DataError(f"the repository has no {folder}/<class>/*.png")
    images = [_decode(content, path) for path, content in zip(paths, read(paths), strict=True)]
    labels = [classes.index(path.split("/")[1]) for path in paths]
    return Split(np.stack(images), np.array(labels, np.int64))


def _decode(content: bytes, path: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        pixels = np.asarray(image.convert("RGB"))
    if pixels.shape != (SIZE, SIZE, 3):
        raise DataError(f"{path} is not an image of {SIZE} x {SIZE} pixels")
    return pixels


def moved(images: NDArray[np.uint8], random: np.random.Generator) -> Tensor:
    """Normalised images, each shifted and every second one flipped: float ``[N, 3, 32, 32]``."""
    count = len(images)
    wide = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="reflect")
    steps = np.arange(SIZE)
    rows = random.integers(0, 2 * SHIFT + 1, (count, 1)) + steps
    columns = random.integers(0, 2 * SHIFT + 1, (count, 1)) + steps
    flipped = random.random(count) < 0.5
    columns[flipped] = columns[flipped, ::-1]
    cut = wide[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return normalise(cut).contiguous(memory_format=torch.channels_last)


def batches(split: Split, size: int, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Every full batch of one epoch, in an order that seed and epoch give."""
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(split.labels))
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        yield moved(split.images[rows], random), torch.from_numpy(split.labels[rows])


def train(data: DataSet, options: argparse.Namespace) -> FullConnectNet:
    """The network after all epochs, ready for inference."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    network = FullConnectNet(len(data.classes), options.dropout)
    network.to(memory_format=torch.channels_last)
    optimiser = make_optimiser(network, options.lr)
    per_epoch = len(data.train.labels) // options.batch
    steps, step, start_s = options.epochs * per_epoch, 0, time.monotonic()
    for epoch in range(options.epochs):
        network.train()
        losses = []
        for images, labels in batches(data.train, options.batch, options.seed, epoch):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step / steps, options.lr)
            with torch.autocast("cpu", torch.bfloat16, enabled=not options.float32):
                logits = network(images)
            loss = functional.cross_entropy(logits.float(), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
            step += 1
        top1, _ = evaluate(network, data.val, SIZE, half=not options.float32)
        seconds = time.monotonic() - start_s
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, test top-1 {top1:.2f} %, "
              f"{seconds:.0f} s", flush=True)  # fmt: skip
        if not math.isfinite(losses[-1]):
            raise DataError("the loss is not finite; choose a smaller --lr")
    network.eval()
    return network


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--git", type=Path, help="a git repository of CIFAR-10 as PNG files")
    source.add_argument("--data", type=Path, help="arrays or class folders, see data.py")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file")
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--batch", type=int, default=128, help="images per step (128)")
    parser.add_argument("--lr", type=float, default=0.05, help="peak learning rate (0.05)")
    parser.add_argument("--dropout", type=float, default=0.5, help="in full connect layers (0.5)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random choices (1)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="do not compute in bfloat16")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 on success, 2 when the data cannot be used."""
    options = parse_arguments(arguments)
    try:
        data = load(options.data, SIZE) if options.git is None else read_repository(options.git)
        network = train(data, options)
        write_onnx(network, SIZE, options.out)
        top1, _ = evaluate(network, data.val, SIZE, half=False)
        print(f"test top-1 {top1:.2f} % in float32")
    except DataError as error:
        print(f"fc_net: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
