"""What is measured in the browser, one function each; every one gives rows."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
from PIL import Image

from browser_pages import (
    call,
    chromium,
    encoded,
    measuring_files,
    measuring_page,
    served,
    visitor,
)
from browser_tfjs import TOPOLOGY, graph_model
from models import RealModel, data_folder
from pocketlens.app.site import core_builds, site_files
from pocketlens.classify.lens import Lens
from pocketlens.images.decode import open_image
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.lensfile.contents import LensContents

Row = dict[str, Any]
ORT = "onnxruntime-web"
TFJS = ("core", "backend-cpu", "converter", "backend-wasm")
WATCH_FIRST = """
const marks = {}; window.marks = marks;
const mark = (name) => { marks[name] ??= performance.now(); };
window.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    mark('worker');
    this.addEventListener('message', ({ data }) => data.kind === 'done' && mark('lens'));
  }
};
addEventListener('playing', () => mark('camera'), true);
document.addEventListener('DOMContentLoaded', () => {
  const answers = document.querySelector('#answers');
  const look = () => answers.children.length && mark('label');
  new MutationObserver(look).observe(answers, { childList: true });
});
"""


def first_photo() -> Image.Image:
    """A real photo."""
    return open_image(min((data_folder() / "images" / "imagenet1k-dev").glob("*.JPEG")))


def same_answers(name: str, contents: LensContents, *, count: int) -> Row:
    """The same pixels in the browser and in Python: PNGs of what Python decodes."""
    folder = data_folder() / "images" / "imagenet1k-dev"
    images = [open_image(path) for path in sorted(folder.glob("*.JPEG"))[:count]]
    photos = {f"{i}.png": encoded(image, compress_level=1) for i, image in enumerate(images)}
    files = site_files(contents) | measuring_files() | photos
    with served(files) as address, visitor(images[0]) as context:
        page = measuring_page(context, address)
        given = {"lens": "/model/lens.json", "photos": [f"/{name}" for name in photos]}
        told = call(page, "answers", given)
        engine = _engine(page)
    agree, apart = 0, 0.0
    with Lens(contents) as lens:
        for image, seen in zip(images, told, strict=True):
            wanted = lens.classify(image, top=5)
            agree += seen[0][0] == wanted[0].number
            for (_, confidence), answer in zip(seen, wanted, strict=True):
                apart = max(apart, abs(confidence - answer.confidence))
    return {"measure": "answers", "model": name, "engine": engine, "photos": len(images),
            "same_top1": agree, "largest_difference": apart}  # fmt: skip


def _engine(page: Any) -> str:
    version = page.context.browser.version
    return f"Chromium {version.split('.')[0]}"


def first_visit(name: str, contents: LensContents, *, visits: int) -> Row:
    """From navigation to the first label, by browsers that were never used."""
    told = []
    photo = first_photo()
    with served(site_files(contents)) as address:
        for _ in range(visits + 1):
            with visitor(photo) as context:
                page = context.new_page()
                page.add_init_script(WATCH_FIRST)
                page.goto("about:blank")
                page.wait_for_timeout(1000)  # what the browser does when it has just been started
                page.goto(address)
                page.wait_for_selector("body[data-mode=live] #answers li")
                told.append(page.evaluate("window.marks"))
                engine = _engine(page)
    told = told[1:]  # the first finds the server's gzip not made yet
    phases = {f"{phase}_ms": statistics.median(marks[phase] for marks in told)
              for phase in ("worker", "lens", "camera", "label")}  # fmt: skip
    least = min(marks["label"] for marks in told)
    return {"measure": "first", "model": name, "engine": engine, "visits": visits, **phases,
            "least_ms": least}  # fmt: skip


def frames_apart(
    model: RealModel, lenses: dict[str, LensContents], *, cache: Path, rounds: int
) -> list[Row]:
    """Milliseconds of a frame by our lenses and by peers, in one page, in turn."""
    onnx = data_folder() / model.file
    network = read_onnx(onnx).network
    shape = network.graph.shapes[network.graph.inputs[0]]
    recipe = model.recipe
    picture = {"mean": [*recipe.mean], "scale": [*recipe.scale], "bgr": recipe.channels == "bgr"}
    side: dict[str, Any] = {"side": shape[2], "input": picture}
    packages = peer_files(cache)
    files = measuring_files() | packages | {"model.onnx": onnx.read_bytes()}
    files |= {f"tfjs/{path}": content for path, content in graph_model(network).items()}
    files["photo.png"] = encoded(first_photo().resize((640, 480)))
    versions = {peer: _version(cache, peer) for peer in (ORT, "@tensorflow/tfjs-core")}
    feed = network.graph.inputs[0]
    runners: list[dict[str, Any]] = [
        {"name": f"{ORT} {versions[ORT]}", "kind": "onnxruntime", "onnx": "/model.onnx",
         "feed": feed, **side},
        {"name": f"TensorFlow.js WASM {versions['@tensorflow/tfjs-core']}", "kind": "tensorflow",
         "tfjs": f"/tfjs/{TOPOLOGY}", **side},
    ]  # fmt: skip
    for width, contents in lenses.items():
        site = site_files(contents)
        files |= {path: content for path, content in site.items() if "/" not in path}
        files |= {f"{width[0]}/{path}": content for path, content in site.items()}
        lens = f"/{width[0]}/model/lens.json"
        runners.append({"name": f"pocketlens {width}", "kind": "ours", "lens": lens})
    given = {"runners": runners, "photo": "/photo.png", "warmUp": 12, "rounds": rounds}
    with served(files) as address, visitor(first_photo()) as context:
        told = call(measuring_page(context, address), "race", given)
    _look(told)
    peer = min(told[runners[0]["name"]]["frame"])
    return [
        {
            "measure": "frames",
            "model": model.name,
            "engine": name,
            "rounds": rounds,
            "min_ms": min(taken["frame"]),
            "median_ms": statistics.median(taken["frame"]),
            "network_min_ms": min(taken["network"]),
            "number": taken["last"]["number"],
            "speed_over_onnxruntime_web": peer / min(taken["frame"]),
        }
        for name, taken in told.items()
    ]


def _look(told: dict[str, Any]) -> None:
    """Ends the program where peers do not compute the same network."""
    scores = [taken["last"]["scores"] for taken in told.values() if "scores" in taken["last"]]
    top = max(map(abs, scores[0]))
    apart = max(abs(a - b) for a, b in zip(*scores, strict=True))
    if not apart < 1e-3 * top:
        sys.exit(f"The peers' scores are {apart / top:.1e} apart: that is another network.")


def install_peers(cache: Path) -> None:
    """What npm installs: the peers and Lighthouse, where they are not there yet."""
    wanted = [ORT, *(f"@tensorflow/tfjs-{name}" for name in TFJS), "lighthouse"]
    folder = cache.resolve()
    missing = [name for name in wanted if not (folder / "node_modules" / name).is_dir()]
    if missing:
        npm = shutil.which("npm")
        if npm is None:
            sys.exit("This benchmark needs npm on the path, to install its peers.")
        folder.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--silent", "--no-audit", "--ignore-scripts", *missing]
        subprocess.run([*install, "--prefix", str(folder)], check=True)


def _version(cache: Path, package: str) -> str:
    file = cache / "node_modules" / package / "package.json"
    return str(json.loads(file.read_text("utf-8"))["version"])


def peer_files(cache: Path) -> dict[str, bytes]:
    """onnxruntime-web's and TensorFlow.js's files, by the path that measure.js asks for."""
    modules = cache / "node_modules"
    files = {}
    ort = modules / ORT / "dist"
    for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"):
        files[f"peers/ort/{name}"] = (ort / name).read_bytes()
    for part in TFJS:
        file = modules / "@tensorflow" / f"tfjs-{part}" / "dist" / f"tf-{part}.min.js"
        files[f"peers/tfjs/{file.name}"] = file.read_bytes()
    for module in (modules / "@tensorflow" / "tfjs-backend-wasm" / "dist").glob("*.wasm"):
        files[f"peers/tfjs/{module.name}"] = module.read_bytes()
    return files


def long_run(name: str, contents: LensContents, *, frames: int) -> Row:
    """Memory after 100 frames and after many, in one tab."""
    files = site_files(contents) | measuring_files()
    files["photo.png"] = encoded(first_photo().resize((640, 480)))
    given = {"lens": "/model/lens.json", "photo": "/photo.png"}
    with served(files) as address, visitor(first_photo()) as context:
        page = measuring_page(context, address)
        seen, done = [], 0
        # Measuring and calling cost some memory the first time: that is spent before frame 100.
        for goal in (50, 100, frames):
            while done < goal:  # in parts, for one call must not last for ever
                count = min(2500, goal - done)
                core = call(page, "frames", given | {"count": count})
                done += count
            seen.append(_memory(context, page) | {"core_bytes": core})
        engine = _engine(page)
    _, early, late = seen
    return {"measure": "memory", "model": name, "engine": engine, "frames": frames,
            "early": early, "late": late}  # fmt: skip


def _memory(context: Any, page: Any) -> dict[str, int]:
    """JavaScript's heaps after a collection, and what the renderer has resident."""
    page.evaluate("gc()")
    (worker,) = page.workers
    worker.evaluate("gc()")
    page.wait_for_timeout(1000)
    with_gc = context.new_cdp_session(page)
    with_gc.send("HeapProfiler.collectGarbage")
    with_gc.send("Performance.enable")
    metrics = {m["name"]: m["value"] for m in with_gc.send("Performance.getMetrics")["metrics"]}
    processes = context.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    renderers = [p["id"] for p in processes["processInfo"] if p["type"] == "renderer"]
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    statm = [Path(f"/proc/{number}/statm").read_text("ascii").split() for number in renderers]
    resident = max(int(fields[1]) * page_bytes for fields in statm)
    return {"heap_bytes": int(metrics["JSHeapUsedSize"]), "renderer_bytes": resident}


