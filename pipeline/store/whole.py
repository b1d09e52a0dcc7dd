"""How a file is written: whole or not at all, into an open folder.

Temporary file in the same folder, fsync, rename, fsync of the folder: after a crash or a power cut
at any instant, a final name holds either the old bytes or the new ones. Where a file system cannot
do one of the two fsyncs (store/trials finds out, and it is said), it is left out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pipeline.errors import BadOutput, DiskFull, OutputError, OutputRefused
from pipeline.printable import printable
from pipeline.store.beneath import owner_of, sync_file, sync_folder

PART_PREFIX = ".pipeline-"
PART_SUFFIX = ".part"
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENOTEMPTY)
_NO_SUCH_NAME = (errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG)
# When the bytes are written and only the name is refused: another user's file in a folder like
# /tmp, one that a Windows program holds open; some shares answer ENOENT to names they cannot have.
_NAME_IS_HELD = (errno.EPERM, errno.EACCES, errno.EBUSY, errno.ETXTBSY, errno.ENOENT)


class NamingError(OSError):
    """The bytes were written, and their name could not be given: nothing was left behind."""


class SyncError(OSError):
    """The file stands there, and whether it would after a power cut nobody knows."""


def is_part(name: str) -> bool:
    """Is it the name of a file that is being written, or was when its writer was killed?"""
    return name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX)


def part_name() -> str:
    """A name for a file that is being written, that nobody can guess."""
    return f"{PART_PREFIX}{secrets.token_hex(8)}{PART_SUFFIX}"


def put(at: int, name: str, write: Callable[[IO[bytes]], object]) -> None:
    """Put what `write` writes under `name` in the open folder `at`, with mode 0666 less the umask,
    as other programs write files; `write` may read it too. Raises OSError, NamingError and
    SyncError among them."""
    part = part_name()
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=at)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            write(file)
            file.flush()
            sync_file(file.fileno())
        _name(at, part, name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=at)
        raise
    try:
        sync_folder(at)
    except OSError as error:
        raise SyncError(error.errno, error.strerror, name) from error


def _name(at: int, part: str, name: str) -> None:
    try:
        os.replace(part, name, src_dir_fd=at, dst_dir_fd=at)
    except OSError as error:
        raise NamingError(error.errno, error.strerror, name) from error


def failure_to_write(path: Path, error: OSError, *, alone: bool) -> BadOutput | OutputError:
    """What it means that a file could not be written; `alone` says that others can be, beside it.

    BadOutput where something stands in the way, OutputRefused where the file system does not take
    this one file, DiskFull and OutputError where it takes none.
    """
    shown = printable(path)
    left = "it may not outlast a power cut" if isinstance(error, SyncError) else "nothing was left behind"
    if error.errno in _IN_THE_WAY:
        return BadOutput(f"cannot write {shown}: {error.strerror}; move what stands there, or change the output")
    if error.errno in _NO_SUCH_NAME:
        return OutputRefused(
            f"cannot write {shown}: the file system does not take this name ({error.strerror}); change the output"
        )
    if isinstance(error, NamingError) and error.errno in _NAME_IS_HELD:
        why = f"{error.strerror}{owner_of(path)}"
        return OutputRefused(f"cannot put anything under {shown}: {why}; move what stands there, or change the output")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"cannot write {shown}: the disk is full; {left}")
    owner = owner_of(path.parent) if error.errno in (errno.EACCES, errno.EPERM) else ""
    words = f"cannot write {shown}: {error.strerror}{owner}; {left}"
    return OutputRefused(f"{words}; other files can be written there") if alone else OutputError(words)
