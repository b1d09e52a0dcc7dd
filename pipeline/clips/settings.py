"""The settings that a painted clip carries, read back from its header."""

from __future__ import annotations

import os
from io import BytesIO
from typing import Any

from pipeline.clips.container import is_video, open_container
from pipeline.errors import BadImage
from pipeline.images.decode import decoding, identify
from pipeline.images.file_bytes import read_source
from pipeline.images.metadata import parse_settings, read_metadata
from pipeline.printable import printable

_GIF = b"GIF8"


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
