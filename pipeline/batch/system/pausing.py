"""A run that is stopped and continued, by Ctrl-Z, by a closed laptop or by whoever sends the
signals: its workers stop with it, and the time counts against nobody."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

# What a terminal sends for Ctrl-Z, and to a background program that writes where it may not.
_STOPS = (signal.SIGTSTP, signal.SIGTTOU)
# Seconds between two looks at a clock; who looks less often was not running. Engines look twice a
# second, and a picture's record may have to wait for a slow disk.
_LONGEST_LOOK = 5.0
_NAP_SECONDS = 0.2  # between looks whether a stopped driver goes on


class AwakeClock:
    """Seconds in which this process was running, if it looks often: time in which it was stopped,
    or kept from running, is left out."""

    def __init__(self) -> None:
        self._seconds, self._looked = 0.0, time.monotonic()

    def now(self) -> float:
        """Seconds since the clock was made."""
        now = time.monotonic()
        self._seconds += min(now - self._looked, _LONGEST_LOOK)
        self._looked = now
        return self._seconds


@contextmanager
def stopping_together(send: Callable[[signal.Signals], object]) -> Iterator[None]:
    """While it lasts, a terminal's stop stops the children too, before this process, and they go on
    after it. `send` gives them a signal. SIGSTOP cannot be heard; see `wait_while_stopped`."""

    def stop(number: int, _frame: FrameType | None) -> None:
        send(signal.SIGSTOP)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # comes back when we are continued
        signal.signal(number, stop)
        send(signal.SIGCONT)

    heard = {}
    if threading.current_thread() is threading.main_thread():  # Python's rule for handlers
        heard = {number: signal.getsignal(number) for number in _STOPS}
    for number, before in heard.items():
        if before is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, before in heard.items():
            signal.signal(number, before)


def wait_while_stopped(pid: int) -> None:
    """Return at once, or when the process goes on that is stopped (Linux), or is gone."""
    while _state(pid) == "T":
        time.sleep(_NAP_SECONDS)


def _state(pid: int) -> str:
    """The letter of proc(5) for what a process does; T for stopped."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    return ""
