"""Where a Python process of ours begins: `python -P .../python_child.py MODULE ARGUMENTS`.

Runs MODULE as `python -m` would, but for the path: the working directory is not on it, and
`pipeline` is the one that this file belongs to, wherever another one may be installed. See
python_path.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import runpy
import sys

_PARENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> None:
    """Load the package from beside this file, and run the module that is asked for."""
    if "pipeline" not in sys.modules:
        spec = importlib.machinery.PathFinder.find_spec("pipeline", [_PARENT])
        assert spec is not None
        assert spec.loader is not None
        sys.modules["pipeline"] = package = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
