"""What earlier runs did, on disk: one record per pair, and the hashes of input files already read.

A pair's key says everything that decides its pixels. A picture whose record bears the key that the manifest asks for today
is up to date. Decisions are `plan`'s; this room only keeps.

    OUTPUT/.pipeline/records/<pair id>.json      the outcome, the key and the hash of the picture as written
    OUTPUT/.pipeline/records/<pair id>.*.webp    thumbnails of content, style and result
    OUTPUT/.pipeline/records/hashes.json         (path, size, time, inode) -> SHA-256 of inputs
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.batch.selection import Shard
from pipeline.errors import BadImage
from pipeline.images.file_bytes import hash_file
from pipeline.job import Job, Outcome
from pipeline.nst.network import NORMALIZATION
from pipeline.options import NEUTRAL
from pipeline.store.checksummed_json import read_checksummed_json, write_checksummed_json

KEY_SCHEMA = 1  # raise when the make-up of the key changes
ALGORITHM = 5  # raise with every change that changes pixels
# A file changed within this time of being hashed may change again without a new time stamp (file systems round them).
_RACY_NS = 2_000_000_000
_RECORD = re.compile(r"[0-9a-f]{16}\.json")  # named by `pair_id`
_TRACE_KEPT = 60  # readings of a record's trace: enough for the report's curve; the run's own report has all of them


class State:
    """The folder OUTPUT/.pipeline."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output / ".pipeline"
        self.records = self.folder / "records"
        self.history = self.folder / "history"
        self.checkpoints = self.folder / "checkpoints"
        self.hashes = HashTable(self.records / "hashes.json")

    def history_of(self, shard: Shard | None = None) -> Path:
        """The history of whole runs, or of one shard's."""
        return self.history / ("runs.jsonl" if shard is None else f"runs.{shard.suffix}.jsonl")

    def record_path(self, output_name: str) -> Path:
        """Where a pair's record stands."""
        return self.records / f"{pair_id(output_name)}.json"

    def record(self, output_name: str) -> Record | None:
        """What is known of a pair, or None; a record that cannot be read counts as none, and the pair is looked at anew."""
        return read_record(self.record_path(output_name))

    def recent(self, most: int = 40) -> list[Mapping[str, Any]]:
        """How the pairs went that were painted last, by any manifest: rows as in report.json, oldest first."""
        try:
            with os.scandir(self.records) as entries:
                files = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if _RECORD.fullmatch(entry.name)]
        except OSError:
            return []
        records = [read_record(Path(path)) for _, path in sorted(files)[-most:]]
        return [record.outcome for record in records if record is not None]

    def keep(self, outcome: Outcome) -> None:
        """Record a finished picture. Called after the picture stands under its final name, never before."""
        picture = self.output / outcome.output
        stamp = picture.stat()
        row = asdict(outcome) | {"trace": thin(outcome.trace)}
        record = Record(
            schema=KEY_SCHEMA,
            key=outcome.key,
            sha256=hash_file(picture),
            size=stamp.st_size,
            mtime_ns=stamp.st_mtime_ns,
            outcome=row,
        )
        write_checksummed_json(self.record_path(outcome.output), asdict(record))

    def checkpoint_path(self, output_name: str) -> Path:
        """Where a pair's checkpoint stands (batch/checkpoints)."""
        return self.checkpoints / f"{pair_id(output_name)}.npz"

    def thumbnail_path(self, output_name: str, which: str) -> Path:
        """Where a pair's thumbnail stands; `which` is content, style or result."""
        return self.records / f"{pair_id(output_name)}.{which}.webp"

    def thumbnails(self, output_name: str) -> dict[str, Path]:
        """The thumbnails that exist, by content, style and result."""
        paths = {which: self.thumbnail_path(output_name, which) for which in ("content", "style", "result")}
        return {which: path for which, path in paths.items() if path.is_file()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One finished pair: its key, the picture's bytes as written, and how it went."""

    schema: int
    key: str
    sha256: str
    size: int
    mtime_ns: int
    outcome: Mapping[str, Any]

    def matches(self, picture: Path) -> bool:
        """Is the picture still what was written? Its bytes are read only where size or time differ from the record."""
        try:
            stamp = picture.stat()
        except OSError:
            return False
        if stamp.st_size != self.size:
            return False
        try:
            return stamp.st_mtime_ns == self.mtime_ns or hash_file(picture) == self.sha256
        except BadImage:  # not readable, or no regular file any more
            return False


def read_record(path: Path) -> Record | None:
    """The record in a file; None where there is none, or it was damaged, or another version's."""
    fields = read_checksummed_json(path)
    try:
        return Record(**fields) if fields is not None and fields["schema"] == KEY_SCHEMA else None
    except (TypeError, KeyError):
        return None


class HashTable:
    """SHA-256 of files, remembered by path, size, time and inode, so that an unchanged input is not read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[Any]] | None = None
        self._used: dict[str, list[Any]] = {}

    def sha256(self, path: Path) -> str:
        """The hash of a file's bytes. Raises BadImage as the image door does (missing, not a file, too large)."""
        name = os.path.abspath(path)
        with contextlib.suppress(OSError):
            stamp = self._stamp(os.stat(name))
            entry = self._used.get(name) or self._table().get(name)
            if entry and entry[:-1] == stamp:
                self._used[name] = entry
                return str(entry[-1])
        digest = hash_file(path)
        status = os.stat(name)
        if time.time_ns() - status.st_mtime_ns > _RACY_NS:
            self._used[name] = [*self._stamp(status), digest]
        return digest

    def save(self, *, whole: bool) -> None:
        """Keep what this run used. After a `whole` run entries of files that the manifest names no more fall away; a run over
        a part keeps them. Without news, nothing is written."""
        entries = self._used if whole else self._table() | self._used
        if entries != self._table():
            write_checksummed_json(self._path, entries)

    def _table(self) -> dict[str, list[Any]]:
        if self._known is None:
            self._known = read_checksummed_json(self._path) or {}
        return self._known

    @staticmethod
    def _stamp(status: os.stat_result) -> list[Any]:
        return [status.st_size, status.st_mtime_ns, status.st_ino]


def pair_id(output_name: str) -> str:
    """A file name for a pair, from its output's name: short, plain, and the same while its options change."""
    return hashlib.sha256(os.fsencode(output_name)).hexdigest()[:16]


def pair_key(job: Job, sha256: Callable[[Path], str], weights_sha256: str) -> str:
    """SHA-256 of everything that decides a pair's pixels and bytes: the inputs' contents, the options, the network.

    File names, times, threads, tiles, versions and the preset's name are not in it: moving a project or updating a library
    does not repaint a gallery. Nor is an option that came later, where it is at the value that paints as before it came: a
    new option does not repaint a gallery either. `sha256` gives the hash of an input file's bytes; what it raises (BadImage),
    this raises.
    """
    options = job.options.as_dict()
    for name in ("preset", "weights", *(name for name, value in NEUTRAL.items() if options.get(name) == value)):
        del options[name]
    options["tile"] = "auto"  # whatever it is: changes nothing but rounding
    if job.options.starts_from_file:
        options["init"] = sha256(Path(job.options.init))
    makeup = {
        "schema": KEY_SCHEMA,
        "algorithm": ALGORITHM,
        "content": sha256(job.content),
        "styles": [[sha256(style.image), style.weight] for style in job.styles],
        "options": options,
        "weights": weights_sha256,
        "format": Path(job.output).suffix.lower(),
    }
    if job.options.normalize == "channels":
        makeup["normalization"] = NORMALIZATION
    return hashlib.sha256(json.dumps(makeup, sort_keys=True).encode()).hexdigest()


def thin(trace: list[dict[str, float]]) -> list[dict[str, float]]:
    """At most `_TRACE_KEPT` readings, the first and the last among them, evenly spread."""
    if len(trace) <= _TRACE_KEPT:
        return trace
    last = len(trace) - 1
    return [trace[round(i * last / (_TRACE_KEPT - 1))] for i in range(_TRACE_KEPT)]
