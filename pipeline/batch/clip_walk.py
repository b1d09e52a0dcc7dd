"""The frames of a clip, read and painted one after the other; those that stand stay as they are.

A frame that stands with the key asked for is not painted again: so a run that was killed goes on
with the next frame, in the same bytes, and a longer clip repaints only what changed. A shot, the
frames between two cuts, is painted by itself: what changes in one changes no other.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pipeline import clip_names
from pipeline.batch.backend import Backend, FramePainter
from pipeline.batch.clip_frames import KeptFrame, KeptFrames
from pipeline.batch.clip_looks import Looks
from pipeline.batch.files_of_job import Opening
from pipeline.batch.messages import Position, Read, Resumed, Saved
from pipeline.errors import BadImage
from pipeline.images.encode import to_uint8
from pipeline.job import Job
from pipeline.pictures import Pictures
from pipeline.reading import Reading
from pipeline.schedule import Schedule
from pipeline.store.keys import frame_key

if TYPE_CHECKING:
    from pipeline.clips.facts import ClipFacts
    from pipeline.clips.frame import ClipFrame
    from pipeline.images.picture import Picture
    from pipeline.sequence import FrameIn, PaintedFrame

LOOKS_BACK = 8  # frames, at most, that one is painted from, beside the first of its shot (sequence)


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of the clip that is painted: its number in the file, when and how long it is shown,
    in seconds, and what is known of its painting."""

    number: int
    time: Fraction
    duration: Fraction
    frame: KeptFrame


class Clip:
    """A clip that is read: what it is, how many of its frames are painted, and these."""

    def __init__(self, job: Job, opening: Opening) -> None:
        """Raises BadImage where it cannot be read, or has none of the frames that are asked for."""
        from pipeline.clips.reading import clip_facts

        self._job, self._opening = job, opening
        self._home = job.home_of(job.content)
        with opening(job.content):
            self.facts: ClipFacts = clip_facts(job.content, self._home)
        self.count = clip_names.count_kept(job.options.frames, self.facts.frames)
        if self.facts.damage and not clip_names.ends_before(job.options.frames, self.facts.frames):
            raise BadImage(self.facts.damage)
        if not self.count:
            raise BadImage(
                f"{job.content.name} has {self.facts.frames} frames, from 0, and none of those that frames asks for"
            )

    def frames(self) -> Iterator[ClipFrame]:
        """The frames that are painted. Raises BadImage at the first that cannot be decoded."""
        from pipeline.clips.reading import read_frames

        frames = self._job.options.frames
        read = read_frames(
            self._job.content,
            wanted=clip_names.kept(frames, self.facts.frames),
            start=clip_names.first_kept(frames),
            home=self._home,
        )
        for _number in range(self.count):
            with self._opening(self._job.content):  # the clock of one frame
                frame = next(read, None)
            if frame is None:
                return
            yield frame

    def picture(self, frame: ClipFrame) -> Picture:
        """A frame as a photograph, no larger than needed; its `sha256` is of its pixels."""
        import numpy as np

        from pipeline.images.picture import picture_from_array
        from pipeline.schedule import fine_side

        options = self._job.options
        pixels = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
        side = options.size if isinstance(options.size, int) else None
        return picture_from_array(pixels, self._job.content.name, side, fine_side(options))


def first_picture(job: Job, opening: Opening) -> Picture:
    """The first frame of a clip as a photograph, which is told by the clip's own hash. Raises
    BadImage."""
    clip = Clip(job, opening)
    return replace(clip.picture(next(clip.frames())), sha256=clip.facts.sha256)


@dataclass(slots=True, eq=False)
class _Shot:
    """The shot in hand: the numbers of its first frame and of those that its painter knows, and its
    painter."""

    first: int
    painter: FramePainter
    known: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False, kw_only=True)
