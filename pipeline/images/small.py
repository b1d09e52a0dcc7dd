"""A picture as it is looked at from afar: small, without transparency, as bare pixels. No NumPy."""

from __future__ import annotations

import os

from PIL import Image

from pipeline.images.decode import decode
from pipeline.images.file_bytes import read_source

# Pixels that may be asked for: 3 MB. Of an answer of the reader, in base64, that is half.
MOST_PIXELS = 2**20
# How much larger than asked for a picture is left by plain means of its pixels, before it is
# filtered: Pillow's own advice for a result that cannot be told from the slow way.
_REDUCING_GAP = 3.0
_GROUND = (255, 255, 255)  # of pages and viewers, behind what cannot be seen


def small_picture(
    path: str | os.PathLike[str], box: tuple[int, int], home: str | None = None
) -> tuple[tuple[int, int], bytes]:
    """(width, height) and RGB pixels, row by row, of a picture that was made to fit into `box`
    (width, height), of at most MOST_PIXELS. A smaller one stays as it is. Raises as `decode` does,
    and BadImage where the file does not lie in the folder `home`.
    """
    if box[0] * box[1] > MOST_PIXELS:
        raise ValueError(f"at most {MOST_PIXELS} pixels can be asked for. Received: {box[0]} x {box[1]}")
    image = _opaque(_reduced(decode(read_source(path, home)).image, box))
    image.thumbnail(box, Image.Resampling.LANCZOS)
    return image.size, image.tobytes()


def _reduced(image: Image.Image, box: tuple[int, int]) -> Image.Image:
    """The image, some whole number of times smaller where it is many times larger than the box; so
    no second one of its full size is ever held."""
    factor = int(min(image.width / box[0], image.height / box[1]) / _REDUCING_GAP)
    return image.reduce(factor) if factor > 1 else image


def _opaque(image: Image.Image) -> Image.Image:
    """RGB, on the ground where it cannot be seen."""
    if image.mode == "F":
        image = image.convert("L")
    if "A" not in image.getbands():
        return image.convert("RGB")
    colours = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, (*_GROUND, 255))
    return Image.alpha_composite(ground, colours).convert("RGB")
