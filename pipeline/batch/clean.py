"""Removing what earlier runs wrote and no pair wants any more; a stranger's file is never touched."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.batch.files import remove_parts
from pipeline.batch.lock import run_lock
from pipeline.batch.records import State, pair_id, read_record
from pipeline.job import Manifest


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


def unwanted_checkpoints(state: State, wanted: Container[str]) -> list[Path]:
    """Checkpoints of pairs whose id is not in `wanted`."""
    return [path for path in sorted(state.checkpoints.glob("*.npz")) if path.stem not in wanted]


def _unwanted(manifest: Manifest, state: State) -> Iterator[Path]:
    wanted = {pair_id(job.output) for job in manifest.jobs}
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
    yield from unwanted_checkpoints(state, wanted)
