"""A site on this machine or the local network, with the headers that a good host would send."""

from __future__ import annotations

import gzip
import io
import ipaddress
import mimetypes
import socket
import ssl
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pocketlens.app.site import MODEL
from pocketlens.base.errors import MissingExtraError, UsageError

_TYPES = {
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".plan": "application/octet-stream",
    ".webmanifest": "application/manifest+json",
    ".ts": "text/plain",
}
_PACKED = {".html", ".css", ".js", ".json", ".wasm", ".svg", ".webmanifest", ".plan"}
CERTIFICATE_DAYS = 30


def make_server(
    files: Mapping[str, bytes], *, host: str, port: int, tls: bool
) -> ThreadingHTTPServer:
    """A server of the files, bound and not yet running. Raises UsageError 'port-taken'."""
    try:
        server = _Server((host, port), _handler(files))
    except OSError as error:
        raise UsageError(
            f"Port {port} of {host} cannot be used: {error.strerror}. Choose another with --port.",
            slug="port-taken",
        ) from error
    server.daemon_threads = True
    if tls:
        addresses = [host] if host != "0.0.0.0" else [lan_address(), "127.0.0.1"]
        # Hands are shaken by each visitor's own thread: one who is silent keeps nobody waiting.
        server.socket = _tls(addresses).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    return server


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet where a browser hung up: it left the page, or does not trust us yet."""
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


def lan_address() -> str:
    """The machine's address in the local network; 127.0.0.1 where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only picks a route (RFC 5737)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def terminal_qr(address: str) -> str:
    """A QR code in block letters. Raises MissingExtraError."""
    try:
        import segno
    except ImportError as error:
        raise MissingExtraError("A QR code", "serve") from error
    stream = io.StringIO()
    segno.make(address, error="m").terminal(stream, compact=True)
    return stream.getvalue()


@lru_cache(maxsize=256)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _handler(files: Mapping[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else a body waits 40 ms behind its headers: Nagle's algorithm and a delayed ACK.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            path = self.path.split("?")[0].lstrip("/") or "index.html"
            if path not in files:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            accepted = self.headers.get("Accept-Encoding", "")
            squeezed = Path(path).suffix in _PACKED and "gzip" in accepted
            body = _packed(files[path]) if squeezed else files[path]
            self.send_response(HTTPStatus.OK)
            for name, value in _headers(path, squeezed=squeezed).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Quiet: a page asks for dozens of files."""

    return Handler


def _headers(path: str, *, squeezed: bool) -> dict[str, str]:
    """What a file is sent with; names with a hash in them are good for ever."""
    ending = Path(path).suffix
    kind = _TYPES.get(ending) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    hashed = path.startswith(f"{MODEL}/") and ending != ".json"
    forever = "public, max-age=31536000, immutable"
    headers = {"Content-Type": kind, "Cache-Control": forever if hashed else "no-cache"}
    headers["X-Content-Type-Options"] = "nosniff"
    return headers | ({"Content-Encoding": "gzip"} if squeezed else {})


def _tls(addresses: list[str]) -> ssl.SSLContext:
    """A certificate for these addresses, signed by itself and kept nowhere."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise MissingExtraError("HTTPS", "serve") from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pocketlens on this network")])
    now = datetime.now(UTC)
    names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        pem = serialization.Encoding.PEM
        plain = serialization.NoEncryption()
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        file.write(certificate.public_bytes(pem))
        file.flush()
        context.load_cert_chain(file.name)
    return context
