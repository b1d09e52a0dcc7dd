"""What a picture file is, for commands that look and do not paint. No NumPy."""

from __future__ import annotations

import os
from typing import Any

from pipeline.images.convert import TURNED_ASIDE, orientation
from pipeline.images.decode import decode, decoding, identify
from pipeline.images.facts import ImageFacts
from pipeline.images.file_bytes import open_regular, read_source, try_again
from pipeline.images.sizes import check_shape
from pipeline.printable import printable

_HEAD = 4096  # bytes; more than any beginning that is told apart


def inspect_image(path: str | os.PathLike[str], home: str | None = None) -> ImageFacts:
    """Decode a picture completely, as `picture.open_picture` does, and say what it is.

    Raises BadImage with the reason if it cannot be painted from, or lies in no folder `home`.
    """
    source = read_source(path, home)
    decoded = decode(source)
    image = decoded.image
    seen = "A" not in image.getbands() or image.getchannel("A").getextrema() != (0, 0)
    extremes: Any = image.getextrema()  # of one band a pair, of several a pair for each
    bands = zip(image.getbands(), [extremes] if len(image.getbands()) == 1 else extremes, strict=True)
    is_black = not seen or all(highest <= 0 for band, (_lowest, highest) in bands if band != "A")
    return ImageFacts(*image.size, decoded.format, source.sha256, decoded.notes, seen, is_black)


def image_size(path: str | os.PathLike[str], home: str | None = None) -> tuple[int, int]:
    """(width, height) as the picture stands upright, from the header alone. Raises BadImage, also
    for a file that does not lie in the folder `home`.

    The pixels are not looked at, so they may still turn out damaged. An orientation that a PNG
    holds behind its pixels is not seen.
    """
    return try_again(lambda path: _size_in_header(path, home), path)


def _size_in_header(path: str | os.PathLike[str], home: str | None) -> tuple[int, int]:
    with open_regular(path, home) as (file, _):
        head = file.read(_HEAD)
        file.seek(0)
        with decoding(printable(path), head, []):
            image = identify(file, head)
            width, height = image.size
            # Of TIFF alone, Pillow has already exchanged the sides.
            if image.format != "TIFF" and orientation(image) in TURNED_ASIDE:
                width, height = height, width
    check_shape(printable(path), width, height)
    return width, height
