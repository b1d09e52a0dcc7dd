"""Pictures by https, read-only. Standard library only.

A redirection is followed on the same host alone: where else a server would send us, as to an
address inside our own network, is not the manifest's word.
"""

from __future__ import annotations

import contextlib
import email.utils
import errno
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

from pipeline.objects.protocol import BLOCK, READ_SECONDS, Fingerprint, Listed

_SAFE = "/%:@!$&'()*+,;=~-._"  # of a path as it is written in an address (RFC 3986, 3.3), which may be quoted
_BUSY = (408, 425, 429)  # "later", beside all of 5xx (RFC 9110, 15.5; RFC 6585, 4)


class RedirectedError(OSError):
    """A server sends us elsewhere."""


class BusyError(OSError):
    """A server says by the status `code` that it cannot now."""

    def __init__(self, code: int) -> None:
        super().__init__(errno.EBUSY, "busy")
        self.code = code


class _Answer(HTTPResponse):
    """Its head is there within a time, however it comes: each wait alone could be the last but
    one."""

    def __init__(self, sock: socket.socket, *args: Any, **keywords: Any) -> None:
        super().__init__(sock, *args, **keywords)
        self._line, self._is_late = sock, False

    def begin(self) -> None:
        clock = threading.Timer(READ_SECONDS, self._cut)
        clock.daemon = True
        clock.start()
        try:
            super().begin()
        finally:
            clock.cancel()
            if self._is_late:
                raise TimeoutError(errno.ETIMEDOUT, "no answer in time")

    def _cut(self) -> None:
        self._is_late = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._line, socket.SHUT_RDWR)


class _Connection(http.client.HTTPSConnection):
    response_class = _Answer


class _Handler(urllib.request.HTTPSHandler):
    def __init__(self) -> None:
        self._trusted = ssl.create_default_context()
        super().__init__(context=self._trusted)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_Connection, req, context=self._trusted)


class _SameHost(urllib.request.HTTPRedirectHandler):
    max_redirections = 5  # chosen

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme != "https" or new.netloc.lower() != old.netloc.lower():
            raise RedirectedError(errno.EXDEV, "redirected to another host")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Https:
    """The pictures of one host."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Handler(),
            urllib.request.HTTPHandler(),  # for a proxy; no address of ours begins with http
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
            _SameHost(),
        ):
            self._opener.add_handler(handler)

    def look(self, path: str) -> Fingerprint:
        """By HEAD; where a server does not know that, by GET without the body."""
        try:
            answer = self._asked(path, "HEAD")
        except NotImplementedError:
            answer = self._asked(path, "GET")
        with answer:
            return _found(answer)

    def names(self, folder: str) -> Sequence[Listed]:
        """There is no listing by https."""
        return ()

    def every(self, folder: str) -> Mapping[str, Fingerprint]:
        """There is no listing by https."""
        return {}

    def get(self, path: str, file: IO[bytes], check: Callable[[int], object]) -> Fingerprint:
        """As it is, with no coding that could unpack to more."""
        with self._asked(path, "GET") as answer:
            found = _found(answer)
            check(found.size)
            while block := answer.read1(BLOCK):  # what there is: `read` waits until it is so much
                file.write(block)
                check(file.tell())
        return found

    def put(self, path: str, data: bytes) -> None:
        """Never."""
        raise PermissionError(errno.EACCES, "read-only")

    def put_file(self, path: str, file: Path) -> None:
        """Never."""
        raise PermissionError(errno.EACCES, "read-only")

    def create(self, path: str, data: bytes) -> bool:
        """Never."""
        raise PermissionError(errno.EACCES, "read-only")

    def delete(self, path: str) -> None:
        """Never."""
        raise PermissionError(errno.EACCES, "read-only")

    def renew(self) -> None:
        """Each request has its own connection."""

    def _asked(self, path: str, method: str) -> HTTPResponse:
        request = urllib.request.Request(
            f"https://{self._authority}/{quote(path, _SAFE)}",
            method=method,
            headers={"User-Agent": "stylize-pipeline", "Accept-Encoding": "identity"},
        )
        try:
            answer: Any = self._opener.open(request, timeout=READ_SECONDS)
        except urllib.error.HTTPError as error:
            error.close()
            raise _of_status(error.code, method) from None
        except urllib.error.URLError as error:
            raise error.reason if isinstance(error.reason, Exception) else error from None
        found: HTTPResponse = answer
        return found


def _of_status(code: int, method: str) -> Exception:
    if code in (404, 410):
        return FileNotFoundError(errno.ENOENT, "not found")
    if code in (405, 501) and method == "HEAD":
        return NotImplementedError()
    if code in _BUSY or code >= 500:
        return BusyError(code)
    return PermissionError(errno.EACCES, "refused")


def _found(answer: HTTPResponse) -> Fingerprint:
    size, written = answer.headers.get("Content-Length", ""), answer.headers.get("Last-Modified", "")
    try:
        mtime_ns = int(email.utils.parsedate_to_datetime(written).timestamp()) * 10**9
    except (ValueError, TypeError):
        mtime_ns = 0
    return Fingerprint(int(size) if size.isdecimal() else -1, mtime_ns, answer.headers.get("ETag", "") or written)
