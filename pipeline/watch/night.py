"""What an output folder says of its run: the one that goes on, or the last. Everything is read,
nothing is written, and no lock is taken or tried."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipeline.errors import OutputError, StylizeError
from pipeline.store.disk import LocalStore
from pipeline.store.layout import LOCK, NOW, pair_id
from pipeline.store.now import AtWork, Now, read_all
from pipeline.store.roll import Enrolled, Roll
from pipeline.store.store import Entry, Store
from pipeline.watch.last import Last, LastRun, read_last, reports

State = Literal["painting", "silent", "killed", "over", "none"]

_LOOK_SECONDS = 1.0  # between two looks, whoever asks
# A run writes its small file every two seconds, or a step; a step of 6000 pixels takes minutes.
_SILENT_SECONDS = 180.0
_MOST_LOCK = 4096  # bytes of a lock's text


@dataclass(frozen=True, kw_only=True)
class Night:
    """A run as it stands. `runs` are those that go on (or were killed), by shard, and `killed` the
    shards of those that were, beside others that go on; `last` are those that wrote a report;
    `pairs` those of `runs`, or else of `last`. `version` is another when anything is."""

    state: State
    version: str
    runs: dict[str, Now] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
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
        seen = (state, states, found, self.store.list(NOW))
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
        killed = [shard for shard, one in states.items() if one == "killed" != state]
        return Night(
            state=state,
            version=version,
            runs=runs | {shard: replace(runs[shard], at_work=[], seconds_left=None) for shard in killed},
            killed=killed,
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
