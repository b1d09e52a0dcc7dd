"""What a run asks of whatever paints its pairs: processes of this machine, a cluster, or a script
in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from pipeline.batch.messages import Command, Machine, PairMessage
from pipeline.job import RunSettings


class Event(NamedTuple):
    """Something was said of the pair with this output name."""

    output: str
    message: PairMessage


class Remark(NamedTuple):
    """Something that a reader of the run should know, and that is no pair's."""

    text: str


class Engine(Protocol):
    """Paints pairs and says how it goes. No pair can take the run with it."""

    @property
    def machine(self) -> Machine | None:
        """Where pairs are painted; None until the first worker has started up."""

    def run(self, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Event | Remark]:
        """Paint until `next_command` has no more to give; yield events as they come.

        Each pair begins with `Started` and has one last message (messages.LastMessage); one that
        the caller gives again is a new pair here. `next_command` gives None where there is nothing
        to start now, and is asked again after each last message. When `stop()` says so, the pairs
        in hand are saved, and end as Interrupted or Killed. Raises EnvironmentProblem where nothing
        can be painted.
        """


OpenEngine = Callable[[RunSettings, Path], Engine]
"""Makes the engine of a run, given its settings and the file for what goes wrong. Starts nothing
yet."""
