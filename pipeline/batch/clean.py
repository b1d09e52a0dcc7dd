"""Removing what earlier runs wrote and no pair wants any more; a stranger's file is never touched."""

from __future__ import annotations

import json
import time
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.job import Manifest
from pipeline.store.disk import remove_parts
from pipeline.store.lock import run_lock
from pipeline.store.records import State, pair_id, read_record

CHECKPOINT_DAYS = 14  # chosen: two week-ends; whoever has not gone on by then will not
_NPY_HEAD = 10  # bytes: magic string, version, and in the last two the length of the header that follows


def clean_output(manifest: Manifest, *, dry_run: bool) -> list[Path]:
    """Delete, or with `dry_run` only list, pictures whose record names no pair of the manifest, with their records.

    A picture that was changed since it was written is somebody's work and stays. Raises Locked while a run is going on.
    """
    state = State(manifest.output)
    if dry_run:
        return list(_unwanted(manifest, state))
    if not state.folder.is_dir():
        return []
    with run_lock(state.folder, "clean"):
        remove_parts(manifest.output)
        unwanted = list(_unwanted(manifest, state))
        for path in unwanted:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # a folder that is not empty, or is the output folder itself, stays
                if path.parent not in (manifest.output, state.records, state.checkpoints):
                    path.parent.rmdir()
    return unwanted


def useless_checkpoints(state: State, finished: Container[str], unfinished: Container[str]) -> list[Path]:
    """Checkpoints that no run will go on from: of `finished` pairs (by id), and of pairs of other manifests, where a picture
    stands that was painted to the same key, or the file is damaged; and whatever is older than a fortnight.

    Another manifest may share the output folder, and its night was perhaps stopped in the middle of a pair: what is in
    doubt stays. `unfinished` are the pairs that this run knows to be waiting.
    """
    oldest = time.time() - CHECKPOINT_DAYS * 86400

    def is_useless(path: Path) -> bool:
        if path.stem in finished or path.stat().st_mtime < oldest:
            return True
        return path.stem not in unfinished and _key_of(path) in (None, _painted_key(state, path.stem))

    useless = []
    for path in sorted(state.checkpoints.glob("*.npz")):
        with suppress(FileNotFoundError):  # another shard's worker is done with it
            useless += [path] if is_useless(path) else []
    return useless


def _key_of(checkpoint: Path) -> str | None:
    """The key that a checkpoint bears; None where it is damaged. Read without NumPy, which the driver does not load: the
    entry "about" of batch/checkpoints is JSON behind the header of an .npy file (numpy.lib.format, version 1.0)."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            entry = archive.read("about.npy")
        about = json.loads(entry[_NPY_HEAD + int.from_bytes(entry[_NPY_HEAD - 2 : _NPY_HEAD], "little") :])
        return str(about["key"])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def _painted_key(state: State, pair: str) -> str:
    """The key of the picture that stands for a pair; empty where none stands, or not as it was painted."""
    record = read_record(state.records / f"{pair}.json")
    if record is None or not record.matches(state.output / record.outcome["output"]):
        return ""
    return record.key


def _unwanted(manifest: Manifest, state: State) -> Iterator[Path]:
    wanted = {pair_id(job.output) for job in manifest.pairs}
    seen: set[str] = set()
    for path in sorted(state.records.glob("*.json")):
        pair = path.name.split(".")[0]  # of its record, or of how it failed
        if pair in wanted or path == state.records / "hashes.json" or pair in seen:
            continue
        seen.add(pair)
        record = read_record(state.records / f"{pair}.json")
        if record is not None and record.matches(picture := manifest.output / record.outcome["output"]):
            yield picture
        yield from sorted(state.records.glob(f"{pair}.*"))
    yield from (path for path in sorted(state.checkpoints.glob("*.npz")) if path.stem not in wanted)
