"""Which files a pair has: its output, which is one or, where its name stands for numbered frames,
one for each frame; and the painted frames that are kept of a clip (`layout`). A record of a clip
says which numbers its files have (`runs_of`), and has one hash of them all, as numbered frames that
are read have (`clips/listing`)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.clip_names import is_numbered, one_of_numbered
from pipeline.clips.listing import MAX_FRAMES, sha256_of_all
from pipeline.objects.protocol import Fingerprint
from pipeline.store.layout import CLIP_SUFFIX, CLIPS, frames_of_pair
from pipeline.store.store import Entry, Store

_RUN = 3  # numbers: first, last, step
_OF_A_CLIP = re.compile(rf"{re.escape(CLIPS)}([0-9a-f]{{16}}){re.escape(CLIP_SUFFIX)}")
_OF_A_FRAME = re.compile(r"([0-9]{7})(\.painted)?\.png")
_MOST_AT_ONCE = 10**6  # frames of which no more is held than their names


def files_of(output: str, clip: Any) -> list[str]:
    """The names of the files, given what is known of the clip (`batch/clip_story`), which anybody
    may have written; none where that does not say which they are."""
    if not is_numbered(output):
        return [output]
    runs = clip.get("files") if isinstance(clip, Mapping) else None
    if not isinstance(runs, list) or not all(_is_run(run) for run in runs):
        return []
    if sum((last - first) // step + 1 for first, last, step in runs) > MAX_FRAMES:
        return []
    return [one_of_numbered(output, number) for run in runs for number in range(run[0], run[1] + 1, run[2])]


def runs_of(numbers: Sequence[int]) -> list[list[int]]:
    """Rising numbers as runs of equal steps: [first, last, step]."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and (runs[-1][0] == runs[-1][1] or number - runs[-1][1] == runs[-1][2]):
            runs[-1] = [runs[-1][0], number, number - runs[-1][1]]
        else:
            runs.append([number, number, 1])
    return runs


def fingerprint_of(store: Store, names: Sequence[str]) -> Fingerprint:
    """Of one file its own; of several the sum of their sizes, and when the last was written. Raises
    OSError where one is missing, or there is none."""
    if not names:
        raise FileNotFoundError(2, "no file of this output is known")
    if len(names) == 1:
        return store.fingerprint(names[0])
    found = [store.fingerprint(name) for name in names]
    return Fingerprint(sum(each.size for each in found), max(each.mtime_ns for each in found))


def sha256_of(output: str, hashes: Iterable[str]) -> str:
    """The hash of an output of files with these hashes, in their order."""
    found = list(hashes)
    return sha256_of_all(found) if is_numbered(output) else found[0]


def _is_run(run: Any) -> bool:
    whole = isinstance(run, list) and len(run) == _RUN and all(type(number) is int for number in run)
    return whole and 0 <= run[0] <= run[1] and run[2] >= 1


def clips_with_frames(store: Store) -> Iterator[tuple[str, Entry]]:
    """The pairs of an output folder that have frames, by their ids, and the files that say so."""
    for entry in store.list(CLIPS):
        if match := _OF_A_CLIP.fullmatch(entry.name):
            yield match[1], entry


def pairs_with_frames(store: Store) -> list[str]:
    """The ids alone."""
    return [pair for pair, _entry in clips_with_frames(store)]


def kept_frames(store: Store, pair: str) -> Iterator[tuple[int, Entry]]:
    """The frames of a pair, each with its number."""
    for entry in store.list(frames_of_pair(pair)):
        if match := _OF_A_FRAME.fullmatch(posixpath.basename(entry.name)):
            yield int(match[1]), entry


def later_frames(store: Store, pair: str, number: int) -> list[str]:
    """The names of those frames of a pair that have this number or a later one; of a hundred
    thousand before it none is held."""

    def is_later(name: str) -> bool:
        match = _OF_A_FRAME.fullmatch(posixpath.basename(name))
        return match is not None and int(match[1]) >= number

    return [entry.name for entry in store.newest(frames_of_pair(pair), is_later, _MOST_AT_ONCE)]
