"""Clips as cameras, discs and strangers leave them: painted to the end, or refused before, and never after a night of
painting."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

import av
import numpy as np
from clip_kit import RATE, clip_frames, packets, picture, stored, write_video
from clips_night_kit import HEIGHT, WIDTH, Night

from pipeline.clips import decoding
from pipeline.clips.facts import as_json, even_rate
from pipeline.clips.frame import ClipFrame
from pipeline.clips.reading import clip_facts, read_frames
from pipeline.clips.writing import write_clip
from pipeline.errors import PairError
from pipeline.images.encode import encode_picture, to_uint8
from pipeline.images.metadata import read_metadata
from pipeline.images.picture import open_picture
from pipeline.store.layout import frame_name, record_name

pytestmark = pytest.mark.slow


@pytest.fixture
def night(project: Path) -> Night:
    return Night(project)


# --------------------------------------------------------------------------------------------- times

_HOUR = 3600


def _with_times(path: Path, seconds: list[Fraction]) -> None:
    frames = [stored(picture(k, WIDTH, HEIGHT), "yuv420p") for k in range(len(seconds))]
    write_video(path, frames, times=seconds)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_clip_whose_clock_jumps_by_an_hour_is_written_with_its_times(night: Night, suffix: str) -> None:
    """An MP4 has lengths in 31 bits, which are six minutes of the clock that is fine enough for all others."""
    times = [Fraction(k, 25) + (_HOUR if k > 1 else 0) for k in range(4)]
    _with_times(night.project / "input/walk.mkv", times)
    night.manifest(output=f"walk{suffix}")
    assert night.run()["status"] == "done"
    shown = [frame.time for frame in read_frames(night.project / f"out/walk{suffix}")]
    assert [float(time) for time in shown] == pytest.approx([float(time) for time in times], abs=0.001)


def test_a_frame_that_lasts_for_a_month_fails_the_clip_and_is_no_bug(tmp_path: Path) -> None:
    frames = [ClipFrame(0, Fraction(0), Fraction(40 * 86_400), picture(0))]
    with (tmp_path / "a.mp4").open("w+b") as file, pytest.raises(PairError, match=r"cannot stand in a \.mp4 .*ending"):
        write_clip(file, ".mp4", frames, quality=50, longest=frames[0].duration)


@pytest.mark.parametrize("seconds", [Fraction(70_123, 1000), Fraction(700_123, 1000), Fraction(50_001, 2)])
def test_an_animated_png_shows_a_frame_for_minutes(tmp_path: Path, seconds: Fraction) -> None:
    """More than 65.535 seconds have no place for milliseconds, and were cut to that."""
    frames = [ClipFrame(0, Fraction(0), seconds, picture(0)), ClipFrame(1, seconds, Fraction(1), picture(1))]
    with (tmp_path / "a.apng").open("w+b") as file:
        write_clip(file, ".apng", frames, quality=50)
    assert [float(frame.duration) for frame in read_frames(tmp_path / "a.apng")] == pytest.approx(
        [float(seconds), 1.0], rel=1e-4
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _animation(delays: list[tuple[int, int]]) -> bytes:
    """An animated PNG of black frames that are shown for these fractions of a second."""
    rows = zlib.compress(bytes((1 + 3 * WIDTH) * HEIGHT))
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0))]
    parts.append(_chunk(b"acTL", struct.pack(">II", len(delays), 0)))
    for number, delay in enumerate(delays):
        at = max(0, 2 * number - 1)
        parts.append(_chunk(b"fcTL", struct.pack(">IIIIIHHBB", at, WIDTH, HEIGHT, 0, 0, *delay, 0, 0)))
        data = struct.pack(">I", at + 1) + rows
        parts.append(_chunk(b"fdAT", data) if number else _chunk(b"IDAT", rows))
    return b"".join((*parts, _chunk(b"IEND", b"")))


def test_durations_that_are_all_different_fractions_do_not_grow_without_end(tmp_path: Path) -> None:
    """A thousand of them summed up are a fraction of thousands of digits, which nothing can print."""
    primes = [n for n in range(3, 9_000) if all(n % d for d in range(2, int(n**0.5) + 1))][:1100]
    (tmp_path / "a.apng").write_bytes(_animation([(65_535, prime) for prime in primes]))
    facts = clip_facts(tmp_path / "a.apng")
    assert as_json(facts)["frames"] == 1100
    *_, last = read_frames(tmp_path / "a.apng", wanted=lambda number: number == 1099)
    assert len(str(last.time)) < 30
    assert float(last.time) == pytest.approx(sum(65_535 / prime for prime in primes[:-1]), abs=1e-6)


@pytest.mark.parametrize("rate", [Fraction(10**9 + 7, 40_000_000), Fraction(2**31 + 11, 85_000_000)])
def test_a_rate_of_large_numbers_is_one_that_every_encoder_takes(tmp_path: Path, rate: Fraction) -> None:
    near = even_rate([Fraction(0)], Fraction(1, 1000), rate)
    assert near is not None
    assert float(near) == pytest.approx(float(rate), rel=1e-12)
    for suffix in (".webm", ".mp4", ".mkv"):
        with (tmp_path / f"a{suffix}").open("w+b") as file:
            write_clip(file, suffix, clip_frames(2), quality=50, rate=near)
        assert clip_facts(tmp_path / f"a{suffix}").frames == 2


@pytest.mark.parametrize("rate", [Fraction(10**9 + 1), Fraction(1, 10**10)])
def test_a_rate_that_no_clip_is_written_with_is_none(rate: Fraction) -> None:
    assert even_rate([Fraction(0)], Fraction(1, 1000), rate) is None


# --------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("opaque", [True, False])
def test_a_frame_in_the_middle_that_is_larger_than_a_picture_may_be_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opaque: bool
) -> None:
    """FFmpeg was told of the bound where it looks for streams, and not where it decodes."""
    monkeypatch.setattr(decoding, "MAX_PIXELS", 4 * 64 * 48)
    form, options = "yuv420p" if opaque else "yuva420p", {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0"}
    parts = []
    for side in (1, 4):
        pixels = picture(0, side * 64, side * 48)
        pixels = pixels if opaque else np.dstack([pixels, np.full(pixels.shape[:2], 200, np.uint8)])
        path = tmp_path / f"{side}.webm"
        write_video(path, [stored(pixels, form)] * 2, codec="libvpx-vp9", muxer="webm", options=options)
        parts.append(av.open(str(path)))
    with av.open(str(tmp_path / "a.webm"), "w", format="webm") as output:
        stream = output.add_stream_from_template(parts[0].streams.video[0], opaque=True)
        stream.metadata["alpha_mode"] = "0" if opaque else "1"
        packets_of_both = (packet for part in parts for packet in part.demux(video=0) if packet.size)
        for number, packet in enumerate(packets_of_both):
            packet.stream, packet.pts, packet.dts = stream, 40 * number, 40 * number
            output.mux(packet)
    facts = clip_facts(tmp_path / "a.webm")
    assert (facts.frames, facts.size) == (2, (64, 48))
    assert "the frame at 0.08 s cannot be decoded" in facts.damage


@pytest.mark.parametrize(("matrix", "told"), [(8, True), (14, True), (0, True), (2, False), (9, False)])
def test_a_matrix_of_colours_that_is_not_known_is_told(tmp_path: Path, matrix: int, told: bool) -> None:
    path, frames = tmp_path / "a.mkv", [stored(picture(0), "yuv420p")]
    write_video(path, frames, codec="libx264", options={"preset": "ultrafast"}, tags={"colorspace": matrix})
    note = f"its colours are of a rare kind (matrix {matrix}) and were taken as BT.601"
    assert clip_facts(path).notes == ((note,) if told else ())


def _gif(number: int, width: int, height: int) -> tuple[bytes, bytes]:
    """A GIF of one picture up to its table of colours, and the picture with a table of its own."""
    file = io.BytesIO()
    write_clip(file, ".gif", clip_frames(number + 1, width=width, height=height)[number:], quality=50)
    data = file.getvalue()
    at = data.index(b"!\xf9\x04")
    return data[:at], data[at:].removesuffix(b";")


def test_of_a_gif_what_lies_beyond_the_first_frame_is_not_shown(tmp_path: Path) -> None:
    """As browsers have it; Pillow makes all that follow larger, and the clip failed at its second frame."""
    (head, first), (_, second), (_, third) = _gif(0, 64, 48), _gif(1, 100, 90), _gif(2, 64, 48)
    (tmp_path / "a.gif").write_bytes(head + first + second + third + b";")
    facts = clip_facts(tmp_path / "a.gif")
    assert (facts.size, facts.frames, facts.damage) == ((64, 48), 3, "")
    assert {frame.size for frame in read_frames(tmp_path / "a.gif")} == {(64, 48)}


# --------------------------------------------------------------------------------------------- sound


@pytest.mark.parametrize("sound", ["libopus", "flac"])
def test_sound_that_a_mov_does_not_hold_is_told_and_left_out(night: Night, sound: str) -> None:
    """FFmpeg takes the stream, and says so when the clip is written."""
    frames = [stored(picture(k, WIDTH, HEIGHT), "yuv420p") for k in range(3)]
    write_video(night.project / "input/walk.mkv", frames, sound=sound)
    night.manifest(output="walk.mov")
    row = night.run()
    assert row["status"] == "done", row["reason"]
    named = {"libopus": "opus"}.get(sound, sound)
    told = f"its sound ({named}) cannot stand in a .mov without a new encoding and was left out; .mkv holds all kinds"
    assert told in row["notes"]
    assert clip_facts(night.project / "out/walk.mov").frames == 3


def test_sound_that_is_not_what_it_says_costs_the_sound_and_not_the_clip(night: Night) -> None:
    """Opus of zeros: an MP4 is refused by FFmpeg when some of it is written already."""
    with av.open(str(night.project / "input/walk.mkv"), "w", format="matroska") as output:
        stream: Any = output.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        voice: Any = output.add_mux_stream("opus", rate=48_000)
        voice.time_base = Fraction(1, 1000)
        for number in range(4):
            frame = stored(picture(number, WIDTH, HEIGHT), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
            packet = av.Packet(bytes(200))
            packet.stream, packet.time_base, packet.pts, packet.dts = voice, Fraction(1, 1000), 40 * number, 40 * number
            output.mux(packet)
        output.mux(stream.encode(None))
    night.manifest(output="walk.mp4")
    row = night.run()
    assert row["status"] == "done", row["reason"]
    (note,) = [note for note in row["notes"] if "sound" in note]
    assert note.startswith("what is beside its pictures, as sound, cannot stand in a .mp4 (Invalid data")
    facts = clip_facts(night.project / "out/walk.mp4")
    assert (facts.frames, facts.has_sound) == (4, False)


# -------------------------------------------------------------------------------------- kept frames


def _forge(night: Night, output: str, number: int, size: tuple[int, int] | None = None, **changes: Any) -> None:
    """Have a kept frame say otherwise, or be of another size; the clip and its record are gone."""
    path = night.project / "out" / frame_name(output, number)
    settings = read_metadata(path) | changes
    pixels = to_uint8(open_picture(path).pixels) if size is None else np.zeros((size[1], size[0], 3), np.uint8)
    path.write_bytes(encode_picture(pixels, None, ".png", 100, settings))
    (night.project / "out" / record_name(output)).unlink()
    (night.project / "out" / output).unlink()


@pytest.mark.parametrize("output", ["walk.gif", "walk.mp4"])
def test_a_kept_frame_of_another_size_is_painted_again(night: Night, output: str) -> None:
    """A GIF ended as a bug, and an MP4 showed it."""
    night.manifest(output=output)
    night.run()
    whole = (night.project / "out" / output).read_bytes()
    night.painted()
    _forge(night, output, 2, size=(100, 40))
    assert night.run()["status"] == "done"
    assert night.painted() == [2]
    assert (night.project / "out" / output).read_bytes() == whole


@pytest.mark.parametrize(
    "forged",
    [
        {"time": "1e400"},
        {"duration": "1e999999999"},  # of which Fraction would write out a billion digits
        {"seconds": 1e308, "evaluations": 1e308},
        {"seconds": -1.0},
        {"light": [1e308, -1e308]},
        {"flicker": 1e308},
    ],
    ids=str,
)
def test_a_kept_frame_that_says_what_cannot_be_is_painted_again(night: Night, forged: dict[str, Any]) -> None:
    night.manifest(output="walk.mp4")
    night.run()
    night.painted()
    _forge(night, "walk.mp4", 2, **forged)
    assert night.run()["status"] == "done"
    assert night.painted() == [2]


# -------------------------------------------------------------------------------------------- damage


def _matroska(path: Path, **how: Any) -> bytes:
    frames = [stored(picture(k), "yuv420p") for k in range(100)]
    write_video(path, frames, codec="mpeg4", container={"cluster_time_limit": "1000"}, sound="pcm_s16le", **how)
    return path.read_bytes()


@pytest.mark.parametrize("counted", [False, True], ids=["decoded", "counted"])
def test_frames_that_a_damaged_matroska_lost_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    """FFmpeg goes on with the next part of the file, up to five seconds later, and gives no error."""
    from pipeline.clips import video

    if counted:
        monkeypatch.setattr(video, "DECODED_PIXELS", 1)
    path = tmp_path / "a.mkv"
    data = bytearray(_matroska(path))
    sound = packets(path, "audio")[60][2]
    at = data.index(sound)
    data[at + len(sound) : at + len(sound) + 400] = bytes(400)  # the head of the next block with it
    path.write_bytes(data)
    with av.open(str(path)) as container:
        left = sum(1 for packet in container.demux(video=0) if packet.size)
    assert left < 100
    facts = clip_facts(path)
    assert 0 < facts.frames < left
    assert "the file is damaged there, and frames are missing" in facts.damage
    assert f"or paint those before it (frames: [0, {facts.frames - 1}])" in facts.damage


def test_frames_that_a_damaged_avi_lost_are_noted(tmp_path: Path) -> None:
    """It has no times: what follows them comes too early, and FFmpeg says nothing at all."""
    path = tmp_path / "a.avi"
    write_video(path, [stored(picture(k), "yuvj420p") for k in range(30)], codec="mjpeg", muxer="avi")
    assert clip_facts(path).notes == ()
    data = bytearray(path.read_bytes())
    for number in (8, 12, 16):
        at = data.index(packets(path, "video")[number][2])
        data[at - 8 : at + 100] = bytes(108)  # the head of a part with its beginning
    path.write_bytes(data)
    facts = clip_facts(path)
    assert facts.frames < 29
    (note,) = facts.notes
    assert note == f"says that it lasts 1.20 s and has frames for {facts.frames / RATE:.2f} s: some may be missing"


@pytest.mark.parametrize("more", [bytes(3000), b"\xff" * 3000, b"itself"], ids=["zeros", "ones", "twice"])
def test_what_stands_behind_a_recording_is_no_damage(tmp_path: Path, more: bytes) -> None:
    path = tmp_path / "a.mkv"
    frames = [stored(picture(k), "yuv420p") for k in range(50)]
    write_video(path, frames, codec="mpeg4", container={"live": "1", "cluster_time_limit": "1000"})
    data = path.read_bytes()
    path.write_bytes(data + (data if more == b"itself" else more))
    facts = clip_facts(path)
    assert (facts.frames, facts.damage) == (100 if more == b"itself" else 50, "")
