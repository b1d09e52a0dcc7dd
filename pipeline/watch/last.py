"""The last run, from the report.json that it left: its own facts, and which pairs there are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.errors import ExitCode, StylizeError
from pipeline.job import STATUSES
from pipeline.store.layout import MOST_REPORT_BYTES
from pipeline.store.roll import MOST_PAIRS, Enrolled
from pipeline.store.shapes import MOST, fitting
from pipeline.store.store import Entry, Store

_REPORT = re.compile(r"report(?:\.([0-9]{1,6}-of-[0-9]{1,6}))?\.json")
# Of a row of a report, which has some 20 kB, and of the names with which it begins, which have some
# hundred bytes.
_LONGEST_LINE, _LONGEST_BEGINNING = 2**24, 2**16
_RUN, _PAIRS = b' "run": ', b' "pairs": ['  # as report/write begins lines
# What follows in a row is not wanted here; within a string the quotes would be escaped.
_REST = b', "attempts": '


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """What a report says of its run, in the types that it has there."""

    id: str = ""
    started: str = ""
    finished: str = ""
    seconds: float | None = None
    exit_code: int = 0
    host: str = ""
    device: str = ""
    manifest: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Last:
    """The last run, or all parts of one that was divided: `runs` by shard, `pairs` by output."""

    runs: dict[str, LastRun] = field(default_factory=dict)
    pairs: dict[str, Enrolled] = field(default_factory=dict)


def reports(store: Store) -> list[tuple[str, Entry]]:
    """Those of the last run, by shard: of a whole run and of a divided one the newer."""
    found = [
        (match[1] or "", entry)
        for entry in store.list("report")
        if (match := _REPORT.fullmatch(entry.name)) is not None
    ]
    if not found:
        return []
    newest = max(found, key=lambda one: one[1].fingerprint.mtime_ns)[0]
    division = newest.partition("-of-")[2]
    return [one for one in found if one[0].partition("-of-")[2] == division]


def read_last(store: Store, found: list[tuple[str, Entry]]) -> Last:
    """What these reports say; what is not as we write it is passed over."""
    last = Last()
    for shard, entry in found:
        try:
            _read(store, entry.name, shard, last)
        except (OSError, StylizeError):
            continue
    return last


def _read(store: Store, name: str, shard: str, last: Last) -> None:
    within, seen = False, Counter[str]()
    for line in _lines(store, name):
        if not within and line.startswith(_RUN) and (run := _run(line)) is not None:
            last.runs[shard] = run
        within = within or line.startswith(_PAIRS)
        if within and len(last.pairs) < MOST_PAIRS and (pair := _pair(line)) is not None:
            seen[pair.status] += 1
            before = last.pairs.get(pair.output)
            if before is None or before.status == "not_started":  # which another part says of ours
                last.pairs[pair.output] = pair
    if (told := last.runs.get(shard)) is not None and not told.counts:  # 0.1 said them of the report alone
        last.runs[shard] = replace(told, counts=dict(seen))


def _lines(store: Store, name: str) -> Iterator[bytes]:
    left = MOST_REPORT_BYTES
    with store.open(name) as file:
        while left > 0 and (line := file.readline(_LONGEST_LINE)):
            left -= len(line)
            yield line


def _run(line: bytes) -> LastRun | None:
    fields = fitting(LastRun, _first_value(line[len(_RUN) :]))
    if fields is None or not 0 <= (fields.get("seconds") or 0.0) <= MOST:
        return None
    run = LastRun(**fields)
    return run if run.exit_code in [int(code) for code in ExitCode] else None


def _pair(line: bytes) -> Enrolled | None:
    start, end = line.find(b"{"), line.find(_REST)
    beginning = line[start:end] + b"}" if end > 0 else line[start:]
    if start < 0 or len(beginning) > _LONGEST_BEGINNING:
        return None
    fields = fitting(Enrolled, _first_value(beginning))
    if not fields or not fields.get("output") or fields.get("status") not in STATUSES:
        return None
    return Enrolled(**fields)


def _first_value(text: bytes) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text.decode("ascii"))[0]
    except (ValueError, RecursionError):
        return None
