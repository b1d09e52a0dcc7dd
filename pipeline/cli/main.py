"""The command itself: its verbs, and what becomes of a failure."""

from __future__ import annotations

import io
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import run, setup, show
from pipeline.cli.arguments import EXIT_CODES, HELP_WIDTH
from pipeline.errors import ExitCode, StylizeError, exit_words
from pipeline.python_path import leave_working_directory

if TYPE_CHECKING:
    from pipeline.batch.engines.protocol import OpenEngine


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
        try:
            return super().invoke(ctx)
        # `stylize plan ... | head`; here, as click would make it exit code 1
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.OK


@click.group(
    cls=_Verbs,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH},
)
@click.version_option(package_name="stylize-pipeline", message="%(version)s")
def cli() -> None:
    """Paint each photograph in each style, by the optimisation of Gatys, Ecker & Bethge,
    as a YAML manifest says.
    """


for _verb in (
    run.run,
    run.plan,
    run.check,
    setup.init,
    show.show,
    show.report,
    show.status,
    show.history,
    setup.presets,
    setup.schema,
    setup.doctor,
    setup.weights,
    run.clean,
):
    cli.add_command(_verb)


def main(engine: OpenEngine | None = None) -> None:
    """The console script. Never returns; failures that have a name end in one line, bugs in a
    traceback.

    `engine` is what `run` paints with, where it is not this machine's own processes."""
    leave_working_directory()
    # a letter that the terminal lacks stops nothing; stderr is so anyway
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(standalone_mode=False, obj=engine)
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
        _say_of_a_run(code)
    except click.Abort:
        code = ExitCode.SIGINT
        _say_of_a_run(code)
    except StylizeError as error:
        from pipeline.cli.console import error_line

        click.echo(error_line(error), err=True)
        code = error.exit_code
    except Exception:
        traceback.print_exc()
        code = ExitCode.BUG
        _say_of_a_run(code)
    sys.exit(int(code or 0))


def _say_of_a_run(code: ExitCode) -> None:
    """A run's last line is its exit code in words, also where it was not even started."""
    if next((word for word in sys.argv[1:] if word in cli.commands), None) == "run":
        click.echo(exit_words(code), err=True)
