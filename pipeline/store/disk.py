"""An output folder on a local disk, and how a file is written there: whole or not at all.

Temporary file in the same folder, fsync, rename, fsync of the folder: after a crash or a power cut
at any instant, a final name holds either the old bytes or the new ones.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from pipeline.errors import BadOutput, DiskFull, OutputError
from pipeline.images.file_bytes import hash_file
from pipeline.store.layout import STATE
from pipeline.store.lock import holders, run_lock
from pipeline.store.store import Entry, Fingerprint, Store, check_name

PART_PREFIX = ".pipeline-"
PART_SUFFIX = ".part"
_AGAIN_SECONDS = 1.0  # chosen: what a network folder needs to come back, and nothing beside a pair
_TROUBLE_OF_ONE_NAME = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTEMPTY)


class LocalStore(Store):
    """The files of `folder`, which is made with the first of them.

    What is written is on the disk before its name is, and its name, with every folder that was made
    for it, before the writer returns. Links are followed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file itself."""
        return self.folder / check_name(name)

    def open(self, name: str) -> BinaryIO:
        """The file itself, open to read."""
        return open(self.path(name), "rb")

    def write_by(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        """By `write_whole_by`."""
        write_whole_by(self.path(name), write)

    def append(self, name: str, line: bytes) -> None:
        """In one call of the system, to the end of what others may be adding to as well."""
        path = self.path(name)
        _make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            file.write(line if _ends_cleanly(descriptor) else b"\n" + line)
            os.fsync(descriptor)

    def list(self, prefix: str) -> tuple[Entry, ...]:
        """Regular files, and links to them."""
        check_name(f"{prefix}*")  # whatever ends it
        folder, slash, start = prefix.rpartition("/")
        try:
            names = sorted(os.listdir(self.folder / folder))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return ()
        found = []
        for name in (f"{folder}{slash}{name}" for name in names if name.startswith(start)):
            with contextlib.suppress(OSError):  # a folder, or gone in the meantime
                found.append(Entry(name, self.fingerprint(name)))
        return tuple(found)

    def fingerprint(self, name: str) -> Fingerprint:
        """From one call of the system; FileNotFoundError also for what is no regular file."""
        status = self.path(name).stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", name)
        return _fingerprint(status)

    def sha256(self, name: str) -> str:
        """By `hash_file`."""
        return hash_file(self.path(name))

    def delete(self, name: str) -> None:
        """Its folder stays."""
        self.path(name).unlink(missing_ok=True)

    def prune(self, folder: str) -> None:
        """Unless something is in it."""
        with contextlib.suppress(OSError):
            self.path(folder.rstrip("/")).rmdir()

    def remove_parts(self, seconds_old: float = 0.0) -> None:
        """In all folders, but behind no link."""
        newest = time.time() - seconds_old
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if not os.path.islink(os.path.join(folder, name))]
            for name in names:
                if name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX):
                    part = os.path.join(folder, name)
                    with contextlib.suppress(OSError):
                        if os.stat(part).st_mtime <= newest or not seconds_old:
                            os.unlink(part)

    def lock(
        self,
        run_id: str,
        wait_seconds: float = 0.0,
        shard: str | None = None,
        waiting: Callable[[str], object] = lambda holder: None,
    ) -> contextlib.AbstractContextManager[None]:
        """The kernel's, on files of this folder (store/lock)."""
        return run_lock(self.path(STATE), run_id, wait_seconds, shard, waiting)

    def holders(self) -> tuple[str, ...]:
        """By the kernel's locks."""
        return tuple(holders(self.path(STATE)))


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` under `path`; for the rest see `write_whole_by`."""
    write_whole_by(path, lambda file: file.write(data))


def write_whole_by(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Put what `write` writes under `path`, making folders as needed; mode 0666 less the umask, as
    other programs write files.

    After an input/output error (a network folder's hiccup, a cable's) all is written once more, to
    a new file: of the old one fsync would say that it is well (fsync(2)). Raises BadOutput where
    only this name is the trouble (a folder stands there), OutputError where nothing can be written
    (permissions), DiskFull among them. All name the file.
    """
    try:
        try:
            _make_folder(path.parent)
            _write_whole(path, write)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            time.sleep(_AGAIN_SECONDS)
            _make_folder(path.parent)
            _write_whole(path, write)
    except OSError as error:
        if error.errno in _TROUBLE_OF_ONE_NAME:
            raise BadOutput(
                f"cannot write {path}: {error.strerror}; move what stands there, or change the output"
            ) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"cannot write {path}: the disk is full; nothing was left behind") from error
        raise OutputError(f"cannot write {path}: {error.strerror}; nothing was left behind") from error


def _write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    descriptor, part = tempfile.mkstemp(prefix=PART_PREFIX, suffix=PART_SUFFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    _sync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each on the disk before anything is put into it."""
    if folder.exists():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)  # another worker may be as fast
    try:
        _sync_folder(folder.parent)
    except OSError:
        with contextlib.suppress(OSError):
            folder.rmdir()  # so that a second try does not take its name for safe
        raise


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@functools.cache  # another thread may be writing a checkpoint; and nobody changes it
def _umask() -> int:
    mask = os.umask(0)  # there is no way to read it without setting it
    os.umask(mask)
    return mask


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return Fingerprint(status.st_size, status.st_mtime_ns)


def _ends_cleanly(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
