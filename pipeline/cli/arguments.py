"""Arguments that several verbs share, and how they are read."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.job import Manifest

Command = TypeVar("Command", bound=Callable[..., Any])

EXIT_CODES = """\b
Exit codes: 0 all up to date, 1 a bug, 2 usage or manifest (nothing was started), 3 at least one pair failed,
4 environment (weights, disk, memory, output not writable), 10 deadline with pairs left, 11 another run holds
the output, 130/143 stopped by SIGINT/SIGTERM."""


class Unit(click.ParamType[Any]):
    """A duration (`45m`) or a time of day (`06:00`), read by the same rules as in a manifest."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What click calls: seconds or "HH:MM"; a usage error with the rule where it is neither."""
        from pipeline.manifest.options import units

        if not isinstance(value, str):
            return value
        try:
            return units.time_of_day(value) if self.name == "HH:MM" else units.seconds(value)
        except ValueError as error:
            self.fail(f"{error}. Received: {value!r}", param, ctx)


MANIFEST = click.argument("manifest", type=click.Path(path_type=Path))


class _ShardType(click.ParamType[Any]):
    """Part I of N of the pairs, `2/3`."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What click calls: a Shard; a usage error with the rule where it is none."""
        from pipeline.batch.selection import Shard

        if not isinstance(value, str):
            return value
        try:
            return Shard.parse(value)
        except ValueError as error:
            self.fail(f"{error}. Received: {value!r}", param, ctx)


SHARD = click.option(
    "--shard", type=_ShardType(), envvar="STYLIZE_SHARD", help="Only part I of N of the pairs, for several machines."
)

_SELECTING = (
    click.option("--only", metavar="GLOB", envvar="STYLIZE_ONLY", help="Only outputs whose name matches."),
    SHARD,
    click.option("--limit", type=click.IntRange(min=0), envvar="STYLIZE_LIMIT", help="Paint at most so many pairs."),
    click.option("-f", "--force", is_flag=True, envvar="STYLIZE_FORCE", help="Paint even what is up to date."),
    click.option(
        "--retry-failed", is_flag=True, envvar="STYLIZE_RETRY_FAILED", help="Try even what failed in many runs."
    ),
)
_OVERRIDING = (
    click.option(
        "--set",
        "settings",
        metavar="OPTION=VALUE",
        multiple=True,
        help="Override an option of all pairs (repeatable).",
    ),
    click.option("--json", "as_json", is_flag=True, envvar="STYLIZE_JSON", help="Print JSON on stdout."),
)


def selecting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that say which pairs (the command gets them as one `selection`), and with which options."""

    @functools.wraps(command)
    def with_selection(**flags: Any) -> Any:
        from pipeline.batch.selection import Selection

        names = {field.name for field in dataclasses.fields(Selection)}
        others = {name: value for name, value in flags.items() if name not in names}
        return command(selection=Selection(**{name: flags[name] for name in names}), **others)

    flagged: Callable[..., Any] = with_selection
    for option in (*_SELECTING, *_OVERRIDING):
        flagged = option(flagged)
    return flagged


def load(manifest: Path, settings: tuple[str, ...] = ()) -> Manifest:
    """The manifest, with STYLIZE_SET and then `--set` laid over its options."""
    from pipeline.manifest import Override, load_manifest

    overrides = []
    from_environment = [line for line in os.environ.get("STYLIZE_SET", "").splitlines() if line.strip()]
    for origin, assignments in (("STYLIZE_SET", from_environment), ("--set", settings)):
        for assignment in assignments:
            option, equals, text = assignment.partition("=")
            if not equals:
                raise click.UsageError(f"{origin} wants option=value. Received: {assignment!r}")
            overrides.append(Override(option.strip(), text.strip(), origin))
    return load_manifest(manifest, overrides=overrides)


def print_json(value: Any) -> None:
    """Data for programs, on stdout."""
    click.echo(json.dumps(value, indent=2))
