"""An output folder on a disk of this machine, or a network folder that looks like one.

All files are reached from an open handle of the folder, and no link below it is followed
(store/beneath); what is written stands whole or not at all (store/whole).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, BinaryIO, TypeVar

from pipeline.clip_names import MOST_BYTES, has_clip_suffix
from pipeline.errors import BadOutput
from pipeline.objects.protocol import DEEPEST, Fingerprint
from pipeline.printable import printable
from pipeline.store import trials
from pipeline.store.beneath import LINK, PASSING, Beneath, Place, entries_beneath, opened_folder, sync_file
from pipeline.store.layout import STATE, log_name
from pipeline.store.lock import holders, run_lock
from pipeline.store.store import Entry, Store, check_name, newest_of
from pipeline.store.whole import failure_to_write, is_part, part_name, put

_AGAIN_SECONDS = 1.0  # chosen: what a network folder needs to come back, and nothing beside a pair
_MOST_AGAIN = 20  # second tries of one store: a disk that has died is not waited for all night
_HASH_BLOCK = 2**20
# A picture of 110 million pixels in 16 bits with alpha is 880 MB, uncompressed.
_MOST_HASHED = 2**30
_MOST_COPIED = 2**26  # of a history of twenty years of nights; a line has about a kilobyte

SECOND_NAME = "it has another name elsewhere (a hard link)"
Got = TypeVar("Got")


class LocalStore(Store):
    """The files of `folder`, which is made with the first of them.

    What is written is on the disk before its name is, and its name, with every folder that was made
    for it, before the writer returns. `folder` itself may lie behind links. `place` is which folder
    that has to be (`place` of another store).
    """

    def __init__(self, folder: Path, place: Place | None = None) -> None:
        self.folder = folder
        self._files = Beneath(folder, place)
        self._again = _MOST_AGAIN
        self._locked: Callable[[], object] = lambda: None

    def path(self, name: str) -> Path:
        """The file itself, to be named to a person; whoever opens it follows links."""
        return self.folder / check_name(name)

    def open(self, name: str) -> BinaryIO:
        """The file itself, open to read."""
        return os.fdopen(self._twice(lambda: self._files.open(name)), "rb")

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """At the second try, where a network folder fails in passing."""
        return self._twice(lambda: Store.read(self, name, at_most=at_most))

    def write_by(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        """By `whole.put`; after an input/output error all is written once more, to a new file: of
        the old one fsync would say that it is well (fsync(2))."""
        check_name(name)
        self.check_in_place()

        def whole() -> None:
            with self._files.parent(name, make=True) as (at, last):
                put(at, last, write)

        try:
            self._twice(whole)
        except OSError as error:
            odd = error.errno in (*PASSING, errno.EACCES, errno.EPERM, errno.EFBIG)
            alone = odd and not name.startswith(f"{STATE}/") and self._takes_others()
            raise failure_to_write(self.path(name), error, alone=alone) from error

    def append(self, name: str, line: bytes) -> None:
        """In one call of the system, to the end of what others may be adding to as well. A file
        that has another name somewhere (a hard link) is copied first: nothing else is to grow."""
        self.check_in_place()
        descriptor = self._append_to(name, os.O_RDWR)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            file.write(line if _ends_cleanly(descriptor) else b"\n" + line)
            sync_file(descriptor)

    def open_to_append(self, name: str) -> BinaryIO:
        """A file that others, who know no store, may add to."""
        return os.fdopen(self._append_to(name, os.O_WRONLY), "ab")

    def list(self, prefix: str) -> tuple[Entry, ...]:
        """Regular files only."""
        check_name(f"{prefix}*")  # whatever ends it
        with contextlib.suppress(OSError):
            return tuple(sorted(self._twice(lambda: list(entries_beneath(self._files, prefix)))))
        return ()

    def newest(self, prefix: str, wanted: Callable[[str], object], most: int) -> Sequence[Entry]:
        """Holding no more than those."""
        with contextlib.suppress(OSError):
            return self._twice(lambda: newest_of(entries_beneath(self._files, prefix, wanted), most))
        return ()

    def fingerprint(self, name: str) -> Fingerprint:
        """From one call of the system; FileNotFoundError also for what is no regular file."""
        status = self._twice(lambda: self._files.status(name))
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", name)
        return _fingerprint(status)

    def sha256(self, name: str) -> str:
        """Of at most as many bytes as a picture can have."""
        return self._twice(lambda: self._sha256(name))

    def in_the_way(self, name: str) -> str | None:
        """By what lstat(2) says of each part of the name."""
        try:
            if stat.S_ISREG(self._files.status(name).st_mode):
                return None
        except FileNotFoundError:
            return None
        except OSError:
            pass
        parts = check_name(name).split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end])
            try:
                kind = self._files.status(part).st_mode
            except OSError:
                return None
            if stat.S_ISLNK(kind):
                return f"{printable(self.path(part))}: {LINK}"
            if end < len(parts) and not stat.S_ISDIR(kind):
                return f"{printable(self.path(part))} is no folder"
        return None if stat.S_ISREG(kind) else f"{printable(self.path(name))} is no file"

    def identity(self, name: str) -> tuple[int, int] | None:
        """Device and inode."""
        try:
            status = self._files.status(name)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def delete(self, name: str) -> None:
        """Its folder stays; of a link, the link goes."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._files.parent(name) as (at, last):
            os.unlink(last, dir_fd=at)

    def prune(self, folder: str) -> None:
        """Unless something is in it."""
        with contextlib.suppress(OSError), self._files.parent(folder.rstrip("/")) as (at, last):
            os.rmdir(last, dir_fd=at)

    def remove_parts(self, seconds_old: float = 0.0) -> None:
        """In all folders, but behind no link."""
        newest = time.time() - seconds_old if seconds_old else None
        with contextlib.suppress(OSError):
            _remove_parts(self._files.handle(), newest, DEEPEST)

    @contextlib.contextmanager
    def lock(
        self,
        run_id: str,
        wait_seconds: float = 0.0,
        shard: str | None = None,
        waiting: Callable[[str], object] = lambda holder: None,
    ) -> Iterator[None]:
        """The kernel's, on files of this folder (store/lock)."""
        with run_lock(self._files, run_id, wait_seconds, shard, waiting) as still_held:
            self._locked = still_held
            try:
                yield
            finally:
                self._locked = lambda: None

    def holders(self) -> tuple[str, ...]:
        """By the kernel's locks."""
        return tuple(holders(self._files))

    @property
    def place(self) -> Place | None:
        """Device and inode."""
        return self._files.place

    @property
    def home(self) -> str:
        """The folder, its links resolved."""
        return os.path.realpath(self.folder)

    def check_in_place(self) -> None:
        """Looks at the folder, and at the lock where it is held."""
        self._files.check_in_place()
        self._locked()

    def try_out(self) -> tuple[str, ...]:
        """By writing, naming and syncing small files (store/trials)."""
        trials.check_our_folders(self._files)
        try:
            return tuple(self._twice(lambda: trials.try_out(self._files)))
        except OSError as error:
            raise trials.cannot_write(self._files, error) from error

    def refused_names(self, names: Iterable[str]) -> dict[str, str]:
        """By files of those names that are made and removed below `.pipeline` (store/trials)."""
        return trials.refused_names(self._files, names)

    def _sha256(self, name: str) -> str:
        digest, left = hashlib.sha256(), MOST_BYTES if has_clip_suffix(name) else _MOST_HASHED
        with os.fdopen(self._files.open(name), "rb") as file:
            before = os.fstat(file.fileno())
            while block := file.read(_HASH_BLOCK):
                digest.update(block)
                left -= len(block)
                if left < 0:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
            if _fingerprint(os.fstat(file.fileno())) != _fingerprint(before):
                raise OSError(errno.EIO, "changed while it was being read", name)
        return digest.hexdigest()

    def _append_to(self, name: str, flags: int) -> int:
        self._own(name)
        descriptor = self._files.open(name, flags | os.O_APPEND | os.O_CREAT, make=True)
        if os.fstat(descriptor).st_nlink > 1:  # put there this very moment
            os.close(descriptor)
            raise OSError(errno.EMLINK, SECOND_NAME, name)
        return descriptor

    def _own(self, name: str) -> None:
        """Have a file that is added to in place be known under this name alone."""
        try:
            status = self._files.status(name)
        except OSError:
            return  # missing, mostly; opening it says what it is
        if status.st_nlink <= 1 or not stat.S_ISREG(status.st_mode):
            return
        if status.st_size > _MOST_COPIED:
            raise OSError(errno.EMLINK, SECOND_NAME, name)
        with self.open(name) as old, self._files.parent(name) as (at, last):
            put(at, last, lambda new: _copy(old, new))

    def _takes_others(self) -> bool:
        """Can a small file be written at the top?"""
        try:
            at, name = self._files.handle(), part_name()
            put(at, name, lambda file: file.write(b"\n"))
            os.unlink(name, dir_fd=at)
        except OSError:
            return False
        return True

    def _twice(self, call: Callable[[], Got]) -> Got:
        """What `call` gives, at its second try where the disk or the network fails in passing."""
        try:
            return call()
        except OSError as error:
            if error.errno not in PASSING or self._again <= 0:
                raise
            self._again -= 1
            time.sleep(_AGAIN_SECONDS)
            if error.errno == errno.ESTALE:
                self._files.reopen()
            return call()


