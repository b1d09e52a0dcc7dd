"""The painted frames of a clip as they are kept, each whole, until nobody wants the clip any more.

    OUTPUT/.pipeline/clips/<pair id>/<number>.png            as it is shown
    OUTPUT/.pipeline/clips/<pair id>/<number>.painted.png    as later ones follow it, if otherwise

What there is to know of a frame stands in its own metadata. A kill at any moment leaves whole
frames and nothing else; a clip that got longer, or of which a shot changed, keeps those whose keys
are the same (store/keys).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadImage, StylizeError
from pipeline.images.encode import encode_picture, to_uint8
from pipeline.images.metadata import metadata_in
from pipeline.images.picture import Picture, open_picture
from pipeline.schedule import Size
from pipeline.store.layout import clip_name, frame_name, pair_id
from pipeline.store.output_files import later_frames
from pipeline.store.shapes import MOST, fitting
from pipeline.store.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PAINTED = ".painted.png"
_LIGHTS = 2  # of photograph and painting
_MOST_LEVEL = 256  # grey levels
# Seconds as `str` has them: of numbers below 2^63 (clip_story.Times); of `1e999999999` Python would
# write out a billion digits.
_SECONDS = re.compile(r"[0-9]{1,18}(?:/[0-9]{1,18})?")
# Bytes at the beginning of a frame in which all stands that is known of it, twice: a few thousand,
# where there may be gigabytes of frames to look at.
_HEAD = 2**17


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFrame:
    """What is known of a painted frame: its key; losses of its first and last evaluation, how many
    these were and the seconds they took; `flicker` and `own_flicker`, of the painting and of the
    photograph, in grey levels, and the share of positions in which they could be measured; whether
    a shot begins with it; mean grey levels of photograph and painting (`light`); what equal bytes
    depend on beside the key. `apart`: later frames follow another picture than the one shown.

    Where the clip is the one of `source` still, the photograph need not be decoded to know that the
    frame stands: `photograph` is the SHA-256 of its pixels, `time` and `duration` say when it is
    shown, in seconds (`3/25`), and `after` is the number of the frame that was painted before it,
    by which `cut` was found; None of the first one."""

    key: str
    first: dict[str, float]
    last: dict[str, float]
    evaluations: float
    seconds: float
    flicker: float | None
    own_flicker: float | None
    reliable: float
    cut: bool
    light: list[float]
    precision: str
    environment: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    apart: bool = False
    source: str = ""
    photograph: str = ""
    time: str = "0"
    duration: str = "0"
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of the clip that stands: its number in the file, when and how long it is shown, in
    seconds, and what is known of its painting."""

    number: int
    time: Fraction
    duration: Fraction
    frame: KeptFrame


class DamagedFrame(BadImage):
    """A kept frame turned out to be damaged, and is no more: painted again, it is the same."""


