"""What is true of a run as a whole: versions, machine, times."""

from __future__ import annotations

import datetime
import os
import platform
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.batch.system.versions import version
from pipeline.job import Manifest, RunSettings
from pipeline.report.data import RunMetadata


def worker_threads(settings: RunSettings) -> int:
    """How many processor threads each worker gets."""
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // settings.workers)


def run_metadata(
    manifest: Manifest,
    *,
    run_id: str,
    began: float,
    exit_code: int,
    weights: Mapping[str, str],
    machine: Mapping[str, Any],
    command: Sequence[str],
    warnings: Sequence[str],
    shard: str | None,
) -> RunMetadata:
    """The facts of a run that ends now. `machine` is what the workers said of it (batch/engines/worker)."""
    finished = time.time()
    return RunMetadata(
        id=run_id,
        started=_iso(began),
        finished=_iso(finished),
        seconds=finished - began,
        exit_code=int(exit_code),
        manifest=_from_here(manifest.file),
        weights=weights,
        device=machine.get("device", ""),
        threads=machine.get("threads"),
        auto_precision=machine.get("auto_precision", ""),
        versions={
            "pipeline": version("stylize-pipeline"),
            "tensorflow": version("tensorflow", "tensorflow-cpu"),
            "keras": version("keras"),
            "pillow": version("pillow"),
            "python": platform.python_version(),
        },
        command=command,
        shard=shard,
        host=socket.gethostname(),
        deadline=manifest.run.deadline,
        warnings=warnings,
        input=os.path.relpath(manifest.input, manifest.output),
    )


def _from_here(path: Path) -> str:
    """A path as one would type it in the present folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
