"""Pairs in rows, columns and blocks: where each stands on a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.axes import Axis, axes

Pair = Mapping[str, Any]
Place = tuple[str, str]
"""The values of rows and columns, as `axes.key_of` gives them."""

# A grid of which less than a quarter is filled, or of one line that is longer than this, is none:
# its pictures follow one another.
_MOST_EMPTY = 4
_LONGEST_LINE = 6


@dataclass(frozen=True, slots=True)
class Block:
    """Pairs that are equal in `values`, one for each axis of the blocks, each at a place of its
    own. Where some differ in nothing that is known, the second of them is in a block after."""

    values: tuple[str, ...]
    pairs: Mapping[Place, Pair]

    @property
    def first(self) -> Pair:
        """A pair of it, to tell values by."""
        return next(iter(self.pairs.values()))


@dataclass(frozen=True, slots=True)
class Grid:
    """All pairs. `told` are axes that need no block, as they never tell two pairs of one place
    apart. In a grid that `flows`, pictures follow one another, each with its names."""

    rows: Axis
    columns: Axis
    by: tuple[Axis, ...]
    told: tuple[Axis, ...]
    blocks: tuple[Block, ...]
    flows: bool


def grid(pairs: Sequence[Pair]) -> Grid:
    """The grid of pairs, of which there is at least one: by the two axes along which they differ
    most, and blocks by as few others as give each picture a place of its own."""
    rows, columns, others = axes(pairs)
    by = _needed(pairs, (rows, columns), others)
    found: dict[tuple[tuple[str, ...], int], dict[Place, Pair]] = {}
    seen: dict[tuple[str, ...], int] = {}
    for pair in pairs:
        place, values = (rows.key_of(pair), columns.key_of(pair)), tuple(axis.key_of(pair) for axis in by)
        again = seen[(*place, *values)] = seen.get((*place, *values), -1) + 1
        found.setdefault((values, again), {})[place] = pair
    order = {axis.name: {value: number for number, value in enumerate(axis.values)} for axis in by}

    def rank(key: tuple[tuple[str, ...], int]) -> tuple[list[int], int]:
        values, again = key
        return [order[axis.name][value] for axis, value in zip(by, values, strict=True)], again

    blocks = tuple(Block(key[0], found[key]) for key in sorted(found, key=rank))
    lines = sorted((len(rows.values), len(columns.values)))
    filled = len({place for block in blocks for place in block.pairs})
    flows = lines[0] * lines[1] > _MOST_EMPTY * filled or lines == [1, 1] or (lines[0] == 1 < _LONGEST_LINE < lines[1])
    told = tuple(axis for axis in others if axis not in by)
    return Grid(rows, columns, by, told, blocks, flows)


def _needed(pairs: Sequence[Pair], used: tuple[Axis, ...], others: Sequence[Axis]) -> tuple[Axis, ...]:
    """Of the other axes those that tell pairs of one place apart: time and again the one that does
    so most."""

    def apart(by: tuple[Axis, ...]) -> int:
        return len({tuple(axis.key_of(pair) for axis in by) for pair in pairs})

    chosen: tuple[Axis, ...] = ()
    while left := [axis for axis in others if axis not in chosen]:
        now = apart((*used, *chosen))
        best = max(left, key=lambda axis: apart((*used, *chosen, axis)))
        if apart((*used, *chosen, best)) == now:
            break
        chosen += (best,)
    return tuple(axis for axis in others if axis in chosen)
