"""A night that is watched: the site of an output folder, served in this process, and what a browser would ask of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from pipeline.watch import server
from pipeline.watch.server import ADDRESS, Server
from pipeline.watch.site import Pages


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Watched:
    """What is asked of a server, byte by byte where that is wanted. `troubles` are pages that could not be made."""

    def __init__(self, server: Server, troubles: list[Exception]) -> None:
        self.server, self.troubles = server, troubles
        self.port = server.server_address[1]
        self.top = f"/{server.secret}/"

    def get(self, path: str = "", *, method: str = "GET", top: str | None = None, **headers: str) -> Reply:
        """An answer; of `headers` underscores are hyphens, and Host is ours where it is not given."""
        lines = {"Host": f"{ADDRESS}:{self.port}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        sent = "".join(f"{name}: {text}\r\n" for name, text in lines.items() if text)
        return self.raw(f"{method} {self.top if top is None else top}{path} HTTP/1.1\r\n{sent}\r\n".encode("latin-1"))

    def raw(self, request: bytes) -> Reply:
        with self.connect() as connection:
            connection.sendall(request)
            return reply(everything(connection))

    def connect(self) -> socket.socket:
        return socket.create_connection((ADDRESS, self.port), timeout=60)


def everything(connection: socket.socket) -> bytes:
    got = b""
    while True:
        try:
            block = connection.recv(2**16)
        except ConnectionResetError:  # whoever is cut off with bytes unread is told so
            block = b""
        if not block:
            return got
        got += block


def reply(data: bytes) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Reply(int(first.split()[1]) if first else 0, headers, body)


@contextmanager
def watching(output: Path) -> Iterator[Watched]:
    troubles: list[Exception] = []
    with mock.patch.object(server, "_POLL_SECONDS", 0.01), Server(Pages(output), 0, troubles.append) as serving:
        yield Watched(serving, troubles)
    assert troubles == []
