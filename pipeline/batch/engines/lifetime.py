"""A worker's life, seen from outside: whether the next pair still finds room in it, and what its
end says.

TensorFlow keeps what it traced and allocated for a shape, and a night may have many shapes. What a
pair needs of a fresh process is foreseen; what it took more in this one was left by others."""

from __future__ import annotations

import signal
from pathlib import Path

from pipeline.batch.messages import Opening
from pipeline.errors import BadImage, OutputError, PairError, WorkerDied
from pipeline.images.budget import CLOCK_RAN_OUT, signal_name, too_slow
from pipeline.printable import last_line, printable
from pipeline.store.disk import open_to_read_log

# A worker is replaced between pairs when it has grown to this multiple of what it held after its
# first pair.
_GROWN = 3.0
_FULL = 0.9  # share of its limit that a worker may hold when a pair begins


class Growth:
    """The memory of one worker, in bytes, over its pairs."""

    def __init__(self) -> None:
        self.pairs = 0
        self._first_size = self._held = 0
        self._surplus = [0]  # what each pair took beyond what was foreseen

    def finished(self, held: int, peak: int, foreseen: int) -> None:
        """A pair is done: the process holds so much now, held at most `peak` on the way (0 where
        that is not known), and was to need `foreseen` (likewise)."""
        self.pairs += 1
        self._held, self._first_size = held, self._first_size or held
        if peak and foreseen:
            self._surplus.append(max(0, peak - foreseen))

    @property
    def too_large(self) -> bool:
        """Has it grown far beyond its first size?"""
        return self._held > _GROWN * self._first_size

    def leaves_room(self, foreseen: int, limit: int) -> bool:
        """Will a pair that needs `foreseen` (0 where that is not known) stay below the limit here,
        if it grows by as much as the last one did? In a fresh worker nothing better can be had."""
        if not self.pairs:
            return True
        before, last = self._surplus[-2:] if len(self._surplus) > 1 else (0, 0)
        return self._held <= _FULL * limit and foreseen + last + max(0, last - before) <= limit


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
