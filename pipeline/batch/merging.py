"""The reports of all parts of a division (`--shard`) as the one that a whole run would have
written, for machines that share no folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.batch.selection import Shard
from pipeline.errors import ExitCode, UsageError, weightiest
from pipeline.job import FAILED, STATUSES
from pipeline.printable import printable
from pipeline.report.data import SCHEMA, counts_of
from pipeline.store.layout import MOST_REPORT_BYTES

_ONCE = ("id", "host", "device")  # what the parts' runs may differ in, told one after the other


def merged(files: Sequence[Path]) -> dict[str, Any]:
    """One report out of those in `files`, one for each part. A pair is as the part says that it is
    in, also where several want one output; pairs stand in the first part's order.

    Raises UsageError for a file that is no report of a part, for one part twice, and for one that
    is missing.
    """
    parts: dict[Shard, Mapping[str, Any]] = {}
    for file in files:
        shard, report = _read(file)
        if shard in parts:
            raise UsageError(f"part {shard} is given twice; give each part's report once")
        parts[shard] = report
    count = next(iter(parts)).count
    if other := next((shard for shard in parts if shard.count != count), None):
        raise UsageError(f"part {other} is of another division than the parts of {count}")
    if missing := [f"{index}/{count}" for index in range(1, count + 1) if Shard(index, count) not in parts]:
        raise UsageError(f"the report of part {', '.join(missing)} is missing")
    rows = {shard: _by_output(report) for shard, report in parts.items()}
    names = dict.fromkeys(name for known in rows.values() for name in known)
    homes = {name: next(shard for shard in parts if shard.has(name)) for name in names}
    if strange := next((name for name, home in homes.items() if name not in rows[home]), None):
        raise UsageError(f"the parts are not of one manifest: {printable(strange)} is not in all of them")
    pairs = [pair for name, home in homes.items() for pair in rows[home][name]]
    return {"schema": SCHEMA, "run": _run(list(parts.values())), "counts": counts_of(pairs), "pairs": pairs}


def parts_with_failures(report: Mapping[str, Any], count: int) -> list[str]:
    """Of a merged report of so many parts those (`2/3`) in which pairs failed or are held."""
    failed = [pair["output"] for pair in report["pairs"] if pair["status"] in FAILED]
    return [
        str(shard) for shard in (Shard(index, count) for index in range(1, count + 1)) if any(map(shard.has, failed))
    ]


def _by_output(report: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for pair in report["pairs"]:
        found.setdefault(pair["output"], []).append(pair)
    return found


def _run(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is true of the runs together."""
    runs = [report["run"] for report in reports]
    # by the moments, as machines may have clocks of other zones
    began = min((run["started"] for run in runs), key=datetime.fromisoformat)
    ended = max((run["finished"] for run in runs), key=datetime.fromisoformat)
    lasted = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    together = {name: ", ".join(dict.fromkeys(run[name] for run in runs)) for name in _ONCE}
    return {
        **runs[0],
        **together,
        "shard": None,
        "started": began,
        "finished": ended,
        "seconds": max(0.0, lasted),  # a clock may have been set back meanwhile
        "exit_code": int(weightiest(ExitCode(run["exit_code"]) for run in runs)),
        "warnings": list(dict.fromkeys(warning for run in runs for warning in run["warnings"])),
        "counts": {status: sum(run["counts"][status] for run in runs) for status in STATUSES},
    }


def _read(file: Path) -> tuple[Shard, Mapping[str, Any]]:
    """The part that a file is of, and what it says, as far as it is looked at here."""
    try:
        with open(file, "rb") as opened:
            report = json.loads(opened.read(MOST_REPORT_BYTES))
        run = report["run"]
        shard = Shard.parse(run["shard"])
        sound = (
            report["schema"] == SCHEMA
            and all(isinstance(run[name], str) for name in (*_ONCE, "started", "finished", "manifest"))
            and all(isinstance(run["counts"][status], int) for status in STATUSES)
            and all(isinstance(warning, str) for warning in run["warnings"])
            and run["exit_code"] in [int(code) for code in ExitCode]
            and all(os.fsencode(pair["output"]) and pair["status"] in STATUSES for pair in report["pairs"])
            and all(datetime.fromisoformat(run[name]).tzinfo for name in ("started", "finished"))
        )
    except OSError as error:
        raise UsageError(f"{printable(file)} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise UsageError(f"{printable(file)} is no report of a part; --merge wants report.1-of-3.json and its like")
    return shard, report
