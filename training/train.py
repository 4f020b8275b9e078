"""Train the bundled classifier, or one on your own images, on the processor.

The data is a folder with ``train/<class>/*.jpg`` and ``val/<class>/*.jpg``, or the cached
arrays that ``tiny_imagenet.py`` writes.  The length of a run is given in epochs or in
minutes.  With ``--minutes`` the learning rate follows the clock, so the run ends on time
whatever else the machine does, but it cannot be repeated bit for bit; with ``--epochs``
the same seed, machine, thread count and library versions give the same weights.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from data import DataError, DataSet, Split, augment, load, plain
from network import LensNet, multiply_adds, parameter_count

CHECKPOINT = "checkpoint.pt"
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
LABEL_SMOOTHING = 0.1
WARMUP = 0.04
"""Share of the run in which the learning rate rises to its peak."""

AVERAGED_EPOCHS = 0.5
"""Number of epochs that the averaged weights look back over."""

SIZE_STEPS = ((0.0, 0.5), (0.1, 0.75), (0.88, 1.0))
"""From which share of the run on images are trained at which share of the final size."""

CHECKPOINT_SECONDS = 180
"""Time between two checkpoints within an epoch."""

QUICK_VAL_IMAGES = 2000
"""Number of validation images looked at after each epoch; all are at the end."""


@dataclass
class State:
    """Everything that changes during a run and that a checkpoint holds."""

    network: LensNet
    average: LensNet
    optimiser: torch.optim.SGD
    step: int = 0
    seconds: float = 0.0
    images_seen: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def learning_rate(progress: float, peak: float) -> float:
    """Linear warm-up, then a cosine to zero; ``progress`` runs from 0 to 1."""
    if progress < WARMUP:
        return peak * max(progress / WARMUP, 0.01)
    share = min(1.0, (progress - WARMUP) / (1 - WARMUP))
    return peak * 0.5 * (1 + math.cos(math.pi * share))


def image_size(progress: float, size: int) -> int:
    """Training image size in pixels at this point of the run, a multiple of 16."""
    share = [factor for start, factor in SIZE_STEPS if progress >= start][-1]
    return min(size, max(32, 16 * round(size * share / 16)))


def make_optimiser(network: nn.Module, peak: float) -> torch.optim.SGD:
    """Nesterov SGD; biases and batch normalisation are free of weight decay."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=peak, momentum=MOMENTUM, nesterov=True)


def update_average(average: nn.Module, network: nn.Module, step: int, horizon: float) -> None:
    """Move the averaged weights and statistics towards the current ones.

    ``horizon`` is the length of the average in steps; it is shorter early in the run.
    """
    share = 1 / min(step + 1, max(1.0, min(horizon, step / 5)))
    current = network.state_dict()
    with torch.no_grad():
        for name, value in average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[name], share)
            else:
                value.copy_(current[name])


def evaluate(network: nn.Module, split: Split, size: int, half: bool) -> tuple[float, float]:
    """Top-1 and top-5 accuracy in percent on plain images; ``half`` computes in bfloat16."""
    network.eval()
    first = fifth = 0
    for start in range(0, len(split.labels), 250):
        batch = plain(split.images[start : start + 250], size)
        labels = torch.from_numpy(split.labels[start : start + 250])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = network(batch)
        best = logits.float().topk(min(5, logits.shape[1])).indices == labels[:, None]
        first += int(best[:, 0].sum())
        fifth += int(best.any(dim=1).sum())
    return 100 * first / len(split.labels), 100 * fifth / len(split.labels)


def save_checkpoint(path: Path, state: State, options: dict[str, Any], classes: list[str]) -> None:
    """Write a checkpoint to a temporary file and rename it into place."""
    content = {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "images_seen": state.images_seen,
        "history": state.history,
        "options": options,
        "classes": classes,
    }
    partial = path.with_suffix(".tmp")
    torch.save(content, partial)
    partial.replace(path)


