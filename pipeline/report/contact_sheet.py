"""A contact sheet as numbers: which picture and which words stand in which box of which sheet.

No pixels here; `images/sheet` draws what this says. Lengths are in pixels, boxes are (left, top,
width, height).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.job import FAILED, STANDS, Job
from pipeline.printable import printable
from pipeline.report.axes import PHOTOGRAPH, STYLE, Axis
from pipeline.report.grid import (
    Block,
    Pair,
    common_folder,
    content_words,
    each_style,
    grid,
    legend,
    style_words,
    value_words,
)
from pipeline.report.quantities import count
from pipeline.report.small_pictures import Files, SmallPictures

LONGEST_SIDE = 6000  # of a sheet: 108 MB while it is drawn, and what viewers and browsers show
_MARGIN, _GAP = 24, 10
_TITLE, _TEXT, _SMALL = 24, 16, 14  # letters
_LINE = 1.3  # of a letter's height
_LEAST_WIDTH = 640  # for the title and the legend
_LEAST_HEAD = 96  # of what stands beside a row, and above a column
_LEAST_PICTURE = 40  # wide, of a blend's styles side by side in a head: a name's beginning can be read
_ASPECT = 3 / 4  # of a picture whose size is not known
CAPTION = 3  # lines, of `_SMALL` letters
_WIDE = 0.6  # of a letter's height is its width, where it is not known: few are wider

Box = tuple[int, int, int, int]


@dataclass(slots=True)
class Sheet:
    """One sheet: `size` (width, height); `pictures` are a box, files to try, words for where there
    is none, and a caption of at most `CAPTION` lines, which stands in the box too, right below the
    picture; `texts` a box, words, the height of letters, and whether they are centred."""

    size: tuple[int, int] = (0, 0)
    pictures: list[tuple[Box, Files, str, str]] = field(default_factory=list)
    texts: list[tuple[Box, str, int, bool]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For the process that draws."""
        return {"size": self.size, "pictures": self.pictures, "texts": self.texts}


@dataclass(frozen=True, slots=True)
class _Band:
    """A part of a sheet as wide as it is. `heads` are the bands that stand above it on a new sheet
    too; `keep` says that it is not left alone at the foot of one."""

    height: int
    draw: Callable[[Sheet, int], None]
    heads: tuple[_Band, ...] = ()
    is_head: bool = False


def contact_sheets(
    title: str, pairs: Sequence[Pair], jobs: Sequence[Job], pictures: SmallPictures, cell: int
) -> list[Sheet]:
    """The sheets of rows of a report, of which there is at least one, each with its job. `cell` is
    the longer side of each painting."""
    return list(_Layout(title, pairs, dict(zip(map(id, pairs), jobs, strict=True)), pictures, cell).sheets())


