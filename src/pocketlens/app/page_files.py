"""The page itself: the files of web/, without what only readers of the source need."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pocketlens.app.icons import BACK, icon_files

WEB = Path(__file__).parent / "web"
SOURCES = (
    "index.html", "style.css", "app.js", "pocketlens.js", "messages.js", "worker.js", "engine.js",
    "download.js",
)  # fmt: skip
SERVICE_WORKER = "sw.js"
FOR_DEVELOPERS = ("pocketlens.d.ts", "example.html")
"""For those who use pocketlens.js in pages of their own; visitors do not keep them."""

ABOUT = "Names what the camera sees, on this device, offline."
_PLACE = "const FILES = {};"


def page_files(name: str) -> dict[str, bytes]:
    """Everything but the model and the service worker, by name. name: of the lens, for people."""
    pages = {source: slim((WEB / source).read_text(encoding="utf-8")) for source in SOURCES}
    manifest = json.dumps(_manifest(name), ensure_ascii=False, separators=(",", ":"))
    pages["manifest.webmanifest"] = manifest
    return {path: content.encode() for path, content in pages.items()} | icon_files()


def _manifest(name: str) -> dict[str, object]:
    """W3C Web Application Manifest: what a phone needs to install the page."""
    large = {"src": "icon-512.png", "type": "image/png", "sizes": "512x512"}
    icons = [
        {"src": "icon.svg", "type": "image/svg+xml", "sizes": "any"},
        {"src": "icon-192.png", "type": "image/png", "sizes": "192x192"},
        large,
        large | {"purpose": "maskable"},
    ]
    colours = {"background_color": BACK, "theme_color": BACK}
    where = {"id": "./", "start_url": "./", "display": "standalone"}
    return {"name": name, "short_name": name[:12], "description": ABOUT, **where, **colours,
            "icons": icons}  # fmt: skip


def service_worker(hashes: dict[str, str]) -> bytes:
    """sw.js, which keeps the files of `hashes` (path to hash) and changes when one of them does."""
    source = (WEB / SERVICE_WORKER).read_text(encoding="utf-8")
    assert _PLACE in source
    table = json.dumps(hashes, separators=(",", ":"))
    return slim(source.replace(_PLACE, f"const FILES = {table};")).encode()


def slim(source: str) -> str:
    """The same without indentation, empty lines and lines that are a comment.

    No string in web/ goes over lines, so a line that starts with // is a comment.
    """
    lines = (line.strip() for line in source.splitlines())
    kept = (re.sub(r";\s+// .*$", ";", line) for line in lines if not line.startswith("//"))
    return "\n".join(line for line in kept if line) + "\n"
