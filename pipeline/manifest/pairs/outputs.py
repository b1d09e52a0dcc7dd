"""The outputs of a whole manifest.

No two pairs may want one file, and no picture that is read may be written over.
"""

from __future__ import annotations

import functools
import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.manifest.pairs.naming import identity
from pipeline.manifest.yaml.problems import SHOWN_WIDTH, Place, Problems, shorten


@dataclass(frozen=True, slots=True)
class _Claim:
    name: str
    entry: Place  # of the pair or matrix
    place: Place  # of its `output`, or else the entry's


class Outputs:
    """Who wants which output, by what file systems take for one name."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._claims: dict[str, _Claim] = {}
        self._told: set[tuple[Place, Place]] = set()

    def claim(self, name: str, entry: Place, place: Place, advice: str) -> None:
        """Note who wants an output; any two entries that want the same are told of once.

        `advice` says what to do if it is one matrix that wants it twice.
        """
        first = self._claims.setdefault(identity(name), claim := _Claim(name, entry, place))
        if first is claim or (first.entry, entry) in self._told:
            return
        self._told.add((first.entry, entry))
        is_one_matrix = first.entry == entry
        by = "this matrix" if is_one_matrix else f"the entry on line {first.entry.line}"
        advice = advice if is_one_matrix else "give one of them another 'output'"
        if first.name == name:
            message = f"output '{_shown(name)}' is wanted twice (first by {by}); {advice}"
        else:
            message = (
                f"output '{_shown(name)}' is one file with '{_shown(first.name)}' (of {by}) where case or Unicode form"
                f" does not count; {advice}"
            )
        self._problems.add(place, message)

    def check(self, output_folder: Path, inputs: Iterable[Path]) -> None:
        """Note outputs that are folders of others, or are `inputs`. Of links below the output folder
        the plan tells, pair by pair."""
        root = os.path.realpath(output_folder)
        folders: dict[str, _Claim] = {}
        for claim in self._claims.values():
            folders.setdefault(posixpath.dirname(claim.name), claim)
        for folder, claim in folders.items():
            self._check_folder(folder, claim)
        real_folder = functools.cache(os.path.realpath)  # thousands of pictures lie in few folders
        for path in dict.fromkeys(inputs):
            folder, name = os.path.split(path)
            real = os.path.join(real_folder(folder), name)
            taken = self._claims.get(identity(real[len(root) + 1 :])) if real.startswith(root + "/") else None
            if taken is not None:
                self._problems.add(
                    taken.place, f"output '{_shown(taken.name)}' would be written over a picture that is read: {path}"
                )

    def _check_folder(self, folder: str, claim: _Claim) -> None:
        while folder:
            if (file := self._claims.get(identity(folder))) is not None:
                self._problems.add(
                    claim.place,
                    f"output '{_shown(claim.name)}' needs a folder of the name that output '{_shown(file.name)}'"
                    f" on line {file.entry.line} has",
                )
            folder = posixpath.dirname(folder)


def _shown(name: str) -> str:
    return shorten(name, SHOWN_WIDTH)
