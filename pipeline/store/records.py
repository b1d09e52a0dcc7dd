"""What earlier runs did: one record per finished pair. The plan decides; this room only keeps."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import PairError, StylizeError
from pipeline.job import Manifest, Outcome, Painted, flat
from pipeline.objects.protocol import Fingerprint
from pipeline.printable import printable
from pipeline.store.checksummed_json import checksummed, is_read_again, read_checksummed_json
from pipeline.store.hashes import HashTable
from pipeline.store.keys import KEY_SCHEMA
from pipeline.store.layout import MOST_STYLES, RECORDS, STRIP, record_name, style_thumbnail, thumbnail_name
from pipeline.store.output_files import files_of, fingerprint_of, sha256_of
from pipeline.store.shapes import fitting
from pipeline.store.store import Store

_RECORD = re.compile(re.escape(RECORDS) + r"[0-9a-f]{16}\.json")  # named by `pair_id`
# Readings of a trace: enough for the report's curve; the report of a run over few pairs has all of
# them (batch/outcomes).
_TRACE_KEPT = 60
_OTHERS = ("content", "result", STRIP)
THUMBNAILS = (*_OTHERS, *map(style_thumbnail, range(MOST_STYLES)))
# Manifests of one folder that want one output; of more the first are forgotten.
_MOST_MANIFESTS = 20
_MOST_TOLD = 3  # records that are none; more are counted
# Of an outcome: of which picture it is, and what equal bytes depend on beside the key.
_BRIEF = ("output", "precision", "painted_with")
_SHARED = ("precision", "painted_with")  # of these, what is the same in many


class State:
    """What is known from earlier runs of the pairs of an output folder. `manifest` is whose runs
    these are (`manifest_name`)."""

    def __init__(self, store: Store, manifest: str = "") -> None:
        self.store, self.manifest = store, manifest
        self.hashes = HashTable(store)
        self._strange: list[str] = []

    def record(self, output: str) -> Record | None:
        """What is known of a pair, or None, also where the record cannot be read."""
        name = record_name(output)
        record = read_record(self.store, name)
        if record is not None and record.outcome["output"] == output:
            return record
        if self.store.identity(name) is not None:
            self._strange.append(name)
        return None

    def strange(self) -> list[str]:
        """What stands where records of this plan should, and was not used, in sentences."""
        told = [
            f"{printable(self.store.path(name))} is no record as they are written here; not used"
            for name in self._strange[:_MOST_TOLD]
        ]
        more = len(self._strange) - len(told)
        return [*told, *([f"... and {more} more such records"] if more else [])]

    def recent(self, most: int = 40) -> list[Mapping[str, Any]]:
        """How the pairs went that were painted last, by any manifest: rows as in report.json,
        oldest first."""
        try:
            newest = self.store.newest(RECORDS, _RECORD.fullmatch, most)
        except (OSError, StylizeError):
            return []
        records = [read_record(self.store, entry.name) for entry in newest]
        return [record.outcome for record in records if record is not None]

    def keep(self, outcome: Outcome) -> None:
        """Record a finished picture, which stands under its final name already."""
        self.store.check_in_place()
        names = files_of(outcome.output, outcome.clip)
        # First: a change after this is seen next time.
        fingerprint = fingerprint_of(self.store, names)
        record = Record(
            schema=KEY_SCHEMA,
            key=outcome.key,
            sha256=sha256_of(outcome.output, map(self.store.sha256, names)),
            size=fingerprint.size,
            mtime_ns=fingerprint.mtime_ns,
            tag=fingerprint.tag,
            outcome=flat(outcome) | {"trace": thin(outcome.trace)},
            manifests=self._manifests(self.record(outcome.output)),
        )
        self._write(record)

    def claim(self, record: Record) -> None:
        """Note that this manifest wants the picture too, so that no other's `clean` takes it."""
        if self.manifest and self.manifest not in record.manifests:
            self._write(replace(record, manifests=self._manifests(record)))

    def _manifests(self, record: Record | None) -> list[str]:
        before = [name for name in record.manifests if name != self.manifest] if record is not None else []
        return [*before, *([self.manifest] if self.manifest else [])][-_MOST_MANIFESTS:]

    def _write(self, record: Record) -> None:
        """Without the user's own words where they are too long, or have too many parts, to be read
        again."""
        data = checksummed(flat(record))
        if not is_read_again(data):
            data = checksummed(flat(replace(record, outcome={**record.outcome, "meta": {}, "notes": []})))
        self.store.write(record_name(record.outcome["output"]), data)

    def stands(self, record: Record, output: str) -> bool:
        """Is the picture still what was written, also where its time was set back? Its hash is
        remembered as those of inputs are, so that an unchanged picture is not read again."""
        try:
            names = files_of(output, record.outcome.get("clip"))
            now = fingerprint_of(self.store, names)
            if now.size != record.size:
                return False
            if now.tag:  # the store itself says what has changed
                return now.is_of_the_same(record.fingerprint) or self.store.sha256(output) == record.sha256
            hashes = (self.hashes.sha256(self.store.path(name), home=self.store.home) for name in names)
            return sha256_of(output, hashes) == record.sha256
        except (OSError, PairError):  # missing, unreadable, no regular file, or no name of a file
            return False

    def thumbnails(self, output: str) -> dict[str, str]:
        """The names of the thumbnails that exist, by content, style and result."""
        found = {}
        for which in THUMBNAILS:
            name = thumbnail_name(output, which)
            if self.store.exists(name):
                found[which] = name
            elif which not in _OTHERS:  # styles are numbered without a gap: no use to ask for six
                break
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One finished pair: its key, the picture's bytes as written, how it went, and the manifests
    that wanted it."""

    schema: int
    key: str
    sha256: str
    size: int
    mtime_ns: int
    outcome: Mapping[str, Any]
    manifests: Sequence[str] = field(default_factory=list)
    tag: str = ""  # of the picture, in a store of objects

    @property
    def fingerprint(self) -> Fingerprint:
        """The picture's, when it was written."""
        return Fingerprint(self.size, self.mtime_ns, self.tag)

    def brief(self, alike: dict[str, Any]) -> Record:
        """What a plan needs of a record to the end of its run: little memory. `alike` is what many
        records of the plan have in common, held once."""
        known = {name: self.outcome[name] for name in _BRIEF if name in self.outcome}
        clip = self.outcome.get("clip")
        if clip and "files" in clip:
            known["clip"] = {"files": clip["files"]}
        for name in _SHARED:
            if name in known:
                known[name] = alike.setdefault(json.dumps(known[name]), known[name])
        manifests = alike.setdefault(json.dumps(["manifests", *self.manifests]), tuple(self.manifests))
        return replace(self, outcome=known, manifests=manifests)

    @property
    def files(self) -> list[str]:
        """The names of the files that it is of."""
        return files_of(self.outcome["output"], self.outcome.get("clip"))

    @property
    def is_brief(self) -> bool:
        """Is there more of it on the disk? A record that is written has a trace, if an empty
        one."""
        return "trace" not in self.outcome

    def matches(self, store: Store, picture: str, *, read: bool) -> bool:
        """Is the picture still what was written? It is read only where its time is another, and
        never without `read`: somebody may have put ten thousand names of one file of a gigabyte
        there, each with a record."""
        try:
            names = files_of(picture, self.outcome.get("clip"))
            now = fingerprint_of(store, names)
            if now.size != self.size:
                return False
            if now.is_of_the_same(self.fingerprint):
                return True
            return read and sha256_of(picture, map(store.sha256, names)) == self.sha256
        except (OSError, PairError):  # missing, unreadable, no regular file, or no name of a file
            return False


