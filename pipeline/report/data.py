"""Outcomes to report.json: one dictionary that the page, the mail text, the history and other
programs all read."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from pipeline.errors import ExitCode, exit_words
from pipeline.job import STATUSES, Outcome
from pipeline.reading import loss_names
from pipeline.report.flags import flags
from pipeline.report.quantities import duration
from pipeline.report.rows import Rows
from pipeline.store.shapes import MOST

SCHEMA = 1  # of report.json; raised when a key changes its meaning, not when one is added

VERSIONS = ("pipeline", "tensorflow", "keras", "pillow", "python")
# What a reader of a row looks for first; the other fields of an Outcome follow in their own order.
_FIRST = ("output", "content", "style", "status", "reason", "attempts")
# Of a row too, after all others: readers know the order of those that were there before.
_LAST = ("layer_losses", "masks", "painted_size", "flags", "node", "clip", "style_at")

# What a report written anew keeps of the last run, and what each is.
_KEPT_OF_RUN: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "started", "finished", "device", "host", "auto_precision"), str),
    "seconds": (int, float),
    "exit_code": int,
    "threads": (int, type(None)),
    "deadline": (str, type(None)),
}
_MOST_PAIRS = 10**9
_LONGEST_TEXT = 500  # characters

# In the order in which a reader wants them: what is new, what needs a hand, what waits, what was
# there already.
STATUS_WORDS = {
    "done": "new",
    "failed": "failed",
    "quarantined": "quarantined",
    "interrupted": "interrupted",
    "not_started": "not started",
    "up_to_date": "up to date",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetadata:
    """What is true of a run as a whole.

    `started` and `finished` are ISO 8601 with offset, `seconds` the time between them. `program`
    are the words that start this program in any shell, `manifest` is an absolute path, as both come
    back in commands to retry, `verb` is the command that was called, and `arguments` are the flags
    that go with it: those of a folder, and what was laid over options.
    `input` is the input folder relative to the output folder; with it the page links content and
    style pictures to their files. `command` is the command line, `warnings` what the user should
    hear of once per run, `notes` what is merely worth knowing. `auto_precision` is what `precision:
    auto` meant on this machine, and why. `shard` is `2/3` for a run over part of the pairs.
    """

    id: str
    started: str
    finished: str
    seconds: float
    exit_code: int
    manifest: str
    weights: Mapping[str, str]
    device: str
    threads: int | None
    versions: Mapping[str, str]
    command: Sequence[str] = ()
    host: str = ""
    deadline: str | None = None
    notes: Sequence[str] = ()
    auto_precision: str = ""
    warnings: Sequence[str] = ()
    input: str | None = None
    shard: str | None = None
    arguments: Sequence[str] = ()
    verb: str = "run"
    program: Sequence[str] = ("stylize",)


def build_report(
    facts: RunMetadata,
    outcomes: Iterable[Outcome],
    others: Iterable[Outcome] = (),
    *,
    counts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The whole of report.json, in plain JSON values; numbers that are not finite become null. Of
    very many pairs, most rows are no tables, but read like them (report/rows).

    `others` are pairs of the manifest that the run did not take up; `counts` are the run's own,
    where they are not those of `outcomes`. Pairs stand in the order given. Every promised key is
    there, even of a pair that never started; keys beyond the promised ones (`reason_class`,
    `notes`, `flags`, ...) may be added to.
    """
    rows = Rows()
    taken = [rows.take(pair_row(outcome)) for outcome in outcomes]
    pairs = [*taken, *(rows.take(pair_row(outcome)) for outcome in others)]
    run = _run(facts) | {"counts": counts_of(taken) if counts is None else dict(counts)}
    return {"schema": SCHEMA, "run": run, "counts": counts_of(pairs), "pairs": pairs}


