"""What a record and a report say of a clip beside what they say of every pair.

It is told frame by frame, so that of a frame no more is held than the report will show: curves have
as many points of a long clip as of a short one.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pipeline.batch.clip_frames import KeptFrame, Shown
from pipeline.batch.system.machine import differences_between
from pipeline.clip_names import spread
from pipeline.errors import BadImage
from pipeline.reading import Reading

if TYPE_CHECKING:
    from pipeline.clips.facts import ClipFacts

_MOST_ROWS = 60  # as of a trace that is kept (store/records)
_MOST_READINGS = 1000  # of a trace, as a long clip has many frames
_MOST_NOTES = 5  # of frames; they mostly say the same


class Times:
    """When the frames of a clip are shown, and for how long: exact, in 32 bytes a frame."""

    def __init__(self) -> None:
        self._parts = array("q")  # of each frame four: numerator and denominator of both

    def __len__(self) -> int:
        return len(self._parts) // 4

    def add(self, time: Fraction, duration: Fraction) -> None:
        """Those of the next frame. Raises BadImage for what no clock shows."""
        try:
            self._parts.extend((time.numerator, time.denominator, duration.numerator, duration.denominator))
        except OverflowError as error:
            raise BadImage(
                f"a frame of the clip is shown at {float(time):.3g} s, which no player knows; export it again"
            ) from error

    def __getitem__(self, place: int) -> tuple[Fraction, Fraction]:
        begin, whole, lasting, parts = self._parts[4 * place : 4 * place + 4]
        return Fraction(begin, whole), Fraction(lasting, parts)


@dataclass(slots=True)
class _Mean:
    """Of numbers that come one by one."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.total, self.count = self.total + value, self.count + 1

    @property
    def short(self) -> float | None:
        return round(self.total / self.count, 3) if self.count else None


@dataclass(slots=True)
class Told:
    """What is to be told of the `count` frames of a clip that are painted, as far as it has come.
    `first` and `last` are the frames at its ends, `readings` some of those that there is one of for
    each frame, `side` is theirs. `stills`: each frame is painted as one, and none begins a shot."""

    count: int
    side: int
    stills: bool = False
    first: Shown | None = None
    last: Shown | None = None
    seconds: float = 0.0
    times: Times = field(default_factory=Times)
    readings: list[Reading] = field(default_factory=list)
    _read_at: frozenset[int] = frozenset()
    _rows_at: frozenset[int] = frozenset()
    _rows: list[list[float | None]] = field(default_factory=list)
    _cuts: list[int] = field(default_factory=list)
    _flicker: _Mean = field(default_factory=_Mean)
    _own_flicker: _Mean = field(default_factory=_Mean)
    _evaluations: _Mean = field(default_factory=_Mean)
    _drift: float = 0.0
    _begun: float = 0.0  # how much lighter than its photograph a shot's first frame is
    _notes: dict[str, None] = field(default_factory=dict)
    _environments: list[dict[str, Any]] = field(default_factory=list)
    _painted_in: array[int] = field(default_factory=lambda: array("q"))  # of each of these so many

    def __post_init__(self) -> None:
        self._read_at, self._rows_at = (frozenset(spread(self.count, most)) for most in (_MOST_READINGS, _MOST_ROWS))

    def __len__(self) -> int:
        return len(self.times)

    def add(self, shown: Shown) -> None:
        """The next frame stands."""
        number, frame = len(self), shown.frame
        self.times.add(shown.time, shown.duration)
        self.first, self.last = self.first or shown, shown
        self.seconds += frame.seconds
        if number in self._read_at:
            self.readings.append(Reading(step=number + 1, seconds=self.seconds, side=self.side, losses=frame.last))
        if number in self._rows_at:
            levels = (frame.flicker, frame.own_flicker, *frame.light)
            self._rows.append([shown.number, *map(_short, levels)])
        if frame.cut and number and not self.stills:
            self._cuts.append(shown.number)
        self._flicker.add(frame.flicker)
        self._own_flicker.add(frame.own_flicker)
        self._evaluations.add(None if frame.cut else frame.evaluations)
        self._look_at_light(frame)
        self._look_at_notes(frame)

    def story(self, facts: ClipFacts) -> dict[str, Any]:
        """What a record and a report say, in JSON values: how many frames of how many, when in
        seconds, where shots begin, and frame by frame how they hold together (`rows`: number,
        flicker, the photograph's own, mean grey of photograph and painting), of a long clip
        some."""
        assert self.first is not None
        assert self.last is not None
        return {
            "frames": len(self),
            "of": facts.frames,
            "seconds": round(float(self.last.time + self.last.duration - self.first.time), 3),
            "rate": None if facts.rate is None else round(float(facts.rate), 3),
            "sound": facts.has_sound,
            "cuts": self._cuts,
            "flicker": self._flicker.short,
            "own_flicker": self._own_flicker.short,
            "drift": round(self._drift, 3),
            "evaluations": self._evaluations.short,
            "rows": self._rows,
        }

    def notes(self, environment: dict[str, Any], resumed: int) -> list[str]:
        """What is worth knowing of how a clip was painted; `resumed` frames stood before."""
        told = [f"{resumed} of {len(self)} frames stood already"] if resumed else []
        others = [place for place, other in enumerate(self._environments) if other != environment]
        if others:
            count = sum(self._painted_in[place] for place in others)
            words = differences_between(self._environments[others[0]], environment)
            told.append(f"{count} frames were painted with other {words}: alike, not equal byte for byte")
        return [*told, *self._notes]

    def _look_at_light(self, frame: KeptFrame) -> None:
        """By how many grey levels the painting became lighter or darker against its photograph
        within a shot, at most: the difference of their mean levels less that at its first frame."""
        photograph, painting = frame.light
        if frame.cut:
            self._begun = painting - photograph
        change = painting - photograph - self._begun
        self._drift = change if abs(change) > abs(self._drift) else self._drift

    def _look_at_notes(self, frame: KeptFrame) -> None:
        for note in frame.notes:
            if len(self._notes) < _MOST_NOTES:
                self._notes[note] = None
        if frame.environment not in self._environments:
            self._environments.append(frame.environment)
            self._painted_in.append(0)
        self._painted_in[self._environments.index(frame.environment)] += 1


def _short(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)
