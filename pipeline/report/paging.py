"""A report of many pairs as several pages: which pairs stand on which, where a page is, and the
index by which all of them are searched.

The first page is the report itself. The others lie below `.pipeline/pages`, under a token that is
new each time, so that a page which is open never leads to half of another report.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.printable import printable
from pipeline.report.axes import Axis
from pipeline.report.data import STATUS_WORDS
from pipeline.report.links import relative
from pipeline.report.quantities import count
from pipeline.report.views import PageRow
from pipeline.store.layout import RECORDS, RESULT_SUFFIX, pages_folder, pair_id

# Of one page: Chromium shows so many within a second or two, and writing them takes one.
PAGE_PAIRS = 1000
# From a page's folder to the top of the store.
_UP = "../" * pages_folder("report").count("/")

Pair = Mapping[str, Any]


class Pages:
    """The pages of a report named `stem`, with the rows that each shows."""

    def __init__(self, stem: str, token: str, pairs: Sequence[Sequence[Pair]]) -> None:
        self.stem, self.pairs = stem, pairs
        self._token = token
        self._of = {id(pair): number for number, page in enumerate(pairs, start=1) for pair in page}
        self._words = [_counted(page) for page in pairs]

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, number: int) -> str:
        """A page's name in the store; they count from 1."""
        return f"{self.stem}.html" if number == 1 else f"{pages_folder(self.stem)}{self._token}-{number}.html"

    def up(self, number: int) -> str:
        """What leads from a page's folder to the top of the store."""
        return "" if number == 1 else _UP

    def address(self, number: int, start: int) -> str:
        """A page's address on page `start`; empty for itself."""
        return "" if number == start else relative(self.up(start) + self.name(number))

    def address_of(self, pair: Pair, start: int) -> str:
        """That of the page which a pair stands on."""
        return self.address(self._of.get(id(pair), start), start)

    def rows(self, start: int) -> list[PageRow]:
        """All pages, in words."""
        return [
            PageRow(
                number=number,
                address=self.address(number, start),
                first=printable(pairs[0]["output"]),
                last=printable(pairs[-1]["output"]),
                words=self._words[number - 1],
            )
            for number, pairs in enumerate(self.pairs, start=1)
        ]


def split(pairs: Sequence[Pair], rows: Axis, columns: Axis) -> list[list[Pair]]:
    """The pairs page by page, in the order in which the sheet has them. A row stands on one page,
    unless it has more pairs than one holds."""
    if len(pairs) <= PAGE_PAIRS:
        return [list(pairs)]
    ranks = [{value: number for number, value in enumerate(axis.values)} for axis in (rows, columns)]

    def place(pair: Pair) -> tuple[int, int]:
        return ranks[0][rows.key_of(pair)], ranks[1][columns.key_of(pair)]

    pages: list[list[Pair]] = [[]]
    for _row, group in itertools.groupby(sorted(pairs, key=place), key=lambda pair: place(pair)[0]):
        row = list(group)
        if pages[-1] and len(pages[-1]) + len(row) > PAGE_PAIRS:
            pages.append([])
        for pair in row:
            if len(pages[-1]) == PAGE_PAIRS:
                pages.append([])
            pages[-1].append(pair)
    return pages


def index_json(
    pages: Pages,
    pictured: Callable[[Pair], bool],
    keys: Callable[[Pair], tuple[str, str]],
    captions: Callable[[Pair], tuple[str, str]],
) -> str:
    """What the first page's script searches, fit to stand in a page: for each page its address, and
    for each of its pairs name, status, the digest that its anchor and its small picture are named
    by, whether there is that picture (`pictured`), its flags, and the `keys` of photograph and
    style, whose names (`captions`) stand in a table of their own."""
    statuses = list(STATUS_WORDS)
    names: dict[str, str] = {}

    def row(pair: Pair) -> list[Any]:
        both = keys(pair)
        if not names.keys() >= {*both}:
            names.update(zip(both, captions(pair), strict=True))
        return [
            printable(pair["output"]),
            statuses.index(pair["status"]),
            pair_id(pair["output"]),
            int(pictured(pair)),
            " ".join(flag["name"] for flag in pair["flags"]),
            *both,
        ]

    # page by page, as all rows at once take as much memory as the rest of the report
    found = ",".join(
        _compact({"at": pages.address(number, 1), "pairs": [row(pair) for pair in pairs]})
        for number, pairs in enumerate(pages.pairs, start=1)
    )
    known = {"statuses": list(STATUS_WORDS.items()), "small": [relative(RECORDS), RESULT_SUFFIX], "names": names}
    text = f'{_compact(known)[:-1]},"pages":[{found}]}}'
    return text.replace("<", "\\u003c")  # no name ends the script it stands in


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _counted(pairs: Sequence[Pair]) -> str:
    statuses = Counter(pair["status"] for pair in pairs)
    told = [f"{statuses[status]} {words}" for status, words in STATUS_WORDS.items() if statuses[status]]
    return f"{count(len(pairs), 'picture')}: {', '.join(told)}"