def restore(path: Path, state: State, classes: list[str]) -> None:
    """Continue from a checkpoint written by ``save_checkpoint``."""
    if not path.is_file():
        raise DataError(f"there is no checkpoint {path} to resume from")
    content = torch.load(path, map_location="cpu", weights_only=True)
    if content["classes"] != classes:
        raise DataError(f"{path} was trained on other classes")
    try:
        state.network.load_state_dict(content["network"])
    except RuntimeError as error:
        raise DataError(f"{path} holds a network of another width") from error
    state.average.load_state_dict(content["average"])
    state.optimiser.load_state_dict(content["optimiser"])
    state.step, state.seconds = content["step"], content["seconds"]
    state.images_seen, state.history = content["images_seen"], content["history"]


class Clock:
    """Tells how far a run is, from 0 to 1, by steps or by seconds of training."""

    def __init__(self, steps: int | None, minutes: float | None, before: float) -> None:
        self._steps = steps
        self._limit = None if minutes is None else minutes * 60
        self._started = time.monotonic() - before

    def seconds(self) -> float:
        """Seconds of work so far, those before a resume included."""
        return time.monotonic() - self._started

    def progress(self, step: int) -> float:
        """Share of the run that is done after ``step`` steps."""
        if self._steps is not None:
            return step / self._steps
        assert self._limit is not None
        return self.seconds() / self._limit


def epoch_batches(count: int, batch: int, seed: int, epoch: int) -> Iterator[np.ndarray[Any, Any]]:
    """Sorted row numbers of each full batch of one epoch, int64 ``[batch]``."""
    order = np.random.default_rng((seed, epoch)).permutation(count)
    for start in range(0, count - batch + 1, batch):
        yield np.sort(order[start : start + batch])


def train_step(state: State, batch: Tensor, labels: Tensor, half: bool) -> float:
    """One optimiser step on normalised images ``[N, 3, S, S]``; returns the loss."""
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        logits = state.network(batch)
    loss = functional.cross_entropy(logits.float(), labels, label_smoothing=LABEL_SMOOTHING)
    state.optimiser.zero_grad()
    loss.backward()
    state.optimiser.step()
    return float(loss.detach())


def train_epoch(
    state: State,
    data: DataSet,
    options: argparse.Namespace,
    clock: Clock,
    save: Callable[[], None],
) -> float:
    """Train to the end of the epoch or of the run, from wherever a checkpoint left off.

    Returns the mean loss; ``save`` is called every few minutes.
    """
    losses: list[float] = []
    per_epoch = len(data.train.labels) // options.batch
    epoch, done = divmod(state.step, per_epoch)
    batches = epoch_batches(len(data.train.labels), options.batch, options.seed, epoch)
    saved = time.monotonic()
    state.network.train()
    for rows in itertools.islice(batches, done, None):
        progress = clock.progress(state.step)
        if progress >= 1:
            break
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(progress, options.lr)
        random = np.random.default_rng((options.seed, state.step, 1))
        batch = augment(data.train.images[rows], image_size(progress, options.size), random)
        labels = torch.from_numpy(data.train.labels[rows])
        losses.append(train_step(state, batch, labels, not options.float32))
        state.step += 1
        state.images_seen += len(rows)
        horizon = AVERAGED_EPOCHS * per_epoch
        update_average(state.average, state.network, state.step, horizon)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            save()
            saved = time.monotonic()
    return float(np.mean(losses)) if losses else math.nan


