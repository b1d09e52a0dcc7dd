"""The frames of animated pictures: GIF, PNG and WebP, decoded one by one by Pillow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from PIL import Image

from pipeline.clips.facts import ClipFacts
from pipeline.clips.frame import ClipFrame
from pipeline.errors import BadImage
from pipeline.images.decode import decoding, identify
from pipeline.images.file_bytes import open_regular
from pipeline.images.sizes import check_shape
from pipeline.printable import printable

_ANIMATED = ("GIF", "PNG", "WEBP")
_HEAD = 4096  # bytes

# What browsers make of GIFs and others that say that a frame is shown for a hundredth of a second,
# or for none: a tenth.
_SHORTEST, _INSTEAD = Fraction(1, 50), Fraction(1, 10)


def animation_facts(path: str | os.PathLike[str], sha256: str, home: str | None = None) -> ClipFacts:
    """What an animated picture is, after all its frames were decoded. Raises BadImage where it
    cannot be painted from."""
    count, seconds, has_alpha = 0, Fraction(0), False
    durations = set()
    size = (0, 0)
    for frame in animation_frames(path, home=home):
        count += 1
        seconds += frame.duration
        durations.add(frame.duration)
        has_alpha = has_alpha or frame.alpha is not None
        size = (frame.pixels.shape[1], frame.pixels.shape[0])
    rate = 1 / durations.pop() if len(durations) == 1 else None
    return ClipFacts(size, count, rate, float(seconds), False, has_alpha, "animation", sha256)


def animation_frames(
    path: str | os.PathLike[str],
    *,
    wanted: Callable[[int], bool] | None = None,
    start: int = 0,
    home: str | None = None,
) -> Iterator[ClipFrame]:
    """The frames of an animated picture, each as it is shown, whole."""
    with _opened(path, home) as image:
        count = getattr(image, "n_frames", 1)
        time = Fraction(0)
        for number in range(count):
            with _at(path, time):
                image.seek(number)
                image.load()
                shown = image.convert("RGBA")
            duration = _duration(image)
            if number >= start and (wanted is None or wanted(number)):
                yield _frame(shown, number, time, duration)
            time += duration


@contextmanager
def _opened(path: str | os.PathLike[str], home: str | None) -> Iterator[Image.Image]:
    shown = printable(path)
    with open_regular(path, home) as (file, _):
        head = file.read(_HEAD)
        file.seek(0)
        with decoding(shown, head, []):
            image = identify(file, head)
        if image.format not in _ANIMATED:
            raise BadImage(f"{shown} is {image.format}, which has one picture; name a video, GIF, PNG or WebP")
        check_shape(shown, *image.size)
        yield image


@contextmanager
def _at(path: str | os.PathLike[str], time: Fraction) -> Iterator[None]:
    with decoding(f"{printable(path)}: the frame at {float(time):.2f} s", b"", []):
        yield


def _duration(image: Image.Image) -> Fraction:
    milliseconds = image.info.get("duration", 0)
    said = Fraction(milliseconds).limit_denominator(1_000_000) / 1000
    return said if said >= _SHORTEST else _INSTEAD


def _frame(image: Image.Image, number: int, time: Fraction, duration: Fraction) -> ClipFrame:
    levels = np.asarray(image, np.uint8)
    alpha = np.ascontiguousarray(levels[..., 3])
    return ClipFrame(
        number, time, duration, np.ascontiguousarray(levels[..., :3]), None if bool((alpha == 255).all()) else alpha
    )
