"""The pictures of a pair, opened in one way for Python and for a night: none larger than needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import BadImage
from pipeline.options import Options
from pipeline.schedule import Machine, Schedule, Sized, schedule, style_side

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from pipeline.images.picture import Picture

    Source = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]
    Opening = Callable[[Source], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The photograph, the style images with their shares, and the picture of `init` where it is a
    path. Shares need not sum to 1."""

    content: Picture
    styles: tuple[tuple[Picture, float], ...]
    start: Picture | None = None

    @property
    def all(self) -> tuple[Picture, ...]:
        """In the order of a job's inputs: content, styles, start."""
        start = () if self.start is None else (self.start,)
        return (self.content, *(style for style, _share in self.styles), *start)

    def schedule(self, options: Options, machine: Machine) -> Schedule:
        """The stages in which they are painted."""
        content, *styles = (
            Sized(picture.name, picture.size) for picture in (self.content, *(style for style, _share in self.styles))
        )
        return schedule(options, content, styles, machine)


def open_pictures(
    content: Source,
    styles: Sequence[tuple[Source, float]],
    options: Options,
    opening: Opening = lambda _: nullcontext(),
    home_of: Callable[[Source], str | None] = lambda _: None,
) -> Pictures:
    """Open the pictures of a pair: a photograph of 100 megapixels would be 1.2 GB of floats.

    `opening` is entered around each of them; `home_of` is the folder that a file has to lie in,
    where there is one. Raises BadImage for one that cannot be opened and for
    a style image that cannot be seen, OutOfMemory for one that does not fit.
    """
    from pipeline.images import picture

    def open_any(source: Source, longer_side: int | None = None) -> Picture:
        with opening(source):
            return picture.open_any(source, longer_side, home_of(source))

    photograph = open_any(content, None if isinstance(options.size, str) else options.size)
    side = style_side(options, max(photograph.size)) if options.style_aspect == "keep" else None
    return Pictures(
        photograph,
        tuple((_seen(open_any(source, side)), share) for source, share in styles),
        open_any(options.init) if options.starts_from_file else None,
    )


def _seen(style: Picture) -> Picture:
    """The style image. Raises BadImage where there is nothing to learn from."""
    if not style.can_be_seen:
        raise BadImage(cannot_be_seen(style.name))
    return style


def cannot_be_seen(name: str) -> str:
    """Why a style image is refused."""
    return f"style {name} is completely transparent, so it shows no style; use one that can be seen"
