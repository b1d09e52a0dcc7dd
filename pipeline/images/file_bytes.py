"""The bytes of a picture file, read once and safely, with their SHA-256.

Everything later (hash, header, pixels) is taken from the same bytes, so no one can swap the file in
between.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from pipeline.errors import BadImage
from pipeline.printable import printable
from pipeline.urls import is_url

# An uncompressed 8-bit RGBA file at the limit of pixels (sizes.MAX_PIXELS, 110 million) is 440 MB.
MAX_BYTES = 512 * 2**20

# Names in a folder times the length of the one looked for: 1000 usual ones, compared in a hundredth
# of a second.
_MOST_COMPARED = 20_000

_HASH_BLOCK = 2**20  # bytes per read; large enough that the hash, not the call, takes the time

# What may be over in a moment: a network folder that comes back or whose file was replaced
# (ESTALE), a cable.
_PASSING_ERRORS = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EREMOTEIO)
# Seconds before a file is tried again: for a folder that comes back, and for somebody who has
# nearly written it. Chosen: nothing beside a pair, and a wish to stop is heard soon enough.
_PAUSES = (0.2, 1.0)

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Source:
    """A picture file as it was at one moment.

    `shown` is its path made safe to print, `name` its last part as it is.
    """

    path: Path
    data: bytes
    sha256: str

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return self.path.name

    @property
    def shown(self) -> str:
        """The path as messages may print it."""
        return printable(self.path)


def read_source(path: str | os.PathLike[str], home: str | None = None) -> Source:
    """Read a file whole; with `home` only if it lies in that folder (`open_regular`).

    A file that changes or grows while it is read, or whose disk or network fails, is tried again
    after a moment, then refused. Raises BadImage for what is not a regular, readable, non-empty
    file of at most MAX_BYTES.
    """
    data = try_again(lambda path: _read_steadily(path, home), path)
    return Source(Path(path), data, hashlib.sha256(data).hexdigest())


def hash_file(path: str | os.PathLike[str], home: str | None = None, *, most: int = MAX_BYTES) -> str:
    """SHA-256 of a file in hexadecimal, in constant memory; fails as `open_regular` does."""
    return hash_with_status(path, home=home, most=most)[0]


def hash_with_status(
    path: str | os.PathLike[str],
    check_cancelled: Callable[[], object] = lambda: None,
    home: str | None = None,
    *,
    most: int = MAX_BYTES,
) -> tuple[str, os.stat_result]:
    """`hash_file`, and the status of the very file that was read, whatever has been put in its
    place since. `check_cancelled` is called between blocks, and may raise to end that. For `home`
    and `most` see `open_regular`."""

    def read(path: str | os.PathLike[str]) -> tuple[str, os.stat_result]:
        return _hash_steadily(path, check_cancelled, home, most)

    return try_again(read, path)


def try_again(read: Callable[[str | os.PathLike[str]], Read], path: str | os.PathLike[str]) -> Read:
    """What `read`, which opens by `open_regular`, gets from the file, at a later try if need be."""
    for seconds in _PAUSES:
        try:
            return read(path)
        except _Passing:
            time.sleep(seconds)
    return read(path)


@contextmanager
def open_regular(
    path: str | os.PathLike[str], home: str | None = None, *, most: int = MAX_BYTES
) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """An open regular file of at most so many bytes and its status, or BadImage. Never waits, not
    even for a pipe.

    `home` is a folder, its links resolved, that the file itself has to lie in, whatever links led
    there: who may put files below it could else have any other read, by a link put in the place of
    a picture long after names were looked at.
    """
    try:
        descriptor = _opened(path) if home is None else _opened_in(home, path, most)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        kind = _Passing if isinstance(error, OSError) and error.errno in _PASSING_ERRORS else BadImage
        raise kind(f"{printable(path) or repr('')} {_why_not_open(path, error)}") from error
    try:
        status = _status(path, descriptor)
        _check_kind_and_size(printable(path), status, most)
    except BadImage:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file, status
        except OSError as error:  # a disk or network folder that fails while being read
            raise _failing(path, error) from error
        except BadImage as error:  # the same, as a decoder told it
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _PASSING_ERRORS:
                raise _failing(path, error.__cause__) from error
            raise


# O_NONBLOCK: opening a FIFO returns at once and waits for no writer.
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def _opened(path: str | os.PathLike[str]) -> int:
    return os.open(path, _READING)


def _opened_in(home: str, path: str | os.PathLike[str], most: int = MAX_BYTES) -> int:
    """A descriptor of what lies in a folder. A handle is asked, so that nobody can put another file
    there in between; O_PATH gives one of a device without opening it (open(2), proc(5))."""
    if not hasattr(os, "O_PATH"):
        return _opened_by_name(home, path, most)
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        entry = f"/proc/self/fd/{handle}"
        _check_home(home, path, os.readlink(entry))
        _check_kind_and_size(printable(path), os.fstat(handle), most)
        return os.open(entry, _READING)
    finally:
        os.close(handle)


def _opened_by_name(home: str, path: str | os.PathLike[str], most: int) -> int:
    """The same where the system has no such handles (macOS): what is opened must be what the name
    leads to, links resolved."""
    real = os.path.realpath(path)
    _check_home(home, path, real)
    before = os.stat(real)
    _check_kind_and_size(printable(path), before, most)
    descriptor = os.open(real, _READING | os.O_NOFOLLOW)
    if os.path.samestat(before, os.fstat(descriptor)):
        return descriptor
    os.close(descriptor)
    raise BadImage(f"{printable(path)} was exchanged while it was opened; run again")


def _check_home(home: str, path: str | os.PathLike[str], real: str) -> None:
    """Raise BadImage where a file that was found in a folder does not lie in it."""
    if not real.startswith(home.rstrip("/") + "/"):
        raise BadImage(
            f"{printable(path)} is or lies behind a link that leads out of {printable(home)};"
            " name it in the manifest, or set 'follow_links: true'"
        )


def _status(path: str | os.PathLike[str], descriptor: int) -> os.stat_result:
    try:
        return os.fstat(descriptor)
    except OSError as error:
        raise _failing(path, error) from error


def _failing(path: str | os.PathLike[str], error: OSError) -> _Passing:
    return _Passing(f"{printable(path)} cannot be read: {error.strerror or error}; check the disk")


class _Passing(BadImage):
    """Somebody wrote to the file while it was read, or the disk failed; it may soon be over."""


def _hash_steadily(
    path: str | os.PathLike[str], check_cancelled: Callable[[], object], home: str | None, most: int
) -> tuple[str, os.stat_result]:
    digest, size = hashlib.sha256(), 0
    with open_regular(path, home, most=most) as (file, status):
        while block := file.read(_HASH_BLOCK):
            check_cancelled()
            digest.update(block)
            size += len(block)
            if size > status.st_size:  # it grows; and may do so faster than it is read
                raise _Passing(_changed(path))
        _check_unchanged(path, file, status)
    return digest.hexdigest(), status


def _read_steadily(path: str | os.PathLike[str], home: str | None) -> bytes:
    with open_regular(path, home) as (file, status):
        data = file.read(status.st_size + 1)  # one byte more than promised shows that the file grew
        _check_unchanged(path, file, status)
        if len(data) != status.st_size:
            raise _Passing(_changed(path))
        return data


def _check_unchanged(path: str | os.PathLike[str], file: BinaryIO, before: os.stat_result) -> None:
    after = os.fstat(file.fileno())
    if stamp(after) != stamp(before):
        raise _Passing(_changed(path))


def stamp(status: os.stat_result) -> list[int]:
    """What differs after every change of a file: its size, the time of its last change of content,
    which a program may set back, its inode, and the time of its last change of any kind, which it
    may not."""
    return [status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]


def _check_kind_and_size(shown: str, status: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise BadImage(f"{shown} is a folder; name a picture in it")
    if not stat.S_ISREG(status.st_mode):
        raise BadImage(f"{shown} is not a regular file but {_kind(status.st_mode)}; name a picture file")
    if status.st_size == 0:
        raise BadImage(f"{shown} is an empty file; copy the picture again")
    if status.st_size > most:
        what = "picture file" if most == MAX_BYTES else "clip"
        raise BadImage(
            f"{shown} is {status.st_size / 2**20:.0f} MiB; a {what} may be at most {most // 2**20} MiB,"
            " so save it smaller or compressed"
        )


def _changed(path: str | os.PathLike[str]) -> str:
    return f"{printable(path)} changed while it was being read; start again when nothing writes to it"


def _why_not_open(path: str | os.PathLike[str], error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "is not a possible file name; remove its null byte"
    if error.errno == errno.ENOENT and os.path.islink(path):
        return f"is a link to {printable(os.readlink(path))}, which does not exist; mend or remove the link"
    if error.errno == errno.ENOENT and not os.fspath(path):
        return "is an empty name; give the path of a picture"
    if error.errno == errno.ENOENT and isinstance(path, str) and is_url(path):  # a night's are fetched before
        return "is an address, which a manifest may name (docs/objects.md); give the path of a file"
    if error.errno == errno.ENOENT:
        return f"does not exist; {_what_may_be_meant(path)}"
    return {
        errno.ENOTDIR: "does not exist: part of its path is a file, not a folder; check the name",
        errno.ELOOP: "is a link that leads back to itself; mend or remove the link",
        errno.EACCES: "may not be read by this user; change its permissions (chmod)",
        errno.EPERM: "may not be read by this user; change its permissions (chmod)",
        errno.ENAMETOOLONG: "has a name too long for this file system; shorten it",
        errno.ENXIO: "is not a regular file but a socket or device; name a picture file",
    }.get(error.errno or 0, f"cannot be opened: {error.strerror or error}; check the disk")


def _what_may_be_meant(path: str | os.PathLike[str]) -> str:
    folder, name = os.path.split(os.fspath(path))
    stem, ending = os.path.splitext(name)
    try:
        there = sorted(os.listdir(folder or "."))
    except OSError:
        return f"there is no folder {printable(folder)}"
    # By their stems: an ending that all have in common would make all alike. What has another one
    # stands beside a photograph (.xmp, .MOV), and is meant only if all else is right.
    names = {os.path.splitext(found)[0]: found for found in there if found.lower().endswith(ending.lower())}
    few = len(names) * len(name) <= _MOST_COMPARED
    close = [names[found] for found in (difflib.get_close_matches(stem, names, n=1) if few else ())]
    close += [found for found in there if os.path.splitext(found)[0] == stem]
    return f"did you mean {printable(close[0])}?" if close else "check the name"


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe (FIFO)"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a socket"
