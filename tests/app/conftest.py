"""A real browser, a site that can be changed under it, and a camera that shows a photo."""

from __future__ import annotations

import io
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lens_samples import small_lens
from pocketlens._bundled import bundled
from pocketlens.app.serving import make_server
from pocketlens.app.site import BUILDS, WASM, site_files
from pocketlens.lensfile.reader import read_lens

CHROMIUM = os.environ.get("POCKETLENS_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update")  # fmt: skip
INSECURE_HOST = "phone.test"
"""Stands for this machine, but browsers trust it no more than any other without TLS."""
HOSTS = f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}


@dataclass
class Site:
    """A site that is served, and what was asked of it. `files` may be changed."""

    files: dict[str, bytes]
    address: str = ""
    asked: list[str] = field(default_factory=list)


class Watched(dict[str, bytes]):
    """Files that remember who was asked for."""

    def __init__(self, files: dict[str, bytes], asked: list[str]) -> None:
        super().__init__(files)
        self.asked = asked

    def __getitem__(self, path: str) -> bytes:
        self.asked.append(path)
        return super().__getitem__(path)


def photo() -> Image.Image:
    """Something that a camera could see: a smooth picture of 640 x 480."""
    y, x = np.mgrid[0:480, 0:640]
    waves = [np.sin(x / a) * np.cos(y / b) for a, b in ((40, 60), (90, 35), (55, 80))]
    return Image.fromarray((127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium whose camera shows `photo()`."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: set POCKETLENS_CHROMIUM or install Debian's chromium")
    camera = tmp_path_factory.mktemp("camera") / "photo.mjpeg"
    camera.write_bytes(encoded(photo(), "JPEG", quality=95) * 10)
    fake = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=[*QUIET, *fake, f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1"],
        )
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Any) -> Iterator[Any]:
    """A new visitor with a phone, who allows the camera."""
    made = chromium.new_context(**PHONE, permissions=["camera"])
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture(scope="session")
def bundled_files() -> dict[str, bytes]:
    return site_files(read_lens(bundled()))


@pytest.fixture(scope="session")
def small_files() -> dict[str, bytes]:
    return site_files(small_lens())


@pytest.fixture
def serve() -> Iterator[Any]:
    """A function that serves files on loopback and returns the Site."""
    servers = []

    def start(files: dict[str, bytes]) -> Site:
        site = Site({})
        site.files = Watched(files, site.asked)
        server = make_server(site.files, host="127.0.0.1", port=0, tls=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        site.address = f"http://127.0.0.1:{server.server_address[1]}/"
        return site

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True, scope="session")
def _core_for_browsers() -> None:
    assert all((WASM / f"{name}.wasm").is_file() for name in BUILDS), (
        "the core was not built for browsers"
    )


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: POCKETLENS_SCREENSHOTS, or a temporary folder."""
    folder = os.environ.get("POCKETLENS_SCREENSHOTS")
    made = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    made.mkdir(parents=True, exist_ok=True)
    return made
