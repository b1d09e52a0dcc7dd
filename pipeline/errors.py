"""The failures a user can cause or meet, one small tree, and the exit codes they lead to.

Everything the project raises on purpose is a `StylizeError`; anything else that escapes is a bug
(exit code 1, with its traceback in the log). A message is one sentence: where, what is wrong, what
was got, what to do now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """What a scheduler sees. The numbers are promised; `EXITS` says what each means."""

    OK = 0
    BUG = 1
    USAGE = 2
    SOME_FAILED = 3
    ENVIRONMENT = 4
    DEADLINE = 10
    LOCKED = 11
    QUARANTINED = 12
    SIGINT = 130
    SIGTERM = 143


class Exit(NamedTuple):
    """An exit code in words, wherever words are wanted.

    `words` end a run's last line, `summary` stands in `--help` and in the README, `sentence` tells
    a reader of the report or the README what became of the run.
    """

    words: str
    summary: str
    sentence: str


_STOPPED = "The run was stopped before its end. What is finished is safe; the next run goes on where this one stopped."

EXITS = {
    ExitCode.OK: Exit("all up to date", "all up to date", "Every picture that is wanted is there."),
    ExitCode.BUG: Exit(
        "a bug",
        "a bug",
        "An error nobody foresaw ended the run; its traceback is in the log. What is finished is safe.",
    ),
    ExitCode.USAGE: Exit(
        "usage or manifest, nothing was started",
        "usage or manifest (nothing was started)",
        "The command line or the manifest is wrong; the message says where.",
    ),
    ExitCode.SOME_FAILED: Exit(
        "some failed",
        "at least one pair failed in this run",
        "The run came to its end. Pairs that failed are in the report with their reasons.",
    ),
    ExitCode.ENVIRONMENT: Exit(
        "environment",
        "environment (weights, disk, memory, output not writable)",
        "The machine, not a picture, stood in the way: see the warnings, and run stylize doctor.",
    ),
    ExitCode.DEADLINE: Exit(
        "deadline, pairs are left",
        "deadline with pairs left",
        "The deadline came with pairs left. The next run goes on with them.",
    ),
    ExitCode.LOCKED: Exit(
        "another run holds the output",
        "another run holds the output",
        "Nothing was started. The message names the other run; --wait waits for its end.",
    ),
    ExitCode.QUARANTINED: Exit(
        "quarantined pairs are left",
        "nothing failed, but pairs are quarantined",
        "Nothing failed in this run. Pairs that failed too often before are still quarantined; "
        "stylize acknowledge PATTERN MANIFEST says that you know of them.",
    ),
    ExitCode.SIGINT: Exit("stopped by Ctrl-C", "stopped by SIGINT", _STOPPED),
    ExitCode.SIGTERM: Exit("stopped by SIGTERM", "stopped by SIGTERM", _STOPPED),
}


def exit_words(code: int) -> str:
    """`exit 3 (some failed)`."""
    return f"exit {int(code)} ({EXITS[ExitCode(code)].words})"


_PRECEDENCE = (
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.LOCKED,
    ExitCode.ENVIRONMENT,
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
    ExitCode.SOME_FAILED,
    ExitCode.DEADLINE,
    ExitCode.QUARANTINED,
    ExitCode.OK,
)


def weightiest(codes: Iterable[ExitCode]) -> ExitCode:
    """The one code to exit with when several apply: 1 > 4 > 130/143 > 3 > 10 > 12 > 0."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.OK)


class StylizeError(Exception):
    """Root of every failure that has a name. `exit_code` is the run's, where this ends the run."""

    exit_code: ExitCode = ExitCode.BUG


class UsageError(StylizeError):
    """The command line, a Python call or a STYLIZE_ variable asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class OptionError(UsageError, ValueError):
    """An option has a value it cannot have.

    Also a ValueError, for callers of `pipeline.stylize`.
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a manifest, with its place.

    `line` and `column` count from 1; 0 means the file as a whole. `caret` is the column of the
    caret under `source_line`, from 1, where that line was cut; 0 means under `column`.
    """

    file: str
    line: int
    column: int
    message: str
    source_line: str = ""
    caret: int = 0

    def __str__(self) -> str:
        if not self.line:
            return f"{self.file}: error: {self.message}"
        head = f"{self.file}:{self.line}:{self.column}: error: {self.message}"
        if not self.source_line:
            return head
        return f"{head}\n{self.line:>5} | {self.source_line}\n      | {' ' * ((self.caret or self.column) - 1)}^"


_SHOWN_PROBLEMS = 50  # more than a screen; who has that many made one of them many times


class ManifestError(StylizeError):
    """A manifest that cannot be started: every problem at once, in file order. The text has the
    first fifty and the number of the others."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:_SHOWN_PROBLEMS]]
        if more := len(self.problems) - len(shown):
            shown.append(f"{self.problems[0].file}: and {more} more {'problem' if more == 1 else 'problems'}")
        super().__init__("\n".join(shown))


class PairError(StylizeError):
    """One pair cannot be painted. The others go on; the run ends with 3.

    `reason_class` is a short stable word for grouping (report, quarantine); `retry` says whether
    trying again can help.
    """

    exit_code = ExitCode.SOME_FAILED
    reason_class = "error"
    retry = False


class BadImage(PairError):
    """An input picture that cannot be opened, or that must not be."""

    reason_class = "bad_image"


class BadOutput(PairError):
    """The output's name is taken by something that a run must not replace, or cannot be a file."""

    reason_class = "output"


class OutputRefused(BadOutput):
    """The file system does not take this one output: its name, or its bytes. Only a try shows
    it."""

    reason_class = "output_refused"


class Diverged(PairError):
    """The descent met a loss or gradient that is not finite."""

    reason_class = "diverged"
    retry = True


class WorkerDied(PairError):
    """The process that painted the pair ended before it could say how the pair went."""

    reason_class = "worker_died"
    retry = True


class MachineLost(PairError):
    """The machine of a cluster that painted the pair is gone, or was taken away, which is not the
    pair's doing."""

    reason_class = "machine_lost"
    retry = True


class OutOfMemory(PairError):
    """The pair needed more memory than it may have."""

    reason_class = "memory"
    retry = True


class TimedOut(PairError):
    """The pair took longer than `pair_timeout`."""

    reason_class = "timeout"
    retry = True


class ObjectTrouble(PairError):
    """An object cannot be read or written, as its store or the network has it, also after several
    tries."""

    reason_class = "object_store"


class EnvironmentProblem(StylizeError):
    """The machine, not the manifest, stands in the way. `reason_class` as of a PairError."""

    exit_code = ExitCode.ENVIRONMENT
    reason_class = "environment"


class WeightsError(EnvironmentProblem):
    """The network's weights are missing, not the file they should be, or not VGG19's."""


class OutputError(EnvironmentProblem):
    """The output folder cannot be written."""


class DiskFull(OutputError):
    """The output's disk takes no more, or too little is free to begin."""

    reason_class = "disk"


class Stopped(StylizeError):
    """A signal ended the run before anything was started."""

    def __init__(self, number: int) -> None:
        self.exit_code = ExitCode(128 + number)
        super().__init__("stopped before anything was started")


class OutOfTime(StylizeError):
    """The deadline came while a run was still looking at what there is to do."""

    exit_code = ExitCode.DEADLINE

    def __init__(self) -> None:
        super().__init__("not looked at before the deadline")


class Locked(StylizeError):
    """Another run holds this output folder."""

    exit_code = ExitCode.LOCKED
