"""What there is to know of a clip without its pixels. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Kind = Literal["video", "animation", "numbered"]


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """`size` is (width, height) as it is shown: upright, with square pixels. `frames` were counted,
    whatever the file says. `rate` is in frames a second, None where frames last differently long.
    `seconds` is from the first frame's beginning to the last one's end. `sha256` is of the file's
    bytes; of numbered frames, of the lines "SHA-256 of the file, newline" in their order."""

    size: tuple[int, int]
    frames: int
    rate: Fraction | None
    seconds: float
    has_sound: bool
    has_alpha: bool
    kind: Kind
    sha256: str
    notes: tuple[str, ...] = ()
