"""One run at a time for an output folder.

The lock is the kernel's (flock) on an open file, so it vanishes with its holder however that ends; the text inside only
tells a person who holds it.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import Locked, OutputError

_RETRY_SECONDS = 0.2  # how often a waiting run looks again; short beside any pair, long beside the look


@contextlib.contextmanager
def run_lock(state: Path, run_id: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock of an output's state folder (OUTPUT/.pipeline, made if missing).

    Raises Locked, naming the holder, when another run still has it after `wait_seconds`; OutputError when the folder cannot
    be written.
    """
    path = state / "lock"
    try:
        state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write to the output folder {state.parent}: {error.strerror}") from error
    try:
        _acquire(descriptor, state.parent, time.monotonic() + wait_seconds)
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "run": run_id,
        }
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its text
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def _acquire(descriptor: int, output: Path, until: float) -> None:
    tries = 0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            tries += 1
            # Twice at least: `status` takes the lock for an instant to see whether it is free.
            if tries > 1 and time.monotonic() >= until:
                raise Locked(f"another run holds {output}: {_holder(descriptor)}; wait for it, or use --wait") from None
            time.sleep(_RETRY_SECONDS)
        except OSError as error:  # a file system without locks
            raise OutputError(f"cannot lock {output}: {error.strerror}; use a folder on a local disk") from error


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {holder['pid']} on {holder['host']}, started {holder['started']} (run {holder['run']})"
    except (ValueError, KeyError, TypeError):
        return "a process that has not yet said who it is"
