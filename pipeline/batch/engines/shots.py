"""Clips divided among the workers of any engine, shot by shot: a shot is painted by itself, so that
several can be at once, in the same bytes.

    where shots begin     one worker looks through the clip                  batch/clip_painter
    parts                 of whole shots, given to whoever is free
    the clip              written by a worker that finds all frames there

The run's scheduler sees one pair, which one worker seems to paint. A part whose machine is gone is
given to another one, which goes on with the next frame; whatever else goes wrong with a part is the
pair's failure, once no other part of it is at work, and its next try is one worker's.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import assert_never

from pipeline.batch.engines.protocol import Engine, Event, OpenEngine, Remark
from pipeline.batch.messages import (
    Command,
    Done,
    Failed,
    Interrupted,
    Killed,
    LastMessage,
    Machine,
    Part,
    PartDone,
    Position,
    Read,
    Resumed,
    Saved,
    Started,
)
from pipeline.clip_names import PREVIEW
from pipeline.errors import MachineLost
from pipeline.job import RunSettings

# Of a clip: each part costs its opening, which may be as much as the painting of a few frames.
_MOST_PARTS, _FEWEST_FRAMES = 16, 4
_MOST_LOSSES = 5  # of machines under one part, as of a pair (batch/scheduler)


def dividing(open_engine: OpenEngine) -> OpenEngine:
    """What makes an engine that divides clips, where there may be several workers."""

    def opened(settings: RunSettings, log: Path) -> Engine:
        engine = open_engine(settings, log)
        several = settings.workers > 1 or settings.engine != "local"
        return ShotEngine(engine) if several else engine

    return opened


class ShotEngine:
    """An Engine (engines/protocol) over another one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._clips: dict[str, _Clip] = {}  # in hand, by output
        self._whole: set[str] = set()  # outputs that are not divided, as that failed

    @property
    def machine(self) -> Machine | None:
        """The other one's."""
        return self._engine.machine

    def run(self, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Event | Remark]:
        """See Engine."""
        for event in self._engine.run(lambda: self._next(next_command), stop):
            clip = None if isinstance(event, Remark) else self._clips.get(event.output.partition("\n")[0])
            if clip is None:
                yield event
                continue
            assert isinstance(event, Event)
            yield from self._settled(clip, clip.hear(event))
        for clip in list(self._clips.values()):  # of which no part was at work
            yield from self._settled(clip, clip.left())

    def _next(self, next_command: Callable[[], Command | None]) -> Command | None:
        for clip in self._clips.values():
            if clip.waiting:
                return clip.give()
        command = next_command()
        if command is None or command.job.output in self._whole or not _can_be_divided(command):
            return command
        clip = self._clips[command.job.output] = _Clip(command)
        return clip.give()

    def _settled(self, clip: _Clip, events: Iterator[Event]) -> Iterator[Event]:
        """The events; the clip is in hand no more after its last one."""
        for event in events:
            if isinstance(event.message, LastMessage):
                del self._clips[clip.output]
                if isinstance(event.message, Failed):
                    self._whole.add(clip.output)
            yield event


def _can_be_divided(command: Command) -> bool:
    options = command.job.options
    return options.is_clip and options.frames != PREVIEW


@dataclass(eq=False)
class _PartOfClip:
    """A part of a clip, of which `done` frames stand as far as it was heard."""

    command: Command
    first: int = 0
    frames: int = 0
    done: int = 0
    losses: int = 0


