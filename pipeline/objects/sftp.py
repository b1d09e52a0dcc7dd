"""Files of a host by SFTP, by fsspec's file system of it.

Only a host whose key stands in known_hosts is spoken to, with the keys of ssh-agent and ~/.ssh.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import posixpath
import secrets
import stat
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from pipeline.errors import ObjectTrouble
from pipeline.objects.protocol import (
    BLOCK,
    CONNECT_SECONDS,
    DEEPEST,
    MOST_LISTED,
    MOST_THERE,
    READ_SECONDS,
    Fingerprint,
    Listed,
)


class UnknownHostError(paramiko.SSHException):
    """A host whose key nobody has seen."""


class _Refuse(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        raise UnknownHostError("unknown host key")


class _Known(SFTPFileSystem):
    """As fsspec has it, but with the keys of known_hosts, and with a clock."""

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(_Refuse())
        seconds = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout", "channel_timeout"), CONNECT_SECONDS)
        self.client.connect(self.host, **seconds, **self.ssh_kwargs)
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(READ_SECONDS)


class Sftp:
    """The files of a host; paths begin at its root."""

    def __init__(self, authority: str) -> None:
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what is worth saying is said by us
        user, _, host = authority.rpartition("@")
        # IPv6 stands in brackets, and without a port (urls)
        host, _, port = (host[1:-1], "", "") if host.startswith("[") else host.partition(":")
        self._host = host
        self._login = {**({"username": user} if user else {}), **({"port": int(port)} if port else {})}
        self._mine = threading.local()  # a line of paramiko's is one thread's: answers meet the wrong one else

    def look(self, path: str) -> Fingerprint:
        """By stat."""
        about = self._ftp().stat(f"/{path}")
        if not stat.S_ISREG(about.st_mode or 0):
            raise FileNotFoundError(errno.ENOENT, "not a file")
        return _found(about)

    def names(self, folder: str) -> Sequence[Listed]:
        """Of a folder, one name after the other."""
        found = []
        for about in self._ftp().listdir_iter(f"/{folder}"):
            found.append(Listed(about.filename, stat.S_ISDIR(about.st_mode or 0)))
            if len(found) > MOST_LISTED:
                break
        return found

    def every(self, folder: str) -> Mapping[str, Fingerprint]:
        """By going into all folders, behind no link."""
        found: dict[str, Fingerprint] = {}
        waiting = [("", 0)]
        while waiting:
            inside, depth = waiting.pop()
            for about in self._ftp().listdir_attr(posixpath.join(f"/{folder}", inside)):
                name = posixpath.join(inside, about.filename)
                if stat.S_ISDIR(about.st_mode or 0) and depth < DEEPEST:
                    waiting.append((name, depth + 1))
                elif stat.S_ISREG(about.st_mode or 0):
                    found[name] = _found(about)
            if len(found) + len(waiting) > MOST_THERE:
                raise ObjectTrouble(
                    f"sftp://{self._host}/{folder} has more than {MOST_THERE:,} objects; use a narrower one"
                )
        return found

    def get(self, path: str, file: IO[bytes], check: Callable[[int], object]) -> Fingerprint:
        """In blocks; what changed meanwhile is read again."""
        found = self.look(path)
        check(found.size)
        with self._ftp().open(f"/{path}", "rb") as source:
            source.prefetch(found.size)
            while block := source.read(BLOCK):
                file.write(block)
                check(file.tell())
        if self.look(path) != found:
            raise OSError(errno.EAGAIN, "changed while it was read")
        return found

    def put(self, path: str, data: bytes) -> None:
        """To a name beside it, which then takes the place of the old one in one step."""
        self._put(path, io.BytesIO(data))

    def put_file(self, path: str, file: Path) -> None:
        """The same, in blocks."""
        with open(file, "rb") as source:
            self._put(path, source)

    def _put(self, path: str, source: IO[bytes]) -> None:
        ftp, folder = self._ftp(), posixpath.dirname(path)
        self._make(folder)
        part = posixpath.join(f"/{folder}", f".pipeline-{secrets.token_hex(8)}.part")
        try:
            with ftp.open(part, "wb") as file:
                file.set_pipelined(True)
                while block := source.read(BLOCK):
                    file.write(block)
            ftp.posix_rename(part, f"/{path}")
        except BaseException:
            with contextlib.suppress(Exception):
                ftp.remove(part)
            raise

    def create(self, path: str, data: bytes) -> bool:
        """By an exclusive open. It is empty for an instant."""
        self._make(posixpath.dirname(path))
        try:
            with self._ftp().open(f"/{path}", "wx") as file:
                file.write(data)
        except OSError:
            self.look(path)  # another's; or nothing, and the fault is another
            return False
        return True

    def delete(self, path: str) -> None:
        """The file, and the folders that stay behind are left."""
        self._ftp().remove(f"/{path}")

    def renew(self) -> None:
        """With a new connection."""
        files = getattr(self._mine, "files", None)
        self._mine.files = None
        if files is not None:
            with contextlib.suppress(Exception):
                files.client.close()

    def _ftp(self) -> Any:
        if getattr(self._mine, "files", None) is None:
            self._mine.files = _Known(self._host, skip_instance_cache=True, **self._login)
        return self._mine.files.ftp

    def _make(self, folder: str) -> None:
        ftp, made = self._ftp(), ""
        with contextlib.suppress(OSError):
            ftp.stat(f"/{folder}")
            return
        for part in folder.split("/"):
            made += f"/{part}"
            with contextlib.suppress(OSError):  # it is there; if not, the next step says so
                ftp.mkdir(made)


def _found(about: Any) -> Fingerprint:
    size, seconds = int(about.st_size or 0), int(about.st_mtime or 0)
    return Fingerprint(size, seconds * 10**9, f"{seconds}-{size}")
