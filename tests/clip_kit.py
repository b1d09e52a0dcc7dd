"""Small clips of every kind, made while tests run."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.clips.frame import ClipFrame

WIDTH, HEIGHT, RATE = 64, 48, 25
FINE = Fraction(1, 90_000)  # of seconds, for times that are no multiples of a rate

# Kr and Kb of ITU-R BT.601-7, 2.5.1; BT.709-6, item 3.2; BT.2020-2, table 4; and H.273's number of each matrix.
MATRICES = {"BT.601": (0.299, 0.114, 6), "BT.709": (0.2126, 0.0722, 1), "BT.2020": (0.2627, 0.0593, 9)}


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A smooth picture that moves by two pixels a frame, of an even mean that names its number."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin((x + 2 * number) / 9), np.cos(y / 7), np.sin((x + y) / 11)], -1)
    return (128 + 60 * waves + (number % 10) * 2).astype(np.uint8)


def clip_frames(count: int = 10, rate: int = RATE, **size: int) -> list[ClipFrame]:
    return [ClipFrame(k, Fraction(k, rate), Fraction(1, rate), picture(k, **size)) for k in range(count)]


def quarters(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Red, green, blue, white: top left, top right, bottom left, bottom right."""
    levels = np.zeros((height, width, 3), np.uint8)
    levels[: height // 2, : width // 2, 0] = 255
    levels[: height // 2, width // 2 :, 1] = 255
    levels[height // 2 :, : width // 2, 2] = 255
    levels[height // 2 :, width // 2 :] = 255
    return levels


def stored(pixels: np.ndarray, pix_fmt: str = "rgb24", matrix: str = "ITU709", *, full: bool = False) -> Any:
    """A frame for the encoder from RGB, by a matrix and in a range where the form is not RGB."""
    if pix_fmt == "gray":
        codes = np.rint(16 + 219 / 255 * (pixels @ [0.2126, 0.7152, 0.0722])).astype(np.uint8)
        return av.VideoFrame.from_ndarray(codes, "gray")
    form = "rgba" if pixels.shape[2] == 4 else "rgb24"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), form)
    ranges = {"src_color_range": "JPEG", "dst_color_range": "JPEG" if full else "MPEG"}
    return frame.reformat(format=pix_fmt, dst_colorspace=matrix, **ranges)


def flat(codes: Sequence[int], pix_fmt: str = "yuv444p", width: int = WIDTH, height: int = HEIGHT) -> Any:
    """A frame whose planes have one code each."""
    frame = av.VideoFrame(width, height, pix_fmt)
    kind = np.uint16 if "10" in pix_fmt else np.uint8
    for plane, code in zip(frame.planes, codes, strict=True):
        plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, code, kind).tobytes())
    return frame


def write_video(
    path: Path,
    frames: Iterable[Any],
    *,
    codec: str = "ffv1",
    muxer: str = "matroska",
    times: Sequence[Fraction] | None = None,
    rate: Fraction | int = RATE,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    interlaced: bool = False,
    metadata: dict[str, str] | None = None,
    sound: str | None = None,
    subtitles: Sequence[tuple[float, float, str]] = (),
    chapters: Sequence[tuple[float, float, str]] = (),
) -> Path:
    """A video of frames as they are stored: with colour `tags`, a display `matrix`, pixels that are `aspect` times as wide as
    high, `sound` by that encoder (a tone as long as the picture), subtitles and chapters of (begin, end, text)."""
    frames = list(frames)
    with av.open(str(path), "w", format=muxer, container_options=container or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        context = stream.codec_context
        base = FINE if times is not None else 1 / Fraction(rate)
        context.time_base = base
        for name, value in (tags or {}).items():
            setattr(context, name, value)
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if interlaced:
            context.flags |= (1 << 18) | (1 << 29)  # AV_CODEC_FLAG_INTERLACED_DCT, _ME
        if matrix is not None:
            stream.set_display_matrix(matrix)
        stream.metadata.update(metadata or {})
        voice = output.add_stream(sound, rate=48_000, layout="mono") if sound else None
        text = output.add_mux_stream("mov_text" if muxer in ("mp4", "mov") else "subrip") if subtitles else None
        if text is not None:
            text.time_base = Fraction(1, 1000)
        if chapters:
            output.set_chapters([_chapter(number, *chapter) for number, chapter in enumerate(chapters)])
        for number, frame in enumerate(frames):
            frame.pts = number if times is None else round(times[number] / base)
            frame.time_base = base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if voice is not None:
            length = Fraction(len(frames)) / rate if times is None else times[-1]
            _tone(output, voice, float(length))
        for begin, end, words in subtitles:
            output.mux(_subtitle(text, begin, end, words, is_mov=muxer in ("mp4", "mov")))
    return path


def _chapter(number: int, begin: float, end: float, title: str) -> dict[str, Any]:
    times = {"start": round(begin * 1000), "end": round(end * 1000), "time_base": Fraction(1, 1000)}
    return {"id": number + 1, **times, "metadata": {"title": title}}


def _tone(output: Any, stream: Any, seconds: float) -> None:
    form, size = stream.codec_context.format.name, stream.codec_context.frame_size or 1024
    wave = (8000 * np.sin(np.arange(round(seconds * 48_000)) * 440 * 2 * np.pi / 48_000)).astype(np.int16)
    for at in range(0, len(wave), size):
        piece = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(wave[None, at : at + size]), format="s16", layout="mono"
        )
        piece.sample_rate, piece.pts, piece.time_base = 48_000, at, Fraction(1, 48_000)
        for converted in av.AudioResampler(format=form, layout="mono", rate=48_000).resample(piece):
            output.mux(stream.encode(converted))
    output.mux(stream.encode(None))


def _subtitle(stream: Any, begin: float, end: float, words: str, *, is_mov: bool) -> Any:
    data = words.encode()
    packet = av.Packet(len(data).to_bytes(2, "big") + data if is_mov else data)
    packet.stream = stream
    packet.time_base = Fraction(1, 1000)
    packet.pts = packet.dts = round(begin * 1000)
    packet.duration = round((end - begin) * 1000)
    packet.is_keyframe = True
    return packet


def codes_of(rgb: Sequence[float], matrix: str, *, full: bool, bits: int = 8) -> list[int]:
    """Y'CbCr of R'G'B' 0..1, as the recommendations round it."""
    kr, kb, _ = MATRICES[matrix]
    red, green, blue = rgb
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = ((blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr)))
    if full:
        most = 2**bits - 1
        return [round(luma * most), *(round(each * most + 2 ** (bits - 1)) for each in chroma)]
    step = 2 ** (bits - 8)
    return [round((219 * luma + 16) * step), *(round((224 * each + 128) * step) for each in chroma)]


def packets(path: Path, kind: str) -> list[tuple[Fraction, Fraction, bytes]]:
    """Time, length and bytes of the packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            (packet.pts * packet.time_base, packet.duration * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]


def was_asked(server: socket.socket) -> bool:
    """Did somebody connect to a server that does not wait?"""
    try:
        server.accept()
    except BlockingIOError:
        return False
    return True