@dataclass(eq=False)
class _Clip:
    """A clip in hand: what of it is to be given away, and what is at work."""

    command: Command
    waiting: deque[_PartOfClip] = field(default_factory=deque)
    at_work: dict[str, _PartOfClip] = field(default_factory=dict)  # by label
    frames: int = 0
    painted: int = 0
    read: int = 0  # frames that were painted, as far as it was heard
    ended: int = 0  # frames of the parts that are done
    began: float = field(default_factory=time.monotonic)
    started: bool = False
    spoke: bool = False
    failure: Failed | None = None

    def __post_init__(self) -> None:
        self.waiting.append(_PartOfClip(replace(self.command, part=Part())))

    @property
    def output(self) -> str:
        """The pair's name."""
        return self.command.job.output

    def give(self) -> Command:
        """The next part is at work."""
        part = self.waiting.popleft()
        self.at_work[part.command.label] = part
        return part.command

    def hear(self, event: Event) -> Iterator[Event]:
        """What an event of a part means for the pair."""
        part = self.at_work[event.output]
        if part.command.part is None:  # the clip itself: all of it stands
            if not isinstance(event.message, Started):
                yield event
            return
        match event.message:
            case Started():
                yield from self._say_started()
            case Resumed(position):
                part.done = position.steps - part.first
                if not self.spoke:
                    yield Event(self.output, Resumed(self._position()))
            case Read(reading, coarse):
                yield from self._read(part, Read(reading, coarse))
            case Saved(position):
                if part.frames:
                    part.done = max(part.done, position.steps - part.first)
                    yield Event(self.output, Saved(self._position(), part=True))
            case Done() | PartDone() | Failed() | Interrupted() | Killed():
                del self.at_work[event.output]
                yield from self._last(part, event.message)
            case _:
                assert_never(event.message)

    def left(self) -> Iterator[Event]:
        """The run ends, and nothing of the clip is at work."""
        yield from self._say_started()
        yield Event(self.output, self._interrupted())

    def _interrupted(self) -> Interrupted:
        return Interrupted(self._position() if self._stand() else None)

    def _say_started(self) -> Iterator[Event]:
        if not self.started:
            self.started = True
            yield Event(self.output, Started())

    def _read(self, part: _PartOfClip, message: Read) -> Iterator[Event]:
        self.spoke = True
        if not message.coarse:
            part.done = message.reading.step - part.first
            self.read += 1
            stand = self._stand()
            # as several paint at once, and as if those that stood before had taken as long
            seconds = (time.monotonic() - self.began) / self.read * stand
            reading = replace(message.reading, step=stand, seconds=seconds)
            message = replace(message, reading=reading)
        yield Event(self.output, message)

    def _last(self, part: _PartOfClip, message: LastMessage) -> Iterator[Event]:
        """A part has ended."""
        if isinstance(message, PartDone):
            self._part_done(part, message)
        elif isinstance(message, Failed):
            self._failed(part, message)
        elif isinstance(message, Interrupted | Killed):
            self.ended += part.done
            self.waiting.clear()
        if self.at_work or self.waiting:
            return
        yield Event(self.output, self.failure or self._interrupted())

    def _part_done(self, part: _PartOfClip, message: PartDone) -> None:
        if part.frames:
            self.ended += part.frames
            self.painted += message.painted_apart
        else:
            self.frames = message.frames
            for begins, end in grouped(message.begins, message.frames):
                command = replace(self.command, part=Part(begins, end))
                self.waiting.append(_PartOfClip(command, begins[0], end - begins[0]))
            if len(self.waiting) == 1:  # one shot, or few frames: one worker paints it
                self.waiting.clear()
        if not self.at_work and not self.waiting and self.failure is None:
            self.waiting.append(_PartOfClip(replace(self.command, painted_apart=self.painted)))

    def _failed(self, part: _PartOfClip, failure: Failed) -> None:
        part.losses += 1
        if failure.reason_class == MachineLost.reason_class and part.losses <= _MOST_LOSSES and self.failure is None:
            self.waiting.appendleft(part)
            return
        self.failure = self.failure or failure
        self.waiting.clear()

    def _stand(self) -> int:
        return self.ended + sum(part.done for part in (*self.at_work.values(), *self.waiting))

    def _position(self) -> Position:
        stand = self._stand()
        return Position(stand, f"frame {stand} of {self.frames}")


def grouped(begins: Sequence[int], frames: int) -> list[tuple[tuple[int, ...], int]]:
    """Shots that begin at these of so many frames, as parts of whole shots: at which frames those
    of each begin, and where it ends; the longest first, so that all workers end soon after one
    another."""
    least = max(_FEWEST_FRAMES, -(-frames // _MOST_PARTS))
    parts: list[list[int]] = []
    for begin in begins:
        if parts and begin - parts[-1][0] < least:
            parts[-1].append(begin)
        else:
            parts.append([begin])
    ends = [*(part[0] for part in parts[1:]), frames]
    found = [(tuple(part), end) for part, end in zip(parts, ends, strict=True)]
    return sorted(found, key=lambda part: part[0][0] - part[1])
