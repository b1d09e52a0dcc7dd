"""An engine (engines/protocol) whose painters are on other machines: Dask's workers, one pair each.

The scheduler of the run decides what is painted next, as on one machine; this decides where. A
worker is given a pair when it has none, and has shown that it sees the output folder (proof). Who
comes later is taken in, who goes gives its pair back.
"""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

from pipeline.batch.engines.cluster import proof
from pipeline.batch.engines.cluster.host import addresses
from pipeline.batch.engines.cluster.link import SLOT, Heard, connect
from pipeline.batch.engines.cluster.work import Pair, Work, Worker, begin
from pipeline.batch.engines.local import WORKER
from pipeline.batch.engines.protocol import Event, Remark
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
    PartDone,
    Read,
    Ready,
    Resumed,
    Saved,
    Started,
    decode,
    encode,
)
from pipeline.errors import EnvironmentProblem, MachineLost, StylizeError
from pipeline.job import RunSettings
from pipeline.store.disk import LocalStore, store_of_log
from pipeline.store.layout import NOW, TOKEN_SUFFIX, token_name

PATIENCE_SECONDS = 60.0  # that a worker is waited for where there is none
_LOOK_SECONDS = 0.5  # that a message is waited for, before stop flag and workers are looked at
_WORKERS_SECONDS = 2.0  # between two looks at who is there: the scheduler answers with all it knows
# Workers notice within a quarter of a second that a pair is not wanted, and then have seven
# (engines/local) to save it; with the report that follows a stop takes ten.
_SAVE_SECONDS = 8.0
_OLD_SECONDS = 7 * 86400.0  # of a token: no run lasts a week
_MOST_MOVES = 5  # of a pair that no worker began
_MOST_CALLED_FOR = 100  # workers at a time; Dask itself looks at no more tasks (adaptive_target)

Said = Event | Remark


