"""SIGINT and SIGTERM as a wish: the run finishes what it must and ends in order. A second signal
ends the process at once.

A terminal that is closed (SIGHUP) is such a wish too, and counts as SIGTERM; it may be told several
times, by the shell and by the kernel, and never ends the process at once. `nohup` keeps its
meaning.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.errors import Stopped


class Stop:
    """`by` is the number of the signal that asked for the end, or None."""

    by: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.by is None:
            self.by = signal.SIGTERM if number == signal.SIGHUP else number
        elif number != signal.SIGHUP:
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
