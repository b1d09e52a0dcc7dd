"""Draws contact sheets and strips: small pictures and words in boxes.

Run as a process, so that whoever asks loads no Pillow: a question a line from stdin, an answer a
line to stdout, in JSON; the file that was asked for goes to the open file `file`, a descriptor.

    {"sheet": {"size", "pictures", "texts"}, "format", "quality", "font", "file"}
    {"strip": [files, ...], "height", "format", "quality", "file"}
    {"size": [width, height], "notes": [sentences]} or {"error": sentence, "exit_code"}

Files of unknown origin are not decoded here either: `reader` has that done, and gives bare pixels.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from pipeline.errors import ExitCode, PairError, StylizeError, UsageError
from pipeline.images.convert import srgb_profile
from pipeline.images.decode import load_formats
from pipeline.images.lettering import Lettering, Written
from pipeline.images.reader import READER
from pipeline.images.sizes import too_long_for
from pipeline.images.small import MOST_PIXELS
from pipeline.printable import printable

Files = Sequence[Sequence[str | None]]
"""Paths to try one after the other, each with the folder that the file must lie in, or None."""
Box = Sequence[int]
"""Left, top, width, height, in pixels."""

_PAPER, _INK, _EMPTY, _FRAME = "white", (34, 34, 34), (242, 242, 242), (205, 205, 205)
# Of captions and in empty boxes; a line, of a letter's height; lines of a caption: as
# `report/contact_sheet` reckons, by test.
_LETTERS, _LINE, _CAPTION = 14, 1.3, 3
_MOST_ENLARGED = 2.0  # as on the report's page: a try of 64 pixels is there to be seen
_INSET = 8  # of words in an empty box
GAP = 6  # pixels between pictures of a strip
# Of pictures that stand on many sheets, as heads: 128 of a quarter of a megabyte at most.
_KEPT, _KEPT_PIXELS = 128, 2**16


def draw_sheet(sheet: Mapping[str, Any], lettering: Lettering) -> tuple[Image.Image, list[str]]:
    """A sheet as `report/contact_sheet` describes it, and what is to be said of pictures that could
    not be read."""
    image = Image.new("RGB", tuple(sheet["size"]), _PAPER)
    pen, notes = ImageDraw.Draw(image), []
    for box, files, words, caption in sheet["pictures"]:
        lines = lettering.fitted(caption, _LETTERS, box[2], _CAPTION) if caption else None
        left, top, width, height = box
        height -= round(_LETTERS * _LINE) * (len(lines.lines) if lines else 0)
        found, why = _opened(files, (width, height))
        notes += [why] if why else []
        if found is not None:
            top += (height - found.height) // 2
            height = found.height
            image.paste(found, (left + (width - found.width) // 2, top))
        elif words or why:
            _empty(pen, (left, top, width, height), words or why, lettering)
        if lines:
            _draw(pen, lines, (left, top + height, width, 0), _LETTERS, centred=True)
    for box, words, letters, centred in sheet["texts"]:
        _write(pen, box, words, letters, lettering, centred=centred)
    return image, notes


def strip(files: Sequence[Files], height: int, kind: str = "PNG") -> tuple[Image.Image, list[str]]:
    """Pictures beside one another, all `height` pixels high, and what is to be said of those that
    could not be read. Raises PairError where none could, and where they are too wide to be of this
    `kind`."""
    opened = [_opened(each, (MOST_PIXELS // height, height)) for each in files]
    notes = [why for _picture, why in opened if why]
    pictures = [picture for picture, _why in opened if picture is not None]
    if not pictures:
        raise PairError("; ".join(notes))
    width = sum(_width_of(picture, height) + GAP for picture in pictures) - GAP
    if kind == "JPEG" and too_long_for(".jpg", width):
        raise PairError(f"it would be {width} pixels wide, which JPEG cannot be; take --format png, or less --height")
    return beside([of_height(picture, height) for picture in pictures]), notes


def of_height(picture: Image.Image, height: int) -> Image.Image:
    """A picture brought to a height, in its own shape."""
    return picture.resize((_width_of(picture, height), height), Image.Resampling.LANCZOS)


def _width_of(picture: Image.Image, height: int) -> int:
    return max(1, round(picture.width * height / picture.height))


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures beside one another, on white."""
    width = sum(picture.width + GAP for picture in pictures) - GAP
    found = Image.new("RGB", (width, max(picture.height for picture in pictures)), _PAPER)
    left = 0
    for picture in pictures:
        found.paste(picture, (left, 0))
        left += picture.width + GAP
    return found


