"""What there is to know of a clip without its pixels, and at which rate its frames follow each
other. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

from pipeline.clip_names import Frames, count_kept, ends_before

# A file's own word for its rate is taken where its frames agree with it so far; it is exact
# (30000/1001) where their times are rounded.
_NEAR = Fraction(1, 100)
# Of a rate's two numbers: the finest clock that VP9's encoder takes (libvpx); FFmpeg's end at 2^31.
_LARGEST = 10**9

Kind = Literal["video", "animation", "numbered"]


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """`size` is (width, height) as it is shown: upright, with square pixels. `frames` were counted,
    whatever the file says: those that can be decoded, up to the first that cannot; `damage` then
    says in one line which that is. `rate` is in frames a second, None where frames last
    differently long. `seconds` is from the first frame's beginning to the last one's end. `sha256`
    is of the file's bytes; of numbered frames see `listing.sha256_of_all`."""

    size: tuple[int, int]
    frames: int
    rate: Fraction | None
    seconds: float
    has_sound: bool
    has_alpha: bool
    kind: Kind
    sha256: str
    notes: tuple[str, ...] = ()
    damage: str = ""


def why_not_painted(facts: ClipFacts, frames: Frames, name: str) -> str | None:
    """Why of a clip of this name these frames cannot be painted, as a sentence; None where they
    can."""
    if facts.damage and not ends_before(frames, facts.frames):
        return facts.damage
    if not count_kept(frames, facts.frames):
        return f"{name} has {facts.frames} frames, from 0, and none of those that frames asks for"
    return None


def as_json(facts: ClipFacts) -> dict[str, Any]:
    """Facts as plain JSON values."""
    return asdict(facts) | {"rate": None if facts.rate is None else str(facts.rate)}


def from_json(values: dict[str, Any]) -> ClipFacts:
    """Facts from what `as_json` made of them."""
    width, height = values["size"]
    rate = None if values["rate"] is None else Fraction(values["rate"])
    return ClipFacts(**values | {"size": (width, height), "rate": rate, "notes": tuple(values["notes"])})


def even_rate(times: Sequence[Fraction], unit: Fraction, usual: Fraction) -> Fraction | None:
    """Frames a second, where all of them last equally long but for the rounding to `unit` seconds
    of the file's clock; None where they do not, or at a rate that no clip is written with. `times`
    rise; `usual` is what the file says, which counts for a single frame."""
    if len(times) < 2:
        return in_small_numbers(usual)
    mean = (times[-1] - times[0]) / (len(times) - 1)
    if any(abs(after - before - mean) > unit for before, after in pairwise(times)):
        return None
    return in_small_numbers(usual if abs(mean * usual - 1) < _NEAR else 1 / mean)


def in_small_numbers(rate: Fraction) -> Fraction | None:
    """The nearest rate that encoders take; None where there is none."""
    near = rate.limit_denominator(min(_LARGEST, max(1, int(_LARGEST / rate))))
    return near if 0 < near.numerator <= _LARGEST else None
