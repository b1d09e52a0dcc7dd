"""A folder of this machine that has copies of objects, each with the tag that it had in its store.

Beside each file `NAME` of the folder, `TAGS/NAME` says which object it is a copy of, and by size,
time and inode that it is still the file that was copied.
"""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.clip_names import MOST_BYTES as MOST_BYTES_OF_CLIP
from pipeline.clip_names import VIDEO_SUFFIXES
from pipeline.errors import ObjectTrouble, OutputError
from pipeline.objects.protocol import Fingerprint
from pipeline.objects.service import Remote
from pipeline.printable import printable

# A TIFF of 110 million pixels in 16 bits is 880 MB, as store/disk has it; more is no picture here,
# and can only be a video.
MOST_BYTES = 2**30


class Mirror:
    """Copies of what stands at `remote`, in `folder`."""

    def __init__(self, remote: Remote, folder: Path, tags: Path) -> None:
        self.remote, self._folder, self._tags = remote, folder, tags

    def path(self, name: str) -> Path:
        """Where the copy is; the whole folder for no name."""
        return self._folder / name if name else self._folder

    def fetch(self, name: str, check_cancelled: Callable[[], object] = lambda: None) -> Path:
        """A file that is the object as it is now. Raises ObjectTrouble, FileNotFoundError where
        there is none (a copy goes then), and OutputError where no copy can be written. In a store
        one object may stand "in" another, and is this one's trouble then."""
        try:
            now = self.remote.look(name)
        except FileNotFoundError:
            with suppress(OSError):
                self.path(name).unlink()
            self.forget(name)
            raise
        if now.tag and self.copied(name) == now.tag:
            with suppress(OSError):
                os.utime(self._about(name))  # it was asked for now (objects/cache)
            return self.path(name)
        path = self.path(name)
        part = path.parent / f".pipeline-{secrets.token_hex(8)}.part"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _Copy(io.FileIO(part, "xb")) as file:
                found = self.remote.get(name, file, most_bytes(path.name), check_cancelled)
            os.replace(part, path)
        except FileNotFoundError:
            raise
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ObjectTrouble(
                f"{printable('/'.join(filter(None, (self.remote.url, name))))}: no copy can be {printable(path)}, as "
                "that is a folder, or in no folder: another object has that name; give it another there"
            ) from None
        except OSError as error:
            raise OutputError(f"cannot keep a copy in {printable(path)}: {error.strerror}") from error
        finally:
            with suppress(OSError):
                part.unlink()
        self.note(name, found)
        return path

    def copied(self, name: str) -> str | None:
        """The tag of the object that the file is a copy of, as far as nobody changed the file;
        None where it is none."""
        try:
            tag, *stamp = json.loads(self._about(name).read_bytes())
            return str(tag) if stamp == _stamp(self.path(name)) else None
        except (OSError, ValueError, TypeError):
            return None

    def noted(self, name: str) -> str | None:
        """The tag of the object that the file once was a copy of, whatever became of the file."""
        try:
            return str(json.loads(self._about(name).read_bytes())[0])
        except (OSError, ValueError, TypeError, LookupError):
            return None

    def stamp(self, name: str) -> list[int]:
        """What tells whether the file is still the one it is now: size, time, inode. Raises
        OSError."""
        return _stamp(self.path(name))

    def note(self, name: str, found: Fingerprint, stamp: list[int] | None = None) -> None:
        """Remember that the file, as it was when it had this stamp, is a copy of this object. Where
        that cannot be written, it is fetched or sent once more."""
        tags = self._about(name)
        part = tags.parent / f".pipeline-{secrets.token_hex(8)}.part"
        with suppress(OSError):
            tags.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps([found.tag, *(stamp or self.stamp(name))]))
            os.replace(part, tags)
        with suppress(OSError):
            part.unlink()  # where it found no room

    def forget(self, name: str) -> None:
        """There is no such object any more."""
        with suppress(OSError):
            self._about(name).unlink()

    def _about(self, name: str) -> Path:
        return self._tags / name if name else self._tags


class _Copy(io.BufferedWriter):
    """A file that says OutputError where it cannot be written: who reads the store would take an
    OSError for the store's, and try again."""

    def write(self, data: Any, /) -> int:
        with _as_ours(self.name):
            return super().write(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        with _as_ours(self.name):
            return super().seek(offset, whence)

    def truncate(self, size: int | None = None, /) -> int:
        with _as_ours(self.name):
            return super().truncate(size)


@contextmanager
def _as_ours(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = printable(os.path.dirname(path))
        raise OutputError(f"cannot keep a copy in {folder}: {error.strerror}") from error


def most_bytes(name: str) -> int:
    """How large an object of this name may be to be fetched."""
    return MOST_BYTES_OF_CLIP if name.lower().endswith(VIDEO_SUFFIXES) else MOST_BYTES


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]
