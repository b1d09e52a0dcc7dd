"""How frames follow each other: evenly, at a rate, or not."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

# A file's own word for its rate is taken where its frames agree with it so far; it is exact
# (30000/1001) where their times are rounded.
_NEAR = Fraction(1, 100)


def even_rate(times: Sequence[Fraction], unit: Fraction, usual: Fraction) -> Fraction | None:
    """Frames a second, where all of them last equally long but for the rounding to `unit` seconds
    of the file's clock; None where they do not. `times` rise; `usual` is what the file says, which
    counts for a single frame."""
    if len(times) < 2:
        return usual
    mean = (times[-1] - times[0]) / (len(times) - 1)
    if any(abs(after - before - mean) > unit for before, after in pairwise(times)):
        return None
    return usual if abs(mean * usual - 1) < _NEAR else 1 / mean
