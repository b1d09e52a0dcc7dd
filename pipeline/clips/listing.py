"""Numbered frames by their names alone: `frames/%04d.png` is a clip of all files in the folder that
are called so, in the order of their numbers; and which file of a folder of masks belongs to which
frame of a clip. Standard library only."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from pipeline import clip_names
from pipeline.errors import BadImage
from pipeline.printable import printable

_FIELD = re.compile(r"%(0?)([0-9]?)d")  # as clip_names has it
_MOST_TOLD = 5  # gaps, or frames without a mask, in one note
_MOST_NUMBER = 2**63  # below which records hold numbers (store/shapes)

MAX_FRAMES = 200_000
"""Of a clip: nearly two hours at 30 a second, and weeks of painting."""


def is_numbered(path: str | os.PathLike[str]) -> bool:
    """Whether a path has a field for a number, as `%04d`, in its last part."""
    return clip_names.is_numbered(os.fspath(path))


def numbered_files(pattern: str | os.PathLike[str]) -> list[tuple[int, str]]:
    """Number and path of each file that a pattern finds, in the order of numbers, whatever the one
    they begin with. `%04d` finds numbers of at least four digits, `%d` any. Raises BadImage where
    it finds none, too many, or one number twice."""
    folder, name = os.path.split(os.fspath(pattern))
    shown, wanted = printable(pattern), frame_names(name)
    try:
        names = os.listdir(folder or ".")
    except OSError as error:
        raise BadImage(
            f"{shown} finds no frames: {printable(folder)} cannot be listed ({error.strerror}); check the folder"
        ) from error
    found = sorted((int(match[1]), each) for each in names if (match := wanted.fullmatch(each)))
    if not found and name in names:
        raise BadImage(f"{shown} is a file, and its name stands for numbered frames; take '%' out of the name")
    if not found:
        raise BadImage(f"{shown} finds no frames; check the pattern (%04d stands for 0001, 0002 and so on)")
    if found and found[-1][0] >= _MOST_NUMBER:
        raise BadImage(f"{shown} finds {printable(found[-1][1])}, whose number is 2^63 or more; rename it")
    if len(found) > MAX_FRAMES:
        raise BadImage(f"{shown} finds {len(found):,} frames; at most {MAX_FRAMES:,} are painted, so take a part")
    for (number, one), (other, two) in pairwise(found):
        if number == other:
            raise BadImage(f"{shown} finds frame {number} twice, as {printable(one)} and {printable(two)}; remove one")
    return [(number, os.path.join(folder, each)) for number, each in found]


def own_numbers(path: str | os.PathLike[str], places: Iterable[int]) -> list[int]:
    """The numbers of a clip's frames at these places, counted from 0: of numbered frames those of
    their files, of others the places. Raises BadImage as `numbered_files` does."""
    if not is_numbered(path):
        return list(places)
    numbers = [number for number, _ in numbered_files(path)]
    return [numbers[place] for place in places if place < len(numbers)]


def gaps(numbers: Sequence[int]) -> list[str]:
    """Numbers that are missing between the first and the last, as `12` or `12 to 15`."""
    return [
        f"{before + 1}" if after - before == 2 else f"{before + 1} to {after - 1}"
        for before, after in pairwise(numbers)
        if after - before > 1
    ]


def gaps_note(numbers: Sequence[int]) -> str:
    """What to tell of missing numbers; empty where there are none."""
    missing = gaps(numbers)
    if not missing:
        return ""
    more = f" and {len(missing) - _MOST_TOLD} gaps more" if len(missing) > _MOST_TOLD else ""
    return f"frames are missing ({', '.join(missing[:_MOST_TOLD])}{more}); the others were joined"


def sha256_of_all(hashes: Iterable[str]) -> str:
    """SHA-256 of a clip of several files, from theirs in hexadecimal, in their order."""
    return hashlib.sha256("".join(hashes).encode("ascii")).hexdigest()


def frame_names(name: str) -> re.Pattern[str]:
    """The names of a pattern's files; `%04d` is as printf(3) has it."""
    field = _FIELD.search(name)
    assert field is not None
    digits = int(field[2] or 0)
    plain = r"0|[1-9][0-9]*"
    number = rf"[0-9]{{{digits}}}|[1-9][0-9]{{{digits},}}" if field[1] and digits else plain
    return re.compile(re.escape(name[: field.start()]) + f"({number})" + re.escape(name[field.end() :]))


def mask_frames(
    masks: str | os.PathLike[str], clip: str | os.PathLike[str], frames: int, *, damaged: bool = False
) -> list[str]:
    """The mask of each frame of a clip, which has so many; `damaged`: up to its first bad one. Of
    numbered frames it is the mask with the frame's number. Of others, whose frames have no numbers
    of their own, masks count in their order, whatever the first is called. Raises BadImage where
    there is not one for each."""
    found = numbered_files(masks)
    if is_numbered(clip):
        return _by_number(masks, found, [number for number, _ in numbered_files(clip)][:frames])
    shown = printable(masks)
    if missing := gaps([number for number, _ in found]):
        raise BadImage(f"{shown} has no mask {missing[0]}; there has to be one for each frame, without a gap")
    if len(found) < frames or (len(found) > frames and not damaged):
        name = printable(os.path.basename(clip))
        raise BadImage(f"{shown} finds {len(found):,} masks, and {name} has {frames:,} frames; give one for each")
    return [path for _, path in found[:frames]]


def _by_number(masks: str | os.PathLike[str], found: list[tuple[int, str]], wanted: list[int]) -> list[str]:
    known = dict(found)
    if missing := [str(number) for number in wanted if number not in known]:
        more = f" and {len(missing) - _MOST_TOLD} more" if len(missing) > _MOST_TOLD else ""
        raise BadImage(
            f"{printable(masks)} has no mask for frame {', '.join(missing[:_MOST_TOLD])}{more};"
            " a mask has the number of its frame"
        )
    return [known[number] for number in wanted]
