"""Wall-clock deadlines."""

from __future__ import annotations

import datetime

from pipeline.job import RunSettings


def end_of_run(settings: RunSettings, began: float) -> float | None:
    """By when everything must be finished, in seconds since the epoch, or None: the earlier of
    deadline and max_duration."""
    ends = []
    if settings.deadline is not None:
        ends.append(next_deadline(settings.deadline, began))
    if settings.max_duration is not None:
        ends.append(began + settings.max_duration)
    return min(ends, default=None)


def next_deadline(text: str, now: float) -> float:
    """The next time the local clock shows `text` ("HH:MM"), in seconds since the epoch; if it shows
    it now, tomorrow's.

    Read as a clock on the wall reads: on the nights when clocks change, "06:00" is still six in the
    morning.
    """
    hour, minute = (int(part) for part in text.split(":"))
    today = datetime.datetime.fromtimestamp(now)
    deadline = today.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if deadline <= today:
        deadline += datetime.timedelta(days=1)
    return deadline.timestamp()  # a naive time is read as local, with the offset of its own day
