"""Removes what is not wanted any more: pictures that earlier runs of a manifest painted and it no
longer names, and what runs leave behind (old logs, checkpoints, small pictures). Never a stranger's
file, and never what another manifest of the same folder wanted.

Records can be anybody's, and their seal proves nothing (store/checksummed_json): a picture goes
only where it says itself, by its metadata, what its record says of it."""

from __future__ import annotations

import itertools
import math
import posixpath
import re
import time
import zipfile
import zlib
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.clip_names import is_numbered
from pipeline.errors import StylizeError
from pipeline.images.reader import READER
from pipeline.job import Manifest, RunSettings
from pipeline.manifest.pairs.naming import on_other_days, output_fault
from pipeline.store.archive import open_archive
from pipeline.store.failures import read_failure
from pipeline.store.layout import (
    CHECKPOINT_SUFFIX,
    CHECKPOINTS,
    CLIPS,
    HISTORY,
    RECORDS,
    STATE,
    STEPS,
    frames_of_pair,
    pair_id,
    preview_name,
    steps_folder,
    thumbnail_name,
)
from pipeline.store.output_files import clips_with_frames, kept_frames, pairs_with_frames, sha256_of
from pipeline.store.previous import files_by_pair
from pipeline.store.records import THUMBNAILS, Record, name_in_records, read_record
from pipeline.store.store import Entry, Store, output_store

CHECKPOINT_DAYS = 14  # chosen: two week-ends; whoever has not gone on by then will not
# Files that are named by `layout`; others in our folders are strangers'.
_OF_A_RECORD = re.compile(rf"{re.escape(RECORDS)}[0-9a-f]{{16}}(\.failed)?\.json")
_OF_A_CHECKPOINT = re.compile(rf"{re.escape(CHECKPOINTS)}[0-9a-f]{{16}}{re.escape(CHECKPOINT_SUFFIX)}")
_OF_A_STEP = re.compile(rf"{re.escape(STEPS)}[0-9a-f]{{16}}/[0-9]+-[0-9]+px-[0-9]+\.jpg")
# The driver only looks at the first words of a checkpoint, and a large file is as good as a small.
_MOST_CHECKPOINT_BYTES = 2**40
_ABOUT_HEAD = 4096  # bytes of its description, of which the key is the second entry
_KEY = re.compile(rb'\{"schema": [0-9]{1,9}, "key": "([^"\\]{0,128})"')
# Folders, and how the files in them end that become old, beside older pictures. Records, failures
# and the history itself are small and stay.
_AGEING = ((HISTORY, ".log"), (CHECKPOINTS, CHECKPOINT_SUFFIX))


@dataclass(slots=True)
class Cleaned:
    """What goes, or went; and how many pairs that the manifest does not want were left, as other
    manifests (or nobody knows who) made them."""

    paths: list[Path] = field(default_factory=list)
    others: int = 0


def clean_output(manifest: Manifest, *, dry_run: bool) -> Cleaned:
    """Delete, or with `dry_run` only list, pictures that only this manifest wanted, and that no
    pair of it wants any more, with their records.

    A picture that was changed since it was written is somebody's work and stays, and so do those
    that a pair painted on other days under names with `{date}`. Raises Locked while a run is going
    on.
    """
    store = output_store(manifest)
    search = _Search(store, {pair_id(job.output) for job in manifest.pairs}, name_in_records(manifest), manifest.date)
    if dry_run:
        return Cleaned([store.path(name) for name in search.unwanted()], search.others)
    if not any(store.list(folder) for folder in (f"{STATE}/", RECORDS, CHECKPOINTS)):
        return Cleaned()  # no run was ever here, and none is to be locked out
    with store.lock("clean"):
        store.remove_parts()
        unwanted = list(search.unwanted())
        for name in unwanted:
            with suppress(OSError, StylizeError):
                store.delete(name)
            folder = posixpath.dirname(name)
            if folder and (not name.startswith(f"{STATE}/") or name.startswith((STEPS, CLIPS))):
                store.prune(folder)
    return Cleaned([store.path(name) for name in unwanted], search.others)


