"""SHA-256 of input files, remembered from run to run."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from pipeline.images.file_bytes import hash_file
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
    """Hashes by path, size, time and inode, so that an unchanged input is not read again; kept in
    `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, list[Any]] | None = None
        self._used: dict[str, list[Any]] = {}

    def sha256(self, path: Path) -> str:
        """The hash of a file's bytes. Raises BadImage as the image door does (missing, not a file,
        too large)."""
        name = os.path.abspath(path)
        with contextlib.suppress(OSError):
            stamp = self._stamp(os.stat(name))
            entry = self._used.get(name) or self._table().get(name)
            if entry and entry[:-1] == stamp and isinstance(entry[-1], str):
                self._used[name] = entry
                return str(entry[-1])
        digest = hash_file(path)
        status = os.stat(name)
        if time.time_ns() - status.st_mtime_ns > _RACY_NS:
            self._used[name] = [*self._stamp(status), digest]
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

    @staticmethod
    def _stamp(status: os.stat_result) -> list[Any]:
        return [status.st_size, status.st_mtime_ns, status.st_ino]
