"""A site on disk: names that are hashes, nothing half-written, sizes that are kept."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import socket
import ssl
import struct
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from lens_samples import small_lens
from pocketlens.app import site as site_room
from pocketlens.app.model_files import HASH_DIGITS, model_files
from pocketlens.app.page_files import FOR_DEVELOPERS, slim
from pocketlens.app.serving import make_server, terminal_qr
from pocketlens.app.site import core_builds, site_files, write_site
from pocketlens.base.errors import FileError, UsageError
from pocketlens.cli.main import main
from pocketlens.images.recipe import RESIZE_KINDS
from pocketlens.lensfile.writer import write_lens

MOST_PAGE_BYTES = 90 * 1024  # page, worker, engine and both builds of the core, brotli
MOST_BUILD_BYTES = 120 * 1024


def kept_by(worker: bytes) -> dict[str, str]:
    found = re.search(r"const FILES = (\{.*?\});", worker.decode())
    assert found
    table: dict[str, str] = json.loads(found[1])
    return table


def test_the_service_worker_knows_every_file_by_its_hash(small_files: dict[str, bytes]) -> None:
    kept = kept_by(small_files["sw.js"])
    assert set(kept) == set(small_files) - {"sw.js", *FOR_DEVELOPERS}
    for path, digest in kept.items():
        assert hashlib.sha256(small_files[path]).hexdigest().startswith(digest)
        assert len(digest) == HASH_DIGITS


def test_names_of_the_model_are_hashes(small_files: dict[str, bytes]) -> None:
    model = {path for path in small_files if path.startswith("model/")} - {"model/lens.json"}
    for path in model:
        assert hashlib.sha256(small_files[path]).hexdigest().startswith(Path(path).stem)
    info = json.loads(small_files["model/lens.json"])
    entries = [
        *info["core"].values(),
        info["plan"],
        *(b for plane in info["planes"] for b in plane),
    ]
    assert {f"model/{entry['file']}" for entry in entries} == model
    for entry in entries:
        content = small_files[f"model/{entry['file']}"]
        assert entry["bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_same_lens_makes_the_same_site(small_files: dict[str, bytes]) -> None:
    assert site_files(small_lens()) == small_files


def test_writing_replaces_a_site_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write_site(small_lens(), out)
    (out / "model" / "old.png").write_bytes(b"of an older lens")
    other = replace(small_lens(), name="another")
    files = write_site(other, out)
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert there == {file.path for file in files}
    assert json.loads((out / "model" / "lens.json").read_text())["name"] == "another"


def test_what_visitors_load_first_is_written_last() -> None:
    paths = list(site_files(small_lens()))
    assert paths[-2:] == ["model/lens.json", "sw.js"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="no site of Pocketlens") as caught:
        write_site(small_lens(), tmp_path)
    assert caught.value.slug == "site-in-the-way"
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(UsageError, match="is a file"):
        write_site(small_lens(), tmp_path / "letter.txt")


def test_an_installation_without_the_core_for_browsers_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_room, "WASM", tmp_path)
    with pytest.raises(FileError, match=r"body\.wasm, is not in this installation"):
        core_builds()


def test_the_page_is_small(small_files: dict[str, bytes]) -> None:
    brotli = pytest.importorskip("brotli")
    page = {p: c for p, c in small_files.items() if not p.startswith("model/") or ".wasm" in p}
    page = {p: c for p, c in page.items() if not p.endswith(".png") and p not in FOR_DEVELOPERS}
    sizes = {path: len(brotli.compress(content)) for path, content in page.items()}
    assert sum(sizes.values()) <= MOST_PAGE_BYTES, sizes
    assert all(len(module) <= MOST_BUILD_BYTES for module in core_builds().values())
    assert len((site_room.WEB / "pocketlens.js").read_bytes()) <= 12 * 1024


def test_slimming_keeps_what_is_no_comment() -> None:
    source = "// a\n  const a = 'http://b'; // c\n\n  f(`//`);\n"
    assert slim(source) == "const a = 'http://b';\nf(`//`);\n"


def test_no_string_of_the_page_goes_over_lines() -> None:
    for path in site_room.WEB.glob("*.js"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert line.count("`") % 2 == 0, f"{path.name}: {line}"


def test_mean_pictures_travel() -> None:
    lens = small_lens()
    recipe = lens.recipe
    count = recipe.channel_count * recipe.height * recipe.width
    mean = b"\x00\x3c" * count
    with_one = replace(
        lens, recipe=replace(recipe, mean=(0.0,) * recipe.channel_count, mean_picture=mean)
    )
    info = json.loads(model_files(with_one, core_builds())["lens.json"])
    assert len(info["recipe"]["mean_picture"]) == 4 * -(-len(mean) // 3)


def test_a_recipe_of_ccv_s_travels_with_its_mean_picture() -> None:
    lens = small_lens()
    side, count = lens.recipe.height + 2, lens.recipe.channel_count
    mean = struct.pack("<f", 117.25) * (side * side * count)
    formed = replace(
        lens,
        recipe=replace(
            lens.recipe, resize="ccv", resize_height=side, resize_width=side,
            channels="bgr", mean=(0.0,) * count, scale=(2.0,) * count, mean_picture=mean,
        ),
    )  # fmt: skip
    info = json.loads(model_files(formed, core_builds())["lens.json"])
    assert info["recipe"]["fields"][:3] == [RESIZE_KINDS.index("ccv"), side, side]
    assert base64.b64decode(info["recipe"]["mean_picture"]) == mean


def test_the_command(tmp_path: Path) -> None:
    lens = tmp_path / "small.lens"
    write_lens(lens, small_lens())
    done = CliRunner().invoke(main, ["app", str(lens), "-o", str(tmp_path / "site"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert {file["path"] for file in told["files"]} == set(site_files(small_lens()))
    done = CliRunner().invoke(main, ["app", str(lens), "-o", str(tmp_path / "site")])
    assert "core (two builds)" in done.output


def test_a_server_sends_what_a_good_host_would(small_files: dict[str, bytes]) -> None:
    with make_server(small_files, host="127.0.0.1", port=0, tls=False) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
        plane = next(path for path in small_files if path.endswith(".png") and "model/" in path)
        expected = {
            "/": ("text/html", "no-cache"),
            "/worker.js": ("text/javascript", "no-cache"),
            "/model/lens.json": ("application/json", "no-cache"),
            f"/{plane}": ("image/png", "public, max-age=31536000, immutable"),
        }
        for path, (kind, cache) in expected.items():
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.read() == small_files[path[1:] or "index.html"]
            assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
                kind,
                cache,
            )
        connection.request("HEAD", "/app.js", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert answer.read() == b""
        assert answer.headers["Content-Encoding"] == "gzip"
        connection.request("GET", "/../secret")
        assert connection.getresponse().status == 404
        connection.close()
        with pytest.raises(UsageError, match="cannot be used") as caught:
            make_server(small_files, host="127.0.0.1", port=server.server_address[1], tls=False)
        assert caught.value.slug == "port-taken"
        server.shutdown()
        thread.join()


def test_on_the_network_it_speaks_tls(small_files: dict[str, bytes]) -> None:
    pytest.importorskip("cryptography")
    with make_server(small_files, host="127.0.0.1", port=0, tls=True) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        context = ssl.create_default_context(cadata=ssl.get_server_certificate(("127.0.0.1", port)))
        address = f"https://127.0.0.1:{port}/style.css"
        with urllib.request.urlopen(address, context=context) as answer:
            assert answer.read() == small_files["style.css"]
        server.shutdown()


def test_one_silent_or_distrustful_visitor_disturbs_nobody(
    small_files: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    with make_server(small_files, host="127.0.0.1", port=0, tls=True) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        with socket.create_connection(("127.0.0.1", port)):  # and says nothing
            with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
                urllib.request.urlopen(f"https://127.0.0.1:{port}/", timeout=20)
            trusted = ssl.create_default_context(
                cadata=ssl.get_server_certificate(("127.0.0.1", port), timeout=20)
            )
            address = f"https://127.0.0.1:{port}/app.js"
            with urllib.request.urlopen(address, context=trusted, timeout=20) as answer:
                assert answer.read() == small_files["app.js"]
        server.shutdown()
    assert capfd.readouterr().err == ""


def test_a_qr_code_is_drawn() -> None:
    pytest.importorskip("segno")
    assert terminal_qr("https://192.168.0.2:8000/").count("\n") > 10
