"""What an output folder says of its run: the one that goes on, or the last. Everything is read,
nothing is written, and no lock is taken or tried."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import ExitCode, OutputError, StylizeError
from pipeline.job import STATUSES
from pipeline.store.disk import LocalStore
from pipeline.store.layout import LOCK, MOST_REPORT_BYTES, NOW, pair_id
from pipeline.store.now import AtWork, Now, read_all
from pipeline.store.roll import MOST_PAIRS, Enrolled, Roll
from pipeline.store.shapes import MOST, fitting
from pipeline.store.store import Entry, Store

State = Literal["painting", "silent", "killed", "over", "none"]

_LOOK_SECONDS = 1.0  # between two looks, whoever asks
# A run writes its small file every two seconds, or a step; a step of 6000 pixels takes minutes.
_SILENT_SECONDS = 180.0
_MOST_LOCK = 4096  # bytes of a lock's text
_REPORT = re.compile(r"report(?:\.([0-9]{1,6}-of-[0-9]{1,6}))?\.json")
# Of a row of a report, which has some 20 kB, and of the names with which it begins, which have some
# hundred bytes.
_LONGEST_LINE, _LONGEST_BEGINNING = 2**24, 2**16
_RUN, _PAIRS = b' "run": ', b' "pairs": ['  # as report/write begins lines
# What follows in a row is not wanted here; within a string the quotes would be escaped.
_REST = b', "attempts": '


@dataclass(frozen=True, kw_only=True)
class Night:
    """A run as it stands. `runs` are those that go on (or were killed), by shard; `last` those that
    wrote a report; `pairs` those of the former, or else of the latter. `version` is another when
    anything is."""

    state: State
    version: str
    runs: dict[str, Now] = field(default_factory=dict)
    last: dict[str, LastRun] = field(default_factory=dict)
    pairs: dict[str, Enrolled] = field(default_factory=dict)
    trouble: str = ""

    @functools.cached_property
    def at_work(self) -> dict[str, AtWork]:
        """The pairs that are painted, or were when the run was killed."""
        return {pair.output: pair for now in self.runs.values() for pair in now.at_work}

    @functools.cached_property
    def by_id(self) -> dict[str, str]:
        """Names of outputs by the ids of their pairs."""
        return {pair_id(output): output for output in {**self.pairs, **self.at_work}}


class Watcher:
    """Looks at a folder, which may come, go and be another; at most once a second, whoever asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Store = LocalStore(folder)
        self._lock = threading.Lock()
        self._due = 0.0
        self._night = Night(state="none", version="")
        self._rolls: dict[str, Roll] = {}
        self._reports: object = None
        self._last = Last()

    def look(self) -> Night:
        """How it stands, of this moment or of a second ago."""
        with self._lock:
            if time.monotonic() >= self._due:
                try:
                    self._night = self._looked()
                except StylizeError as error:
                    self._night = Night(state="none", version=_short(str(error)), trouble=str(error))
                self._due = time.monotonic() + _LOOK_SECONDS
            return self._night

    def _looked(self) -> Night:
        try:
            self.store.check_in_place()
        except OutputError:
            self.store, self._rolls, self._reports = LocalStore(self.folder), {}, None
        found = reports(self.store)
        runs = read_all(self.store)
        states = {shard: _state_of(self.store, shard, now) for shard, now in runs.items()}
        for shard in [shard for shard, state in states.items() if state == "killed" and _is_past(runs[shard], found)]:
            del runs[shard], states[shard]
        first: list[State] = ["painting", "silent", "killed"]
        state = next((one for one in first if one in states.values()), "over" if found else "none")
        seen = (state, found, self.store.list(NOW))
        version = _short(repr(seen))
        if version == self._night.version:
            return self._night
        if found != self._reports:
            self._reports, self._last = found, read_last(self.store, found)
        rolls = {shard: self._rolls.get(shard) or Roll(self.store, shard or None) for shard in runs}
        self._rolls = rolls
        pairs: dict[str, Enrolled] = {}
        for shard, roll in rolls.items():
            roll.look()
            if roll.run == runs[shard].run:
                pairs |= roll.pairs
        return Night(
            state=state,
            version=version,
            runs=runs,
            last=self._last.runs,
            pairs=pairs or self._last.pairs,
        )


def _state_of(store: Store, shard: str, now: Now) -> State:
    """A run's, from what it wrote last, and whether its process is there, where it is of this
    machine: to ask the lock itself would take it for an instant."""
    with contextlib.suppress(ValueError, OverflowError, OSError):  # a time that is none
        updated = datetime.fromisoformat(now.updated)
        age = (datetime.now(updated.tzinfo) - updated).total_seconds()
        if (there := _is_there(store, shard, now.run)) is not None:
            # while it looks at what there is to do, nothing is written
            return ("painting" if age < _SILENT_SECONDS or not now.whole else "silent") if there else "killed"
        if age < _SILENT_SECONDS:
            return "painting"
    return "silent"


def _is_past(now: Now, found: list[tuple[str, Entry]]) -> bool:
    """Has another run written a report since this one was killed?"""
    try:
        updated = datetime.fromisoformat(now.updated).timestamp()
    except (ValueError, OverflowError, OSError):
        return bool(found)
    return any(entry.fingerprint.mtime_ns > updated * 1e9 for _, entry in found)


def _is_there(store: Store, shard: str, run: str) -> bool | None:
    """Is the process that signed the lock with this run there? None where that is not known."""
    try:
        text = json.loads(store.read(f"{LOCK}-{shard}" if shard else LOCK, at_most=_MOST_LOCK))
        host, pid, signed = text["host"], text["pid"], text["run"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if signed != run:
        return False  # another holds the folder, or held it since
    if host != socket.gethostname() or not isinstance(pid, int) or not 0 < pid < 2**31:
        return None
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's, and so there
    return True


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


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
    within = False
    for line in _lines(store, name):
        if not within and line.startswith(_RUN) and (run := _run(line)) is not None:
            last.runs[shard] = run
        within = within or line.startswith(_PAIRS)
        if within and len(last.pairs) < MOST_PAIRS and (pair := _pair(line)) is not None:
            before = last.pairs.get(pair.output)
            if before is None or before.status == "not_started":  # which another part says of ours
                last.pairs[pair.output] = pair


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
