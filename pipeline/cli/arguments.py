"""Arguments that several verbs share, and how they are read."""

from __future__ import annotations

import dataclasses
import functools
import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.paths import PathName, as_given, refuse_addresses
from pipeline.errors import EXITS, ExitCode
from pipeline.job import AUTO_WORKERS, MOST_KEPT
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.batch.selection import Shard
    from pipeline.job import Manifest
    from pipeline.manifest import Override

Command = TypeVar("Command", bound=Callable[..., Any])

HELP_WIDTH = 110  # columns


def _exit_codes() -> str:
    """What each exit code means, for the end of `--help`; the two signals share one entry."""
    signals = (ExitCode.SIGINT, ExitCode.SIGTERM)
    codes = [f"{int(code)} {exits.summary}" for code, exits in EXITS.items() if code not in signals]
    numbers, names = ("/".join(words) for words in zip(*((str(int(code)), code.name) for code in signals), strict=True))
    text = f"Exit codes: {', '.join(codes)}, {numbers} stopped by {names}."
    return "\b\n" + textwrap.fill(text, HELP_WIDTH)


EXIT_CODES = _exit_codes()


class Word(click.ParamType[Any]):
    """A word that is read by a rule of its own, which raises ValueError: `45m`, `06:00`, `2/3`."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What click calls: the word's meaning, or a usage error with the rule."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(f"{error}. Received: {value!r}", param, ctx)


def _as_in_yaml(rule: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        from pipeline.manifest.yaml import scalars

        return getattr(scalars, rule)(text)

    return read


def _file(text: str) -> str:
    if not text:
        raise ValueError("a file's name has at least one letter")
    return os.path.abspath(text)


def _shard(text: str) -> Shard:
    from pipeline.batch.selection import Shard

    return Shard.parse(text)


DURATION = Word("DURATION", _as_in_yaml("seconds"))
SIZE = Word("SIZE", _as_in_yaml("bytes_of_size"))
TIME_OF_DAY = Word("HH:MM", _as_in_yaml("time_of_day"))
FILE = Word("FILE", _file)
MANIFEST = click.argument("manifest", type=PathName(), metavar="MANIFEST|FOLDER")

STYLES = click.option(
    "--style",
    "styles",
    type=PathName(exists=True),
    multiple=True,
    metavar="PATH",
    envvar="STYLIZE_STYLE",
    help="With FOLDER: a painting, or a folder of them (repeatable).",
)
_OF_FOLDER = (
    STYLES,
    click.option(
        "-o",
        "--output",
        type=PathName(file_okay=False),
        metavar="FOLDER",
        envvar="STYLIZE_OUTPUT",
        help="With FOLDER: where results go.  [default: FOLDER/output]",
    ),
)


def of_folder(command: Command) -> Command:
    """The flags of a folder that is given in the place of a manifest: `styles`, `output`."""
    for option in _OF_FOLDER:
        command = option(command)
    return command


SHARD = click.option(
    "--shard",
    type=Word("I/N", _shard),
    envvar="STYLIZE_SHARD",
    help="Only part I of N of the pairs, for several machines.",
)

STRICT = click.option(
    "--strict", is_flag=True, envvar="STYLIZE_STRICT", help="Take a pattern that finds nothing for an error."
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
    STRICT,
    click.option("--json", "as_json", is_flag=True, envvar="STYLIZE_JSON", help="Print JSON on stdout."),
)


def selecting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that say which pairs, and with which options.

    The command gets the former as one `selection`.
    """

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


