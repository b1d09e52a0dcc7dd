"""The files of an output folder whose names begin alike, one by one: a hundred thousand pairs have
400,000 in one folder, which is opened once and not for each of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from pipeline.objects.protocol import Fingerprint
from pipeline.store.beneath import Beneath
from pipeline.store.store import Entry
from pipeline.store.whole import PASSING


def entries_beneath(
    files: Beneath, prefix: str, wanted: Callable[[str], object] = lambda name: True
) -> Iterator[Entry]:
    """Regular files, in no order, that are `wanted` by their names; others are not looked at.
    Raises OSError where the folder cannot be read, or where a look fails in passing."""
    folder, slash, start = prefix.rpartition("/")
    # names are never held all at once
    with files.folder(folder.split("/") if folder else []) as at, os.scandir(at) as found:
        for last in (entry.name for entry in found):
            name = f"{folder}{slash}{last}"
            if not last.startswith(start) or not wanted(name):
                continue
            try:
                status = os.lstat(last, dir_fd=at)
            except OSError as error:
                if error.errno in PASSING:
                    raise
                continue  # gone in the meantime
            if stat.S_ISREG(status.st_mode):
                yield Entry(name, Fingerprint(status.st_size, status.st_mtime_ns))
