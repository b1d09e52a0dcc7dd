"""Outputs that are no files of their own, though their names differ: seen by device and inode,
before the first second of work.

Links below the output folder are not followed at all; but a folder can be mounted twice.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Iterable, Mapping

from pipeline.job import Job
from pipeline.manifest.pairs.naming import identity
from pipeline.printable import printable
from pipeline.store.store import Store

Identity = tuple[int, int]


def find_clashes(jobs: Iterable[Job], store: Store) -> Mapping[str, str]:
    """Why an output cannot be painted, by its name, where it is one file with another pair's. Of
    two such outputs, the later is at fault. Whether it is a picture that is read, the manifest
    says."""
    folder_of = functools.cache(store.identity)
    taken: dict[tuple[Identity | str, str], str] = {}
    clashes = {}
    for job in jobs:
        output = job.output
        folder, name = posixpath.split(output)
        place = (folder_of(folder) if folder else None) or folder, identity(name)
        if (first := taken.setdefault(place, output)) != output:
            clashes[output] = f"{printable(output)} is one file with {printable(first)}: {_TWICE}; {_CHANGE}"
    return clashes


_TWICE = "their folders are the same"
_CHANGE = "change the output"
