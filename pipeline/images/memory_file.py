"""A file without a name, for what a process writes to stderr. Standard library only."""

from __future__ import annotations

import os
import tempfile
from typing import BinaryIO, cast


def memory_file() -> BinaryIO:
    """In memory where the system has such files (Linux, memfd_create(2)), else an unlinked one in
    the folder for temporary files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return cast("BinaryIO", tempfile.TemporaryFile())
