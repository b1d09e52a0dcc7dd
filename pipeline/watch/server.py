"""HTTP for one person on one machine: who may ask, how long he may take, and nothing of what is
shown.

The address has a secret in it, and whoever does not know it learns nothing. Other people of the
machine can reach the port, and so can pages of strangers in the browser that shows ours: by another
name for 127.0.0.1 (DNS rebinding), which is why Host and Origin are looked at.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, BinaryIO, Protocol

ADDRESS = "127.0.0.1"
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")  # another port is one that ssh forwards
_MOST_REQUEST = 2**14  # bytes of a request; browsers send less than a thousand
# Connections: a browser opens six, and whoever watches may have a few. When all are taken, the
# oldest that has not shown the secret makes room.
MOST_CONNECTIONS, MOST_LISTENERS = 48, 16
# Seconds: for a request to be there as a whole; for an answer to be taken; for one that is listened
# to, after which the browser asks again by itself.
_REQUEST_SECONDS, _ANSWER_SECONDS, _LISTENING_SECONDS = 5.0, 120.0, 600.0
_LOOK_SECONDS = 1.0  # between two looks for news
_QUIET_SECONDS = 15.0  # after which a listener is told that we are still here, as it may not be
_POLL_SECONDS = 0.25  # between two looks for who is late, and whether it is over
_BLOCK = 2**16

SAFE: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer, where it says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent: `body` as bytes, or `file` with `size` bytes, which the server closes."""

    kind: str  # a media type
    body: bytes = b""
    file: BinaryIO | None = None
    size: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


class Site(Protocol):
    """What there is to show."""

    def answer(self, path: str, query: str) -> Answer | None:
        """The answer to a path below the secret, still quoted; None where nothing stands there."""

    def version(self) -> str:
        """Another word when there is news."""


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves a site on 127.0.0.1, at a free port where `port` is 0, from a thread of its own while
    it is entered. `troubled` is told of an answer that could not be made.

    Raises OSError where the port cannot be had.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, site: Site, port: int, troubled: Callable[[Exception], object]) -> None:
        self.site, self.troubled = site, troubled
        self.secret = secrets.token_urlsafe(32)
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}  # ends, by the clock `time.monotonic`
        self._proven: set[socket.socket] = set()
        self._listeners = 0
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        super().__init__((ADDRESS, port), _Handler)

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{ADDRESS}:{self.server_address[1]}/{self.secret}/"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, where there is room."""
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                unproven = next((one for one in self._open if one not in self._proven), None)
                if unproven is None:
                    request.close()
                    return
                del self._open[unproven]
                _cut(unproven)
            self._open[request] = time.monotonic() + _REQUEST_SECONDS
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is over."""
        with self._lock:
            self._open.pop(request, None)
            self._proven.discard(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called a few times a second: cut off who takes too long."""
        now = time.monotonic()
        with self._lock:
            for late in [one for one, end in self._open.items() if end < now]:
                _cut(late)

    def prove(self, request: socket.socket, seconds: float) -> None:
        """This one knows the secret, and may take so long from now."""
        with self._lock:
            if request in self._open:
                self._open[request] = time.monotonic() + seconds
                self._proven.add(request)

    def listen(self, by: int) -> bool:
        """Count a listener in (1) or out (-1); False where there are too many."""
        with self._lock:
            if by > 0 and self._listeners >= MOST_LISTENERS:
                return False
            self._listeners += by
            return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Of a connection alone: whoever is at its other end is gone, or never spoke HTTP."""


class _TooLongError(Exception):
    """A request of more bytes than any browser sends."""


class _Bounded:
    """The bytes of a request, of which there are only so many."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, _MOST_REQUEST

    def readline(self, most: int = -1) -> bytes:
        """A line, its end included."""
        line: bytes = self._file.readline(self._left)
        self._left -= len(line)
        if not line.endswith(b"\n") and self._left <= 0:
            raise _TooLongError
        return line

    def close(self) -> None:
        """The file's own."""
        self._file.close()


