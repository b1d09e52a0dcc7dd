"""Everything that is wrong with one manifest, told all at once in the file's order."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from pipeline.errors import ManifestError, Problem
from pipeline.printable import printable
from pipeline.urls import without_secrets

SHOWN_WIDTH = 100  # columns of a source line in a message: it still fits a terminal of 120 with its gutter
SHOWN_VALUE = 60  # characters of a value that was got; enough to recognise it
MAX_PROBLEMS = 1000  # nobody reads further, and looking for what each misspelt key was meant to be costs time
MAX_WARNINGS = 50
MAX_KNOWN = 500  # names that a misspelt one is compared with
# The ends of lines that YAML 1.1 knows (section 5.4), and so PyYAML when it counts them.
LINE_ENDS = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class Place(NamedTuple):
    """A place in the manifest; line and column count from 1. Line 0 is the file as a whole."""

    line: int
    column: int


WHOLE_FILE = Place(0, 0)


class Problems:
    """The problems and warnings of one source.

    That is a manifest, or the text of an override, which has no places.
    """

    def __init__(self, file: str, text: str = "", *, has_places: bool = True) -> None:
        self.file = printable(file)
        self._lines = LINE_ENDS.split(text)
        self._has_places = has_places
        self._found: dict[tuple[int, int, str], Problem] = {}
        self._warnings: dict[str, Place] = {}

    def add(self, place: Place, message: str) -> None:
        """Note a problem, once: what an alias repeats is still written in one place.

        Raises ManifestError at once after `MAX_PROBLEMS`: whoever has that many has one that was
        made many times.
        """
        if len(self._found) == MAX_PROBLEMS:
            more = Problem(self.file, 0, 0, f"more than {MAX_PROBLEMS:,} problems; the rest was not looked at")
            raise ManifestError((*self.found, more))
        line, column = place if self._has_places else WHOLE_FILE
        shown, caret = self._source_line(line, column)
        self._found.setdefault(
            (line, column, message),
            Problem(self.file, line, column, printable(without_secrets(message)), source_line=shown, caret=caret),
        )

    def warn(self, place: Place, message: str) -> None:
        """Note something that does not stop the manifest but that its writer should know."""
        self._warnings.setdefault(f"{self.at(place)}: {printable(without_secrets(message))}", place)

    def at(self, place: Place) -> str:
        """`file:line:column`, which editors and terminals make a link; without a place only the
        file.
        """
        return f"{self.file}:{place.line}:{place.column}" if self._has_places and place.line else self.file

    @property
    def has_places(self) -> bool:
        """Did somebody write the text? One that is made, as a folder's manifest, has no places."""
        return self._has_places

    @property
    def found(self) -> tuple[Problem, ...]:
        """All problems in the order of the file."""
        return tuple(sorted(self._found.values(), key=lambda problem: (problem.line, problem.column)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings in the order of the file, the first `MAX_WARNINGS` and the number of the
        others."""
        found = sorted(self._warnings, key=self._warnings.__getitem__)
        more = len(found) - MAX_WARNINGS
        return (*found[:MAX_WARNINGS], *([f"{self.file}: and {more} more warnings"] if more > 0 else []))

    def raise_found(self) -> None:
        """Raise ManifestError if there is any problem."""
        if self._found:
            raise ManifestError(self.found)

    def line(self, number: int) -> str:
        """A line of the source by its number, counted from 1."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def _source_line(self, line: int, column: int) -> tuple[str, int]:
        """The line as it is shown, cut around the column, and the caret's column under it."""
        text = without_secrets(self.line(line))
        start = max(0, min(column - 1 - SHOWN_WIDTH // 2, len(text) - SHOWN_WIDTH))
        end = start + SHOWN_WIDTH
        # What is cut away first need not be looked at: a manifest may be one line of 2 MB.
        shown = "".join(character if character.isprintable() else " " for character in text[start:end])
        if not shown.strip():
            return "", 0
        if len(text) <= SHOWN_WIDTH:
            return shown.rstrip(), column
        shown = ("…" if start else "") + shown[bool(start) : len(shown) - (end < len(text))]
        return shown + ("…" if end < len(text) else ""), column - start


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be, or None."""
    if len(word) > SHOWN_VALUE:  # comparing is quadratic in the length, and nobody mistypes a key this long
        return None
    close = difflib.get_close_matches(word.lower(), islice(known, MAX_KNOWN), n=1)
    return close[0] if close else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'style'?`, or nothing."""
    meant = did_you_mean(word, known)
    return f"; did you mean '{meant}'?" if meant else ""


def shorten(text: str, width: int = SHOWN_VALUE) -> str:
    """At most `width` characters of a value, for a message."""
    return text if len(text) <= width else text[: width - 1] + "…"
