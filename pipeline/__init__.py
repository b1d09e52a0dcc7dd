"""Neural style transfer in batches: each photograph painted in each style, by the optimisation of
Gatys, Ecker & Bethge.

`from pipeline import stylize` paints one picture; the command `stylize` (or `python -m pipeline`)
paints a manifest.
"""

import sys

if sys.platform == "win32":  # its Python has neither fcntl nor resource; said here, before either is missed
    sys.exit("stylize runs on Linux and macOS; on Windows, install and start it inside WSL2 (wsl --install)")

from pipeline.python_path import leave_working_directory

if sys.argv[:1] == ["-m"]:  # Python looks for the command, `python -m pipeline`; a library changes no path
    leave_working_directory()

from pipeline.stylization import Stylization  # imports what could be planted
from pipeline.stylizer import Stylizer, release, stylize

__all__ = ["Stylization", "Stylizer", "release", "stylize"]
