"""What is asked of a store of objects, whoever speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Protocol

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0  # without a word, before a try counts as failed
BLOCK = 2**20  # bytes that are asked for, or sent, at once
MOST_LISTED = 1_000_000  # names of one listing, as patterns of a disk have it (manifest/pairs/pictures)

DEEPEST = 64  # folders in folders; a name of an output has at most 2000 bytes, and no use for so many

# Objects below a folder; of 100,000 pairs, each with its record and small pictures, there are
# 700,000.
MOST_THERE = 2_000_000


class Fingerprint(NamedTuple):
    """What tells cheaply that a file or an object has changed: its size in bytes (-1 where a store
    does not say), when it was last written, in nanoseconds since the epoch (0 likewise); or, where
    a store has that, a tag (ETag, generation) that other bytes have not."""

    size: int
    mtime_ns: int
    tag: str = ""

    def is_of_the_same(self, other: Fingerprint) -> bool:
        """Are both of the same bytes, as far as can be told?"""
        if self.tag or other.tag:
            return (self.size, self.tag) == (other.size, other.tag)
        return self[:2] == other[:2]


class Listed(NamedTuple):
    """One name in a folder of a store."""

    name: str
    is_folder: bool


class Objects(Protocol):
    """A bucket, or a host. Paths have no slash at their ends, and none of their parts is `.`, `..`
    or empty. What is wrong is raised as the library raises it: `Remote` gives it words."""

    def look(self, path: str) -> Fingerprint:
        """What there is to know of an object. Raises FileNotFoundError."""

    def names(self, folder: str) -> Sequence[Listed]:
        """The names in a folder, at most `MOST_LISTED` of them and one more."""

    def every(self, folder: str) -> Mapping[str, Fingerprint]:
        """All objects below a folder, by their paths from there. Raises ObjectTrouble where there
        are too many, as one that is left out would be painted again."""

    def get(self, path: str, file: IO[bytes], check: Callable[[int], object]) -> Fingerprint:
        """Write an object into a file; `check` is given the bytes so far and may raise."""

    def put(self, path: str, data: bytes) -> None:
        """Have these bytes under a path, all of them or none, whoever looks."""

    def put_file(self, path: str, file: Path) -> None:
        """The same with the bytes of a file, which are not all held at once."""

    def create(self, path: str, data: bytes) -> bool:
        """As `put` where nothing stands there, else False: decided by the store itself, in one
        step. Raises NotImplementedError where it cannot."""

    def delete(self, path: str) -> None:
        """Have nothing there. Raises FileNotFoundError, or nothing, where nothing was."""

    def renew(self) -> None:
        """Begin with a new connection, as the last call failed."""
