"""What a run needs of the place where it leaves its files, and which place the output of a manifest
is. Local disk gives it (store/disk)."""

from __future__ import annotations

import contextlib
import errno
import heapq
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from pipeline.errors import BadOutput
from pipeline.job import Manifest
from pipeline.objects.protocol import Fingerprint
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.store.disk import LocalStore


class Entry(NamedTuple):
    """One file of a listing."""

    name: str
    fingerprint: Fingerprint


class Store(Protocol):
    """The files of an output folder.

    Each has a name: a path relative to the folder, with forward slashes, as in `cat--starry.png` or
    `.pipeline/records/hashes.json` (store/layout). A name that could lead out of the folder is
    refused by every method with BadOutput. No link is followed on the way to it, and what is no
    regular file counts as none.

    A file that is written stands whole under its name, or the old one does, whatever happens in
    between. Failures to write name the file and say what to do. All other methods raise OSError;
    FileNotFoundError where nothing stands under a name that they need.
    """

    def open(self, name: str) -> BinaryIO:
        """The file, to be read from anywhere in it; whoever asks closes it."""

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """All bytes of a file. Raises OSError (EFBIG) for one of more than `at_most` bytes."""
        with self.open(name) as file:
            data = file.read() if at_most is None else file.read(at_most + 1)
        if at_most is not None and len(data) > at_most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
        return data

    def read_end(self, name: str, most: int) -> bytes:
        """The last bytes of a file, at most so many."""
        with self.open(name) as file:
            file.seek(max(file.seek(0, os.SEEK_END) - most, 0))
            return file.read(most)

    def write(self, name: str, data: bytes) -> None:
        """Put `data` under a name; for the rest see `write_by`."""
        self.write_by(name, lambda file: file.write(data))

    def write_by(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        """Put what `write` writes under a name, whole or not at all; it is safe when this returns.

        `write` may be called a second time, with another file, where the disk failed in passing.
        Raises BadOutput where only this name is the trouble (a folder stands there), OutputError
        where nothing can be written (permissions), DiskFull among them. All name the file. What
        `write` raises beside OSError comes through.
        """

    def append(self, name: str, line: bytes) -> None:
        """Add a line, which ends in a newline, to a file that is made if need be; it is safe when
        this returns. A last line that a crash cut short is closed first, so that it cannot swallow
        this one. Not whole or nothing: a crash may leave part of the line."""

    def list(self, prefix: str) -> Sequence[Entry]:
        """The files whose names begin with `prefix`, by name; none from folders deeper than where
        it ends. Nothing where there is no such folder, or it may not be read."""

    def newest(self, prefix: str, wanted: Callable[[str], object], most: int) -> Sequence[Entry]:
        """Of the files that `list` gives, those that are `wanted` by their names and were written
        last, at most so many, oldest first."""
        return newest_of((entry for entry in self.list(prefix) if wanted(entry.name)), most)

    def fingerprint(self, name: str) -> Fingerprint:
        """What tells whether the file is still the one it was. Its bytes are not read."""

    def exists(self, name: str) -> bool:
        """Does a file stand there?"""
        try:
            self.fingerprint(name)
        except OSError:
            return False
        return True

    def sha256(self, name: str) -> str:
        """SHA-256 of a file's bytes, in hexadecimal. Raises OSError also where there are more than
        a picture can have, or where they change while they are read."""

    def in_the_way(self, name: str) -> str | None:
        """What stands where a file of this name, or a folder above it, has to be, and is none: in
        words, for a sentence to begin with. None where nothing is in the way."""

    def identity(self, name: str) -> tuple[int, int] | None:
        """What is equal for two names of one file or folder, and for nothing else; None where
        nothing stands there."""

    def delete(self, name: str) -> None:
        """Have no file under a name. That there was none is no error."""

    def prune(self, folder: str) -> None:
        """Remove a folder if it is empty, where a store has such things; a failure is no error."""

    def remove_parts(self, seconds_old: float = 0.0) -> None:
        """Delete what writers left behind that were killed.

        Only under the lock: another run's are still being written. `seconds_old` spares younger
        ones, for those who share the folder with other runs.
        """

    def lock(
        self,
        run_id: str,
        wait_seconds: float = 0.0,
        shard: str | None = None,
        waiting: Callable[[str], object] = lambda holder: None,
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the folder for one run, or the part `shard` of it (`2-of-3`), while other runs hold
        the other parts. It is free again when the holder's process ends, however that ends.

        `waiting` is called again and again with the holder while it is waited for, and with nobody
        while files are brought here or delivered before the run begins, and may raise to
        end that. Raises Locked, naming the holder, when another run still has it after
        `wait_seconds`; OutputError when the folder cannot be written.
        """

    @property
    def place(self) -> tuple[int, int] | None:
        """What tells this place from another that may stand under its name later; None where there
        is none yet, or nothing does."""

    @property
    def home(self) -> str:
        """What `path` of every name begins with where no link stands below the folder: a file that
        is opened by its path has to lie there."""

    def check_in_place(self) -> None:
        """Raises OutputError where the folder, or its lock, is not the one that was opened any
        more. Whoever writes does this by himself."""

    def try_out(self) -> Sequence[str]:
        """What this place cannot do and a run does without, in sentences. Called under the lock.
        Raises OutputError where it cannot do what a run needs."""

    def refused_names(self, names: Iterable[str]) -> Mapping[str, str]:
        """Those names for files to come that this place does not take, with its reason."""

    def holders(self) -> Sequence[str]:
        """Who holds the folder at this moment, in words: nobody, one run, or one run per part."""

    def path(self, name: str) -> Path:
        """Where the file is on this machine: to open as a picture, or to name to a person."""

    def fetched(self, name: str) -> Path:
        """The same, after the file was brought to this machine, where it was elsewhere. Raises
        OSError and StylizeError."""
        return self.path(name)

    def deliver(self, name: str) -> None:
        """A painter has put a file under this name, on this machine: have it where others look for
        it. Raises ObjectTrouble where this one does not get there, OutputError where none does."""
        return None


def newest_of(entries: Iterable[Entry], most: int) -> list[Entry]:
    """Those that were written last, at most so many, oldest first."""
    return heapq.nlargest(most, entries, key=lambda entry: entry.fingerprint.mtime_ns)[::-1]


def check_name(name: str) -> str:
    """The name, if it stays inside the folder whatever the folder is. Raises BadOutput."""
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise BadOutput(
            f"'{printable(name)}' cannot name a file of the output folder; "
            "it must be relative, without '.', '..' or empty parts"
        )
    return name


def output_store(manifest: Manifest) -> LocalStore:
    """A folder of this machine; where `output` is an address, one whose files are delivered
    there."""
    from pipeline.store.disk import LocalStore

    if not manifest.output_url:
        return LocalStore(manifest.output)
    from pipeline.store.delivered import DeliveredStore

    outputs = frozenset(job.output for job in manifest.pairs if not job.refusal)
    return DeliveredStore(manifest.output, manifest.output_url, outputs, records_there=manifest.run.state is None)
