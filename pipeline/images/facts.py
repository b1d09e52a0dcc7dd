"""What there is to know of a picture file without its pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """`width` and `height` are of the upright picture; `format` is Pillow's name for it;
    `can_be_seen` says whether any pixel has any opacity, `is_black` whether all that have are
    black."""

    width: int
    height: int
    format: str
    sha256: str
    notes: tuple[str, ...] = ()
    can_be_seen: bool = True
    is_black: bool = False
