"""Where a run on a cluster stands: its workers, and the pairs that they have."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pipeline.batch.engines.cluster.link import Link, Offer
from pipeline.batch.engines.protocol import Event
from pipeline.batch.messages import Command, Started
from pipeline.printable import printable


@dataclass(eq=False)
class Worker:
    """One that offers a slot. It paints once it has shown `me`, which process it is; `unfit` says
    why it does not."""

    offer: Offer
    me: str = ""
    host: str = ""
    unfit: str = ""
    pair: str = ""  # the token of its task
    leaving: bool = False  # it gave its pair back

    @property
    def free(self) -> bool:
        """May it be given a pair?"""
        return bool(self.me) and not (self.unfit or self.pair or self.leaving)

    def __str__(self) -> str:
        return f"{self.offer.address} on {printable(self.host)}" if self.host else self.offer.address


@dataclass(eq=False)
class Pair:
    """A pair that a worker has; `begun` says that it was heard of."""

    command: Command
    worker: Worker
    begun: bool = False

    @property
    def output(self) -> str:
        """What the engine calls it."""
        return self.command.label


@dataclass(eq=False)
class Work:
    """Where a run stands: workers by address, tasks by token, pairs that no worker began."""

    link: Link
    question: Mapping[str, str]
    workers: dict[str, Worker] = field(default_factory=dict)
    probes: dict[str, Worker] = field(default_factory=dict)
    pairs: dict[str, Pair] = field(default_factory=dict)
    again: deque[Command] = field(default_factory=deque)
    moves: dict[str, int] = field(default_factory=dict)  # by output
    settled: bool = False  # nothing has come since pairs were last given away, but readings
    looked: float = -1e9
    alone_since: float = field(default_factory=time.monotonic)

    def next(self, next_command: Callable[[], Command | None]) -> Command | None:
        """The pair to be given away next, if there is one now."""
        return self.again.popleft() if self.again else next_command()


def begin(pair: Pair) -> Iterator[Event]:
    """`Started`, where that was not said yet."""
    if not pair.begun:
        pair.begun = True
        yield Event(pair.output, Started())