class KeptFrames:
    """Those of one clip, by their numbers in its file, from 0 in the order shown: those of a range
    stand where those of the whole clip do. `sizes` are (width, height) of a frame as it is painted
    and as it is shown, empty where they are not known: one of another size is damaged."""

    def __init__(self, store: Store, output: str, sizes: tuple[Size, ...] = ()) -> None:
        self._store, self._output, self._sizes = store, output, sizes
        self._named = False

    def look(self, number: int) -> KeptFrame | None:
        """What is known of a frame; None where there is none, or none that we wrote."""
        name = frame_name(self._output, number)
        try:
            with self._store.open(name) as file:
                settings = metadata_in(file.read(_HEAD), name)
        except (OSError, BadImage):
            return None
        known = fitting(KeptFrame, settings)
        try:
            frame = None if known is None else KeptFrame(**known)
        except TypeError:  # something is missing
            return None
        return frame if frame is not None and _is_as_we_write(frame) else None

    def shown(self, number: int) -> Picture:
        """A frame as it is shown. Raises DamagedFrame."""
        return self._open(number, frame_name(self._output, number), self._sizes)

    def painted(self, number: int, frame: KeptFrame) -> NDArray[np.uint8]:
        """A frame as later ones follow it: uint8 (height, width, 3). Raises as `shown` does."""
        name = frame_name(self._output, number)
        picture = self._open(number, _painted_name(name) if frame.apart else name, self._sizes[:1])
        return to_uint8(picture.pixels)

    def save(
        self,
        number: int,
        frame: KeptFrame,
        pixels: NDArray[np.uint8],
        alpha: NDArray[np.float32] | None,
        painted: NDArray[np.uint8],
    ) -> None:
        """Keep a frame; it is on the disk when this returns. Raises as `Store.write` does."""
        name = frame_name(self._output, number)
        self._name()
        if frame.apart:
            self._store.write(_painted_name(name), _encoded(painted, None, {"key": frame.key}))
        self._store.write(name, _encoded(pixels, alpha, asdict(frame)))

    def renew(self, number: int, frame: KeptFrame) -> None:
        """Note of a frame that stands where in today's file it is found. Raises DamagedFrame, and
        as `Store.write` does."""
        shown = self.shown(number)
        name = frame_name(self._output, number)
        self._store.write(name, _encoded(to_uint8(shown.pixels), shown.alpha, asdict(frame)))

    def copy(self, number: int, other: KeptFrames) -> KeptFrame | None:
        """Keep a frame that another pair has, byte for byte; None where it cannot be read. Raises
        as `Store.write` does."""
        names = (frame_name(self._output, number), frame_name(other._output, number))
        self._name()
        try:
            found = other.look(number)
            if found is not None and found.apart:
                self._store.write(_painted_name(names[0]), self._store.read(_painted_name(names[1])))
            self._store.write(names[0], self._store.read(names[1]))
        except FileNotFoundError:
            return None
        return self.look(number)

    def drop_from(self, number: int) -> None:
        """Have no frame of this number or a later one: the clip is shorter than it was."""
        for name in later_frames(self._store, pair_id(self._output), number):
            with suppress(OSError, StylizeError):
                self._store.delete(name)

    def _name(self) -> None:
        """Have it be known that the clip has frames."""
        if not self._named:
            self._store.write(clip_name(self._output), f"{self._output}\n".encode("utf-8", "surrogateescape"))
            self._named = True

    def _drop(self, number: int) -> None:
        for name in (frame_name(self._output, number), _painted_name(frame_name(self._output, number))):
            with suppress(OSError, StylizeError):
                self._store.delete(name)

    def _open(self, number: int, name: str, sizes: tuple[Size, ...]) -> Picture:
        try:
            picture = open_picture(self._store.path(name), home=self._store.home)
            if sizes and picture.size not in sizes:
                raise BadImage(
                    f"{name} is {picture.size[0]}x{picture.size[1]} pixels, not {sizes[-1][0]}x{sizes[-1][1]}"
                )
            return picture
        except BadImage as error:
            self._drop(number)
            raise DamagedFrame(str(error)) from error


def _is_as_we_write(frame: KeptFrame) -> bool:
    """Is what a frame says of itself of use? Anybody may have put it there."""
    if not (_SECONDS.fullmatch(frame.time) and _SECONDS.fullmatch(frame.duration)):
        return False
    with suppress(ZeroDivisionError):
        return Fraction(frame.duration) > 0 <= Fraction(frame.time) and _is_in_range(frame)
    return False


def _is_in_range(frame: KeptFrame) -> bool:
    """Are its figures some that can be, so that sums and means of them are numbers?"""
    levels = (*frame.light, frame.flicker or 0, frame.own_flicker or 0, frame.reliable)
    return (
        len(frame.light) == _LIGHTS
        and all(abs(level) <= _MOST_LEVEL for level in levels)
        and all(0 <= number <= MOST for number in (frame.seconds, frame.evaluations))
    )


def _painted_name(name: str) -> str:
    return name.removesuffix(".png") + _PAINTED


def _encoded(pixels: NDArray[np.uint8], alpha: NDArray[np.float32] | None, settings: Mapping[str, Any]) -> bytes:
    return encode_picture(pixels, alpha, ".png", 100, settings)
