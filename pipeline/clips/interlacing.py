"""Interlaced frames, of two fields that were taken one after the other, as frames of one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pipeline.clips.frame import DamageError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

NOTE = "is interlaced; of the two fields of each frame one picture was made"

# FFmpeg's filter of Weston (BBC) and Thomas: one frame for each, at its time; progressive frames
# in between pass.
_FILTER = ("bwdif", "mode=send_frame:parity=auto:deint=interlaced")


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