class _Jobs(click.ParamType[int]):
    """A number of workers, or `auto`."""

    name = "n|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "auto":
            return AUTO_WORKERS
        try:
            return int(click.IntRange(min=1).convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is neither 'auto' nor a whole number from 1 on", param, ctx)


# What stands over a manifest's `run`, by the name that RunSettings has for it.
RUNNING = {
    "deadline": click.option(
        "--deadline", type=TIME_OF_DAY, envvar="STYLIZE_DEADLINE", help="Start no pair that would not finish by then."
    ),
    "max_duration": click.option(
        "--max-duration", type=DURATION, envvar="STYLIZE_MAX_DURATION", help="The same, counted from now."
    ),
    "workers": click.option(
        *("-j", "--jobs", "workers"),
        type=_Jobs(),
        envvar="STYLIZE_JOBS",
        help="Worker processes; auto: as many as are fastest here.",
    ),
    "engine": click.option(
        "--engine",
        type=click.Choice(["local", "dask"]),
        envvar="STYLIZE_ENGINE",
        help="Who paints: this machine, or the workers of a Dask cluster.",
    ),
    "scheduler": click.option(
        "--scheduler",
        metavar="ADDRESS",
        envvar="STYLIZE_SCHEDULER",
        help="With --engine dask: tcp://HOST:8786, tls://HOST:8786, or the scheduler's .json file.",
    ),
    "object_cache": click.option(
        "--object-cache",
        type=SIZE,
        envvar="STYLIZE_OBJECT_CACHE",
        help="Keep copies of pictures from object storage up to this size.  [default: a tenth of the disk]",
    ),
    "preview": click.option(
        "--preview",
        type=click.IntRange(min=1),
        metavar="N",
        envvar="STYLIZE_PREVIEW",
        help="Keep a small picture of the pair at work every N steps, for the page and status --picture.",
    ),
    "save_every": click.option(
        "--save-every",
        type=click.IntRange(min=1),
        metavar="N",
        envvar="STYLIZE_SAVE_EVERY",
        help="Keep a numbered picture every N steps, below OUTPUT/.pipeline/steps.",
    ),
    "keep_previous": click.option(
        "--keep-previous",
        type=click.IntRange(min=1, max=MOST_KEPT),
        metavar="N",
        envvar="STYLIZE_KEEP_PREVIOUS",
        help="Keep the N last pictures of a pair that is painted anew, with their settings.",
    ),
    "events_file": click.option(
        "--events-file", type=FILE, envvar="STYLIZE_EVENTS_FILE", help="Add what happens to a file, as JSON lines."
    ),
    "metrics_file": click.option(
        "--metrics-file",
        type=FILE,
        envvar="STYLIZE_METRICS_FILE",
        help="Write how the run went as metrics, for Prometheus' textfile collector.",
    ),
    "junit": click.option(
        "--junit", type=FILE, envvar="STYLIZE_JUNIT", help="Write JUnit XML, one test case a pair, for CI servers."
    ),
}


def running(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that stand over a manifest's `run`.

    The command gets those that were given as one `over_run`, by name.
    """

    @functools.wraps(command)
    def with_over_run(**flags: Any) -> Any:
        given = {name: flags[name] for name in RUNNING if flags[name] is not None}
        others = {name: value for name, value in flags.items() if name not in RUNNING}
        return command(over_run=given, **others)

    flagged: Callable[..., Any] = with_over_run
    for option in reversed(RUNNING.values()):
        flagged = option(flagged)
    return flagged


def load(
    manifest: Path,
    settings: tuple[str, ...] = (),
    styles: tuple[Path, ...] = (),
    output: Path | None = None,
    *,
    strict: bool = False,
) -> Manifest:
    """The manifest, or that of a folder, with STYLIZE_SET and then `--set` laid over its options;
    `strict` as load_manifest has it.

    `styles` and `output` are for a folder. Raises UsageError where a manifest says them itself.
    """
    from pipeline.clip_names import VIDEO_SUFFIXES
    from pipeline.manifest import load_folder, load_manifest
    from pipeline.manifest.options.rules import PICTURE_SUFFIXES

    overrides = overrides_of(settings)
    refuse_addresses("--style", *styles)
    refuse_addresses("--output", output)
    if manifest.is_dir():
        return _warned(load_folder(manifest, styles, output, overrides=overrides, strict=strict))
    if manifest.suffix.lower() in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES) and manifest.exists():
        kind = "picture" if manifest.suffix.lower() in PICTURE_SUFFIXES else "video"
        raise click.UsageError(f"{printable(manifest)} is a {kind}; name its folder, or a manifest")
    if manifest.exists():
        for flag, name, value in (("--style", "styles", styles), ("--output", "output", output)):
            if value:
                raise click.UsageError(
                    f"{as_given(flag, name)} is for a folder of photographs; the manifest {printable(manifest)} says it itself"
                )
    return _warned(load_manifest(manifest, overrides=overrides, strict=strict))


def _warned(manifest: Manifest) -> Manifest:
    """The manifest, with a warning of every STYLIZE_ variable that means nothing."""
    return dataclasses.replace(manifest, warnings=(*manifest.warnings, *_strange_variables()))


# What is read beside the twins of flags; and what hooks and painting processes are told, who may
# start this program.
_OTHER_VARIABLES = ("STYLIZE_SET", "STYLIZE_RUN_ID", "STYLIZE_REPORT", "STYLIZE_EXIT", "STYLIZE_WORKER_THREADS")


def _strange_variables() -> list[str]:
    import difflib

    given = sorted(name for name in os.environ if name.startswith("STYLIZE_") and name not in _OTHER_VARIABLES)
    context = click.get_current_context(silent=True)
    if not given or context is None:
        return []
    root = context.find_root().command
    verbs = root.commands.values() if isinstance(root, click.Group) else ()
    flags = (parameter.envvar for verb in verbs for parameter in verb.params)
    known = [*_OTHER_VARIABLES, *(name for name in flags if isinstance(name, str))]
    warnings = []
    for name in given:
        if name in known:
            continue
        meant = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean '{meant[0]}'?" if meant else ""
        warnings.append(f"the environment variable {printable(name)} means nothing{hint}")
    return warnings


def overrides_of(settings: tuple[str, ...]) -> list[Override]:
    """What STYLIZE_SET and then `--set` lay over the options of every pair."""
    from pipeline.manifest import Override

    overrides = []
    from_environment = [line for line in os.environ.get("STYLIZE_SET", "").splitlines() if line.strip()]
    for origin, assignments in (("STYLIZE_SET", from_environment), ("--set", settings)):
        for assignment in assignments:
            option, equals, text = assignment.partition("=")
            if not equals:
                raise click.UsageError(f"{origin} wants option=value. Received: {assignment!r}")
            overrides.append(Override(option.strip(), text.strip(), origin))
    return overrides
