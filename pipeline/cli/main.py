"""The command itself: its verbs, and what becomes of a failure."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pipeline.cli.arguments import EXIT_CODES, HELP_WIDTH
from pipeline.cli.streams import secure_streams
from pipeline.errors import EnvironmentProblem, ExitCode, StylizeError, UsageError, exit_words
from pipeline.printable import printable_lines
from pipeline.python_path import leave_working_directory

if TYPE_CHECKING:
    from pipeline.batch.engines.protocol import OpenEngine


# Where each verb is defined, in the order of use.
_MODULES = {
    "paint": "paint",
    "measure": "measure",
    "masks": "masks",
    "run": "run",
    "preview": "run",
    "plan": "run",
    "check": "check",
    "init": "setup",
    "show": "show",
    "report": "show",
    "sheet": "sheet",
    "status": "status",
    "watch": "watch",
    "history": "show",
    "acknowledge": "show",
    "import": "setup",
    "presets": "setup",
    "schema": "setup",
    "doctor": "setup",
    "weights": "setup",
    "clean": "run",
}


class _Commands(Mapping[str, click.Command]):
    """The verbs by name. Each is loaded when it is asked for: all of them take longer than most of
    them work."""

    def __getitem__(self, verb: str) -> click.Command:
        module = import_module(f"pipeline.cli.{_MODULES[verb]}")
        command: click.Command = getattr(module, f"{verb}_" if iskeyword(verb) else verb)
        return command

    def __contains__(self, verb: object) -> bool:
        return verb in _MODULES  # Mapping's own would load it, and fail where it cannot be

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


class _Verbs(click.Group):
    """Lists the verbs in the order of use, and suggests the nearest for a misspelt one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            from pipeline.manifest.yaml.problems import suggestion

            hint = suggestion(args[0], self.commands) or f"; it is one of {', '.join(self.commands)}"
            raise click.UsageError(f"no verb {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        _look_at_working_directory()
        try:
            return super().invoke(ctx)
        # `stylize plan ... | head`; here, as click would make it exit code 1
        except BrokenPipeError:
            return ExitCode.OK


def _look_at_working_directory() -> None:
    """Raise UsageError where it was deleted: what a relative path means is not known then."""
    try:
        os.getcwd()
    except OSError as error:
        raise UsageError("the working directory is gone; change to a folder that exists (cd)") from error


# Containers that are made before the collector first looks for garbage. Starting makes 80,000 that
# stay, and looking at them again and again takes a twentieth of its time.
_COLLECT_AFTER = 100_000


def _collect_late() -> None:
    """Collect no garbage while the command starts, and as ever from then on: what a long night or a
    page throws away may be pictures, of which a hundred thousand containers are many."""
    usual = gc.get_threshold()

    def as_ever(_phase: str, _found: dict[str, int]) -> None:
        gc.set_threshold(*usual)
        gc.callbacks.remove(as_ever)

    gc.callbacks.append(as_ever)
    gc.set_threshold(_COLLECT_AFTER)


# Permissions, disks, shares and limits.
_OF_THE_MACHINE = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EROFS", "EIO", "ENOSPC", "EDQUOT", "ESTALE", "ENOTCONN", "EHOSTDOWN", "ETIMEDOUT"),
        *("ENODEV", "ENXIO", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN"),
    )
    if hasattr(errno, name)
)


@click.group(
    cls=_Verbs,
    commands=_Commands(),
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH},
)
@click.version_option(package_name="stylize-pipeline", message="%(version)s")
def cli() -> None:
    """Paint each photograph in each style, by the optimisation of Gatys, Ecker & Bethge,
    as a YAML manifest says.
    """


def main(engine: OpenEngine | None = None) -> None:
    """The console script. Never returns; failures that have a name end in one line, bugs in a
    traceback.

    `engine` is what `run` paints with, where it is not this machine's own processes."""
    _collect_late()
    secure_streams()
    leave_working_directory()
    try:
        code = cli.main(standalone_mode=False, obj=engine)
    except click.ClickException as error:
        _with_variable(error).show(said := io.StringIO())
        click.echo(printable_lines(said.getvalue()), nl=False, err=True)
        code = ExitCode.USAGE
        _say_of_a_run(code)
    except click.Abort:
        code = ExitCode.SIGINT
        _say_of_a_run(code)
    except StylizeError as error:
        code = _told(error)
    except Exception as error:
        if (trouble := _of_the_machine(error) or _of_a_name(error)) is not None:
            sys.exit(int(_told(trouble)))
        click.echo(printable_lines(traceback.format_exc()), nl=False, err=True)
        code = ExitCode.BUG
        _say_of_a_run(code)
    sys.exit(int(code or 0))


def _with_variable(error: click.ClickException) -> click.ClickException:
    """The error; of a wrong value that comes from the environment with the variable that has it, as
    nobody wrote the flag."""
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None or not error.param.name:
        return error
    if error.ctx.get_parameter_source(error.param.name) is not ParameterSource.ENVIRONMENT:
        return error
    told = f"{error.message.rstrip('.')}; it comes from the variable {error.param.envvar}"
    return click.BadParameter(told, error.ctx, error.param, error.param_hint)


def _told(error: StylizeError) -> ExitCode:
    from pipeline.cli.console import error_line

    click.echo(error_line(error), err=True)
    _say_of_a_run(error.exit_code)
    return error.exit_code


def _of_the_machine(error: Exception) -> StylizeError | None:
    """An error that nobody expected where it came, if it is plainly the machine's and no bug."""
    if isinstance(error, MemoryError):
        return EnvironmentProblem("memory ran out; close other programs, or take fewer or smaller pictures")
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return EnvironmentProblem(f"{where}{error.strerror}; see to it, and start again")
    return None


def _of_a_name(error: Exception) -> StylizeError | None:
    """An error that comes of a name in the command line alone: no file system has such a one."""
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP) and error.filename:
        return UsageError(f"{os.fsdecode(error.filename)}: {error.strerror}; give another name")
    return None


def _say_of_a_run(code: ExitCode) -> None:
    """A run's last line is its exit code in words, also where it was not even started."""
    if next((word for word in sys.argv[1:] if word in cli.commands), None) in ("run", "preview"):
        click.echo(exit_words(code), err=True)
