"""One run at a time for an output in a store of objects, or one for each shard of it.

    OUTPUT/.pipeline/locks/run.00000001        held by a whole run
    OUTPUT/.pipeline/locks/2-of-3.00000001     by one over shard 2 of 3

A run takes the number after the highest by a PUT that the store does only where nothing stands
(S3: `If-None-Match: *`); of several that try at once one succeeds. Then it lists once more, and
gives up where another holds what it overlaps with: as each writes before it lists, two can never
both believe to be alone. No store takes an object away when its writer dies, so the holder writes
its object anew every twenty seconds; one that was not written for three minutes, by the store's own
clock, is nobody's, and the next run removes it. So it does at once with one that was written from
the same state folder, whose own lock (store/lock) says that its writer is dead. A holder whose
object is gone, or that could not write it for so long, writes nothing more.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from pipeline.errors import Locked, ObjectTrouble, OutputError
from pipeline.objects.protocol import Fingerprint
from pipeline.objects.service import Remote
from pipeline.store.layout import LOCKS
from pipeline.store.lock import MOST_BYTES, holder_in_words, words_of_holder

BEAT_SECONDS = 20.0  # chosen: three cents a month, at S3's price of a PUT
EXPIRES_SECONDS = 180.0  # eight beats that did not come: longer than a network's hiccup
# Less than it takes to expire, by all that a try of a write may last.
_LOST_SECONDS = 100.0
_RETRY_SECONDS = 5.0  # between two looks of a run that waits
_NAME = re.compile(r"(?:run|[0-9]{1,6}-of-[0-9]{1,6})\.[0-9]{8,}")
NO_LOCK = (
    "this store has no conditional PUT, so no lock can be had: see to it that no two runs write to {} at the same time"
)


class ObjectLock:
    """The lock of one run. `lacks` is what to say where the store gives none; then nothing is
    held. `dead` is what the last run of the same part wrote that is surely over, as `words` are
    what this one writes."""

    def __init__(self, remote: Remote, run_id: str, shard: str | None, dead: bytes = b"") -> None:
        self._remote, self._who = remote, shard or "run"
        self._name = ""
        self.words = words_of_holder(run=run_id, token=secrets.token_hex(8))
        self._dead = dead
        self._beaten = _now()
        self._gone = False
        self._over = threading.Event()
        self.lacks: str | None = None

    @contextlib.contextmanager
    def held(self, wait_seconds: float, waiting: Callable[[str], object]) -> Iterator[None]:
        """Hold it. Raises Locked, and OutputError where the store cannot be written."""
        until = time.monotonic() + wait_seconds
        try:
            while holder := self._take():
                if time.monotonic() >= until:
                    raise Locked(f"another run holds {self._remote.url}: {holder}; wait for it, or use --wait")
                self._wait(until, holder, waiting)
        except ObjectTrouble as trouble:
            self._let_go()
            raise OutputError(f"cannot write to {trouble}") from trouble
        beat = threading.Thread(target=self._beat, daemon=True)
        beat.start()
        try:
            yield
        finally:
            self._over.set()
            beat.join()
            self._let_go()

    def check(self) -> None:
        """Raises OutputError where it is not held any more."""
        if self.lacks is None and (self._gone or _now() - self._beaten > _LOST_SECONDS):
            raise OutputError(
                f"the lock of {self._remote.url} was lost while the run was going on;"
                " nothing more is written there, as another run may have begun"
            )

    def _take(self) -> str | None:
        """Take it, or say who is in the way."""
        there = self._locks()
        now = self._clock()
        highest = max((int(name.rpartition(".")[2]) for name in there), default=0)
        for name, found in list(there.items()):
            if now - found.mtime_ns > EXPIRES_SECONDS * 1e9 or self._is_dead(name):
                self._remote.delete(LOCKS + name)
                del there[name]
        if (other := self._in_the_way(there)) is not None:
            return self._holder(other)
        name = f"{self._who}.{highest + 1:08}"
        try:
            if not self._remote.create(LOCKS + name, self.words):
                return self._holder(name)
            self._name = name
            refused = not self._remote.create(LOCKS + name, self.words + b"\n")
        except NotImplementedError:
            refused = False
        if not refused:
            self._let_go()
            self.lacks = NO_LOCK.format(self._remote.url)
            return None
        there = self._locks()
        if (other := self._in_the_way(there)) is not None:
            self._let_go()
            return self._holder(other)
        self._beaten = _now()
        return None

    def _locks(self) -> dict[str, Fingerprint]:
        return {name: found for name, found in self._remote.every(LOCKS).items() if _NAME.fullmatch(name)}

    def _in_the_way(self, there: Mapping[str, Fingerprint]) -> str | None:
        """A lock beside which this one cannot be: any, for a whole run; for a shard, that of a
        whole run, of the same shard, or of another division."""
        division = self._who.partition("-of-")[2]
        for name in sorted(there):
            who = name.rpartition(".")[0]
            apart = who != "run" and self._who not in ("run", who) and who.partition("-of-")[2] == division
            if name != self._name and not apart:
                return name
        return None

    def _is_dead(self, name: str) -> bool:
        if not self._dead or name.rpartition(".")[0] != self._who:
            return False
        try:
            return self._remote.read(LOCKS + name, MOST_BYTES).rstrip(b"\n") == self._dead
        except (FileNotFoundError, ObjectTrouble):
            return False

    def _clock(self) -> int:
        """The store's time, in nanoseconds: our own may be wrong by hours."""
        name = f"{LOCKS}clock.{secrets.token_hex(8)}"
        found = self._remote.put(name, b"\n")
        self._remote.delete(name)
        return found.mtime_ns

    def _holder(self, name: str) -> str:
        try:
            return holder_in_words(self._remote.read(LOCKS + name, MOST_BYTES))
        except (OSError, ObjectTrouble, ValueError):
            return holder_in_words(b"")

    def _wait(self, until: float, holder: str, waiting: Callable[[str], object]) -> None:
        again = min(until, time.monotonic() + _RETRY_SECONDS)
        while time.monotonic() < again:
            waiting(holder)
            time.sleep(0.2)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS) and self._name:
            try:
                began = _now()
                if self._remote.read(LOCKS + self._name, MOST_BYTES) != self.words:
                    raise FileNotFoundError
                self._remote.put(LOCKS + self._name, self.words)
                # Written so late, it may have been taken over and removed since it was read.
                if _now() - self._beaten > _LOST_SECONDS and self._in_the_way(self._locks()) is not None:
                    raise FileNotFoundError
                self._beaten = began
            except FileNotFoundError:
                self._gone = True
                self._let_go()
                return
            except Exception:  # the next one may come through; `check` counts the time
                continue

    def _let_go(self) -> None:
        name, self._name = self._name, ""
        if name:
            with contextlib.suppress(ObjectTrouble, OSError):
                if self._remote.read(LOCKS + name, MOST_BYTES).startswith(self.words):
                    self._remote.delete(LOCKS + name)


def _now() -> float:
    """Seconds, of which those count in which the machine slept."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
