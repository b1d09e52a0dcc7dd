"""Names and patterns of pictures to the files they stand for. No picture is opened here."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from pipeline.manifest.options.rules import PICTURE_SUFFIXES

_MAGIC = re.compile(r"[*?\[]")
_ANY_FOLDERS = "**"
MAX_LISTED = 1_000_000  # names looked at; a pattern that starts at / would otherwise walk through the whole disk


class PictureFinder:
    """Finds pictures below the input folder.

    Folders are listed once; nothing below the output folder is ever found.
    """

    def __init__(self, input_folder: Path, output_folder: Path) -> None:
        self._input = os.fspath(input_folder)
        real_output = os.path.realpath(output_folder)
        holds_input = (os.path.realpath(input_folder) + "/").startswith(real_output + "/")
        # Where the input folder lies in the output folder there is no telling them apart.
        self._closed = None if holds_input else real_output + "/"
        self._listed: dict[str, list[tuple[str, bool, bool]]] = {}
        self._found: dict[str, list[str]] = {}
        self._count = 0
        self.unreadable: list[str] = []

    def is_pattern(self, name: str) -> bool:
        """Whether a name has `*`, `?` or `[`, and there is no file of exactly that name."""
        return _MAGIC.search(name) is not None and not os.path.lexists(os.path.join(self._input, name))

    def find(self, pattern: str) -> list[str]:
        """The pictures that match, sorted.

        Their names are relative to the input folder unless the pattern is absolute. Raises
        ValueError with the end of a sentence if more than `MAX_LISTED` names would have to be
        looked at.
        """
        if pattern not in self._found:
            self._found[pattern] = sorted(self._walk(pattern))
        return self._found[pattern]

    def why_nothing(self, pattern: str) -> str:
        """Why a pattern found nothing, as the end of a sentence; empty if that is not known."""
        folder, _ = _split(pattern)
        path = os.path.join(self._input, folder)
        if not os.path.isdir(path):
            return f"; there is no folder {path}"
        if self._is_closed(path):
            return "; what lies below the output folder is not looked at"
        return self._near_miss(pattern)

    def _near_miss(self, pattern: str) -> str:
        folder, parts = _split(pattern)
        names = sorted(name for name, is_folder, _ in self._list(folder) if not is_folder) if len(parts) == 1 else []
        for name in names:
            if name.lower().endswith(PICTURE_SUFFIXES) and _part_matches(parts[0].lower(), name.lower()):
                return f"; there is '{name}', but case counts"
        for name in names:
            if _part_matches(parts[0], name):
                return f"; there is '{name}', but pictures end in one of {', '.join(PICTURE_SUFFIXES)}"
        return ""

    def _is_closed(self, path: str) -> bool:
        return self._closed is not None and (os.path.realpath(path) + "/").startswith(self._closed)

    def _walk(self, pattern: str) -> list[str]:
        fixed, parts = _split(pattern)
        found = []
        pending = [(fixed, _start(parts))]
        while pending:
            folder, states = pending.pop()
            for name, is_folder, is_link in self._list(folder):
                # `**` stops at symbolic links, which may lead round in circles; a name does not.
                open_states = states if not (is_folder and is_link) else _without_any_folders(parts, states)
                after = _step(parts, open_states, name)
                if not after:
                    continue
                path = folder + name if folder.endswith("/") or not folder else f"{folder}/{name}"
                if is_folder:
                    pending.append((path, after))
                elif len(parts) in after and name.lower().endswith(PICTURE_SUFFIXES):
                    found.append(path)
        return found

    def _list(self, folder: str) -> list[tuple[str, bool, bool]]:
        """The names in a folder, whether each is a folder, and whether it is a symbolic link.

        A folder that cannot be listed has none.
        """
        if folder not in self._listed:
            path = os.path.join(self._input, folder)
            entries: list[tuple[str, bool, bool]] = []
            if not self._is_closed(path):
                try:
                    with os.scandir(path) as listing:
                        entries = [(entry.name, _is_folder(entry), entry.is_symlink()) for entry in listing]
                except (FileNotFoundError, NotADirectoryError):
                    pass
                except (OSError, ValueError):  # ValueError: a NUL in the name
                    self.unreadable.append(folder or ".")
            self._listed[folder] = entries
            self._count += len(entries)
            if self._count > MAX_LISTED:
                raise ValueError(f"looks through more than {MAX_LISTED:,} names; start it in a narrower folder")
        return self._listed[folder]


def matches(pattern: str, name: str) -> bool:
    """Whether a picture's name is the pattern or matches it."""
    if pattern == name:
        return True
    parts = _parts(pattern)
    states = _start(parts)
    for component in _parts(name):
        states = _step(parts, states, component)
    return len(parts) in states


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link that leads back to itself: its pair will say so
        return False


@functools.lru_cache(maxsize=4096)
def _parts(path: str) -> Sequence[str]:
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    return ("/", *parts) if path.startswith("/") else parts


def _split(pattern: str) -> tuple[str, Sequence[str]]:
    """The folder before the first wildcard of a pattern, and the parts from there on."""
    parts = _parts(pattern)
    first = next((index for index, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    return os.path.join(*parts[:first]) if first else "", parts[first:]


# A pattern is matched folder by folder. A state is the number of parts that are matched so far;
# several can hold at once, as `**` stands for no folder or any number of them. So every folder is
# looked at once, whatever the pattern.


def _start(parts: Sequence[str]) -> frozenset[int]:
    return _with_empty_folders(parts, {0})


def _step(parts: Sequence[str], states: frozenset[int], name: str) -> frozenset[int]:
    """The states after one more folder or file of this name."""
    after = set()
    for state in states:
        if state < len(parts):
            if parts[state] == _ANY_FOLDERS:
                if not name.startswith("."):
                    after.add(state)
                    if state == len(parts) - 1:  # a pattern that ends in ** finds what is in the folders
                        after.add(state + 1)
            elif _part_matches(parts[state], name):
                after.add(state + 1)
    return _with_empty_folders(parts, after) if after else frozenset()


def _with_empty_folders(parts: Sequence[str], states: set[int]) -> frozenset[int]:
    for state in sorted(states):
        while state < len(parts) - 1 and parts[state] == _ANY_FOLDERS:
            state += 1
            states.add(state)
    return frozenset(states)


def _without_any_folders(parts: Sequence[str], states: frozenset[int]) -> frozenset[int]:
    return frozenset(state for state in states if state < len(parts) and parts[state] != _ANY_FOLDERS)


def _part_matches(part: str, name: str) -> bool:
    """Whether a name matches one part of a pattern.

    Case counts, as on disk. Hidden names must be named as such. Unicode forms are alike, as macOS
    writes another one.
    """
    if part == name:
        return True
    if name.startswith(".") and not part.startswith("."):
        return False
    if not (part.isascii() and name.isascii()):
        part, name = unicodedata.normalize("NFC", part), unicodedata.normalize("NFC", name)
    return fnmatch.fnmatchcase(name, part)
