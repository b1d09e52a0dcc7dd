"""Neighbours that go together: beside what a place looks like lies what the next place looks like.

In a sky nearly all of a style's sky is as near as the nearest. If each place takes its own, there
are pieces of strokes; if those that lie beside each other are taken from places that do, there are
strokes, and curls of them. With n(p) the neighbour of p, what is to be large is

    Σ over p of c(p, n(p)) + κ/8 · Σ over pairs p, r beside each other of [n(r) - n(p) = r - p]

c being the cosine, κ the `coherence`, and 8 the places beside one. That pixels be taken from beside
those that their surroundings were taken from is Ashikhmin's ("Synthesizing natural textures", I3D
2001), to weigh it against likeness, by a κ, Hertzmann et al.'s ("Image Analogies", SIGGRAPH 2001).
The search is that of iterated conditional modes (Besag, "On the statistical analysis of dirty
pictures", 1986): from the nearest of all on, each place in its turn takes the best of those that
the places beside it ask for. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Products = Callable[[Numbers, Numbers], NDArray[np.float32]]
"""The likenesses c of some places, by their numbers, and so many rows of a table, (n,) each; at
least one."""

# Rows and columns to the eight places beside one.
_BESIDE = np.array([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)])
# At most so many times each place has its turn; of five pairs at 224 px (140 to 2128 places) none
# changed any more in the last.
_TURNS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Where the rows of a table lie in their styles. The styles lie below each other, with an empty
    line between: `number` (height, width) is the row at each place, -1 where there is none;
    `places` (rows, 2) are the places of the rows."""

    number: Numbers
    places: Numbers

    def beside(self, rows: Numbers, offset: NDArray[np.int64]) -> Numbers:
        """The rows that lie this `offset`, down and across, from others; -1 where there is none,
        and for rows -1."""
        down, across = (self.places[rows] + offset).T
        return np.where(rows < 0, -1, self.number[down, across])


def rows_of(shapes: Sequence[tuple[int, int]], sets: Sequence[Numbers]) -> Rows:
    """The rows of a table that has, of maps of these shapes, some places, counted row by row: those
    of one map after those of the other."""
    height, width = sum(shape[0] + 1 for shape in shapes), max(shape[1] for shape in shapes) + 1
    number = np.full((height, width), -1, np.int64)  # from -1 it goes on at the other end, also empty
    places, top, first = [], 0, 0
    for shape, own in zip(shapes, sets, strict=True):
        down, across = np.unravel_index(own, shape)
        number[top + down, across] = np.arange(first, first + len(own))
        places.append(np.stack([top + down, across], -1))
        top, first = top + shape[0] + 1, first + len(own)
    return Rows(number, np.concatenate(places))


def coherent(
    numbers: Numbers,
    products: Products,
    rows: Rows,
    places: Numbers,
    shape: tuple[int, int],
    coherence: float,
    wraps: tuple[bool, bool] = (False, False),
) -> tuple[NDArray[np.float32], Numbers]:
    """Coherent neighbours of the `places` of a map of this shape, and how like they are. The search
    begins with the nearest ones, `numbers` (places,)."""
    beside = _beside(places, shape, wraps)
    numbers, each = numbers.copy(), np.arange(len(places))
    likeness = products(each, numbers)
    # what each place was asked for last, by whom, and how much it is like that
    asked, worth = np.full(beside.shape, -1, np.int64), np.zeros(beside.shape, np.float32)
    turns = [own for own in _in_turn(places, shape) if len(own)]
    for _ in range(_TURNS):
        before = numbers.copy()
        for own in turns:
            wanted = _wanted(numbers, beside[:, own], rows)
            new_by, new_at = np.nonzero((wanted >= 0) & (wanted != asked[:, own]))
            if len(new_at):
                asked[new_by, own[new_at]] = wanted[new_by, new_at]
                worth[new_by, own[new_at]] = products(own[new_at], wanted[new_by, new_at])
            votes = (wanted[:, np.newaxis] == wanted).sum(0)
            gain = np.where(wanted < 0, -np.inf, worth[:, own] + coherence / len(_BESIDE) * votes)
            stays = likeness[own] + coherence / len(_BESIDE) * (wanted == numbers[own]).sum(0)
            best, at = gain.argmax(0), np.arange(len(own))
            moves = gain[best, at] > stays
            numbers[own[moves]] = wanted[best, at][moves]
            likeness[own[moves]] = worth[best[moves], own[moves]]
        if (numbers == before).all():
            break
    return likeness, numbers


def _beside(places: Numbers, shape: tuple[int, int], wraps: tuple[bool, bool]) -> Numbers:
    """Which of the places lies in each direction of each, (8, places); -1 where none does."""
    number = np.full(shape, -1, np.int64)
    number.flat[places] = np.arange(len(places))
    down, across = np.unravel_index(places, shape)
    found = np.full((len(_BESIDE), len(places)), -1, np.int64)
    for by, (row, column) in zip(found, _BESIDE, strict=True):
        rows, columns = down + row, across + column
        inside = [
            np.full(len(places), True) if wrapped else (end >= 0) & (end < length)
            for end, length, wrapped in zip((rows, columns), shape, wraps, strict=True)
        ]
        there = inside[0] & inside[1]
        by[there] = number[rows[there] % shape[0], columns[there] % shape[1]]
    return found


def _in_turn(places: Numbers, shape: tuple[int, int]) -> list[Numbers]:
    """The places in four sets, no two of which lie beside each other: all of one have their turn at
    once."""
    down, across = np.unravel_index(places, shape)
    return [np.flatnonzero(2 * (down % 2) + across % 2 == which) for which in range(4)]


def _wanted(numbers: Numbers, beside: Numbers, rows: Rows) -> Numbers:
    """The rows that the places beside some suggest to them, (8, n), -1 where one suggests none:
    each goes from its own neighbour the way that leads from it to the place."""
    return np.stack(
        [
            rows.beside(np.where(those < 0, -1, numbers[those]), -offset)
            for those, offset in zip(beside, _BESIDE, strict=True)
        ]
    )