def counts_of(pairs: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many pairs have each status."""
    counts: dict[str, int] = dict.fromkeys(STATUSES, 0)
    for pair in pairs:
        counts[pair["status"]] += 1
    return counts


def known_run(report: Any, now: RunMetadata) -> tuple[RunMetadata, dict[str, int]]:
    """What a report.json that was read from disk says of its run, and the run's counts; whatever is
    not as we write it is taken from `now`, and so is what the manifest says itself."""
    run = report.get("run") if isinstance(report, dict) else None
    run = run if isinstance(run, dict) else {}
    kept: dict[str, Any] = {
        name: run[name] for name, kind in _KEPT_OF_RUN.items() if name in run and isinstance(run[name], kind)
    }
    counts = run.get("counts")
    counts = counts if isinstance(counts, dict) else {}
    known: dict[str, Any] = {status: counts.get(status) for status in STATUSES}
    sound = (
        _KEPT_OF_RUN.keys() <= kept.keys()
        and kept["exit_code"] in [int(code) for code in ExitCode]
        and 0 <= kept["seconds"] < MOST
        and all(len(text) <= _LONGEST_TEXT for text in kept.values() if isinstance(text, str))
        and all(_is_moment(kept[name]) for name in ("started", "finished"))
        and all(isinstance(number, int) and 0 <= number < _MOST_PAIRS for number in known.values())
    )
    if not sound:
        return now, dict.fromkeys(STATUSES, 0)
    weights = run.get("weights")
    if isinstance(weights, dict) and all(_is_short(weights.get(name)) for name in ("name", "sha256")):
        kept["weights"] = {name: weights[name] for name in ("name", "sha256")}
    return replace(now, **kept), known


def _is_short(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= _LONGEST_TEXT


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def report_stem(shard: str | None) -> str:
    """The name of a run's reports without suffix: `report`, or for shard 2/3 `report.2-of-3`."""
    return "report" if shard is None else f"report.{shard.replace('/', '-of-')}"


def verdict(report: Mapping[str, Any]) -> str:
    """The run in one ASCII line, also the first of report.txt: `18 new, 2 failed - 5 h 12 m - exit
    3 (some failed)`."""
    run = report["run"]
    counted = ", ".join(f"{number} {words}" for words, number in _worded_counts(report)) or "no pairs"
    return f"{counted} - {duration(run['seconds'] or 0.0)} - {_end(report)}"


def standing_words(report: Mapping[str, Any]) -> str:
    """How much of the manifest stands: `7 of 22 painted, 15 still to do`."""
    counts = report["counts"]
    whole, painted = sum(counts.values()), counts["done"] + counts["up_to_date"]
    return f"{painted} of {whole} painted" + (f", {whole - painted} still to do" if painted < whole else "")


LEFT = ("failed", "interrupted", "not_started")
"""Statuses of pairs that are not painted, without those in quarantine."""
AS_ASKED = "Done as asked"  # of a run that ended well where pairs are left that it was not to take


def left_over(report: Mapping[str, Any]) -> int:
    """How many pairs of the manifest are left."""
    return sum(report["counts"][status] for status in LEFT)


def _end(report: Mapping[str, Any]) -> str:
    """The exit code in words; 0 is not "all" where pairs are left that the run was not to take."""
    code = report["run"]["exit_code"]
    if code != ExitCode.OK or not left_over(report):
        return exit_words(code)
    return f"exit 0 (all that was asked for; {standing_words(report)})"


def _worded_counts(report: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    for status, words in STATUS_WORDS.items():
        if number := report["run"]["counts"][status]:
            yield words + (_shared_reason(report) if status == "not_started" else ""), number


def _shared_reason(report: Mapping[str, Any]) -> str:
    """` (deadline)` where that is why every pair that was not started was not started, else
    nothing."""
    waiting = [pair.get("reason_class") for pair in report["pairs"] if pair["status"] == "not_started"]
    reasons = set(waiting[: report["run"]["counts"]["not_started"]])  # the run's own come first
    return " (deadline)" if reasons == {"deadline"} else ""


def _run(facts: RunMetadata) -> dict[str, Any]:
    run = {
        "id": facts.id,
        "started": facts.started,
        "finished": facts.finished,
        "seconds": facts.seconds,
        "exit_code": int(facts.exit_code),
        "manifest": facts.manifest,
        "arguments": facts.arguments,
        "program": facts.program,
        "weights": {"name": "", "sha256": ""} | dict(facts.weights),
        "device": facts.device,
        "threads": facts.threads,
        "auto_precision": facts.auto_precision,
        "versions": dict.fromkeys(VERSIONS, "") | dict(facts.versions),
        "command": facts.command,
        "host": facts.host,
        "deadline": facts.deadline,
        "notes": facts.notes,
        "warnings": facts.warnings,
        "input": facts.input,
        "shard": facts.shard,
        "verb": facts.verb,
    }
    return {key: _json_value(value) for key, value in run.items()}


def pair_row(outcome: Outcome) -> dict[str, Any]:
    """A pair's row in report.json."""
    names = dict.fromkeys((*_FIRST, *(field.name for field in fields(outcome) if field.name not in _LAST), *_LAST))
    made = {"losses": _losses(outcome), "flags": flags(outcome)}
    pair = {name: made[name] if name in made else getattr(outcome, name) for name in names}
    return {key: _json_value(value) for key, value in pair.items()}


def _losses(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """First and last losses; taken from the trace where the outcome does not say, as after a
    crash."""
    readings = {"first": outcome.trace[:1], "last": outcome.trace[-1:]}
    from_trace = {
        end: {name: row.get(name) for row in rows for name in loss_names(rows)} for end, rows in readings.items()
    }
    return {end: dict(outcome.losses.get(end) or from_trace[end]) for end in readings}


def _json_value(value: Any) -> Any:
    """A copy in values that JSON has. What has no place in JSON becomes its text: a report must
    always be writable."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {sys.intern(str(key)): _json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    return str(value)
