"""Clips of every kind: what they are, their frames one by one, and the settings that painted ones
carry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

from pipeline.clips.animation import animation_facts, animation_frames
from pipeline.clips.container import MAX_BYTES, is_video, open_container, open_video
from pipeline.clips.facts import ClipFacts
from pipeline.clips.frame import ClipFrame
from pipeline.clips.listing import is_numbered, numbered_files, sha256_of_all
from pipeline.clips.numbered import numbered_facts, numbered_frames
from pipeline.clips.video import video_facts, video_frames
from pipeline.errors import BadImage
from pipeline.images.decode import decoding, identify
from pipeline.images.file_bytes import hash_file, read_source
from pipeline.images.inspection import image_size
from pipeline.images.metadata import parse_settings, read_metadata
from pipeline.printable import printable

_GIF = b"GIF8"


def clip_facts(path: str | os.PathLike[str], home: str | None = None) -> ClipFacts:
    """What a clip is. `home`, here and below, is the folder that its files have to lie in. Raises
    BadImage with the reason where it cannot be painted from."""
    if is_numbered(path):
        return numbered_facts(path, home)
    facts = video_facts if is_video(path, home) else animation_facts
    return facts(path, hash_file(path, home, most=MAX_BYTES), home)


def clip_sha256(path: str | os.PathLike[str], home: str | None = None) -> str:
    """That of `clip_facts`, with nothing decoded. Raises BadImage."""
    if is_numbered(path):
        return sha256_of_all(hash_file(each, home) for _, each in numbered_files(path))
    return hash_file(path, home, most=MAX_BYTES)


def clip_pixels(path: str | os.PathLike[str], home: str | None = None) -> int:
    """How many pixels a frame of a clip has, from its header alone. Raises as `clip_facts` does."""
    if is_numbered(path) or not is_video(path, home):
        width, height = image_size(numbered_files(path)[0][1] if is_numbered(path) else path, home)
        return width * height
    with open_video(path, home) as video:
        pixels: int = video.stream.codec_context.width * video.stream.codec_context.height
        return pixels


def count_of_stills(path: str | os.PathLike[str]) -> int:
    """How many files a clip of numbered frames has; 0 of others. Raises as `numbered_files`."""
    return len(numbered_files(path)) if is_numbered(path) else 0


def clip_file_bytes(path: str | os.PathLike[str]) -> int:
    """How large the files of a clip are together; 0 where there are none."""
    total = 0
    with suppress(OSError, ValueError, BadImage):
        for name in [each for _, each in numbered_files(path)] if is_numbered(path) else [os.fspath(path)]:
            total += os.stat(name).st_size
    return min(total, MAX_BYTES)


def read_frames(
    path: str | os.PathLike[str],
    *,
    wanted: Callable[[int], bool] | None = None,
    start: int = 0,
    home: str | None = None,
) -> Iterator[ClipFrame]:
    """The frames of a clip from number `start` on for which `wanted` (all, where it is None) says
    so, one at a time. Raises BadImage with the time of the first one that cannot be decoded, after
    the good ones before it."""
    read = numbered_frames if is_numbered(path) else video_frames if is_video(path, home) else animation_frames
    return read(path, wanted=wanted, start=start, home=home)


def clip_settings(path: str | os.PathLike[str], home: str | None = None) -> dict[str, Any]:
    """The settings stored in a video, an animation or a picture, as they were given to
    `writing.write_clip`. Raises BadImage as `images.metadata.read_metadata` does."""
    text = _in_video(path, home) if is_video(path, home) else _in_gif(path, home)
    if text is None:
        return read_metadata(path, home)
    shown = printable(path)
    if not text.startswith("{"):
        raise BadImage(f"{shown} holds no settings; it was not made by stylize, or was saved again by another program")
    try:
        return parse_settings(text)
    except ValueError as error:
        raise BadImage(f"{shown} holds damaged settings ({printable(str(error))}); take another copy") from error


def _in_video(path: str | os.PathLike[str], home: str | None) -> str:
    with open_container(path, home) as (container, _):
        tags: dict[str, str] = {name.lower(): text for name, text in container.metadata.items()}
    return tags.get("comment", "")


def _in_gif(path: str | os.PathLike[str], home: str | None) -> str | None:
    """None where it is no GIF."""
    source = read_source(path, home)
    if not source.data.startswith(_GIF):
        return None
    with decoding(source.shown, source.data, []):
        comment = identify(BytesIO(source.data), source.data).info.get("comment", b"")
    return comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
