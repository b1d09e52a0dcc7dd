"""Clips that are cut off or damaged: one line with the time of the first bad frame, and the good ones before it."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from clip_kit import RATE, clip_frames, picture, stored, write_video

from pipeline.clips.facts import as_json, from_json
from pipeline.clips.reading import clip_facts, read_frames
from pipeline.clips.structure import MATROSKA, MOV, missing_bytes
from pipeline.clips.writing import write_clip
from pipeline.errors import BadImage
from pipeline.images.refusals import UnfitError

_COUNT = 50


_FFV1 = {"level": "3", "slicecrc": "1", "g": "1"}


def _rough(number: int) -> np.ndarray:
    """A picture that no coding makes small, so that headers are a small part of a file."""
    noise = np.random.default_rng(5).integers(-40, 40, (96, 128 + 2 * _COUNT, 1))[:, 2 * number : 2 * number + 128]
    return np.clip(picture(number, 128, 96) + noise, 0, 255).astype(np.uint8)


def _video(path: Path, codec: str, muxer: str, *, options: dict[str, str] | None = None, **more) -> Path:
    usual = {"libx264": {"crf": "20"}, "libvpx-vp9": {"cpu-used": "6"}, "ffv1": _FFV1, "mpeg4": {"qmax": "3"}}
    full = codec == "mjpeg"
    frames = [stored(_rough(k), "yuvj420p" if full else "yuv420p", full=full) for k in range(_COUNT)]
    tags = {"color_range": 2} if full else {}
    return write_video(
        path, frames, codec=codec, muxer=muxer, options=usual.get(codec, {}) | (options or {}), tags=tags, **more
    )


def _kept(path: Path) -> tuple[int, str]:
    """Frames that are read before the line, and the line."""
    count = 0
    try:
        for frame in read_frames(path):
            assert frame.number == count
            count += 1
    except BadImage as error:
        return count, str(error)
    pytest.fail(f"all of {count} frames were read without a word")


@pytest.mark.parametrize(
    ("name", "codec", "muxer", "container"),
    [
        ("a.mp4", "libx264", "mp4", {"movflags": "faststart"}),
        ("a.mp4", "libx264", "mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mov", "mjpeg", "mov", {"movflags": "faststart"}),
        ("a.mkv", "libx264", "matroska", {}),
        ("a.mkv", "ffv1", "matroska", {}),
        ("a.webm", "libvpx-vp9", "webm", {}),
        ("a.avi", "mpeg4", "avi", {}),
    ],
)
@pytest.mark.parametrize("share", [0.4, 0.7])
def test_of_a_clip_that_is_cut_off_the_frames_before_are_read(tmp_path, name, codec, muxer, container, share):
    options = {"g": "5"} if "frag" in str(container) else {}
    path = _video(tmp_path / name, codec, muxer, options=options, container=container)
    whole = [frame.pixels for frame in read_frames(path)]
    assert len(whole) == _COUNT
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    facts = clip_facts(path)
    count, line = _kept(path)
    assert 1 <= count < _COUNT
    assert (facts.frames, facts.damage) == (count, line)
    told = re.fullmatch(
        rf".*{re.escape(name)}: the frame at (\d+\.\d\d) s cannot be decoded \(.+\);"
        rf" copy or export it again, or paint those before it \(frames: \[0, {count - 1}\]\)",
        line,
    )
    assert told
    assert float(told[1]) == pytest.approx(count / RATE, abs=0.011)
    for frame, before in zip(read_frames(path, wanted=lambda number: number < count - 1), whole, strict=False):
        np.testing.assert_array_equal(frame.pixels, before)
        if frame.number == count - 2:
            break


@pytest.mark.parametrize(
    ("name", "codec", "muxer"),
    [
        ("a.mp4", "libx264", "mp4"),
        ("a.mkv", "libx264", "matroska"),
        ("a.mkv", "ffv1", "matroska"),
        ("a.avi", "mpeg4", "avi"),
    ],
)
def test_damage_in_the_middle_is_told_with_its_time(tmp_path, name, codec, muxer):
    path = _video(tmp_path / name, codec, muxer)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = np.random.default_rng(1).bytes(300)
    path.write_bytes(data)
    facts = clip_facts(path)
    count, line = _kept(path)
    assert 1 < count < _COUNT
    assert (facts.frames, facts.damage) == (count, line)
    assert f"the frame at {count / RATE:.2f} s cannot be decoded" in line


def test_a_clip_whose_last_frames_alone_lack_nothing_is_whole(tmp_path):
    """What stands behind the last frame, an index, may be missing."""
    path = _video(tmp_path / "a.mkv", "ffv1", "matroska")
    path.write_bytes(path.read_bytes()[:-40])
    assert (clip_facts(path).frames, clip_facts(path).damage) == (_COUNT, "")


def test_an_mp4_that_ends_before_its_index_cannot_be_opened(tmp_path):
    path = _video(tmp_path / "a.mp4", "libx264", "mp4")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(BadImage, match=r"a\.mp4 is damaged or cut off \(Invalid data found .*\); copy it again"):
        clip_facts(path)


def test_a_clip_of_no_frames_is_refused(tmp_path):
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.start_encoding()
    for read in (clip_facts, lambda path: next(read_frames(path))):
        with pytest.raises(BadImage, match=r"a\.mkv has no frames; record or export it again"):
            read(path)


@pytest.mark.parametrize("suffix", [".gif", ".apng", ".webp"])
def test_of_an_animation_that_is_cut_off_the_frames_before_are_read(tmp_path, suffix):
    file = io.BytesIO()
    write_clip(file, suffix, clip_frames(12), quality=90, rate=Fraction(RATE))
    path = tmp_path / f"a{suffix}"
    path.write_bytes(file.getvalue()[: int(len(file.getvalue()) * 0.6)])
    if suffix == ".webp":  # which is decoded as a whole
        with pytest.raises(BadImage, match=r"damaged or cut off|truncated"):
            clip_facts(path)
        return
    facts = clip_facts(path)
    count, line = _kept(path)
    assert 1 < count < 12
    assert (facts.frames, facts.damage) == (count, line)
    assert re.search(
        rf"the frame at {count / RATE:.2f} s .*, or paint those before it \(frames: \[0, {count - 1}\]\)$", line
    )


# --------------------------------------------------------------------------------------- what is missing


def _box(name: bytes, size: int, body: bytes = b"") -> bytes:
    return size.to_bytes(4, "big") + name + body


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (_box(b"ftyp", 16, bytes(8)) + _box(b"mdat", 28, bytes(20)), 0),
        (_box(b"ftyp", 16, bytes(8)) + _box(b"mdat", 128, bytes(20)), 100),
        (_box(b"ftyp", 16, bytes(8)) + _box(b"mdat", 0, bytes(20)), 0),  # to the end of the file
        (_box(b"ftyp", 16, bytes(8)) + _box(b"mdat", 1, (1 << 40).to_bytes(8, "big")), (1 << 40) - 16),
        (_box(b"ftyp", 16, bytes(8)) + bytes(5), 0),
    ],
)
def test_boxes_say_how_much_of_a_file_is_missing(data, missing):
    assert missing_bytes(io.BytesIO(data), MOV) == missing


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (b"\x1aE\xdf\xa3\x82ab" + b"\x18\x53\x80\x67\x84abcd", 0),
        (b"\x1aE\xdf\xa3\x82ab" + b"\x18\x53\x80\x67\x88abcd", 4),
        (b"\x1aE\xdf\xa3\x82ab" + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xffabcd", 0),  # of unknown length
        (b"\x1aE\xdf\xa3\x82ab" + b"\x18\x53\x80\x67\x40\x10abcd", 12),
    ],
)
def test_a_segment_says_how_much_of_a_file_is_missing(data, missing):
    assert missing_bytes(io.BytesIO(data), MATROSKA) == missing


def test_a_file_of_a_million_parts_is_refused():
    with pytest.raises(UnfitError, match="has more than 100,000 parts"):
        missing_bytes(io.BytesIO(_box(b"free", 8) * 200_000), MOV)


def test_facts_go_through_json_unchanged(tmp_path):
    facts = clip_facts(_video(tmp_path / "a.mp4", "libx264", "mp4", rate=Fraction(30_000, 1001)))
    import json

    assert from_json(json.loads(json.dumps(as_json(facts)))) == facts
