"""How stored frames become shown ones: turned, with square pixels, and, of two fields that were
taken one after the other, as of one moment."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.clips.frame import DamageError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


# libavutil's display matrix: a b u, c d v, x y w, where a to d are 16.16 fixed point.
_MATRIX = struct.Struct("=9i")
# Where [a b; c d] takes the first axis, after mirroring: quarters counterclockwise.
_QUARTERS = {(1, 0): 0, (0, -1): 1, (-1, 0): 2, (0, 1): 3}

Levels = TypeVar("Levels", bound=NDArray[Any])
INTERLACED = "is interlaced; of the two fields of each frame one picture was made"
# FFmpeg's filter of Weston (BBC) and Thomas: one frame for each, at its time; progressive frames
# in between pass.
_FILTER = ("bwdif", "mode=send_frame:parity=auto:deint=interlaced")


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


class Fields:
    """Joins the fields of one clip's frames; `were_seen` says whether it had any."""

    def __init__(self) -> None:
        self.were_seen = False
        self._graph: Any = None
        self._form: tuple[int, int, str] | None = None

    def joined(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """Frames as they are up to the first interlaced one, from then on through the filter. What
        the filter holds comes before DamageError."""
        try:
            for frame in frames:
                self.were_seen = self.were_seen or frame.interlaced_frame
                if not self.were_seen:
                    yield frame
                    continue
                form = (frame.width, frame.height, frame.format.name)
                if form != self._form:
                    yield from self._rest()
                    self._graph, self._form = _graph(frame), form
                self._graph.push(frame)
                yield from _ready(self._graph)
        except DamageError:
            yield from self._rest()
            raise
        yield from self._rest()

    def _rest(self) -> Iterator[VideoFrame]:
        if self._graph is not None:
            self._graph.push(None)
            yield from _ready(self._graph)


def _graph(frame: VideoFrame) -> Any:
    from av.filter import Graph

    graph: Any = Graph()
    source: Any = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base
    )
    bwdif = graph.add(*_FILTER)
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _ready(graph: Any) -> Iterator[VideoFrame]:
    from av.error import BlockingIOError, EOFError

    while True:
        try:
            frame: VideoFrame = graph.pull()
        except (BlockingIOError, EOFError):
            return
        yield frame
