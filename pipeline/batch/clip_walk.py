"""The frames of a clip, read and painted one after the other; those that stand stay as they are.

A frame that stands with the key asked for is not painted again: so a run that was killed goes on
with the next frame, in the same bytes, and a longer clip repaints only what changed. Of a clip that
is the same file still, frames that stand are not even decoded. A shot, the frames between two cuts,
is painted by itself: what changes in one changes no other, and several workers can paint one each.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pipeline.batch.backend import Backend, FramePainter
from pipeline.batch.clip_frames import KeptFrame, KeptFrames, Shown
from pipeline.batch.clip_source import Clip, Looks
from pipeline.batch.clip_story import Told
from pipeline.batch.messages import Position, Read, Resumed, Saved
from pipeline.clip_names import CLOSING_FRAMES, PREVIEW
from pipeline.job import Job
from pipeline.pictures import Pictures
from pipeline.reading import Reading
from pipeline.schedule import Schedule
from pipeline.store.keys import frame_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clips.frame import ClipFrame
    from pipeline.images.picture import Picture
    from pipeline.sequence import FrameIn, PaintedFrame

_GOES_ON = 20  # frames that stand, between two words that it goes on; some are decoded
LOOKS_BACK = 8  # frames, at most, that one is painted from, beside the first of its shot (sequence)


@dataclass(slots=True, eq=False)
class _Shot:
    """The shot in hand: which of the painted frames is its first, its painter, which of them that
    knows, and the frames that stand of those that are asked for."""

    first: int
    painter: FramePainter
    known: set[int] = field(default_factory=set)
    stand: dict[int, Shown] = field(default_factory=dict)

    def wanted(self, place: int) -> list[int]:
        """The frames before it that a frame is painted from: none of another shot."""
        return [other for other in self.painter.wanted(place) if other >= self.first]

    def add(self, place: int, shown: Shown) -> None:
        """A frame stands; those that none looks at any more are forgotten."""
        self.stand[place] = shown
        for other in [other for other in self.stand if self.first < other <= place - LOOKS_BACK]:
            del self.stand[other]
            self.known.discard(other)


@dataclass(slots=True, eq=False, kw_only=True)
class ClipWalk:
    """Paints the frames of one clip. A frame's place is its number among those that are painted.
    `shared` is what their keys have in common, `environment` what equal bytes depend on beside
    those; `told` is what there is to tell of the frames that stand, `painted` is how many of them
    this run has painted. `earlier` are frames of a preview; `show` is called with each painted
    frame and its number from 1. `begins`, where they are known, are the places at which shots
    begin, and `end` is that before which to end."""

    job: Job
    clip: Clip
    pictures: Pictures
    schedule: Schedule
    backend: Backend
    kept: KeptFrames
    looks: Looks
    earlier: KeptFrames | None = None
    shared: str
    environment: dict[str, Any]
    max_memory: int | None
    tell: Callable[[Resumed | Saved], object]
    show: Callable[[int, NDArray[np.uint8]], object] = lambda _number, _pixels: None
    stopping: Callable[[], bool]
    begins: tuple[int, ...] = ()
    end: int | None = None
    painted: int = 0
    told: Told = field(init=False)
    _recent: deque[tuple[int, ClipFrame]] = field(default_factory=lambda: deque(maxlen=LOOKS_BACK + 1))
    _first: ClipFrame | None = None
    _shot: _Shot | None = None

    def paint(self) -> Generator[Read, None, bool]:
        """All frames, those that stand already left as they are; a reading for each that was
        painted. False where it was left, as `stopping()` said."""
        self.take_what_stands()
        place = self._start + len(self.told)
        if place < self._places.stop and not (yield from self._onward(place)):
            return False
        if self.end is None:
            self.kept.drop_from(self.clip.facts.frames)
        return True

    def take_what_stands(self) -> list[int]:
        """Begin anew, with those frames from the first on that stand and need not be decoded to
        know it; returns the places at which their shots begin."""
        self.told = Told(len(self._places), max(self.schedule.size), stills=self.job.options.frames == PREVIEW)
        self._shot, self._first = None, None
        self._recent.clear()
        begins: list[int] = []
        for place in self._places:
            if (stands := self._stands(place)) is None:
                break
            self._take(place, stands)
            assert self._shot is not None
            begins += [place] if self._shot.first == place else []
            if len(self.told) % _GOES_ON == 0:
                self.goes_on()
            if self.stopping():
                break
        return begins

    def goes_on(self) -> None:
        """Say that the walk goes on, where nothing is painted: the time that the pair may take
        begins anew."""
        if self.position is not None:
            self.tell(Saved(self.position, part=True))

    @property
    def position(self) -> Position | None:
        """Where it stands; None where nothing does."""
        return self._position(self._start + len(self.told)) if len(self.told) else None

    @property
    def _start(self) -> int:
        return self.begins[0] if self.begins else 0

    @property
    def _places(self) -> range:
        return range(self._start, self.clip.count if self.end is None else self.end)

    # ------------------------------------------------------------- what stands, by its file alone

    def _stands(self, place: int) -> Shown | None:
        """The frame of a place, where it stands and the clip is the file that it was painted from:
        nothing is decoded for that."""
        number = self.clip.numbers[place]
        frame = self.kept.look(number)
        if frame is None or frame.source != self.clip.source:
            return None
        if self.told.last is not None and Fraction(frame.time) <= self.told.last.time:
            return None
        begins = self._is_known_to_begin(place)
        if begins is None:
            if frame.after != self.clip.numbers[place - 1]:
                return None
            begins = frame.cut
        shot = self._begun(place) if begins else self._shot
        assert shot is not None
        if frame.key != self._key(shot, place, frame.photograph):
            return None
        self._shot = shot
        return self._shown(place, Fraction(frame.time), Fraction(frame.duration), frame)

    def _is_known_to_begin(self, place: int) -> bool | None:
        """Does a shot begin there? None where the photographs have to be looked at."""
        if place == self._start or self.job.options.frames == PREVIEW:  # whose frames are stills
            return True
        return place in self.begins if self.begins else None

    def _shown(self, place: int, time: Fraction, duration: Fraction, frame: KeptFrame) -> Shown:
        since = time - (self.told.first.time if self.told.first else time)
        return Shown(self.clip.numbers[place], time, self.clip.lasting(place, since, duration), frame)

    def _take(self, place: int, shown: Shown) -> None:
        assert self._shot is not None
        self._shot.add(place, shown)
        self.told.add(shown)

    # ---------------------------------------------------------------------- what is to be painted

    def _onward(self, start: int) -> Generator[Read, None, bool]:
        """From a place on, with the photographs that its frame looks back to."""
        back = start if self._shot is None else max(self._shot.first, start - LOOKS_BACK)
        before: Any = None
        for place, frame in enumerate(self.clip.frames(back), back):
            if place >= self._places.stop:
                break
            if self.stopping():
                return False
            if place < start:
                self._recent.append((place, frame))
                before = self.clip.photograph(frame, self.schedule) if place == start - 1 else None
                continue
            photograph = self.clip.photograph(frame, self.schedule)
            begins = self._is_known_to_begin(place)
            if self.backend.is_cut(photograph, before) if begins is None else begins:
                self._shot, self._first = self._begun(place), frame
                self._recent.clear()
            before = photograph
            self._recent.append((place, frame))
            if not (yield from self._frame(place, frame)):
                return False
        return True

    def _begun(self, place: int) -> _Shot:
        painter = self.backend.sequence(
            self.job, self.pictures, self.schedule, frames=self.clip.count, max_memory=self.max_memory
        )
        return _Shot(place, painter)

    def _frame(self, place: int, frame: ClipFrame) -> Generator[Read, None, bool]:
        """One frame, as it stands or painted; False where it was left."""
        assert self._shot is not None
        photograph = _hash_of(frame)
        key = self._key(self._shot, place, photograph)
        found = self.kept.look(frame.number)
        if found is None or found.key != key:
            found = self._adopted(frame, key)
        if found is None:
            if self.painted == 0 and place > self._start:
                self.tell(Resumed(self._position(place)))
            found = yield from self._paint(place, frame, key, photograph)
            if found is None:
                return False
        else:
            found = self._renewed(place, frame, photograph, found)
            if len(self.told) % _GOES_ON == 0:
                self.goes_on()
        self._take(place, self._shown(place, frame.time, frame.duration, found))
        return True

    def _renewed(self, place: int, frame: ClipFrame, photograph: str, found: KeptFrame) -> KeptFrame:
        """A frame that stands, with a note where in today's file it is found, so that it need not
        be decoded the next time. Raises DamagedFrame, and as `Store.write` does."""
        now = replace(found, **self._as_read(place, frame, photograph))
        if now != found:
            self.kept.renew(frame.number, now)
        return now

    def _as_read(self, place: int, frame: ClipFrame, photograph: str) -> dict[str, Any]:
        """What a kept frame says of its photograph, and of its place in the clip."""
        assert self._shot is not None
        return {
            "cut": place == self._shot.first,
            "source": self.clip.source,
            "photograph": photograph,
            "time": str(frame.time),
            "duration": str(frame.duration),
            "after": None if place == 0 else self.clip.numbers[place - 1],
        }

    def _adopted(self, frame: ClipFrame, key: str) -> KeptFrame | None:
        """The frame that a preview has painted, where it is the one that is wanted."""
        if self.earlier is None or (found := self.earlier.look(frame.number)) is None or found.key != key:
            return None
        return self.kept.copy(frame.number, self.earlier)

    def _key(self, shot: _Shot, place: int, photograph: str) -> str:
        before = [shot.stand[other].frame.key for other in shot.wanted(place)]
        looped = [str(self.clip.count)] if self._knows_its_end(shot, place) else []
        return frame_key(self.shared, photograph, [*before, *looped], self.looks.own(self.clip.numbers[place]))

    def _knows_its_end(self, shot: _Shot, place: int) -> bool:
        """Does a frame depend on how many there are? The last ones of a loop do, unless they begin
        a shot."""
        return self.job.options.loop and place > shot.first and place >= self.clip.count - CLOSING_FRAMES

    def _paint(
        self, place: int, frame: ClipFrame, key: str, photograph: str
    ) -> Generator[Read, None, KeptFrame | None]:
        """One frame, kept; None where it was left."""
        shot = self._shot
        assert shot is not None
        self._remind(shot, place)
        arriving = _frame_in(place, self.clip.picture(frame), self.looks.of(frame.number))
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
        shot.known.add(place)
        self.painted += 1
        found = self._as_kept(place, frame, key, photograph, painted, arriving.picture)
        self.kept.save(frame.number, found, painted.pixels, painted.alpha, painted.painted)
        self.tell(Saved(self._position(place + 1), part=True))
        self.show(place + 1, painted.pixels)
        seconds = self.told.seconds + found.seconds
        yield Read(Reading(step=place + 1, seconds=seconds, side=self.told.side, losses=found.last), coarse=False)
        return found

    def _remind(self, shot: _Shot, place: int) -> None:
        """Give the shot's painter those frames back that it did not paint in this run. Raises
        DamagedFrame."""
        recent = dict(self._recent)
        for other in shot.wanted(place):
            if other in shot.known:
                continue
            frame = recent.get(other) or self._first or next(self.clip.frames(shot.first))
            self._first = self._first if other in recent else frame
            stands = shot.stand[other]
            painted = self.kept.painted(stands.number, stands.frame)
            arrived = _frame_in(other, self.clip.picture(frame), self.looks.of(stands.number))
            shot.painter.remember(arrived, painted)
            shot.known.add(other)

    def _as_kept(
        self, place: int, frame: ClipFrame, key: str, hashed: str, painted: PaintedFrame, photograph: Picture
    ) -> KeptFrame:
        return KeptFrame(
            key=key,
            first=dict(painted.first),
            last=dict(painted.last),
            evaluations=float(painted.evaluations),
            seconds=painted.seconds,
            flicker=painted.flicker,
            own_flicker=painted.own_flicker,
            reliable=float(painted.reliable),
            light=[float(photograph.pixels.mean()), float(painted.pixels.mean())],
            precision=self.schedule.stages[-1].precision,
            environment=self.environment,
            notes=list(painted.notes),
            apart=painted.painted is not painted.pixels,
            **self._as_read(place, frame, hashed),
        )

    def _position(self, frames: int) -> Position:
        return Position(frames, f"frame {frames} of {self.clip.count}")


def _hash_of(frame: ClipFrame) -> str:
    """SHA-256 of a photograph's pixels."""
    pixels = hashlib.sha256(f"{frame.pixels.shape}\n".encode() + frame.pixels.tobytes())
    if frame.alpha is not None:
        pixels.update(frame.alpha.tobytes())
    return pixels.hexdigest()


def _frame_in(place: int, picture: Picture, own: Pictures | None = None) -> FrameIn:
    from pipeline.sequence import FrameIn  # with its flow: not where stills are painted

    return FrameIn(place, picture, own)
