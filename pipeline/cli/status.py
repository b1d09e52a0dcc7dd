"""The verb status: how the run stands that is going on, and how the last one ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.show import of_output, output_folder
from pipeline.cli.streams import print_json
from pipeline.errors import ExitCode, weightiest
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.store.now import Now
    from pipeline.store.store import Store

_REPORT_TEXT = re.compile(r"report(?:\.([0-9]{1,6}-of-[0-9]{1,6}))?\.txt")
_LONGEST_VERDICT = 500  # characters; with every count there is some 200


@dataclass(slots=True)
class Standing:
    """What there is to know of an output folder's runs. `going_on` are those that hold its lock, in
    words; `now` is what they say of themselves, by shard; `killed` says the same of runs that were
    ended before they could write a report; `last` is the last run that did, or all parts of it."""

    used: bool
    going_on: list[str]
    now: dict[str, Now] = field(default_factory=dict)
    killed: dict[str, Now] = field(default_factory=dict)
    last: list[dict[str, Any]] = field(default_factory=list)

    @property
    def code(self) -> ExitCode:
        """11 while a run is going on, 2 where none was ever here, 1 after one that was killed; else
        the last run's own."""
        if self.going_on:
            return ExitCode.LOCKED
        if self.killed:
            return ExitCode.BUG
        codes = [ExitCode.BUG if run["exit_code"] is None else ExitCode(run["exit_code"]) for run in self.last]
        return weightiest(codes) if codes else ExitCode.USAGE


@click.command(short_help="Say how far a run is, or how the last one ended.")
@of_output
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--picture", is_flag=True, help="Print only the paths of small pictures of the pairs at work.")
def status(manifest: Path | None, output: Path | None, as_json: bool, picture: bool) -> int:
    """Say how far a run is that is going on, or how the last one ended.

    Exit codes: 11 a run is going on; else the last run's own, 0 where all is well, 3 where pairs
    failed; 1 where it was killed; 2 where no run was ever here.
    """
    from pipeline.store.disk import LocalStore

    folder = output_folder(manifest, output)
    store = LocalStore(folder)
    found = _standing(store)
    if picture:
        return _print_pictures(store, found)
    if as_json:
        print_json(_as_json(store, found))
    else:
        click.echo("\n".join(_lines(folder, found)))
    return found.code


def status_text(output: Path) -> str:
    """What the verb prints of an output folder."""
    from pipeline.store.disk import LocalStore

    return "\n".join(_lines(output, _standing(LocalStore(output))))


def _standing(store: Store) -> Standing:
    from pipeline.store.layout import LOCK
    from pipeline.store.now import read_all

    going_on = list(store.holders())
    runs = read_all(store)
    now = {shard: run for shard, run in runs.items() if any(f"(run {printable(run.run)})" in who for who in going_on)}
    last = list(_last_runs(store))
    told = {run.get("id") for run in last if run.pop("whole")}
    killed = {} if going_on else {shard: run for shard, run in runs.items() if run.run not in told}
    return Standing(store.exists(LOCK), going_on, now, killed, _of_the_last_division(last))


