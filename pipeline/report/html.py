"""The report as one page, or several, that open anywhere, offline; a script adds search, filters,
full-size pictures and keys, and nothing is missing without it."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from pipeline.errors import EXITS, ExitCode
from pipeline.job import FAILED, STANDS
from pipeline.printable import printable
from pipeline.report import drawings
from pipeline.report.attention import attention
from pipeline.report.axes import axes
from pipeline.report.data import AS_ASKED, STATUS_WORDS, left_over, report_stem, standing_words, verdict
from pipeline.report.history import HISTORY_RUNS, history_row, usual_speed
from pipeline.report.links import INLINE_PAIRS, Links
from pipeline.report.page import PageMaker, remark_views, run_rows
from pipeline.report.paging import PAGE_PAIRS, Pages, index_json, split
from pipeline.report.progress import step_words
from pipeline.report.quantities import count, duration, memory, moment, percent, significant
from pipeline.report.sheet import filters, joined, sheet_view
from pipeline.report.template import part_of_page, template
from pipeline.report.views import Picture
from pipeline.store.layout import thumbnail_name
from pipeline.store.now import Now
from pipeline.store.store import Store

_AS_USUAL = 0.05  # of the usual seconds per step; less than this is noise
_SLOWER = 0.3  # of the usual seconds per step; up to this it comes and goes with what else the machine does


def render_pages(
    report: Mapping[str, Any],
    *,
    store: Store,
    thumbnails: Callable[[str], Mapping[str, str]],
    history: Sequence[Mapping[str, Any]] = (),
    now: Now | None = None,
    token: str = "",
) -> Iterator[tuple[str, str]]:
    """The names of all pages in `store`, and their texts: the first page last, as it leads to the
    others. `token` is part of the others' names. For the rest see `write_page`."""
    shown = [*report["pairs"]] if now is None else _of_interest(report["pairs"])
    found = axes(shown) if len(shown) > PAGE_PAIRS else None

    def curves(pair: Mapping[str, Any]) -> bool:
        """Of many pairs, of those that are new: the others' are not drawn anew each night."""
        return now is None and (found is None or pair["status"] == "done")

    maker = PageMaker(report, Links(store, thumbnails, inline=len(shown) <= INLINE_PAIRS), curves)
    pages = Pages(report_stem(report["run"]["shard"]), token, split(shown, *found[:2]) if found else [shown])
    for number in range(len(pages), 0, -1):
        maker.links.up = pages.up(number)
        pairs = pages.pairs[number - 1]
        context = _first_page(report, maker, pages, history, now) if number == 1 else _FURTHER
        sheet = sheet_view(maker, pairs, found) if pairs else None
        yield pages.name(number), template().render(**context, **_every_page(report, pages, number), sheet=sheet)


