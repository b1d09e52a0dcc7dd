"""Numbers with their units, as people read them.

Plain ASCII, so that mail, terminals and pages can share them.
"""

from __future__ import annotations

import math
from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 m 20 s`, `5 h 12 m`, `2 d 3 h`: at most two units, zeros left out."""
    if seconds < 9.95:  # shows as 9.9 s at most; from here on whole seconds say enough
        return f"{max(seconds, 0.0):.1f} s"
    if round(seconds) < _MINUTE:
        return f"{round(seconds)} s"
    if round(seconds) < _HOUR:
        return _two_units(round(seconds), _MINUTE, "m", 1, "s")
    if round(seconds / _MINUTE) * _MINUTE < _DAY:
        return _two_units(round(seconds / _MINUTE) * _MINUTE, _HOUR, "h", _MINUTE, "m")
    return _two_units(round(seconds / _HOUR) * _HOUR, _DAY, "d", _HOUR, "h")


def in_about(seconds: float | None, *, guess: bool = False) -> str:
    """` in about 6 m 20 s`, for a sentence to go on with; nothing where nothing is known."""
    return "" if seconds is None else f" in about {duration(seconds)}" + (" (a first guess)" if guess else "")


def memory(size: float) -> str:
    """Bytes as `812 MiB` or `1.4 GiB`."""
    mebibytes = size / 2**20
    if round(mebibytes) < 1024:
        return f"{mebibytes:.0f} MiB" if mebibytes >= 1 else f"{size / 2**10:.0f} KiB"
    return f"{mebibytes / 1024:.1f} GiB"


def significant(value: float | None) -> str:
    """Three significant digits: `0.0123`, `12.3`, `1.23e6`; `-` if missing or not finite."""
    if value is None or not math.isfinite(value):
        return "-"
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(share: float) -> str:
    """A share of 1 as `3 %`, with one decimal below ten percent."""
    value = 100 * share
    return f"{value:.1f} %" if abs(value) < 9.95 else f"{value:.0f} %"


def count(number: int, noun: str) -> str:
    """`1 pair`, `2 pairs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def moment(iso: str) -> str:
    """An ISO time as `Tue 24 Nov 2026, 22:00`, in its own zone; anything else unchanged."""
    try:
        return datetime.fromisoformat(iso).strftime("%a %d %b %Y, %H:%M")
    except ValueError:
        return iso


def time_of_day(iso: str) -> str:
    """An ISO time as `21:40:03`, with the day where it is another; anything else unchanged."""
    try:
        then = datetime.fromisoformat(iso)
        same = then.date() == datetime.now(then.tzinfo).date()
    except (ValueError, OverflowError):
        return iso
    return then.strftime("%H:%M:%S" if same else "%a %d %b %Y, %H:%M:%S")


def _two_units(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    first, rest = divmod(whole, large)
    return f"{first} {large_name} {rest // small} {small_name}" if rest // small else f"{first} {large_name}"
