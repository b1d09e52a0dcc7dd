"""The driver's line to a Dask scheduler: the only module here that speaks Dask's language.

Each task is meant for one worker and no other, and asks for its slot: Dask neither moves it, nor
runs it again elsewhere, nor blames it for what happened to its neighbours (distributed#5234); what
is done about a lost worker is decided by whoever asked. Everything that is heard comes by `inbox`.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.errors import EnvironmentProblem

CONNECT_SECONDS = 30.0  # that a scheduler is tried to be reached; Dask's own default
_ANSWER_SECONDS = 30.0  # that it may take to answer
_LOOK_SECONDS = 0.2  # between two looks whether the run is stopped meanwhile
SLOT = "slot"  # the resource that workers offer: `dask worker ... --resources slot=1`
_CUT = "scheduler-connection-lost"  # what a client says of tasks whose scheduler is gone (distributed: client.py)
_NOBODY_HAS = "stylize-more"
PACKAGE = "run 'make cluster', or pip install 'dask[distributed]'"


@dataclass(frozen=True, slots=True)
class Offer:
    """A worker that offers a slot; `threads` are those that it was started with."""

    address: str
    threads: int


class Heard(NamedTuple):
    """What came of the task `token`: lines that it `said`, or its `answer`, or that Dask `lost` it
    and why."""

    token: str
    said: tuple[str, ...] = ()
    answer: Mapping[str, Any] | None = None
    lost: str = ""

    @property
    def died(self) -> bool:
        """Was it lost with its worker, and not by an error there?"""
        return self.lost.startswith(("KilledWorker", "FutureCancelledError", "TimeoutError"))


class Link:
    """A connection that stands. `inbox` fills from threads of Dask's."""

    def __init__(self, client: Any, address: str, topic: str) -> None:
        self.inbox: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.topic = topic
        self._client, self._address = client, address
        self._futures: dict[str, Any] = {}
        self._more: list[Any] = []
        client.subscribe_topic(topic, self._hear)

    @property
    def stands(self) -> bool:
        """Is the scheduler there? One that comes back knows nothing of our tasks."""
        return bool(self._client.status == "running")

    def cut(self, heard: Heard) -> bool:
        """Was a task lost because the scheduler is gone?"""
        return bool(heard.lost) and (_CUT in heard.lost or not self.stands)

    def offers(self) -> list[Offer]:
        """The workers that offer a slot now, by their addresses; raises EnvironmentProblem where
        the scheduler does not answer."""
        try:
            workers = self._client.sync(
                self._client.scheduler.identity, n_workers=-1, callback_timeout=_ANSWER_SECONDS
            )["workers"]
        except Exception as error:  # of its many libraries, all mean this
            raise self.gone() from error
        return [
            Offer(address, int(worker["nthreads"]))
            for address, worker in sorted(workers.items())
            if worker["resources"].get(SLOT, 0) >= 1 and worker["status"] in ("running", "paused")
        ]

    def gone(self) -> EnvironmentProblem:
        """What there is to say of a scheduler that answers no more."""
        return EnvironmentProblem(
            f"the Dask scheduler {self._address} is gone; what is finished is safe: start it again, and run again"
        )

    def submit(self, token: str, address: str, task: Callable[..., Any], order: Any, *, slot: bool) -> None:
        """Have `task(order)` run by one worker; `slot` says that it takes the worker's slot. A line
        that broke this very moment has lost it."""
        try:
            future = self._client.submit(
                task,
                order,
                key=f"stylize-{token}",
                workers=[address],
                allow_other_workers=False,
                resources={SLOT: 1} if slot else None,
                retries=0,
                pure=False,
            )
        except Exception as error:  # of its many libraries, all mean this
            self.inbox.put(Heard(token, lost=_in_a_line(error)))
            return
        self._futures[token] = future
        future.add_done_callback(lambda future: self._done(token, future))

    def drop(self, token: str) -> None:
        """Want it no more: the worker saves and leaves it where it is at work."""
        if (future := self._futures.pop(token, None)) is not None:
            with suppress(Exception):  # no scheduler, no task
                future.release()

    def call_for_more(self, task: Callable[[], Any], workers: int) -> None:
        """Have as many tasks wait that no worker can run, so that a cluster which grows with its
        work sees that it is too small; 0 takes them back."""
        while len(self._more) < workers:
            key = f"stylize-more-{secrets.token_hex(8)}"
            try:
                more = self._client.submit(task, key=key, resources={SLOT: 1, _NOBODY_HAS: 1}, pure=False)
            except Exception:  # who looks next finds that the line is broken
                return
            self._more.append(more)
        while len(self._more) > workers:
            with suppress(Exception):
                self._more.pop().release()

    def close(self) -> None:
        """Let go of everything."""
        with suppress(Exception):
            self._client.close(timeout=5)

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        _, message = event
        self.inbox.put(Heard(message["token"], said=tuple(message["lines"])))

    def _done(self, token: str, future: Any) -> None:
        if token not in self._futures:
            return  # dropped
        try:
            heard = Heard(token, answer=future.result(timeout=_ANSWER_SECONDS))
        except Exception as error:
            heard = Heard(token, lost=_in_a_line(error))
        self.inbox.put(heard)


def check_installed() -> None:
    """Raises EnvironmentProblem where Dask is not here. Imports nothing."""
    if any(importlib.util.find_spec(name) is None for name in ("dask", "distributed")):
        raise EnvironmentProblem(f"the engine dask needs packages that are not installed: {PACKAGE}")


def connect(address: str, topic: str, stop: Callable[[], bool]) -> Link | None:
    """A line to the scheduler at `address`, or in the file that it wrote (`--scheduler-file`); None
    where the run is stopped meanwhile. Raises EnvironmentProblem within half a minute."""
    check_installed()
    import dask

    dask.config.set({"logging": {"distributed": "critical"}})  # it is we who speak
    import distributed

    for name in ("distributed", "distributed.client", "distributed.core", "distributed.batched", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    box: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def try_to() -> None:
        try:
            there = _address_of(address)
            box.put(distributed.Client(there, timeout=CONNECT_SECONDS, set_as_default=False))
        except Exception as error:
            box.put(error)

    threading.Thread(target=try_to, daemon=True).start()
    until = time.monotonic() + 2 * CONNECT_SECONDS
    while not stop():
        with suppress(queue.Empty):
            got = box.get(timeout=_LOOK_SECONDS)
            if not isinstance(got, Exception):
                return Link(got, address, topic)
            raise _unreachable(address, _in_a_line(got)) from got
        if time.monotonic() > until:
            raise _unreachable(address, "no answer")
    return None


def _unreachable(address: str, why: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"the Dask scheduler {address} cannot be reached: {why}; start one with 'dask scheduler', or see --scheduler"
    )


def _address_of(scheduler: str) -> str:
    """The address itself, or what stands in a scheduler's file, once it is written."""
    if not scheduler.endswith(".json"):
        return scheduler
    until = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            with open(scheduler, encoding="utf-8") as file:
                return str(json.load(file)["address"])
        except (OSError, ValueError, KeyError, TypeError):
            if time.monotonic() > until:
                raise
        time.sleep(_LOOK_SECONDS)


def _in_a_line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
