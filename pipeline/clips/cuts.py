"""Where one shot of a clip ends and the next begins, from the photographs alone."""

from __future__ import annotations

from pipeline.clips.flow import Levels, Motion, motion

# Of all positions, those that have to be reliable for two frames to be of one shot: of two that
# have nothing in common it is one in a hundred, of a pan by a fifth of the picture 0.7.
_OF_ONE_SHOT = 0.1


def is_cut(here: Levels, there: Levels) -> bool:
    """Does the photograph `here` (height, width, 3) belong to another shot than `there`?"""
    return tells_cut(motion(here, there))


def tells_cut(found: Motion) -> bool:
    """The same, from the motion between both."""
    return found.share < _OF_ONE_SHOT
