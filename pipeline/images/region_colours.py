"""The colours of a colour-coded map: each is a region. No NumPy.

A map is drawn with a brush, saved as JPEG or scaled: between two regions there are then pixels of
neither colour. A region's colour is one that lies flat somewhere, with all pixels around it alike,
or, in a picture of few colours, one that cannot be a mixture of two others.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterable, Sequence

from PIL import Image, ImageChops, ImageFilter

from pipeline.errors import BadImage
from pipeline.images.colour_codes import APART, Colour, RegionColour, distance
from pipeline.images.decode import decode
from pipeline.images.file_bytes import read_source
from pipeline.printable import printable

_ALIKE = 16  # the same, of pixels side by side: JPEG at quality 75 leaves less in flat areas
_LOOKED_AT = 512  # pixels along the longer side
_FEW = 256  # colours of a picture that was drawn and not photographed
# Regions of one map. A photograph by mistake has hundreds of colours; nobody keeps apart so many.
MOST_REGIONS = 32


def colours_in_file(path: str | os.PathLike[str], home: str | None = None) -> list[RegionColour]:
    """The colours of the map in a file, which has to lie in the folder `home`. Raises BadImage,
    also for what is no map."""
    source = read_source(path, home)
    return region_colours(as_rgb(decode(source).image), source.shown)


def as_rgb(image: Image.Image) -> Image.Image:
    """A canonical image in colours of 8 bits, whatever can be seen of them."""
    return (image.convert("L") if image.mode == "F" else image).convert("RGB")


def region_colours(image: Image.Image, shown: str) -> list[RegionColour]:
    """The colours of a map, RGB, the most frequent first. Raises BadImage where they are too many,
    or none; `shown` names it."""
    factor = max(1.0, max(image.size) / _LOOKED_AT)
    small = image.resize([max(1, round(side / factor)) for side in image.size], Image.Resampling.NEAREST)
    pixels = list(_pixels(small))
    flat = Counter(colour for colour, is_flat in zip(pixels, flat_places(small).tobytes(), strict=True) if is_flat)
    found: list[Colour] = []
    for colour, _count in flat.most_common():
        red, green, blue = colour  # `distance` written out: of a soft map a hundred thousand colours come by
        if all(abs(red - r) >= APART or abs(green - g) >= APART or abs(blue - b) >= APART for r, g, b in found):
            found.append(colour)
        if len(found) > MOST_REGIONS:
            raise BadImage(
                f"{printable(shown)} has more than {MOST_REGIONS} colours, so it is no map of regions; paint each region in"
                " one colour of its own"
            )
    thin = _thin(image, found)
    every = [*found, *thin]
    if not every:
        raise BadImage(
            f"{printable(shown)} has no flat colour, so it is no map of regions; paint each region in one colour of its own"
        )
    counted = _counted(small, every)
    regions = [RegionColour(colour, counted[n] / len(pixels), colour in thin) for n, colour in enumerate(every)]
    return sorted(regions, key=lambda region: -region.share)


def _counted(image: Image.Image, colours: Sequence[Colour]) -> list[int]:
    """To how many pixels each of the colours is the nearest; of equals the first."""
    labels, least = Image.new("L", image.size), Image.new("L", image.size, 255)
    for number, colour in enumerate(colours):
        apart = _most_of_channels(ImageChops.difference(image, Image.new("RGB", image.size, colour)))
        if number:
            nearer = ImageChops.subtract(least, apart).point([0, *[255] * 255])
            labels.paste(number, (0, 0), nearer)
        least = ImageChops.darker(least, apart)
    return labels.histogram()


def flat_places(image: Image.Image) -> Image.Image:
    """Where all pixels around are alike, 255, and 0 elsewhere; of an image in RGB."""
    spread = ImageChops.difference(image.filter(ImageFilter.MaxFilter(3)), image.filter(ImageFilter.MinFilter(3)))
    return _most_of_channels(spread).point([255 if level <= _ALIKE else 0 for level in range(256)])


def _most_of_channels(image: Image.Image) -> Image.Image:
    return functools.reduce(ImageChops.lighter, image.split())


def _thin(image: Image.Image, flat: Sequence[Colour]) -> list[Colour]:
    """Colours of a picture of few that lie flat nowhere and are no mixture of two that do."""
    counted = image.getcolors(_FEW) or []
    thin: list[Colour] = []
    for _count, colour in sorted(counted, key=lambda each: -each[0]):
        assert isinstance(colour, tuple)
        of_three: Colour = (colour[0], colour[1], colour[2])
        if all(distance(of_three, other) >= APART for other in (*flat, *thin)) and not _is_mixture(of_three, flat):
            thin.append(of_three)
    return thin[: max(0, MOST_REGIONS - len(flat))]


def _is_mixture(colour: Colour, others: Sequence[Colour]) -> bool:
    return any(
        distance(colour, _on_the_way(colour, one, other)) < APART
        for number, one in enumerate(others)
        for other in others[:number]
    )


def _on_the_way(colour: Colour, one: Colour, other: Colour) -> list[float]:
    """The point nearest to a colour on the line between two others."""
    way = [b - a for a, b in zip(one, other, strict=True)]
    along = sum((c - a) * w for c, a, w in zip(colour, one, way, strict=True)) / max(1, sum(w * w for w in way))
    along = min(1.0, max(0.0, along))
    return [a + along * w for a, w in zip(one, way, strict=True)]


def _pixels(image: Image.Image) -> Iterable[Colour]:
    data = image.tobytes()
    return zip(data[0::3], data[1::3], data[2::3], strict=True)
