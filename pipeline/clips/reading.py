"""Clips of every kind: what they are, and their frames one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from pipeline.clips.animation import animation_facts, animation_frames
from pipeline.clips.container import MAX_BYTES, looks_like_video
from pipeline.clips.facts import ClipFacts
from pipeline.clips.frame import ClipFrame
from pipeline.clips.numbered import is_numbered, numbered_facts, numbered_frames
from pipeline.clips.video import video_facts, video_frames
from pipeline.images.file_bytes import hash_file, open_regular

_HEAD = 64  # bytes by which kinds are told apart


def clip_facts(path: str | os.PathLike[str], home: str | None = None) -> ClipFacts:
    """What a clip is. `home`, here and below, is the folder that its files have to lie in. Raises
    BadImage with the reason where it cannot be painted from."""
    if is_numbered(path):
        return numbered_facts(path, home)
    facts = video_facts if _is_video(path, home) else animation_facts
    return facts(path, hash_file(path, most=MAX_BYTES), home)


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
    read = numbered_frames if is_numbered(path) else video_frames if _is_video(path, home) else animation_frames
    return read(path, wanted=wanted, start=start, home=home)


def _is_video(path: str | os.PathLike[str], home: str | None) -> bool:
    with open_regular(path, home, most=MAX_BYTES) as (file, _):
        return looks_like_video(file.read(_HEAD))
