"""What there is to know of a clip without its pixels. Standard library only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

from pipeline.clip_names import Frames, count_kept, ends_before

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
