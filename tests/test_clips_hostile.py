"""Clips that were made to do harm: refused by the process that decodes, within its bounds, whatever they say."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
import zlib
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

import av
from clip_kit import RATE, clip_frames, picture, stored, was_asked, write_video

from pipeline.clips import container, decoding, video
from pipeline.clips.frame import WHOLE
from pipeline.clips.reading import clip_facts, read_frames
from pipeline.clips.sound import SoundCopy
from pipeline.clips.writing import write_clip
from pipeline.errors import BadImage, EnvironmentProblem, OutOfMemory, PairError
from pipeline.images import reader, reader_process
from pipeline.images.budget import decoding_seconds
from pipeline.images.reader import Reader

pytestmark = pytest.mark.slow

READER = Reader()


def _mp4(path: Path, count: int = 10) -> bytearray:
    frames = [stored(picture(k), "yuv420p") for k in range(count)]
    return bytearray(write_video(path, frames, codec="libx264", muxer="mp4").read_bytes())


def _in_box(data: bytes, name: bytes) -> int:
    """Where the body of a box begins."""
    at = data.index(name)
    return at + 4


# ---------------------------------------------------------------------------------- nothing but the file


@pytest.fixture
def listener():
    """A server on this machine that nobody may ask."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def trap(tmp_path):
    """A pipe: who opens it to read waits for ever, as nobody writes."""
    os.mkfifo(tmp_path / "trap.mp4")
    return tmp_path / "trap.mp4"


