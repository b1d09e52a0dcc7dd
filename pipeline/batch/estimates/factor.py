"""By which factor this machine differs from the curve of costs, learnt from what was painted."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

_RECENT = 10  # pairs after which what was learnt weighs half: the machine may have changed
# No machine is so many times faster or slower than the curve's; a record can say anything.
_MOST = 1e6
_NEAR = 0.5  # in the logarithm of pixels: a picture of twice the pixels weighs a third


@dataclass(slots=True)
class Factor:
    """Observed factors by the logarithm of pixels, oldest first; their weighted median. 1 where
    nothing is known."""

    seen: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=4 * _RECENT))

    @property
    def known(self) -> bool:
        """Is anything known?"""
        return bool(self.seen)

    def add(self, pixels: int, factor: float) -> None:
        """Note what was observed of a picture of so many pixels, later than all before; not what
        cannot be."""
        if is_plausible(factor):
            self.seen.append((math.log(pixels), factor))

    def at(self, pixels: int, share: float = 0.5) -> float:
        """The factor for a picture of so many pixels: the one that `share` of all weight does not
        exceed."""
        if not self.seen:
            return 1.0
        place = math.log(pixels)
        weighted = []
        for age, (where, factor) in enumerate(reversed(self.seen)):
            weighted.append((factor, 0.5 ** (age / _RECENT) / (1.0 + ((where - place) / _NEAR) ** 2)))
        return _weighted_quantile(weighted, share)


def is_plausible(factor: float) -> bool:
    """Can a machine differ so much from the curve?"""
    return 1 / _MOST <= factor <= _MOST


def _weighted_quantile(weighted: Sequence[tuple[float, float]], share: float) -> float:
    """The value at `share` of all weight, of pairs (value, weight); at a half the median."""
    left = share * sum(weight for _value, weight in weighted)
    for value, weight in sorted(weighted):
        left -= weight
        if left <= 0:
            return value
    raise ValueError("there is no middle of nothing")
