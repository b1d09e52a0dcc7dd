"""The outputs of a whole manifest.

No two pairs may want one file, and no picture that is read may be written over. What the manifest's
author wrote twice is a mistake of the manifest; what comes of the pictures that are there today is
the failure of those pairs alone (their refusal).
"""

from __future__ import annotations

import functools
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.clip_names import around_number, is_numbered
from pipeline.job import Job
from pipeline.manifest.pairs.choices import Picture
from pipeline.manifest.pairs.naming import PICTURE_FIELDS, identity
from pipeline.manifest.yaml.problems import SHOWN_WIDTH, Place, Problems, shorten

_NAMED = 3  # pairs that a message names; of more it gives the number


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants an output.

    `pair` is the pair's number, `entry` the place of the pair or matrix, `place` that of its
    `output`, or else the entry's. `is_literal`: a pair's own output without a field. `advice` says
    what to do where combinations of one matrix want the same; empty if only their pictures' names
    collide.
    """

    pair: int
    name: str
    entry: Place
    place: Place
    is_literal: bool
    is_matrix: bool
    content: Picture
    style: Picture
    advice: str = ""

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of content and styles."""
        return (*self.content.names, *self.style.names)

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of content and style."""
        return {**self.content.fields, **self.style.fields}


class Outputs:
    """Who wants which output, by what file systems take for one name. `refusals` are the pairs that
    cannot have theirs, by number, each with the reason."""

    def __init__(self, problems: Problems) -> None:
        self.refusals: dict[int, str] = {}
        self._problems = problems
        self._claims: dict[str, list[Claim]] = {}

    def claim(self, claim: Claim) -> None:
        """Note who wants an output."""
        self._claims.setdefault(identity(claim.name), []).append(claim)

    def refuse(self, pair: int, reason: str) -> None:
        """Note why a pair cannot have its output; the first reason stays."""
        self.refusals.setdefault(pair, reason)

    def check(self, output_folder: Path, jobs: Sequence[Job]) -> None:
        """Find outputs that are wanted twice, are folders of others, or are read. Of links below
        the output folder the plan tells, pair by pair."""
        self._check_twice()
        self._check_numbered(os.path.realpath(output_folder), jobs)
        self._check_folders()
        self._check_inputs(os.path.realpath(output_folder), jobs)

    # -------------------------------------------------------------------------------- wanted twice

    def _check_twice(self) -> None:
        told: set[tuple[Place, Place]] = set()
        for claims in self._claims.values():
            if len(claims) == 1:
                continue
            first = claims[0]
            written_twice = [claim for claim in claims[1:] if _is_written_twice(first, claim)]
            for claim in written_twice:
                if (first.entry, claim.entry) not in told:  # any two entries are told of once
                    told.add((first.entry, claim.entry))
                    self._problems.add(claim.place, _wanted_twice(first, claim))
            if not written_twice:
                reason = self._collision(claims)
                for claim in claims:
                    self.refuse(claim.pair, reason)

    def _check_numbered(self, root: str, jobs: Sequence[Job]) -> None:
        """Whether numbered frames would have the name of another output, or of a picture that is
        read."""
        numbered = [claim for claims in self._claims.values() for claim in claims if is_numbered(claim.name)]
        if not numbered:
            return
        read = {path for job in jobs for path in map(str, job.inputs)}
        names = dict.fromkeys(claim.name for claims in self._claims.values() for claim in claims)
        for claim in numbered:
            own = re.compile("[0-9]+".join(map(re.escape, map(identity, around_number(claim.name)))))
            folder = posixpath.dirname(claim.name)
            others = (name for name in names if name != claim.name and _in_one_folder(name, claim.name))
            inputs = (path for path in read if os.path.dirname(os.path.realpath(path)) == os.path.join(root, folder))
            for name in (*others, *inputs):
                last = posixpath.basename(name)
                if own.fullmatch(identity(last)) or (is_numbered(last) and _may_meet(claim.name, name)):
                    what = "a picture that is read" if name in read else "another output"
                    self.refuse(
                        claim.pair,
                        f"output '{_shown(claim.name)}' may have the name of {what}, '{_shown(name)}'; give the frames"
                        " a folder of their own",
                    )

    def _collision(self, claims: Sequence[Claim]) -> str:
        names = list(dict.fromkeys(claim.name for claim in claims))
        what = f"output '{_shown(names[0])}' is wanted"
        if len(names) > 1:
            what = (
                f"outputs '{_shown(names[0])}' and '{_shown(names[1])}', one file where case does not count, are wanted"
            )
        one_entry = len({claim.entry for claim in claims}) == 1
        pairs = [
            " with ".join((_shown(claim.pictures[0]), "+".join(map(_shown, claim.pictures[1:]))))
            + ("" if one_entry else f" ({self._problems.at(claim.entry)})")
            for claim in claims[:_NAMED]
        ]
        more = f" and {len(claims) - _NAMED} more" if len(claims) > _NAMED else ""
        number = {2: "two"}.get(len(claims), str(len(claims)))
        return f"{what} by {number} pairs: {', '.join(pairs)}{more}; {_way_out(claims, one_entry)}"

    # ------------------------------------------------------------------------------------- folders

    def _check_folders(self) -> None:
        folders: dict[str, list[Claim]] = {}
        for claims in self._claims.values():
            for claim in claims:
                folders.setdefault(posixpath.dirname(claim.name), []).append(claim)
        for folder, claims in folders.items():
            self._check_names_of_folders(folder, claims[0])

    def _check_names_of_folders(self, folder: str, inside: Claim) -> None:
        """Whether an output has the name of a folder that another one lies in: it gives way, as it
        is one and they may be many."""
        while folder:
            for file in self._claims.get(identity(folder), ()):
                if file.is_literal and inside.is_literal:
                    self._problems.add(
                        inside.place,
                        f"output '{_shown(inside.name)}' needs a folder of the name that output '{_shown(file.name)}'"
                        f" on line {file.entry.line} has",
                    )
                else:
                    self.refuse(
                        file.pair,
                        f"output '{_shown(file.name)}' has the name of the folder that output '{_shown(inside.name)}'"
                        " lies in; rename the picture, or change 'output'",
                    )
            folder = posixpath.dirname(folder)

    # -------------------------------------------------------------------------------------- inputs

    def _check_inputs(self, root: str, jobs: Sequence[Job]) -> None:
        """Whether a picture that is read would be written over: by its name, or as one file with an
        output that is there already (device and inode)."""
        written = {path for job in jobs if job.places for path in job.places}
        inputs = dict.fromkeys(path for job in jobs for path in job.inputs)
        real_folder = functools.cache(os.path.realpath)  # thousands of pictures lie in few folders
        files: dict[tuple[int, int], Path] = {}
        for path in inputs:
            folder, name = os.path.split(path)
            real = os.path.join(real_folder(folder), name)
            claims = self._claims.get(identity(real[len(root) + 1 :]), ()) if real.startswith(root + "/") else ()
            for claim in claims:
                message = f"output '{_shown(claim.name)}' would be written over a picture that is read: {path}"
                if claim.is_literal and str(path) in written:
                    self._problems.add(claim.place, message)
                else:
                    self.refuse(claim.pair, f"{message}; rename it, or change 'output'")
            if (file := _file_id(path)) is not None:
                files[file] = path
        for claim, file in self._there(root):
            if file in files:
                self.refuse(
                    claim.pair,
                    f"output '{_shown(claim.name)}' is one file with a picture that is read, through a link:"
                    f" {files[file]}; remove the link, or change 'output'",
                )

    def _there(self, root: str) -> Iterator[tuple[Claim, tuple[int, int]]]:
        """The outputs that are there already, each as device and inode."""
        is_folder = functools.cache(os.path.isdir)
        for claims in self._claims.values():
            path = os.path.join(root, claims[0].name)
            if is_folder(os.path.dirname(path)) and (file := _file_id(path)) is not None:
                yield from ((claim, file) for claim in claims)


def _in_one_folder(one: str, other: str) -> bool:
    return identity(posixpath.dirname(one)) == identity(posixpath.dirname(other))


def _may_meet(one: str, other: str) -> bool:
    """Whether numbered files of two names may be one: what stands before and after the numbers is
    alike, but for digits (`1%d.png` and `%d.png` have `12.png`)."""
    begin, end = zip(*(map(identity, around_number(posixpath.basename(name))) for name in (one, other)), strict=True)
    return _alike_but_for_digits(*begin) and _alike_but_for_digits(*(each[::-1] for each in end))


def _alike_but_for_digits(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer.startswith(shorter) and re.fullmatch("[0-9]*", longer[len(shorter) :]) is not None


def _file_id(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return status.st_dev, status.st_ino


def _is_written_twice(first: Claim, claim: Claim) -> bool:
    """Whether no picture's name has a part in it: both outputs are written out, or one pair of
    pictures is painted twice, by two entries that are pairs or by one matrix."""
    if first.is_literal and claim.is_literal:
        return True
    same_kind = first.entry == claim.entry if first.is_matrix or claim.is_matrix else True
    return same_kind and first.pictures == claim.pictures


def _wanted_twice(first: Claim, claim: Claim) -> str:
    if first.entry == claim.entry and not claim.is_matrix:
        return f"output '{_shown(claim.name)}' is wanted twice: this pair is repeated by an alias; take the alias away"
    is_one_matrix = first.entry == claim.entry
    by = "this matrix" if is_one_matrix else f"the entry on line {first.entry.line}"
    advice = claim.advice or "add {index} to 'output'" if is_one_matrix else "give one of them another 'output'"
    if first.name == claim.name:
        return f"output '{_shown(claim.name)}' is wanted twice (first by {by}); {advice}"
    return (
        f"output '{_shown(claim.name)}' is one file with '{_shown(first.name)}' (of {by}) where case or Unicode form"
        f" does not count; {advice}"
    )


def _way_out(claims: Sequence[Claim], one_entry: bool) -> str:
    """What to do about pairs that want one output. To rename a picture comes first: another
    'output' renames what is painted already."""
    first, second = claims[:2]
    if one_entry and first.advice:
        return first.advice
    if first.is_matrix != second.is_matrix and first.pictures == second.pictures:
        return "take it out of the matrix with 'exclude', or say what is otherwise in the matrix's 'overrides'"
    for field in PICTURE_FIELDS:
        known = field in first.fields and field in second.fields
        if known and identity(first.fields[field]) != identity(second.fields[field]):
            return f"rename one of the pictures, or put {{{field}}} into 'output'"
    return "rename one of the pictures, or change 'output'"


def _shown(name: str) -> str:
    return shorten(name, SHOWN_WIDTH)
