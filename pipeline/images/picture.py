"""The door for pixels: a file, a Pillow image or an array comes in, a `Picture` stands inside."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import OptionError
from pipeline.images.alpha import Opacity, resize_visible
from pipeline.images.colour_space import declared
from pipeline.images.convert import before_loading, to_canonical
from pipeline.images.decode import decode, decoding
from pipeline.images.file_bytes import read_source
from pipeline.images.print_size import own_dpi
from pipeline.images.scale import LANCZOS, Floats, Rows, by_rows, cover, covering_box, resize, resize_alpha
from pipeline.images.sizes import check_shape, fit_longer_side


@dataclass(frozen=True, slots=True, eq=False)
class Fine:
    """A picture at a larger size than it is worked on: pixels in whole numbers (height, width, 3),
    and alpha as `Picture` has it."""

    pixels: NDArray[np.uint8]
    alpha: Floats | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of `pixels`."""
        height, width, _ = self.pixels.shape
        return width, height


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture ready to be worked on.

    `pixels` are float32 (height, width, 3), 0..255, sRGB, upright, not multiplied by opacity; where
    nothing can be seen, they continue what can (`alpha.extend`). `alpha` is float32 (height,
    width), 0..1, or None if all is opaque. `sha256` is of the file's bytes (of the pixels, where
    there was no file). `name` is the file's own, without folders. `notes` are worth knowing and no
    failures. `dpi` are the dots per inch that the file says, if it says any. `fine` is the picture
    larger than `pixels`, where it was asked for and is.
    """

    pixels: Floats
    alpha: Floats | None
    sha256: str
    name: str
    notes: tuple[str, ...] = ()
    dpi: int | None = None
    fine: Fine | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of `pixels`."""
        height, width, _ = self.pixels.shape
        return width, height

    @property
    def can_be_seen(self) -> bool:
        """Whether any pixel has any opacity."""
        return self.alpha is None or bool((self.alpha > 0).any())

    def resized(self, width: int, height: int) -> tuple[Floats, Floats | None]:
        """Pixels (height, width, 3) and alpha (height, width), not to be written to: as they are
        where they have that size, as large ones need not be held twice."""
        if self.size == (width, height):
            return self.pixels, self.alpha
        if self.alpha is None:
            return resize(self.pixels, width, height), None
        return resize_visible(self.pixels, self.alpha, width, height)

    def resized_alpha(self, width: int, height: int) -> Floats | None:
        """Alpha (height, width), by its own filter; None if all is opaque."""
        return None if self.alpha is None else resize_alpha(self.alpha, width, height)

    def covering(self, width: int, height: int) -> Floats:
        """Pixels (height, width, 3): scaled to fill it, the rest cut off evenly."""
        if self.alpha is None:
            return cover(self.pixels, width, height)
        box = covering_box(*self.size, width, height)
        return resize_visible(self.pixels, self.alpha, width, height, box)[0]


def open_any(
    source: str | os.PathLike[str] | Image.Image | NDArray[Any],
    longer_side: int | None = None,
    home: str | None = None,
    fine_side: int | None = None,
) -> Picture:
    """A path, a Pillow image or an array, made no larger than `longer_side`, and kept beside it as
    `fine`, no larger than `fine_side`, where that is larger. `home` is the folder that a file has
    to lie in. Raises as the three below do."""
    if isinstance(source, str | os.PathLike):
        return open_picture(source, longer_side, home, fine_side)
    if isinstance(source, np.ndarray):
        return picture_from_array(source, longer_side=longer_side, fine_side=fine_side)
    return picture_from_pillow(source, longer_side=longer_side, fine_side=fine_side)


def open_picture(
    path: str | os.PathLike[str],
    longer_side: int | None = None,
    home: str | None = None,
    fine_side: int | None = None,
) -> Picture:
    """Open a picture file; with `home` only if it lies in that folder.

    Raises BadImage with a reason a person can act on, OutOfMemory if it does not fit. With
    `longer_side` a picture that is larger is made smaller on the way in, channel by channel: the
    same numbers as from `scale.resize` afterwards, but the full size is only ever held as integers
    and one channel of floats. A smaller picture is left as it is.
    """
    source = read_source(path, home)
    decoded = decode(source)
    sha256, name = source.sha256, source.name
    shown = source.shown
    del source  # the file's bytes are not needed beside the pixels
    with decoding(shown, b"", []):  # names the file, should memory end here
        pixels, alpha = _planes(decoded.image, longer_side)
        fine = _fine(decoded.image, longer_side, fine_side)
    return Picture(pixels, alpha, sha256, name, decoded.notes, decoded.dpi, fine)


