"""One line per run, kept for ever, so that tonight can be compared with the nights before."""

from __future__ import annotations

import json
import logging
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.errors import OutputError
from pipeline.job import STATUSES
from pipeline.printable import printable
from pipeline.report.quantities import duration, significant
from pipeline.store.store import Store

log = logging.getLogger(__name__)

# Per row; keeps a night on which everything fails from writing a line of megabytes.
HISTORY_RUNS = 30  # on a page: a month of nights; their columns are still wider than a line
_FAILED_NAMES = 100
_MOST_BYTES = 2**22  # of the end of a history; a usual row has some 700 bytes
_MOST_WARNED = 3  # lines that are left out; more are counted
_MOST = 1e18  # of whatever a row counts or measures
_USUAL_AFTER = 3  # earlier runs with a speed; fewer do not say what is usual
_SPEEDS = ("seconds_per_step", "seconds_per_step_and_megapixel")  # null where nothing was painted
_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"


def history_row(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the history keeps of a report.

    `seconds_per_step` is the median over the pairs painted in this run;
    `seconds_per_step_and_megapixel` is the same per million pixels, which can be compared between
    runs of different sizes. Both are null if nothing was painted.
    """
    run = report["run"]
    taken = report["pairs"][: sum(run["counts"].values())]  # they come first
    painted = [pair for pair in taken if pair["status"] == "done" and pair["seconds_per_step"]]
    peaks = [pair["peak_memory_bytes"] for pair in painted if pair["peak_memory_bytes"]]
    return {
        "schema": report["schema"],
        **{key: run[key] for key in ("id", "started", "finished", "exit_code", "manifest", "threads")},
        "seconds": run["seconds"] or 0.0,
        "counts": run["counts"],
        "seconds_per_step": _median([pair["seconds_per_step"] for pair in painted]),
        "seconds_per_step_and_megapixel": _median(
            [
                pair["seconds_per_step"] / _megapixels(pair["painted_size"] or pair["size"])
                for pair in painted
                if pair["size"]
            ]
        ),
        "peak_memory_bytes": max(peaks, default=None),
        "failed": [pair["output"] for pair in taken if pair["status"] == "failed"][:_FAILED_NAMES],
    }


def append_history(store: Store, name: str, report: Mapping[str, Any]) -> None:
    """Add this run's row to a file, as `Store.append` does. Raises OutputError."""
    line = json.dumps(history_row(report), ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
    try:
        store.append(name, line)
    except OSError as error:
        raise OutputError(
            f"{store.path(name)} cannot take this run's line of history ({error.strerror});"
            " make it writable or free disk space"
        ) from error


def read_history(store: Store, name: str, last: int | None = 14) -> list[dict[str, Any]]:
    """Rows of the last runs, oldest first; all of them if `last` is None. A missing file is an
    empty history.

    Only the end of a file of megabytes is read. A line that is not whole (a crash while writing) is
    left out with a logged warning, and so is a file that cannot be read: no report goes unwritten
    for the sake of its trend.
    """
    try:
        data = store.read_end(name, _MOST_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("%s: the history cannot be read (%s)", store.path(name), error.strerror)
        return []
    rows: list[dict[str, Any]] = []
    left_out = 0
    for line in _lines_from_the_end(data):
        if last is not None and len(rows) >= last:
            break
        if (row := _row(line)) is not None:
            rows.append(row)
        elif line.strip():
            left_out += 1
            if left_out <= _MOST_WARNED:
                log.warning("%s: not a whole line of history, left out: %s", store.path(name), _start(line))
    if left_out > _MOST_WARNED:
        log.warning("%s: %d such lines in all", store.path(name), left_out)
    return rows[::-1]


def _lines_from_the_end(data: bytes) -> Iterator[bytes]:
    end = len(data)
    while end > 0:
        start = data.rfind(b"\n", 0, end) + 1
        if start > 0 or len(data) < _MOST_BYTES:  # else it is the end of a longer line
            yield data[start:end]
        end = start - 1


def _start(line: bytes) -> str:
    return printable(line[:40].decode(errors="replace"))


def render_history(rows: Sequence[Mapping[str, Any]], encoding: str = "utf-8") -> str:
    """A table for the terminal, oldest run first; below it the course of duration and speed, in
    letters that its `encoding` has."""
    if not rows:
        return "No runs yet.\n"
    table = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADINGS))]
    lines = [_aligned(line, widths) for line in table]
    lines += ["", *_courses(rows, _bars_in(encoding))] if len(rows) > 1 else []
    return "\n".join(lines) + "\n"


def _bars_in(encoding: str) -> str:
    try:
        _BARS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return _ASCII_BARS
    return _BARS


def sparkline(values: Sequence[float | None], bars: str = _BARS) -> str:
    """One block per value, from the lowest (`▁`) to the highest (`█`); a space for None."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = (high - low) / (len(bars) - 1) or 1.0
    return "".join(" " if value is None else bars[round((value - low) / step)] for value in values)


def usual_speed(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Median of `seconds_per_step_and_megapixel`; None if too few runs painted anything."""
    speeds = [row["seconds_per_step_and_megapixel"] for row in rows if row.get("seconds_per_step_and_megapixel")]
    return statistics.median(speeds) if len(speeds) >= _USUAL_AFTER else None


_HEADINGS = ("started", "new", "failed", "quarantined", "waiting", "up to date", "duration", "s/step", "exit")


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    counts = row["counts"]
    return (
        printable(str(row["started"]))[:16].replace("T", " "),  # to the minute: 2026-11-24 22:00
        str(counts["done"]),
        str(counts["failed"]),
        str(counts["quarantined"]),
        str(counts["interrupted"] + counts["not_started"]),
        str(counts["up_to_date"]),
        duration(row["seconds"]),
        significant(row["seconds_per_step"]),
        str(row["exit_code"]),
    )


def _courses(rows: Sequence[Mapping[str, Any]], bars: str) -> list[str]:
    seconds = [row["seconds"] for row in rows]
    speeds = [row["seconds_per_step"] for row in rows]
    known = [speed for speed in speeds if speed is not None]
    courses = [f"duration  {sparkline(seconds, bars)}  {duration(min(seconds))} .. {duration(max(seconds))}"]
    if known:
        courses.append(f"s/step    {sparkline(speeds, bars)}  {significant(min(known))} .. {significant(max(known))}")
    return courses


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([first, *rest])


def _row(line: bytes) -> dict[str, Any] | None:
    """The row a line holds; None if it holds none that this version can read."""
    try:
        row = json.loads(line)
        datetime.fromisoformat(row["started"])
        counted = all(
            isinstance(row["counts"][status], int) and _is_measure(row["counts"][status]) for status in STATUSES
        )
        timed = _is_measure(row["seconds"]) and all(
            row.get(speed) is None or _is_measure(row[speed]) for speed in _SPEEDS
        )
        timed = timed and isinstance(row["exit_code"], int) and _is_measure(row["exit_code"])
        named = isinstance(row.get("failed", []), list)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return row if counted and timed and named and {"id", "exit_code", _SPEEDS[0]} <= row.keys() else None


def _is_measure(value: Any) -> bool:
    """A number that can be drawn and told."""
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= _MOST


def _megapixels(size: Sequence[int]) -> float:
    return size[0] * size[1] / 1e6


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
