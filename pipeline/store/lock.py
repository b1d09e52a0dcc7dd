"""One run at a time for an output folder, or one for each shard of it.

The lock is the kernel's (flock) on an open file, so it vanishes with its holder however that ends;
the text inside only tells a person who holds it. A whole run holds OUTPUT/.pipeline/lock for
itself. A run over shard 2 of 3 holds that file together with other shards, and lock-2-of-3 for
itself; shards of another count would overlap with it and are refused.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import Locked, OutputError

# How often a waiting run looks again; short beside any pair, long beside the look.
_RETRY_SECONDS = 0.2


@contextlib.contextmanager
def run_lock(
    state: Path,
    run_id: str,
    wait_seconds: float = 0.0,
    shard: str | None = None,
    waiting: Callable[[str], object] = lambda holder: None,
) -> Iterator[None]:
    """Hold the lock of an output's state folder (OUTPUT/.pipeline, made if missing), or of its part
    `shard`; for the rest see `Store.lock`."""
    until = time.monotonic() + wait_seconds
    with contextlib.ExitStack() as held:
        tries = 0
        while holder := _take(state, shard, held):
            held.close()  # what was taken of it; another shard may have the other half
            tries += 1
            # Twice at least: `status` takes the lock for an instant to see whether it is free.
            if tries > 1 and time.monotonic() >= until:
                raise Locked(f"another run holds {state.parent}: {holder}; wait for it, or use --wait")
            if wait_seconds:
                waiting(holder)
            time.sleep(_RETRY_SECONDS)
        _sign(state / _name(shard), run_id)
        yield


def holders(state: Path) -> list[str]:
    """Who holds the output at this moment, in words: nobody, one run, or one run per shard."""
    return [_holder(path) for path in (state / "lock", *_shard_locks(state)) if _is_held(path)]


def _take(state: Path, shard: str | None, held: contextlib.ExitStack) -> str | None:
    """Take all that is needed, to be given back with `held`; or say who is in the way."""
    if not _lock(state / "lock", fcntl.LOCK_EX if shard is None else fcntl.LOCK_SH, held):
        return next(iter(holders(state)), None) or _holder(state / "lock")
    if shard is None:
        return None
    own = state / _name(shard)
    if not _lock(own, fcntl.LOCK_EX, held):
        return _holder(own)
    division = shard[shard.index("-of-") :]
    others = (path for path in _shard_locks(state) if not path.name.endswith(division))
    return next((f"{_holder(path)}, which divides it otherwise" for path in others if _is_held(path)), None)


def _lock(path: Path, kind: int, held: contextlib.ExitStack) -> bool:
    """Lock a file, made if missing, until `held` is closed; whether that succeeded."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write to the output folder {path.parent.parent}: {error.strerror}") from error
    held.callback(os.close, descriptor)  # and with it the lock
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        raise OutputError(
            f"cannot lock {path.parent.parent}: {error.strerror}; use a folder on a local disk"
        ) from error
    return True


def _is_held(path: Path) -> bool:
    """Does somebody hold this file for himself? Found out by taking it for an instant."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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


def _shard_locks(state: Path) -> list[Path]:
    return sorted(state.glob("lock-*-of-*"))


def _name(shard: str | None) -> str:
    return "lock" if shard is None else f"lock-{shard}"


def _sign(path: Path, run_id: str) -> None:
    """Say in the lock's file who holds it."""
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "run": run_id,
    }
    with contextlib.suppress(OSError):  # a full disk: the lock holds without its text
        path.write_text(json.dumps(holder))


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_bytes())
        return f"process {holder['pid']} on {holder['host']}, started {holder['started']} (run {holder['run']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not yet said who it is"
