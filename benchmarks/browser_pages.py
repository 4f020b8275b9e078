"""A headless Chromium and a server of files in memory, for the benchmarks of the page."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from pocketlens.app.serving import make_server

PAGES = Path(__file__).parent / "browser"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update")  # fmt: skip
GC = "--js-flags=--expose-gc"


def chromium() -> str:
    """Where Chromium is; ends the program with a sentence where it is not."""
    names = ("chromium", "chromium-browser", "google-chrome")
    asked = os.environ.get("POCKETLENS_CHROMIUM")
    for found in filter(None, (asked, *map(shutil.which, names))):
        return found
    sys.exit("This benchmark needs Chromium: `make browser`, or set POCKETLENS_CHROMIUM.")


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The file that an image makes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@contextmanager
def served(files: Mapping[str, bytes]) -> Iterator[str]:
    """The address at which these files are served on loopback."""
    server = make_server(files, host="127.0.0.1", port=0, tls=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def visitor(photo: Image.Image) -> Iterator[Any]:
    """A context of a browser that was never used: a phone's screen, a camera showing the photo."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        camera = Path(name) / "photo.mjpeg"
        camera.write_bytes(encoded(photo.resize((640, 480)), "JPEG", quality=95) * 10)
        fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera}")  # fmt: skip
        browser = driver.chromium.launch(
            executable_path=chromium(), args=[*QUIET, *fake, GC], headless=True
        )
        context = browser.new_context(**PHONE)
        context.set_default_timeout(600_000)
        yield context
        browser.close()


def measuring_page(context: Any, address: str) -> Any:
    """A page in which functions of measure.js can be called with `call`."""
    page = context.new_page()
    page.goto(address + "measure.html")
    return page


def call(page: Any, name: str, given: dict[str, Any]) -> Any:
    """What a function of measure.js resolves to."""
    return page.evaluate(
        "async ([name, given]) => (await import('/measure.js'))[name](given)", [name, given]
    )


def measuring_files() -> dict[str, bytes]:
    """The page and the script that measuring_page needs."""
    return {name: (PAGES / name).read_bytes() for name in ("measure.html", "measure.js")}
