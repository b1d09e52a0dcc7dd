"""The file that a video is written to, as FFmpeg is given it."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

_MUXING = {"fflags": "+bitexact"}  # no random numbers, and no word of the muxer's version
_INDEX_FIRST = {"movflags": "faststart"}  # so that an MP4 plays while it is being loaded


class OutputFile:
    """A file that remembers why it could not be written, which FFmpeg forgets. `muxing` are the
    muxer's options: to put an MP4's index first, it reads what it has written (`reread`), which
    needs a file of the system's."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None
        self.muxing = _MUXING | _INDEX_FIRST
        try:
            file.fileno()
        except OSError:  # io.UnsupportedOperation: in memory
            self.muxing = _MUXING

    def reread(self, _url: str, _flags: int, _options: dict[str, str]) -> Any:
        """The file once more, from its beginning."""
        return _Reread(self._file)

    def write(self, data: bytes) -> int:
        """As a file does."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = self.failure or error
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file does."""
        return self._file.tell()


class _Reread:
    """What has been written to a file, read beside the writing."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0

    def read(self, count: int) -> bytes:
        self._file.flush()
        data = os.pread(self._file.fileno(), count, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._file.fileno()).st_size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """The file stays open: it is its writer's."""