def read_record(store: Store, name: str) -> Record | None:
    """The record in a file; None where there is none, or it was damaged, or is another version's,
    or another file's, or is not as we write them."""
    fields = fitting(Record, read_checksummed_json(store, name), unseen="outcome")  # nearly all of it: looked at once
    if fields is None or fields.get("schema") != KEY_SCHEMA:
        return None
    outcome = painted_fields(fields["outcome"], Outcome) if "outcome" in fields else None
    if outcome is None or record_name(outcome.get("output", "")) != name:
        return None
    try:
        return Record(**{**fields, "outcome": outcome})
    except TypeError:  # something is missing
        return None


def painted_fields(fields: Any, kind: type[Painted] = Painted) -> dict[str, Any] | None:
    """What is said of a finished picture, by a record or by the picture itself, as far as this
    version knows it; None where it is not as we write it."""
    known = fitting(kind, fields)
    if known is None:
        return None
    sizes, counts = (known.get("size"), known.get("painted_size")), (known.get(name) or 0 for name in _COUNTS)
    if any(size and (len(size) != 2 or not all(0 < side < _LONGEST_SIDE for side in size)) for size in sizes):
        return None
    return known if all(0 <= count < _MOST for count in counts) else None


# Of what is divided by, drawn or told in words, nothing is negative or without bounds.
_COUNTS = ("steps", "seconds", "seconds_per_step", "setup_seconds", "peak_memory_bytes", "threads")
_MOST, _LONGEST_SIDE = 2.0**63, 10**6


def manifest_name(manifest: Path, output: Path) -> str:
    """What records call a manifest: its path from the output folder, so that a project that is
    moved as a whole still knows its pictures."""
    return os.path.relpath(os.path.realpath(manifest), os.path.realpath(output))


def name_in_records(manifest: Manifest) -> str:
    """What records call a manifest: `manifest_name`, or, of an output that is an address, its
    file's name and a mark of its path on this machine, which nobody there could use."""
    if not manifest.output_url:
        return manifest_name(manifest.file, manifest.output)
    mark = hashlib.sha256(os.fsencode(os.path.realpath(manifest.file))).hexdigest()[:12]
    return f"{manifest.file.name} {mark}"


def thin(trace: list[dict[str, float]], most: int = _TRACE_KEPT) -> list[dict[str, float]]:
    """At most so many readings (two or more), the first and the last among them, evenly spread."""
    if len(trace) <= most:
        return trace
    last = len(trace) - 1
    return [trace[round(i * last / (most - 1))] for i in range(most)]
