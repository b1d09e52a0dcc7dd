"""What a run leaves beside its pictures: report.json for programs, .txt for mail, .html to read."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any

from pipeline.errors import StylizeError
from pipeline.report.data import report_stem
from pipeline.report.text import render_text
from pipeline.store.layout import PAGES, pages_folder
from pipeline.store.now import Now
from pipeline.store.store import Store


def write_reports(
    store: Store,
    report: Mapping[str, Any],
    *,
    thumbnails: Callable[[str], Mapping[str, str]],
    history: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write report.json, report.txt and report.html into the output folder, in this order: numbers
    first. Those of a shard are named after it: report.2-of-3.json.

    `thumbnails` gives for an output's name the names in `store` of the small pictures that exist of
    it: any of the keys `content`, `style`, `result`, as WebP files. `history` are rows of earlier
    runs, oldest first, for the trend on the page. Raises as `Store.write` does.
    """
    stem = report_stem(report["run"]["shard"])
    store.write_by(f"{stem}.json", lambda file: file.writelines(part.encode("ascii") for part in _json_parts(report)))
    folder = store.path(f"{stem}.txt").parent
    store.write(f"{stem}.txt", render_text(report, folder=folder).encode("ascii"))
    write_page(store, report, thumbnails=thumbnails, history=history)


def write_page(
    store: Store,
    report: Mapping[str, Any],
    *,
    thumbnails: Callable[[str], Mapping[str, str]],
    history: Sequence[Mapping[str, Any]] = (),
    now: Now | None = None,
) -> None:
    """The page alone, or all pages of a large report: the first of them last, when the others
    stand; those of an earlier report go after that. `now` is how the run stands where it is still
    going on."""
    # Here, not above: Jinja2 is for those who write a page, not for those who read a report's text.
    from pipeline.report.html import render_pages

    token = secrets.token_hex(4)
    pages = render_pages(report, store=store, thumbnails=thumbnails, history=history, now=now, token=token)
    written = set()
    for name, page in pages:
        store.write(name, page.encode("utf-8", "backslashreplace"))
        written.add(name)
    if now is None:
        _remove_others(store, pages_folder(report_stem(report["run"]["shard"])), written)


def _remove_others(store: Store, folder: str, written: Set[str]) -> None:
    """Pages that no report leads to any more; what cannot be removed waits for the next report."""
    with suppress(OSError, StylizeError):
        for entry in store.list(folder):
            if entry.name not in written and entry.name.endswith(".html"):
                store.delete(entry.name)
        for name in (folder, PAGES):
            store.prune(name)


def _json_parts(report: Mapping[str, Any]) -> Iterator[str]:
    """JSON with one line per pair: as small and fast as the compact form, and fit for grep and
    diff. A part for each pair: of a hundred thousand pairs the whole is half a gigabyte.

    ASCII, so that names which are no UTF-8 survive and names which would act on a terminal do not.
    """
    yield "{"
    for place, (key, value) in enumerate(report.items()):
        yield (",\n " if place else "") + f'"{key}": '
        yield from _lines(value) if key == "pairs" else [_dumps(value)]
    yield "}\n"


def _lines(pairs: Sequence[Any]) -> Iterator[str]:
    yield "["
    for place, pair in enumerate(pairs):
        yield (",\n  " if place else "") + _dumps(dict(pair))
    yield "]"


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
