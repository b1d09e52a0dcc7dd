"""The report as one page that opens anywhere, offline and without JavaScript."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import jinja2

from pipeline.errors import EXITS, ExitCode
from pipeline.printable import printable
from pipeline.report import drawings
from pipeline.report.attention import attention
from pipeline.report.data import STATUS_WORDS, report_stem, verdict
from pipeline.report.history import history_row, usual_speed
from pipeline.report.links import INLINE_PAIRS, Links
from pipeline.report.page import group_view, pair_view, remark_views, run_rows, tile_view
from pipeline.report.quantities import count, duration, memory, moment, percent, significant
from pipeline.store.now import Now
from pipeline.store.store import Store

_TREND_RUNS = 30  # a month of nights; their columns are still wider than a line
_AS_USUAL = 0.05  # of the usual seconds per step; less than this is noise
_SLOWER = 0.3  # of the usual seconds per step; up to this it comes and goes with what else the machine does


def render_html(
    report: Mapping[str, Any],
    *,
    store: Store,
    thumbnails: Callable[[str], Mapping[str, str]],
    history: Sequence[Mapping[str, Any]] = (),
    now: Now | None = None,
) -> str:
    """The page as text. It will stand at the top of `store`. For the rest see `write_reports`."""
    run = report["run"]
    links = Links(store, thumbnails, inline=len(report["pairs"]) <= INLINE_PAIRS)
    earlier = [row for row in history if row["id"] != run["id"]]
    rows = [*earlier, history_row(report)][-_TREND_RUNS:]
    code = ExitCode(run["exit_code"])
    mood, headline = _HEADLINES.get(code, _HEADLINES[ExitCode.BUG])
    return _template().render(
        verdict=verdict(report),
        stem=report_stem(run["shard"]),
        mood=mood,
        headline=headline if report["pairs"] or mood != "good" else "Nothing to do",
        explanation="" if code in _CAME_TO_ITS_END else EXITS[code].sentence,
        source=printable(run["manifest"]),
        when=moment(run["started"]),
        counts=[(status, words, report["counts"][status]) for status, words in STATUS_WORDS.items()],
        groups=[group_view(group, run, links) for group in attention(report)],
        remarks=remark_views(report),
        warnings=[printable(warning) for warning in run["warnings"]],
        new=[pair_view(pair, run, links) for pair in report["pairs"] if pair["status"] == "done"],
        up_to_date=[tile_view(pair, links) for pair in report["pairs"] if pair["status"] == "up_to_date"],
        health=list(_health(report, rows[-1], earlier)),
        trend=drawings.trend(rows) if len(rows) > 1 else [],
        trend_ends=(moment(rows[0]["started"]), moment(rows[-1]["started"])),
        drawings=drawings,
        facts=run_rows(run),
        notes=[printable(note) for note in run["notes"]],
        command=printable(shlex.join(run["command"])),
    )


@functools.cache
def _template() -> jinja2.Template:
    """Compiled once in a process: a sixth of a second."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("pipeline.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source)


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
    ExitCode.DEADLINE: ("wait", "Out of time"),
    ExitCode.SIGINT: ("wait", "Stopped by Ctrl-C"),
    ExitCode.SIGTERM: ("wait", "Stopped by SIGTERM"),
    ExitCode.ENVIRONMENT: ("bad", "Stopped by the machine"),
    ExitCode.BUG: ("bad", "Stopped by a bug"),
}
_CAME_TO_ITS_END = (ExitCode.OK, ExitCode.SOME_FAILED)  # the page says it all; no sentence on the code is needed
