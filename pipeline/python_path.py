"""What Python imports from: never the working directory, which may hold strangers' files.

`python -m` puts the working directory before the standard library: `cd photos; python -m pipeline`
would run photos/random.py. The command leaves it at its very start, and whatever else is started as
a Python process of ours is started by `python_command`, which never had it.

Imports only what the interpreter itself has loaded by then.
"""

from __future__ import annotations

import os
import sys

_PACKAGE = os.path.dirname(os.path.abspath(__file__))
PATHS = ("PYTHONPATH", "LD_LIBRARY_PATH")
"""Lists of folders, in which one that is relative means the working directory."""
_left = False  # only the folder that Python itself put first is taken away, and that once


def leave_working_directory() -> None:
    """Take the working directory off the path, where `python -m pipeline` or a relative folder in
    PYTHONPATH put it. Submodules are found all the same, by their package's own path."""
    global _left
    if not (_left or sys.flags.safe_path) and _is_here(sys.path[:1]):
        del sys.path[0]
        _left = True
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [folder for folder in given if os.path.isabs(folder)]
    loose = [_absolute(folder) for folder in given if folder not in kept] if given != [""] else []
    sys.path[:] = [folder for folder in sys.path if folder and (folder in kept or folder not in loose)]


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module (`python -m` without the working directory). It finds our
    package where this process has it, and all else where any program does."""
    return [sys.executable, "-P", os.path.join(_PACKAGE, "python_child.py"), module, *arguments]


def why_not_started(error: OSError) -> str:
    """Why a Python process of ours cannot be started, in words with the way out: no more processes,
    descriptors or memory, or a Python that this user may not run."""
    if isinstance(error, PermissionError):
        python = os.path.realpath(sys.executable)
        return (
            f"{error.strerror}; this user cannot run {python}: make .venv anew with a Python that all can read "
            "(make distclean; make setup PYTHON=/usr/bin/python3)"
        )
    return f"{error.strerror}; close other programs"


def absolute_folders(path: str | None) -> str:
    """What one of `PATHS` says, without folders that are relative to the working
    directory; an empty one means that directory itself."""
    folders = path.split(os.pathsep) if path else []
    return os.pathsep.join(folder for folder in folders if os.path.isabs(folder))


def _is_here(first: list[str]) -> bool:
    """Is this first folder of the path the working directory?"""
    try:
        return bool(first) and os.path.samefile(first[0] or os.curdir, os.curdir)
    except OSError:  # one of them was deleted
        return False


def _absolute(folder: str) -> str:
    try:
        return os.path.abspath(folder)
    except OSError:  # the working directory was deleted
        return folder
