"""Which clips have painted frames, and which files those are (`layout`)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from pipeline.store.layout import CLIP_SUFFIX, CLIPS, frames_of_pair
from pipeline.store.store import Entry, Store

_OF_A_CLIP = re.compile(rf"{re.escape(CLIPS)}([0-9a-f]{{16}}){re.escape(CLIP_SUFFIX)}")
_OF_A_FRAME = re.compile(r"([0-9]{7})(\.painted)?\.png")

_MOST_AT_ONCE = 10**6  # frames of which no more is held than their names


def clips_with_frames(store: Store) -> Iterator[tuple[str, Entry]]:
    """The pairs of an output folder that have frames, by their ids, and the files that say so."""
    for entry in store.list(CLIPS):
        if match := _OF_A_CLIP.fullmatch(entry.name):
            yield match[1], entry


def pairs_with_frames(store: Store) -> list[str]:
    """The ids alone."""
    return [pair for pair, _entry in clips_with_frames(store)]


def frames_of(store: Store, pair: str) -> Iterator[tuple[int, Entry]]:
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
