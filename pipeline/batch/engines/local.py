"""Pairs are painted by child processes, which may die: whatever happens to them becomes an answer.

A worker that is killed, hangs, or eats memory costs its own pair and nothing else. Workers are
fresh processes (never forked after TensorFlow), in process groups of their own; stderr is a log.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from pipeline.batch.engines.lifetime import Growth, death, last_words
from pipeline.batch.engines.protocol import Event
from pipeline.batch.messages import (
    Command,
    Done,
    Failed,
    Interrupted,
    Killed,
    LastMessage,
    Machine,
    Message,
    Opening,
    Ready,
    Saved,
    Started,
    decode,
    encode,
)
from pipeline.batch.system.environment import worker_environment
from pipeline.batch.system.machine import devices, memory, worker_threads
from pipeline.batch.system.nodes import Processors, places, stay_on
from pipeline.batch.system.pausing import AwakeClock, stopping_together
from pipeline.errors import EnvironmentProblem, OutOfMemory, OutputError, PairError, TimedOut
from pipeline.job import RunSettings
from pipeline.python_path import python_command, why_not_started
from pipeline.store.disk import open_log

WORKER = "pipeline.batch.engines.worker"  # the module that a worker runs
# how often memory, time and the stop flag are looked at; short beside one evaluation's importance
_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL, for a worker whose time is up
# For saving what is in hand when the run is stopped: with the report, or a kill, all is over within
# ten seconds on a busy machine too (8 s was too much in two of 300 trials of make chaos).
_SAVE_SECONDS = 7.0
_MESSAGE_BYTES = 1 << 16


class LocalEngine:
    """An Engine (engines/protocol) of as many processes as the settings say. `worker` is the module
    that they run; stderr and stdout of all go to the file `log`."""

    def __init__(self, settings: RunSettings, log: Path, *, worker: str = WORKER) -> None:
        self._asked_for = settings.pair_timeout
        self._max_memory = settings.max_memory
        # what a worker may hold when a pair begins, where it is not said for each: its share
        whole = settings.max_memory or memory()[0]
        each = settings.max_memory is not None and not settings.shared_memory
        self._room = whole if each else whole // settings.workers
        threads = worker_threads(settings)
        self._clock = AwakeClock()
        self._slots = [
            _Slot(worker=worker, log=log, threads=threads, device=device, place=place, awake=self._clock)
            for device, place in zip(devices(settings.workers), places(settings.workers, threads), strict=True)
        ]
        self.machine: Machine | None = None

    def run(self, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Event]:
        """See Engine."""
        try:
            with stopping_together(self._signal):
                yield from self._run(next_command, stop)
        except EnvironmentProblem:  # of one worker: the others save what they have in hand
            yield from self._interrupt()
            raise
        finally:
            for slot in self._slots:
                slot.end()

    def _run(self, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Event]:
        while True:
            if stop():
                yield from self._interrupt()
                return
            for slot in self._slots:
                if slot.pair is None and (command := next_command()) is not None:
                    slot.give(command, self._room)
                    yield Event(command.label, Started())
            busy = [slot for slot in self._slots if slot.pair is not None]
            if not busy:
                return
            yield from self._wait(busy)

    def _signal(self, number: signal.Signals) -> None:
        for slot in self._slots:
            slot.signal(number)

    def _wait(self, busy: list[_Slot]) -> Iterator[Event]:
        ready = _readable(busy, _LOOK_SECONDS)
        for slot in busy:
            if slot in ready:
                yield from self._listen(slot)
            error = self._overstepped(slot) if slot.pair is not None else None
            if error and not (isinstance(error, OutOfMemory) and slot.begin_afresh()):
                yield _lost(slot, error)

    def _listen(self, slot: _Slot) -> Iterator[Event]:
        for message in slot.read():
            if isinstance(message, Ready):
                self.machine = message.machine
                slot.clock = slot.awake.now()
                slot.ready = True
                continue
            if isinstance(message, Opening):
                slot.opening = message
                continue
            pair = slot.pair
            assert pair is not None  # a worker speaks only of the pair it has
            # by somebody else than us: its end is a death like others
            if isinstance(message, Interrupted):
                continue
            if isinstance(message, Failed) and message.reason_class == OutOfMemory.reason_class:
                if slot.begin_afresh():
                    return
                slot.end(kill=True)  # another try begins in a fresh one
            elif isinstance(message, LastMessage):
                slot.finished(message)
            elif isinstance(message, Saved) and message.part:
                slot.clock = slot.awake.now()
            yield Event(pair, message)
        if slot.closed and slot.pair is not None:
            code = slot.wait()
            if not slot.ready and code is not None and code >= 0:
                slot.end()
                raise EnvironmentProblem(f"the painting process cannot start: {last_words(slot.log)}; see {slot.log}")
            yield _lost(slot, death(code, slot.log, slot.opening))

    def _overstepped(self, slot: _Slot) -> PairError | None:
        if slot.seconds is not None and slot.awake.now() - slot.clock > slot.seconds:
            if self._asked_for is not None:
                todo = "raise pair_timeout, or lower size or steps"
            else:
                todo = "far more than was estimated; set pair_timeout where it needs more, or lower size or steps"
            return TimedOut(f"not finished after {slot.seconds:.15g} s; {todo}")
        if self._max_memory is not None and (held := slot.memory()) > self._max_memory:
            return OutOfMemory(
                f"needs more memory than max_memory allows ({held / 2**30:.1f} GiB > {self._max_memory / 2**30:.1f} GiB); "
                "lower size, or raise max_memory"
            )
        return None

    def _interrupt(self) -> Iterator[Event]:
        """Ask all workers to save and go; who does not in time is killed."""
        until = self._clock.now() + _SAVE_SECONDS
        for slot in self._slots:
            slot.ask_to_stop()
        while (busy := [slot for slot in self._slots if slot.pair is not None and not slot.closed]) and (
            left := until - self._clock.now()
        ) > 0:
            for slot in _readable(busy, min(left, _LOOK_SECONDS)):
                for message in slot.read():
                    if slot.pair is not None and not isinstance(message, Ready | Opening):
                        yield Event(slot.pair, message)
                        if isinstance(message, LastMessage):
                            slot.pair = None
        for slot in self._slots:
            pair = slot.pair
            slot.end(kill=True)
            if pair is not None:
                yield Event(pair, Killed())


def _lost(slot: _Slot, error: PairError) -> Event:
    """The slot's pair failed with its worker, which is ended."""
    pair = slot.pair
    assert pair is not None
    slot.end(kill=isinstance(error, OutOfMemory))  # no time for what needs more memory still
    return Event(pair, Failed.by(error))


