"""Programs of the user's that are told how a run goes: lists of words, never a shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipeline.batch.system.pausing import AwakeClock

_LIMIT_SECONDS = 30.0  # a hook says something; whoever does more starts it in the background
_END_SECONDS = 2.0  # that one which was killed is waited for
_LOOK_SECONDS = 0.2  # how often time and the stop flag are looked at


def run_hook(
    command: tuple[str, ...],
    *,
    folder: Path,
    run_id: str,
    report: Path,
    exit_code: int | None,
    stopped: Callable[[], bool] = lambda: False,
) -> str | None:
    """Run a hook in `folder` (the manifest's); returns what went wrong in one sentence, or None.

    The hook finds STYLIZE_RUN_ID, STYLIZE_REPORT and, once it is known, STYLIZE_EXIT in its
    environment. It is ended, with whatever it started, when its time is up or when `stopped` says
    so.
    """
    environment = os.environ | {"STYLIZE_RUN_ID": run_id, "STYLIZE_REPORT": str(report)}
    if exit_code is not None:
        environment["STYLIZE_EXIT"] = str(exit_code)
    shown = " ".join(command)
    try:
        hook = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,  # ours is for data
            start_new_session=True,
        )
    except OSError as error:
        return f"hook '{shown}' could not be started: {error.strerror}; check its path and its permissions"
    clock = AwakeClock()
    while (code := _code_of(hook)) is None:
        if stopped() or clock.now() > _LIMIT_SECONDS:
            if not _ended(hook):
                return f"hook '{shown}' is still running after {clock.now():.0f} s, and cannot be ended by this user"
            if stopped():
                return f"hook '{shown}' was ended, as the run was"
            return f"hook '{shown}' was stopped after {_LIMIT_SECONDS:g} s; let it start long work in the background"
    return f"hook '{shown}' ended with code {code}" if code else None


def _ended(hook: subprocess.Popen[bytes]) -> bool:
    """End it, with whatever it started; False where it may not be, as one that sudo(8) runs."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(hook.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        hook.wait(_END_SECONDS)
    return hook.returncode is not None


def _code_of(hook: subprocess.Popen[bytes]) -> int | None:
    """The exit code of a hook that ends within a moment, or None."""
    try:
        return hook.wait(_LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return None
