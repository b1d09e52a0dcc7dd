"""SHA-256 of input files, remembered from run to run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.clip_names import MOST_BYTES, has_clip_suffix
from pipeline.images.file_bytes import hash_with_status, stamp
from pipeline.store.checksummed_json import checksummed, read_checksummed_json
from pipeline.store.layout import HASHES
from pipeline.store.shapes import fits
from pipeline.store.store import Store

# A file changed within this time of being hashed may change again without a new time stamp (file
# systems round them).
_RACY_NS = 2_000_000_000
# 80,000 entries of some 200 bytes; of more pictures only a part is remembered.
_MOST_BYTES = 2**24


class HashTable:
    """Hashes by path, size, times and inode, so that an unchanged input is not read again; kept in
    `store`. The time of a file's last change of any kind (ctime) notices what sets the other one
    back, as editors of metadata do; a copy of the folder is read anew once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, list[Any]] | None = None
        self._used: dict[str, list[Any]] = {}

    def sha256(self, path: Path, check_cancelled: Callable[[], object] = lambda: None, home: str | None = None) -> str:
        """The hash of a file's bytes. Raises BadImage as the image door does (missing, not a file,
        too large, not in the folder `home`), and what `check_cancelled` raises, which is called
        while a large file is read.

        What is kept is the stamp of the file that was read: one that is put in its place meanwhile
        has another.
        """
        name = os.path.abspath(path)
        with contextlib.suppress(OSError):
            entry = self._used.get(name) or self._table().get(name)
            if entry and entry[:-1] == stamp(os.stat(name)) and isinstance(entry[-1], str):
                self._used[name] = entry
                return str(entry[-1])
        large = {"most": MOST_BYTES} if has_clip_suffix(name) else {}
        digest, status = hash_with_status(path, check_cancelled, home, **large)
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _RACY_NS:
            self._used[name] = [*stamp(status), digest]
        return digest

    def save(self, *, whole: bool) -> None:
        """Keep what this run used. After a `whole` run entries of files that the manifest names no
        more fall away; a run over a part keeps them. Without news, nothing is written."""
        entries = self._used if whole else self._table() | self._used
        if entries != self._table():
            while len(data := checksummed(entries)) > _MOST_BYTES:
                entries = dict(list(entries.items())[: len(entries) // 2])
            self._store.write(HASHES, data)

    def _table(self) -> dict[str, list[Any]]:
        if self._known is None:
            table = read_checksummed_json(self._store, HASHES, _MOST_BYTES)
            self._known = table if fits(table, dict[str, list[int | str]]) else {}
        return self._known
