"""Masks: grey pictures that say how much of something each place of a picture is to have.

A mask has the shape of its picture, at any size, and is scaled with it. White is all, black
nothing, grey as much as its level says; of a coloured one its brightness counts, and what cannot be
seen is black.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images.colour import LUMINANCE
from pipeline.images.decode import decode, decoding
from pipeline.images.file_bytes import read_source
from pipeline.images.picture import Picture, picture_from_array, picture_from_pillow
from pipeline.images.scale import Floats, by_rows
from pipeline.images.sizes import fit_longer_side, wrong_shape

# Without the lobes of Lanczos, which would let a style into what lies beside its region.
_TRIANGLE = Image.Resampling.BILINEAR


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """`levels` are float32 (height, width), 0..1, or bool, where they are all or nothing; `size` is
    (width, height) of the file; `sha256` is of its bytes, or of the pixels where there was none.
    `notes` are worth knowing."""

    levels: Floats | NDArray[np.bool_]
    size: tuple[int, int]
    sha256: str
    name: str
    notes: tuple[str, ...] = ()

    def resized(self, width: int, height: int) -> Floats:
        """Levels (height, width): the mean of what lies under a pixel that is larger."""
        shape = self.levels.shape
        if shape == (height, width):
            return self.levels.astype(np.float32, copy=False)
        levels = by_rows(
            lambda top, bottom: self.levels[top:bottom].astype(np.float32), shape, width, height, _TRIANGLE
        )
        return np.clip(levels, 0.0, 1.0)


def open_mask(source: Any, of: str, size: tuple[int, int], home: str | None = None) -> Mask:
    """A mask of the picture called `of`, made no larger than that, (width, height). Raises as
    `open_any` does, and BadImage for another shape than the picture's."""
    if isinstance(source, str | os.PathLike):
        found = read_source(source, home)
        decoded = decode(found, as_mask=True)
        image, sha256, name, notes = decoded.image, found.sha256, found.name, decoded.notes
        shown = found.shown
        del found, decoded
    else:
        picture = (
            picture_from_array(source) if isinstance(source, np.ndarray) else picture_from_pillow(source, as_mask=True)
        )
        image, sha256, name, notes = _image_of(picture), picture.sha256, picture.name, picture.notes
        shown = name
    if fault := wrong_shape(name, image.size, of, size, opened_smaller=True):
        raise BadImage(fault)
    with decoding(shown, b"", []):  # names the file, should memory end here
        return Mask(_levels(image, max(size)), image.size, sha256, name, notes)


def mask_from_levels(levels: NDArray[Any], name: str) -> Mask:
    """A mask of levels (height, width), 0..1, that were computed."""
    made = np.ascontiguousarray(levels, np.float32)
    return Mask(made, (made.shape[1], made.shape[0]), hashlib.sha256(made.tobytes()).hexdigest(), name)


def _image_of(picture: Picture) -> Image.Image:
    alpha = 1.0 if picture.alpha is None else picture.alpha
    return Image.fromarray(np.asarray(picture.pixels @ LUMINANCE * alpha, np.float32))


def _levels(image: Image.Image, longer_side: int) -> Floats:
    """Levels of a canonical image, some rows at a time."""
    width, height = fit_longer_side(*image.size, min(longer_side, max(image.size)))
    *colours, last = image.getbands()
    opacity = last if last == "A" else None
    bands = [*colours, *([] if opacity else [last])]

    def rows(top: int, bottom: int) -> Floats:
        piece = image.crop((0, top, image.width, bottom))
        if len(bands) == 1:
            grey = np.asarray(piece if piece.mode == "F" else piece.getchannel(0), np.float32)
        else:
            grey = np.asarray(piece.convert("RGB").convert("L"), np.float32)
        seen = np.asarray(piece.getchannel("A"), np.float32) / 255 if opacity else np.float32(1)
        return grey * seen / np.float32(255)

    if (width, height) == image.size:
        return np.clip(rows(0, height), 0.0, 1.0)
    return np.clip(by_rows(rows, (image.height, image.width), width, height, _TRIANGLE), 0.0, 1.0)