class DaskEngine:
    """An Engine of as many painters as the workers of the cluster `settings.scheduler` offer slots.
    `worker` is the module that painting processes run; `patience` is how long in seconds a worker
    is waited for where there is none."""

    def __init__(
        self, settings: RunSettings, log: Path, *, worker: str = WORKER, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.machine: Machine | None = None
        self._settings, self._log, self._patience = settings, log, patience
        self._worker = worker
        self._versions = proof.versions()
        self._warned: set[str] = set()

    def run(self, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Said]:
        """See Engine."""
        assert self._settings.scheduler is not None  # which the manifest and the command line see to
        run_id = self._log.stem
        link = connect(self._settings.scheduler, f"stylize-{run_id}-{secrets.token_hex(4)}", stop)
        if link is None:
            return
        store, name, token = store_of_log(self._log), token_name(run_id), secrets.token_hex(16)
        try:
            _remove_old_tokens(store)
            store.write(name, token.encode())
            work = Work(link, {"folder": str(store.folder), "name": name, "token": token})
            yield from self._run(work, next_command, stop)
        finally:
            link.close()
            with suppress(OSError, StylizeError):
                store.delete(name)

    def _run(self, work: Work, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Said]:
        while not stop():
            if not work.link.stands:
                yield from _cut_off(work)
            yield from self._look_around(work)
            if not work.settled:
                work.settled = True
                if self._hand_out(work, next_command) and not work.pairs:
                    return
            self._wait_for_workers(work)
            yield from self._listen(work, _LOOK_SECONDS)
        yield from self._interrupt(work)

    # ------------------------------------------------------------------------------------- workers

    def _look_around(self, work: Work) -> Iterator[Said]:
        """Take in who came, and take back the pairs of who went."""
        if time.monotonic() - work.looked < _WORKERS_SECONDS:
            return
        work.looked, work.settled = time.monotonic(), False
        try:
            offers = {offer.address: offer for offer in work.link.offers()}
        except EnvironmentProblem:
            yield from _cut_off(work)
        for address in sorted(work.workers.keys() - offers.keys()):
            worker = work.workers.pop(address)
            if (token := worker.pair) in work.pairs:
                yield from self._lost(work, token, f"its worker {worker} is gone")
        for address, offer in offers.items():
            if address not in work.workers:
                self._probe(work, Worker(offer))
        if self.machine is not None:
            self.machine = replace(self.machine, slots=sum(not worker.unfit for worker in work.workers.values()))

    def _probe(self, work: Work, worker: Worker) -> None:
        from pipeline.batch.engines.cluster.host import prove

        token = f"proof-{secrets.token_hex(8)}"
        work.workers[worker.offer.address], work.probes[token] = worker, worker
        work.link.submit(token, worker.offer.address, prove, dict(work.question), slot=False)

    def _proved(self, work: Work, worker: Worker, heard: Heard) -> Iterator[Said]:
        """A worker showed what it is; one that cannot paint is told of once."""
        work.link.drop(heard.token)
        work.settled = False
        if work.workers.get(worker.offer.address) is not worker:
            return  # gone meanwhile
        answer = heard.answer
        if answer is None and heard.died:
            del work.workers[worker.offer.address]  # it is asked anew where the next look finds it
            return
        if answer is None:
            yield from self._unfit(worker, f"does not run this program ({heard.lost}); install it there")
            return
        worker.me, worker.host = answer["me"], answer["host"]
        if other := proof.why_another_program(answer["versions"], self._versions):
            yield from self._unfit(worker, f"has another version of this program: {other}; install the same there")
        elif answer["trouble"]:
            yield from self._unfit(worker, f"{answer['trouble']}; mount the same folder there, under the same path")
        elif other := proof.other_libraries(answer["versions"], self._versions):
            yield from self._warn(f"worker {worker} has {other}: its pictures are alike, not equal byte for byte")

    def _unfit(self, worker: Worker, why: str) -> Iterator[Said]:
        worker.unfit = why
        yield from self._warn(f"worker {worker} {why}; it paints nothing")

    def _warn(self, text: str) -> Iterator[Said]:
        if text not in self._warned:
            self._warned.add(text)
            yield Remark(text)

    def _wait_for_workers(self, work: Work) -> None:
        """Raise EnvironmentProblem where nobody could paint for too long."""
        scheduler, workers = self._settings.scheduler, work.workers.values()
        if work.pairs or any(worker.free for worker in workers):
            work.alone_since = time.monotonic()
        elif time.monotonic() - work.alone_since > self._patience:
            if unfit := [worker for worker in workers if worker.unfit]:
                raise EnvironmentProblem(f"no worker of {scheduler} can paint: the first, {unfit[0]}, {unfit[0].unfit}")
            if work.workers:
                raise EnvironmentProblem(
                    f"the workers of {scheduler} do not answer, as they do other work; wait longer (--wait 1h)"
                )
            raise EnvironmentProblem(
                f"no worker of {scheduler} offers a slot; start one with "
                f"'dask worker {scheduler} --nworkers 1 --resources {SLOT}=1', or wait longer for one (--wait 1h)"
            )

    # --------------------------------------------------------------------------------------- pairs

    def _hand_out(self, work: Work, next_command: Callable[[], Command | None]) -> bool:
        """Give every free worker a pair; True where there are fewer pairs than workers."""
        from pipeline.batch.engines.cluster.host import more

        for worker in work.workers.values():
            if not worker.free:
                continue
            if (command := work.next(next_command)) is None:
                work.link.call_for_more(more, 0)
                return True
            self._give(work, worker, command)
        if not work.pairs:  # is there anything that workers are to be waited for?
            if (command := work.next(next_command)) is None:
                return True
            work.again.appendleft(command)
        at_work = sum(bool(worker.pair) for worker in work.workers.values())
        work.link.call_for_more(more, min(_MOST_CALLED_FOR, max(1, at_work)))
        return False

    def _give(self, work: Work, worker: Worker, command: Command) -> None:
        from pipeline.batch.engines.cluster.host import paint

        worker.pair = token = f"pair-{secrets.token_hex(8)}"
        work.pairs[token] = Pair(command, worker)
        settings, objects = self._settings, addresses(command.job)
        order = {
            "me": worker.me,
            "topic": work.link.topic,
            "token": token,
            "command": encode(command).decode(),
            "inputs": proof.sizes(tuple(path for path in command.job.inputs if str(path) not in objects)),
            "objects": objects,
            "object_cache": settings.object_cache,
            "log": str(self._log),
            "settings": {
                "worker": self._worker,
                "pair_timeout": settings.pair_timeout,
                "max_memory": settings.max_memory,
                "threads": settings.threads or worker.offer.threads,
            },
        }
        work.link.submit(token, worker.offer.address, paint, order, slot=True)

    def _listen(self, work: Work, seconds: float) -> Iterator[Said]:
        """What has come, waited for so long."""
        with suppress(queue.Empty):
            heard = work.link.inbox.get(timeout=seconds)
            while True:
                yield from self._hear(work, heard)
                heard = work.link.inbox.get_nowait()

    def _hear(self, work: Work, heard: Heard) -> Iterator[Said]:
        if work.link.cut(heard):
            yield from _cut_off(work)
        if (probed := work.probes.pop(heard.token, None)) is not None:
            yield from self._proved(work, probed, heard)
            return
        if (pair := work.pairs.get(heard.token)) is None:
            return  # answered by now
        if heard.lost:
            yield from self._lost(work, heard.token, f"its worker {pair.worker} was lost ({heard.lost})")
            return
        for line in heard.said:
            yield from self._said(work, heard.token, decode(line))
        if heard.answer is not None and heard.token in work.pairs:
            yield from self._answered(work, heard.token, heard.answer)

    def _answered(self, work: Work, token: str, answer: Mapping[str, Any]) -> Iterator[Said]:
        pair = work.pairs[token]
        if "last" in answer:
            yield from self._said(work, token, decode(answer["last"]))
        elif "unfit" in answer:
            self._take_back(work, token)
            work.again.appendleft(pair.command)
            yield from self._unfit(pair.worker, answer["unfit"])
        else:  # another process in the worker's place
            work.workers.pop(pair.worker.offer.address, None)
            yield from self._lost(work, token, f"its worker {pair.worker} was started anew")

    def _said(self, work: Work, token: str, message: Message) -> Iterator[Said]:
        if (pair := work.pairs.get(token)) is None:
            return
        yield from begin(pair)
        match message:
            case Ready(machine):
                slots = sum(not worker.unfit for worker in work.workers.values())
                self.machine = replace(machine, slots=slots)
            case Started() | Opening():
                pass
            case Interrupted(saved):  # by somebody else than us
                pair.worker.leaving = True
                what = f"; {saved.words} is saved" if saved else ""
                yield from self._lost(work, token, f"its worker {pair.worker} was closed{what}")
            case Killed():
                pair.worker.leaving = True
                yield from self._lost(work, token, f"its worker {pair.worker} was closed")
            case Done() | PartDone() | Failed():
                self._take_back(work, token)
                yield Event(pair.output, message)
            case Resumed() | Read() | Saved():
                yield Event(pair.output, message)
            case _:
                assert_never(message)

    def _take_back(self, work: Work, token: str) -> Pair:
        pair = work.pairs.pop(token)
        pair.worker.pair, work.settled = "", False
        work.link.drop(token)
        return pair

    def _lost(self, work: Work, token: str, why: str) -> Iterator[Said]:
        """A pair whose worker is no more: one that was not begun goes to another, unheard."""
        pair = self._take_back(work, token)
        work.looked = -1e9
        moves = work.moves[pair.output] = work.moves.get(pair.output, 0) + (not pair.begun)
        if not pair.begun and moves <= _MOST_MOVES:
            work.again.append(pair.command)
            return
        yield from begin(pair)
        yield Event(pair.output, Failed.by(MachineLost(why)))

    def _interrupt(self, work: Work) -> Iterator[Said]:
        """Want no pair any more; who does not say in time where its pair stands has lost it."""
        until = time.monotonic() + _SAVE_SECONDS
        for token in work.pairs:
            work.link.drop(token)
        while any(pair.begun for pair in work.pairs.values()) and (left := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                heard = work.link.inbox.get(timeout=min(left, _LOOK_SECONDS))
                last = (heard.answer or {}).get("last")
                for message in map(decode, (*heard.said, *([last] if last else ()))):
                    if (pair := work.pairs.get(heard.token)) and not isinstance(message, Ready | Opening | Started):
                        yield from begin(pair)
                        yield Event(pair.output, message)
                        if isinstance(message, LastMessage):
                            del work.pairs[heard.token]
        for pair in work.pairs.values():
            yield Event(pair.output, Killed() if pair.begun else Interrupted())
        work.pairs.clear()


def _remove_old_tokens(store: LocalStore) -> None:
    """Those of runs that were killed. Another shard's run may be going on beside this one."""
    for entry in store.list(NOW):
        if entry.name.endswith(TOKEN_SUFFIX) and time.time() - entry.fingerprint.mtime_ns / 1e9 > _OLD_SECONDS:
            with suppress(OSError, StylizeError):
                store.delete(entry.name)


def _cut_off(work: Work) -> Iterator[Said]:
    """The scheduler is gone, and with it every task: workers save what they have, and close."""
    for pair in work.pairs.values():
        yield Event(pair.output, Killed() if pair.begun else Interrupted())
    work.pairs.clear()
    raise work.link.gone()
