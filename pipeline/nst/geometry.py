"""Where tiles lie: whole numbers only. Standard library only.

The padded input is the picture with its frame on each side. A tile is a rectangle of it, with a
halo as wide as the features of its core can see; cores cover the padded input without overlap.
Where the picture wraps there is no frame: the padded input goes on by a halo, which is in no core.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.nst.network import is_pool, radius, reduction


class Tile(NamedTuple):
    """One tile, in pixels of the padded input. Ends are exclusive."""

    rows: tuple[int, int]  # of the core
    columns: tuple[int, int]
    top: int  # these four with halo
    left: int
    bottom: int
    right: int


class Span(NamedTuple):
    """A rectangle of a layer's features."""

    top: int
    left: int
    height: int
    width: int


class Geometry:
    """The tiles of a picture of (height, width) with a frame of so many pixels, which it has not
    along `wraps`, down and across, through the layers called `names`, which start at the picture.
    Cores are about `side` pixels long, and hold whole cells of `cell` pixels, if not 0, of which
    the last may be cut off by the border."""

    def __init__(
        self,
        height: int,
        width: int,
        *,
        frame: int,
        names: Sequence[str],
        side: int,
        cell: int = 0,
        wraps: tuple[bool, bool] = (False, False),
    ) -> None:
        self.height, self.width, self.frame = height, width, frame
        unit = 2 ** sum(is_pool(name) for name in names)  # whole positions of every layer
        halo = -(-radius(names) // unit) * unit
        self._margins = tuple(halo if wrapped else frame for wrapped in wraps)  # of the padded input
        down, across = (halo if wrapped else 0 for wrapped in wraps)
        self.around = down, across
        """Pixels by which the picture goes on where it wraps."""
        self.padded = (height + 2 * self._margins[0], width + 2 * self._margins[1])
        # A last cell that is cut off may be continued from the one before. With less than three
        # positions of the last layer beside the margin, a core could have none inside of it.
        least = max(2 * cell, 3 * unit)
        rows, columns = (
            [
                (first + more, last + more)
                for first, last in _cores(
                    length - 2 * more,
                    side + 2 * (margin - more),
                    max(unit, cell),
                    margin - more + least,
                )
            ]
            for length, margin, more in zip(self.padded, self._margins, (down, across), strict=True)
        )
        self.grid = [[self._tile(row, column, halo) for column in columns] for row in rows]

    def __iter__(self) -> Iterator[Tile]:
        """Row by row."""
        return (tile for row in self.grid for tile in row)

    def of_padded(self, tile: Tile, layer: str) -> Span:
        """A tile's core in the features of all cores."""
        down, across = (more // reduction(layer) for more in self.around)
        top, left, height, width = self._rectangle(tile, layer, framed=True)
        return Span(top - down, left - across, height, width)

    def of_picture(self, tile: Tile, layer: str) -> Span:
        """A tile's core in the features of the picture, without its frame."""
        down, across = (margin // reduction(layer) for margin in self._margins)
        top, left, height, width = self._rectangle(tile, layer, framed=False)
        return Span(top - down, left - across, height, width)

    def of_cells(self, tile: Tile, cell: int) -> Span:
        """A tile's core in cells of the picture, without its frame; also those that the picture's
        border cuts off."""
        (top, bottom), (left, right) = (
            (max(0, first - margin) // cell, -(-min(length, last - margin) // cell))
            for (first, last), length, margin in zip(
                (tile.rows, tile.columns), (self.height, self.width), self._margins, strict=True
            )
        )
        return Span(top, left, bottom - top, right - left)

    def in_tile(self, tile: Tile, layer: str, *, framed: bool) -> Span:
        """A tile's core in its own features: with the part of the frame that it holds, or
        without."""
        factor = reduction(layer)
        top, left, height, width = self._rectangle(tile, layer, framed=framed)
        return Span(top - tile.top // factor, left - tile.left // factor, height, width)

    def _tile(self, rows: tuple[int, int], columns: tuple[int, int], halo: int) -> Tile:
        return Tile(
            rows,
            columns,
            top=max(0, rows[0] - halo),
            left=max(0, columns[0] - halo),
            bottom=min(self.padded[0], rows[1] + halo),
            right=min(self.padded[1], columns[1] + halo),
        )

    def _rectangle(self, tile: Tile, layer: str, *, framed: bool) -> tuple[int, int, int, int]:
        """A core's top, left, height and width in the features of the padded input."""
        (top, height), (left, width) = (
            _span(core, length, reduction(layer), None if framed else margin)
            for core, length, margin in zip(
                (tile.rows, tile.columns), (self.height, self.width), self._margins, strict=True
            )
        )
        return top, left, height, width


def _span(core: tuple[int, int], length: int, factor: int, margin: int | None) -> tuple[int, int]:
    """First position and number of positions of one side of a core, without the margin that is
    given."""
    first, last = core
    low, high = first // factor, last // factor
    if margin is not None:
        low, high = max(low, margin // factor), min(high, margin // factor + length // factor)
    return low, max(0, high - low)


def _cores(length: int, side: int, unit: int, least: int) -> Iterator[tuple[int, int]]:
    """[0, length) in pieces of about equal size: whole numbers of `unit`, and at most `side` long
    where that allows it. A last piece shorter than `least` is joined to the one before it."""
    count = max(1, -(-length // max(side, unit)))
    size = -(-length // count // unit) * unit
    for first in range(0, max(1, length), size):
        if first and length - first < least:
            break
        last = first + size
        yield first, length if length - last < least else min(last, length)
