"""How a stored frame becomes the shown one: with square pixels, and turned."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# libavutil's display matrix: a b u, c d v, x y w, where a to d are 16.16 fixed point.
_MATRIX = struct.Struct("=9i")
# Where [a b; c d] takes the first axis, after mirroring: quarters counterclockwise.
_QUARTERS = {(1, 0): 0, (0, -1): 1, (-1, 0): 2, (0, 1): 3}

Levels = TypeVar("Levels", bound=NDArray[Any])


@dataclass(frozen=True, slots=True)
class Geometry:
    """`stretched` is (width, height) with square pixels. It is then mirrored left to right, where
    `mirrored`, and turned by `turns` quarters counterclockwise."""

    stretched: tuple[int, int]
    turns: int = 0
    mirrored: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as it is shown."""
        width, height = self.stretched
        return (height, width) if self.turns % 2 else (width, height)


def geometry_of(frame: VideoFrame, aspect: Fraction | None) -> Geometry:
    """How a frame is shown, whose pixels are `aspect` times as wide as they are high. The side
    that is too short is made longer, so that nothing is lost."""
    width, height = frame.width, frame.height
    if aspect and aspect > 1:
        width = max(1, round(width * aspect))
    elif aspect and aspect > 0:
        height = max(1, round(height / aspect))
    return Geometry((width, height), *_orientation(frame))


def upright(levels: Levels, geometry: Geometry) -> Levels:
    """Levels (height, width, ...) as they are shown, in one piece."""
    mirrored = levels[:, ::-1] if geometry.mirrored else levels
    turned: Any = np.ascontiguousarray(np.rot90(mirrored, geometry.turns))
    return turned  # type: ignore[no-any-return]


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Quarters counterclockwise, and whether mirrored before. The matrix takes a place (x, y), y
    downwards, to (a x + c y, b x + d y); angles between quarters are taken as the nearest."""
    from av.sidedata.sidedata import Type

    side_data: Any = frame.side_data
    data = side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return 0, False
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data)[: _MATRIX.size])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return _QUARTERS.get((_sign(a, b), _sign(b, a)), 0), mirrored


def _sign(value: int, other: int) -> int:
    """-1 or 1 of the larger of two, 0 of the smaller."""
    return 0 if abs(value) <= abs(other) else (1 if value > 0 else -1)
