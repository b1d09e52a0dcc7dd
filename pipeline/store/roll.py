"""Which pairs a run took up, and how each ended, while the run goes on: written once, then a line
for each pair that has ended, those of two seconds at once.

    OUTPUT/.pipeline/now/run.pairs.jsonl

It goes with the small file of the run (store/now). Readers are told of what is new since they last
looked, so that a look at ten thousand pairs costs what happened in between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.errors import StylizeError
from pipeline.job import STATUSES
from pipeline.store.layout import roll_name
from pipeline.store.shapes import fitting
from pipeline.store.store import Store

# Of the file: a line has some 150 bytes, and a hundred thousand pairs are the most that was tried.
_MOST_BYTES = 2**26
MOST_PAIRS = 200_000  # of what is read; each takes some hundred bytes of memory
_LONGEST_LINE = 2**16  # bytes; a name has at most 2000
_LONGEST_REASON = 500  # characters
_HEAD = '{"run": '
_LONGEST_HEAD = 200  # bytes of the first line


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A pair of a run: its output's name, those of content and styles as reports have them, and its
    status, as it was planned or as it ended; of a run that goes on `not_started` waits."""

    output: str
    status: str
    content: str = ""
    style: list[str] = field(default_factory=list)
    reason: str | None = None


def write_roll(store: Store, shard: str | None, run_id: str, pairs: Iterable[Enrolled]) -> None:
    """Begin the roll of a run. Raises as `Store.write` does."""
    lines = [_HEAD + json.dumps(run_id) + "}", *(json.dumps(_row(pair)) for pair in pairs)]
    store.write(roll_name(shard), ("\n".join(lines) + "\n").encode("ascii"))


def add_to_roll(store: Store, shard: str | None, pairs: Iterable[Enrolled]) -> None:
    """These pairs have ended. Raises as `Store.append` does."""
    store.append(roll_name(shard), "".join(json.dumps(_row(pair)) + "\n" for pair in pairs).encode("ascii"))


def _row(pair: Enrolled) -> dict[str, Any]:
    row: dict[str, Any] = {"output": pair.output, "status": pair.status, "content": pair.content, "style": pair.style}
    row |= {"reason": pair.reason[:_LONGEST_REASON] if pair.reason else None}
    return {name: value for name, value in row.items() if value}


class Roll:
    """The pairs of one run's roll, by output, in the order of the plan; what is not as we write it
    is passed over."""

    def __init__(self, store: Store, shard: str | None) -> None:
        self._store, self._name = store, roll_name(shard)
        self._head = b""  # the first line, which no other run's roll has
        self._read = 0  # bytes
        self.run = ""
        self.pairs: dict[str, Enrolled] = {}

    def look(self) -> None:
        """Take in what is new. A file that is gone, or cannot be read, has no pairs."""
        try:
            with self._store.open(self._name) as file:
                head = file.readline(_LONGEST_HEAD)
                if head != self._head or file.seek(0, os.SEEK_END) < self._read:
                    self._head, self._read, self.run, self.pairs = head, 0, "", {}
                file.seek(self._read)
                new = file.read(_MOST_BYTES - self._read)
        except (OSError, StylizeError):
            self._head, self._read, self.run, self.pairs = b"", 0, "", {}
            return
        whole = new[: new.rfind(b"\n") + 1]  # a line that is being written is read the next time
        self._read += len(whole)
        for line in whole.splitlines():
            if len(line) <= _LONGEST_LINE and len(self.pairs) < MOST_PAIRS:
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(row, dict) and isinstance(row.get("run"), str):
            self.run = row["run"]
        fields = fitting(Enrolled, row)
        if not fields or not fields.get("output") or fields.get("status") not in STATUSES:
            return
        before = self.pairs.get(fields["output"])
        known = Enrolled(**fields)
        if before is not None:  # how it ended, of which the names were told before
            known = replace(before, status=known.status, reason=known.reason)
        self.pairs[known.output] = known
