"""Text from elsewhere (file names, messages of libraries) made safe to show on a terminal, in a log
and on a page.

Standard library only, so that every room and the command line can afford it.
"""

from __future__ import annotations

import os
import unicodedata
from typing import BinaryIO

# Unicode general categories that do not show as themselves: controls (ESC, newline), format
# characters (bidi overrides, zero widths), surrogates (a file name that is not UTF-8), private use,
# unassigned, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_LAST_BYTES = 2000  # of a log, where its last line is looked for


def printable(text: str | os.PathLike[str]) -> str:
    r"""Text or a path on one line with every character that acts or hides instead of showing
    written out, as `\x1b`, `\u202e`.

    Letters of every script, spaces and emoji stay. What is printable already comes back unchanged,
    so applying it twice does no harm.
    """
    text = os.fspath(text)
    if text.isprintable():
        return text
    return "".join(written_out(character) if is_unseen(character) else character for character in text)


def printable_lines(text: str) -> str:
    """A text of several lines, each as `printable` gives it."""
    return "\n".join(map(printable, text.split("\n")))


def ascii_only(text: str | os.PathLike[str]) -> str:
    r"""`printable(text)` with everything outside ASCII written out as well (`\xe9`), for mail and
    plain logs."""
    return "".join(character if character.isascii() else written_out(character) for character in printable(text))


def last_line(log: BinaryIO) -> str:
    """The last line with something in it that a process wrote into `log`; "it says nothing" where
    there is none in the last 2,000 bytes."""
    log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_BYTES))
    lines = log.read(_LAST_BYTES).decode(errors="replace").split("\n")
    return printable(next((line for line in reversed(lines) if line.strip()), "it says nothing"))


def is_text(name: str | os.PathLike[str]) -> bool:
    """Whether a file's name is text, and not bytes that are no UTF-8, which Python has escaped."""
    return not any(0xD800 <= ord(character) < 0xE000 for character in os.fspath(name))


def is_unseen(character: str) -> bool:
    """Whether one character would act on the reader's screen, or hide, instead of showing."""
    return unicodedata.category(character) in _UNSEEN


def written_out(character: str) -> str:
    r"""One character in ASCII signs, as `\xe9`."""
    return character.encode("unicode_escape").decode("ascii")
