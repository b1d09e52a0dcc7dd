"""Where the shots of a clip begin, found before they are painted."""

from __future__ import annotations

from pipeline.batch.clip_walk import ClipWalk
from pipeline.batch.messages import Interrupted, PartDone, Position, Saved

_LOOKS = 20  # frames between two words that it goes on


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
