"""How anything is written below the output folder: whole or not at all.

Temporary file in the same folder, fsync, rename, fsync of the folder: after a crash or a power cut at any instant, a final
name holds either the old bytes or the new ones.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pipeline.errors import BadOutput, DiskFull, OutputError

PART_PREFIX = ".pipeline-"
PART_SUFFIX = ".part"
_AGAIN_SECONDS = 1.0  # chosen: what a network folder needs to come back, and nothing beside a pair
_TROUBLE_OF_ONE_NAME = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTEMPTY)


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` under `path`; for the rest see `write_whole_by`."""
    write_whole_by(path, lambda file: file.write(data))


def write_whole_by(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Put what `write` writes under `path`, making folders as needed; mode 0666 less the umask, as other programs write files.

    After an input/output error (a network folder's hiccup, a cable's) all is written once more, to a new file: of the old one
    fsync would say that it is well (fsync(2)).
    Raises BadOutput where only this name is the trouble (a folder stands there), OutputError where nothing can be written
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


def remove_parts(output: Path, seconds_old: float = 0.0) -> None:
    """Delete what writers left behind that were killed. Only under the run lock: another run's are still being written.

    `seconds_old` spares younger files, for those who share the folder with other runs.
    """
    newest = time.time() - seconds_old
    for folder, folders, names in os.walk(output):
        folders[:] = [name for name in folders if not os.path.islink(os.path.join(folder, name))]
        for name in names:
            if name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX):
                part = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    if os.stat(part).st_mtime <= newest or not seconds_old:
                        os.unlink(part)
