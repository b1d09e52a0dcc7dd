"""What runs in a Dask worker: a thin host of one supervised painting process.

A pair comes as a task, and this machine's own engine paints it (engines/local): whatever happens to
the painting process is the answer for its pair, and does not reach the worker. The process is kept
for the next pair. What it says goes to the driver by Dask's events, in bundles; its last word is
the task's result, which is not kept by the scheduler as events are.

The painter saves and stops where the driver no longer wants the pair (Dask drops a task whose
client is gone), and where the worker itself is closed.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
import signal
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from pipeline.batch.engines.cluster.proof import prove_folder, unseen, versions
from pipeline.batch.engines.local import LocalEngine
from pipeline.batch.messages import (
    Command,
    Failed,
    Interrupted,
    Killed,
    LastMessage,
    Machine,
    PairMessage,
    Ready,
    Started,
    decode_command,
    encode,
)
from pipeline.errors import ExitCode, PairError, Stopped, StylizeError
from pipeline.job import Job, RunSettings
from pipeline.nst.weights import AUTOMATIC, NetworkWeights, locate
from pipeline.objects.cache import copies_in_use
from pipeline.objects.fetching import Fetched
from pipeline.urls import local_path, url_of, with_addresses

ME = uuid.uuid4().hex
"""This process: one that was started in its place, under the same address, is another."""
_LOOK_SECONDS = 0.25  # between two looks whether the pair is still wanted
_BUNDLE_SECONDS = 0.5  # of messages, between two bundles
_IDLE_SECONDS = 120.0  # that a painting process is kept without a pair: it holds a network's memory
# A nanny kills its worker eight seconds after it was told to close (distributed 2026.8: nanny.py,
# 0.8 of 10 s), and the engine leaves a painter seven to save.
_CLOSE_SECONDS = 7.8

_LOOKS = ("profile", "profile-cycle", "tick")  # distributed 2026.8: worker.py, core.py

Answer = dict[str, Any]
_places: dict[str, tuple[int, int]] = {}  # by output folder: which one was proven
_weights: dict[str, NetworkWeights] = {}  # by name: what was found here
_one_at_a_time = threading.Lock()
_host: _Host | None = None


def prove(question: Mapping[str, str]) -> Answer:
    """Who this worker is, and whether it sees the folder (proof): `me`, `host`, `versions`, and
    `trouble`, which is empty where all is well."""
    answer: Answer = {"me": ME, "host": socket.gethostname(), "versions": versions(), "trouble": ""}
    worker = get_worker()
    if Drain.name not in worker.plugins:
        worker.loop.add_callback(worker.plugin_add, Drain(), Drain.name)
        worker.loop.add_callback(_quiet, worker)
    try:
        place = prove_folder(Path(question["folder"]), question["name"], question["token"])
    except StylizeError as error:
        return answer | {"trouble": str(error)}
    except Exception as error:  # an answer, as not every exception can be sent
        return answer | {"trouble": f"failed to look at the output folder ({type(error).__name__})"}
    _places[question["folder"]] = place
    return answer


def paint(order: Mapping[str, Any]) -> Answer:
    """Have a pair painted: `last`, its last message; or `unfit`, why this machine cannot paint it
    though another may; or `stranger`, where the order was another process'."""
    if order["me"] != ME:
        return {"stranger": True}
    try:
        return _ordered(order)
    except Exception as error:
        bug = Failed(
            reason=f"unexpected {type(error).__name__} in a worker of the cluster",
            reason_class="bug",
            exit_code=ExitCode.BUG,
            traceback=traceback.format_exc(),
        )
        return {"last": encode(bug).decode()}


def _ordered(order: Mapping[str, Any]) -> Answer:
    command = decode_command(order["command"])
    if path := unseen(order["inputs"]):
        return {"unfit": f"does not see {path} as it is here"}
    try:
        weights = _weights_here(command.weights)
    except StylizeError as error:
        return {"unfit": f"has not the network's weights: {error}"}
    command = replace(command, weights=weights, place=_places.get(str(command.folder)))
    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    voice = _Voice(lambda lines: worker.log_event(order["topic"], {"token": order["token"], "lines": lines}))

    def wanted() -> bool:
        return task is None or task.state != "cancelled"

    def check_wanted() -> None:
        if not wanted():
            raise Stopped(signal.SIGTERM)

    objects = order["objects"]
    with _one_at_a_time, copies_in_use(map(local_path, objects.values()), order["object_cache"]):
        try:
            job = fetched_here(command.job, objects, check_wanted)
        except PairError as error:
            return {"last": encode(Failed.by(error)).decode()}
        except Stopped:
            return {"last": encode(Interrupted()).decode()}
        except StylizeError as error:
            return {"unfit": f"cannot read the pictures: {error}"}
        return _paint(order, replace(command, job=job), voice, wanted)


def more() -> None:
    """Never runs: a task that waits for a worker nobody has, so that a cluster that grows with its
    work sees that there is more of it (distributed: Scheduler.adaptive_target)."""


class Drain(WorkerPlugin):
    """Has the pair in hand saved when the worker is closed, before it tells the scheduler so."""

    name = "stylize-drain"

    async def teardown(self, worker: Worker) -> None:
        """What Dask calls in closing."""
        if (host := _host) is not None:
            await asyncio.to_thread(host.leave, _CLOSE_SECONDS)


