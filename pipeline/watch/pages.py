"""What the pages show: texts that are ready to print, addresses that the site answers to.

Every text from outside passes `printable` here; escaping for HTML is the templates'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pipeline.errors import EXITS, ExitCode, weightiest
from pipeline.job import FAILED, OF_PICTURE, STANDS, Outcome
from pipeline.printable import printable
from pipeline.report.data import AS_ASKED, LEFT, STATUS_WORDS, pair_row
from pipeline.report.drawings import LossCurve, loss_curve
from pipeline.report.links import Links, relative
from pipeline.report.page import PageMaker, first_file
from pipeline.report.progress import step_words, unit_of
from pipeline.report.quantities import count, duration, moment, time_of_day
from pipeline.report.views import PairView
from pipeline.store.failures import Failures
from pipeline.store.layout import pair_id, preview_name, record_name, thumbnail_name
from pipeline.store.now import AtWork
from pipeline.store.records import State, read_record
from pipeline.store.roll import Enrolled
from pipeline.store.store import Store
from pipeline.watch.kinds import kind_of
from pipeline.watch.night import Night

PAGE_PAIRS = 60  # on one page: two screens, and a hundredth of a second to make
_MOST_AT_WORK = 48  # that are shown; a cluster may have hundreds
_AT_WORK, _ALL = "at_work", "all"
_LONGEST_SEARCH = 200  # characters
# Of a run that goes on, what the report calls not started has its turn still to come.
_WORDS = {**STATUS_WORDS, _AT_WORK: "being painted"}
_WAITS = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A pair in a list. `source` is the address of its small picture, where there is one."""

    name: str
    of: str
    status: str
    words: str
    reason: str
    source: str | None
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A pair at work: `made` of `whole` steps, or frames by its `unit`; 0 of 0 where it is painted
    small first."""

    card: Card
    words: str
    since: str
    made: int
    whole: int
    unit: str
    curve: LossCurve | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A link to the pairs of one status."""

    status: str
    words: str
    page: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The pairs that were asked for, a page of them: `pages` are addresses by number, of which
    `number` is shown."""

    choices: list[Choice]
    cards: list[Card]
    search: str
    show: str
    found: str
    number: int
    pages: int
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The first lines of a page."""

    mood: str
    headline: str
    verdict: str
    explanation: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    failure: str = ""


def heading(night: Night, folder: str) -> Heading:
    """How the night stands, in words."""
    facts = [("Output", folder)]
    if night.runs:
        return _heading_of_runs(night, facts)
    if night.last:
        return _heading_of_last(night, facts)
    why = printable(night.trouble) or "No run has left anything here yet. This page shows the next one by itself."
    return Heading(mood="wait", headline="Nothing here", verdict=folder, explanation=why, facts=[])


def _heading_of_runs(night: Night, facts: list[tuple[str, str]]) -> Heading:
    runs = night.runs.values()
    finished, whole, failed = (sum(getattr(now, name) for now in runs) for name in ("finished", "whole", "failed"))
    left = [now.seconds_left for now in runs if now.seconds_left is not None]
    words = f"{finished} of this run's {count(whole, 'pair')} finished" + (f", {failed} failed" if failed else "")
    words = words if whole else "looking at what there is to do"
    if left and night.state == "painting":
        words += f", about {duration(max(left))} left"
    updated = printable(_newest(now.updated for now in runs))
    explanation = {
        "silent": f"Nothing was heard of it since {updated}: a long step, or a machine that is gone.",
        "killed": f"It was ended before it could write its report, after {updated}. The next run goes on.",
    }.get(night.state, "")
    if night.killed:
        parts = ", ".join(f"part {shard.replace('-of-', ' of ')}" if shard else "a whole run" for shard in night.killed)
        explanation = f"Ended before it could write its report: {parts}. {explanation}".strip()
    for shard, now in night.runs.items():
        of = f" {shard.replace('-of-', ' of ')}" if shard else ""
        facts += [(f"Run{of}", printable(now.run)), (f"Started{of}", printable(moment(now.started)))]
    failures = [f"{f.get('output', '')}: {f.get('reason', '')}" for now in runs if (f := now.last_failure)]
    return Heading(
        mood="bad" if night.state == "killed" or failed else "wait",
        headline={"silent": "Silent", "killed": "Killed"}.get(night.state, "Painting"),
        verdict=words,
        explanation=explanation,
        facts=[*facts, ("Written", updated)],
        failure=printable(failures[-1]) if failures else "",
    )


