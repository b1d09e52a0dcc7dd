"""Questions about pictures that a process of its own answers, so that this one stays light."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import BadImage, EnvironmentProblem, ExitCode, OutOfMemory, UsageError
from pipeline.printable import last_line, printable


def look_at(path: Path) -> None:
    """Raise UsageError for what is no picture, or takes too much time or memory to decode: found
    out by the process that decodes within limits."""
    from pipeline.images.reader import READER

    if not path.is_file():
        raise UsageError(f"there is no picture {printable(path)}")
    try:
        READER.inspect(path)
    except (BadImage, OutOfMemory) as error:
        raise UsageError(str(error)) from error


def ask(module: str, question: Mapping[str, Any], called: str) -> dict[str, Any]:
    """What a module that is run as a process answers, JSON to JSON. Raises UsageError with its
    `error`, as for a picture that it cannot take, and EnvironmentProblem where that is the
    machine's by its `exit_code`, or it does not get so far; `called` names it there."""
    from pipeline.python_path import python_command

    done = subprocess.run(
        python_command(module),
        input=json.dumps(question).encode(),
        env=_environment(),
        capture_output=True,
        check=False,
    )
    if done.returncode or not done.stdout:
        words = last_line(io.BytesIO(done.stderr))
        raise EnvironmentProblem(f"the {called} ended with code {done.returncode}: {words}")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        machines = answer.get("exit_code") == ExitCode.ENVIRONMENT
        raise (EnvironmentProblem if machines else UsageError)(answer["error"])
    return answer


Ask = Callable[[Mapping[str, Any]], dict[str, Any]]


@contextmanager
def conversation(module: str, called: str, files: Sequence[int]) -> Iterator[Ask]:
    """What asks one question after the other of a module that is run as a process, a line each,
    and gets its answers; `files` are descriptors that it shares. Raises EnvironmentProblem where it
    ends before it has answered; `called` names it there."""
    from pipeline.python_path import python_command

    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            python_command(module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            pass_fds=files,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        pipes = process.stdin, process.stdout

        def ask_it(question: Mapping[str, Any]) -> dict[str, Any]:
            with suppress(BrokenPipeError):  # its silence is told below
                pipes[0].write(json.dumps(question).encode() + b"\n")
                pipes[0].flush()
            if not (line := pipes[1].readline()):
                raise EnvironmentProblem(f"the {called} ended with code {process.wait()}: {last_line(errors)}")
            answer: dict[str, Any] = json.loads(line)
            return answer

        try:
            yield ask_it
        finally:
            for pipe in pipes:
                with suppress(OSError):
                    pipe.close()
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    from pipeline.batch.system.environment import worker_environment
    from pipeline.batch.system.machine import worker_threads
    from pipeline.job import RunSettings

    return worker_environment(os.environ, worker_threads(RunSettings()), None)
