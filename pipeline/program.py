"""This program as it is installed: how it is called from a fresh shell, and the versions of the
packages it uses. Standard library only."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path

NAME = "stylize"


def program() -> tuple[str, ...]:
    """The words that start this program in any folder: its name where the shell finds that, else
    the path of the command beside our Python, else that Python with the package."""
    ours = Path(sys.executable).parent / NAME
    found = shutil.which(NAME)
    if found and (not ours.exists() or os.path.realpath(found) == os.path.realpath(ours)):
        return (NAME,)
    return (str(ours),) if ours.exists() else (sys.executable, "-m", "pipeline")


def called(*arguments: str) -> str:
    """A command of ours as one types it: `called("weights", "fetch")`."""
    return shlex.join([*program(), *arguments])


@functools.cache
def version(*packages: str) -> str:
    """The version of the first of these packages that is installed, or nothing; not imported."""
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    return ""
