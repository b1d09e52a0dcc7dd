"""Pictures of a pair that stand in stores of objects: each worker reads them there itself, to where
its own machine keeps copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.job import Job
from pipeline.objects.fetching import Fetched
from pipeline.urls import local_path, url_of


def addresses(job: Job) -> dict[str, str]:
    """Of the files of a job that stand for objects on this machine, which those are."""
    return {str(path): url for path in job.inputs if (url := url_of(path))}


def fetched_here(job: Job, objects: Mapping[str, str], check_cancelled: Callable[[], object]) -> Job:
    """The job of another machine, with `objects` as that one has them (`addresses`), of copies on
    this one. Raises PairError for a picture that cannot be had, EnvironmentProblem where this
    machine cannot read their store, and what `check_cancelled` raises."""
    here = {Path(path): local_path(url) for path, url in objects.items()}
    fetched = Fetched(here.values(), check_cancelled)
    for path in here.values():
        fetched.check(path)
    return job.with_inputs(here)
