"""Numbered frames: `frames/%04d.png` is a clip of all pictures in the folder that are called so,
in the order of their numbers."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np

from pipeline.clips.facts import ClipFacts
from pipeline.clips.frame import ClipFrame
from pipeline.errors import BadImage
from pipeline.images.file_bytes import hash_file
from pipeline.images.picture import open_picture
from pipeline.printable import printable

RATE = Fraction(25)
"""Frames a second, as numbered pictures do not say it; the usual of FFmpeg."""

_FIELD = re.compile(r"%(0?)(\d*)d")


def is_numbered(path: str | os.PathLike[str]) -> bool:
    """Whether a path has a field for a number, as `%04d`, in its last part."""
    return _FIELD.search(os.path.basename(os.fspath(path))) is not None


def numbered_files(pattern: str | os.PathLike[str]) -> list[tuple[int, str]]:
    """Number and path of each file that a pattern finds, in the order of numbers. Raises BadImage
    where there is none."""
    folder, name = os.path.split(os.fspath(pattern))
    field = _FIELD.search(name)
    assert field is not None
    digits = int(field[2] or 0)
    number = rf"(\d{{{digits},}})" if field[1] else r"(\d+)"
    wanted = re.compile(re.escape(name[: field.start()]) + number + re.escape(name[field.end() :]))
    try:
        names = os.listdir(folder or ".")
    except OSError as error:
        raise BadImage(f"{printable(pattern)} finds nothing: there is no folder {printable(folder)}") from error
    found = sorted((int(match[1]), each) for each in names if (match := wanted.fullmatch(each)))
    if not found:
        raise BadImage(f"{printable(pattern)} finds no picture; check the pattern and the folder")
    return [(number, os.path.join(folder, each)) for number, each in found]


def gaps(numbers: list[int]) -> list[str]:
    """Numbers that are missing, as `12` or `12 to 15`."""
    return [
        f"{before + 1}" if after - before == 2 else f"{before + 1} to {after - 1}"
        for before, after in pairwise(numbers)
        if after - before > 1
    ]


def numbered_facts(pattern: str | os.PathLike[str], home: str | None = None) -> ClipFacts:
    """What numbered frames are. Raises BadImage where they are of different sizes."""
    files = numbered_files(pattern)
    digest = hashlib.sha256()
    size = None
    has_alpha = False
    for _, path in files:
        picture = open_picture(path, home=home)
        size = size or picture.size
        _check_size(path, picture.size, size)
        has_alpha = has_alpha or picture.alpha is not None
        digest.update(f"{hash_file(path)}\n".encode())
    missing = gaps([number for number, _ in files])
    notes = (f"numbers are missing: {', '.join(missing[:5])}",) if missing else ()
    assert size is not None
    count = len(files)
    return ClipFacts(size, count, RATE, float(count / RATE), False, has_alpha, "numbered", digest.hexdigest(), notes)


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
        picture = open_picture(path, home=home)
        size = size or picture.size
        _check_size(path, picture.size, size)
        pixels = np.rint(picture.pixels).astype(np.uint8)
        alpha = None if picture.alpha is None else np.rint(picture.alpha * 255).astype(np.uint8)
        yield ClipFrame(number, number / RATE, 1 / RATE, pixels, alpha)


def _check_size(path: str, own: tuple[int, int], first: tuple[int, int]) -> None:
    if own != first:
        raise BadImage(
            f"{printable(path)} is {own[0]}x{own[1]} pixels and the first frame {first[0]}x{first[1]};"
            " frames must have one size"
        )
