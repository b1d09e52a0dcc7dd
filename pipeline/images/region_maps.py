"""Colour-coded maps to masks: which pixels belong to which region."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images.colour_codes import Colour, RegionColour, hexadecimal
from pipeline.images.decode import decode
from pipeline.images.file_bytes import read_source
from pipeline.images.masks import Mask
from pipeline.images.picture import picture_from_array, picture_from_pillow
from pipeline.images.region_colours import as_rgb, flat_places, region_colours
from pipeline.images.sizes import fit_longer_side, wrong_shape

# Pixels, half of a soft edge: brushes have some tens. What is farther from all flat places takes
# the nearest of all colours, so that a map of noise does not take hours.
_EDGE = 64
_EXACT = 8  # of a channel: how near a pixel is to a colour that lies flat nowhere


@dataclass(frozen=True, slots=True, eq=False)
class RegionMap:
    """`labels` are int16 (height, width), numbers among `colours`; the rest as in `Mask`."""

    labels: NDArray[np.int16]
    colours: tuple[RegionColour, ...]
    sha256: str
    name: str
    notes: tuple[str, ...] = ()

    def mask(self, number: int) -> Mask:
        """The region of one colour."""
        levels = self.labels == number
        size = (levels.shape[1], levels.shape[0])
        shown = hexadecimal(self.colours[number].colour)
        return Mask(levels, size, f"{self.sha256} {shown}", f"{self.name} {shown}")


def open_region_map(source: Any, of: str, size: tuple[int, int], home: str | None = None) -> RegionMap:
    """The map of the picture called `of`, made no larger than that, (width, height). Raises as
    `masks.open_mask` does, and BadImage for what has too many colours."""
    if isinstance(source, str | os.PathLike):
        found = read_source(source, home)
        decoded = decode(found)
        image, sha256, name, notes = as_rgb(decoded.image), found.sha256, found.name, decoded.notes
    else:
        source = _without_opacity(source)
        picture = picture_from_array(source) if isinstance(source, np.ndarray) else picture_from_pillow(source)
        image = Image.fromarray(np.rint(picture.pixels).astype(np.uint8))
        sha256, name, notes = picture.sha256, picture.name, picture.notes
    if fault := wrong_shape(name, image.size, of, size, opened_smaller=True):
        raise BadImage(fault)
    colours = tuple(region_colours(image, name))
    reduced = fit_longer_side(*image.size, min(max(size), max(image.size)))
    if reduced != image.size:
        image = image.resize(reduced, Image.Resampling.NEAREST)
    return RegionMap(labelled(image, colours), colours, sha256, name, notes)


def _without_opacity(source: Any) -> Any:
    """A Pillow image or an array with the colours that it has, also where they cannot be seen, as
    of a file."""
    if isinstance(source, np.ndarray):
        return source[..., :3] if source.ndim == 3 else source
    if isinstance(source, Image.Image) and source.has_transparency_data:
        return source.convert("RGBA").convert("RGB")
    return source


def labelled(image: Image.Image, colours: tuple[RegionColour, ...]) -> NDArray[np.int16]:
    """The region of each pixel, int16 (height, width): flat ones by their colour, those between by
    the nearest colour of a region that touches them. Takes the same memory for all numbers of
    colours."""
    pixels = np.asarray(image, np.int16)
    flat = np.asarray(flat_places(image)) > 0
    nearest = _nearest(pixels, colours)
    labels = np.where(flat, nearest, np.int16(-1))
    for number, region in enumerate(colours):
        if region.thin:
            labels[~flat & (_distance(pixels, region.colour) <= _EXACT)] = number
    if (labels < 0).all():
        labels[:] = nearest
    palette = np.array([region.colour for region in colours], np.int16)
    for _ in range(_EDGE):
        if (labels >= 0).all():
            break
        labels = _grown(labels, pixels, palette)
    return np.where(labels < 0, nearest, labels)


def _nearest(pixels: NDArray[np.int16], colours: tuple[RegionColour, ...]) -> NDArray[np.int16]:
    """The number of the nearest colour of each pixel; of equals the first."""
    found = np.zeros(pixels.shape[:2], np.int16)
    least = _distance(pixels, colours[0].colour)
    for number, region in enumerate(colours[1:], start=1):
        apart = _distance(pixels, region.colour)
        nearer = apart < least
        found[nearer], least[nearer] = number, apart[nearer]
    return found


def _grown(labels: NDArray[np.int16], pixels: NDArray[np.int16], palette: NDArray[np.int16]) -> NDArray[np.int16]:
    """Pixels without a label take that one of those around them whose colour is nearest."""
    around = np.pad(labels, 1, constant_values=-1)
    height, width = labels.shape
    best, least = labels.copy(), np.full(labels.shape, np.iinfo(np.int16).max, np.int16)
    rows, columns = np.nonzero(labels < 0)
    colours = pixels[rows, columns]
    for down in range(3):
        for right in range(3):
            label = around[down : down + height, right : right + width][rows, columns]
            away = np.abs(colours - palette[label]).max(-1)
            apart = np.where(label < 0, np.iinfo(np.int16).max, away)
            nearer = apart < least[rows, columns]
            best[rows[nearer], columns[nearer]] = label[nearer]
            least[rows[nearer], columns[nearer]] = apart[nearer]
    return best


def _distance(pixels: NDArray[np.int16], colour: Colour) -> NDArray[np.int16]:
    found: NDArray[np.int16] = np.abs(pixels - np.array(colour, np.int16)).max(-1)
    return found
