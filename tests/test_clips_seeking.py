"""A clip read from its middle: the same frames, numbers and times as from its beginning, and little is decoded for them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from clip_kit import clip_frames, picture, stored, write_video

from pipeline.clips import decoding, video
from pipeline.clips.container import open_video
from pipeline.clips.reading import read_frames
from pipeline.clips.seeking import way_in
from pipeline.clips.writing import write_clip
from pipeline.errors import BadImage

pytestmark = pytest.mark.slow

COUNT = 40
STARTS = (1, 7, 8, 9, 17, 31, 39)
UNEVEN = [Fraction(number * number, 100) for number in range(COUNT)]
B_FRAMES = {"g": "8", "keyint_min": "8", "bf": "3", "x264-params": "scenecut=0:b-pyramid=normal"}
OPEN = {"g": "8", "keyint_min": "8", "bf": "3", "x264-params": "scenecut=0:open-gop=1"}
REFRESHED = {"x264-params": "intra-refresh=1:keyint=8"}

Make = Callable[[Path], Path]


def _video(name: str, form: str = "yuv420p", **how: object) -> Make:
    frames = [stored(picture(number), form) for number in range(COUNT)]
    return lambda folder: write_video(folder / name, frames, **how)  # type: ignore[arg-type]


def _animation(suffix: str) -> Make:
    def make(folder: Path) -> Path:
        with (folder / f"a{suffix}").open("w+b") as file:
            write_clip(file, suffix, clip_frames(COUNT), quality=90, rate=Fraction(25))
        return folder / f"a{suffix}"

    return make


SOUGHT: dict[str, Make] = {
    "H.264 with B frames in MP4": _video("a.mp4", codec="libx264", muxer="mp4", options=B_FRAMES),
    "H.264 with B frames in Matroska": _video("a.mkv", codec="libx264", options=B_FRAMES),
    "H.264 at a variable rate": _video("a.mp4", codec="libx264", muxer="mp4", options=B_FRAMES, times=UNEVEN),
    "H.264 with sound": _video("a.mp4", codec="libx264", muxer="mp4", options=B_FRAMES, sound="aac"),
    "VP9": _video("a.webm", codec="libvpx-vp9", muxer="webm", options={"g": "8", "cpu-used": "8"}),
    "FFV1 at a variable rate": _video("a.mkv", "bgr0", times=UNEVEN),
}
FROM_THE_BEGINNING: dict[str, Make] = {
    "VP8": _video("a.webm", codec="libvpx", muxer="webm", options={"g": "8", "cpu-used": "8"}),
    "MPEG-4 in AVI": _video("a.avi", codec="mpeg4", muxer="avi", options={"g": "8"}),
    "interlaced H.264": _video("a.mp4", codec="libx264", muxer="mp4", options=B_FRAMES, interlaced=True),
    "a GIF": _animation(".gif"),
    "a WebP": _animation(".webp"),
}
EITHER: dict[str, Make] = {
    "H.264 of open groups": _video("a.mkv", codec="libx264", options=OPEN),
    "H.264 that is refreshed column by column": _video("a.mkv", codec="libx264", options=REFRESHED),
}
ALL = {**SOUGHT, **FROM_THE_BEGINNING, **EITHER}


@pytest.mark.parametrize("kind", ALL)
def test_frames_from_the_middle_are_those_from_the_beginning(tmp_path: Path, kind: str) -> None:
    path = ALL[kind](tmp_path)
    whole = list(read_frames(path))
    assert len(whole) == COUNT
    for start in STARTS:
        found = list(read_frames(path, start=start))
        assert [frame.number for frame in found] == list(range(start, COUNT))
        for here, there in zip(found, whole[start:], strict=True):
            assert (here.time, here.duration) == (there.time, there.duration)
            assert np.array_equal(here.pixels, there.pixels), f"frame {here.number} from {start}"


def _decoded(monkeypatch: pytest.MonkeyPatch, path: Path, start: int) -> int:
    """How many frames were decoded for the one of this number."""
    count = 0
    frames = decoding._frames

    def counted(*arguments: object) -> object:
        nonlocal count
        for frame in frames(*arguments):  # type: ignore[arg-type]
            count += 1
            yield frame

    monkeypatch.setattr(decoding, "_frames", counted)
    next(read_frames(path, start=start))
    return count


@pytest.mark.parametrize("kind", SOUGHT)
def test_what_is_shown_before_the_key_frame_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    assert _decoded(monkeypatch, SOUGHT[kind](tmp_path), 37) <= 1 + 8 + 1  # the first; a group, and the next one's time


@pytest.mark.parametrize("kind", FROM_THE_BEGINNING)
def test_what_is_not_simple_is_decoded_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = FROM_THE_BEGINNING[kind](tmp_path)
    if path.suffix not in (".gif", ".webp"):
        assert _decoded(monkeypatch, path, 37) > 37


def test_packets_are_read_no_further_than_to_the_frame(tmp_path: Path) -> None:
    frames = [stored(picture(0), "yuv420p")] * 300
    path = write_video(tmp_path / "a.mkv", frames, codec="libx264", options=B_FRAMES)
    with open_video(path) as opened:
        found = way_in(opened, 20)
        left = sum(1 for packet in opened.container.demux(opened.stream) if packet.size)
    assert found is not None
    assert (found.number, len(found.stamps)) == (16, 5)
    assert left > 200


def test_a_frame_that_the_clip_has_not_is_none(tmp_path: Path) -> None:
    path = SOUGHT["VP9"](tmp_path)
    assert list(read_frames(path, start=COUNT)) == []
    assert list(read_frames(path, start=COUNT + 500)) == []


def test_damage_after_a_seek_is_told_as_from_the_beginning(tmp_path: Path) -> None:
    path = SOUGHT["FFV1 at a variable rate"](tmp_path)
    data = bytearray(path.read_bytes())
    at = len(data) * 3 // 4
    data[at : at + 40] = bytes(40)
    path.write_bytes(data)
    told = []
    for start in (0, 20):
        frames = read_frames(path, start=start)
        assert next(frames).number == start
        with pytest.raises(BadImage, match="cannot be decoded") as raised:
            list(frames)
        told.append(str(raised.value))
    assert told[0] == told[1]


def test_a_video_that_turns_out_otherwise_is_decoded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the container's stamps are not those of its frames."""
    path = SOUGHT["VP9"](tmp_path)
    whole = list(read_frames(path, start=20))

    def wrong(opened: object, number: int) -> object:
        found = way_in(opened, number)  # type: ignore[arg-type]
        assert found is not None
        return found._replace(stamps=(*found.stamps[:-1], found.stamps[-1] + 1))

    monkeypatch.setattr(video, "way_in", wrong)
    found = list(read_frames(path, start=20))
    assert [frame.number for frame in found] == [frame.number for frame in whole]
    assert all(np.array_equal(here.pixels, there.pixels) for here, there in zip(found, whole, strict=True))
