"""Which pairs of a manifest a run or a plan takes up."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from fnmatch import fnmatchcase


def is_named(glob: str, output: str) -> bool:
    """Does a glob match an output's name? Its own name does, whatever signs are in it, and Unicode
    forms are alike, as in a manifest's patterns."""
    if not (glob.isascii() and output.isascii()):
        glob, output = unicodedata.normalize("NFC", glob), unicodedata.normalize("NFC", output)
    return glob == output or fnmatchcase(output, glob)


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index` of `count` of a manifest's pairs, by the hash of their output names.

    The parts are disjoint and together they are everything; a pair stays in its part whatever else
    the manifest holds, so that machines which share nothing but the manifest agree.
    """

    index: int  # from 1
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`2/3`. Raises ValueError with the rule."""
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError("must be I/N with I from 1 to N, like 2/3")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def suffix(self) -> str:
        """As file names have it: `2-of-3`."""
        return f"{self.index}-of-{self.count}"

    def has(self, output: str) -> bool:
        """Is the pair with this output name in this part?"""
        digest = hashlib.sha256(os.fsencode(output)).digest()
        return int.from_bytes(digest, "big") % self.count == self.index - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The flags of `run` and `plan` that choose pairs.

    `only` is a glob on output names; `shard` is this machine's part; `limit` bounds how many pairs
    are painted; `force` paints even what is up to date; `retry_failed` tries even what failed in
    many runs.
    """

    only: str | None = None
    shard: Shard | None = None
    limit: int | None = None
    force: bool = False
    retry_failed: bool = False

    @classmethod
    def of_shard(cls, text: str | None) -> Selection:
        """All pairs, or those of a shard (`2/3`)."""
        return cls(shard=Shard.parse(text) if text else None)

    @property
    def whole(self) -> bool:
        """Does it take up every pair of the manifest?"""
        return self.only is None and self.shard is None

    def names(self, output: str) -> bool:
        """Does the glob match this output name?"""
        return self.only is None or is_named(self.only, output)

    def takes(self, output: str) -> bool:
        """Does it take up the pair with this output name?"""
        return self.names(output) and (self.shard is None or self.shard.has(output))
