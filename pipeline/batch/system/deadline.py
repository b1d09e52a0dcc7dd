"""By when a run must be over: a time of day on the clock on the wall, a length of time on one that
nobody sets."""

from __future__ import annotations

import datetime
import math
import time
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.job import RunSettings

_DAY = datetime.timedelta(days=1)


def elapsed_clock() -> float:
    """Seconds of a clock that only ever goes on, whoever sets the machine's time. It counts time in
    which the machine slept or the program was stopped, as people do who say "seven hours"."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)  # Linux' own; its monotonic clock sleeps too
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class Moment(NamedTuple):
    """One instant on both clocks: seconds since the epoch, and of `elapsed_clock`."""

    wall: float
    elapsed: float

    @classmethod
    def now(cls) -> Moment:
        """This one."""
        return cls(time.time(), elapsed_clock())


@dataclass(slots=True)
class End:
    """When a run must be over, on either clock, whichever comes first; infinity where never."""

    wall: float = math.inf
    elapsed: float = math.inf
    _came: bool = False

    def seconds_left(self, now: Moment) -> float:
        """From now on; infinity for a run that may take what it takes. What somebody does to the
        wall clock moves the deadline and not the duration; but one that was met stays met, as pairs
        that were left for it were not looked at."""
        left = min(self.wall - now.wall, self.elapsed - now.elapsed)
        self._came = self._came or left <= 0
        return min(left, 0.0) if self._came else left


def end_of_run(settings: RunSettings, began: Moment) -> End:
    """When everything must be finished, by deadline and max_duration."""
    wall = elapsed = math.inf
    if settings.deadline is not None:
        wall = next_deadline(settings.deadline, began.wall)
    if settings.max_duration is not None:
        elapsed = began.elapsed + settings.max_duration
    return End(wall, elapsed)


def next_deadline(text: str, now: float) -> float:
    """The next time the local clock shows `text` ("HH:MM"), in seconds since the epoch; if it shows
    it now, the time after.

    Read as a clock on the wall reads: on the nights when clocks change, "06:00" is still six in the
    morning. A time that is shown twice is met twice; one that the clock leaps over is met by the
    leap.
    """
    hour, minute = (int(part) for part in text.split(":"))
    today = datetime.datetime.fromtimestamp(now).replace(hour=hour, minute=minute, second=0, microsecond=0)
    days = (today, today + _DAY, today + 2 * _DAY)
    return min(shown for day in days for shown in _shown(day) if shown > now)


def _shown(local: datetime.datetime) -> list[float]:
    """When the local clock shows this, in seconds since the epoch: once, twice, or where it leaps
    over it at the leap."""
    both = [local.replace(fold=fold).timestamp() for fold in (0, 1)]  # a naive time is read as local
    if both[1] >= both[0]:
        return both
    # It is leapt over: by the offset before the leap it would be later, by the one after earlier.
    before, after = (math.floor(seconds) for seconds in reversed(both))
    offset = _offset(before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(middle) == offset else (before, middle)
    return [float(after)]


def _offset(seconds: int) -> datetime.timedelta | None:
    return datetime.datetime.fromtimestamp(seconds).astimezone().utcoffset()
