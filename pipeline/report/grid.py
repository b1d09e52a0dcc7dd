"""Pairs in rows, columns and blocks: where each stands on a contact sheet, and what its places,
pictures and values are called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.printable import printable
from pipeline.report.axes import PHOTOGRAPH, STYLE, Axis, axes, shares_of
from pipeline.report.quantities import percent
from pipeline.report.settings import shown
from pipeline.textures import TEXTURE

Pair = Mapping[str, Any]
Place = tuple[str, str]
"""The values of rows and columns, as `axes.key_of` gives them."""

# A grid of which less than a quarter is filled, or of one line that is longer than this, is none:
# its pictures follow one another.
_MOST_EMPTY = 4
_LONGEST_LINE = 6
_MOST_VALUES = 6  # of an option that are listed; of more their number is told


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


def legend(places: Mapping[str, Sequence[Axis]]) -> str:
    """`Rows: photograph (3). Columns: style (4). Blocks: seed (1, 2).`: for each place its axes,
    without those of one value."""
    told = {place: [axis for axis in axes if len(axis.values) > 1] for place, axes in places.items()}
    return " ".join(f"{place}: {', '.join(map(_words, axes))}." for place, axes in told.items() if axes)


def _words(axis: Axis) -> str:
    if axis.name in (PHOTOGRAPH, STYLE) or len(axis.values) > _MOST_VALUES:
        return printable(f"{axis.name} ({len(axis.values)})")
    return printable(f"{axis.name} ({', '.join(shown(json.loads(value)) for value in axis.values)})")


def value_words(name: str, pair: Mapping[str, Any]) -> str:
    """`seed 7`: an option of a pair."""
    return printable(f"{name} {shown(pair['options'].get(name))}")


def content_words(pair: Mapping[str, Any], folder: str = "") -> str:
    """The name of a pair's photograph, without the folder that all have in common."""
    return printable(pair["content"].removeprefix(folder)) if pair["content"] else TEXTURE


def style_words(pair: Mapping[str, Any], folder: str = "") -> str:
    """The names of a pair's styles, of a blend each with its share."""
    return " + ".join(each_style(pair, folder))


def each_style(pair: Mapping[str, Any], folder: str = "") -> list[str]:
    """The same, each for itself."""
    names = [printable(name.removeprefix(folder)) for name in pair["style"]]
    if len(names) == 1:
        return names
    return [f"{name} {percent(share)}" for name, share in zip(names, shares_of(pair), strict=True)]


def common_folder(names: Sequence[str]) -> str:
    """The folder of all names, with its last slash; "" if they have none in common."""
    folders = {name[: name.rfind("/") + 1] for name in names}
    return folders.pop() if len(folders) == 1 else ""
