"""What ends a clip early."""

from __future__ import annotations

from fractions import Fraction


class DamageError(Exception):
    """From `time` (seconds from the clip's beginning) on frames are not good; `why` in words."""

    def __init__(self, time: Fraction, why: str) -> None:
        super().__init__(why)
        self.time = time
        self.why = why