def picture_from_pillow(
    image: Image.Image,
    name: str = "",
    longer_side: int | None = None,
    fine_side: int | None = None,
    *,
    as_mask: bool = False,
) -> Picture:
    """A Pillow image of any mode, made smaller as `open_picture` does; `as_mask` as of
    `to_canonical`. Raises OptionError if it is none, BadImage if it cannot be painted from."""
    if not isinstance(image, Image.Image):
        raise OptionError(f"a picture must be a path, a PIL image or an array. Received: {type(image).__name__}")
    shown = "the PIL image"
    check_shape(shown, *image.size)
    notes: list[str] = []
    with decoding(shown, b"", notes):
        declared(image)  # Pillow closes a file of its own after loading, and keeps what was asked for
        before_loading(image, notes)
        image.load()
        canonical = to_canonical(image, shown, notes, as_mask=as_mask)
    head = f"{canonical.mode} {canonical.width}x{canonical.height}\n"
    sha256 = hashlib.sha256(head.encode("ascii") + canonical.tobytes()).hexdigest()
    filename = getattr(image, "filename", "")
    known_name = os.path.basename(filename) if isinstance(filename, str) else ""
    called = name or known_name or "PIL image"
    planes, fine = _planes(canonical, longer_side), _fine(canonical, longer_side, fine_side)
    return Picture(*planes, sha256, called, tuple(notes), own_dpi(image), fine)


def picture_from_array(
    array: NDArray[Any], name: str = "array", longer_side: int | None = None, fine_side: int | None = None
) -> Picture:
    """An array as a picture, made smaller as `open_picture` does: (height, width) or (height,
    width, 1), grey; (height, width, 3), RGB; (height, width, 4), RGB with opacity, not multiplied
    in. Of uint8, or of floats in 0..1, which become 8 bits as a file has them. Raises OptionError
    for any other, BadImage for a size out of range."""
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else 0
    if channels not in (1, 3, 4) or (array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating)):
        raise OptionError(
            "an array must be of uint8, 0..255, or of floats, 0..1, and have the shape (height, width), grey, or"
            " (height, width, 3 or 4), colours in the order red, green, blue, opacity."
            f" Received: shape {array.shape}, type {array.dtype}"
        )
    check_shape("the array", array.shape[1], array.shape[0])
    if array.dtype != np.uint8:
        array = _eight_bits(array)
    if channels == 1:
        array = array.reshape(array.shape[:2])
    return picture_from_pillow(Image.fromarray(np.ascontiguousarray(array)), name, longer_side, fine_side)


def _eight_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Floats 0..1 as 0..255, rounded to the nearest, halves to even. Raises OptionError for others:
    0..255 in floats would come out white."""
    least, most = float(array.min()), float(array.max())
    if not (least >= 0 and most <= 1):  # so that NaN is told too
        raise OptionError(
            f"an array of floats must have values from 0 to 1. Received: {least:g} to {most:g};"
            " divide by 255, or cut them off"
        )
    return np.rint(array.astype(np.float64) * 255).astype(np.uint8)


def _fine(image: Image.Image, longer_side: int | None, fine_side: int | None) -> Fine | None:
    """A canonical image at `fine_side` where that is larger than what `longer_side` makes of it."""
    longest = max(image.size)
    if fine_side is None or longer_side is None or min(fine_side, longest) <= min(longer_side, longest):
        return None
    return Fine(*_planes(image, fine_side, np.uint8))


def _planes(
    image: Image.Image, longer_side: int | None, kind: type[np.float32 | np.uint8] = np.float32
) -> tuple[NDArray[Any], Floats | None]:
    """Pixels, floats or rounded to whole numbers, and alpha of a canonical image.

    One channel after the other and some rows at a time, so that at full size it is only ever held
    as integers.
    """
    width, height = image.size
    if longer_side is not None:
        width, height = fit_longer_side(width, height, min(longer_side, max(width, height)))
    shape = (image.height, image.width)
    *colours, last = image.getbands()
    opacity = Opacity(_rows_of(image, last, 255), shape, width, height) if last == "A" else None
    if opacity is None:
        colours.append(last)
    pixels = np.empty((height, width, 3), kind)
    for channel, band in enumerate(colours):
        rows = _rows_of(image, band)
        resized = by_rows(rows, shape, width, height, LANCZOS) if opacity is None else opacity.resize(rows)
        levels = np.clip(resized, 0.0, 255.0)
        pixels[..., channel] = levels if kind is np.float32 else np.rint(levels)
    if len(colours) == 1:  # grey
        pixels[..., 1:] = pixels[..., :1]
    return pixels, None if opacity is None else opacity.resized


def _rows_of(image: Image.Image, band: str, white: int = 1) -> Rows:
    """A band of an image, divided by `white`, read some rows at a time."""

    def rows(top: int, bottom: int) -> Floats:
        piece = image.crop((0, top, image.width, bottom))
        levels = np.asarray(piece if image.mode == "F" else piece.getchannel(band), np.float32)
        return levels if white == 1 else levels / np.float32(white)

    return rows
