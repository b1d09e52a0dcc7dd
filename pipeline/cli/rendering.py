"""What the verbs answer on stdout, as text."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.batch.estimates.estimator import Estimate, Estimator, in_all
from pipeline.batch.plan import Plan
from pipeline.batch.selection import Shard
from pipeline.batch.system.machine import worker_threads
from pipeline.errors import UsageError
from pipeline.job import Job, Manifest
from pipeline.printable import printable
from pipeline.report.data import report_stem
from pipeline.report.quantities import duration, in_about
from pipeline.store.disk import LocalStore
from pipeline.store.layout import MOST_REPORT_BYTES
from pipeline.store.records import State
from pipeline.store.store import Store

_WIDEST = 100  # columns of prose; longer lines are hard to read

# --------------------------------------------------------------------------------------------- plan


def plan_rows(plan: Plan, manifest: Manifest) -> list[dict[str, Any]]:
    """One row per pair: what `run` would do with it and why, with seconds and bytes to paint it.

    `guess` says that these were not learnt from this output folder.
    """
    painting = any(step.action == "paint" for step in plan.pairs)
    estimator = Estimator(
        State(LocalStore(manifest.output)).recent() if painting else (),
        threads=worker_threads(manifest.run),
        max_memory=manifest.run.max_memory,
    )
    rows = []
    held = 0  # by the one worker that paints all of them: TensorFlow keeps for the next pair what the last one needed
    for step in plan.pairs:
        estimate = estimator.estimate(step.job) if step.action == "paint" else None
        if estimate:
            held = max(held, estimate.memory) if manifest.run.workers == 1 else estimate.memory
        rows.append(
            {
                "output": step.job.output,
                "action": step.action,
                "reason": step.reason,
                "key": step.key,
                "priority": step.job.priority,
                "seconds": round(estimate.seconds, 1) if estimate else None,
                "memory_bytes": held if estimate else None,
                "guess": estimate.guess if estimate else None,
                "notes": estimator.notes(step.job) if estimate else [],
            }
        )
    return rows


def plan_text(rows: Sequence[Mapping[str, Any]], jobs: int = 1, left: int = 0) -> str:
    """The rows as a table with a total, for a run with `jobs` workers and `left` pairs that its
    limit leaves for later."""
    words = {"paint": "paint", "keep": "keep", "fail": "FAIL", "quarantined": "HELD"}
    width = max((len(printable(row["output"])) for row in rows), default=0)
    lines = []
    for row in rows:
        line = f"{words[row['action']]:<6}{printable(row['output']):<{width}}"
        if row["seconds"] is not None:
            line += f"  {duration(row['seconds']):>9}  {row['memory_bytes'] / 2**30:4.1f} GiB"
        if row["action"] != "keep":
            line += "  " + "; ".join([printable(row["reason"]), *row.get("notes", [])])
        lines.append(line.rstrip())
    to_paint = [row for row in rows if row["action"] == "paint"]
    known = [row for row in to_paint if row["seconds"] is not None]
    ahead = in_all([Estimate(row["seconds"], row["memory_bytes"], row["guess"]) for row in known], jobs)
    total = f"{len(to_paint)} to paint" + (in_about(ahead.seconds, guess=ahead.guess) if ahead else "")
    kept = sum(row["action"] == "keep" for row in rows)
    failing = sum(row["action"] == "fail" for row in rows)
    held = sum(row["action"] == "quarantined" for row in rows)
    others = [f"{kept} up to date"]
    others += [f"{failing} cannot be started"] if failing else []
    others += [f"{held} quarantined"] if held else []
    others += [f"{left} left for later by --limit"] if left else []
    return "\n".join([*lines, ", ".join([total, *others])])


def explanation(job: Job) -> str:
    """Each option of a pair, its value and where that came from, and over which others it won."""
    options = job.options.all_values()
    values = {name: _value(value) for name, value in options.items()}
    name_width = max(map(len, values))
    value_width = min(max(map(len, values.values())), 44)  # layer lists are longer; they push their origin to the right
    return "\n".join(
        f"{name:<{name_width}}  {value:<{value_width}}  {printable(job.origins.get(name, 'built in'))}"
        for name, value in values.items()
    )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {weight:g}" for key, weight in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else printable(str(value))


# ------------------------------------------------------------------------------------------ reports


def last_report_file(output: Path, suffix: str, shard: Shard | None = None) -> str:
    """The text of OUTPUT/report.txt or report.json, which are plain ASCII; anything else in them
    becomes question marks. Raises UsageError where no run has left one."""
    return "".join(parts_of_last_report(output, suffix, shard))


def parts_of_last_report(output: Path, suffix: str, shard: Shard | None = None) -> Iterator[str]:
    """The same, part by part: the report.json of a hundred thousand pairs has 300 MB."""
    store, name = LocalStore(output), f"{report_stem(str(shard) if shard else None)}.{suffix}"
    try:
        with store.open(name) as file:
            if file.seek(0, os.SEEK_END) > MOST_REPORT_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            file.seek(0)
            while block := file.read(_BLOCK):
                yield shown_safely(block)
    except OSError as error:
        raise UsageError(f"no report at {store.path(name)}: {error.strerror}; 'stylize run' writes it") from error


def last_report(output: Path, shard: Shard | None = None) -> Mapping[str, Any]:
    """OUTPUT/report.json, as far as its rows are as we write them. Raises UsageError where no run
    has left one, or it is none of ours."""
    text = last_report_file(output, "json", shard)
    try:
        found = json.loads(text)
        for pair in found["pairs"]:
            if not isinstance(pair["output"], str) or not all(isinstance(row, dict) for row in pair["trace"]):
                raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UsageError(
            f"the report in {printable(output)} is not as it was written; 'stylize report MANIFEST' writes it anew"
        ) from None
    report: Mapping[str, Any] = found
    return report


def last_run(output: Path, shard: Shard | None = None) -> Any:
    """What OUTPUT/report.json says of the run itself, as {"run": ...}; None where it says nothing
    that can be read. Its pairs, which come last and can be megabytes of anything, are not read."""
    return head_of_report(LocalStore(output), f"{report_stem(str(shard) if shard else None)}.json")


def head_of_report(store: Store, name: str) -> Any:
    """The same of a file in an output folder."""
    try:
        with store.open(name) as file:
            text = file.read(_MOST_RUN_BYTES).decode("ascii")
        run, end = json.JSONDecoder().raw_decode(text, text.index(_RUN) + len(_RUN))
        if isinstance(run, dict) and "counts" not in run and (beside := _COUNTS.match(text, end)):
            run["counts"] = json.JSONDecoder().raw_decode(text, beside.end())[0]
        return {"run": run}
    except (OSError, ValueError, RecursionError):
        return None


_BLOCK = 2**20  # bytes that are shown at once
_RUN = '"run": '  # as report/write begins its second line
# The line after it: those of the run itself in version 0.1, whose report held no other pairs.
_COUNTS = re.compile(r',\s*"counts": ')
# Facts, warnings and the command line of a run.
_MOST_RUN_BYTES = 2**22
_PLAIN = bytes(byte if byte == 0x0A or 0x20 <= byte < 0x7F else ord("?") for byte in range(256))


def shown_safely(data: bytes) -> str:
    """Reports as they can be sent to a terminal, whoever put them there."""
    return data.translate(_PLAIN).decode("ascii")


# ------------------------------------------------------------------------------------------ presets


def preset_list() -> str:
    """One line per built-in preset."""
    from pipeline.manifest import builtin_presets

    presets = builtin_presets()
    width = max(map(len, presets))
    return "\n".join(f"{name:<{width}}  {preset.summary}" for name, preset in presets.items())


def preset_text(name: str) -> str:
    """What a preset is, its source, what cannot be matched, and the options it sets."""
    import shutil
    import textwrap

    from pipeline.manifest import builtin_presets
    from pipeline.manifest.yaml.problems import suggestion

    presets = builtin_presets()
    if name not in presets:
        hint = suggestion(name, presets) or f"; there are {', '.join(presets)}"
        raise UsageError(f"no preset '{name}'{hint}")
    preset = presets[name]
    columns = min(shutil.get_terminal_size().columns, _WIDEST)
    prose = [f"{name}: {preset.summary}", f"source: {preset.source}", preset.notes]
    options = [f"  {option}: {_value(value)}" for option, value in preset.options.items()]
    published = [f"  {option}: {_value(value)}" for option, value in preset.published_descent.items()]
    return "\n".join(
        textwrap.fill(part, columns, subsequent_indent="    " if part.startswith(" ") else "", break_on_hyphens=False)
        for part in [
            *prose,
            *(["sets:"] if options else []),
            *options,
            *(["with 'optimizer: published', the program's own descent:"] if published else []),
            *published,
        ]
        if part
    )
