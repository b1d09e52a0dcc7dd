"""How frames follow each other: evenly, at a rate, or not."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

# A file's own word for its rate is taken where its frames agree with it so far; it is exact
# (30000/1001) where their times are rounded.
_NEAR = Fraction(1, 100)
# Of a rate's two numbers: the finest clock that VP9's encoder takes (libvpx); FFmpeg's end at 2^31.
_LARGEST = 10**9


def even_rate(times: Sequence[Fraction], unit: Fraction, usual: Fraction) -> Fraction | None:
    """Frames a second, where all of them last equally long but for the rounding to `unit` seconds
    of the file's clock; None where they do not, or at a rate that no clip is written with. `times`
    rise; `usual` is what the file says, which counts for a single frame."""
    if len(times) < 2:
        return in_small_numbers(usual)
    mean = (times[-1] - times[0]) / (len(times) - 1)
    if any(abs(after - before - mean) > unit for before, after in pairwise(times)):
        return None
    return in_small_numbers(usual if abs(mean * usual - 1) < _NEAR else 1 / mean)


def in_small_numbers(rate: Fraction) -> Fraction | None:
    """The nearest rate that encoders take; None where there is none."""
    near = rate.limit_denominator(min(_LARGEST, max(1, int(_LARGEST / rate))))
    return near if 0 < near.numerator <= _LARGEST else None
