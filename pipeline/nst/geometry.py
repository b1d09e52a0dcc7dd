"""Where tiles lie: whole numbers only. Standard library only.

The padded input is the picture with its frame on each side. A tile is a rectangle of it, with a
halo as wide as the features of its core can see; cores cover the padded input without overlap.
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
    """The tiles of a picture of (height, width) with a frame of so many pixels, through the layers
    called `names`, which start at the picture. Cores are about `side` pixels long, and hold whole
    cells of `cell` pixels, if not 0, of which the last may be cut off by the border."""

    def __init__(self, height: int, width: int, *, frame: int, names: Sequence[str], side: int, cell: int = 0) -> None:
        self.height, self.width, self.frame = height, width, frame
        self.padded = (height + 2 * frame, width + 2 * frame)
        unit = 2 ** sum(is_pool(name) for name in names)  # whole positions of every layer
        halo = -(-radius(names) // unit) * unit
        # a last cell that is cut off may be continued from the one before
        least = frame + 2 * cell if cell else 0
        rows, columns = (list(_cores(length, side + 2 * frame, max(unit, cell), least)) for length in self.padded)
        self.grid = [[self._tile(row, column, halo) for column in columns] for row in rows]

    def __iter__(self) -> Iterator[Tile]:
        """Row by row."""
        return (tile for row in self.grid for tile in row)

    def of_padded(self, tile: Tile, layer: str) -> Span:
        """A tile's core in the features of the whole padded input."""
        return Span(*self._rectangle(tile, layer, framed=True))

    def of_picture(self, tile: Tile, layer: str) -> Span:
        """A tile's core in the features of the picture, without its frame."""
        off = self.frame // reduction(layer)
        top, left, height, width = self._rectangle(tile, layer, framed=False)
        return Span(top - off, left - off, height, width)

    def of_cells(self, tile: Tile, cell: int) -> Span:
        """A tile's core in cells of the picture, without its frame; also those that the picture's
        border cuts off."""
        (top, bottom), (left, right) = (
            (max(0, first - self.frame) // cell, -(-min(length, last - self.frame) // cell))
            for (first, last), length in ((tile.rows, self.height), (tile.columns, self.width))
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
        top, height = self._span(tile.rows, self.height, reduction(layer), framed)
        left, width = self._span(tile.columns, self.width, reduction(layer), framed)
        return top, left, height, width

    def _span(self, core: tuple[int, int], length: int, factor: int, framed: bool) -> tuple[int, int]:
        """First position and number of positions of one side of a core."""
        first, last = core
        low, high = first // factor, last // factor
        if not framed:
            frame = self.frame // factor
            low, high = max(low, frame), min(high, frame + length // factor)
        return low, max(0, high - low)


def _cores(length: int, side: int, unit: int, least: int) -> Iterator[tuple[int, int]]:
    """[0, length) in pieces of about equal size, at most `side` where a whole number of `unit`
    allows it; the last is at least so long, or there is one."""
    count = max(1, -(-length // max(side, unit)))
    size = -(-length // count // unit) * unit
    for first in range(0, max(1, length), size):
        if first and length - first < least:
            break
        last = first + size
        yield first, length if length - last < least else min(last, length)
