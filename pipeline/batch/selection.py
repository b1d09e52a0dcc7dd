"""Which pairs of a manifest a run or a plan takes up."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The flags of `run` and `plan` that choose pairs.

    `only` is a glob on output names; `limit` bounds how many pairs are painted; `force` paints even what is up to
    date; `retry_failed` tries even what failed in many runs.
    """

    only: str | None = None
    limit: int | None = None
    force: bool = False
    retry_failed: bool = False

    @property
    def whole(self) -> bool:
        """Does it take up every pair of the manifest?"""
        return self.only is None

    def names(self, output: str) -> bool:
        """Does it take up the pair with this output name?"""
        return self.only is None or fnmatchcase(output, self.only)
