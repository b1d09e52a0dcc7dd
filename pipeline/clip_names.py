"""What is a clip, by its name and the option `frames`, and which of its frames are painted.
Standard library only; no file is looked at.

Videos and numbered frames (`%04d` in the name) are clips. A GIF, PNG or WebP is a picture, its
first frame, unless `frames` asks for more of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePath, PurePosixPath

Frames = str | tuple[int, int]
"""`auto`, `all`, `first`, `preview`, `every N`, or the first and the last number, both included,
from 0."""

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")
ANIMATION_SUFFIXES = (".gif", ".png", ".apng", ".webp")
OUTPUT_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".gif", ".webp", ".apng")
LOSSLESS_SUFFIXES = (".mkv", ".gif", ".apng")  # FFV1; and what has no quality to choose
ALL, AUTO, FIRST, PREVIEW = "all", "auto", "first", "preview"
FRAMES_WORDS = (AUTO, ALL, FIRST, PREVIEW)
PREVIEWED = 3  # frames of a preview: the first, one in the middle, the last
CLOSING_FRAMES = 8  # at the end of a loop, which look ahead to the first one
_PREVIEW_SUFFIX = "-preview.png"
FRAMES_PATTERN = r"^every [1-9][0-9]{0,5}$"
MOST_BYTES = 64 * 2**30  # of a clip's file; ten minutes of FFV1 at 1080 lines are a third of it
MOST_FRAMES = 10**7  # of a number that is written; four days of 25 a second
_NUMBER = re.compile(r"%0?[0-9]?d")
_EVERY = "every "
_BETWEEN = "-_. "  # what stands between a name and its number


def is_numbered(name: str) -> bool:
    """Does a name stand for numbered files: `%d` or `%04d` in its last part? By https there is no
    listing, and `%` begins a letter's code."""
    return not name.startswith("https:") and _NUMBER.search(PurePath(name).name) is not None


def one_of_numbered(name: str, number: int) -> str:
    """`out/%05d.png` and 7 make `out/00007.png`; where no 0 stands before the width, no zeros."""
    folder, _, last = name.rpartition("/")
    found = _NUMBER.search(last)
    assert found is not None, name
    digits = f"{number:{found.group()[1:-1]}d}" if found.group().startswith("%0") else str(number)
    return f"{folder}/" * bool(folder) + last[: found.start()] + digits + last[found.end() :]


def around_number(name: str) -> tuple[str, str]:
    """What stands before the number in the last part of a name of numbered files, and after it."""
    last = PurePath(name).name
    found = _NUMBER.search(last)
    assert found is not None, name
    return last[: found.start()], last[found.end() :]


def count_of_numbers(name: str) -> int:
    """How many fields for numbers the last part of a name has."""
    return len(_NUMBER.findall(PurePath(name).name))


def is_clip_name(name: str) -> bool:
    """Is what is called so a clip, whatever `frames` says?"""
    return name.lower().endswith(VIDEO_SUFFIXES) or is_numbered(name)


def numbered_stem(name: str) -> str:
    """What numbered files are called without their numbers; else their folder."""
    path = PurePath(name)
    return _NUMBER.sub("", path.stem).strip(_BETWEEN) or path.parent.name or "frames"


def can_be_frames(value: object) -> bool:
    """Is it a value of `frames`?"""
    if isinstance(value, str):
        return value in FRAMES_WORDS or re.match(FRAMES_PATTERN, value) is not None
    if not isinstance(value, tuple) or [type(number) for number in value] != [int, int]:
        return False
    return bool(0 <= value[0] <= value[1] <= MOST_FRAMES)


def settled_frames(frames: Frames, name: str) -> Frames:
    """`frames` as they count for a content of this name: `auto` for a picture, which is its first
    frame; else which frames of the clip. A clip's `first` stays, and makes a picture of it."""
    if is_clip_name(name):
        return ALL if frames == AUTO else frames
    return frames if frames != FIRST and name.lower().endswith(ANIMATION_SUFFIXES) else AUTO


def is_clip(frames: Frames) -> bool:
    """Is a clip painted, by `settled_frames`?"""
    return frames not in (AUTO, FIRST)


def kept(frames: Frames, whole: int) -> Callable[[int], bool]:
    """Whether the frame of a number is painted, of a clip of `whole` frames."""
    if frames == PREVIEW:
        return set(spread(whole, PREVIEWED)).__contains__
    if isinstance(frames, tuple):
        first, last = frames
        return lambda number: first <= number <= last
    step = every(frames)
    return lambda number: number % step == 0


def numbers_kept(frames: Frames, whole: int) -> Sequence[int]:
    """The numbers of the frames that are painted of a clip of `whole` frames."""
    if isinstance(frames, tuple):
        return range(frames[0], min(frames[1] + 1, whole))
    if frames == PREVIEW:
        return spread(whole, PREVIEWED)
    return range(0, whole, every(frames))


def count_kept(frames: Frames, whole: int) -> int:
    """How many that are."""
    return len(numbers_kept(frames, whole))


def preview_output(output: str) -> str:
    """What a clip's preview is called: a picture beside the clip, `walk-preview.png`. Of a preview
    its own name."""
    if is_preview_output(output):
        return output
    stem = numbered_stem(output) if is_numbered(output) else PurePosixPath(output).stem
    return str(PurePosixPath(output).with_name(f"{stem}{_PREVIEW_SUFFIX}"))


def is_preview_output(output: str) -> bool:
    """Is an output called as a preview's?"""
    return output.endswith(_PREVIEW_SUFFIX)


def spread(count: int, most: int) -> list[int]:
    """At most so many (two or more) of the numbers from 0 to `count`, evenly, the first and the
    last among them."""
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


def every(frames: Frames) -> int:
    """One of how many frames of the clip is painted."""
    return int(frames.removeprefix(_EVERY)) if isinstance(frames, str) and frames.startswith(_EVERY) else 1


def ends_before(frames: Frames, number: int) -> bool:
    """Are all frames that are painted, whatever the clip has, before this number?"""
    return number > 0 if frames == FIRST else isinstance(frames, tuple) and frames[1] < number


def has_clip_suffix(name: str) -> bool:
    """May a file of this name be a clip, and so be as large as one?"""
    return name.lower().endswith((*VIDEO_SUFFIXES, *OUTPUT_SUFFIXES))
