"""Names and patterns of pictures to the files they stand for. No picture is opened here."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipeline.clip_names import VIDEO_SUFFIXES
from pipeline.manifest.options.rules import PICTURE_SUFFIXES
from pipeline.urls import is_url, local_path, path_of, url_of

if TYPE_CHECKING:
    from pipeline.manifest.options.precedence import Folders

_MAGIC = re.compile(r"[*?\[]")
_ANY_FOLDERS = "**"
MAX_LISTED = 1_000_000  # names looked at; a pattern that starts at / would otherwise walk through the whole disk


class Listed(NamedTuple):
    """One name in a folder. `is_link`: it is a symbolic link, and `kind` that of what it leads
    to."""

    name: str
    kind: Literal["folder", "file", "other"]  # other: devices, pipes, sockets, links to nothing
    is_link: bool


@dataclass(slots=True)
class Found:
    """What a pattern finds, and what it passes by although its last part matches: `outside` are
    links that lead out of the pattern's own folder, `unentered` linked folders that `**` does not
    enter, `no_files` devices, pipes and sockets. `folders` are those that were looked through for
    its last part."""

    names: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    unentered: list[str] = field(default_factory=list)
    no_files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


class PictureFinder:
    """Finds pictures below the input folder.

    Folders are listed once; nothing below the output folder is ever found. A pattern's own folder
    is the one before its first wildcard, which may lie behind links; what is found in it stays in
    it once links are resolved, unless `follow_links`. Devices, pipes and sockets are never found.
    Folders that stand for those of stores of objects (urls) are listed there. Raises
    EnvironmentProblem where that cannot be.
    """

    def __init__(
        self, input_folder: Path, output_folder: Path, *, follow_links: bool = False, only_names: bool = False
    ) -> None:
        self._input = os.fspath(input_folder)
        real_output = os.path.realpath(output_folder)
        holds_input = (os.path.realpath(input_folder) + "/").startswith(real_output + "/")
        # Where the input folder lies in the output folder there is no telling them apart.
        self._closed = None if holds_input else real_output + "/"
        self._follow_links = follow_links
        self._only_names = only_names
        self._listed: dict[str, list[Listed]] = {}
        self._found: dict[str, Found] = {}
        self._count = 0
        self.unreadable: list[str] = []
        self.unnameable = 0  # objects that no file can be called as

    @classmethod
    def of(cls, folders: Folders) -> PictureFinder:
        """That of a manifest with these folders."""
        return cls(folders.input, folders.output, follow_links=folders.follow_links, only_names=folders.only_names)

    def is_pattern(self, name: str) -> bool:
        """Whether a name has `*`, `?` or `[`, and there is no file of exactly that name."""
        if self._only_names or _MAGIC.search(name) is None:
            return False
        path = path_of(self._input, name)
        if url_of(path):
            folder, base = os.path.split(path)
            return all(listed.name != base for listed in self.list(folder))
        return not os.path.lexists(path)

    def is_folder(self, name: str) -> bool:
        """Whether a folder of this name is there."""
        path = path_of(self._input, name)
        return bool(self.list(path)) if url_of(path) else os.path.isdir(path)

    def find(self, pattern: str) -> list[str]:
        """The pictures that match, sorted.

        Their names are relative to the input folder unless the pattern is absolute. Raises
        ValueError with the end of a sentence if more than `MAX_LISTED` names would have to be
        looked at.
        """
        return self.look(pattern).names

    def look(self, pattern: str) -> Found:
        """The pictures that match, sorted, and what was passed by; raises as `find` does."""
        if pattern not in self._found:
            found = self._walk(_as_path(pattern))
            if is_url(pattern):
                found.names = [url_of(path) or path for path in found.names]
            found.names.sort()
            self._found[pattern] = found
        return self._found[pattern]

    def home(self, pattern: str) -> str:
        """The pattern's own folder, links resolved, that what it finds has to stay in; empty with
        `follow_links`."""
        return "" if self._follow_links else self._home(split(_as_path(pattern))[0])

    def why_nothing(self, pattern: str) -> str:
        """Why a pattern found nothing, as the end of a sentence; empty if that is not known."""
        folder, _ = split(_as_path(pattern))
        path = os.path.join(self._input, folder)
        if (url := url_of(path)) and url.startswith("https:"):
            return "; https:// lists no folders: name the pictures"
        if not url and not os.path.isdir(path):
            return f"; there is no folder {path}"
        if self._is_closed(path):
            return "; what lies below the output folder is not looked at"
        return self._near_miss(pattern)

    def _near_miss(self, pattern: str) -> str:
        folder, parts = split(_as_path(pattern))
        if self.look(pattern).outside:
            return "; what it matches are links that lead out of its folder: name them, or set 'follow_links: true'"
        names = sorted(name for name, kind, _ in self.list(folder) if kind != "folder") if len(parts) == 1 else []
        for name in names:
            if name.lower().endswith(PICTURE_SUFFIXES) and part_matches(parts[0].lower(), name.lower()):
                return f"; there is '{name}', but case counts"
        for name in names:
            if part_matches(parts[0], name):
                return f"; there is '{name}', but pictures end in one of {', '.join(PICTURE_SUFFIXES)}"
        return ""

    def _is_closed(self, path: str) -> bool:
        return self._closed is not None and (os.path.realpath(path) + "/").startswith(self._closed)

    def _walk(self, pattern: str) -> Found:
        fixed, parts = split(pattern)
        home = self._home(fixed)
        found, suffixes = Found(), found_suffixes(pattern)
        pending = [(fixed, _start(parts))]
        while pending:
            folder, states = pending.pop()
            if len(parts) - 1 in states:
                found.folders.append(folder)
            for name, kind, is_link in self.list(folder):
                after = _step(parts, states, name)
                if not after:
                    continue
                path = joined(folder, name)
                if kind == "folder" and after == {len(parts)}:
                    continue  # a folder of a picture's name
                if kind == "folder" and is_link:
                    # `**` stops at symbolic links, which may lead round in circles; a name does
                    # not.
                    after = _step(parts, _without_any_folders(parts, states), name)
                    if not after:
                        found.unentered.append(path)
                        continue
                is_match = len(parts) in after and name.lower().endswith(suffixes)
                if is_link and (kind == "folder" or is_match) and self._leads_out(path, home):
                    found.outside.append(path)
                elif kind == "folder":
                    pending.append((path, after))
                elif is_match and (kind == "file" or (is_link and not self._exists(path))):
                    found.names.append(path)  # a link to nothing is found, and its pair says so
                elif is_match:
                    found.no_files.append(path)
        return found

    def _home(self, folder: str) -> str:
        return os.path.realpath(os.path.join(self._input, folder))

    def _leads_out(self, path: str, home: str) -> bool:
        if self._follow_links:
            return False
        real = os.path.realpath(os.path.join(self._input, path))
        return not (real + "/").startswith(home.rstrip("/") + "/")

    def _exists(self, path: str) -> bool:
        return os.path.exists(os.path.join(self._input, path))

    def list(self, folder: str) -> list[Listed]:
        """The names in a folder; a folder that cannot be listed has none.

        Raises ValueError as `find` does.
        """
        if folder not in self._listed:
            path = os.path.join(self._input, folder)
            entries: list[Listed] = []
            if self._is_closed(path):
                pass
            elif url_of(path):
                from pipeline.objects.fetching import list_folder

                listed, left_out = list_folder(path)
                entries = [Listed(each.name, "folder" if each.is_folder else "file", False) for each in listed]
                self.unnameable += left_out
            else:
                try:
                    with os.scandir(path) as listing:
                        entries = [Listed(entry.name, _kind(entry), entry.is_symlink()) for entry in listing]
                except (FileNotFoundError, NotADirectoryError):
                    pass
                except (OSError, ValueError):  # ValueError: a NUL in the name
                    self.unreadable.append(folder or ".")
            self._listed[folder] = entries
            self._count += len(entries)
            if self._count > MAX_LISTED:
                raise ValueError(f"looks through more than {MAX_LISTED:,} names; start it in a narrower folder")
        return self._listed[folder]


def found_suffixes(pattern: str) -> tuple[str, ...]:
    """How the files end that a pattern finds: as pictures do; as a video too where it does itself.
    `*` finds none: a telephone leaves one beside each photograph."""
    return VIDEO_SUFFIXES if pattern.lower().endswith(VIDEO_SUFFIXES) else PICTURE_SUFFIXES


def _as_path(pattern: str) -> str:
    return os.fspath(local_path(pattern)) if is_url(pattern) else pattern


def matches(pattern: str, name: str) -> bool:
    """Whether a picture's name is the pattern or matches it."""
    if pattern == name:
        return True
    parts = _parts(pattern)
    states = _start(parts)
    for component in _parts(name):
        states = _step(parts, states, component)
    return len(parts) in states


