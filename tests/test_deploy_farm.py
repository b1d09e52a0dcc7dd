"""What starts a farm: containers, Slurm, Kubernetes. As far as it can be seen without them."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from patience import PATIENCE, until

from pipeline.batch.engines.cluster.link import SLOT

REPOSITORY = Path(__file__).resolve().parent.parent
FARM = REPOSITORY / "deploy/farm"
IMAGE = (REPOSITORY / "deploy/Dockerfile").read_text()


def check_worker(words: list[str]) -> None:
    """Are these the words of a worker that a run accepts, and whose memory is the manifest's?"""
    from distributed.cli.dask_worker import main

    assert words[:2] == ["dask", "worker"]
    flags = main.make_context("worker", words[2:]).params
    assert flags["resources"] == f"{SLOT}=1"
    assert (flags["n_workers"], flags["memory_limit"]) == ("1", "0")
    assert flags["nthreads"] >= 1
    assert flags["nanny"]


def check_scheduler(words: list[str]) -> None:
    from distributed.cli.dask_scheduler import main

    assert words[:2] == ["dask", "scheduler"]
    assert main.make_context("scheduler", words[2:]).params["port"] == "8786"


def check_run(words: list[str]) -> dict[str, Any]:
    """What `stylize` makes of these words."""
    from pipeline.cli.run import run

    assert words[0] == "run"
    flags = run.make_context("run", words[1:]).params
    assert flags["engine"] == "dask"
    return flags


def test_the_containers_are_a_scheduler_workers_and_a_run_that_know_each_other():
    services = yaml.safe_load((FARM / "compose.yaml").read_text())["services"]
    check_scheduler(services["scheduler"]["entrypoint"])
    check_worker(services["worker"]["entrypoint"])
    assert check_run(services["run"]["command"])["scheduler"] == "tcp://scheduler:8786"
    assert services["worker"]["entrypoint"][2] == "tcp://scheduler:8786"
    assert services["worker"]["volumes"] == services["run"]["volumes"]
    assert all("ports" not in service and service["read_only"] for service in services.values())
    for folder in services["run"]["volumes"]:
        assert (FARM / folder.split(":")[0]).resolve().parent == REPOSITORY


def test_the_image_has_what_a_farm_needs_where_it_is_asked_for():
    assert 'ARG EXTRAS=""' in IMAGE
    assert "for set in heif $EXTRAS; do python locks/install.py" in IMAGE
    for file in ("compose.yaml", "kubernetes.yaml"):
        assert "docker build -f deploy/Dockerfile --build-arg EXTRAS=cluster" in (FARM / file).read_text()


