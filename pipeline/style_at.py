"""Styles that change along a clip: how much of each there is in a frame. Standard library only.

From one named frame to the next shares, as parts of the whole, go over in straight lines, in
sixty-fourths. No eye sees such a step, and terms that look at some places of each style find as
many in all in each frame of a change, so that one trace serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

StyleAt = tuple[tuple[int, tuple[float, ...]], ...]
"""Named frames, counted from 0 in the order shown, rising, each with the share of every style of
the pair, 0 for none. Shares need not sum to 1."""

_PARTS = 64  # divides how many places of styles are looked at: 1024, 4096 and 16384


def shares_at(points: StyleAt, frame: int) -> tuple[float, ...]:
    """The share of each style in a frame. At a named frame, before the first and after the last
    they are as they were given."""
    before = [point for point in points if point[0] <= frame]
    after = [point for point in points if point[0] > frame]
    if not before or not after or before[-1][0] == frame:
        return before[-1][1] if before else after[0][1]
    (begin, one), (end, other) = before[-1], after[0]
    part = (frame - begin) / (end - begin)
    mixed = [(1 - part) * a + part * b for a, b in zip(_of_whole(one), _of_whole(other), strict=True)]
    return _in_parts(mixed)


def mean_shares(points: StyleAt) -> tuple[float, ...]:
    """The mean share of each style over the named frames, of a whole of 1."""
    of_whole = [_of_whole(shares) for _frame, shares in points]
    return tuple(sum(each) / len(points) for each in zip(*of_whole, strict=True))


def as_table(points: StyleAt) -> dict[str, list[float]]:
    """The points as JSON has them: shares by the frame's number."""
    return {str(frame): list(shares) for frame, shares in points}


def from_table(table: Mapping[str, Sequence[Any]]) -> StyleAt:
    """The points that `as_table` told."""
    return tuple(sorted((int(frame), tuple(map(float, shares))) for frame, shares in table.items()))


def _of_whole(shares: Sequence[float]) -> list[float]:
    whole = sum(shares)
    return [share / whole for share in shares]


def _in_parts(shares: Sequence[float]) -> tuple[float, ...]:
    """Whole numbers that sum to `_PARTS`, as near to the shares as can be."""
    exact = [share * _PARTS for share in shares]
    found = [int(each) for each in exact]
    by_rest = sorted(range(len(exact)), key=lambda number: found[number] - exact[number])
    for number in by_rest[: _PARTS - sum(found)]:
        found[number] += 1
    return tuple(map(float, found))
