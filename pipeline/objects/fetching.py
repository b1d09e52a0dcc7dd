"""Pictures that a manifest names by an address, or in a folder that is one: listed, and fetched to
where the rest of the house reads them (urls)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from pipeline.clip_names import is_numbered
from pipeline.clips.listing import frame_names
from pipeline.errors import BadImage, EnvironmentProblem, ObjectTrouble, OutOfTime, StylizeError
from pipeline.objects.mirror import Mirror
from pipeline.objects.protocol import Listed
from pipeline.objects.service import Remote
from pipeline.printable import printable
from pipeline.urls import READ_ONLY, key_fault, local_path, split_url, tags_path, url_of

_LOOK_SECONDS = 0.25  # between two looks whether the run is over, while nothing comes
_AT_ONCE = 8  # chosen: what a store gives a client without slowing him down


class Fetched:
    """The files among `paths` that stand for objects, as they are in their stores now. One that
    stands for numbered frames (`%04d`) stands for all of them.

    Raises EnvironmentProblem where a store does not answer at all (of the hosts of https, which may
    be many and anybody's, none), OutputError where no copy can be kept, and what `check_cancelled`
    raises; after OutOfTime nothing more is fetched, and that is all. Whoever calls this says that
    he reads copies (cache.copies_in_use).
    """

    def __init__(self, paths: Iterable[Path], check_cancelled: Callable[[], object] = lambda: None) -> None:
        self._trouble: dict[Path, StylizeError] = {}
        self._check_cancelled = check_cancelled
        self._silent: dict[str, str] = {}  # stores that do not answer, and what is to say of them
        self._late = False
        self._asking = Lock()
        remote = [(path, url) for path in dict.fromkeys(paths) if (url := url_of(path))]
        if not remote:
            return
        for each in (self._fetch, self._fetch_frames):
            wanted = [one for one in remote if is_numbered(one[1]) == (each == self._fetch_frames)]
            try:
                _at_once([partial(self._tried, path, url, each) for path, url in wanted], check_cancelled)
            except OutOfTime:
                self._late = True
        silent = dict(self._silent)  # who was left to himself may add to it
        if self._is_over() or (silent and silent.keys() == {_store(url) for _, url in remote}):
            raise EnvironmentProblem(f"{silent[min(silent, key=_is_of_https)]}; the run is over")

    def check(self, path: Path) -> None:
        """Raises BadImage or ObjectTrouble where the file could not be fetched."""
        if (trouble := self._trouble.get(path)) is not None:
            raise trouble

    def _tried(self, path: Path, url: str, fetch: Callable[[str], object]) -> None:
        if self._is_over() or self._late:
            return
        try:
            self._check_cancelled()
            if (silent := self._silent.get(_store(url))) is not None:
                raise ObjectTrouble(silent)
            fetch(url)
        except OutOfTime:
            self._late = True
        except FileNotFoundError:
            self._trouble[path] = BadImage(f"there is no picture {printable(url)}")
        except ObjectTrouble as trouble:
            self._trouble[path] = trouble
            with self._asking:  # one asks for all
                store = _store(url)
                if store not in self._silent and (why := Remote(url).silence()):
                    self._silent[store] = f"{store} does not answer: {why}"

    def _is_over(self) -> bool:
        """Is one of the stores silent that are not many and anybody's?"""
        return not all(map(_is_of_https, list(self._silent)))  # a copy: others add to it

    def _fetch(self, url: str) -> None:
        mirror_of(url).fetch("", self._check_cancelled)

    def _fetch_frames(self, url: str) -> None:
        """All that there are now; copies of those that are gone there go here."""
        folder, _, pattern = url.rpartition("/")
        wanted, there = frame_names(pattern), set()
        for each in Remote(folder).names():
            if not each.is_folder and wanted.fullmatch(each.name):
                there.add(each.name)
        if not there:
            raise FileNotFoundError
        with suppress(OSError):
            for name in set(filter(wanted.fullmatch, os.listdir(local_path(folder)))) - there:
                os.unlink(local_path(f"{folder}/{name}"))
        for name in sorted(there):
            self._check_cancelled()
            self._fetch(f"{folder}/{name}")


def _at_once(calls: Sequence[Callable[[], object]], check_cancelled: Callable[[], object]) -> None:
    """Have all of these done. What one of them or `check_cancelled` raises is raised at once,
    whatever the others wait for, as they may for minutes: those are left to themselves."""
    waiting: SimpleQueue[Callable[[], object]] = SimpleQueue()
    ended: SimpleQueue[Exception | None] = SimpleQueue()
    for call in calls:
        waiting.put(call)

    def work() -> None:
        with suppress(Empty):
            while not over.is_set():
                call = waiting.get_nowait()
                try:
                    call()
                except Exception as error:
                    ended.put(error)
                else:
                    ended.put(None)

    over = Event()
    for _ in range(min(_AT_ONCE, len(calls))):
        Thread(target=work, daemon=True).start()  # for no other the process' end would wait
    left = len(calls)
    try:
        while left:
            with suppress(Empty):
                error = ended.get(timeout=_LOOK_SECONDS)
                left -= 1
                if error is not None:
                    raise error
                continue
            check_cancelled()
    finally:
        over.set()


def _store(url: str) -> str:
    """The bucket or host."""
    return "://".join(split_url(url)[:2])


def _is_of_https(store: str) -> bool:
    return split_url(store)[0] in READ_ONLY


def mirror_of(url: str) -> Mirror:
    """The copy of one object, where `urls` has it."""
    return Mirror(Remote(url), local_path(url), tags_path(url))


def list_folder(path: str) -> tuple[list[Listed], int]:
    """The names in a folder that stands for one of a store, and how many are left out because no
    file can be called so. Raises EnvironmentProblem where it cannot be listed."""
    url = url_of(path)
    assert url is not None  # that is why
    try:
        names = Remote(url).names()
    except ObjectTrouble as trouble:
        raise EnvironmentProblem(f"cannot list {trouble}") from trouble
    except FileNotFoundError:
        return [], 0
    sound = [each for each in names if each.name and "/" not in each.name and key_fault(each.name) is None]
    # the folder itself, as consoles of stores make it
    markers = sum(not each.name and not each.is_folder for each in names)
    return sound, len(names) - len(sound) - markers
