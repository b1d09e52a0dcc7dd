"""What earlier runs did: one record per finished pair. The plan decides; this room only keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import PairError
from pipeline.job import Outcome
from pipeline.store.checksummed_json import read_checksummed_json, write_checksummed_json
from pipeline.store.hashes import HashTable
from pipeline.store.keys import KEY_SCHEMA
from pipeline.store.layout import RECORDS, record_name, thumbnail_name
from pipeline.store.store import Fingerprint, Store

_RECORD = re.compile(re.escape(RECORDS) + r"[0-9a-f]{16}\.json")  # named by `pair_id`
# Readings of a trace: enough for the report's curve; the run's own report has all of them.
_TRACE_KEPT = 60
THUMBNAILS = ("content", "style", "result")


class State:
    """What is known from earlier runs of the pairs of an output folder."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.hashes = HashTable(store)

    def record(self, output: str) -> Record | None:
        """What is known of a pair, or None, also where the record cannot be read."""
        return read_record(self.store, record_name(output))

    def recent(self, most: int = 40) -> list[Mapping[str, Any]]:
        """How the pairs went that were painted last, by any manifest: rows as in report.json,
        oldest first."""
        try:
            entries = [entry for entry in self.store.list(RECORDS) if _RECORD.fullmatch(entry.name)]
        except OSError:
            return []
        newest = sorted(entries, key=lambda entry: entry.fingerprint.mtime_ns)[-most:]
        records = [read_record(self.store, entry.name) for entry in newest]
        return [record.outcome for record in records if record is not None]

    def keep(self, outcome: Outcome) -> None:
        """Record a finished picture, which stands under its final name already."""
        # First: a change after this is seen next time.
        fingerprint = self.store.fingerprint(outcome.output)
        record = Record(
            schema=KEY_SCHEMA,
            key=outcome.key,
            sha256=self.store.sha256(outcome.output),
            size=fingerprint.size,
            mtime_ns=fingerprint.mtime_ns,
            outcome=asdict(outcome) | {"trace": thin(outcome.trace)},
        )
        write_checksummed_json(self.store, record_name(outcome.output), asdict(record))

    def thumbnails(self, output: str) -> dict[str, str]:
        """The names of the thumbnails that exist, by content, style and result."""
        names = {which: thumbnail_name(output, which) for which in THUMBNAILS}
        return {which: name for which, name in names.items() if self.store.exists(name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One finished pair: its key, the picture's bytes as written, and how it went."""

    schema: int
    key: str
    sha256: str
    size: int
    mtime_ns: int
    outcome: Mapping[str, Any]

    def matches(self, store: Store, picture: str) -> bool:
        """Is the picture still what was written? It is read only where its time is another."""
        try:
            now = store.fingerprint(picture)
            if now.size != self.size:
                return False
            return now == Fingerprint(self.size, self.mtime_ns) or store.sha256(picture) == self.sha256
        except (OSError, PairError):  # missing, unreadable, no regular file, or no name of a file
            return False


def read_record(store: Store, name: str) -> Record | None:
    """The record in a file; None where there is none, or it was damaged, or another version's."""
    fields = read_checksummed_json(store, name)
    try:
        return Record(**fields) if fields is not None and fields["schema"] == KEY_SCHEMA else None
    except (TypeError, KeyError):
        return None


def thin(trace: list[dict[str, float]]) -> list[dict[str, float]]:
    """At most `_TRACE_KEPT` readings, the first and the last among them, evenly spread."""
    if len(trace) <= _TRACE_KEPT:
        return trace
    last = len(trace) - 1
    return [trace[round(i * last / (_TRACE_KEPT - 1))] for i in range(_TRACE_KEPT)]