def _of_interest(pairs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What is shown while a run goes on: all, or of many those at which something has happened."""
    if len(pairs) <= PAGE_PAIRS:
        return [*pairs]
    return [pair for pair in pairs if pair["status"] not in ("not_started", "up_to_date")][-PAGE_PAIRS:]


def _every_page(report: Mapping[str, Any], pages: Pages, number: int) -> dict[str, Any]:
    """What each page has, whichever it is."""
    run, script = report["run"], part_of_page("report.js")
    return {
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "css": part_of_page("report.css"),
        "stem": pages.stem,
        "source": printable(run["manifest"]),
        "when": moment(run["started"]),
        "number": number,
        "pages": pages.rows(number) if len(pages) > 1 else [],
        "whole": sum(map(len, pages.pairs)),
        "drawings": drawings,
    }


def _first_page(
    report: Mapping[str, Any],
    maker: PageMaker,
    pages: Pages,
    history: Sequence[Mapping[str, Any]],
    now: Now | None,
) -> dict[str, Any]:
    """What stands on the first page alone."""
    run = report["run"]
    earlier = [row for row in history if row["id"] != run["id"]]
    rows = [*earlier, *([] if now else [history_row(report)])][-HISTORY_RUNS:]
    groups = [group for group in attention(report) if now is None or group.status in FAILED]
    status_words = STATUS_WORDS if now is None else _STATUS_WORDS_NOW
    every = filters(maker, [pair for pairs in pages.pairs for pair in pairs]) if len(pages) > 1 else []
    return (_heading(report) if now is None else _heading_of(now)) | {
        "standing": standing_words(report),
        "counts": [(status, words, report["counts"][status]) for status, words in status_words.items()],
        "groups": [maker.group_view(group) for group in groups],
        "remarks": remark_views(report, lambda pair: pages.address_of(pair, 1)),
        "painted": run["counts"]["done"],
        "warnings": [printable(warning) for warning in run["warnings"]],
        "now": _now(now, maker) if now else None,
        "health": [] if now else list(_health(report, rows[-1], earlier)),
        "trend": drawings.trend(rows) if len(rows) > 1 else [],
        "trend_ends": (moment(rows[0]["started"]), moment(rows[-1]["started"])) if rows else (),
        "facts": run_rows(run),
        "notes": [printable(note) for note in run["notes"]],
        "command": printable(shlex.join(run["command"])),
        "every": every,
        "index": _index(maker, pages) if len(pages) > 1 else "",
    }


# While a run goes on, some of those that are not painted yet are being painted.
_STATUS_WORDS_NOW = STATUS_WORDS | {"not_started": "not finished"}
# What a further page has of all that.
_FURTHER: dict[str, Any] = {
    **dict.fromkeys(("groups", "remarks", "warnings", "health", "trend", "facts", "notes", "every"), ()),
    **dict.fromkeys(("verdict", "mood", "headline", "explanation", "standing", "command", "index"), ""),
    **{"counts": (), "now": None, "painted": 0, "trend_ends": ()},
}


def _index(maker: PageMaker, pages: Pages) -> Markup:
    """See paging.index_json; it is all escaped there."""

    def captions(pair: Mapping[str, Any]) -> tuple[str, str]:
        return maker.sources.content(pair).caption, joined(maker.sources.styles(pair))

    def pictured(pair: Mapping[str, Any]) -> bool:
        name = maker.links.names(pair["output"]).get("result")
        return name == thumbnail_name(pair["output"], "result") and pair["status"] in STANDS

    return Markup(index_json(pages, pictured, maker.sources.keys, captions))


def _heading(report: Mapping[str, Any]) -> dict[str, Any]:
    """Of a run that is over."""
    code = ExitCode(report["run"]["exit_code"])
    mood, headline = _HEADLINES.get(code, _HEADLINES[ExitCode.BUG])
    if code == ExitCode.OK and left_over(report):  # of which the run was to take none
        headline = AS_ASKED
    return {
        "verdict": verdict(report),
        "mood": mood,
        "headline": headline if report["pairs"] or mood != "good" else "Nothing to do",
        "explanation": "" if code in _CAME_TO_ITS_END else EXITS[code].sentence,
    }


def _heading_of(now: Now) -> dict[str, Any]:
    """Of a run that is going on."""
    left = f", about {duration(now.seconds_left)} left" if now.seconds_left is not None else ""
    failed = f", {now.failed} failed" if now.failed else ""
    return {
        "verdict": f"{now.finished} of this run's {count(now.whole, 'pair')} finished{failed}{left}",
        "mood": "wait",
        "headline": "Painting",
        "explanation": f"As of {moment(now.updated)}. The page is written anew after each pair.",
    }


def _now(now: Now, maker: PageMaker) -> list[tuple[Picture, str]]:
    """The pairs at work: what there is to see, and how far each is."""
    return [(maker.preview(pair.output), step_words(pair)) for pair in now.at_work]


class Measure(NamedTuple):
    """One figure to watch over the nights; `worry` marks a remark that asks for a look."""

    name: str
    value: str
    remark: str = ""
    worry: bool = False


def _health(
    report: Mapping[str, Any], row: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]
) -> Iterator[Measure]:
    """The run's figures; none if nothing was painted. `row` is the run's own."""
    if not row["seconds_per_step"]:
        return
    yield Measure("Duration", duration(report["run"]["seconds"] or 0.0))
    remark, worry = _compared(row["seconds_per_step_and_megapixel"], usual_speed(earlier))
    yield Measure("Median step", f"{significant(row['seconds_per_step'])} s", remark, worry)
    if row["peak_memory_bytes"]:
        yield Measure("Peak memory", memory(row["peak_memory_bytes"]))
    retried = sum(pair["attempts"] > 1 and pair["status"] in ("done", "failed") for pair in report["pairs"])
    if retried:
        yield Measure("Retried", count(retried, "pair"))


def _compared(speed: float | None, usual: float | None) -> tuple[str, bool]:
    """A speed (seconds per step and megapixel) against the usual one, and whether it is a worry."""
    if not speed or not usual:
        return "", False
    slower = speed / usual - 1
    if abs(slower) < _AS_USUAL:
        return "as usual", False
    return f"{percent(abs(slower))} {'slower' if slower > 0 else 'faster'} than usual", slower > _SLOWER


# By exit code: the page's colour and headline. A run that ends with another code writes none.
_HEADLINES = {
    ExitCode.OK: ("good", "All well"),
    ExitCode.SOME_FAILED: ("bad", "Needs attention"),
    ExitCode.QUARANTINED: ("wait", "Needs attention"),
    ExitCode.DEADLINE: ("wait", "Out of time"),
    ExitCode.SIGINT: ("wait", "Stopped by Ctrl-C"),
    ExitCode.SIGTERM: ("wait", "Stopped by SIGTERM"),
    ExitCode.ENVIRONMENT: ("bad", "Stopped by the machine"),
    ExitCode.BUG: ("bad", "Stopped by a bug"),
}
_CAME_TO_ITS_END = (ExitCode.OK, ExitCode.SOME_FAILED)  # the page says it all; no sentence on the code is needed