def _of_the_last_division(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last run, or those over all parts of a manifest that was divided, and what does not say
    when it ended. What ran before in other parts, or in none, left reports too, which stay."""
    ended = [(moment, run) for run in runs if run.get("id") and (moment := _seconds(run.get("finished")))]
    if not ended:
        return runs
    division = _division(max(ended, key=lambda each: each[0])[1])
    past = [run for _moment, run in ended if _division(run) != division]
    return [run for run in runs if run not in past]


def _division(run: dict[str, Any]) -> str:
    return (run["shard"] or "").partition("/")[2]


def _seconds(iso: str | None) -> float:
    """Since the epoch; nothing of what is no time with an offset."""
    try:
        moment = datetime.fromisoformat(iso or "")
    except ValueError:
        return 0.0
    return moment.timestamp() if moment.tzinfo else 0.0


def _last_runs(store: Store) -> Iterator[dict[str, Any]]:
    from pipeline.cli.rendering import head_of_report, shown_safely
    from pipeline.store.shapes import fits

    codes = [int(code) for code in ExitCode]
    for match in filter(None, (_REPORT_TEXT.fullmatch(entry.name) for entry in store.list("report"))):
        run = (head_of_report(store, match[0].replace(".txt", ".json")) or {}).get("run")
        run = run if isinstance(run, dict) else {}
        try:
            with store.open(match[0]) as file:
                verdict = shown_safely(file.read(_LONGEST_VERDICT)).split("\n")[0]
        except OSError as error:
            verdict = f"{match[0]} cannot be read: {error.strerror}"
        yield {
            "shard": match[1] and match[1].replace("-of-", "/"),
            **{name: run[name] for name in ("id", "started", "finished") if fits(run.get(name), str)},
            "exit_code": run["exit_code"] if fits(run.get("exit_code"), int) and run["exit_code"] in codes else None,
            "counts": run["counts"] if fits(run.get("counts"), dict[str, int]) else {},
            "verdict": verdict,
            "whole": _is_as_new(store, match[0]),
        }


def _is_as_new(store: Store, text: str) -> bool:
    """Was a report's text written with its report.json, and after it, or is it of a run before?"""
    try:
        written, numbers = (store.fingerprint(name).mtime_ns for name in (text, text.replace(".txt", ".json")))
    except OSError:
        return False
    return written >= numbers


def _lines(folder: Path, found: Standing) -> Iterator[str]:
    for who in found.going_on:
        yield f"a run is going on: {printable(who)}"
    for shard, now in found.now.items():
        yield from (f"  {line}" for line in _progress(shard, now))
    if not found.going_on:
        yield "no run is going on" if found.used else f"no run has used {printable(folder)} yet"
    for shard, now in found.killed.items():
        yield f"the last run{_of(shard)} was ended before it could write its report, after {_moment(now.updated)}"
        yield from (f"  {line}" for line in _progress(shard, now, past=True))
    for run in found.last:
        yield f"last run{_of(run['shard'] or '')}: {printable(run['verdict'])}"


def _progress(shard: str, now: Now, *, past: bool = False) -> Iterator[str]:
    from pipeline.report.progress import step_words
    from pipeline.report.quantities import count, duration

    for pair in now.at_work:
        yield f"{'it painted' if past else 'painting'} {printable(pair.output)}: {step_words(pair)}"
    if not now.whole:
        yield f"it {'had looked' if past else 'looks'} at what there {'was' if past else 'is'} to do{_of(shard)}"
        return
    left = "" if past or now.seconds_left is None else f", about {duration(now.seconds_left)} left"
    failed = f", {now.failed} of them failed" if now.failed else ""
    yield f"{now.finished} of {count(now.whole, 'pair')} finished{_of(shard)}{failed}{left}"
    if now.last_failure is not None:
        name, why = (printable(now.last_failure.get(part, "")) for part in ("output", "reason"))
        yield f"last failure: {name}: {why}"


def _of(shard: str) -> str:
    return f" of shard {shard.replace('-of-', ' of ').replace('/', ' of ')}" if shard else ""


def _moment(iso: str) -> str:
    from pipeline.report.quantities import moment

    return printable(moment(iso))


def _print_pictures(store: Store, found: Standing) -> int:
    """The paths, one a line, for a program that shows them."""
    pairs = [pair.output for now in (*found.now.values(), *found.killed.values()) for pair in now.at_work]
    shown = [path for output in pairs if (path := _preview(store, output)) is not None]
    for path in shown:
        click.echo(printable(path))
    if not shown:
        why = "no pair is at work" if not pairs else "there is none yet; set preview: N in the manifest's run"
        click.echo(f"no picture: {why}", err=True)
    return found.code


def _preview(store: Store, output: str) -> str | None:
    from pipeline.store.layout import preview_name

    name = preview_name(output)
    return str(store.path(name).absolute()) if store.exists(name) else None


def _as_json(store: Store, found: Standing) -> dict[str, Any]:
    def rows(runs: dict[str, Now]) -> list[dict[str, Any]]:
        return [
            {"shard": shard.replace("-of-", "/") or None, **now.as_row()}
            | {"at_work": [row | {"picture": _preview(store, row["output"])} for row in now.as_row()["at_work"]]}
            for shard, now in runs.items()
        ]

    states = {ExitCode.LOCKED: "running", ExitCode.BUG: "killed" if found.killed else "failed"}
    states |= {ExitCode.USAGE: "never_ran", ExitCode.OK: "done", ExitCode.DEADLINE: "stopped"}
    states |= {ExitCode.SIGINT: "stopped", ExitCode.SIGTERM: "stopped"}
    return {
        "state": states.get(found.code, "failed"),
        "exit_code": int(found.code),
        "holders": found.going_on,
        "now": rows(found.now),
        "killed": rows(found.killed),
        "last": found.last,
    }
