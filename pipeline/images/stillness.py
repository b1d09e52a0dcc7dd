"""Has a picture become what it will be?

Its loss falls for as long as anybody waits; what a person sees is done long before. Two things are
looked at, without the network, in the picture as it would be finished, at the size at which it is
looked at: how far the statistics of its patches are from the styles' (images/quality, Karras et al.
2018), and how many edges of the photograph it shows. When in the last quarter of all steps made so
far neither has become better, more steps only wear the photograph down: with Gram matrices, 320 px,
patches are as near as they come after 54 of 150 evaluations (0.097), while of the edges 0.79 are
there, and 0.73 after 128.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.images.quality import Pixels, Plane, distance_of_patches, edge_agreement, patches_seen
from pipeline.images.scale import Floats

VIEWED = 1024  # pixels along the longer side: as much of a picture as a screen shows

# What counts as better, by looking at a pen drawing, a woodcut, brush strokes (512 px, neighbours)
# and at two pairs of Gram matrices (320 px) after 16, 22, 30, 40, 54 ... steps: a fall of the
# distance by 1.5 %, a hundredth of all edges more. By 3 % a portrait in pen (256 px) ended after 22
# steps, softer than after 50.
NEARER, MORE_EDGES = 0.015, 0.01
_FIRST = 16
_LAST_PART = 0.25

Distance = Callable[[Floats], tuple[float, float]]
"""Of a picture as it stands (height, width, 3), 0..255, how far it is from its styles, and how many
edges of the photograph it shows."""


class Stillness:
    """Looks at a picture at its marks. `still_at` is the step at which it was still; None
    before."""

    def __init__(self, distance: Distance) -> None:
        self.still_at: int | None = None
        self._distance = distance
        self._mark = 0  # the step of the last look
        self._seen = (math.inf, -math.inf)

    def is_due(self, step: int) -> bool:
        """Is there a mark after so many steps?"""
        return step >= max(_FIRST, math.ceil(self._mark / (1 - _LAST_PART)))

    def look(self, step: int, pixels: Floats) -> None:
        """Take in the picture (height, width, 3), float32, 0..255, after so many steps."""
        (style, edges), (style_before, edges_before) = self._distance(pixels), self._seen
        better = style < (1 - NEARER) * style_before or edges > edges_before + MORE_EDGES
        if self._mark and not better:
            self.still_at = step
        self._mark, self._seen = step, (style, edges)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that `restore` needs, by name."""
        return {"still": np.array([self._mark, self.still_at or 0, *self._seen], np.float64)}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Stand where `state` was taken. Raises KeyError or ValueError where it is none."""
        mark, at, style, edges = (float(number) for number in state["still"])
        self._mark, self.still_at, self._seen = int(mark), int(at) or None, (style, edges)


def distance_to(
    styles: Sequence[tuple[Sequence[Plane], float]], photograph: Pixels, finished: Pixels
) -> tuple[float, float]:
    """What `Distance` says of a finished picture, uint8 (height, width, 3), as its photograph.
    Styles are the patches of pictures as much smaller (`patches_seen`), each with its share."""
    whole, seen = sum(share for _style, share in styles), patches_seen(finished)
    style = sum(share / whole * distance_of_patches(seen, each) for each, share in styles)
    return style, edge_agreement(finished, photograph)
