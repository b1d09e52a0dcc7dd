"""Older pictures of a pair, kept when it is painted anew: the file, its record, its small picture.

    OUTPUT/.pipeline/previous/<pair id>.<number>.png     and .json, .small.webp

Numbers count up. Only who keeps one more, `clean` and a retention that was asked for delete any.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from pipeline.errors import OutputRefused, StylizeError
from pipeline.job import Outcome
from pipeline.printable import printable
from pipeline.store.checksummed_json import MOST_BYTES, read_checksummed_json
from pipeline.store.layout import PREVIOUS, pair_id, previous_prefix, record_name, thumbnail_name
from pipeline.store.records import painted_fields
from pipeline.store.store import Entry, Store

_RECORD, _SMALL = ".json", ".small.webp"
# A suffix is an output's, which the manifest bounds; of six digits a pair that is painted anew each
# hour has enough for a century.
_NAME = re.compile(rf"{re.escape(PREVIOUS)}([0-9a-f]{{16}})\.([0-9]{{6}})(\.small\.webp|\.[a-z][a-z0-9]{{2,3}})")
_MOST_SMALL = 2**18  # bytes of a small picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Older:
    """One older picture: its `number`, the names of its files, and how it went as a row of
    report.json, where that is known."""

    number: int
    picture: str
    small: str | None
    outcome: Mapping[str, Any] | None


def keep(store: Store, output: str, new: str, most: int) -> None:
    """Keep what stands under an output's name, before bytes of SHA-256 `new` are put there, and of
    all that is kept the `most` last. Nothing is done where nothing stands there, or the same bytes.
    What was kept last is not kept again: that night could not put its picture there.

    Raises as `Store.write` does: then what stands there has to stay.
    """
    before = _numbered(store, pair_id(output))
    try:
        old = store.sha256(output)
        if old == new:
            return
        number = max(before, default=0)
        if not _is_of(store, before.get(number, ()), old):
            number += 1
        start = f"{previous_prefix(output)}{number:06}"
        if number not in before:
            _copy(store, output, f"{start}{posixpath.splitext(output)[1].lower()}")
    except OSError as error:
        if not store.exists(output):  # nothing that could be kept
            return
        raise OutputRefused(
            f"cannot keep {printable(store.path(output))}: {error.strerror}; have it made readable, or leave out"
            " keep_previous"
        ) from error
    for name, ending, at_most in (
        (record_name(output), _RECORD, MOST_BYTES),
        (thumbnail_name(output, "result"), _SMALL, _MOST_SMALL),
    ):
        with suppress(OSError):  # a picture without a record is kept all the same
            if start + ending not in before.get(number, ()):
                store.write(start + ending, store.read(name, at_most=at_most))
    numbers = sorted({*before, number})
    for name in (name for former in numbers[: max(len(numbers) - most, 0)] for name in before[former]):
        with suppress(OSError, StylizeError):
            store.delete(name)


def files_by_pair(store: Store) -> dict[str, list[Entry]]:
    """All that is kept, by the pairs' ids; files that are not named as ours are left out."""
    found: dict[str, list[Entry]] = {}
    for entry in store.list(PREVIOUS):
        if match := _NAME.fullmatch(entry.name):
            found.setdefault(match[1], []).append(entry)
    return found


def older_pictures(store: Store, output: str, files: Mapping[str, list[Entry]]) -> list[Older]:
    """A pair's older pictures, the newest first, given `files_by_pair`."""
    numbered = _by_number(entry.name for entry in files.get(pair_id(output), ()))
    return [
        older for number in sorted(numbered, reverse=True) if (older := _older(store, output, number, numbered[number]))
    ]


def _older(store: Store, output: str, number: int, names: list[str]) -> Older | None:
    picture = next((name for name in names if not name.endswith((_RECORD, _SMALL))), None)
    if picture is None:
        return None
    record = read_checksummed_json(store, f"{previous_prefix(output)}{number:06}{_RECORD}")
    outcome = painted_fields(record.get("outcome"), Outcome) if isinstance(record, dict) else None
    return Older(
        number=number,
        picture=picture,
        small=next((name for name in names if name.endswith(_SMALL)), None),
        outcome=outcome if outcome is not None and outcome.get("output") == output else None,
    )


def _numbered(store: Store, pair: str) -> dict[int, list[str]]:
    return _by_number(entry.name for entry in store.list(f"{PREVIOUS}{pair}."))


def _by_number(names: Any) -> dict[int, list[str]]:
    numbered: dict[int, list[str]] = {}
    for name in names:
        if match := _NAME.fullmatch(name):
            numbered.setdefault(int(match[2]), []).append(name)
    return numbered


def _is_of(store: Store, kept: Iterable[str], sha256: str) -> bool:
    """Has the picture among these files such bytes?"""
    with suppress(OSError):
        return any(store.sha256(name) == sha256 for name in kept if not name.endswith((_RECORD, _SMALL)))
    return False


def _copy(store: Store, name: str, copy: str) -> None:
    with store.open(name) as old:

        def write(new: IO[bytes]) -> None:
            old.seek(0)  # where the disk failed in passing, all is written once more
            shutil.copyfileobj(old, new)

        store.write_by(copy, write)
