"""What a pair shows of itself while it is painted, where the run's settings ask for it: a small
picture every so many steps, and numbered ones that are kept.

The steps are those of a stage, so that a pair that goes on from its checkpoint shows the same. That
a picture cannot be written costs a note, not the pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batch.messages import Command
from pipeline.errors import BadOutput, OutputError, StylizeError
from pipeline.images.encode import encode_picture, thumbnail
from pipeline.reading import Reading
from pipeline.store.layout import preview_name, steps_folder
from pipeline.store.store import Store
from pipeline.stylize import Progress

PREVIEW_SIDE = 512  # pixels; large enough to see strokes, and small enough to be written each second
_QUALITY = 92  # of JPEG; chosen by eye: full colour resolution, and a tenth of PNG's bytes


class Showing:
    """Of one pair. `notes` are what is worth knowing of it."""

    def __init__(self, store: Store, command: Command) -> None:
        self._store, self._output = store, command.job.output
        self._preview, self._save_every = command.preview, command.save_every
        self.notes: list[str] = []

    def begin(self) -> None:
        """The pair is painted from its start: numbered pictures of an earlier painting go."""
        if self._save_every is None:
            return
        for entry in self._store.list(steps_folder(self._output)):
            with suppress(OSError, StylizeError):
                self._store.delete(entry.name)

    def look(self, reading: Reading, snapshot: Callable[[], Progress]) -> None:
        """After each step."""
        small, numbered = (
            every is not None and reading.step % every == 0 for every in (self._preview, self._save_every)
        )
        if not (small or numbered) or self.notes:
            return
        progress = snapshot()
        pixels = np.asarray(progress.arrays["best"], np.float32)
        try:
            if small:
                self._store.write(preview_name(self._output), thumbnail(pixels, longer_side=PREVIEW_SIDE))
            if numbered:
                name = f"{progress.stage + 1}-{reading.side}px-{reading.step:05}.jpg"
                data = encode_picture(pixels, None, ".jpg", _QUALITY, self._settings(reading))
                self._store.write(steps_folder(self._output) + name, data)
        except (OutputError, BadOutput) as error:
            self.notes.append(f"no pictures of its steps from step {reading.step} on: {error}")

    def look_at_frame(self, number: int, pixels: NDArray[np.uint8]) -> None:
        """After frame `number` of a clip, from 1: its steps are frames, and each of them is kept
        anyway."""
        if self._preview is None or number % self._preview or self.notes:
            return
        try:
            small = thumbnail(pixels.astype(np.float32), longer_side=PREVIEW_SIDE)
            self._store.write(preview_name(self._output), small)
        except (OutputError, BadOutput) as error:
            self.notes.append(f"no small pictures of its frames from frame {number} on: {error}")

    def _settings(self, reading: Reading) -> Mapping[str, Any]:
        """What a numbered picture says of itself: not the pair's key, as it is not its result."""
        return {"output": self._output, "step": reading.step, "side": reading.side}
