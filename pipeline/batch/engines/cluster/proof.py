"""What a worker of a cluster must show before it is given a pair: that it sees this output folder,
and runs this program. Nothing of Dask's is needed for it.

The folder is known by a token, a file with a random text in it: a path alone may be another
machine's own. Files of a network folder can appear on other machines seconds late (nfs(5), acregmin
and acregmax), so that one which is missing is looked for again.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.errors import StylizeError
from pipeline.printable import printable
from pipeline.program import version
from pipeline.store.disk import LocalStore
from pipeline.store.keys import ALGORITHM, KEY_SCHEMA

_LATE_SECONDS = 10.0  # that a file is waited for
_LOOK_SECONDS = 0.5  # between two looks at one that is missing
_MOST_BYTES = 1000  # of a token's file
# What a picture's bytes, and checkpoints that can be gone on from, depend on beside the program.
LIBRARIES = ("tensorflow", "keras", "numpy", "pillow")


def versions() -> dict[str, str]:
    """Of this program and what it paints with, as installed here; nothing is imported."""
    return {
        "stylize": version("stylize-pipeline"),
        "algorithm": str(ALGORITHM),
        "key": str(KEY_SCHEMA),
        "python": platform.python_version(),
        "tensorflow": version("tensorflow", "tensorflow-cpu"),
        **{name: version(name) for name in LIBRARIES[1:]},
    }


def why_another_program(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Why a worker with these versions cannot paint for us; empty where it can."""
    return _differences(theirs, ours, ("stylize", "algorithm", "key"))


def other_libraries(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """In which libraries a worker differs, so that its pictures are alike and not equal."""
    return _differences(theirs, ours, LIBRARIES)


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str], names: tuple[str, ...]) -> str:
    return ", ".join(
        f"{name} {theirs.get(name) or 'missing'} (here {ours[name]})"
        for name in names
        if theirs.get(name) != ours[name]
    )


def prove_folder(folder: Path, name: str, token: str, late: float = _LATE_SECONDS) -> tuple[int, int]:
    """Which folder `folder` is on this machine (device and inode), if the file `name` in it has the
    token. Raises StylizeError, with what is wrong, if not."""
    until = time.monotonic() + late
    while True:
        store, found = LocalStore(folder), ""
        with suppress(OSError, StylizeError):
            found = store.read(name, at_most=_MOST_BYTES).decode("ascii", "replace")
        if found == token and store.place is not None:
            return store.place
        if time.monotonic() > until:
            raise StylizeError(
                f"does not see the output folder {printable(folder)} (another folder has that path there, or none)"
            )
        time.sleep(_LOOK_SECONDS)


def sizes(paths: tuple[Path, ...]) -> dict[str, int]:
    """The bytes of those files that are here: what is missing is the painter's to tell of."""
    found = {}
    for path in paths:
        with suppress(OSError):
            found[str(path)] = os.stat(path).st_size
    return found


def unseen(wanted: Mapping[str, int], late: float = _LATE_SECONDS) -> str:
    """The first of these files that is not here with as many bytes; empty where all are."""
    until = time.monotonic() + late
    for path, size in wanted.items():
        while sizes((Path(path),)).get(path) != size:
            if time.monotonic() > until:
                return path
            time.sleep(_LOOK_SECONDS)
    return ""
