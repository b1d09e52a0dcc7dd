"""The copies of pictures that are elsewhere (urls.local_path), held to a size.

While anybody reads copies, in whatever process, he has the lock of their folder with others, and
nothing goes. Who is the last to end removes those that were not asked for the longest, until the
others have room. A copy was last asked for when what is known of it (urls.tags_path) was last
touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.urls import PROTOCOLS, copies_root, tags_path, url_of

# A tenth of the disk, as journald.conf(5) (SystemMaxUse=) lets logs have it, where nobody says how
# much.
_SHARE = 10
_LOCK = "lock"


class _Copy(NamedTuple):
    asked: float  # when, in seconds since the epoch
    size: int  # bytes
    path: str


@contextlib.contextmanager
def copies_in_use(paths: Iterable[str | os.PathLike[str]], most_bytes: int | None = None) -> Iterator[None]:
    """While those of these files that stand for objects are fetched and read. Then, if nobody else
    reads any, copies go until `most_bytes` are left; a tenth of the disk for None. Nothing is done
    for files of this machine, and no failure is raised: at worst, nothing goes."""
    held = _held() if any(map(url_of, dict.fromkeys(paths))) else None
    try:
        yield
    finally:
        if held is not None:
            os.close(held)
            tidy(most_bytes)


def tidy(most_bytes: int | None = None) -> None:
    """Remove the copies that were not asked for the longest, down to so many bytes; nothing while
    anybody reads any."""
    root = copies_root()
    with contextlib.suppress(OSError), _opened_lock() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        most = most_bytes if most_bytes is not None else _share_of_disk(root)
        copies = sorted(_copies(root))
        left = sum(copy.size for copy in copies)
        for copy in copies:
            if left <= most:
                break
            _remove(copy.path, root)
            left -= copy.size


def _held() -> int | None:
    """The lock, with others; None where it cannot be had, as on a disk that is read-only."""
    with contextlib.suppress(OSError), _opened_lock() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # who removes has it for an instant
        return os.dup(lock)
    return None


@contextlib.contextmanager
def _opened_lock() -> Iterator[int]:
    root = copies_root()
    os.makedirs(root, mode=0o700, exist_ok=True)
    lock = os.open(f"{root}.{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield lock
    finally:
        os.close(lock)


def _share_of_disk(root: str) -> int:
    disk = os.statvfs(root)
    return disk.f_blocks * disk.f_frsize // _SHARE


def _copies(root: str) -> Iterator[_Copy]:
    """All files where copies are. Half a copy, as a kill leaves it, was never asked for."""
    waiting = [os.path.join(root, protocol) for protocol in PROTOCOLS]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                status = entry.stat(follow_symlinks=False)
                yield _Copy(_asked(entry.path), status.st_size, entry.path)


def _asked(path: str) -> float:
    url = url_of(path)
    try:
        return os.stat(tags_path(url)).st_mtime if url else 0.0
    except OSError:
        return 0.0


def _remove(path: str, root: str) -> None:
    """A copy, what is known of it, and folders that are empty then."""
    url = url_of(path)
    for file in (path, *([str(tags_path(url))] if url else ())):
        with contextlib.suppress(OSError):
            os.unlink(file)
        folder = os.path.dirname(file)
        with contextlib.suppress(OSError):
            while Path(folder).is_relative_to(root) or Path(folder).is_relative_to(f"{root}.tags"):
                os.rmdir(folder)
                folder = os.path.dirname(folder)
