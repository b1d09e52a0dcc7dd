"""What a worker's end says: by its exit code, and by the last line that it left in the log."""

from __future__ import annotations

import signal
from pathlib import Path

from pipeline.batch.messages import Opening
from pipeline.errors import BadImage, OutputError, PairError, WorkerDied
from pipeline.images.budget import CLOCK_RAN_OUT, signal_name, too_slow
from pipeline.printable import last_line, printable
from pipeline.store.disk import open_to_read_log


def death(code: int | None, log: Path, opening: Opening | None) -> PairError:
    """Why a worker is gone that ended with `code`, as Popen gives it, or None for one that says no
    more and does not end; `opening` is the picture that it opened last."""
    if code is None:
        return WorkerDied(f"its process hung as it ended; see {log}")
    if code == -CLOCK_RAN_OUT and opening is not None:
        return BadImage(too_slow(printable(opening.path), opening.seconds))
    if code == -signal.SIGKILL:
        return WorkerDied("its process was killed (signal 9), most likely because memory ran out; use a smaller size")
    if code == 128 + signal.SIGTERM:
        return WorkerDied("its process was ended by SIGTERM")
    if code < 0:
        return WorkerDied(f"its process was ended by {signal_name(-code)}; see {log}")
    return WorkerDied(f"its process ended by itself with code {code}; see {log}")


def last_words(log: Path) -> str:
    """The last line of a worker's log."""
    try:
        with open_to_read_log(log) as file:
            return last_line(file)
    except (OSError, OutputError):
        return "its log cannot be read"
