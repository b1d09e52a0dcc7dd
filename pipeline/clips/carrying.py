"""What a frame takes over from those before it: their paintings, carried along to where things are
now.

Each position comes from the nearest frame in which it can be followed: Ruder et al. (arXiv
1604.08610), section 3.3, Eq. 8, long-term consistency. What passed behind something for a moment is
the same again afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.clips.flow import Floats, Levels, Motion, motion, tells_cut, warped

_WHITE = 255
# How firmly a position is held that only the last frame shows, or the last two that are looked at,
# and three or more: what was painted afresh is soft, and has three frames to become crisp.
_FIRM = np.array([0.0, 0.25, 0.5, 1.0, 1.0, 1.0], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """A frame that was painted: its photograph at the size of the painting, and the painting, both
    uint8 (height, width, 3); and how much each style is painted where, uint8 (height, width,
    styles), where that is not alike in all frames."""

    photograph: Levels
    painted: Levels
    styles: Levels | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """`pixels` (height, width, 3), float32, 0..255: what was painted, carried along; `covered`
    (height, width), bool: where that comes from something reliable; `seen`, likewise, with edges
    that move; `firm` (height, width), 0..1: how long it has been there."""

    pixels: Floats
    covered: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    firm: Floats

    @property
    def share(self) -> float:
        """Of all positions, those that are covered."""
        return float(self.covered.mean())


def follow(photograph: Levels, earlier: Iterable[Earlier], styles: Levels | None = None) -> Followed | None:
    """What is carried to the frame with this photograph, from the nearest frame on; None where a
    shot begins, as none of them can be followed. `styles` are those that are to be painted."""
    found: Followed | None = None
    frames = 0
    for each in earlier:
        moved = motion(photograph, each.photograph)
        alike = _in_the_same_style(moved, styles, each)
        if not tells_cut(moved) and (alike is moved or alike.seen.any()):
            found = _beside(found, each.painted, alike, frames)
            frames += 1
    if found is None:
        return None
    return replace(found, firm=np.where(found.firm >= frames, np.float32(1), _FIRM[found.firm.astype(int)]))


def _beside(nearer: Followed | None, painted: Levels, moved: Motion, frames: int = 0) -> Followed:
    """With what was painted in another frame where no nearer one is reliable. `firm` counts, up to
    the last one that shows a position; `frames` are nearer."""
    carried = np.clip(warped(painted, moved.flow), 0, _WHITE)
    firm = np.where(moved.seen, np.float32(frames + 1), np.float32(0) if nearer is None else nearer.firm)
    if nearer is None:
        return Followed(carried, moved.reliable, moved.seen, firm)
    more = moved.reliable & ~nearer.covered | moved.seen & ~nearer.seen
    pixels = np.where(more[..., np.newaxis], carried, nearer.pixels)
    return Followed(pixels, nearer.covered | moved.reliable, nearer.seen | moved.seen, firm)


def _in_the_same_style(moved: Motion, styles: Levels | None, there: Earlier) -> Motion:
    """The motion, which is not believed where another style was painted than is to be: a mask has
    moved otherwise than what it is over, or styles change from one frame to the next."""
    if styles is None or there.styles is None:
        return moved
    pairs = zip(np.moveaxis(styles, -1, 0), np.moveaxis(there.styles, -1, 0), strict=True)
    apart = [np.abs(one - warped(np.ascontiguousarray(other), moved.flow)) for one, other in pairs]
    alike = np.max(apart, axis=0) < _OTHERWISE
    return replace(moved, reliable=moved.reliable & alike, seen=moved.seen & alike)


_OTHERWISE = 128  # of 255: the larger part is another style's


def closing(
    followed: Followed | None, photograph: Levels, first: Earlier, share: float, styles: Levels | None = None
) -> Followed | None:
    """With so much of what the first frame shows of the same, at the end of a loop."""
    moved = motion(photograph, first.photograph)
    if tells_cut(moved):
        return followed
    moved = _in_the_same_style(moved, styles, first)
    ahead = _beside(None, first.painted, moved)
    if followed is None:
        return ahead
    mixed = np.where(
        followed.covered[..., np.newaxis], (1 - share) * followed.pixels + share * ahead.pixels, ahead.pixels
    )
    pixels = np.where(ahead.covered[..., np.newaxis], mixed, followed.pixels).astype(np.float32)
    seen, covered = followed.seen | ahead.seen, followed.covered | ahead.covered
    return Followed(pixels, covered, seen, np.maximum(followed.firm, ahead.seen))


@dataclass(frozen=True, slots=True, eq=False)
class Flicker:
    """How much positions that can be followed differ from what they were in the frame before, in
    grey levels, root mean square: of a painting, and of the photograph."""

    painted: float
    own: float


def flicker(here: Earlier, before: Earlier) -> Flicker | None:
    """Of a frame, as it was painted; None where nothing can be followed."""
    moved = motion(here.photograph, before.photograph)
    if tells_cut(moved):
        return None
    moved = _in_the_same_style(moved, here.styles, before)
    if not moved.reliable.any():
        return None
    return Flicker(*(_change(*pair, moved) for pair in zip(_both(here), _both(before), strict=True)))


def _both(frame: Earlier) -> tuple[Levels, Levels]:
    return frame.painted, frame.photograph


def _change(here: Levels, before: Levels, moved: Motion) -> float:
    difference = here.astype(np.float32) - np.clip(warped(before, moved.flow), 0, _WHITE)
    return float(np.sqrt(np.mean(difference[moved.reliable] ** 2)))