def open_log(path: Path) -> BinaryIO:
    """A run's log (`layout.log_name`, below its output folder), to be added to by processes that
    know no store. Raises OSError and OutputError."""
    store, name = _of_log(path)
    return store.open_to_append(name)


def open_to_read_log(path: Path) -> BinaryIO:
    """The same, to see what they said. Raises OSError and OutputError."""
    store, name = _of_log(path)
    return store.open(name)


def store_of_log(path: Path) -> LocalStore:
    """The output folder that a run's log belongs to."""
    return _of_log(path)[0]


def _of_log(path: Path) -> tuple[LocalStore, str]:
    depth = log_name("").count("/") + 1
    return LocalStore(Path(*path.parts[:-depth])), "/".join(path.parts[-depth:])


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` under a path that the user gave, where links are followed, making folders as
    needed; never in the place of a pipe or a device. Raises as `Store.write` does."""
    path = Path(os.path.realpath(path))
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise BadOutput(f"cannot write {printable(path)}: a pipe, socket or device stands there; name another file")
        os.makedirs(path.parent, exist_ok=True)
        folder = Beneath(path.parent)  # as long as it lives its handle is open
        put(folder.handle(), path.name, lambda file: file.write(data))
    except OSError as error:
        raise failure_to_write(path, error, alone=False) from error


def _remove_parts(at: int, newest: float | None, deepest: int) -> None:
    """Remove what `is_part` from an open folder and those in it, if last written before `newest`
    (seconds since the epoch)."""
    with os.scandir(at) as entries:
        listed = ((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        found = [(name, is_folder) for name, is_folder in listed if is_folder or is_part(name)]
    for name, is_folder in found:
        with contextlib.suppress(OSError):
            young = is_part(name) and newest is not None and os.lstat(name, dir_fd=at).st_mtime > newest
            if is_folder and deepest and not young:
                with opened_folder(at, name) as inside:
                    if is_part(name):
                        trials.remove_empty_files(inside)
                    else:
                        _remove_parts(inside, newest, deepest - 1)
                if is_part(name):
                    os.rmdir(name, dir_fd=at)
            elif is_part(name) and not young:
                os.unlink(name, dir_fd=at)


def _copy(old: IO[bytes], new: IO[bytes]) -> None:
    while block := old.read(_HASH_BLOCK):
        new.write(block)


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return Fingerprint(status.st_size, status.st_mtime_ns)


def _ends_cleanly(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
