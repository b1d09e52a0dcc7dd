"""What a run writes for other programs where its settings say so: metrics, JUnit XML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import StylizeError
from pipeline.job import RunSettings
from pipeline.report.junit import junit_xml
from pipeline.report.metrics import metrics_text
from pipeline.store.disk import LocalStore

_WRITERS: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    "metrics_file": lambda report: metrics_text(report).encode(),
    "junit": junit_xml,
}


def write_machine_files(report: Mapping[str, Any], run: RunSettings, output: Path) -> list[str]:
    """Write the files that `run` names, each whole; returns what went wrong, in sentences: a night
    is not lost for them. Below `output`, the run's folder, no link is followed."""
    trouble = []
    for name, render in _WRITERS.items():
        if (path := getattr(run, name)) is not None:
            try:
                _write(Path(path), render(report), output)
            except (OSError, StylizeError) as error:
                trouble.append(f"{name}: {error}")
    return trouble


def _write(path: Path, data: bytes, output: Path) -> None:
    inside = path.is_relative_to(output)
    store = LocalStore(output if inside else path.parent)
    store.write(path.relative_to(output).as_posix() if inside else path.name, data)
