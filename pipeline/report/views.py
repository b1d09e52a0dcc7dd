"""The pieces that the page is made of: texts that are ready to print, pictures with their
addresses."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.report.clips import ClipView
from pipeline.report.drawings import LossCurve

Rows = list[tuple[str, str]]
"""Names and values, in the order shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A small picture.

    `source` is None if there is none, `link` is the full file's address if it is known. `key` tells
    which source it is (`c0`, `s3`), `size` (width, height) how large it is shown at most.
    `is_sharper` says that the full file has more pixels than the small picture, and few enough to
    be shown in its place.
    """

    caption: str
    alt: str
    source: str | None
    link: str | None = None
    key: str = ""
    size: tuple[int, int] | None = None
    is_sharper: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderView:
    """An older picture of a pair, and what has changed since."""

    picture: Picture
    changes: list[str]
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """One pair as the page shows it. `anchor` is its place on the page, `keys` are those of its
    photograph and its style, `masks` are files that say where, with words for what they say,
    `traits` what it differs in beside its row and column."""

    name: str
    anchor: str
    status: str
    words: str
    result: Picture
    keys: tuple[str, str]
    contents: Picture
    styles: list[Picture]
    masks: list[tuple[str, list[Picture]]]
    traits: list[str]
    reason: str
    attempts: int
    settings: str
    numbers: Rows
    losses: list[tuple[str, str, str, str]]  # part, first, last, last / first
    meta: Rows
    curve: LossCurve | None
    flags: list[str]
    flag_names: list[str]
    notes: list[str]
    older: list[OlderView]
    clip: ClipView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a row or a column is of: its pictures, if it is a photograph or a style, and words."""

    kind: str
    caption: str
    pictures: list[Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """A row of the sheet: for each column its pairs."""

    head: Head
    anchor: str
    cells: list[list[PairView]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What can be chosen by: `name` is the attribute of a card, `choices` its values with words."""

    name: str
    label: str
    choices: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetView:
    """All pairs: a few as large pictures with what they were made of (`heroes`), more as a contact
    sheet. `layout` is how many columns there are: few, some or many (then the pairs of a row follow
    one another); of heroes it is one or two. `legend` says what rows and columns are, `common` is
    what all pairs have in common."""

    layout: str
    heroes: list[PairView]
    rows: list[RowView]
    columns: list[Head]
    legend: str
    common: list[Head]
    filters: list[Filter]
    count: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """One page of a report of several: its address (none of the page that says so), the names of
    its first and last pair, and what is on it, in words."""

    number: int
    address: str
    first: str
    last: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """Pairs that need a person for one reason: the first of `count`.

    Each has the command to retry it and, if it failed before, since when.
    """

    status: str
    title: str
    fix: str
    count: int
    pairs: list[tuple[PairView, str, str]]
