"""An output in a store of objects: painted in a folder of this machine, and delivered by one PUT.

Painters, checkpoints and the page of a run that goes on know the folder alone, which is as any
other (store/disk). What is finished is delivered: pictures and reports, and, unless they are to be
kept here (`state`), records, history and older pictures. Nothing half is ever seen there. What
could not be delivered stays in the folder, and the next run delivers it before it plans.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, BinaryIO

from pipeline.errors import BadOutput, ObjectTrouble, OutputError, OutputRefused, StylizeError
from pipeline.objects.mirror import MOST_BYTES, Mirror
from pipeline.objects.protocol import Fingerprint
from pipeline.objects.service import Remote
from pipeline.store.disk import LocalStore
from pipeline.store.layout import HASHES, HISTORY, NOW, PREVIOUS, RECORDS, STATE, pair_id, previous_prefix
from pipeline.store.object_lock import ObjectLock
from pipeline.store.store import Entry, check_name
from pipeline.urls import key_fault, split_url

_AT_ONCE = 8  # chosen: what a store gives a client without slowing him down
_BESIDE = (RECORDS, HISTORY, PREVIOUS)
_DEPTH = RECORDS.count("/")
# Bytes of what is fetched, so that nobody who may write there fills a disk here: a history of
# twenty years, as store/disk has it, and a picture.
_MOST = {"records": 2**20, "history": 2**26, "previous": MOST_BYTES}
_TAGS = f"{STATE}/tags"
_LOG = ".log"  # of a run that is over: nothing is added to it (store/layout)
# Larger files, which are videos, are sent in parts that the store puts together in one step
# (docs.aws.amazon.com, "Uploading and copying objects using multipart upload": from 100 MB on).
_AT_A_TIME = 100_000_000


class DeliveredStore(LocalStore):
    """The files of `folder`, which are delivered to `url`. What stands there is asked for once, and
    then followed. Pictures are those that stand there: one that is only in the folder is none.
    `outputs` are the names of the manifest's: of what an earlier run left in the folder, nothing
    else is ever delivered."""

    def __init__(self, folder: Path, url: str, outputs: Collection[str] = (), *, records_there: bool) -> None:
        super().__init__(folder)
        self._outputs = outputs
        self._remote = Remote(url)
        self._mirror = Mirror(self._remote, folder, folder / _TAGS)
        self._beside = _BESIDE if records_there else ()
        self._known: dict[str, Fingerprint] | None = None
        self._held: ObjectLock | None = None
        self._unread: builtins.list[str] = []  # what is wrong with records and logs there
        self._grown: set[str] = set()  # files that lines were added to

    # ---------------------------------------------------------------------------- what stands there

    def fingerprint(self, name: str) -> Fingerprint:
        """Of a picture or report, as the store has it."""
        if self._is_here(name):
            return super().fingerprint(name)
        found = self._there().get(name)
        if found is None:
            raise FileNotFoundError(2, "no such object", name)
        return found

    def list(self, prefix: str) -> tuple[Entry, ...]:
        """By the store's listing, of what is delivered."""
        if self._is_here(prefix):
            return super().list(prefix)
        deeper = prefix.count("/")
        names = (name for name in self._there() if name.startswith(prefix) and name.count("/") == deeper)
        return tuple(Entry(name, self._there()[name]) for name in sorted(names))

    def open(self, name: str) -> BinaryIO:
        """After it was brought here."""
        self.fetched(name)
        return super().open(name)

    def sha256(self, name: str) -> str:
        """After it was brought here."""
        self.fetched(name)
        return super().sha256(name)

    def fetched(self, name: str) -> Path:
        """A copy of what stands there; of what is never delivered, the file itself."""
        if not self._is_here(name) and (found := self._there().get(name)) is not None:
            if self._mirror.copied(check_name(name)) == found.tag:
                return self.path(name)
            try:
                return self._mirror.fetch(name)
            except ObjectTrouble as trouble:
                raise self._gone() or OSError(5, str(trouble), name) from trouble
        return self.path(name)

    def _there(self) -> dict[str, Fingerprint]:
        if self._known is None:
            try:
                found = self._remote.every()
            except ObjectTrouble as trouble:
                raise OutputError(f"cannot list {trouble}") from trouble
            # of a key that no file can have nothing is ours
            self._known = {name: each for name, each in found.items() if name and key_fault(name) is None}
        return self._known

    # -------------------------------------------------------------------------------------- writing

    def write_by(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        """Here, and then there. OutputRefused says that it stands here alone."""
        super().write_by(name, write)
        try:
            self._send(name)
        except ObjectTrouble as trouble:
            raise OutputRefused(str(trouble)) from trouble

    def append(self, name: str, line: bytes) -> None:
        """Here; no store of objects can add to one, so the whole file is delivered when the run
        ends."""
        super().append(name, line)
        self._grown.add(name)

    def deliver(self, name: str) -> None:
        """With the small pictures and older ones that were put beside its record."""
        self._send(name)
        for entry in (*self.list(f"{RECORDS}{pair_id(name)}."), *self.list(previous_prefix(name))):
            if self._mirror.copied(entry.name) is None:
                self._send(entry.name)

    def delete(self, name: str) -> None:
        """Here and there."""
        super().delete(name)
        if self._goes(name) and (self._is_here(name) or name in self._there()):
            try:
                self._remote.delete(name)
            except ObjectTrouble as trouble:
                raise OutputRefused(f"cannot delete {trouble}") from trouble
            self._mirror.forget(name)
            if self._known is not None:
                self._known.pop(name, None)

    def _send(self, name: str) -> None:
        """Raises ObjectTrouble for what did not get there, OutputError where nothing does."""
        if not self._goes(name):
            return
        self.check_in_place()
        try:
            stamp = self._mirror.stamp(name)  # first: a change after this is seen next time
            found = self._put(name)
        except (ObjectTrouble, FileNotFoundError) as trouble:
            kept = "it is kept on this machine, and the next run delivers it"
            raise self._gone() or ObjectTrouble(f"cannot deliver {trouble}; {kept}") from trouble
        self._mirror.note(name, found, stamp)
        if self._known is not None:
            self._known[name] = found

    def _put(self, name: str) -> Fingerprint:
        with super().open(name) as file:
            if os.fstat(file.fileno()).st_size <= _AT_A_TIME:
                return self._remote.put(name, file.read(_AT_A_TIME))
            # the open file, whatever is put in its place meanwhile
            return self._remote.put_file(name, Path(f"/dev/fd/{file.fileno()}"))

    def _gone(self) -> OutputError | None:
        """What to raise where nobody answers there at all."""
        if self._remote.answers():
            return None
        return OutputError(
            f"{self._remote.url} does not answer; what is painted is kept on this machine, and the next run delivers it"
        )

    # ----------------------------------------------------------------------------------- the run

    @contextlib.contextmanager
    def lock(
        self,
        run_id: str,
        wait_seconds: float = 0.0,
        shard: str | None = None,
        waiting: Callable[[str], object] = lambda holder: None,
    ) -> Iterator[None]:
        """The kernel's, for runs of this machine, and then the store's (store/object_lock). What an
        earlier run left is delivered, and what others did is fetched, before this returns."""
        with super().lock(run_id, wait_seconds, shard, waiting):
            mine = f"{NOW}lock{f'-{shard}' if shard else ''}"
            held = ObjectLock(self._remote, run_id, shard, dead=self._last_words(mine))
            with held.held(wait_seconds, waiting):
                super().write_by(mine, lambda file: file.write(held.words))
                self._held, self._known = held, None
                try:
                    self._meet(lambda: waiting(""))
                    yield
                finally:
                    for name in sorted(self._grown):
                        with contextlib.suppress(OSError, StylizeError):
                            self._send(name)
                    self._held = None

    def _last_words(self, name: str) -> bytes:
        try:
            return self.read(name, at_most=4096)
        except OSError:
            return b""

    def check_in_place(self) -> None:
        """The folder's, and the lock there."""
        super().check_in_place()
        if self._held is not None:
            self._held.check()

    def try_out(self) -> tuple[str, ...]:
        """The folder's, whether there is a lock, and what could not be read."""
        lacks = [self._held.lacks] if self._held is not None and self._held.lacks else []
        if unread := self._unread:
            lacks.append(f"records or logs that cannot be read are done without: {len(unread)}, the first {unread[0]}")
        return (*super().try_out(), *lacks)

    def refused_names(self, names: Iterable[str]) -> dict[str, str]:
        """The folder's, and keys that are too long there."""
        names = tuple(names)
        start = split_url(self._remote.url)[2]
        faults = {name: wrong for name in names if (wrong := key_fault(f"{start}/{name}".lstrip("/")))}
        return {**super().refused_names(names), **faults}

    def _meet(self, check: Callable[[], object]) -> None:
        """Bring folder and store together; `check` is asked before each file, and may raise to end
        that."""
        fetch, send = self._differences()

        def one(way: Callable[[str], object], name: str) -> None:
            check()
            way(name)

        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for way, names in ((self._fetch, fetch), (self._send, send)):
                    for _ in pool.map(functools.partial(one, way), names):
                        pass
        except (ObjectTrouble, BadOutput) as trouble:
            raise OutputError(f"cannot begin: {trouble}") from trouble

    def _fetch(self, name: str) -> None:
        """What another part's run removes meanwhile is not there. One record or log that cannot be
        read, as it was archived or is another's, is done without."""
        try:
            self._mirror.fetch(name)
        except FileNotFoundError:
            self._there().pop(name, None)
        except ObjectTrouble as trouble:
            if (not name.startswith(RECORDS) and not name.endswith(_LOG)) or not self._remote.answers():
                raise
            self._unread.append(str(trouble))

    def _differences(self) -> tuple[Sequence[str], Sequence[str]]:
        """What is to be fetched and what to be sent: a file that was delivered, and changed here
        since, is newer than what it was delivered as."""
        there = self._there()
        fetch: builtins.list[str] = []  # `list` is a method here
        send: builtins.list[str] = []
        for name, found in there.items():
            if (
                self._is_beside(name)
                and found.size <= _MOST[name.split("/")[1]]
                and self._mirror.copied(name) != found.tag
            ):
                newer_here = self._mirror.noted(name) == found.tag and self._stands_here(name)
                (send if newer_here else fetch).append(name)
        for name in self._files_here():
            if name in there:
                untouched = self._is_here(name) or self._mirror.copied(name) is not None
                if not untouched and self._mirror.noted(name) == there[name].tag:
                    send.append(name)
            elif self._mirror.copied(name) is None:  # never delivered as it is
                send.append(name)
            elif name.startswith(RECORDS):  # its record is gone there: whoever removed it meant it
                super().delete(name)
        return fetch, send

    def _files_here(self) -> Iterator[str]:
        """The names of files in the folder that are to be delivered."""
        yield from (name for name in self._outputs if self._stands_here(name))
        for folder in self._beside:
            yield from (entry.name for entry in super().list(folder) if self._is_beside(entry.name))

    def _stands_here(self, name: str) -> bool:
        try:
            super().fingerprint(name)
        except (OSError, BadOutput):
            return False
        return True

    def _goes(self, name: str) -> bool:
        return not name.startswith(f"{STATE}/") or self._is_beside(name)

    def _is_beside(self, name: str) -> bool:
        """Is it of what is kept beside the outputs? Of paths of this machine nobody there knows."""
        return name.startswith(self._beside or ("\0",)) and name.count("/") == _DEPTH and name != HASHES

    def _is_here(self, name: str) -> bool:
        """Is the folder's file the one that counts?"""
        return name.startswith(f"{STATE}/")
