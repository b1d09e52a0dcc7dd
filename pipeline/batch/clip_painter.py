"""One clip, from its command to a clip that stands under its final name: a pair whose steps are
frames.

    frames       read one by one                                            batch/clip_source
    shots        of frames between two cuts, each painted by itself         batch/clip_walk
    keeping      each painted frame whole, with its key                     batch/clip_frames
    painting     those that do not stand                                    batch/backend, sequence
    clip         written whole from the kept frames; strip, thumbnails      batch/clip_output

Where several workers paint one clip (engines/shots), a command asks for where its shots begin, or
for the frames of some of them; the last one finds all frames there, and writes the clip.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.batch import clip_output, frame_files
from pipeline.batch.backend import Backend
from pipeline.batch.clip_frames import DamagedFrame, KeptFrames
from pipeline.batch.clip_source import Clip, Looks
from pipeline.batch.clip_walk import ClipWalk
from pipeline.batch.files_of_job import Opening, open_job, output_settings
from pipeline.batch.messages import Command, Done, Interrupted, PairMessage, PartDone, Position, Resumed, Saved
from pipeline.batch.showing import Showing
from pipeline.batch.system.machine import peak_memory
from pipeline.clip_names import PREVIEW, is_numbered, preview_output
from pipeline.job import Painted
from pipeline.nst.tiling import in_words
from pipeline.pictures import Pictures
from pipeline.schedule import Machine
from pipeline.store.disk import LocalStore
from pipeline.store.keys import pair_key, shared_key

_TRIES = 3  # of a clip whose kept frames turn out to be damaged; each costs those frames
_LOOKS = 20  # frames between two words that it goes on


@dataclass(slots=True, eq=False)
class _Files:
    """The opened files of a clip, and the hashes of all."""

    clip: Clip
    pictures: Pictures
    looks: Looks
    sha256: dict[Any, str]


def paint_clip(
    command: Command,
    backend: Backend,
    environment: dict[str, Any],
    opening: Opening,
    tell: Callable[[Resumed | Saved], object],
    stopping: Callable[[], bool],
) -> Iterator[PairMessage]:
    """What there is to say of a clip: `Read` after each frame, at last `Done`, `PartDone` or
    `Interrupted`. Raises what makes its painter say `Failed`."""
    job, part = command.job, command.part
    files = _opened(command, opening)
    machine = Machine(precision=backend.precision, max_memory=command.max_memory)
    schedule = files.pictures.schedule(job.options, machine)
    sizes = [stage.size for stage in schedule.stages]
    store = LocalStore(command.folder, command.place)
    showing = Showing(store, command)
    walk = ClipWalk(
        job=job,
        clip=files.clip,
        pictures=files.pictures,
        schedule=schedule,
        backend=backend,
        kept=KeptFrames(store, job.output, (schedule.size, schedule.finished)),
        looks=files.looks,
        earlier=None if job.options.frames == PREVIEW else KeptFrames(store, preview_output(job.output)),
        shared=shared_key(job, files.sha256.__getitem__, command.weights.sha256, sizes),
        environment=environment | {"tiles": in_words(schedule.tilings())},
        max_memory=command.max_memory,
        tell=tell,
        show=showing.look_at_frame,
        stopping=stopping,
        begins=part.begins if part else (),
        end=part.end if part and part.begins else None,
    )
    if part is None:
        yield from _whole(command, backend, walk, store, files)
    elif not part.begins:
        yield find_shots(walk)
    elif (yield from walk.paint()):
        yield PartDone(painted_apart=walk.painted)
    else:
        yield Interrupted(walk.position)


def _opened(command: Command, opening: Opening) -> _Files:
    job = command.job
    clip = Clip(job, opening, command.facts)
    first, looks = next(clip.frames()), Looks(job, clip.facts)
    pictures = open_job(looks.job_at(first.number), opening, clip.picture(first))
    looks.begin(first.number, pictures, opening)
    sha256 = {path: opened.sha256 for path, opened in zip(job.inputs, pictures.all, strict=True)}
    return _Files(clip, pictures, looks, sha256 | looks.hashes() | {job.content: clip.facts.sha256})


def _whole(
    command: Command, backend: Backend, walk: ClipWalk, store: LocalStore, files: _Files
) -> Iterator[PairMessage]:
    """All frames, and the clip."""
    job, clip = command.job, files.clip
    key = pair_key(job, files.sha256.__getitem__, command.weights.sha256)
    for number in range(_TRIES):
        try:
            if not (yield from walk.paint()):
                yield Interrupted(walk.position)
                return
            painted = replace(_painted(command, backend, walk), key=key)
            if is_numbered(job.output):
                told = frame_files.write(store, command, clip, walk.kept, len(walk.told), painted, walk.goes_on)
            else:
                hashes = files.pictures.hashes() | {"content": clip.facts.sha256}
                settings = output_settings(command, hashes, painted)
                told = clip_output.write(command, store, clip, walk.kept, walk.told.times, settings, walk.goes_on)
            break
        except DamagedFrame:
            if number == _TRIES - 1:
                raise
    clip_output.write_thumbnails(store, job.output, files.pictures, walk.kept, _numbers(walk))
    resumed = max(0, len(walk.told) - walk.painted - command.painted_apart)
    known = (*clip.facts.notes, *told, *walk.told.notes(walk.environment, resumed))
    yield Done(replace(painted, peak_memory_bytes=peak_memory()), notes=known)


def _numbers(walk: ClipWalk) -> Sequence[int]:
    """Of the frames that stand, as they are counted in the clip."""
    return walk.clip.numbers[: len(walk.told)]


def _painted(command: Command, backend: Backend, walk: ClipWalk) -> Painted:
    told, schedule = walk.told, walk.schedule
    assert told.first is not None
    assert told.last is not None
    size, frames = walk.kept.shown(told.first.number).size, len(told)
    return Painted(
        size=list(size),
        steps=frames,
        seconds=told.seconds,
        seconds_per_step=told.seconds / frames,
        precision=schedule.stages[-1].precision,
        threads=backend.machine.threads,
        painted_with=walk.environment,
        tilings={name: tiling.as_json() for name, tiling in schedule.tilings().items()},
        weights={"name": command.weights.name, "sha256": command.weights.sha256},
        seed=command.job.options.seed,
        options=dict(command.names.options),
        losses={"first": dict(told.first.frame.first), "last": dict(told.last.frame.last)},
        trace=[reading.as_row() for reading in told.readings],
        painted_size=None if schedule.size == size else list(schedule.size),
        node=socket.gethostname(),
        clip=told.story(clip_output.facts_of(command.job, walk.clip.facts))
        | frame_files.told(command.job, walk.clip, frames),
    )


def find_shots(walk: ClipWalk) -> PartDone | Interrupted:
    """At which of the frames that are painted shots begin, by the photographs, as the painting
    finds it; of frames that stand it is known. Raises BadImage as reading them does."""
    clip, begins = walk.clip, walk.take_what_stands()
    known = len(walk.told)
    before = None
    for place, frame in enumerate(clip.frames(max(0, known - 1)) if known < clip.count else (), max(0, known - 1)):
        if walk.stopping():
            return Interrupted(walk.position)
        here = clip.photograph(frame, walk.schedule)
        if place >= known and (before is None or walk.backend.is_cut(here, before)):
            begins.append(place)
        before = here
        if place % _LOOKS == 0:
            walk.tell(Saved(Position(known, f"frame {known} of {clip.count}"), part=True))
    return PartDone(begins=tuple(begins), frames=clip.count)