def _opened(files: Files, box: tuple[int, int]) -> tuple[Image.Image | None, str]:
    """The first of the files that can be read, fitted into a box (width, height), or why there is
    none; nothing where there is no file to try."""
    keys = tuple((path or "", home) for path, home in files)
    return _kept(keys, box) if box[0] * box[1] <= _KEPT_PIXELS else _read(keys, box)


def _read(files: tuple[tuple[str, str | None], ...], box: tuple[int, int]) -> tuple[Image.Image | None, str]:
    why = ""
    for path, home in files:
        try:
            size, pixels = READER.small(path, box, home)
        except PairError as error:
            why = str(error)
            continue
        return _enlarged(Image.frombytes("RGB", size, pixels), box), ""
    return None, why


def _enlarged(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """A picture that is small for its box, up to that and at most twice as large."""
    scale = min(box[0] / picture.width, box[1] / picture.height, _MOST_ENLARGED)
    if scale <= 1:
        return picture
    size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC)


_kept = functools.lru_cache(_KEPT)(_read)


def _empty(pen: ImageDraw.ImageDraw, box: Box, words: str, lettering: Lettering) -> None:
    """A box without a picture, and why."""
    left, top, width, height = box
    pen.rectangle((left, top, left + width - 1, top + height - 1), _EMPTY, _FRAME)
    inner = (left + _INSET, top + _INSET, max(1, width - 2 * _INSET), max(1, height - 2 * _INSET))
    _write(pen, inner, words, _LETTERS, lettering, centred=True, middle=True)


def _write(
    pen: ImageDraw.ImageDraw,
    box: Box,
    words: str,
    letters: int,
    lettering: Lettering,
    *,
    centred: bool,
    middle: bool = False,
) -> None:
    left, top, width, height = box
    line = round(letters * _LINE)
    written = lettering.fitted(words, letters, width, max(1, height // line))
    if middle:
        top += max(0, (height - line * len(written.lines)) // 2)
    _draw(pen, written, (left, top, width, height), letters, centred=centred)


def _draw(pen: ImageDraw.ImageDraw, written: Written, box: Box, letters: int, *, centred: bool) -> None:
    left, top, width, _height = box
    for number, text in enumerate(written.lines):
        indent = max(0, round(width - written.font.getlength(text)) // 2) if centred else 0
        place = (left + indent, top + number * round(letters * _LINE))
        if isinstance(written.font, ImageFont.FreeTypeFont):  # fonts differ in where a line begins
            pen.text((place[0], place[1] + letters), text, _INK, written.font, anchor="ls")
        else:
            pen.text(place, text, _INK, written.font)


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Draw what is asked for. Raises StylizeError and OSError."""
    if "strip" in question:
        image, notes = strip(question["strip"], question["height"], question["format"])
    else:
        image, notes = draw_sheet(question["sheet"], _lettering(question["font"]))
    load_formats()
    with open(question["file"], "wb", closefd=False) as file:
        file.seek(0)
        file.truncate()
        image.save(file, question["format"], quality=question["quality"], icc_profile=srgb_profile())
    return {"size": image.size, "notes": list(dict.fromkeys(notes))}


def _lettering(font: str | None) -> Lettering:
    try:
        return Lettering(font)
    except OSError as error:
        raise UsageError(f"{printable(font or '')} is no font ({error})") from error


def main() -> None:
    """Answer questions until there are no more."""
    for line in sys.stdin.buffer:
        try:
            found = answer(json.loads(line))
        except StylizeError as error:
            found = {"error": str(error), "exit_code": int(error.exit_code)}
        except OSError as error:
            found = {"error": str(error), "exit_code": int(ExitCode.ENVIRONMENT)}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
