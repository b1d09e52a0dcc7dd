"""A run whose workers are Slurm jobs of their own, as many as there is work for, by dask-jobqueue.

    pip install dask-jobqueue
    python deploy/farm/slurm.py configs/nightly.yaml --deadline 06:00

Runs on a login node, or in a small job; all words go to `stylize run`. Names of partition and
account, and what a worker gets, are yours to change. dask-jobqueue knows PBS, LSF, SGE, OAR and
HTCondor too, by clusters of the same arguments.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from dask_jobqueue import SLURMCluster

MOST_JOBS = 40


def main(words: list[str]) -> int:
    """Start the cluster, run, and give its exit code."""
    cluster = SLURMCluster(
        queue="normal",
        account=None,
        cores=8,  # threads of a painting
        processes=1,  # a job is one worker
        memory="16GB",
        walltime="08:00:00",
        # A worker that comes to its end gives its pair back, saved, before Slurm kills it.
        worker_extra_args=["--resources", "slot=1", "--lifetime", "7h50m", "--lifetime-stagger", "4m"],
        death_timeout=60,
    )
    with cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=MOST_JOBS)
        stylize = str(Path(sys.executable).with_name("stylize"))
        flags = ["--engine", "dask", "--scheduler", cluster.scheduler_address, "--wait", "2h"]
        run = subprocess.Popen([stylize, "run", *words, *flags])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _frame: run.send_signal(number))
        return run.wait()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(128 - code if code < 0 else code)
