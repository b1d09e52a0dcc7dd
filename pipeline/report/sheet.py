"""The pictures of a report: a few large ones, or a contact sheet with rows of photographs, columns
of styles, or the two axes along which its pictures differ most."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.axes import PHOTOGRAPH, STYLE, Axis, axes
from pipeline.report.data import STATUS_WORDS
from pipeline.report.grid import legend, value_words
from pipeline.report.page import PageMaker
from pipeline.report.views import Filter, Head, PairView, Picture, RowView, SheetView

_HEROES = 8  # pairs that are shown large; of more the page would be long before it is of use
_ALONE = 3  # heroes that have the page's width each; of more there are two beside one another
_MOST_CHOICES = 200  # of one filter; more are found by a part of their name
_FEW, _SOME = 3, 6  # columns that a page of 700 and of 1100 pixels holds so that pictures can be seen


def sheet_view(
    maker: PageMaker, pairs: Sequence[Mapping[str, Any]], found: tuple[Axis, Axis, list[Axis]] | None = None
) -> SheetView:
    """The view of these rows of a report, of which there is at least one. `found` are the axes of
    all pages, where this is one of several."""
    rows, columns, others = found or axes(pairs)
    if len(pairs) <= _HEROES and not found:
        return _heroes(maker, pairs, (rows, columns, *others))
    rows, columns = (_those_of(axis, pairs) for axis in (rows, columns)) if found else (rows, columns)
    cells: dict[tuple[str, str], list[PairView]] = {}
    first: dict[tuple[str, str], Mapping[str, Any]] = {}  # of each value of an axis, a pair
    for pair in pairs:
        row, column = rows.key_of(pair), columns.key_of(pair)
        cells.setdefault((row, column), []).append(maker.pair_view(pair, _traits(maker, pair, others)))
        for axis, key in ((rows, row), (columns, column)):
            first.setdefault((axis.name, key), pair)
    folders = {name: _folder(maker, name, pairs) for name in (PHOTOGRAPH, STYLE)}
    heads = {
        (axis.name, key): _head(maker, axis, first[axis.name, key], folders.get(axis.name, ""))
        for axis in (rows, columns)
        for key in axis.values
    }
    dense = len(cells) * 2 > len(rows.values) * len(columns.values)
    count = len(columns.values)
    return SheetView(
        heroes=[],
        layout="few" if dense and count <= _FEW else "some" if dense and count <= _SOME else "many",
        rows=[
            RowView(
                head=heads[rows.name, row],
                anchor="row-" + hashlib.sha256(row.encode("utf-8", "surrogatepass")).hexdigest()[:12],
                cells=[cells.get((row, column), []) for column in columns.values],
            )
            for row in rows.values
        ],
        columns=[heads[columns.name, column] for column in columns.values],
        legend=legend({"Rows": [rows], "Columns": [columns], "On each card": others}),
        common=_common(maker, pairs, {rows.name, columns.name, *(axis.name for axis in others)}),
        filters=filters(maker, pairs),
        count=len(pairs),
        new=sum(pair["status"] == "done" for pair in pairs),
    )


def _those_of(axis: Axis, pairs: Sequence[Mapping[str, Any]]) -> Axis:
    """The axis with the values that these pairs have."""
    there = {axis.key_of(pair) for pair in pairs}
    return Axis(axis.name, tuple(value for value in axis.values if value in there))


def _heroes(maker: PageMaker, pairs: Sequence[Mapping[str, Any]], differing: Sequence[Axis]) -> SheetView:
    """Large pictures, in the order in which a sheet would have them, each with its photograph and
    style."""
    rows, columns, *_others = differing
    named = [axis for axis in differing if axis.name not in (PHOTOGRAPH, STYLE) and len(axis.values) > 1]

    def place(pair: Mapping[str, Any]) -> tuple[int, int]:
        return rows.values.index(rows.key_of(pair)), columns.values.index(columns.key_of(pair))

    return SheetView(
        layout="one" if len(pairs) <= _ALONE else "two",
        heroes=[maker.pair_view(pair, _traits(maker, pair, named), large=True) for pair in sorted(pairs, key=place)],
        rows=[],
        columns=[],
        legend="",
        common=[],
        filters=[],
        count=len(pairs),
        new=sum(pair["status"] == "done" for pair in pairs),
    )


def _head(maker: PageMaker, axis: Axis, pair: Mapping[str, Any], folder: str) -> Head:
    """Without the `folder` that all pictures of the axis lie in: a column is narrow."""
    pictures = _pictures(maker, axis.name, pair)
    if pictures:
        caption = " + ".join(picture.caption.removeprefix(folder) for picture in pictures)
        return Head(kind=axis.name, caption=caption, pictures=pictures)
    return Head(kind=axis.name, caption=value_words(axis.name, pair), pictures=[])


def _pictures(maker: PageMaker, name: str, pair: Mapping[str, Any]) -> list[Picture]:
    if name == PHOTOGRAPH:
        return [maker.sources.content(pair)]
    return maker.sources.styles(pair) if name == STYLE else []


def _folder(maker: PageMaker, name: str, pairs: Sequence[Mapping[str, Any]]) -> str:
    """The folder of all photographs, or of all styles, with its last slash; "" if they have none in
    common."""
    captions = (picture.caption for pair in pairs for picture in _pictures(maker, name, pair))
    folders = {caption[: caption.rfind("/") + 1] for caption in captions}
    return folders.pop() if len(folders) == 1 else ""


def joined(pictures: Sequence[Picture]) -> str:
    """The captions of a blend's styles, or of one."""
    return " + ".join(picture.caption for picture in pictures)


def _traits(maker: PageMaker, pair: Mapping[str, Any], others: Sequence[Axis]) -> list[str]:
    """What tells a pair from the others of its cell."""
    return [
        joined(pictures) if (pictures := _pictures(maker, axis.name, pair)) else value_words(axis.name, pair)
        for axis in others
    ]


def _common(maker: PageMaker, pairs: Sequence[Mapping[str, Any]], told: set[str]) -> list[Head]:
    """The photograph and the style, where they are the same in all pairs and head no row."""
    return [
        Head(kind=name, caption=joined(pictures), pictures=pictures)
        for name in (PHOTOGRAPH, STYLE)
        if name not in told and (pictures := _pictures(maker, name, pairs[0]))
    ]


def filters(maker: PageMaker, pairs: Sequence[Mapping[str, Any]]) -> list[Filter]:
    """Those by which there is something to choose, and not too much."""
    there = {pair["status"] for pair in pairs}
    statuses = [(status, words) for status, words in STATUS_WORDS.items() if status in there]
    contents: dict[str, str] = {}
    styles: dict[str, str] = {}
    for pair in pairs:
        content, style = maker.sources.keys(pair)
        if content not in contents:
            contents[content] = maker.sources.content(pair).caption
        if style not in styles:
            styles[style] = joined(maker.sources.styles(pair))
    found = [
        Filter(name="status", label="Status", choices=statuses),
        Filter(name="photograph", label="Photograph", choices=sorted(contents.items(), key=lambda item: item[1])),
        Filter(name="style", label="Style", choices=sorted(styles.items(), key=lambda item: item[1])),
    ]
    flags = {flag["name"]: flag["name"].replace("_", " ") for pair in pairs for flag in pair["flags"]}
    choosing = [filter for filter in found if 1 < len(filter.choices) <= _MOST_CHOICES]
    return [*choosing, *([Filter(name="flag", label="Worth a look", choices=sorted(flags.items()))] if flags else [])]
