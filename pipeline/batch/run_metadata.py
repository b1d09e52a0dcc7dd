"""What is true of a run as a whole: versions, machine, times."""

from __future__ import annotations

import datetime
import os
import platform
import socket
from collections.abc import Mapping, Sequence

from pipeline.batch.messages import Machine
from pipeline.batch.system.deadline import Moment
from pipeline.job import Manifest
from pipeline.program import program, version
from pipeline.report.data import RunMetadata
from pipeline.urls import url_of


def run_metadata(
    manifest: Manifest,
    *,
    run_id: str,
    began: Moment,
    exit_code: int,
    weights: Mapping[str, str],
    machine: Machine | None,
    command: Sequence[str],
    warnings: Sequence[str],
    shard: str | None,
) -> RunMetadata:
    """The facts of a run that ends now. `machine` is where pairs were painted, if any were."""
    finished = Moment.now()
    machine = machine or Machine()
    return RunMetadata(
        id=run_id,
        started=_iso(began.wall),
        finished=_iso(finished.wall),
        seconds=finished.elapsed - began.elapsed,
        exit_code=int(exit_code),
        manifest=str(manifest.file),
        arguments=manifest.arguments,
        verb=manifest.verb,
        program=program(),
        weights=weights,
        device=machine.device,
        threads=machine.threads,
        auto_precision=machine.auto_precision,
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
        input=_input(manifest),
    )


def _input(manifest: Manifest) -> str:
    """The input folder from the output folder; from an address there is no way to a folder."""
    if url := url_of(manifest.input):
        return url
    return "" if manifest.output_url else os.path.relpath(manifest.input, manifest.output)


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