class ClipWalk:
    """Paints the frames of one clip. `shared` is what their keys have in common, `environment` what
    equal bytes depend on beside those; `shown` are the frames that stand, `painted` is how many of
    them this run has painted."""

    job: Job
    clip: Clip
    pictures: Pictures
    schedule: Schedule
    backend: Backend
    kept: KeptFrames
    looks: Looks
    shared: str
    environment: dict[str, Any]
    max_memory: int | None
    tell: Callable[[Resumed | Saved], object]
    stopping: Callable[[], bool]
    shown: list[Shown] = field(default_factory=list)
    painted: int = 0
    _keys: list[str] = field(default_factory=list)
    _recent: deque[tuple[int, ClipFrame]] = field(default_factory=lambda: deque(maxlen=LOOKS_BACK + 1))
    _first: ClipFrame | None = None
    _shot: _Shot | None = None
    _seconds: float = 0.0

    def paint(self) -> Generator[Read, None, bool]:
        """All frames, those that stand already left as they are; a reading for each that was
        painted. False where it was left, as `stopping()` said."""
        self.shown.clear()
        self._keys.clear()
        self._seconds, before = 0.0, None
        for number, frame in enumerate(self.clip.frames()):
            if self.stopping():
                return False
            photograph = self._photograph(frame)
            if before is None or self.backend.is_cut(photograph, before):
                self._begin(number, frame)
            before = photograph
            self._recent.append((number, frame))
            key = self._key(number, frame)
            found = self.kept.look(frame.number)
            if found is None or found.key != key:
                if self.painted == 0 and number:
                    self.tell(Resumed(self._position(number)))
                found = yield from self._paint(number, frame, key)
                if found is None:
                    return False
            self._keys.append(key)
            self.shown.append(Shown(frame.number, frame.time, frame.duration, found))
            self._seconds += found.seconds
        self.kept.drop_from(self.clip.facts.frames)
        return True

    def readings(self, most: int) -> list[Reading]:
        """A reading for each frame that stands, of many some, the first and the last among them."""
        ends = list(itertools.accumulate(each.frame.seconds for each in self.shown))
        spread = clip_names.spread(len(self.shown), most)
        return [self._reading(number, self.shown[number].frame, ends[number]) for number in spread]

    @property
    def position(self) -> Position | None:
        """Where it stands; None where nothing does."""
        return self._position(len(self.shown)) if self.shown else None

    def _photograph(self, frame: ClipFrame) -> Any:
        """As cuts are looked for: uint8 (height, width, 3), at the size of the painting."""
        return to_uint8(self.clip.picture(frame).resized(*self.schedule.size)[0])

    def _begin(self, number: int, frame: ClipFrame) -> None:
        """A shot."""
        painter = self.backend.sequence(
            self.job, self.pictures, self.schedule, frames=self.clip.count, max_memory=self.max_memory
        )
        self._shot, self._first = _Shot(number, painter), frame
        self._recent.clear()

    def _key(self, number: int, frame: ClipFrame) -> str:
        pixels = hashlib.sha256(f"{frame.pixels.shape}\n".encode() + frame.pixels.tobytes())
        if frame.alpha is not None:
            pixels.update(frame.alpha.tobytes())
        before = [self._keys[other] for other in self._wanted(number)]
        looped = [str(self.clip.count)] if self.job.options.loop else []  # by which it knows its end
        return frame_key(self.shared, pixels.hexdigest(), [*before, *looped], self.looks.own(frame.number))

    def _wanted(self, number: int) -> list[int]:
        """The frames before it that a frame is painted from: none of another shot."""
        assert self._shot is not None
        return [other for other in self._shot.painter.wanted(number) if other >= self._shot.first]

    def _paint(self, number: int, frame: ClipFrame, key: str) -> Generator[Read, None, KeptFrame | None]:
        """One frame, kept; None where it was left."""
        shot = self._shot
        assert shot is not None
        self._remind(number)
        arriving = _frame_in(number, self.clip.picture(frame), self.looks.of(frame.number))
        painting = shot.painter.paint(arriving)
        while True:
            try:
                reading, _snapshot = next(painting)
            except StopIteration as end:
                painted: PaintedFrame = end.value
                break
            if self.painted == 0:  # the others take a fraction of its time
                yield Read(reading, coarse=True)
            if self.stopping():
                return None
        shot.known.add(number)
        self.painted += 1
        found = self._kept(number, key, painted, arriving.picture)
        self.kept.save(frame.number, found, painted.pixels, painted.alpha, painted.painted)
        self.tell(Saved(self._position(number + 1), part=True))
        yield Read(self._reading(number, found, self._seconds + found.seconds), coarse=False)
        return found

    def _remind(self, number: int) -> None:
        """Give the shot's painter those frames back that it did not paint in this run. Raises
        DamagedFrame."""
        shot = self._shot
        assert shot is not None
        recent = dict(self._recent)
        for other in self._wanted(number):
            if other in shot.known:
                continue
            frame = recent.get(other) or self._first
            assert frame is not None
            stands = self.shown[other]
            painted = self.kept.painted(stands.number, stands.frame)
            arrived = _frame_in(other, self.clip.picture(frame), self.looks.of(stands.number))
            shot.painter.remember(arrived, painted)
            shot.known.add(other)

    def _kept(self, number: int, key: str, painted: PaintedFrame, photograph: Picture) -> KeptFrame:
        assert self._shot is not None
        return KeptFrame(
            key=key,
            first=dict(painted.first),
            last=dict(painted.last),
            evaluations=float(painted.evaluations),
            seconds=painted.seconds,
            flicker=painted.flicker,
            own_flicker=painted.own_flicker,
            reliable=float(painted.reliable),
            cut=number == self._shot.first,
            light=[float(photograph.pixels.mean()), float(painted.pixels.mean())],
            precision=self.schedule.stages[-1].precision,
            environment=self.environment,
            notes=list(painted.notes),
            apart=painted.painted is not painted.pixels,
        )

    def _reading(self, number: int, frame: KeptFrame, seconds: float) -> Reading:
        return Reading(step=number + 1, seconds=seconds, side=max(self.schedule.size), losses=frame.last)

    def _position(self, frames: int) -> Position:
        return Position(frames, f"frame {frames} of {self.clip.count}")


def _frame_in(number: int, picture: Picture, own: Pictures | None = None) -> FrameIn:
    from pipeline.sequence import FrameIn  # with its flow: not where stills are painted

    return FrameIn(number, picture, own)
