"""Coarse to fine: at which sizes a picture is painted before its own, so that a large one looks like its small preview.

The network sees 156 pixels at most at relu5_1, whatever the picture's size: painted at 2048 pixels at once, brush strokes are a
quarter as large, in the picture, as at 512. Painted small first and enlarged, the strokes are already there.
"""

from __future__ import annotations

# A picture up to this long is painted at once, a longer one is halved until it is not: 512, the default size, by a root of two,
# so that the coarsest size lies between 362 and 724. Looked at at 512, 1024 and 2048 px.
_PREVIEW = 724
# Shorter side, in pixels, of anything in the coarsest size: 4 positions at block 5.
_SHORTEST = 64
# Evaluations at each coarser size, as a share of those at full size: an eighth more time, where all of them would cost a third.
STEPS_SHARE = 0.5


def sides(longer_side: int, scales: int | str, shortest: int) -> list[int]:
    """Longer sides in pixels, from coarse to fine, each half of the next, the last being `longer_side`.

    `scales` is their number or `auto`. `shortest` is the shortest side of content and styles at full size: there are fewer
    sizes where it would become too short.
    """
    found = [longer_side]
    while len(found) != scales and (scales != "auto" or found[0] > _PREVIEW) and shortest >> len(found) >= _SHORTEST:
        found.insert(0, round(longer_side / 2 ** len(found)))
    return found


def coarse_steps(steps: int) -> int:
    """Evaluations at each coarser size of a picture that takes `steps` at its own."""
    return max(1, round(steps * STEPS_SHARE))
