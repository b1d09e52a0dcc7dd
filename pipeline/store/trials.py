"""What a file system can, found out by trying, before the first second of painting.

Shares and virtual disks (CIFS, vboxsf, WSL, FUSE) lack this and that. What can be done without is
done without and said once; what a run cannot do without ends it before it starts.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import DiskFull, OutputError
from pipeline.printable import printable
from pipeline.store.beneath import CANNOT_SYNC, Beneath, opened_folder, owner_of
from pipeline.store.layout import CHECKPOINTS, HISTORY, NOW, PREVIOUS, RECORDS, STATE, STEPS
from pipeline.store.whole import part_name

# What every file system takes for a name; anything else is tried.
_USUAL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9 _.,+=@()-]{0,98}[A-Za-z0-9_)])?")
# Names that some drivers refuse for Windows' sake, whatever their ending: "Naming Files, Paths, and
# Namespaces", learn.microsoft.com.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# What open(2) answers to a name that cannot be; ENOENT and EACCES are some shares' way to say so.
_REFUSALS = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG, errno.ENOENT, errno.EACCES, errno.EPERM})
# Two calls each, which a slow share answers in milliseconds; others are found out by painting.
_MOST_TRIED = 2000
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def try_out(files: Beneath) -> list[str]:
    """What the output folder's file system cannot do, in sentences. Raises OSError where it cannot
    do what a run needs. A full disk is no lack: how much a run needs is looked at elsewhere."""
    try:
        return _tried(files.handle(make=True), printable(files.path))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return []
        raise


def cannot_write(files: Beneath, error: OSError) -> OutputError:
    """The output folder takes no files."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"cannot write to the output folder {printable(files.path)}: the disk is full")
    return OutputError(
        f"cannot write to the output folder {printable(files.path)}: {error.strerror}{_owner(files.path, error)}"
    )


def refused_names(files: Beneath, names: Iterable[str]) -> dict[str, str]:
    """Those names of outputs that the file system does not take, with its reason."""
    odd = {name: odd for name in names if (odd := [part for part in name.split("/") if not _is_usual(part)])}
    if not odd:
        return {}
    parts = dict.fromkeys(part for parts in odd.values() for part in parts)
    refusals = _refusals(files, itertools.islice(parts, _MOST_TRIED))
    found = {name: next((refusals[part] for part in parts if part in refusals), "") for name, parts in odd.items()}
    return {name: reason for name, reason in found.items() if reason}


def remove_empty_files(folder: int) -> None:
    """Remove from an open folder what a trial that was killed left in it."""
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            if os.lstat(name, dir_fd=folder).st_size == 0:
                os.unlink(name, dir_fd=folder)


def check_our_folders(files: Beneath) -> None:
    """Raises OutputError where something else stands in the place of `.pipeline` or a folder in
    it."""
    for folder in (STATE, RECORDS, CHECKPOINTS, HISTORY, NOW, STEPS, PREVIOUS):
        try:
            files.names(folder.rstrip("/"))
        except FileNotFoundError:
            continue
        except OSError as error:
            path = files.path / folder.rstrip("/")
            raise OutputError(
                f"cannot use {printable(path)}: {error.strerror}{_owner(path, error)};"
                " move away what stands there, or choose another output"
            ) from error


def _tried(at: int, shown: str) -> list[str]:
    """What cannot be done in the open folder `at`."""
    lacks = []
    names = part_name(), part_name()
    try:
        for name in names:
            descriptor = os.open(name, _NEW, 0o666, dir_fd=at)
            try:
                os.write(descriptor, b"\n")
                files = _cannot_sync(descriptor)
            finally:
                os.close(descriptor)
        os.replace(*names, src_dir_fd=at, dst_dir_fd=at)  # over one that stands there
    finally:
        for name in names:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=at)
    if files:
        lacks.append(f"the file system of {shown} cannot have a file safe on the disk ({files}); {_WITHOUT}")
    elif folders := _cannot_sync(at):
        lacks.append(f"the file system of {shown} cannot have a folder safe on the disk ({folders}); {_WITHOUT}")
    return lacks


_WITHOUT = "done without: after a power cut the last pictures may be missing, and the next run paints them again"


def _cannot_sync(descriptor: int) -> str:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise
        return error.strerror or "fsync"
    return ""


def _refusals(files: Beneath, parts: Iterable[str]) -> dict[str, str]:
    """What the system says to each name that it refuses, tried in a folder of its own."""
    refusals: dict[str, str] = {}
    folder = part_name()
    with files.folder([STATE], make=True) as at:
        try:
            os.mkdir(folder, dir_fd=at)
        except OSError:
            return {}  # a full disk: whoever writes next will meet it
        try:
            with opened_folder(at, folder) as inside:
                for part in parts:
                    try:
                        os.close(os.open(part, _NEW, 0o666, dir_fd=inside))
                        os.unlink(part, dir_fd=inside)
                    except OSError as error:
                        if error.errno in _REFUSALS:
                            refusals[part] = error.strerror or str(error)
                remove_empty_files(inside)
        finally:
            with contextlib.suppress(OSError):
                os.rmdir(folder, dir_fd=at)
    return refusals


def _is_usual(part: str) -> bool:
    return _USUAL.fullmatch(part) is not None and _RESERVED.fullmatch(part) is None


def _owner(path: Path, error: OSError) -> str:
    return owner_of(path) if error.errno in (errno.EACCES, errno.EPERM) else ""
