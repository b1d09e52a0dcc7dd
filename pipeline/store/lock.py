"""One run at a time for an output folder, or one for each shard of it.

The lock is the kernel's (flock) on an open file, so it vanishes with its holder however that ends;
the text inside only tells a person who holds it. A whole run holds OUTPUT/.pipeline/lock for
itself. A run over shard 2 of 3 holds that file together with other shards, and lock-2-of-3 for
itself; shards of another count would overlap with it and are refused.

Everybody who may read these files can lock them, and so hold up whoever shares the folder with him;
what they hold can be anybody's words.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator

from pipeline.errors import Locked, OutputError
from pipeline.printable import printable
from pipeline.store.beneath import Beneath, owner_of
from pipeline.store.layout import LOCK, STATE
from pipeline.store.trials import cannot_write

# How often a waiting run looks again; short beside any pair, long beside the look.
_RETRY_SECONDS = 0.2
_SHARD = re.compile(r"lock-[0-9]{1,6}-of-[0-9]{1,6}")
MOST_BYTES = 4096  # of the text; ours has some two hundred
_MOST_SHOWN = 64  # characters of each of its entries, which can be anybody's

Held = dict[str, int]
"""Descriptors of the files that are locked, by name."""


@contextlib.contextmanager
def run_lock(
    files: Beneath,
    run_id: str,
    wait_seconds: float = 0.0,
    shard: str | None = None,
    waiting: Callable[[str], object] = lambda holder: None,
) -> Iterator[Callable[[], None]]:
    """Hold the lock of an output folder, or of its part `shard`; for the rest see `Store.lock`.
    Yields what raises OutputError where the lock is not there any more."""
    until = time.monotonic() + wait_seconds
    with contextlib.ExitStack() as stack:
        held: Held = {}
        tries = 0
        while holder := _take(files, shard, held, stack):
            stack.close()  # what was taken of it; another shard may have the other half
            held.clear()
            tries += 1
            # Twice at least: `status` takes the lock for an instant to see whether it is free.
            if tries > 1 and time.monotonic() >= until:
                raise Locked(f"another run holds {printable(files.path)}: {holder}; wait for it, or use --wait")
            if wait_seconds:
                waiting(holder)
            time.sleep(_RETRY_SECONDS)
        _sign(held[_name(shard)], run_id)
        yield lambda: _check_held(files, held)


def holders(files: Beneath) -> list[str]:
    """Who holds the output at this moment, in words: nobody, one run, or one run per shard."""
    return [_holder(files, name) for name in (LOCK, *_shard_locks(files)) if _is_held(files, name)]


def _take(files: Beneath, shard: str | None, held: Held, stack: contextlib.ExitStack) -> str | None:
    """Take all that is needed, to be given back with `stack`; or say who is in the way."""
    if not _lock(files, LOCK, fcntl.LOCK_EX if shard is None else fcntl.LOCK_SH, held, stack):
        return next(iter(holders(files)), None) or _holder(files, LOCK)
    if shard is None:
        return None
    own = _name(shard)
    if not _lock(files, own, fcntl.LOCK_EX, held, stack):
        return _holder(files, own)
    division = shard[shard.index("-of-") :]
    others = (name for name in _shard_locks(files) if not name.endswith(division))
    return next(
        (f"{_holder(files, name)}, which divides it otherwise" for name in others if _is_held(files, name)), None
    )


def _lock(files: Beneath, name: str, kind: int, held: Held, stack: contextlib.ExitStack) -> bool:
    """Lock a file, made if missing, until `stack` is closed; whether that succeeded."""
    descriptor = _open(files, name)
    stack.callback(os.close, descriptor)  # and with it the lock
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        raise OutputError(
            f"cannot lock {printable(files.path)}: {error.strerror}; use a folder on a local disk"
        ) from error
    held[name] = descriptor
    return _is_at(files, name, descriptor)  # nobody put another in its place before we had it


def _open(files: Beneath, name: str) -> int:
    path = files.path / name
    try:
        return files.open(name, os.O_RDWR | os.O_CREAT, make=True)
    except OSError as error:
        try:
            owned = owner_of(path) if files.status(name) else ""
        except OSError:  # it is the folder that cannot be written
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                path = files.path / STATE
                raise OutputError(f"cannot use {printable(path)}: {error.strerror}; move it away") from error
            raise cannot_write(files, error) from error
        raise OutputError(
            f"cannot open the lock file {printable(path)}: {error.strerror}{owned};"
            " have it made writable, or delete it while no run is going on"
        ) from error


def _check_held(files: Beneath, held: Held) -> None:
    for name, descriptor in held.items():
        if not _is_at(files, name, descriptor):
            raise OutputError(
                f"the lock file {printable(files.path / name)} was replaced or removed while the run was going on;"
                " nothing more is written, as another run may have begun"
            )


def _is_at(files: Beneath, name: str, descriptor: int) -> bool:
    """Does this open file still stand under its name, as far as that can be told here?"""
    if files.place is None:
        return True
    try:
        mine = os.fstat(descriptor)
        there = files.status(name)
    except FileNotFoundError:
        return False
    except OSError as error:
        return error.errno not in (errno.ELOOP, errno.ENOTDIR)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _is_held(files: Beneath, name: str) -> bool:
    """Does somebody hold this file for himself? Found out by taking it for an instant."""
    try:
        descriptor = files.open(name)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _shard_locks(files: Beneath) -> list[str]:
    try:
        names = sorted(files.names(STATE))
    except OSError:
        return []
    return [f"{STATE}/{name}" for name in names if _SHARD.fullmatch(name)]


def _name(shard: str | None) -> str:
    return LOCK if shard is None else f"{LOCK}-{shard}"


def _sign(descriptor: int, run_id: str) -> None:
    """Say in the lock's file who holds it; by the descriptor that holds it, as on a share (CIFS) no
    other may write. A file that has another name elsewhere (a hard link) is not written to."""
    if os.fstat(descriptor).st_nlink > 1:
        return
    with contextlib.suppress(OSError):  # a full disk: the lock holds without its text
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, words_of_holder(run=run_id), 0)


def _holder(files: Beneath, name: str) -> str:
    try:
        with os.fdopen(files.open(name), "rb") as file:
            return holder_in_words(file.read(MOST_BYTES))
    except OSError:
        return holder_in_words(b"")


def words_of_holder(**more: str) -> bytes:
    """What this process writes into a lock: who it is, and `more`."""
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": started, **more}).encode()


def holder_in_words(text: bytes) -> str:
    """Who holds a lock, by what stands in it."""
    try:
        holder = json.loads(text)
        said = {key: printable(str(holder[key]))[:_MOST_SHOWN] for key in ("pid", "host", "started", "run")}
    except (ValueError, KeyError, TypeError, RecursionError):
        return "a process that has not yet said who it is"
    return f"process {said['pid']} on {said['host']}, started {said['started']} (run {said['run']})"