def lighthouse(contents: LensContents, *, cache: Path, keep: Path | None) -> Row:
    """Lighthouse's scores of the page, as it is sent to a phone whose camera is allowed."""
    node = shutil.which("node")
    if node is None:
        sys.exit("This benchmark needs Node on the path.")
    program = cache / "node_modules" / "lighthouse" / "cli" / "index.js"
    flags = "--headless=new --no-sandbox --disable-gpu --use-fake-ui-for-media-stream " \
            "--use-fake-device-for-media-stream"  # fmt: skip
    with tempfile.TemporaryDirectory() as name, served(site_files(contents)) as address:
        report = Path(name) / "report.json"
        command = [node, str(program), address, "--quiet", "--output=json",
                   f"--output-path={report}", f"--chrome-flags={flags}",
                   "--only-categories=performance,accessibility,best-practices"]  # fmt: skip
        environment = os.environ | {"CHROME_PATH": chromium()}
        subprocess.run(command, check=True, env=environment)
        found = json.loads(report.read_text("utf-8"))
        if keep is not None:
            shutil.copy(report, keep)
    with served(site_files(contents)) as address, visitor(first_photo()) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-mode=live] #answers li")
        errors = context.new_cdp_session(page).send("Page.getInstallabilityErrors")
        # A window that keeps nothing can install nothing: the measurement's own doing.
        told = {error["errorId"] for error in errors["installabilityErrors"]}
        barred = sorted(told - {"in-incognito"})
    scores = {name: round(100 * each["score"]) for name, each in found["categories"].items()}
    below = [
        {"audit": audit["id"], "score": audit["score"]}
        for audit in found["audits"].values()
        if audit["score"] is not None and audit["score"] < 0.9
    ]
    return {"measure": "lighthouse", "model": "page", "scores": scores, "below": below,
            "bars_installing": barred,
            "engine": f"Lighthouse {found['lighthouseVersion']}"}  # fmt: skip