def joined(folder: str, name: str) -> str:
    """A name in a folder, as patterns find it."""
    return folder + name if folder.endswith("/") or not folder else f"{folder}/{name}"


def _kind(entry: os.DirEntry[str]) -> Literal["folder", "file", "other"]:
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
    except OSError:  # a symbolic link that leads back to itself: its pair will say so
        return "other"


@functools.lru_cache(maxsize=4096)
def _parts(path: str) -> Sequence[str]:
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    return ("/", *parts) if path.startswith("/") else parts


def split(pattern: str) -> tuple[str, Sequence[str]]:
    """The folder before the first wildcard of a pattern, and the parts from there on."""
    parts = _parts(pattern)
    first = next((index for index, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    return os.path.join(*parts[:first]) if first else "", parts[first:]


# A pattern is matched folder by folder. A state is the number of parts that are matched so far;
# several can hold at once, as `**` stands for no folder or any number of them. So every folder is
# looked at once, whatever the pattern.


# Folders that a system keeps among those of its users, by their names: thumbnails of a Synology,
# what macOS adds to an archive, what was thrown away.
_SET_ASIDE = frozenset(
    ("@eaDir", "__MACOSX", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")
)


def is_set_aside(name: str) -> bool:
    """Whether `**` leaves a name out, as it was not given by whoever keeps the pictures."""
    return name.startswith(".") or name in _SET_ASIDE


def _start(parts: Sequence[str]) -> frozenset[int]:
    return _with_empty_folders(parts, {0})


def _step(parts: Sequence[str], states: frozenset[int], name: str) -> frozenset[int]:
    """The states after one more folder or file of this name."""
    after = set()
    for state in states:
        if state < len(parts):
            if parts[state] == _ANY_FOLDERS:
                if not is_set_aside(name):
                    after.add(state)
                    if state == len(parts) - 1:  # a pattern that ends in ** finds what is in the folders
                        after.add(state + 1)
            elif part_matches(parts[state], name):
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


def part_matches(part: str, name: str) -> bool:
    """Whether a name matches one part of a pattern.

    Case counts, as on disk, but not in what follows the last point: cameras write IMG.JPG. Hidden
    names must be named as such. Unicode forms are alike, as macOS writes another one.
    """
    if part == name:
        return True
    if name.startswith(".") and not part.startswith("."):
        return False
    if not (part.isascii() and name.isascii()):
        part, name = unicodedata.normalize("NFC", part), unicodedata.normalize("NFC", name)
    return fnmatch.fnmatchcase(name, part) or fnmatch.fnmatchcase(_lower_suffix(name), _lower_suffix(part))


def _lower_suffix(name: str) -> str:
    stem, point, suffix = name.rpartition(".")
    return f"{stem}{point}{suffix.lower()}" if point else name
