"""Sound, subtitles and chapters of a clip, copied into another as they are: by packets, without a
new encoding."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pipeline.clips.container import beginning, load_av, said
from pipeline.clips.frame import Span

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

_OF_MP4 = "mov_text"  # subtitles that a Matroska cannot hold as they are
_KINDS = ("audio", "subtitle")
_KEPT_METADATA = ("language", "title", "handler_name")
_WORDS = {"audio": ("sound", "was"), "subtitle": ("subtitles", "were"), "attachment": ("fonts", "were")}


class SoundError(Exception):
    """A clip cannot be written with what is beside its pictures, for a reason in words."""


class SoundCopy:
    """Copies what is beside the pictures of `source` into `output`, as far as its container takes
    it; `notes` say what it does not. To be made before the output's header is written. Where
    `is_all`, chapters are all that there was, and `source` need not stay open."""

    def __init__(self, source: InputContainer, output: OutputContainer, suffix: str, span: Span) -> None:
        self.notes: list[str] = []
        self.is_all = True
        self._suffix = suffix
        self._output = output
        self._span = span
        self._start = beginning(source)
        self._copies: dict[int, Stream] = {}
        for stream in source.streams:
            if stream.type in _KINDS or (stream.type == "attachment" and output.format.name == "matroska"):
                self._add(stream)
        _copy_chapters(source, output, self._start, span)
        self._packets = self._in_order(source)
        self._next: Packet[Any] | None = None
        self._latest: dict[int, int] = {}  # of each stream, in units of its source's clock

    def until(self, time: Fraction | None) -> None:
        """Copy all packets that begin before `time` on the output's clock; None: all. A source that
        cannot be read any further ends its sound, with a note, and not the clip."""
        while (packet := self._next or self._read()) is not None:
            self._next = packet
            if time is not None and _time(packet, packet.time_base) >= time:
                return
            if self._is_later(packet):
                self._output.mux_one(packet)
            self._next = None

    def _read(self) -> Packet[Any] | None:
        av = load_av()
        try:
            return next(self._packets, None)
        except av.FFmpegError as error:
            self._packets = iter(())
            self.notes.append(f"its sound is damaged ({said(error)}) and was kept as far as it is good")
            return None

    def _is_later(self, packet: Packet[Any]) -> bool:
        """Whether a packet comes after the one before it of its stream, as every container asks;
        of what is there twice, or out of order, the first is kept."""
        stamp: int = packet.dts
        before = self._latest.get(packet.stream_index)
        if before is not None and stamp <= before:
            return False
        self._latest[packet.stream_index] = stamp
        return True

    def _add(self, stream: Any) -> None:
        try:
            _try_alone(stream, self._output.format.name)
            copy = self._output.add_stream_from_template(stream, opaque=True)
        except (ValueError, load_av().FFmpegError):  # the container has no room for this coding
            coded = stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"
            what, were = _WORDS[stream.type]
            more = "" if self._suffix == ".mkv" or coded == _OF_MP4 else "; .mkv holds all kinds"
            self.notes.append(
                f"its {what} ({coded}) cannot stand in a {self._suffix} without a new encoding and {were} left out{more}"
            )
            return
        self.is_all = False
        copy.metadata.update({key: stream.metadata[key] for key in _KEPT_METADATA if key in stream.metadata})
        copy.disposition = stream.disposition
        if stream.type != "attachment":
            self._copies[stream.index] = copy

    def _in_order(self, source: InputContainer) -> Iterator[Packet[Any]]:
        """Packets of the span on the output's clock."""
        streams = [source.streams[index] for index in self._copies]
        if not streams:
            return
        shift = self._start + (self._span.begin or 0)
        over: set[int] = set()
        for packet in source.demux(streams):
            if not packet.size or packet.dts is None or packet.pts is None:
                continue
            base = packet.time_base
            time = _time(packet, base) - self._start
            if self._span.begin is not None and time < self._span.begin:
                continue
            if self._span.end is not None and time >= self._span.end:
                over.add(packet.stream_index)
                if len(over) == len(streams):
                    return
                continue
            packet.stream = self._copies[packet.stream_index]
            packet.pts -= round(shift / base)
            packet.dts -= round(shift / base)
            yield packet


def _try_alone(stream: Any, muxer: str) -> None:
    """Raises what FFmpeg raises where a container of this kind does not begin with such a stream:
    some say it only then (Opus and FLAC in a MOV, TrueHD in an MP4), when nothing can be left out
    any more."""
    with load_av().open(BytesIO(), "w", format=muxer) as trial:
        trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()


def _time(packet: Packet[Any], base: Fraction | None) -> Fraction:
    stamp = packet.pts if packet.pts is not None else packet.dts
    return (stamp or 0) * (base or Fraction(0))


def _copy_chapters(source: InputContainer, output: OutputContainer, start: Fraction, span: Span) -> None:
    begin = start + (span.begin or 0)
    kept: list[Any] = []
    for chapter in source.chapters():
        base: Fraction = chapter["time_base"] or Fraction(0)
        first, last = chapter["start"] * base - begin, chapter["end"] * base - begin
        length = None if span.end is None else span.end - (span.begin or 0)
        if last <= max(first, 0) or (length is not None and first >= length):
            continue
        last = last if length is None else min(last, length)
        kept.append(
            {
                "id": len(kept) + 1,
                "start": round(max(first, Fraction(0)) * 1000),
                "end": round(last * 1000),
                "time_base": Fraction(1, 1000),
                "metadata": {"title": chapter["metadata"].get("title", "")},
            }
        )
    if kept:
        output.set_chapters(kept)
