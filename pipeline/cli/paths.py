"""Paths in the command line: each has a name, where an empty one would be the working directory,
and is no address."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource


def as_given(flag: str, name: str) -> str:
    """What to call a path in a message: its flag, or the variable that it comes from; `name` is
    the argument's in the verb."""
    context = click.get_current_context()
    is_variable = context.get_parameter_source(name) is ParameterSource.ENVIRONMENT
    envvars = (parameter.envvar for parameter in context.command.params if parameter.name == name)
    return str(next(envvars, flag)) if is_variable else flag


EMPTY = "the name is empty; '.' is the working directory"


class PathName(click.Path):
    """A `click.Path` that refuses `""`, as a variable of the shell leaves it that is not set: what
    was meant is not known, and the working directory it is hardly."""

    def __init__(self, **rules: Any) -> None:
        super().__init__(path_type=Path, **rules)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What click calls: the path, or a usage error."""
        if not os.fspath(value):
            self.fail(EMPTY, param, ctx)
        return super().convert(value, param, ctx)


_ADDRESS = re.compile(r"(?:s3|gs|az|sftp|https?):/")  # as paths have it, which lose one of two slashes


def refuse_addresses(what: str, *paths: str | os.PathLike[str] | None) -> None:
    """Raise UsageError where what is given in the command line as a path is an address: it would be
    a folder here that is called `s3:`."""
    if any(path is not None and _ADDRESS.match(os.fspath(path)) for path in paths):
        raise click.UsageError(f"{what} takes a path; an address stands in a manifest (docs/objects.md)")
