"""Programs of the user's that are told how a run goes: lists of words, never a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_LIMIT_SECONDS = 30.0  # a hook says something; whoever does more starts it in the background


def run_hook(command: tuple[str, ...], *, folder: Path, run_id: str, report: Path, exit_code: int | None) -> str | None:
    """Run a hook in `folder` (the manifest's); returns what went wrong in one sentence, or None.

    The hook finds STYLIZE_RUN_ID, STYLIZE_REPORT and, once it is known, STYLIZE_EXIT in its environment.
    """
    environment = os.environ | {"STYLIZE_RUN_ID": run_id, "STYLIZE_REPORT": str(report)}
    if exit_code is not None:
        environment["STYLIZE_EXIT"] = str(exit_code)
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,  # ours is for data
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"hook '{shown}' was stopped after {_LIMIT_SECONDS:g} s; let it start long work in the background"
    except OSError as error:
        return f"hook '{shown}' could not be started: {error.strerror}; check its path and its permissions"
    return f"hook '{shown}' ended with code {done.returncode}" if done.returncode else None
