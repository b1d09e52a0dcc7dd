"""The files of a pair's output: one, or, where its name stands for numbered frames, one for each
frame. A record of a clip says which numbers they have (`runs_of`), and has one hash of them all, as
numbered frames that are read have (`clips/listing`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.clip_names import is_numbered, one_of_numbered
from pipeline.clips.listing import MAX_FRAMES, sha256_of_all
from pipeline.objects.protocol import Fingerprint
from pipeline.store.store import Store

_RUN = 3  # numbers: first, last, step


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
