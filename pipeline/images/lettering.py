"""Words in a picture: any name, in any script, so that it can be read or at least told apart.

Pillow brings a font of its own, with little more than ASCII. What is not in it is looked for in
fonts of the system that are known to have many scripts. A character that no font has is written
out, as `\\u72ac`: never a box that looks like any other.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import ImageFont, features

from pipeline.printable import printable_lines, written_out

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Of Linux's distributions and macOS: DejaVu has Latin, Greek, Cyrillic, Hebrew and Arabic; then
# Noto, Chinese, Japanese and Korean, and what has everything.
_KNOWN = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSansArabic-Regular.ttf"),
    *("NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf", "FreeSans.ttf"),
    *("wqy-zenhei.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "unifont.otf"),
    *("unifont.ttf", "Arial Unicode.ttf", "PingFang.ttc", "AppleSDGothicNeo.ttc"),
)
_FOLDERS = (
    *("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    *("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
)
_NO_CHARACTER = "\U0010ffff"  # which no font has: it draws what stands for a missing one
_LOOKED_AT = 32  # letters' height at which glyphs are compared
_LONGEST = 400  # characters; of a longer text the middle is left out before it is measured
_BREAKS = " /-_."  # a line may end after these
_DOTS = "..."


class Written(NamedTuple):
    """Text that can be drawn, line by line, and the font for it."""

    lines: list[str]
    font: Font


class Lettering:
    """Draws words with Pillow's own font, with the user's `font` file, where there is one, and with
    the system's. Raises OSError where that file is no font."""

    def __init__(self, font: str | None = None) -> None:
        self._given = font
        if font is not None:
            ImageFont.truetype(font, _LOOKED_AT)

    def fitted(self, text: str, letters: int, width: int, most: int) -> Written:
        """A text in at most so many lines of at most `width` pixels, `letters` high. Where it is
        too long its end is kept too: names often differ there alone."""
        source, words = self._source(printable_lines(text))
        font = _font(source, letters)
        lines = [line for part in words.split("\n") for line in _broken(font, _shortened(part), width)]
        if len(lines) > most:
            whole = "".join(lines)
            lines = [*lines[: most - 1], _ending(font, whole, len("".join(lines[: most - 1])), width)]
        return Written([line.strip() for line in lines], font)

    def _source(self, text: str) -> tuple[str | None, str]:
        """The font to draw a text with, and the text with what it lacks written out."""
        best: tuple[int, str | None] | None = None
        needed = {character for character in text if character != "\n"}
        for source in self._sources():
            lacking = sum(not _has(source, character) for character in needed)
            if best is None or lacking < best[0]:
                best = (lacking, source)
            if not lacking:
                break
        assert best is not None  # Pillow's own is always there
        source = best[1]
        drawn = (each if each == "\n" or _has(source, each) else written_out(each) for each in text)
        return source, "".join(drawn)

    def _sources(self) -> Iterator[str | None]:
        yield None
        if self._given is not None:
            yield self._given
        yield from _system_fonts()


@functools.cache
def _font(source: str | None, letters: int) -> Font:
    if source is not None:
        return ImageFont.truetype(source, letters)
    if features.check("freetype2"):
        return ImageFont.load_default(letters)
    return ImageFont.load_default()  # a Pillow without FreeType has one of Latin letters, in one size


@functools.cache
def _system_fonts() -> tuple[str, ...]:
    """Those of the system that are known, by their paths: Pillow, asked by a name, would look into
    the working directory first."""
    there: dict[str, str] = {}
    for top in _FOLDERS:
        for folder, _folders, names in os.walk(os.path.expanduser(top)):
            for name in names:
                there.setdefault(name, str(Path(folder, name)))
    return tuple(there[name] for name in _KNOWN if name in there and _opens(there[name]))


def _opens(path: str) -> bool:
    try:
        ImageFont.truetype(path, _LOOKED_AT)
    except OSError:
        return False
    return True


@functools.cache
def _has(source: str | None, character: str) -> bool:
    """Can a character be drawn with this font as it should be?"""
    if not _shapes() and (
        unicodedata.bidirectional(character) in ("R", "AL", "AN") or unicodedata.category(character)[0] == "M"
    ):
        return False  # it would stand in the wrong order, or beside its letter
    font = _font(source, _LOOKED_AT)
    try:
        return _glyph(font, character) != _glyph(font, _NO_CHARACTER)
    except (UnicodeEncodeError, OSError):
        return character.isascii()


@functools.cache
def _shapes() -> bool:
    """Does this Pillow know the order and the forms of letters in all scripts?"""
    return all(features.check(name) for name in ("raqm", "fribidi", "harfbuzz"))


def _glyph(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _shortened(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}{_DOTS}{text[-half:]}"


def _broken(font: Font, text: str, width: int) -> Iterator[str]:
    """Lines that fit, each as long as can be; broken after a sign between words, if there is one in
    its second half."""
    while text:
        fits = _fitting(font, text, width)
        if fits < len(text):
            after = max(text.rfind(sign, 0, fits) for sign in _BREAKS) + 1
            fits = after if after > fits // 2 else fits
        yield text[:fits]
        text = text[fits:]


def _fitting(font: Font, text: str, width: int) -> int:
    """How many characters of a text fit into a width; at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def _ending(font: Font, text: str, begin: int, width: int) -> str:
    """The rest of a text from `begin` on in one line, without its middle."""
    rest = text[begin:]
    left, right = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    while len(left) + len(right) > 1 and font.getlength(f"{left}{_DOTS}{right}") > width:
        left, right = (left[:-1], right) if len(left) > len(right) else (left, right[1:])
    return f"{left}{_DOTS}{right}"
