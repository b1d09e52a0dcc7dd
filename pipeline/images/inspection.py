"""What a picture file is, for commands that look and do not paint. No NumPy."""

from __future__ import annotations

import os

from PIL import ExifTags, Image, ImageChops, TiffImagePlugin

from pipeline.images.convert import TURNED_ASIDE, orientation
from pipeline.images.decode import decode, decoding, identify
from pipeline.images.facts import ImageFacts
from pipeline.images.file_bytes import open_regular, read_source, try_again
from pipeline.images.sizes import check_shape
from pipeline.printable import printable

_HEAD = 4096  # bytes; more than any beginning that is told apart
_AT_ONCE = 2**20  # pixels of which copies are held


def inspect_image(path: str | os.PathLike[str], home: str | None = None) -> ImageFacts:
    """Decode a picture completely, as `picture.open_picture` does, and say what it is.

    Raises BadImage with the reason if it cannot be painted from, or lies in no folder `home`.
    """
    source = read_source(path, home)
    decoded = decode(source)
    image = decoded.image
    seen = "A" not in image.getbands() or image.getchannel("A").getextrema() != (0, 0)
    return ImageFacts(*image.size, decoded.format, source.sha256, decoded.notes, seen, _is_black(image))


def _is_black(image: Image.Image) -> bool:
    """Whether a canonical image is nothing as a mask (`masks`): where it can be seen it is dark."""
    step = max(1, _AT_ONCE // image.width)
    for top in range(0, image.height, step):
        piece = image.crop((0, top, image.width, min(top + step, image.height)))
        bright = piece if piece.mode == "F" else piece.convert("RGB").convert("L")
        if "A" in piece.getbands():
            bright = ImageChops.darker(bright, piece.getchannel("A"))
        _lowest, highest = bright.getextrema()
        assert isinstance(highest, int | float)  # pairs of pairs come only from images of several channels
        if highest > 0:
            return False
    return True


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
            if orientation(image) in TURNED_ASIDE and not _exchanged(image):
                width, height = height, width
    check_shape(printable(path), width, height)
    return width, height


def _exchanged(image: Image.Image) -> bool:
    """Whether Pillow has exchanged the sides: of a TIFF alone, and by its own tag, not by XMP."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return image.tag_v2.get(ExifTags.Base.Orientation) in TURNED_ASIDE
