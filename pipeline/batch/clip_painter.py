"""One clip, from its command to a clip that stands under its final name: a pair whose steps are
frames.

    frames       read one by one                                            clips/, batch/clip_walk
    shots        of frames between two cuts, each painted by itself         batch/clip_walk
    keeping      each painted frame whole, with its key                     batch/clip_frames
    painting     those that do not stand                                    batch/backend, sequence
    clip         written whole from the kept frames; strip, thumbnails      batch/clip_output
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from pipeline.batch import clip_output, frame_files
from pipeline.batch.backend import Backend
from pipeline.batch.clip_frames import DamagedFrame, KeptFrames
from pipeline.batch.clip_looks import Looks
from pipeline.batch.clip_story import notes, story
from pipeline.batch.clip_walk import Clip, ClipWalk
from pipeline.batch.files_of_job import Opening, open_job, output_settings
from pipeline.batch.messages import Command, Done, Interrupted, PairMessage, Resumed, Saved
from pipeline.batch.system.machine import peak_memory
from pipeline.clip_names import is_numbered
from pipeline.job import Painted
from pipeline.nst.tiling import in_words
from pipeline.schedule import Machine, Schedule
from pipeline.store.disk import LocalStore
from pipeline.store.keys import pair_key, shared_key

_MOST_READINGS = 1000  # of a trace, as a long clip has many frames
_TRIES = 3  # of a clip whose kept frames turn out to be damaged; each costs those frames


def paint_clip(
    command: Command,
    backend: Backend,
    environment: dict[str, Any],
    opening: Opening,
    tell: Callable[[Resumed | Saved], object],
    stopping: Callable[[], bool],
) -> Iterator[PairMessage]:
    """What there is to say of a clip: `Read` after each frame, at last `Done` or `Interrupted`.
    Raises what makes its painter say `Failed`."""
    job, store = command.job, LocalStore(command.folder, command.place)
    clip = Clip(job, opening)
    first, looks = next(clip.frames()), Looks(job, clip.facts)
    at_first = looks.job_at(first.number)
    pictures = open_job(at_first, opening, clip.picture(first))
    looks.begin(first.number, pictures, opening)
    schedule = pictures.schedule(job.options, Machine(precision=backend.precision, max_memory=command.max_memory))
    sha256 = {path: opened.sha256 for path, opened in zip(job.inputs, pictures.all, strict=True)}
    sha256 |= looks.hashes() | {job.content: clip.facts.sha256}
    environment = environment | {"tiles": in_words(schedule.tilings())}
    walk = ClipWalk(
        job=job,
        clip=clip,
        pictures=pictures,
        schedule=schedule,
        backend=backend,
        kept=KeptFrames(store, job.output),
        looks=looks,
        shared=shared_key(job, sha256.__getitem__, command.weights.sha256, [each.size for each in schedule.stages]),
        environment=environment,
        max_memory=command.max_memory,
        tell=tell,
        stopping=stopping,
    )
    for number in range(_TRIES):
        try:
            if not (yield from walk.paint()):
                yield Interrupted(walk.position)
                return
            painted = _painted(command, backend, walk, schedule)
            painted = replace(painted, key=pair_key(job, sha256.__getitem__, command.weights.sha256))
            if is_numbered(job.output):
                places = [each.number for each in walk.shown]
                told = frame_files.write(store, command, clip.facts, walk.kept, places, painted)
            else:
                settings = output_settings(command, pictures.hashes() | {"content": clip.facts.sha256}, painted)
                told = clip_output.write(store, job, clip, walk.kept, walk.shown, settings)
            break
        except DamagedFrame:
            if number == _TRIES - 1:
                raise
    clip_output.write_thumbnails(store, job.output, pictures, walk.kept, [each.number for each in walk.shown])
    known = (*clip.facts.notes, *told, *notes(walk.shown, environment, len(walk.shown) - walk.painted))
    yield Done(replace(painted, peak_memory_bytes=peak_memory()), notes=known)


def _painted(command: Command, backend: Backend, walk: ClipWalk, schedule: Schedule) -> Painted:
    first, last = walk.shown[0].frame, walk.shown[-1].frame
    size = walk.kept.shown(walk.shown[0].number).size
    seconds, frames = sum(each.frame.seconds for each in walk.shown), len(walk.shown)
    return Painted(
        size=list(size),
        steps=frames,
        seconds=seconds,
        seconds_per_step=seconds / frames,
        precision=schedule.stages[-1].precision,
        threads=backend.machine.threads,
        painted_with=walk.environment,
        tilings={name: tiling.as_json() for name, tiling in schedule.tilings().items()},
        weights={"name": command.weights.name, "sha256": command.weights.sha256},
        seed=command.job.options.seed,
        options=dict(command.names.options),
        losses={"first": dict(first.first), "last": dict(last.last)},
        trace=[reading.as_row() for reading in walk.readings(_MOST_READINGS)],
        painted_size=None if schedule.size == size else list(schedule.size),
        node=socket.gethostname(),
        clip=story(walk.clip, walk.shown) | frame_files.told(command.job, [each.number for each in walk.shown]),
    )
