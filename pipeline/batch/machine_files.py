"""What a run writes for other programs where its settings say so: metrics, JUnit XML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import BadOutput, StylizeError
from pipeline.job import RunSettings
from pipeline.printable import printable
from pipeline.report.data import report_stem
from pipeline.report.junit import junit_xml
from pipeline.report.metrics import metrics_text
from pipeline.store.disk import LocalStore
from pipeline.store.layout import STATE

_WRITERS: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    "metrics_file": lambda report: metrics_text(report).encode(),
    "junit": junit_xml,
}


def write_machine_files(report: Mapping[str, Any], run: RunSettings, output: Path, *, again: bool = False) -> list[str]:
    """Write the files that `run` names, each whole; returns what went wrong, in sentences: a night
    is not lost for them. Below `output`, the run's folder, no link is followed.

    `again`: they stand with another exit code, and one that cannot be written does not stay."""
    trouble = []
    for name, render in _WRITERS.items():
        if (path := getattr(run, name)) is not None:
            try:
                if why := _why_not(Path(path), report, output):
                    raise BadOutput(f"cannot write {printable(path)}: {why}; name another file")
                stale = again and not any(text.startswith(f"{name}: ") for text in report["run"]["warnings"])
                _write(Path(path), render(report), output, stale=stale)
            except (OSError, StylizeError) as error:
                trouble.append(f"{name}: {error}")
    return trouble


def _why_not(path: Path, report: Mapping[str, Any], output: Path) -> str | None:
    """What speaks against a file in this place: it would be put there whatever stands there, be it
    `/dev/null`, which whoever is root can replace for all programs."""
    if path.exists() and not path.is_file() and not path.is_dir():
        return "a pipe, socket or device stands there"
    if not path.is_relative_to(output):
        return None
    name, stem = path.relative_to(output).as_posix(), report_stem(report["run"]["shard"])
    own = name.startswith(f"{STATE}/") or name in (f"{stem}.json", f"{stem}.txt", f"{stem}.html")
    return "it is a file of the run's own" if own or any(pair["output"] == name for pair in report["pairs"]) else None


def _write(path: Path, data: bytes, output: Path, *, stale: bool) -> None:
    inside = path.is_relative_to(output)
    store = LocalStore(output if inside else path.parent)
    name = path.relative_to(output).as_posix() if inside else path.name
    try:
        store.write(name, data)
    except (OSError, StylizeError):
        if stale:
            store.delete(name)
        raise