def test_kubernetes_has_a_cluster_that_grows_and_a_job_on_it():
    cluster, scaler, job = yaml.safe_load_all((FARM / "kubernetes.yaml").read_text())
    assert cluster["kind"] == "DaskCluster"
    assert scaler["kind"] == "DaskAutoscaler"
    assert {cluster["apiVersion"], scaler["apiVersion"]} == {"kubernetes.dask.org/v1"}
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    name = cluster["metadata"]["name"]
    assert scaler["spec"]["cluster"] == name
    scheduler, worker = cluster["spec"]["scheduler"], cluster["spec"]["worker"]
    assert scheduler["service"]["selector"] == {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    (scheduling,), (painting,) = scheduler["spec"]["containers"], worker["spec"]["containers"]
    named = {port["name"]: port["containerPort"] for port in scheduling["ports"]}
    assert {port["targetPort"]: port["port"] for port in scheduler["service"]["ports"]} == named
    check_scheduler(scheduling["command"])
    check_worker(painting["command"])
    pod = job["spec"]["template"]["spec"]
    (running,) = pod["containers"]
    assert check_run(running["args"])["scheduler"] == f"tcp://{name}-scheduler:8786"
    # the shared folder, under one path
    assert running["volumeMounts"] == painting["volumeMounts"]
    assert pod["volumes"] == worker["spec"]["volumes"]
    assert running["workingDir"] == running["volumeMounts"][0]["mountPath"]
    # time to save, and no second run by itself
    assert min(pod["terminationGracePeriodSeconds"], worker["spec"]["terminationGracePeriodSeconds"]) >= 30
    assert (pod["restartPolicy"], job["spec"]["backoffLimit"]) == ("Never", 0)
    assert pod["securityContext"]["runAsNonRoot"]
    assert worker["spec"]["securityContext"] == pod["securityContext"]


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """A Slurm that starts nothing anywhere: programs that write down their words."""
    programs = {
        ".venv/bin/dask": 'echo "dask $*" >> "$SEEN"; exec sleep 3600',
        ".venv/bin/stylize": 'echo "stylize $*" >> "$SEEN"; trap "sleep 0.3; echo saved >> $SEEN; exit 143" TERM\n'
        'until [ "$(grep -c ^dask "$SEEN")" = 2 ]; do sleep 0.02; done  # a run has both before it ends\n'
        'case "$*" in *long*) while :; do sleep 0.05; done ;; esac; exit 3',
        "bin/srun": 'echo "srun $*" >> "$SEEN"; exec "$2" "${@:3}"',
    }
    for name, text in programs.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
    return {
        **{"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "STYLIZE_HOME": str(tmp_path), "STYLIZE_WORK": str(tmp_path)},
        **{"SLURM_CPUS_PER_TASK": "8", "SLURM_JOB_ID": "17", "SEEN": str(tmp_path / "seen")},
    }


def script(slurm: dict[str, str], manifest: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["bash", str(FARM / "slurm.sh"), manifest], env=slurm, start_new_session=True)


def test_a_slurm_job_starts_scheduler_workers_and_run_and_ends_with_its_code(slurm):
    job = script(slurm, "night.yaml")
    assert job.wait(PATIENCE) == 3
    seen = Path(slurm["SEEN"])
    lines = dict(line.split(" ", 1) for line in seen.read_text().splitlines() if not line.startswith("dask "))
    worker = lines["srun"].split(" ", 2)[2].split()
    check_worker(["dask", *worker])
    flags = check_run(lines["stylize"].split())
    assert worker[worker.index("--scheduler-file") + 1] == flags["scheduler"]
    assert not Path(flags["scheduler"]).parent.exists()  # cleared away
    with pytest.raises(ProcessLookupError):  # nobody is left
        os.killpg(job.pid, 0)


def test_the_end_of_a_slurm_jobs_time_has_the_run_saved(slurm):
    job = script(slurm, "long.yaml")
    seen = Path(slurm["SEEN"])
    until(lambda: seen.exists() and "stylize" in seen.read_text())
    os.kill(job.pid, signal.SIGTERM)  # as --signal=B:TERM@60
    assert job.wait(PATIENCE) == 143
    assert "saved" in seen.read_text()


def test_the_script_for_slurm_jobs_one_by_one_asks_for_workers_that_a_run_accepts(monkeypatch, tmp_path):
    asked: dict[str, Any] = {}

    class Cluster:
        scheduler_address = "tcp://10.0.0.1:8786"

        def __init__(self, **given: Any) -> None:
            asked.update(given)

        def adapt(self, **given: Any) -> None:
            asked.update(given)

        def __enter__(self) -> Cluster:
            return self

        def __exit__(self, *_: object) -> None:
            asked["closed"] = True

    package = types.ModuleType("dask_jobqueue")
    package.SLURMCluster = Cluster
    monkeypatch.setitem(sys.modules, "dask_jobqueue", package)
    program = tmp_path / "stylize"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\nexit 10\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    main = runpy.run_path(str(FARM / "slurm.py"))["main"]
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert main(["night.yaml", "--deadline", "06:00"]) == 10
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    flags = check_run((tmp_path / "words").read_text().split())
    assert (flags["scheduler"], flags["deadline"]) == ("tcp://10.0.0.1:8786", "06:00")
    words = [
        "--nthreads",
        str(asked["cores"] // asked["processes"]),
        "--nworkers",
        str(asked["processes"]),
        "--memory-limit",
        "0",
    ]
    check_worker(["dask", "worker", *words, *asked["worker_extra_args"]])
    assert asked["closed"]
    assert asked["maximum_jobs"] > asked["minimum_jobs"] >= 1
