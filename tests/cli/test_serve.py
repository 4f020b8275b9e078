"""`pocketlens serve`: this machine alone, until Ctrl-C; on the network HTTPS and a QR code."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import interruptible
from lens_samples import small_lens
from pocketlens.lensfile.writer import write_lens


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command, and what it has said up to the address."""
    lens = folder / "small.lens"
    write_lens(lens, small_lens())
    command = [sys.executable, "-m", "pocketlens", "serve", str(lens), "--port", "0", *options]
    process = interruptible.start(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    try:
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, f"it ended: {said}"
            said += line
        yield process, said
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def address_in(said: str) -> str:
    found = re.search(r"https?://\S+", said.splitlines()[-1])
    assert found
    return found[0]


def test_it_serves_this_machine_until_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, said):
        address = address_in(said)
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert b"<title>Pocketlens</title>" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


def test_on_the_network_it_has_https_and_a_qr_code(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    pytest.importorskip("segno")
    with serving(tmp_path, "--lan") as (_, said):
        assert said.count("\n") > 12
        assert "self-signed" in said
        address = address_in(said)
        assert address.startswith("https://")
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        context = ssl.create_default_context(cadata=ssl.get_server_certificate(("127.0.0.1", port)))
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/", context=context) as answer:
            assert answer.status == 200