def _heading_of_last(night: Night, facts: list[tuple[str, str]]) -> Heading:
    runs = night.last.values()
    code = weightiest(ExitCode(run.exit_code) for run in runs)
    counts: dict[str, int] = {}
    for run in runs:
        for status, number in run.counts.items():
            counts[status] = counts.get(status, 0) + number
    told = ", ".join(f"{counts[status]} {words}" for status, words in STATUS_WORDS.items() if counts.get(status))
    for shard, run in night.last.items():
        of = f" {shard.replace('-of-', ' of ')}" if shard else ""
        rows = {
            "Run": run.id,
            "Manifest": run.manifest,
            "Started": moment(run.started),
            "Ended": moment(run.finished),
            "Took": duration(run.seconds or 0.0),
            "Device": run.device,
            "Host": run.host,
        }
        facts += [(name + of, printable(value)) for name, value in rows.items() if value]
    well = AS_ASKED if any(pair.status in LEFT for pair in night.pairs.values()) else "All well"
    return Heading(
        mood="bad" if any(run.exit_code in _BAD for run in runs) else "good" if code == ExitCode.OK else "wait",
        headline=well if code == ExitCode.OK else "Needs attention" if code in _ENDED else "Stopped early",
        verdict=f"{told or 'no pairs'} - {duration(max(run.seconds or 0.0 for run in runs))}",
        explanation=EXITS[code].sentence if code != ExitCode.OK else "",
        facts=facts,
    )


_BAD = (ExitCode.BUG, ExitCode.SOME_FAILED, ExitCode.ENVIRONMENT)
_ENDED = (ExitCode.SOME_FAILED, ExitCode.QUARANTINED)  # codes of runs that came to their end


def works(night: Night, store: Store) -> list[Work]:
    """The pairs at work."""
    return [_work(pair, night, store) for pair in list(night.at_work.values())[:_MOST_AT_WORK]]


def _work(pair: AtWork, night: Night, store: Store) -> Work:
    known = night.pairs.get(pair.output) or Enrolled(output=pair.output, status="not_started")
    return Work(
        card=_card(known, night, store),
        words=step_words(pair),
        since=printable(time_of_day(pair.started)),
        made=0 if pair.coarse else min(pair.step, pair.steps),
        whole=0 if pair.coarse else pair.steps,
        unit=unit_of(pair),
        curve=_curve_of(pair),
    )


def _curve_of(pair: AtWork) -> LossCurve | None:
    columns = pair.curve
    steps = columns.get("step", [])
    if any(len(column) != len(steps) for column in columns.values()):
        return None
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return _shown(loss_curve(rows, [name for name in columns if name != "step"], unit_of(pair)))


def _shown(curve: LossCurve | None) -> LossCurve | None:
    """With names of losses as they can be shown: a forged file may call them anything."""
    if curve is None:
        return None
    return replace(curve, lines=[replace(line, part=printable(line.part)) for line in curve.lines])


