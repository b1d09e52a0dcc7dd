"""Files below a folder, reached from an open handle of it: no link is followed on the way, and
nothing but a regular file is ever opened.

The folder itself is the user's own word and may lie behind links; it is resolved once, and that
another stands in its place later is noticed. Whoever else may write into it can put a link, a pipe
or a file of gigabytes under any name: names are walked part by part with openat(2) and O_NOFOLLOW,
so that there is no moment between looking and opening.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import OutputError
from pipeline.objects.protocol import Fingerprint
from pipeline.printable import printable
from pipeline.store.store import Entry, check_name

PASSING = (errno.EIO, errno.ESTALE)  # a network folder's hiccup, a cable's

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEVER_WAIT = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not even for who writes to a pipe
# What fsync(2) answers where a file system has no such thing: CIFS, vboxsf and WSL of a folder.
CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
LINK = "a link stands there, and below an output folder no link is followed"


Place = tuple[int, int]
"""Device and inode of a folder."""


class Beneath:
    """The files below `path`, which is the folder `place` where that is given. Names are those of a
    Store; every method raises BadOutput for one that could lead out, and OutputError where the
    folder itself cannot be entered."""

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self.path = path
        self.place = place
        """Which folder it is; None where that is not known (yet)."""
        self._descriptor = -1
        self._opening = threading.Lock()

    def handle(self, *, make: bool = False) -> int:
        """A descriptor of the folder itself, which is this object's to close. FileNotFoundError
        where it is missing and not to be made."""
        with self._opening:
            if self._descriptor < 0:
                if make:
                    _make_with_parents(self.path)
                self._open()
            return self._descriptor

    def reopen(self) -> None:
        """Open the folder anew, where a network folder's handle has gone stale."""
        with self._opening:
            if self._descriptor >= 0:
                self._open()

    def check_in_place(self) -> None:
        """Raises OutputError where another folder, or none, stands at the path by now."""
        if self.place is None:
            return
        try:
            there = _identity(os.stat(self.path))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                return  # a network folder's hiccup; whoever writes will meet it
            there = None
        if there != self.place:
            raise OutputError(
                f"{printable(self.path)} was {'replaced' if there else 'moved or deleted'} while it was in use;"
                " nothing more is written there; put it back, or run again"
            )

    @contextlib.contextmanager
    def parent(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that a name lies in, and the name's last part."""
        *folders, last = check_name(name).split("/")
        with self.folder(folders, make=make) as at:
            yield at, last

    @contextlib.contextmanager
    def folder(self, folders: list[str], *, make: bool = False) -> Iterator[int]:
        """A descriptor of a folder, given by the parts of its name."""
        at, opened = self.handle(make=make), -1
        try:
            for part in folders:
                at = _enter(at, part, make=make)
                if opened >= 0:
                    os.close(opened)
                opened = at
            yield at
        finally:
            if opened >= 0:
                os.close(opened)

    def open(self, name: str, flags: int = os.O_RDONLY, *, make: bool = False) -> int:
        """A descriptor of a regular file. Raises OSError for anything else that stands there."""
        with self.parent(name, make=make) as (at, last):
            with contextlib.suppress(FileNotFoundError):
                _check_regular(os.lstat(last, dir_fd=at), name)  # a device may act when it is opened
            descriptor = os.open(last, flags | _NEVER_WAIT, 0o666, dir_fd=at)
            try:
                _check_regular(os.fstat(descriptor), name)
            except OSError:
                os.close(descriptor)
                raise
            return descriptor

    def status(self, name: str) -> os.stat_result:
        """What stands under a name, links as such."""
        with self.parent(name) as (at, last):
            return os.lstat(last, dir_fd=at)

    def names(self, folder: str) -> list[str]:
        """What a folder (`.pipeline/records`, empty for the top) holds."""
        with self.folder(check_name(folder).split("/") if folder else []) as at:
            return os.listdir(at)

    def _open(self) -> None:
        try:
            descriptor = os.open(self.path, _FOLDER)
            try:
                status = os.lstat(".", dir_fd=descriptor)  # also asks whether it may be entered
            except OSError:
                os.close(descriptor)
                raise
        except FileNotFoundError:
            raise
        except OSError as error:
            raise OutputError(
                f"cannot enter the output folder {printable(self.path)}: {error.strerror}{owner_of(self.path)};"
                f" {'move it' if error.errno == errno.ENOTDIR else 'change its permissions'}, or choose another output"
            ) from error
        weakref.finalize(self, os.close, descriptor)
        self._descriptor = descriptor
        if self.place is not None and self.place != _identity(status):
            raise OutputError(f"{printable(self.path)} was replaced while it was in use; run again")
        # where numbers of files are made up from look to look, they say nothing
        self.place = _identity(status) if _identity(status) == _identity_at(self.path) else None


@contextlib.contextmanager
def opened_folder(at: int, name: str) -> Iterator[int]:
    """A descriptor of a folder in an open one."""
    descriptor = _enter(at, name, make=False)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_folder(descriptor: int) -> None:
    """Have the names in an open folder on the disk, where its file system knows how to."""
    _sync(descriptor)


def sync_file(descriptor: int) -> None:
    """Have the bytes of an open file on the disk, where its file system knows how to."""
    _sync(descriptor)


def owner_of(path: str | os.PathLike[str], at: int | None = None) -> str:
    """` (it belongs to anna)` for what belongs to another user, else nothing."""
    try:
        owner = os.lstat(path, dir_fd=at).st_uid
    except OSError:
        return ""
    return "" if owner == os.geteuid() else f" (it belongs to {_user(owner)})"


def _user(number: int) -> str:
    import pwd

    with contextlib.suppress(KeyError):
        return printable(pwd.getpwuid(number).pw_name)
    return f"user {number}"


def _enter(at: int, name: str, *, make: bool) -> int:
    """A folder's descriptor; the folder is made if need be, and on the disk before anything is put
    into it."""
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise
    except OSError as error:
        if _is_link(name, at):
            raise LinkError(name) from error
        raise
    with contextlib.suppress(FileExistsError):  # another worker may be as fast
        os.mkdir(name, dir_fd=at)
    try:
        sync_folder(at)
    except OSError:
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=at)  # so that a second try does not take its name for safe
        raise
    return _enter(at, name, make=False)


def _is_link(name: str, at: int) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=at).st_mode)
    except OSError:
        return False


class LinkError(OSError):
    """A link stands where a file or folder of ours has to be."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ELOOP, LINK, name)


def _make_with_parents(folder: Path) -> None:
    """Make the output folder and those above it; above it links are followed."""
    if folder.exists():
        return
    _make_with_parents(folder.parent)
    os.makedirs(folder, exist_ok=True)
    try:
        descriptor = os.open(folder.parent, _FOLDER)
        try:
            sync_folder(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise


def _check_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISLNK(status.st_mode):
        raise LinkError(name)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    raise OSError(errno.ENXIO, "a pipe, socket or device stands there and no file", name)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise


def _identity(status: os.stat_result) -> Place:
    return status.st_dev, status.st_ino


def _identity_at(path: Path) -> Place | None:
    try:
        return _identity(os.stat(path))
    except OSError:
        return None


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