def sizes(lenses: dict[str, LensContents], *, cache: Path) -> Iterator[Row]:
    """Bytes of what is sent: page, builds of the core, models, whole sites, and a peer's WASM."""
    builds = set(core_builds().values())
    common: dict[str, list[bytes]] = {}
    for name, contents in lenses.items():
        files = site_files(contents)
        files.pop("pocketlens.d.ts")
        cores = [content for content in files.values() if content in builds]
        model = [content for path, content in files.items()
                 if path.startswith("model/") and content not in builds]  # fmt: skip
        page = [content for path, content in files.items() if not path.startswith("model/")]
        if not common:
            common = {"page": page, "both builds of the core": cores}
            for title, parts in common.items():
                yield _size(title, parts)
        yield _size(f"model: {name}", model)
        yield _size(f"whole site: {name}", [*page, *cores, *model])
    wasm = peer_files(cache)["peers/ort/ort-wasm-simd-threaded.wasm"]
    yield _size(f"{ORT} {_version(cache, ORT)}, its WASM alone", [wasm])


def _size(title: str, parts: list[bytes]) -> Row:
    """Files that do not get smaller (PNGs) are sent as they are."""
    packed = {
        "gzip_bytes": sum(min(len(part), len(gzip.compress(part, mtime=0))) for part in parts),
        "brotli_bytes": sum(min(len(part), len(brotli.compress(part))) for part in parts),
    }
    raw = sum(map(len, parts))
    return {"measure": "sizes", "model": title, "engine": "", "files": len(parts), "bytes": raw,
            **packed}  # fmt: skip