def useless_checkpoints(store: Store, finished: Container[str], unfinished: Container[str]) -> list[str]:
    """Checkpoints that no run will go on from: of `finished` pairs (by id), and of pairs of other
    manifests, where a picture stands that was painted to the same key, or the file is damaged; and
    whatever is older than a fortnight.

    Another manifest may share the output folder, and its night was perhaps stopped in the middle of
    a pair: what is in doubt stays. `unfinished` are the pairs that this run knows to be waiting.
    """
    oldest_ns = (time.time() - CHECKPOINT_DAYS * 86400) * 1e9

    def is_useless(entry: Entry) -> bool:
        pair = _pair_of(entry.name)
        if pair in finished or entry.fingerprint.mtime_ns < oldest_ns:
            return True
        return pair not in unfinished and _key_of(store, entry.name) in (None, _painted_key(store, pair))

    useless = []
    for entry in _checkpoints(store):
        with suppress(FileNotFoundError):  # another shard's worker is done with it
            useless += [entry.name] if is_useless(entry) else []
    return useless


def _checkpoints(store: Store) -> list[Entry]:
    return [entry for entry in store.list(CHECKPOINTS) if _OF_A_CHECKPOINT.fullmatch(entry.name)]


def _pair_of(name: str) -> str:
    """The id of the pair that a file of ours is of."""
    return posixpath.basename(name).split(".")[0]


def _key_of(store: Store, checkpoint: str) -> str | None:
    """The key that a checkpoint bears; None where it is damaged, or not as batch/checkpoints writes
    it. Read without NumPy, which the driver does not load: the entry "about" is JSON behind the
    short header of an .npy file, and its second entry is the key."""
    try:
        with (
            store.open(checkpoint) as file,
            open_archive(file, _MOST_CHECKPOINT_BYTES) as archive,
            archive.open("about.npy") as entry,
        ):
            found = _KEY.search(entry.read(_ABOUT_HEAD))
        return found[1].decode() if found else None
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def _painted_key(store: Store, pair: str) -> str:
    """The key of the picture that stands for a pair; empty where none stands as it was painted, as
    far as that is known without reading it."""
    record = read_record(store, f"{RECORDS}{pair}.json")
    if record is None or not _is_an_output(record) or not record.matches(store, record.outcome["output"], read=False):
        return ""
    return record.key


def _is_an_output(record: Record) -> bool:
    """Can the name that a record bears be an output's?"""
    return output_fault(record.outcome["output"]) is None


