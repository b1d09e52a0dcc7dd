"""Which version of a package is installed."""

from __future__ import annotations

import functools
import importlib.metadata
from contextlib import suppress


@functools.cache
def version(*packages: str) -> str:
    """The version of the first of these packages that is installed, or nothing; not imported."""
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    return ""
