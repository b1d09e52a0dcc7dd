"""Is there room on the disk for what a run will write? Asked before the first second of
painting."""

from __future__ import annotations

import functools
import math
import shutil
from pathlib import Path

from pipeline.batch.estimates.amounts import frames_of, job_bytes
from pipeline.batch.plan import Plan
from pipeline.errors import DiskFull, PairError
from pipeline.images.reader import READER, Reader
from pipeline.job import Job
from pipeline.printable import printable
from pipeline.store.layout import pair_id
from pipeline.store.output_files import kept_frames
from pipeline.store.store import Store


def look_for_room(plan: Plan, output: Path, store: Store, reader: Reader = READER) -> str | None:
    """A warning where the disk has less room than all pictures to come will probably take, beside
    the frames of clips that are in `store`; None where all is well.

    Raises DiskFull where not even one of them fits, and what `reader.check_cancelled` raises.
    """
    size = functools.cache(functools.partial(_size, reader))
    jobs = [pair.job for pair in plan.pairs if pair.action == "paint"]
    contents = [(job, size(job.content, job.home_of(job.content))) for job in jobs]
    wholes = [(job, job_bytes(job, content, frames_of(job, reader))) for job, content in contents if content]
    needs = [max(whole - _frames_bytes(store, job), 1.0) for job, whole in wholes if whole]
    if not needs:
        return None
    free = _free(output)
    if free < min(needs):
        raise DiskFull(
            f"the disk of {printable(output)} has {_mebibytes(free)} free and a picture needs about "
            f"{_mebibytes(min(needs))}; free space, or put the output on another disk"
        )
    if free < sum(needs):
        return (
            f"the disk of {printable(output)} has {_mebibytes(free)} free and the pictures to paint need about "
            f"{_mebibytes(sum(needs))}; the last of them may not fit"
        )
    return None


def check_floor(output: Path, floor: int | None) -> None:
    """Raise DiskFull where the output's disk has less room than a run is to leave (`min_free_disk`,
    bytes)."""
    if floor is not None and (free := _free(output)) < floor:
        raise DiskFull(
            f"the disk of {printable(output)} has {_mebibytes(free)} free, less than min_free_disk "
            f"({_mebibytes(floor)}); free space, and the next run goes on"
        )


def _free(output: Path) -> float:
    """Bytes; infinity where nobody can say, as the folder was moved or its network is away: whoever
    writes there next will meet it, and has the words for it."""
    try:
        return shutil.disk_usage(output).free
    except OSError:
        return math.inf


def _size(reader: Reader, content: Path, home: str | None) -> tuple[int, int] | None:
    """Width and height; None where the picture cannot be opened, so that its pairs will not be
    painted."""
    try:
        return reader.size(content, home)
    except PairError:
        return None


def _frames_bytes(store: Store, job: Job) -> int:
    """Bytes of a clip's frames that are there: they stay, or others take their place."""
    if not job.options.is_clip:
        return 0
    return sum(entry.fingerprint.size for _, entry in kept_frames(store, pair_id(job.output)))


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:.1f} MiB"
