"""What patterns leave out although it looks as if it were meant, and what they find that is a
result: said once, with what to do about it.

A picture that is named elsewhere in the manifest, found by another pattern or taken away by `!`, is
not left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import islice

from pipeline.clip_names import VIDEO_SUFFIXES
from pipeline.manifest.options.precedence import Folders
from pipeline.manifest.options.rules import PICTURE_SUFFIXES
from pipeline.manifest.pairs.choices import Chosen, is_left
from pipeline.manifest.pairs.pictures import (
    Found,
    PictureFinder,
    found_suffixes,
    is_set_aside,
    joined,
    matches,
    part_matches,
    split,
)
from pipeline.manifest.yaml.problems import WHOLE_FILE, Place, Problems, shorten

_NAMED = 3  # names that a message gives of each kind
_MAX_LOOKED_INTO = 200  # sub-folders of one pattern: the look must cost less than the pattern
# Files that lie beside photographs and that nobody takes for one.
_COMPANIONS = (
    *(".txt", ".md", ".xmp", ".yaml", ".yml", ".json", ".csv"),
    *(".html", ".db", ".ini", ".log", ".sh", ".zip"),
    # What raw converters, cameras and telephones write beside a picture of the same name.
    *(".aae", ".cop", ".cos", ".ctg", ".dop", ".nksc", ".on1", ".pp3", ".thm", ".vrd"),
)
_MACOS_SIDECAR = "._"
_ENDINGS = ", ".join(PICTURE_SUFFIXES)
_LOOKED_AT = 1000  # outputs: a pattern that finds any of a matrix' mostly finds its first


def tell_left_out(finder: PictureFinder, patterns: Sequence[Chosen], named: Set[str], problems: Problems) -> None:
    """Warn, once for each pattern, of what it leaves out; `named` are names that are written
    out."""
    looked = [(chosen, finder.look(chosen.pattern)) for chosen in patterns if not _is_faulty(finder, chosen.pattern)]
    taken = {os.path.normpath(name) for _, found in looked for name in found.names} | named
    for chosen, found in looked:
        if kinds := list(_Look(finder, chosen, taken).kinds(found)):
            problems.warn(chosen.place, f"'{shorten(chosen.pattern)}' leaves out {'; '.join(kinds)}")


def tell_unlisted(finder: PictureFinder, note: Callable[[Place, str], None], problems: Problems) -> None:
    """Note the folders that patterns look into and that cannot be listed, and warn of objects that
    no file can be called as."""
    if left_out := finder.unnameable:
        problems.warn(WHOLE_FILE, f"{left_out} objects have keys that no file can have ('..', '//'); left out")
    for folder in dict.fromkeys(finder.unreadable):
        note(WHOLE_FILE, f"the folder '{shorten(folder)}' cannot be listed; patterns find no pictures in it")


def _is_faulty(finder: PictureFinder, pattern: str) -> bool:
    """Whether a pattern looks through too much; that was told before."""
    try:
        finder.look(pattern)
    except ValueError:
        return True
    return False


class _Look:
    """One pattern and what it leaves out."""

    def __init__(self, finder: PictureFinder, chosen: Chosen, taken: Set[str]) -> None:
        self._finder = finder
        self._chosen = chosen
        self._taken = taken
        self._fixed, parts = split(chosen.pattern)
        self._last = parts[-1]
        self._any_folders = "**" in parts
        self._looked_into = 0

    def kinds(self, found: Found) -> Iterator[str]:
        """What is left out, kind by kind, each as a part of a sentence."""
        case, hidden, no_pictures, folders = self._beside(found.folders)
        if folders:
            deep = joined(joined(self._fixed, "**"), self._last)
            yield f"pictures in {_counted(folders, 'sub-folder')}: '{deep}' takes them too"
        if case:
            yield f"{_counted(case, 'name')} in other letters, as case counts: name them, or write '[Aa]' for a letter"
        if hidden:
            yield f"{_counted(hidden, 'hidden picture')}: a pattern that starts with '.' takes them"
        if no_pictures:
            yield (
                f"{_counted(no_pictures, 'file')} that no picture is called like; pictures end in one of {_ENDINGS}"
                + (f"; a pattern that ends in '{clip}' takes clips" if (clip := _suffix_of_clip(no_pictures)) else "")
            )
        if outside := self._left(found.outside):
            yield (
                f"{_counted(outside, 'link')} leading out of its folder: name them, or set 'follow_links: true' at the"
                " top of the manifest"
            )
        if unentered := self._left(found.unentered):
            yield f"{_counted(unentered, 'linked folder')} that '**' does not enter: name them"
        if no_files := self._left(found.no_files):
            yield f"{_counted(no_files, 'name')} of a device, pipe or socket"

    def _beside(self, folders: Iterable[str]) -> tuple[list[str], list[str], list[str], list[str]]:
        case: list[str] = []
        hidden: list[str] = []
        no_pictures: list[str] = []
        deeper: list[str] = []
        for folder in folders:
            for name, kind, is_link in self._finder.list(folder):
                path = joined(folder, name)
                if kind == "folder":
                    if not (is_link or self._any_folders or is_set_aside(name)) and self._holds_pictures(path):
                        deeper.append(path)
                elif kind == "file" and self._is_left(path):
                    for kind_of_name, is_one in zip((case, hidden, no_pictures), self._why_not(name), strict=True):
                        if is_one:
                            kind_of_name.append(path)
        return case, hidden, no_pictures, deeper

    def _why_not(self, name: str) -> tuple[bool, bool, bool]:
        """Whether only its letters' case, its leading point or its ending keep a name out."""
        is_picture = name.lower().endswith(found_suffixes(self._chosen.pattern))
        if name.startswith("."):
            is_hidden = is_picture and not name.startswith(_MACOS_SIDECAR) and self._matches(name[1:])
            return False, is_hidden, False
        if is_picture:
            return not self._matches(name) and part_matches(self._last.lower(), name.lower()), False, False
        return False, False, self._matches(name) and not name.lower().endswith(_COMPANIONS)

    def _would_take(self, name: str) -> bool:
        return name.lower().endswith(found_suffixes(self._chosen.pattern)) and self._matches(name)

    def _matches(self, name: str) -> bool:
        return part_matches("*" if self._last == "**" else self._last, name)

    def _holds_pictures(self, folder: str) -> bool:
        """Whether there is a picture at any depth that the pattern's last part matches."""
        pending = [folder]
        while pending and self._looked_into < _MAX_LOOKED_INTO:
            self._looked_into += 1
            inside = pending.pop()
            try:
                entries = self._finder.list(inside)
            except ValueError:  # too many names in all
                return False
            for name, kind, is_link in entries:
                path = joined(inside, name)
                if kind == "file" and self._would_take(name) and self._is_left(path):
                    return True
                if kind == "folder" and not is_link and not is_set_aside(name):
                    pending.append(path)
        return False

    def _left(self, paths: Iterable[str]) -> list[str]:
        return [path for path in paths if self._is_left(path)]

    def _is_left(self, path: str) -> bool:
        return os.path.normpath(path) not in self._taken and is_left(path, self._chosen.taken_away)


