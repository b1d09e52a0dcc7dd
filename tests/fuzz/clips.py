"""The fuzzer's door of clips: videos and animations of each kind, changed, and asked of the process that decodes within
bounds (images/reader). What may come out is what the clip is, or one line why it cannot be read.

Beside the clip lie a pipe that nobody writes to and a port of this machine that nobody may ask, and mutations name both:
whoever opens the one waits until the reader is ended, and the other hears of it.
"""

from __future__ import annotations

import atexit
import errno
import functools
import os
import socket
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

TRAP = "trap.mp4"
MOST_FRAMES = 200_000  # of clips/listing
_WAITED = "was not decoded after"  # of images/reader: somebody waited for something


def look_at_clip(path: Path) -> None:
    """Facts within bounds, or one line that names the file; nothing beside the file was opened."""
    from clip_kit import was_asked

    from pipeline.errors import BadImage, OutOfMemory

    server = _listener()
    try:
        facts, reason = _reader().clip(path), ""
    except (BadImage, OutOfMemory) as error:
        facts, reason = None, str(error)
    if facts is not None:
        width, height = facts.size
        assert 0 < facts.frames <= MOST_FRAMES
        assert width * height > 0
        assert facts.seconds >= 0
        assert all(note.isprintable() for note in (*facts.notes, facts.damage))
    else:
        assert reason.isprintable()
        assert str(path) in reason
        assert _WAITED not in reason, reason
    assert not was_asked(server), "a connection was made"
    assert not _has_reader(path.with_name(TRAP)), "another file was opened"


@functools.cache
def _reader():  # type: ignore[no-untyped-def]
    from pipeline.images.reader import Reader

    return Reader()


@functools.cache
def _listener() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    atexit.register(server.close)
    return server


def _has_reader(pipe: Path) -> bool:
    """Does somebody have the pipe open to read (fifo(7): only then it can be opened to write at once)?"""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True


def _folder_with_trap(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / TRAP)
    _traps.append(str(folder / TRAP))


_traps: list[str] = []  # the last one's name is written into clips


def clip_seeds(folder: Path) -> list[Path]:
    """Small clips of each kind; none where the packages that read them are not installed."""
    try:
        from clip_kit import clip_frames, picture, stored, write_video
    except ImportError:
        return []
    from pipeline.clips.writing import write_clip

    made = folder / "seeds"
    made.mkdir()
    frames = [stored(picture(number, 32, 24), "yuv420p") for number in range(6)]
    found = [
        write_video(made / f"a{suffix}", frames, codec=codec, muxer=muxer, **more)
        for suffix, codec, muxer, more in (
            (".mp4", "libx264", "mp4", {"sound": "aac", "chapters": [(0, 0.1, "one")]}),
            (".mov", "mpeg4", "mov", {"matrix": _TURNED}),
            (".mkv", "ffv1", "matroska", {"subtitles": [(0, 0.1, "word")]}),
            (".webm", "libvpx-vp9", "webm", {}),
            (".avi", "mpeg4", "avi", {"sound": "pcm_s16le"}),
        )
    ]
    for suffix in (".gif", ".png", ".webp"):
        with (made / f"b{suffix}").open("w+b") as file:
            write_clip(file, suffix, clip_frames(4, width=32, height=24), quality=90, rate=Fraction(25))
        found.append(made / f"b{suffix}")
    return found


_TURNED = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)  # by a quarter


def words() -> list[bytes]:
    """Pieces that mean something to containers, and names of what is not to be opened."""
    return [*_named(_traps[-1] if _traps else TRAP), *_MARKS]


@functools.cache
def _named(trap: str) -> list[bytes]:
    port = _listener().getsockname()[1]
    outside = [f"http://127.0.0.1:{port}/a.ts", trap, f"file:{trap}", f"concat:{trap}|{trap}", "%04d.png"]
    scripts = ["#EXTM3U\n#EXTINF:1.0,\n{}\n", "ffconcat version 1.0\nfile '{}'\n", "{}"]
    return [script.format(name).encode() for script in scripts for name in outside]


_MARKS = [
    *(b"ftypisom", b"moov", b"trak", b"mdia", b"stsd", b"stts", b"ctts", b"stsz", b"stsc", b"stco", b"co64", b"stss"),
    *(b"elst", b"edts", b"dref", b"url ", b"alis", b"rmra", b"rdrf", b"moof", b"mdat", b"free", b"avc1", b"hev1"),
    *(b"mp4a", b"tx3g", b"uuid", b"tkhd", b"RIFF", b"AVI ", b"LIST", b"strh", b"strf", b"movi", b"idx1", b"GAB2\0"),
    *(b"00dc", b"01wb", b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\xa3", b"\xae", b"\x86"),
    *(b"V_VP9", b"V_MPEG4/ISO/AVC", b"V_FFV1", b"A_PCM", b"GIF89a", b"NETSCAPE2.0", b"\x21\xf9\x04", b"\x2c", b"fcTL"),
    *(b"acTL", b"fdAT", b"ANMF", b"ANIM", b"\x00\x00\x01\xb6", b"\x00\x00\x00\x01\x67", b"\x00\x00\x00\x01\x65"),
    *(struct.pack(form, n) for form in ("<I", ">I", ">Q") for n in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 60_000)),
]


DOORS: dict[str, Callable[[Path], None]] = {"clip": look_at_clip}
PREPARED: dict[str, Callable[[Path], None]] = {"clip": _folder_with_trap}
SEEDS: dict[str, Callable[[Path], list[Path]]] = {"clip": clip_seeds}