class _Layout:
    def __init__(
        self, title: str, pairs: Sequence[Pair], jobs: Mapping[int, Job], pictures: SmallPictures, cell: int
    ) -> None:
        self._title, self._pairs, self._jobs, self._pictures, self._cell = title, pairs, jobs, pictures, cell
        self._grid = grid(pairs)
        names = {
            PHOTOGRAPH: [pair["content"] for pair in pairs],
            STYLE: [name for pair in pairs for name in pair["style"]],
        }
        self._folders = {name: common_folder(found) for name, found in names.items()}
        self._first: dict[tuple[str, str], Pair] = {}  # of each value of an axis, a pair
        for pair in pairs:
            for axis in (self._grid.rows, self._grid.columns):
                self._first.setdefault((axis.name, axis.key_of(pair)), pair)
        self._head = max(_LEAST_HEAD, cell // 2)
        self._common = self._alike()

    def sheets(self) -> Iterator[Sheet]:
        parts = self._flowing() if self._grid.flows else self._columns()
        sheets = [sheet for width, bands in parts for sheet in self._placed(width, bands)]
        for number, (sheet, width, height) in enumerate(sheets, start=1):
            self._head_of(width, f"Sheet {number} of {len(sheets)}." if len(sheets) > 1 else "").draw(sheet, _MARGIN)
            sheet.size = (width, height + _MARGIN - _GAP)
            yield sheet

    def _placed(self, width: int, bands: Iterable[_Band]) -> list[tuple[Sheet, int, int]]:
        """Bands one below the other, on as many sheets as they need."""
        begin = _MARGIN + self._head_of(width, "").height
        sheets: list[tuple[Sheet, int, int]] = []
        sheet, top = Sheet(), begin
        waiting: list[_Band] = []
        for band in bands:
            if band.is_head:
                waiting.append(band)
                continue
            if top + sum(each.height for each in (*waiting, band)) > LONGEST_SIDE - _MARGIN and top > begin:
                sheets.append((sheet, width, top))
                sheet, top, waiting = Sheet(), begin, list(band.heads)
            for each in (*waiting, band):
                each.draw(sheet, top)
                top += each.height
            waiting = []
        return [*sheets, (sheet, width, top)]

    # ------------------------------------------------------------------------------------- the top

    def _head_of(self, width: int, which: str) -> _Band:
        """Title, legend, and what all pictures have in common."""
        inner = width - 2 * _MARGIN
        common = _some(self._common, (inner + _GAP) // (self._head + _GAP))
        lines = [" ".join(filter(None, [self._counts(), which])), self._legend()]
        title, text = _lines(_TITLE, 1), _lines(_TEXT, sum(_taken(line, _TEXT, inner) for line in lines))
        shown = self._head + _lines(_SMALL, CAPTION) + _GAP if common else 0

        def draw(sheet: Sheet, top: int) -> None:
            sheet.texts.append(((_MARGIN, top, inner, title), printable(self._title), _TITLE, False))
            sheet.texts.append(((_MARGIN, top + title, inner, text), "\n".join(filter(None, lines)), _TEXT, False))
            box = (_MARGIN, top + title + text + _GAP, self._head, shown - _GAP)
            _side_by_side(sheet, common, box, self._head + _GAP)

        return _Band(title + text + shown + _GAP, draw)

    def _counts(self) -> str:
        painted = sum(pair["status"] in STANDS for pair in self._pairs)
        failed = sum(pair["status"] in FAILED for pair in self._pairs)
        waiting = len(self._pairs) - painted - failed
        words = [f"{painted} painted"] if waiting or failed else []
        words += [f"{failed} failed"] if failed else []
        words += [f"{waiting} not painted yet"] if waiting else []
        return count(len(self._pairs), "picture") + (f": {', '.join(words)}" if words else "") + "."

    def _legend(self) -> str:
        found = self._grid
        if found.flows:
            return legend({"Blocks": found.by, "Below each picture": (found.rows, found.columns, *found.told)})
        places = {"Rows": [found.rows], "Columns": [found.columns], "Blocks": found.by}
        return legend({**places, "Below each picture": found.told})

    def _alike(self) -> list[tuple[str, Files]]:
        """Photograph and styles, where all pairs have the same and they head no row and no
        column."""
        found: list[tuple[str, Files]] = []
        for name in (PHOTOGRAPH, STYLE):
            axes = [axis for axis in (self._grid.rows, self._grid.columns) if axis.name == name]
            heads = axes and not self._grid.flows
            alike = len({Axis(name, ()).key_of(pair) for pair in self._pairs}) == 1
            if alike and not heads:
                found += self._of_axis(name, self._pairs[0])
        return found

    def _of_axis(self, name: str, pair: Pair) -> list[tuple[str, Files]]:
        """Words and pictures of a pair's photograph, or of its styles."""
        job = self._jobs[id(pair)]
        if name == PHOTOGRAPH:
            return [(content_words(pair, self._folders[name]), self._pictures.content(job))]
        return list(zip(each_style(pair, self._folders[name]), self._pictures.styles(job), strict=True))

    # ------------------------------------------------------------------------------------- in rows

    def _columns(self) -> Iterator[tuple[int, Iterator[_Band]]]:
        """As many columns at a time as a sheet is wide, each with all its rows."""
        values, side = self._grid.columns.values, self._cell + _GAP
        room = max(1, (LONGEST_SIDE - 2 * _MARGIN - self._head) // side)
        sheets = -(-len(values) // room)
        each = -(-len(values) // sheets)
        for begin in range(0, len(values), each):
            part = values[begin : begin + each]
            width = max(_LEAST_WIDTH, 2 * _MARGIN + self._head + len(part) * side)
            yield width, self._rows_of(part)

    def _rows_of(self, columns: Sequence[str]) -> Iterator[_Band]:
        for block in self._grid.blocks:
            heads = (*self._titles(block), self._column_heads(columns))
            yield from heads
            there = {row for row, _column in block.pairs}
            for row in self._grid.rows.values:
                if row in there:
                    yield self._row(block, row, columns, heads)

    def _titles(self, block: Block) -> tuple[_Band, ...]:
        """What the pairs of a block have in common, where there are several."""
        if len(self._grid.blocks) == 1:
            return ()
        words = ", ".join(self._value(axis.name, block.first) for axis in self._grid.by) or "once more"
        height = _lines(_TEXT, 1)

        def draw(sheet: Sheet, top: int) -> None:
            sheet.texts.append(((_MARGIN, top + _GAP, _LEAST_WIDTH - 2 * _MARGIN, height), words, _TEXT, False))

        return (_Band(height + 2 * _GAP, draw, is_head=True),)

    def _column_heads(self, columns: Sequence[str]) -> _Band:
        axis = self._grid.columns
        pictures = axis.name in (PHOTOGRAPH, STYLE)
        height = (self._head if pictures else 0) + _lines(_SMALL, CAPTION if pictures else 1)

        def draw(sheet: Sheet, top: int) -> None:
            for number, column in enumerate(columns):
                left = _MARGIN + self._head + _GAP + number * (self._cell + _GAP)
                self._head_of_line(sheet, axis, column, (left, top, self._cell, height))

        return _Band(height + _GAP, draw, is_head=True)

    def _head_of_line(self, sheet: Sheet, axis: Axis, value: str, box: Box) -> None:
        """What a row or a column is of."""
        pair, (left, top, width, height) = self._first[axis.name, value], box
        if axis.name not in (PHOTOGRAPH, STYLE):
            sheet.texts.append((box, value_words(axis.name, pair), _SMALL, True))
            return
        found = _some(self._of_axis(axis.name, pair), width // _LEAST_PICTURE)
        each = width // len(found)
        _side_by_side(sheet, found, (left, top, each, height), each)

    def _row(self, block: Block, row: str, columns: Sequence[str], heads: tuple[_Band, ...]) -> _Band:
        cells = [block.pairs.get((row, column)) for column in columns]
        below = _lines(_SMALL, 1) * len(self._grid.told)
        axis = self._grid.rows
        least = self._head // 2 + _lines(_SMALL, CAPTION) if axis.name in (PHOTOGRAPH, STYLE) else _lines(_SMALL, 2)
        height = max(least, *(self._height(pair) + below for pair in cells))

        def draw(sheet: Sheet, top: int) -> None:
            self._head_of_line(sheet, axis, row, (_MARGIN, top, self._head, height))
            for number, pair in enumerate(cells):
                if pair is not None:
                    left = _MARGIN + self._head + _GAP + number * (self._cell + _GAP)
                    words = [self._value(each.name, pair) for each in self._grid.told]
                    self._result(sheet, pair, (left, top, self._cell, height - below), words)

        return _Band(height + _GAP, draw, heads)

    # ------------------------------------------------------------------------- one after the other

    def _flowing(self) -> Iterator[tuple[int, Iterator[_Band]]]:
        """One part: lines of pictures, about as many as there are in each."""
        most = max(len(block.pairs) for block in self._grid.blocks)
        room = (LONGEST_SIDE - 2 * _MARGIN) // (self._cell + _GAP)
        columns = max(1, min(room, round(most**0.5 + 0.49)))
        yield max(_LEAST_WIDTH, 2 * _MARGIN + columns * (self._cell + _GAP)), self._lines_of(columns)

    def _lines_of(self, columns: int) -> Iterator[_Band]:
        found = self._grid
        for block in found.blocks:
            heads = self._titles(block)
            yield from heads
            places = [(row, column) for row in found.rows.values for column in found.columns.values]
            pairs = [block.pairs[place] for place in places if place in block.pairs]
            for begin in range(0, len(pairs), columns):
                yield self._line(pairs[begin : begin + columns], heads)

    def _line(self, pairs: Sequence[Pair], heads: tuple[_Band, ...]) -> _Band:
        told = [axis for axis in (self._grid.rows, self._grid.columns, *self._grid.told) if len(axis.values) > 1]
        below = _lines(_SMALL, 1) * len(told)
        height = max(self._height(pair) for pair in pairs)

        def draw(sheet: Sheet, top: int) -> None:
            for number, pair in enumerate(pairs):
                box = (_MARGIN + number * (self._cell + _GAP), top, self._cell, height)
                self._result(sheet, pair, box, [self._value(axis.name, pair) for axis in told])

        return _Band(height + below + _GAP, draw, heads)

    # --------------------------------------------------------------------------------- one picture

    def _height(self, pair: Pair | None) -> int:
        """Of a painting whose longer side is the cell's."""
        width, height = (pair and pair["size"]) or (1, _ASPECT)
        return max(1, round(self._cell * height / max(width, height)))

    def _result(self, sheet: Sheet, pair: Pair, box: Box, words: Sequence[str]) -> None:
        left, top, width, height = box
        sheet.pictures.append((box, self._pictures.result(self._jobs[id(pair)], pair), why_none(pair), ""))
        for number, text in enumerate(words):
            line = _lines(_SMALL, 1)
            sheet.texts.append(((left, top + height + number * line, width, line), text, _SMALL, True))

    def _value(self, name: str, pair: Pair) -> str:
        if name == PHOTOGRAPH:
            return content_words(pair, self._folders[name])
        return style_words(pair, self._folders[name]) if name == STYLE else value_words(name, pair)


def why_none(pair: Pair) -> str:
    """Why there is no picture of a pair; empty where there is one."""
    reason = printable(pair["reason"] or "")
    if pair["status"] in STANDS:
        return ""
    if pair["status"] in FAILED:
        return f"failed: {reason}" if reason else "failed"
    if reason in ("", "not painted yet"):
        return "not painted yet"
    return f"not painted yet as it is wanted now: {reason}"


def _some(found: Sequence[tuple[str, Files]], most: int) -> Sequence[tuple[str, Files]]:
    """Words and pictures, as many as there is room for; the last place says how many more."""
    if len(found) <= most:
        return found
    return [*found[: most - 1], (f"and {len(found) - most + 1} more", [])]


def _side_by_side(sheet: Sheet, found: Sequence[tuple[str, Files]], box: Box, step: int) -> None:
    """Pictures with their words, from a box on and `step` pixels apart; words alone in the middle
    of theirs."""
    left, top, width, height = box
    for number, (words, files) in enumerate(found):
        if files:
            sheet.pictures.append(((left + number * step, top, width, height), files, "", words))
            continue
        lines = _lines(_SMALL, CAPTION)
        middle = top + max(0, height - lines) // 2
        sheet.texts.append(((left + number * step, middle, width, lines), words, _SMALL, True))


def _taken(text: str, letters: int, width: int) -> int:
    """About how many lines a text takes; at most three."""
    return min(3, -(-round(len(text) * letters * _WIDE) // width))


def _lines(letters: int, number: int) -> int:
    """The height of so many lines."""
    return round(letters * _LINE) * number
