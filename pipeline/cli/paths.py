"""Paths in the command line: each has a name, where an empty one would be the working directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class PathName(click.Path):
    """A `click.Path` that refuses `""`, as a variable of the shell leaves it that is not set: what
    was meant is not known, and the working directory it is hardly."""

    def __init__(self, **rules: Any) -> None:
        super().__init__(path_type=Path, **rules)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What click calls: the path, or a usage error."""
        if not os.fspath(value):
            self.fail("the name is empty; '.' is the working directory", param, ctx)
        return super().convert(value, param, ctx)
