"""SIGINT and SIGTERM as a wish: the run finishes what it must and ends in order. A second signal of
the same kind ends the process at once.

One kind does not hasten another: what ends a session sends SIGHUP and then SIGTERM, and nobody was
impatient. A terminal that is closed (SIGHUP) is such a wish too, and counts as SIGTERM; it may be
told several times, by the shell and by the kernel, and never ends the process at once. `nohup`
keeps its meaning.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.errors import Stopped

# Seconds. One wish may be told twice: `timeout` sends its signal to its child, and then to the
# child's group. Who really presses Ctrl-C twice within this presses it a third time.
_SAME_WISH = 0.5


class Stop:
    """`by` is the number of the signal that asked for the end, or None."""

    by: int | None = None

    def __init__(self) -> None:
        self._first: dict[int, float] = {}  # when each kind first came

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.by is None:
            self.by = signal.SIGTERM if number == signal.SIGHUP else number
        now = time.monotonic()
        if now - self._first.setdefault(number, now) > _SAME_WISH and number != signal.SIGHUP:
            # workers notice the closed pipe; half-written files bear no final name
            os._exit(128 + number)

    def check(self) -> None:
        """Raise Stopped where a signal has come: for what has nothing to save."""
        if self.by is not None:
            raise Stopped(self.by)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Listen for the signals; the handlers from before come back at the end."""
    stop = Stop()
    heard = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
