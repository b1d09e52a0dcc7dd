"""Numbered frames as a clip: pictures of one size, opened as any other picture is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction

import numpy as np

from pipeline.clips.facts import ClipFacts
from pipeline.clips.frame import ClipFrame
from pipeline.clips.listing import gaps_note, numbered_files, sha256_of_all
from pipeline.errors import BadImage
from pipeline.images.file_bytes import hash_file
from pipeline.images.picture import open_picture
from pipeline.printable import printable

RATE = Fraction(25)
"""Frames a second, which pictures do not say; as FFmpeg reads them."""


def numbered_facts(pattern: str | os.PathLike[str], home: str | None = None) -> ClipFacts:
    """What numbered frames are, after all of them were decoded. Raises BadImage where there are
    none, or the first cannot be opened."""
    files = numbered_files(pattern)
    hashes: list[str] = []
    size, has_alpha, damage = (0, 0), False, ""
    for number, (_, path) in enumerate(files):
        try:
            frame = _opened(path, number, home)
            hashes.append(hash_file(path, home))
            _check_size(path, frame.size, size if number else frame.size)
        except BadImage as error:
            if not number:
                raise
            damage = f"frame {number}: {error}"
            hashes += _hashes(files[len(hashes) :], home)
            break
        size = frame.size
        has_alpha = has_alpha or frame.alpha is not None
    note = gaps_note([number for number, _ in files])
    count = number if damage else len(files)
    return ClipFacts(
        size,
        count,
        RATE,
        float(count / RATE),
        False,
        has_alpha,
        "numbered",
        sha256_of_all(hashes),
        (note,) if note else (),
        damage,
    )


def numbered_frames(
    pattern: str | os.PathLike[str],
    *,
    wanted: Callable[[int], bool] | None = None,
    start: int = 0,
    home: str | None = None,
) -> Iterator[ClipFrame]:
    """The pictures as frames, numbered from 0 without gaps."""
    size = None
    for number, (_, path) in enumerate(numbered_files(pattern)):
        if number < start or (wanted is not None and not wanted(number)):
            continue
        frame = _opened(path, number, home)
        size = size or frame.size
        _check_size(path, frame.size, size)
        yield frame


def _hashes(files: Sequence[tuple[int, str]], home: str | None) -> Iterator[str]:
    """Of those that can be read: the hash of a clip is of all its files, damaged ones too."""
    for _, path in files:
        with suppress(BadImage):
            yield hash_file(path, home)


def _opened(path: str, number: int, home: str | None) -> ClipFrame:
    picture = open_picture(path, home=home)
    pixels = np.rint(picture.pixels).astype(np.uint8)
    alpha = None if picture.alpha is None else np.rint(picture.alpha * 255).astype(np.uint8)
    return ClipFrame(number, number / RATE, 1 / RATE, pixels, alpha)


def _check_size(path: str, own: tuple[int, int], first: tuple[int, int]) -> None:
    if own != first:
        raise BadImage(
            f"{printable(path)} is {own[0]}x{own[1]} pixels and the first frame {first[0]}x{first[1]};"
            " frames must have one size"
        )