def _suffix_of_clip(paths: Sequence[str]) -> str:
    """How a clip among these files ends; empty where none is."""
    return next((os.path.splitext(path)[1] for path in sorted(paths) if path.lower().endswith(VIDEO_SUFFIXES)), "")


def _counted(paths: Sequence[str], what: str) -> str:
    shown = ", ".join(shorten(path) for path in sorted(paths)[:_NAMED]) + (", ..." if len(paths) > _NAMED else "")
    return f"{len(paths)} {what}{'' if len(paths) == 1 else 's'} ({shown})"


def tell_found_again(patterns: Sequence[Chosen], outputs: Iterable[str], folders: Folders, problems: Problems) -> None:
    """Warn of each pattern that finds what is painted for this manifest, these outputs."""
    root, start = os.path.realpath(folders.output), os.path.realpath(folders.input)
    if not (start + "/").startswith(root + "/"):  # nothing below the output folder is found then
        return
    paths = [os.path.join(root, name) for name in islice(outputs, _LOOKED_AT)]
    for chosen in patterns:
        names = paths
        if not chosen.pattern.startswith("/"):
            names = [path[len(start) + 1 :] for path in paths if path.startswith(start + "/")]
        found = next((name for name in names if _is_found(chosen, name)), None)
        if found is not None:
            problems.warn(
                chosen.place,
                f"'{shorten(chosen.pattern)}' will find results as pictures in the next run ({shorten(found)}); give them"
                f" a folder of their own, or take them away by '!'",
            )


def _is_found(chosen: Chosen, name: str) -> bool:
    is_picture = name.lower().endswith(found_suffixes(chosen.pattern))
    return is_picture and matches(chosen.pattern, name) and is_left(name, chosen.taken_away)
