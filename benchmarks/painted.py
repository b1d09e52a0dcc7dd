"""The folder of a run that is over, without the run: for each pair a picture, its record and its small pictures.

    python -m benchmarks.painted FOLDER PAIRS

`python -m benchmarks.simulation` over the same folder then is a second run. There are a hundred kinds of numbers in records,
as what is alike in all takes less memory than it would.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from benchmarks.pictures import generated, png
from benchmarks.simulated import Lines
from benchmarks.simulation import STEPS, make_manifest
from pipeline.batch.messages import Done, decode
from pipeline.job import Job, Manifest, Outcome, shown_name
from pipeline.manifest import load_manifest
from pipeline.store.checksummed_json import sealed
from pipeline.store.disk import LocalStore
from pipeline.store.layout import record_name, thumbnail_name
from pipeline.store.records import State, name_in_records

_KINDS = 100  # of numbers that records have; chosen
_TIME_NS = 1_790_000_000 * 10**9  # of every picture; chosen
_NAMES_OF_A_FILE = 60_000  # ext4 takes 65,000 (ext4: Documentation/filesystems/ext4, i_links_count)


def leave_painted(manifest: Manifest, small: bytes, steps: int) -> None:
    """Have all pairs of the manifest be painted. `small` are the bytes of every picture."""
    lines = Lines(steps)
    names = _Names(manifest.output, small)
    records = itertools.cycle(_records(manifest, names, lines))
    for job in manifest.pairs:
        names.give(job.output)
        for which in ("content", "style", "result"):
            names.give(thumbnail_name(job.output, which))
        text = next(records)
        for place, word in zip(_PLACES, _words(manifest, job, lines), strict=True):
            text = text.replace(json.dumps(place), json.dumps(word))
        (manifest.output / record_name(job.output)).write_bytes(sealed(text))


_PLACES = ("the output", "the content", "the style", "the key")


def _words(manifest: Manifest, job: Job, lines: Lines) -> tuple[str, str, str, str]:
    content, style = job.content, job.styles[0].image
    return job.output, shown_name(content, manifest.input), shown_name(style, manifest.input), lines.key(job)


def _records(manifest: Manifest, names: _Names, lines: Lines) -> list[str]:
    """Records as they are written, with other numbers in each, and words in the places of what is a pair's own."""
    store, source = LocalStore(manifest.output), random.Random(3)
    job = manifest.pairs[0]
    names.give(job.output)
    message = decode(lines.done(job))
    assert isinstance(message, Done)
    painted = {name: getattr(message.painted, name) for name in message.painted.__slots__}
    output, content, style, _key = _words(manifest, job, lines)
    outcome = Outcome(**painted, output=output, content=content, style=[style], status="done", attempts=1)
    State(store, name_in_records(manifest)).keep(outcome)
    record = json.loads(store.read(record_name(output)))["content"]
    store.delete(output)
    names.begin_anew()
    output, content, style, key = _PLACES
    own = {"output": output, "content": content, "style": [style], "key": key}
    return [
        json.dumps(
            record | {"key": key, "outcome": record["outcome"] | own | _other_numbers(record["outcome"], source)}
        )
        for _ in range(_KINDS)
    ]


def _other_numbers(outcome: dict[str, Any], source: random.Random) -> dict[str, Any]:
    """Losses and times of a pair of its own."""
    factor = source.uniform(0.5, 2.0)

    def of(row: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value
            if name in ("step", "side")
            else float(f"{factor * value:.6g}")
            if "/" in name
            else factor * value
            for name, value in row.items()
        }

    losses, layers = ({end: of(row) for end, row in outcome[name].items()} for name in ("losses", "layer_losses"))
    seconds = {name: factor * outcome[name] for name in ("seconds", "seconds_per_step", "setup_seconds")}
    return {"trace": [of(row) for row in outcome["trace"]], "losses": losses, "layer_losses": layers, **seconds}


class _Names:
    """Gives files of the same bytes, of which few are held, many names in a folder."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self._folder, self._content = folder, content
        self._file, self._left = "", 0

    def begin_anew(self) -> None:
        self._left = 0

    def give(self, name: str) -> None:
        path = os.path.join(self._folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if self._left == 0:
            Path(path).write_bytes(self._content)
            os.utime(path, ns=(_TIME_NS, _TIME_NS))
            self._file, self._left = path, _NAMES_OF_A_FILE
        else:
            os.link(self._file, path)
            self._left -= 1


if __name__ == "__main__":
    folder, pairs = Path(sys.argv[1]), int(sys.argv[2])
    leave_painted(load_manifest(make_manifest(folder, pairs)), png(generated(8, 2)), STEPS)
