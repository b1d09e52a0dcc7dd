"""Where in a video a frame can be decoded from, so that what is shown before it need not be.

Frames are numbered in the order shown, which a container does not say: the stamps of its packets,
sorted, do. A key frame serves that no packet before it is shown after: what follows it in the file
and is shown later refers to nothing before it (H.264, 7.4.1.2.4 and D.2.8; HEVC, 8.1; VP9, AV1).
Packets are read for that, and nothing is decoded. A video that is not as simple (fields, packets
without a stamp, two of one, frames that are not shown) is decoded from its beginning.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import NamedTuple

from pipeline.clips.container import OpenVideo, load_av

# FFmpeg's names of codings in which a packet is a frame: VP8 has packets that are not shown, MPEG-4
# in AVI some of two frames, MPEG-2 fields.
_A_PACKET_A_FRAME = frozenset(
    ("h264", "hevc", "av1", "libdav1d", "vp9", "libvpx-vp9", "ffv1", "mjpeg", "prores", "png", "huffyuv")
)
_AT_ONCE = 64  # packets between two looks whether the frame's place is known; more than a group has
_MOST_STAMP = 2**63


class UnsureError(Exception):
    """Whether what is decoded from a key frame on is what is decoded from the beginning."""


class WayIn(NamedTuple):
    """The key frame has this `number`; the container finds it by `seek`, in units of the stream's
    clock. `stamps` are those of the key frame and what is shown after it, to the frame wanted."""

    number: int
    seek: int
    stamps: tuple[int, ...]


def way_in(video: OpenVideo, number: int) -> WayIn | None:
    """The nearest key frame before frame `number` that serves; None where there is none but the
    first, or where that cannot be said. Reads packets up to that frame."""
    if video.stream.codec_context.name not in _A_PACKET_A_FRAME:
        return None
    try:
        return _among_packets(video, number)
    except load_av().FFmpegError:  # whoever decodes says what is damaged
        return None


def seek(video: OpenVideo, entry: WayIn) -> None:
    """Have the container go on at a key frame. Raises UnsureError where it cannot."""
    try:
        video.container.seek(entry.seek, stream=video.stream)
    except load_av().FFmpegError as error:
        raise UnsureError from error


def _among_packets(video: OpenVideo, number: int) -> WayIn | None:
    stamps, keys = array("q"), array("q")  # of packets in their order; key frames' stamps and seeks
    highest, before, look_at = -_MOST_STAMP, -_MOST_STAMP, number + _AT_ONCE
    for packet in video.container.demux(video.stream):
        if not packet.size:
            continue
        stamp = packet.pts
        order = before if packet.dts is None else packet.dts  # which Matroska's first ones have not
        if packet.is_discard or packet.is_corrupt or stamp is None or order < before:
            return None
        before = order
        if not stamps and not packet.is_keyframe:
            return None
        stamps.append(stamp)
        if packet.is_keyframe and stamp > highest:
            keys.extend((stamp, stamp if packet.dts is None else min(stamp, order)))
        highest = max(highest, stamp)
        if len(stamps) >= look_at:
            # a packet is not shown before it is decoded: what is to come is shown after this one
            if sorted(stamps)[number] < order:
                break
            look_at += _AT_ONCE
    return _chosen(stamps, keys, number)


def _chosen(stamps: array[int], keys: array[int], number: int) -> WayIn | None:
    shown = sorted(stamps)
    if number >= len(shown) or shown[0] != stamps[0] or len(set(shown)) != len(shown):
        return None
    serving = [place for place in range(0, len(keys), 2) if keys[place] <= shown[number]]
    stamp, seek = keys[serving[-1]], keys[serving[-1] + 1]
    first = bisect_left(shown, stamp)
    return WayIn(first, seek, tuple(shown[first : number + 1])) if first else None
