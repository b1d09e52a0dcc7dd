"""Removes what earlier runs wrote and no pair wants any more; never a stranger's file."""

from __future__ import annotations

import json
import posixpath
import time
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.job import Manifest
from pipeline.store.disk import LocalStore
from pipeline.store.layout import CHECKPOINT_SUFFIX, CHECKPOINTS, HASHES, RECORDS, STATE, pair_id
from pipeline.store.records import Record, read_record
from pipeline.store.store import Entry, Store

CHECKPOINT_DAYS = 14  # chosen: two week-ends; whoever has not gone on by then will not
# Bytes: magic string, version, and in the last two the length of the header that follows.
_NPY_HEAD = 10


def clean_output(manifest: Manifest, *, dry_run: bool) -> list[Path]:
    """Delete, or with `dry_run` only list, pictures whose record names no pair of the manifest,
    with their records.

    A picture that was changed since it was written is somebody's work and stays. Raises Locked
    while a run is going on.
    """
    store = LocalStore(manifest.output)
    wanted = {pair_id(job.output) for job in manifest.pairs}
    if dry_run:
        return [store.path(name) for name in _unwanted(store, wanted)]
    if not any(store.list(folder) for folder in (f"{STATE}/", RECORDS, CHECKPOINTS)):
        return []  # no run was ever here, and none is to be locked out
    with store.lock("clean"):
        store.remove_parts()
        unwanted = list(_unwanted(store, wanted))
        for name in unwanted:
            store.delete(name)
            folder = posixpath.dirname(name)
            if folder and not name.startswith(f"{STATE}/"):
                store.prune(folder)
    return [store.path(name) for name in unwanted]


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
    return [entry for entry in store.list(CHECKPOINTS) if entry.name.endswith(CHECKPOINT_SUFFIX)]


def _pair_of(name: str) -> str:
    """The id of the pair that a file of ours is of."""
    return posixpath.basename(name).split(".")[0]


def _key_of(store: Store, checkpoint: str) -> str | None:
    """The key that a checkpoint bears; None where it is damaged. Read without NumPy, which the
    driver does not load: the entry "about" of batch/checkpoints is JSON behind the header of an
    .npy file (numpy.lib.format, version 1.0)."""
    try:
        with store.open(checkpoint) as file, zipfile.ZipFile(file) as archive:
            entry = archive.read("about.npy")
        about = json.loads(entry[_NPY_HEAD + int.from_bytes(entry[_NPY_HEAD - 2 : _NPY_HEAD], "little") :])
        return str(about["key"])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def _standing(store: Store, pair: str) -> Record | None:
    """The record of a pair whose picture stands as it was painted."""
    record = read_record(store, f"{RECORDS}{pair}.json")
    return record if record is not None and record.matches(store, record.outcome["output"]) else None


def _painted_key(store: Store, pair: str) -> str:
    """The key of the picture that stands for a pair; empty where none stands as it was painted."""
    record = _standing(store, pair)
    return record.key if record is not None else ""


def _unwanted(store: Store, wanted: Container[str]) -> Iterator[str]:
    """Names of what belongs to no pair in `wanted` (ids): each picture, then what is known of
    it."""
    files: dict[str, list[str]] = {}
    for entry in store.list(RECORDS):
        if entry.name != HASHES:
            files.setdefault(_pair_of(entry.name), []).append(entry.name)
    for pair, names in files.items():
        ours = any(name.endswith(".json") for name in names)  # a record, or how it failed
        if pair in wanted or not ours:
            continue
        if (record := _standing(store, pair)) is not None:
            yield record.outcome["output"]
        yield from names
    yield from (entry.name for entry in _checkpoints(store) if _pair_of(entry.name) not in wanted)
