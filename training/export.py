"""Export a checkpoint of ``train.py`` as ONNX, with its labels and a card of its facts.

The graph takes float RGB images ``[batch, 3, size, size]``, pixel values 0..255 of which
the mean (123.675, 116.28, 103.53) was subtracted and which were then divided by the
standard deviation (58.395, 57.12, 57.375).  It gives logits ``[batch, classes]``.  Batch
normalisation is folded into the convolutions.

With ``--data`` all validation images go through the exported graph in ONNX Runtime and
through the network in torch, and both accuracies enter the card.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from data import MEAN, STD, DataError, Split, load, plain
from network import LensNet, multiply_adds, parameter_count

OPSET = 17
LARGEST_DIFFERENCE = 1e-3
"""Largest accepted difference of a logit between torch and ONNX Runtime."""


def read_checkpoint(path: Path) -> tuple[LensNet, dict[str, Any]]:
    """The averaged network of a checkpoint, ready for inference, and its whole content."""
    if not path.is_file():
        raise DataError(f"there is no checkpoint {path}")
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    network = LensNet(len(content["classes"]), content["options"]["width"])
    try:
        network.load_state_dict(content["average"])
    except RuntimeError as error:
        raise DataError(f"{path} was written by another version of the network") from error
    network.eval()
    return network, content


def write_onnx(network: nn.Module, size: int, path: Path) -> None:
    """Write the network as ONNX with a free batch dimension named ``batch``."""
    partial = path.with_suffix(".tmp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # dynamo=False is meant
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, size, size),),
            str(partial),
            input_names=["input"],
            output_names=["logits"],
            dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    partial.replace(path)


def compare(network: LensNet, model: Path, split: Split, size: int) -> dict[str, float]:
    """Accuracy in percent of torch and of ONNX Runtime on ``split``, both in float32."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    hits = dict.fromkeys(("val_top1", "val_top5", "torch_val_top1", "torch_val_top5"), 0)
    largest = 0.0
    for start in range(0, len(split.labels), 250):
        batch = plain(split.images[start : start + 250], size).contiguous()
        labels = split.labels[start : start + 250, None]
        exported = session.run(["logits"], {"input": batch.numpy()})[0]
        with torch.no_grad():
            logits = network(batch).numpy()
        largest = max(largest, float(np.abs(exported - logits).max()))
        for prefix, scores in (("", exported), ("torch_", logits)):
            best = np.argsort(-scores, axis=1)[:, :5] == labels
            hits[f"{prefix}val_top1"] += int(best[:, 0].sum())
            hits[f"{prefix}val_top5"] += int(best.sum())
    if largest > LARGEST_DIFFERENCE:
        raise DataError(f"ONNX Runtime differs from torch by {largest:.2g} in a logit")
    share = {name: 100 * count / len(split.labels) for name, count in hits.items()}
    return share | {"val_images": len(split.labels), "largest_logit_difference": largest}


def facts(network: LensNet, content: dict[str, Any]) -> dict[str, Any]:
    """What the card says about the network and its training."""
    options = content["options"]
    kept = ("width", "batch", "lr", "seed", "threads", "epochs", "minutes", "float32")
    size: int = options["size"]
    return {
        "input": {"shape": ["batch", 3, size, size], "order": "RGB", "mean": MEAN, "std": STD},
        "classes": len(content["classes"]),
        "parameters": parameter_count(network),
        "multiply_adds": multiply_adds(network, size),
        "training": {name: options[name] for name in kept}
        | {
            "steps": content["step"],
            "images_seen": content["images_seen"],
            "seconds": round(content["seconds"], 1),
            "torch": torch.__version__,
        },
    }


def export(options: argparse.Namespace) -> None:
    """Write ``model.onnx``, ``labels.txt`` and ``card.json`` into the output folder."""
    network, content = read_checkpoint(options.checkpoint)
    size: int = content["options"]["size"]
    options.out.mkdir(parents=True, exist_ok=True)
    write_onnx(network, size, options.out / "model.onnx")
    labels = "".join(f"{line}\n" for line in content["classes"])
    (options.out / "labels.txt").write_text(labels, encoding="utf-8")
    card = facts(network, content)
    if options.data is not None:
        data = load(options.data, size)
        if data.classes != content["classes"]:
            raise DataError(f"{options.data} has other classes than the checkpoint")
        card |= compare(network, options.out / "model.onnx", data.val, size)
        print(f"val top-1 {card['val_top1']:.2f} %, top-5 {card['val_top5']:.2f} %")
    (options.out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 on success, 2 when checkpoint or data cannot be used."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="file of train.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for the three files")
    parser.add_argument("--data", type=Path, help="data set whose validation images to check")
    try:
        export(parser.parse_args(arguments))
    except DataError as error:
        print(f"export: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