class _Search:
    """For what belongs to no pair in `wanted` (ids), and was made for the manifest of this name."""

    def __init__(self, store: Store, wanted: Container[str], manifest: str, date: str) -> None:
        self._store, self._wanted, self._manifest, self._date = store, wanted, manifest, date
        self._older = files_by_pair(store)
        self.others = 0

    def unwanted(self) -> Iterator[str]:
        """Names: each picture, then what is known of it."""
        found = {_pair_of(entry.name) for entry in self._store.list(RECORDS) if _OF_A_RECORD.fullmatch(entry.name)}
        for pair in sorted(found):
            if pair not in self._wanted:
                yield from self._of_pair(pair)
        yield from self._useless_checkpoints(found)

    def _of_pair(self, pair: str) -> Iterator[str]:
        record = read_record(self._store, f"{RECORDS}{pair}.json")
        failure = read_failure(self._store, f"{RECORDS}{pair}.failed.json")
        makers = [*(record.manifests if record else ()), *([failure.manifest] if failure else ())]
        if not makers or any(maker != self._manifest for maker in makers):
            self.others += 1
            return
        output = (record.outcome if record else {}).get("output") or (failure.output if failure else "")
        if pair_id(output) != pair:
            return  # it was renamed, or is another's
        if self._date and any(pair_id(name) in self._wanted for name in on_other_days(output, self._date)):
            return
        if record is not None and _is_an_output(record) and self._proves(record):
            yield from record.files
        names = (f"{RECORDS}{pair}.json", f"{RECORDS}{pair}.failed.json", f"{CHECKPOINTS}{pair}{CHECKPOINT_SUFFIX}")
        yield from filter(self._store.exists, names)
        yield from filter(self._store.exists, (thumbnail_name(output, which) for which in THUMBNAILS))
        yield from filter(self._store.exists, (preview_name(output),))
        yield from (entry.name for entry in self._store.list(steps_folder(output)) if _OF_A_STEP.fullmatch(entry.name))
        yield from (entry.name for entry in self._older.get(pair, ()))
        yield from self._frames_of(pair)

    def _frames_of(self, pair: str) -> Iterator[str]:
        """The painted frames of a clip, and then what says that it has some."""
        yield from (entry.name for _number, entry in kept_frames(self._store, pair))
        yield from (entry.name for known, entry in clips_with_frames(self._store) if known == pair)

    def _proves(self, record: Record) -> bool:
        """Does the picture stand as it was painted, and does it say itself that it is this one?"""
        output, names = record.outcome["output"], record.files
        try:
            if not names or sha256_of(output, map(self._store.sha256, names)) != record.sha256:
                return False
            settings = READER.metadata(self._store.path(names[0]), self._store.home)
        except (OSError, StylizeError):
            return False
        if is_numbered(output):  # whose files have the keys of frames
            return settings.get("output") == output and "frame" in settings
        return settings.get("key") == record.key

    def _useless_checkpoints(self, known: Collection[str]) -> Iterator[str]:
        """Old ones, and damaged ones of nobody."""
        for name in useless_checkpoints(self._store, (), self._wanted):
            if _pair_of(name) not in self._wanted and _pair_of(name) not in known:
                yield name
        oldest = time.time() - CHECKPOINT_DAYS * 86400
        for pair, entry in clips_with_frames(self._store):  # of clips that were never finished
            if pair not in self._wanted and pair not in known and entry.fingerprint.mtime_ns < oldest * 1e9:
                yield from self._frames_of(pair)


def remove_old(store: Store, settings: RunSettings, rows: Sequence[Mapping[str, Any]]) -> int:
    """Remove what is older than `retention` says, and return how many files that were; `rows` are
    those of the history, oldest first, of which the last may be the run that ends now. What cannot
    be removed stays."""
    if (oldest := _oldest(settings, rows)) is None:
        return 0
    ours = [entry for folder, suffix in _AGEING for entry in store.list(folder) if entry.name.endswith(suffix)]
    older_pictures = itertools.chain.from_iterable(files_by_pair(store).values())
    removed = 0
    for entry in itertools.chain(ours, older_pictures, _frames(store, oldest)):
        if entry.fingerprint.mtime_ns < oldest * 1e9:
            with suppress(OSError, StylizeError):
                store.delete(entry.name)
                removed += 1
    return removed


def _frames(store: Store, oldest: float) -> Iterator[Entry]:
    """Those of clips of which none was painted since `oldest`: a clip may be at work for weeks."""
    for pair in pairs_with_frames(store):
        frames = [entry for entry in store.list(frames_of_pair(pair)) if entry.name.endswith(".png")]
        if max((entry.fingerprint.mtime_ns for entry in frames), default=0) < oldest * 1e9:
            yield from frames


def _oldest(settings: RunSettings, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The moment, in seconds of `time.time`, before which things are old; None where nothing is."""
    if settings.retention is not None:
        return time.time() - settings.retention
    if settings.retention_runs is not None and len(rows) >= settings.retention_runs:
        # the first of them, unless a clock was set back since: then the others began before it
        return min(map(_began, rows[-settings.retention_runs :]))
    return None


def _began(row: Mapping[str, Any]) -> float:
    """When a run began; before everything, where its row says what no clock can show."""
    try:
        return datetime.fromisoformat(row["started"]).timestamp()
    except (ValueError, OverflowError):
        return -math.inf