def begin(options: argparse.Namespace, classes: list[str]) -> State:
    """A fresh network and optimiser, or those of the checkpoint with ``--resume``."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    network = LensNet(len(classes), options.width).to(memory_format=torch.channels_last)
    state = State(network, copy.deepcopy(network), make_optimiser(network, options.lr))
    if options.resume:
        restore(options.out / CHECKPOINT, state, classes)
    print(
        f"{parameter_count(network)} parameters, "
        f"{multiply_adds(network, options.size) / 1e6:.1f} M multiply-adds",
        flush=True,
    )
    return state


def run(options: argparse.Namespace, data: DataSet) -> None:
    """Train to the end, writing ``checkpoint.pt`` every few minutes and ``result.json``."""
    per_epoch = len(data.train.labels) // options.batch
    if per_epoch == 0:
        raise DataError(f"{len(data.train.labels)} training images do not fill one batch")
    state = begin(options, data.classes)
    settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    steps = None if options.epochs is None else options.epochs * per_epoch
    clock = Clock(steps, options.minutes, state.seconds)
    stride = max(1, len(data.val.labels) // QUICK_VAL_IMAGES)
    quick = Split(data.val.images[::stride], data.val.labels[::stride])

    def save() -> None:
        state.seconds = clock.seconds()
        save_checkpoint(options.out / CHECKPOINT, state, settings, data.classes)

    while (progress := clock.progress(state.step)) < 1:
        epoch, seen, before = state.step // per_epoch, state.images_seen, clock.seconds()
        loss = train_epoch(state, data, options, clock, save)
        rate = (state.images_seen - seen) / max(1e-9, clock.seconds() - before)
        top1, top5 = evaluate(state.average, quick, options.size, not options.float32)
        row = {"loss": loss, "val_top1": top1, "val_top5": top5, "images_per_second": rate}
        state.history.append({"epoch": epoch + 1, "seconds": clock.seconds(), **row})
        save()
        report(state, clock, image_size(progress, options.size))
    finish(state, options, data)


def report(state: State, clock: Clock, size: int) -> None:
    """Print one line about the epoch that just ended."""
    row, progress = state.history[-1], min(1.0, clock.progress(state.step))
    left = state.seconds * (1 - progress) / max(progress, 1e-9) / 60
    print(
        f"epoch {row['epoch']:.0f}  {size} px  loss {row['loss']:.3f}  "
        f"val top-1 {row['val_top1']:.2f} %  {row['images_per_second']:.0f} img/s  "
        f"{100 * progress:.1f} % done, {left:.0f} min left",
        flush=True,
    )


def finish(state: State, options: argparse.Namespace, data: DataSet) -> None:
    """Measure the averaged network in float32 on all validation images; ``result.json``."""
    top1, top5 = evaluate(state.average, data.val, options.size, half=False)
    raw1, raw5 = evaluate(state.network, data.val, options.size, half=False)
    result = {
        "val_top1": top1,
        "val_top5": top5,
        "val_top1_without_averaging": raw1,
        "val_top5_without_averaging": raw5,
        "epochs": state.images_seen / len(data.train.labels),
        "images_seen": state.images_seen,
        "seconds": state.seconds,
        "parameters": parameter_count(state.average),
        "multiply_adds": multiply_adds(state.average, options.size),
        "history": state.history,
    }
    text = json.dumps(result, indent=1) + "\n"
    (options.out / "result.json").write_text(text, encoding="utf-8")
    print(f"val top-1 {top1:.2f} %, top-5 {top5:.2f} % on {len(data.val.labels)} images")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="class folders or cached arrays")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--epochs", type=int, help="length of the run in epochs, repeatable")
    length.add_argument("--minutes", type=float, help="length of the run in minutes")
    parser.add_argument("--size", type=int, default=64, help="image size in pixels (64)")
    parser.add_argument("--width", type=int, default=16, help="network width (16)")
    parser.add_argument("--batch", type=int, default=128, help="images per step (128)")
    parser.add_argument("--lr", type=float, default=0.15, help="peak learning rate (0.15)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random choices (1)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--float32", action="store_true", help="do not compute in bfloat16")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    return parser.parse_args(arguments)


def check(options: argparse.Namespace) -> None:
    """Refuse arguments that cannot work, in words."""
    if options.size < 32 or options.size % 16:
        raise DataError(f"--size must be a multiple of 16 from 32 on, not {options.size}")
    for name in ("epochs", "minutes", "width", "batch", "lr", "threads"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            raise DataError(f"--{name} must be above zero, not {value}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 on success, 2 when arguments or data cannot be used."""
    options = parse_arguments(arguments)
    try:
        check(options)
        options.out.mkdir(parents=True, exist_ok=True)
        run(options, load(options.data, options.size))
    except DataError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
