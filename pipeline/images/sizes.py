"""Whole-number sizes of pictures. No pixels here, so that a plan can be made without NumPy."""

from __future__ import annotations


def fit_longer_side(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """(width, height) with the same shape whose longer side is `longer_side`; the shorter is rounded, at least 1.

    Works in both directions. Who only ever wants smaller passes `min(longer_side, max(width, height))`.
    Halves are rounded up, in whole numbers, so the result is the same on every machine.
    """
    longest = max(width, height)

    def scaled(side: int) -> int:
        return max(1, (2 * side * longer_side + longest) // (2 * longest))

    return scaled(width), scaled(height)