@dataclass(eq=False)
class _Slot:
    """One place for a worker, which is started when there is a pair and kept for the next."""

    worker: str
    log: Path
    threads: int
    device: str | None
    place: Processors | None  # that it is kept on
    awake: AwakeClock
    pair: str | None = None  # its label
    clock: float = 0.0  # when the pair was begun, by `awake`
    seconds: float | None = None  # that the pair may take
    opening: Opening | None = None  # the picture that was opened last
    ready: bool = False  # the worker has started up
    closed: bool = False  # the worker closed its end of the pipe
    _process: subprocess.Popen[bytes] | None = None
    _commands: IO[bytes] | None = None
    _messages: int = -1
    _rest: bytes = b""
    _growth: Growth = field(default_factory=Growth)
    _command: Command | None = None  # the last one given

    @property
    def pipe(self) -> int:
        return self._messages

    def give(self, command: Command, room: int) -> None:
        """Have the pair painted, in a worker that leaves it room below so many bytes."""
        if self._process is not None:
            died = self._process.poll() is not None  # between two pairs, which is not the next one's fault
            if died or not self._growth.leaves_room(command.memory or 0, room):
                self.end()
        if self._process is None:
            self._start()
        assert self._commands is not None
        self.pair, self._command = command.label, command
        self.clock, self.seconds, self.opening = self.awake.now(), command.seconds, None
        with suppress(BrokenPipeError):  # it dies this very moment: its closed pipe will say so
            self._commands.write(encode(command))
            self._commands.flush()

    def read(self) -> list[Message]:
        """The whole messages that have arrived."""
        data = os.read(self._messages, _MESSAGE_BYTES)
        self.closed = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [decode(line) for line in lines]

    def memory(self) -> int:
        """Resident bytes of the worker; 0 when it is gone."""
        assert self._process is not None
        with suppress(psutil.Error):
            return int(psutil.Process(self._process.pid).memory_info().rss)
        return 0

    def begin_afresh(self) -> bool:
        """Begin the pair again, which found too little memory, in a new worker: what others left in
        this one is not its fault. False, and nothing done, where it was the first here."""
        command = self._command
        if not self._growth.pairs or command is None:
            return False
        self.end(kill=True)
        self.give(command, room=0)
        return True

    def finished(self, message: LastMessage) -> None:
        """The pair is answered. A worker that has grown far beyond its first size is replaced."""
        foreseen = self._command.memory if self._command else None
        self.pair = None
        peak = message.painted.peak_memory_bytes if isinstance(message, Done) else None
        self._growth.finished(self.memory(), peak or 0, foreseen or 0)
        if self._growth.too_large:
            self.end()

    def wait(self) -> int | None:
        """The exit code of a worker that closed its pipe; None for one that hangs in ending."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_GRACE_SECONDS)
        return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker, if there is one."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def ask_to_stop(self) -> None:
        """SIGTERM: a worker that paints saves where it stands, says so and ends."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # a stopped one would not hear it

    def end(self, *, kill: bool = False) -> None:
        """SIGTERM, and SIGKILL where that does not help, or at once; the slot is empty
        afterwards."""
        process, self._process, self.pair = self._process, None, None
        if process is None:
            return
        for sign in (signal.SIGKILL,) if kill else (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
                os.killpg(process.pid, signal.SIGCONT)  # a stopped one hears nothing else
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
                break
        if self._commands is not None:
            with suppress(BrokenPipeError):
                self._commands.close()
        os.close(self._messages)
        self._rest, self._growth, self.closed, self.ready = b"", Growth(), False, False

    def _start(self) -> None:
        try:
            self._begin()
        except OSError as error:  # no more processes, descriptors or memory
            raise EnvironmentProblem(
                f"the painting process cannot be started: {why_not_started(error)}, or lower jobs"
            ) from error

    def _begin(self) -> None:
        commands_read, commands_write = os.pipe()
        messages_read, messages_write = os.pipe()
        try:
            log = open_log(self.log)
        except OSError as error:
            raise OutputError(f"cannot write the log {self.log}: {error.strerror}") from error
        with log:
            self._process = subprocess.Popen(
                python_command(self.worker, str(commands_read), str(messages_write)),
                pass_fds=(commands_read, messages_write),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=worker_environment(os.environ, self.threads, self.device),
                # a terminal's Ctrl-C reaches the driver alone, which then decides
                start_new_session=True,
            )
        stay_on(self._process.pid, self.place)  # long before it has threads
        os.close(commands_read)
        os.close(messages_write)
        self._commands = os.fdopen(commands_write, "wb")
        self._messages = messages_read


def _readable(slots: Sequence[_Slot], seconds: float) -> set[_Slot]:
    """Those that have something to say, waited for so long."""
    with selectors.DefaultSelector() as selector:
        for slot in slots:
            selector.register(slot.pipe, selectors.EVENT_READ, slot)
        return {key.data for key, _ in selector.select(seconds)}
