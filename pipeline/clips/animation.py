"""The frames of animated pictures: GIF, PNG and WebP, opened through the door for pictures, one by
one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from io import BytesIO

import numpy as np
from PIL import Image

from pipeline.clips.facts import ClipFacts, even_rate
from pipeline.clips.frame import ClipFrame
from pipeline.clips.listing import MAX_FRAMES
from pipeline.errors import BadImage
from pipeline.images.convert import FRAME, before_loading, to_canonical
from pipeline.images.decode import decoding, identify
from pipeline.images.file_bytes import Source, read_source
from pipeline.images.sizes import check_shape
from pipeline.images.structure import check_whole

_ANIMATED = ("GIF", "PNG", "WEBP")

# What browsers make of animations that say that a frame is shown for a hundredth of a second, or
# for less: a tenth.
_TOO_SHORT, _INSTEAD = Fraction(1, 100), Fraction(1, 10)
_OF_GIF, _OF_OTHERS = Fraction(1, 100), Fraction(1, 1000)  # seconds that durations are rounded to
# Of a second, to which times are exact. A PNG has durations as fractions of any two numbers to
# 65,535: the sum of a thousand different ones is a fraction of thousands of digits.
_FINEST = 10**9


def animation_facts(path: str | os.PathLike[str], sha256: str, home: str | None = None) -> ClipFacts:
    """What an animated picture is, after all its frames were decoded. Raises BadImage where it
    cannot be painted from."""
    times: list[Fraction] = []
    end, has_alpha, size, damage = Fraction(0), False, (0, 0), ""
    try:
        for frame in animation_frames(path, home=home):
            times.append(frame.time)
            end, size = frame.end.limit_denominator(_FINEST), frame.size
            has_alpha = has_alpha or frame.alpha is not None
    except BadImage as error:
        if not times:
            raise
        damage = str(error)
    clock = _OF_GIF if all((time / _OF_GIF).denominator == 1 for time in times) else _OF_OTHERS
    rate = even_rate([*times, end], clock, len(times) / end)
    return ClipFacts(size, len(times), rate, float(end), False, has_alpha, "animation", sha256, (), damage)


def animation_frames(
    path: str | os.PathLike[str],
    *,
    wanted: Callable[[int], bool] | None = None,
    start: int = 0,
    home: str | None = None,
) -> Iterator[ClipFrame]:
    """The frames of an animated picture, each whole, as it is shown: what a GIF's later frames have
    beyond the first one's edge is not. Raises BadImage, with the time of the first frame that
    cannot be decoded, after the good ones before it."""
    source = read_source(path, home)
    image = _opened(source)
    time, size = Fraction(0), None
    # A PNG may begin with a picture for programs that know no animation, which is no frame.
    before = int(getattr(image, "default_image", False))
    for number in range(MAX_FRAMES + 1):
        with _at(source, time, number):
            try:
                image.seek(before + number)
            except EOFError:
                return
            loaded = _loaded(image, before + number, source)
            size = size or loaded.size
            loaded = loaded if loaded.size == size else loaded.crop((0, 0, *size))
            duration = _duration(image)  # which Pillow knows of a WebP once it is loaded
            shown = _frame(loaded, number, time, duration)
        if number == MAX_FRAMES:
            raise BadImage(f"{source.shown} has more than {MAX_FRAMES:,} frames; cut out the part that is painted")
        if number >= start and (wanted is None or wanted(number)):
            yield shown
        time = (time + duration).limit_denominator(_FINEST)


def _opened(source: Source) -> Image.Image:
    with decoding(source.shown, source.data, []):
        check_whole(BytesIO(source.data), source.data)
        image = identify(BytesIO(source.data), source.data)
    if image.format not in _ANIMATED:
        raise BadImage(f"{source.shown} is {image.format}, which has one picture; name a video, GIF, PNG or WebP")
    check_shape(source.shown, *image.size)
    return image


@contextmanager
def _at(source: Source, time: Fraction, number: int) -> Iterator[None]:
    """Around one frame at work: what is wrong with it is told with its time."""
    try:
        with decoding(f"{source.shown}: the frame at {float(time):.2f} s", b"", []):
            yield
    except BadImage as error:
        if not number:
            raise
        raise BadImage(f"{error}, or paint those before it (frames: [0, {number - 1}])") from error


def _loaded(image: Image.Image, number: int, source: Source) -> Image.Image:
    """A frame upright and in sRGB. Only of the first one Pillow leaves open what lies beside it."""
    if number:
        image.load()
        frame = image.copy()
        frame.info.pop(FRAME, None)
    else:
        frame = image
        before_loading(frame, [])
        frame.load()
    return to_canonical(frame, source.shown, [])


def _duration(image: Image.Image) -> Fraction:
    said = Fraction(0)
    with suppress(TypeError, ValueError, OverflowError, ZeroDivisionError):
        said = Fraction(image.info.get("duration", 0)).limit_denominator(1_000_000) / 1000
    return said if said > _TOO_SHORT else _INSTEAD


def _frame(image: Image.Image, number: int, time: Fraction, duration: Fraction) -> ClipFrame:
    if "A" not in image.getbands():
        return ClipFrame(number, time, duration, np.array(image.convert("RGB")))
    levels = np.array(image.convert("RGBA"))
    return ClipFrame(
        number, time, duration, np.ascontiguousarray(levels[..., :3]), np.ascontiguousarray(levels[..., 3])
    )