_SCRIPTS = {
    "an HLS playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{trap}\n#EXTINF:1.0,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "a concat script": "ffconcat version 1.0\nfile '{trap}'\nfile 'http://127.0.0.1:{port}/a.mp4'\n",
    "an SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "a DASH manifest": '<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:{port}/</BaseURL><Period/></MPD>',
    "an image sequence": "http://127.0.0.1:{port}/%04d.png\n",
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".gif"])
@pytest.mark.parametrize("kind", _SCRIPTS)
def test_a_script_that_names_other_files_is_text_and_opens_none(tmp_path, listener, trap, kind, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text(_SCRIPTS[kind].format(trap=trap, port=listener.getsockname()[1]))
    with pytest.raises(BadImage, match=r"is not a picture this program reads|is XML"):
        READER.clip(path)
    assert not was_asked(listener)


def test_a_reference_of_a_movie_to_another_file_is_not_followed(tmp_path, trap):
    """QuickTime's data reference: not this file, but one with that name."""
    data = _mp4(tmp_path / "a.mov")
    at = data.index(b"url ")
    data[at + 7] = 0  # the flag that says "in this file"
    (tmp_path / "a.mov").write_bytes(data)
    facts = READER.clip(tmp_path / "a.mov")
    assert facts.frames == 10


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _avi_with_subtitles(text: bytes) -> bytes:
    """An AVI of one raw frame whose subtitles are a file of their own (GAB2), as players take them."""
    header = struct.pack("<14I", 40_000, 0, 0, 0x10, 1, 0, 2, 64 * 48 * 3, 64, 48, 0, 0, 0, 0)
    video = struct.pack("<4s4sIHHIIIIIIII4H", b"vids", b"DIB ", 0, 0, 0, 0, 1, 25, 0, 1, 9216, 0, 0, 0, 0, 64, 48)
    form = struct.pack("<IiiHHIIiiII", 40, 64, 48, 1, 24, 0, 9216, 0, 0, 0, 0)
    words = struct.pack("<4s4sIHHIIIIIIII4H", b"txts", bytes(4), 0, 0, 0, 0, 1, 25, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    name = "a.m3u8\0".encode("utf-16-le")
    gab2 = b"GAB2\0" + struct.pack("<HI", 2, len(name)) + name + struct.pack("<HI", 4, len(text)) + text
    streams = _chunk(b"LIST", b"strl" + _chunk(b"strh", video) + _chunk(b"strf", form))
    streams += _chunk(b"LIST", b"strl" + _chunk(b"strh", words) + _chunk(b"strf", b""))
    hdrl = _chunk(b"LIST", b"hdrl" + _chunk(b"avih", header) + streams)
    movi = _chunk(b"LIST", b"movi" + _chunk(b"01tx", gab2) + _chunk(b"00db", bytes(9216)))
    return _chunk(b"RIFF", b"AVI " + hdrl + movi)


def test_subtitles_in_an_avi_that_are_a_playlist_open_nothing(tmp_path, listener, trap):
    """As was done to players that looked at what subtitles are: a playlist of the files of whoever opened it."""
    playlist = _SCRIPTS["an HLS playlist"].format(trap=trap, port=listener.getsockname()[1])
    path = tmp_path / "a.avi"
    path.write_bytes(_avi_with_subtitles(playlist.encode()))
    assert READER.clip(path).frames == 1
    with container.open_container(path) as (source, _), av.open(io.BytesIO(), "w", format="matroska") as output:
        output.add_stream("ffv1", rate=25)
        SoundCopy(source, output, ".mkv", WHOLE).until(None)
    assert not was_asked(listener)


def test_what_ffmpeg_asks_for_beside_the_file_is_refused():
    with pytest.raises(PermissionError, match="only the file itself is read, not /etc/passwd"):
        container._nothing_else("/etc/passwd", 0, {})


# ------------------------------------------------------------------------------------------ endless files


def test_a_pipe_is_refused_at_once(trap):
    with pytest.raises(BadImage, match=r"is not a regular file but a pipe \(FIFO\)"):
        READER.clip(trap)


def test_a_device_is_refused_at_once():
    with pytest.raises(BadImage, match="is not a regular file but a device"):
        READER.clip("/dev/zero")


def test_a_file_that_grows_is_read_as_far_as_it_was_when_it_was_opened(tmp_path):
    """A recording that goes on: pieces of Matroska without a length, as fast as they can be written."""
    path = tmp_path / "a.mkv"
    frames = [stored(picture(k), "yuv420p") for k in range(10)]
    write_video(path, frames, codec="mpeg4", container={"live": "1"})
    data = path.read_bytes()
    cluster = data[data.index(b"\x1f\x43\xb6\x75") :]
    enough = threading.Event()

    def grow() -> None:
        with path.open("ab") as file:
            while not enough.is_set() and file.tell() < 2**28:
                file.write(cluster * 50)
                file.flush()

    writer = threading.Thread(target=grow)
    with container.open_video(path) as opened:
        writer.start()
        try:
            count = sum(1 for packet in opened.container.demux(opened.stream) if packet.size)
        finally:
            enough.set()
            writer.join()
    assert count == 10


def test_a_sparse_file_of_many_gigabytes_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x10ftypisom\0\0\0\0")
        file.truncate(container.MAX_BYTES + 1)
    with pytest.raises(BadImage, match=r"is 65536 MiB; a clip may be at most 65536 MiB"):
        READER.clip(path)


# --------------------------------------------------------------------------------------- tables and sizes


@pytest.mark.parametrize("size", [2**32 - 1, 2**31, 2**30])
def test_a_header_that_says_it_is_huge_is_refused(tmp_path, size):
    data = _mp4(tmp_path / "a.mp4")
    at = data.index(b"moov") - 4
    data[at : at + 4] = struct.pack(">I", size)
    (tmp_path / "a.mp4").write_bytes(data)
    try:  # what of it is there may do
        assert READER.clip(tmp_path / "a.mp4").frames <= 10
    except PairError as error:
        assert "a.mp4" in str(error)  # noqa: PT017
    matroska = tmp_path / "a.mkv"
    matroska.write_bytes(b"\x1aE\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe" + bytes(2000))
    with pytest.raises(BadImage, match=r"a\.mkv is damaged or cut off"):
        READER.clip(matroska)


def test_a_table_of_four_billion_frames_ends_where_frames_end(tmp_path):
    data = _mp4(tmp_path / "a.mp4")
    sizes = _in_box(data, b"stsz")
    data[sizes + 4 : sizes + 12] = struct.pack(">II", 1, 2**32 - 1)  # all of one byte
    lasting = _in_box(data, b"stts")
    data[lasting + 8 : lasting + 12] = struct.pack(">I", 2**32 - 1)
    chunks = _in_box(data, b"stsc")
    data[chunks + 12 : chunks + 16] = struct.pack(">I", 2**32 - 1)
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises((BadImage, OutOfMemory)):
        READER.clip(tmp_path / "a.mp4")


def _png(width: int, height: int) -> bytes:
    rows = zlib.compress(bytes(1 + width // 8) * height, 9)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


@pytest.mark.parametrize("side", [10_400, 40_000])
def test_a_frame_that_is_larger_than_the_file_says_is_refused(tmp_path, side):
    path = tmp_path / "a.mov"
    with av.open(str(path), "w", format="mov") as output:
        stream = output.add_mux_stream("png", rate=RATE, width=64, height=48)
        stream.time_base = Fraction(1, 1000)
        for number, data in enumerate((_png(64, 48), _png(64, 48), _png(side, side))):
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.pts, packet.dts = (
                stream,
                Fraction(1, 1000),
                40 * number,
                40 * number,
            )
            packet.is_keyframe = True
            output.mux(packet)
    try:
        facts = READER.clip(path)
    except OutOfMemory as error:
        assert "a.mov needs more than" in str(error)  # noqa: PT017
    else:
        assert facts.frames <= 3
        assert facts.size == (64, 48)


@pytest.mark.parametrize("pixels", [decoding.MAX_FRAMES, 1], ids=["decoded", "counted"])
def test_more_frames_than_are_painted_are_refused(tmp_path, monkeypatch, pixels):
    """Frames in which nothing changes take some 25 bytes each; a million of them would be a small file."""
    monkeypatch.setattr(decoding, "MAX_FRAMES", 2000)
    monkeypatch.setattr(video, "DECODED_PIXELS", pixels * 32 * 32)
    path = tmp_path / "a.mkv"
    still = write_video(
        tmp_path / "b.mkv", [stored(picture(0, 32, 32), "yuv420p")] * 3, codec="libx264", options={"bf": "0"}
    )
    with av.open(str(still)) as source:
        key, skip, _ = (bytes(packet) for packet in source.demux(video=0) if packet.size)
        with av.open(str(path), "w", format="matroska") as output:
            stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
            for number in range(2001):
                packet = av.Packet(skip if number else key)
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = number
                output.mux(packet)
    with pytest.raises(BadImage, match=r"a\.mkv has more than 2,000 frames; cut out the part that is to be painted"):
        clip_facts(path)


def test_a_thousand_streams_are_not_looked_through(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", format="matroska") as output:
        streams = [output.add_mux_stream("pcm_s16le", rate=8000) for _ in range(100)]
        for stream in streams:
            stream.time_base = Fraction(1, 1000)
        output.start_encoding()
    with pytest.raises(BadImage, match=r"a\.mkv"):
        READER.clip(path)


@pytest.mark.parametrize("muxer", ["mp4", "matroska", "avi", "gif"])
def test_bytes_that_were_changed_at_random_are_read_or_refused_and_nothing_else(tmp_path, muxer):
    """40 of each kind; whoever crashes, hangs or needs more than is allowed fails."""
    path = tmp_path / f"a.{muxer}"
    if muxer == "gif":
        file = io.BytesIO()
        write_clip(file, ".gif", clip_frames(5), quality=90, rate=Fraction(RATE))
        data = file.getvalue()
    else:
        frames = [stored(picture(k), "yuv420p") for k in range(5)]
        data = write_video(path, frames, codec="mpeg4", muxer=muxer).read_bytes()
    chance = np.random.default_rng(11)
    for _ in range(40):
        changed = bytearray(data)
        for at in chance.integers(0, len(data), 6):
            changed[at] = chance.integers(0, 256)
        path.write_bytes(changed)
        try:
            assert 0 < READER.clip(path).frames <= 200_000
        except PairError as error:
            assert "crash" not in str(error)  # noqa: PT017
            assert len(str(error).splitlines()) == 1  # noqa: PT017


def test_a_clip_is_looked_at_once_as_long_as_it_stays(tmp_path):
    _mp4(tmp_path / "a.mp4")
    own = Reader()
    first = own.clip(tmp_path / "a.mp4")
    assert own.clip(tmp_path / "a.mp4") is first
    _mp4(tmp_path / "a.mp4", count=4)
    assert own.clip(tmp_path / "a.mp4").frames == 4


def test_numbered_frames_are_looked_at_once_as_long_as_all_of_them_stay(tmp_path):
    for number in range(3):
        Image.new("RGB", (64, 48)).save(tmp_path / f"{number}.png")
    own = Reader()
    first = own.clip(tmp_path / "%d.png")
    assert own.clip(tmp_path / "%d.png") is first
    Image.new("RGB", (64, 48), "red").save(tmp_path / "1.png")
    changed = own.clip(tmp_path / "%d.png")
    assert changed.sha256 != first.sha256
    (tmp_path / "2.png").unlink()
    assert own.clip(tmp_path / "%d.png").frames == 2


def test_numbered_frames_have_the_time_in_which_all_of_them_are_decoded(tmp_path, monkeypatch):
    """Six hundred seconds were too few for two thousand frames of 1920x1080."""
    monkeypatch.setattr(reader_process, "_within", lambda *_: nullcontext())  # whose limits are of a whole process
    for number in range(3):
        Image.new("RGB", (64, 48)).save(tmp_path / f"{number}.png")
    said = []
    reader_process._clip(str(tmp_path / "%d.png"), {"home": None}, said.append)
    more = decoding_seconds(3 * 64 * 48) - decoding_seconds(0)
    assert said[-1]["seconds"] - said[0]["seconds"] == pytest.approx(more)


def test_a_clip_behind_a_link_out_of_its_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    _mp4(tmp_path / "a.mp4")
    (tmp_path / "in/a.mp4").symlink_to(tmp_path / "a.mp4")
    home = os.path.realpath(tmp_path / "in")
    assert READER.clip(tmp_path / "in/a.mp4").frames == 10
    for read in (READER.clip, clip_facts, lambda path, home: next(read_frames(path, home=home))):
        with pytest.raises(BadImage, match="is or lies behind a link that leads out of"):
            read(tmp_path / "in/a.mp4", home)


def test_without_the_packages_the_process_that_looks_says_what_to_install(tmp_path, monkeypatch):
    """At check time, in one line; an animated picture needs none of them."""
    _mp4(tmp_path / "a.mp4")
    with (tmp_path / "a.gif").open("w+b") as file:
        write_clip(file, ".gif", clip_frames(3), quality=90, rate=Fraction(RATE))
    (tmp_path / "av.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))
    process = reader._process(reader.READER_PROCESS)
    process.end()
    try:
        with pytest.raises(EnvironmentProblem, match=r"^clips need two packages more; install them \(make video, or "):
            Reader().clip(tmp_path / "a.mp4")
        assert Reader().clip(tmp_path / "a.gif").frames == 3
    finally:
        process.end()