def listing(night: Night, store: Store, asked: Mapping[str, str]) -> Listing:
    """The pairs that are asked for by `show` (a status), `q` (part of a name) and `page`."""
    show, search = asked.get("show", _ALL), asked.get("q", "")[:_LONGEST_SEARCH]
    by_status: dict[str, list[Enrolled]] = {}
    wanted = search.casefold()
    for pair in night.pairs.values():
        if not wanted or any(wanted in printable(n).casefold() for n in (pair.output, pair.content, *pair.style)):
            by_status.setdefault(_status(pair, night), []).append(pair)
    order = [_AT_WORK, *STATUS_WORDS]
    every = [pair for status in order for pair in by_status.get(status, [])]
    if show not in by_status and show != _ALL:
        found: list[Enrolled] = []
    else:
        found = by_status[show] if show != _ALL else every
    pages = max(-(-len(found) // PAGE_PAIRS), 1)
    number = min(max(_number(asked.get("page", "1")), 1), pages)

    def address(**changes: Any) -> str:
        words = {"show": show, "q": search, "page": number} | changes
        return "./?" + urlencode({name: value for name, value in words.items() if value not in ("", _ALL, 1)})

    choices = [(_ALL, "all", len(every))]
    choices += [(status, _words(status, night), len(by_status[status])) for status in order if status in by_status]
    first = (number - 1) * PAGE_PAIRS
    return Listing(
        choices=[
            Choice(status=s, words=f"{n} {words}", page=address(show=s, page=1), chosen=s == show)
            for s, words, n in choices
        ],
        cards=[_card(pair, night, store) for pair in found[first : first + PAGE_PAIRS]],
        search=printable(search),
        show=printable(show),
        found=f"{first + 1} to {min(first + PAGE_PAIRS, len(found))} of {len(found)}" if found else "none",
        number=number,
        pages=pages,
        before=address(page=number - 1) if number > 1 else None,
        after=address(page=number + 1) if number < pages else None,
    )


def _card(pair: Enrolled, night: Night, store: Store) -> Card:
    status = _status(pair, night)
    names = " + ".join(map(printable, pair.style))
    return Card(
        name=printable(pair.output),
        of=" · ".join(filter(None, (printable(pair.content) or ("texture" if names else ""), names))),
        status="wait" if status == _AT_WORK else status,
        words=_words(status, night),
        reason=printable(pair.reason or "") if status in (*FAILED, "interrupted") else "",
        source=_small(pair.output, status, store),
        page="./?" + urlencode({"pair": pair_id(pair.output)}),
    )


def _small(output: str, status: str, store: Store) -> str | None:
    """The address of a pair's small picture; another when the picture is."""
    if status in STANDS:
        name = thumbnail_name(output, "result")
    elif status in (_AT_WORK, "interrupted", "not_started"):
        name = preview_name(output)
    else:
        return None
    try:
        return f"{relative(name)}?v={store.fingerprint(name).mtime_ns}"
    except OSError:
        return None


def pair_view(night: Night, store: Store, output: str) -> tuple[PairView, Work | None, Card]:
    """All there is to know of one pair; how far it is, if it is at work."""
    pair = night.pairs.get(output) or Enrolled(output=output, status="not_started")
    row, is_known = _row(pair, night, store)
    thumbnails = State(store).thumbnails
    report = {"pairs": [row], "run": {"input": None, "weights": {"name": row["weights"].get("name", "")}}}
    view = PageMaker(report, Links(store, thumbnails, inline=False), lambda pair: True).pair_view(row, large=True)
    if not is_known:  # of numbers and settings these would be the built-in ones
        view = replace(view, numbers=[], settings="")
    names = [printable(name) for name in pair.style]  # nothing is known of their shares
    styles = [replace(s, caption=name, alt=f"style: {name}") for s, name in zip(view.styles, names, strict=True)]
    result = replace(view.result, alt=f"{view.contents.caption} in the style of {' + '.join(names)}")
    if first_file(row) != output or kind_of(output) is None:
        result = replace(result, link=None)  # the site has no such address
    losses = [(printable(part), first, last, ratio) for part, first, last, ratio in view.losses]
    view = replace(view, result=result, styles=styles, losses=losses, curve=_shown(view.curve))
    at_work = night.at_work.get(output)
    return view, _work(at_work, night, store) if at_work else None, _card(pair, night, store)


def _row(pair: Enrolled, night: Night, store: Store) -> tuple[dict[str, Any], bool]:
    """As in report.json, from the pair's record where its picture stands; whether that is so. Names
    are the run's own; a record can be anybody's."""
    known: dict[str, Any] = {"output": pair.output, "content": pair.content, "style": list(pair.style)}
    known |= {"style_shares": [1.0] * len(pair.style), "status": pair.status, "reason": pair.reason}
    record = read_record(store, record_name(pair.output)) if _status(pair, night) in STANDS else None
    if record is not None:
        known |= {name: value for name, value in record.outcome.items() if name in OF_PICTURE}
        if not isinstance(known.get("options", {}).get("style_loss", ""), str | dict):
            known["options"] = {}
    elif pair.status in FAILED and (failure := Failures(store).of(pair.output)) is not None:
        known |= {"failing_since": failure.since, "failed_runs": failure.runs}
    return pair_row(Outcome(**known)), record is not None


def _status(pair: Enrolled, night: Night) -> str:
    if pair.output in night.at_work and night.state != "killed":
        return _AT_WORK
    return pair.status


def _words(status: str, night: Night) -> str:
    return _WAITS if status == "not_started" and night.runs else _WORDS.get(status, "")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


def _newest(times: Iterable[str]) -> str:
    return time_of_day(max(times, key=_instant, default=""))


def _instant(iso: str) -> float:
    try:
        return datetime.fromisoformat(iso).timestamp()
    except (ValueError, OverflowError, OSError):  # a time that is none
        return 0.0
