"""What stands under an output's name, or under those of its numbered frames, looked at where no
record vouches for it; behind a link that was put there meanwhile nothing is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.clip_names import is_numbered, kept, one_of_numbered
from pipeline.clips.listing import own_numbers
from pipeline.errors import BadImage, ObjectTrouble, PairError
from pipeline.images.reader import Reader
from pipeline.job import Job
from pipeline.printable import printable
from pipeline.store.store import Store


@dataclass(frozen=True)
class Found:
    """One pair's. `vouched` are names of files that stand as a record says."""

    store: Store
    job: Job
    reader: Reader
    vouched: Collection[str] = ()

    @cached_property
    def names(self) -> Sequence[str]:
        """The names of all files that the pair will have; none where its clip cannot be read."""
        if not is_numbered(self.job.output):
            return [self.job.output]
        content = self.job.content
        try:
            frames = self.reader.clip(content, self.job.home_of(content)).frames
            places = filter(kept(self.job.options.frames, frames), range(frames))
            return [one_of_numbered(self.job.output, number) for number in own_numbers(content, places)]
        except BadImage:
            return []

    @property
    def path(self) -> Path:
        """Where the picture is, to be named to a person."""
        return self.store.path(self.job.output)

    def in_the_way(self) -> str | None:
        """What stands where one of the files, or a folder above it, has to be, and is none."""
        if self.vouched:
            return None
        return next((found for name in self.names if (found := self.store.in_the_way(name))), None)

    def exists(self) -> bool:
        """Is there a file of it?"""
        return bool(self.vouched) or any(map(self.store.exists, self.names))

    def strange(self) -> str | None:
        """Which numbered frame would be put in the place of something that was not written here, as
        a sentence; None of one picture, of which the plan knows more."""
        if not is_numbered(self.job.output):
            return None
        for name in self.names:
            if name in self.vouched:
                continue
            if found := self.store.in_the_way(name):
                return found
            if self.store.exists(name) and not self.is_a_frame(name):
                return f"{printable(self.store.path(name))} was not made here"
        return None

    def is_a_frame(self, name: str) -> bool:
        """Does a file say that it is a frame of this output?"""
        settings = self._settings(name)
        return settings.get("output") == self.job.output and "frame" in settings

    def settings(self) -> dict[str, Any]:
        """What a picture says of its making; nothing where it is not ours."""
        return self._settings(self.job.output)

    def decodes(self) -> bool:
        """Is it a whole picture? Raises OutOfMemory, and ObjectTrouble as `settings` does."""
        if (here := self._here(self.job.output)) is None:
            return False
        try:
            self.reader.inspect(here, self.store.home)
        except BadImage:
            return False
        return True

    def _settings(self, name: str) -> dict[str, Any]:
        here = self._here(name)
        try:
            return {} if here is None else self.reader.metadata(here, self.store.home)
        except PairError:
            return {}

    def _here(self, name: str) -> Path | None:
        """A file of it on this machine; None where it is gone since it was listed. Raises
        ObjectTrouble where its store does not give it."""
        try:
            return self.store.fetched(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ObjectTrouble(
                f"what stands there cannot be looked at: {error.strerror}; have it made readable, or use --force"
            ) from error
