"""A painted clip as numbered frames: each a picture of its own, written as those of other pairs
are, from the frames that are kept.

What a file says of itself is true of its frame alone, so that a clip that becomes longer changes no
byte of the frames that were there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.batch.clip_frames import DamagedFrame, KeptFrame, KeptFrames
from pipeline.batch.clip_source import Clip
from pipeline.batch.files_of_job import output_settings
from pipeline.batch.messages import Command
from pipeline.clip_names import ALL, is_numbered, one_of_numbered
from pipeline.images.encode import encode_picture
from pipeline.images.print_size import print_dpi
from pipeline.job import Job, Painted
from pipeline.store.output_files import runs_of
from pipeline.store.store import Store

# Of an output's settings, what is true of the whole clip alone, or of the day.
_OF_THE_CLIP = ("clip", "steps", "losses", "sha256", "painted_with")


def write(
    store: Store,
    command: Command,
    clip: Clip,
    kept: KeptFrames,
    count: int,
    painted: Painted,
    goes_on: Callable[[], object] = lambda: None,
) -> tuple[str, ...]:
    """Write the first `count` of the frames of a clip that are painted under their final names,
    unless the same bytes stand there; returns notes. `goes_on` is called now and then. Raises
    DamagedFrame, and as `Store.write` does."""
    job = command.job
    shared = _shared(command, painted)
    for place, number in zip(clip.numbers[:count], clip.own_numbers[:count], strict=True):
        frame, picture = kept.look(place), kept.shown(place)
        if frame is None:
            raise DamagedFrame(f"frame {place} of {job.output} is gone")
        data = encode_picture(
            picture.pixels,
            picture.alpha,
            Path(job.output).suffix,
            job.options.quality,
            shared | _own(frame, number),
            dpi=print_dpi(job.options.dpi, None),
        )
        _put(store, one_of_numbered(job.output, number), data)
        goes_on()
    return ("numbered frames have no sound; its sound was left out",) if clip.facts.has_sound else ()


def told(job: Job, clip: Clip, count: int) -> dict[str, Any]:
    """What a record and a report say beside `clip_story`: which numbers the first `count` frames
    that are painted have; nothing of an output that is one file."""
    return {"files": runs_of(clip.own_numbers[:count])} if is_numbered(job.output) else {}


def _shared(command: Command, painted: Painted) -> dict[str, Any]:
    """What all frames say. `show --manifest` of any makes the manifest of the whole clip."""
    settings = output_settings(command, {}, painted)
    options = {**painted.options, "frames": ALL}
    left = {name: value for name, value in settings.items() if name not in (*_OF_THE_CLIP, *command.versions)}
    return left | {"options": options}


def _own(frame: KeptFrame, number: int) -> dict[str, Any]:
    """What a frame says of itself."""
    return {
        "key": frame.key,
        "frame": number,
        "steps": round(frame.evaluations),
        "losses": {"first": dict(frame.first), "last": dict(frame.last)},
        "painted_with": dict(frame.environment),
    }


def _put(store: Store, name: str, data: bytes) -> None:
    try:
        if store.sha256(name) == hashlib.sha256(data).hexdigest():
            return
    except OSError:  # nothing stands there
        pass
    store.write(name, data)