def _quiet(worker: Worker) -> None:
    """Have Dask no longer write down a hundred times a second where a thread stands that waits, nor
    look fifty times whether its own loop is late: 0.037 of a core of each worker (measured over 25
    seconds, docs/farm.md), which another painter may want."""
    for name in _LOOKS:
        if name in worker.periodic_callbacks:
            worker.periodic_callbacks[name].stop()


def _weights_here(weights: NetworkWeights) -> NetworkWeights:
    """The same weights where this machine has them. Raises WeightsError."""
    if weights.path is None or weights.name not in AUTOMATIC:
        return weights  # a file of the user's own, in the shared folder
    if weights.name not in _weights:
        _weights[weights.name] = locate(weights.name)
    return _weights[weights.name]


def _paint(order: Mapping[str, Any], command: Command, voice: _Voice, wanted: Callable[[], bool]) -> Answer:
    global _host
    for _ in range(2):  # one that has just gone for want of work is replaced
        log = _log_here(Path(order["log"]))
        if _host is None or _host.over or (_host.orders, _host.log) != (order["settings"], log):
            if _host is not None:
                _host.leave(_CLOSE_SECONDS)
            _host = _Host(order["settings"], log)
        if (answer := _host.paint(command, voice, wanted)) is not None:
            return answer
    return {"unfit": "its painting process ended for no reason that is known"}


def _log_here(log: Path) -> Path:
    """This worker's own log beside the driver's: what several machines add to one file of a network
    folder is mixed up."""
    name = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
    return log.with_name(f"{log.stem}.{name}-{os.getpid()}{log.suffix}")


class _Voice:
    """Says messages in bundles, as lines of batch/messages."""

    def __init__(self, send: Callable[[list[str]], object]) -> None:
        self._send = send
        self._lines: list[str] = []
        self._sent = 0.0

    def say(self, message: Ready | PairMessage) -> None:
        """Keep it for the next bundle."""
        self._lines.append(encode(message).decode())

    def send(self, *, now: bool = False) -> None:
        """The bundle, if it is time for it."""
        if self._lines and (now or time.monotonic() - self._sent >= _BUNDLE_SECONDS):
            self._send(self._lines)
            self._lines, self._sent = [], time.monotonic()


class _Host:
    """This machine's engine with one slot, on a thread of its own: its painter dies with the thread
    that started it (prctl(2), PR_SET_PDEATHSIG). `orders` and `log` are what it was made with,
    `over` says that it takes no pair any more."""

    def __init__(self, orders: Mapping[str, Any], log: Path) -> None:
        self.orders, self.over = orders, False
        self.log = log
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._said: queue.SimpleQueue[tuple[PairMessage, Machine | None] | Exception | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._serve, name="stylize-host", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            orders = dict(self.orders)
            worker = orders.pop("worker")
            engine = LocalEngine(RunSettings(**orders), self.log, worker=worker)
            for event in engine.run(self._next, self._stop.is_set):
                self._said.put((event.message, engine.machine))
        except Exception as error:
            self._said.put(error)
        self.over = True
        self._said.put(None)

    def _next(self) -> Command | None:
        try:
            return self._commands.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            return None

    def leave(self, seconds: float) -> None:
        """Have the pair in hand saved and the painter ended, and wait so long for it."""
        until = time.monotonic() + seconds
        self._leave()
        self._idle.wait(seconds)
        self._thread.join(max(0.0, until - time.monotonic()))

    def _leave(self) -> None:
        self._stop.set()
        self._commands.put(None)

    def paint(self, command: Command, voice: _Voice, wanted: Callable[[], bool]) -> Answer | None:
        """As the module's; None where the engine had ended before it took the pair."""
        self._idle.clear()
        try:
            return self._paint(command, voice, wanted)
        finally:
            self._idle.set()

    def _paint(self, command: Command, voice: _Voice, wanted: Callable[[], bool]) -> Answer | None:
        begun, known = False, False
        self._commands.put(command)
        while True:
            if not wanted():
                self._leave()
            voice.send()
            try:
                said = self._said.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if said is None:
                return {"last": encode(Killed()).decode()} if begun else None
            if isinstance(said, StylizeError):
                return {"unfit": str(said)}
            if isinstance(said, Exception):
                raise said
            message, machine = said
            begun = True
            if machine is not None and not known:
                known = True
                voice.say(Ready(machine))
            if isinstance(message, Failed):  # of copies on this machine nobody else knows
                message = replace(message, reason=with_addresses(message.reason))
            if isinstance(message, LastMessage):
                # the result of a task that is not wanted is not asked for
                if isinstance(message, Interrupted | Killed) or not wanted():
                    voice.say(message)
                voice.send(now=True)
                return {"last": encode(message).decode()}
            voice.say(message)
            if isinstance(message, Started):
                voice.send(now=True)


def addresses(job: Job) -> dict[str, str]:
    """Of the files of a job that stand for objects on this machine, which those are."""
    return {str(path): url for path in job.inputs if (url := url_of(path))}


def fetched_here(job: Job, objects: Mapping[str, str], check_cancelled: Callable[[], object]) -> Job:
    """The job of another machine, with `objects` as that one has them (`addresses`), of copies on
    this one. Raises PairError for a picture that cannot be had, EnvironmentProblem where this
    machine cannot read their store, and what `check_cancelled` raises."""
    here = {Path(path): local_path(url) for path, url in objects.items()}
    fetched = Fetched(here.values(), check_cancelled)
    for path in here.values():
        fetched.check(path)
    return job.with_inputs(here)
