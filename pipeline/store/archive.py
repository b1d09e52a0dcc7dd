"""The container of a checkpoint, opened only as we write it: a ZIP file of few entries, each stored
as it is, so that none is larger than the file.

A ZIP file can otherwise unpack to a thousand times its size, or list a million entries; and it is
read whole. No NumPy: the driver reads keys of checkpoints, and loads none.
"""

from __future__ import annotations

import os
import struct
import zipfile
from typing import BinaryIO

_MOST_ENTRIES = 256  # a descent has some fifty arrays
_MOST_DIRECTORY = 2**16  # bytes of the list of entries, which zipfile reads at once
# End of the central directory, and the two records before it in files of more than 4 GiB: APPNOTE
# 4.3.16, 4.3.15 and 4.3.14. We write no comment, so that they are the last bytes.
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_ENCRYPTED = 1  # of the flags


def open_archive(file: BinaryIO, at_most: int) -> zipfile.ZipFile:
    """The archive in an open file of at most `at_most` bytes. Raises zipfile.BadZipFile where it is
    not as we write it; OSError."""
    size = os.fstat(file.fileno()).st_size
    if size > at_most:
        raise zipfile.BadZipFile(f"{size} bytes, where at most {at_most} are written")
    _check_directory(file, size)
    file.seek(0)
    archive = zipfile.ZipFile(file)
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
            raise zipfile.BadZipFile(f"{entry.filename!r} is packed")
    if sum(max(entry.file_size, entry.compress_size) for entry in archive.infolist()) > size:
        raise zipfile.BadZipFile("its entries are larger than the file")
    return archive


def _check_directory(file: BinaryIO, size: int) -> None:
    tail_size = min(size, _END.size + _LOCATOR.size + _END_64.size)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    if len(tail) < _END.size:
        raise zipfile.BadZipFile("too short")
    mark, *_, entries, directory, _offset, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\5\6" or comment:
        raise zipfile.BadZipFile("it does not end as it should")
    before = tail[: -_END.size]
    if before[-_LOCATOR.size :].startswith(b"PK\6\7"):
        if len(before) < _LOCATOR.size + _END_64.size:
            raise zipfile.BadZipFile("too short")
        _mark, *_, entries, directory, _offset = _END_64.unpack(before[: _END_64.size])
    if entries > _MOST_ENTRIES or directory > _MOST_DIRECTORY:
        raise zipfile.BadZipFile(f"{entries} entries in a list of {directory} bytes")