class _Handler(BaseHTTPRequestHandler):
    """One request; the connection ends with its answer."""

    server: Server
    # Where nothing was read that says otherwise:
    command = ""
    request_version = "HTTP/1.0"
    timeout = _REQUEST_SECONDS  # for each time that is waited; the whole is the server's to bound

    def setup(self) -> None:
        super().setup()
        self.rfile: Any = _Bounded(self.rfile)

    def handle(self) -> None:
        self.close_connection = True
        try:
            self.raw_requestline = self.rfile.readline()
            if self.raw_requestline and self.parse_request():
                self._serve()
        except _TooLongError:
            self._refuse(431)
        except OSError:
            pass  # who asked is gone, or takes too long

    def _serve(self) -> None:
        host = self.headers.get_all("Host", [])
        if len(host) != 1 or not _HOST.fullmatch(host[0]):
            return self._refuse(421)
        if any(origin != f"http://{host[0]}" for origin in self.headers.get_all("Origin", [])):
            return self._refuse(403)
        if self.command not in ("GET", "HEAD"):
            return self._refuse(405, {"Allow": "GET, HEAD"})
        path, _, query = self.path.partition("?")
        if not path.startswith("/"):
            return self._refuse(400)
        secret, slash, rest = path[1:].partition("/")
        if not secrets.compare_digest(secret.encode("latin-1", "replace"), self.server.secret.encode()):
            return self._refuse(404)
        self.server.prove(self.connection, _ANSWER_SECONDS)
        if not slash:
            return self._refuse(308, {"Location": f"/{self.server.secret}/"})
        if rest == "events":
            return self._tell_news()
        try:
            answer = self.server.site.answer(rest, query)
        except Exception as trouble:  # a page that cannot be made ends no watch
            self.server.troubled(trouble)
            return self._refuse(500)
        return self._send(answer) if answer is not None else self._refuse(404)

    def _send(self, answer: Answer) -> None:
        size = answer.size if answer.file is not None else len(answer.body)
        try:
            self._begin(200, {"Content-Type": answer.kind, "Content-Length": str(size), **answer.headers})
            if self.command == "HEAD":
                return
            self.wfile.write(answer.body)
            while answer.file is not None and (block := answer.file.read(min(_BLOCK, size))):
                size -= len(block)
                self.wfile.write(block)
        finally:
            if answer.file is not None:
                answer.file.close()

    def _tell_news(self) -> None:
        """Server-sent events: a version at once, and each that is another than the one before."""
        if not self.server.listen(1):
            return self._refuse(503)
        try:
            self.server.prove(self.connection, _LISTENING_SECONDS)
            self._begin(200, {"Content-Type": "text/event-stream"})
            if self.command == "HEAD":
                return None
            told, when = "", 0.0
            while not self.server.ending.is_set():
                version = self.server.site.version()
                if version != told:
                    told, when = version, time.monotonic()
                    self.wfile.write(f"event: news\ndata: {version}\n\n".encode("ascii"))
                elif time.monotonic() - when > _QUIET_SECONDS:
                    when = time.monotonic()
                    self.wfile.write(b": still here\n\n")
                self.server.ending.wait(_LOOK_SECONDS)
        finally:
            self.server.listen(-1)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.request_version = "HTTP/1.0"  # 0.9 would have no headers
        self.send_response_only(status)
        for name, value in {**SAFE, **headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: int, headers: Mapping[str, str] = {}) -> None:
        words = self.responses[status][0] if status in self.responses else "Refused"
        body = f"{status} {words}\n".encode("ascii")
        self._begin(status, {"Content-Type": "text/plain", "Content-Length": str(len(body)), **headers})
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library finds wrong with a request; nothing of it is sent back."""
        self._refuse(code)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: addresses have the secret in them."""


def _cut(connection: socket.socket) -> None:
    """Whoever waits for it is told that it is over."""
    with contextlib.suppress(OSError):  # it was already
        connection.shutdown(socket.SHUT_RDWR)
