"""A painted picture and how it came about: what painting a pair comes to."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.reading import Losses, Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Stylization:
    """A painted picture and how it came about.

    `pixels` are uint8 (height, width, 3), sRGB; `alpha` is float32 (height, width), 0..1, or None.
    `first` and `last` are the losses by name at the start and of the result in whole numbers,
    before `preserve_color` and `strength`, and `layer_losses` their shares by layer; `trace` holds
    one reading per evaluation. `precision` is the arithmetic of the descent; `last` is measured in
    float32 always. Times are in seconds: `setup_seconds` until the first evaluation, `seconds` in
    all. `deep`, for `depth: 16` alone, is the picture before it was rounded to `pixels`: float32
    (height, width, 3), 0..255. `dpi` are the dots per inch that its file says. `settings` are what
    its file says of its making.
    """

    pixels: NDArray[np.uint8]
    alpha: Pixels | None
    trace: tuple[Reading, ...]
    first: Losses
    last: Losses
    setup_seconds: float
    seconds: float
    precision: str
    notes: tuple[str, ...] = ()
    deep: Pixels | None = None
    dpi: int = 300
    settings: Mapping[str, Any] = field(default_factory=dict)
    layer_losses: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        losses = f"loss {self.first['total']:.4g} -> {self.last['total']:.4g}"
        return f"<Stylization {width}x{height}, {len(self.trace)} steps, {losses}, {self.seconds:.1f} s>"

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self._encoded(".png", 8)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, in the format of the name's ending, with the settings that `stylize
        show` reads; a file of that name is replaced by a whole one, or not at all. `quality` and
        `depth` are those of the options. Raises PairError for an ending that is no format's, or a
        picture that does not fit it, OSError where nothing can be written."""
        file = Path(path)
        data = self._encoded(file.suffix, 8 if self.deep is None else 16, output=file.name)
        part = file.with_name(f".stylize-{os.getpid()}-{threading.get_ident()}.part")  # short, as the name may be long
        try:
            part.write_bytes(data)
            part.replace(file)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(file)) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _encoded(self, suffix: str, depth: int, **more: str) -> bytes:
        from pipeline.images.encode import encode_picture

        options = self.settings.get("options", {})
        return encode_picture(
            self.pixels if self.deep is None or depth == 8 else self.deep,
            self.alpha,
            suffix,
            options.get("quality", 95),
            {**self.settings, **more},
            depth=depth,
            dpi=self.dpi,
        )

    @property
    def image(self) -> Image.Image:
        """The picture as a Pillow image, RGB or, where the content was transparent, RGBA."""
        from pipeline.images.encode import to_pillow

        return to_pillow(self.pixels, self.alpha)
