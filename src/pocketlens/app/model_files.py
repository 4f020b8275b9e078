"""A lens as a browser takes it: plan bytes, the planes' PNGs, and lens.json that tells of both.

Nothing is encoded anew: the PNGs are those of the lens. Names carry the SHA-256 of what is in them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from PIL import Image

from pocketlens.classify.lens import Lens
from pocketlens.engine.constants import plain_constants
from pocketlens.engine.plan import build_plan
from pocketlens.engine.prepare import recipe_fields
from pocketlens.images.recipe import Recipe
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.planes.plane import Plane
from pocketlens.planes.scanlines import scanline_bytes

FORMAT = 1
HASH_DIGITS = 16
INFO = "lens.json"

NOISE_WIDTH, NOISE_HEIGHT = 64, 48
CHECKED_CLASSES = 5


def file_name(content: bytes, ending: str) -> str:
    """A name that changes with the content."""
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS] + ending


def model_files(contents: LensContents, core: dict[str, bytes]) -> dict[str, bytes]:
    """What a page downloads of a lens, by name within its folder.

    core  WebAssembly modules, by name
    The lens is run once, for lens.json tells what the core must make of a known picture.
    """
    plan = build_plan(plain_constants(contents))
    files: dict[str, bytes] = {}

    def entry(content: bytes, ending: str) -> dict[str, Any]:
        name = file_name(content, ending)
        files[name] = content
        digest = hashlib.sha256(content).hexdigest()
        return {"file": name, "bytes": len(content), "sha256": digest}

    def bands(plane: Plane) -> list[dict[str, Any]]:
        row_bytes = scanline_bytes(plane.width, plane.index_bits)
        return [
            entry(band.png, ".png") | {"row_bytes": row_bytes * band.rows} for band in plane.bands
        ]

    info: dict[str, Any] = {"format": FORMAT, "name": contents.name}
    info["core"] = {name: entry(module, ".wasm") for name, module in core.items()}
    info["plan"] = entry(plan.data, ".plan")
    info["planes"] = [bands(plane) for plane in plan.planes]
    info["bytes"] = info["plan"]["bytes"] + sum(plane.png_bytes for plane in plan.planes)
    info |= _about(contents, info["bytes"])
    text = json.dumps(info, ensure_ascii=False, separators=(",", ":"))
    return files | {INFO: text.encode()}


def _about(contents: LensContents, size_bytes: int) -> dict[str, Any]:
    """What lens.json tells beside the files: how to use them, and what people may want to know."""
    with Lens(contents) as lens:
        answers = lens.classify(noise(NOISE_WIDTH, NOISE_HEIGHT), top=CHECKED_CLASSES)
        softmax = not lens.gives_probabilities
    expected = [[answer.number, round(answer.confidence, 7)] for answer in answers]
    return {
        "recipe": _recipe(contents.recipe),
        "labels": [[label.name, *label.path] for label in contents.labels],
        "softmax": softmax,
        "check": {"width": NOISE_WIDTH, "height": NOISE_HEIGHT, "expected": expected},
        "facts": _facts(contents, size_bytes),
        "layers": [_layer(record) for record in contents.tensors if record.plane is not None],
    }


def noise(width: int, height: int) -> Image.Image:
    """The picture that pages check the core with; worker.js makes the same."""
    values = ((i * 2654435761 & 0xFFFFFFFF) >> 24 for i in range(4 * width * height))
    return Image.frombytes("RGBA", (width, height), bytes(values)).convert("RGB")


def _recipe(recipe: Recipe) -> dict[str, Any]:
    picture = base64.b64encode(recipe.mean_picture).decode("ascii")
    fields, mean, scale = list(recipe_fields(recipe)), list(recipe.mean), list(recipe.scale)
    return {"fields": fields, "mean": mean, "scale": scale, "mean_picture": picture}


def _facts(contents: LensContents, size_bytes: int) -> list[tuple[str, str]]:
    """What the sheet "about this lens" says, in pairs."""
    facts = [("Download", f"{size_bytes:,} bytes"), ("Classes", f"{len(contents.labels):,}")]
    for receipt in contents.receipts[-1:]:
        low, high = receipt.top1_interval
        rate = f"{receipt.top1_missing:.2f} % top-1 ({low:.2f} to {high:.2f})"
        if receipt.top5_missing is not None:
            rate += f", {receipt.top5_missing:.2f} % top-5"
        facts.append(("Missing rate", f"{rate}, on {receipt.n:,} photos of {receipt.dataset}"))
    provenance = contents.provenance
    made = (("Made from", provenance.source_name), ("Licence", provenance.licence))
    return facts + [(what, says) for what, says in (*made, ("Made by", provenance.made_by)) if says]


def _layer(record: TensorRecord) -> dict[str, Any]:
    shape = " x ".join(map(str, record.shape))
    pictures = [plane for plane in (record.mask, record.plane) if plane is not None]
    files = [file_name(band.png, ".png") for plane in pictures for band in plane.bands]
    fate = f"{shape}, palette of {record.palette_size}: {record.reason}"
    return {"name": record.name, "fate": fate, "files": files}
