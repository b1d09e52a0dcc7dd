"""Runs on a Dask cluster: real schedulers, workers and drivers on this machine, pictures by the engine of tests/chaos."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import fill_project
from farm_kit import Farm, ended, kill_group, losses, painters
from night_kit import statuses
from patience import PATIENCE, until

from pipeline.store.failures import QUARANTINE_AFTER
from pipeline.store.layout import checkpoint_name

pytestmark = pytest.mark.slow

STEPS = 12
PAIRS = """
  - {content: content/dog.png, style: style/wave.png, output: dog.png}
  - {content: content/sea.png, style: style/wave.png, output: sea.png}
"""
MANY = """
  - matrix: {content: ["content/*"], style: ["style/*"], seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}
    output: "{content.stem}-{seed}.png"
"""


BLIND = """
from pathlib import Path
from pipeline.batch.engines.cluster import proof
from pipeline.store.disk import LocalStore
proof.LocalStore = lambda folder: LocalStore(Path("{elsewhere}") / Path(folder).name)
proof.prove_folder.__defaults__ = (0.0,)
"""


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """One cluster for the module, whose scheduler lives until the last test but one."""
    farm = Farm(tmp_path_factory.mktemp("farm"))
    yield farm
    farm.close()


@pytest.fixture
def project(tmp_path: Path, farm: Farm) -> Path:
    for old in ((farm.place / "faults").glob("*"), farm.place.glob("diary")):
        for path in old:
            path.unlink()
    return fill_project(tmp_path)


def write(project: Path, pairs: str = PAIRS, run: str = "{threads: 1}", output: str = "out") -> None:
    (project / "night.yaml").write_text(
        f"version: 1\ninput: input\noutput: {output}\nrun: {run}\n"
        f"defaults: {{size: 48, steps: {STEPS}, weights: random}}\npairs:{pairs}"
    )


def report_of(project: Path, output: str = "out") -> dict[str, Any]:
    return json.loads((project / output / "report.json").read_text())


def pair_of(project: Path, output: str) -> dict[str, Any]:
    (pair,) = (pair for pair in report_of(project)["pairs"] if pair["output"] == output)
    return pair


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def without_times(value: Any) -> Any:
    """What a report says, but for times, memory, and where one run differs from every other."""
    if isinstance(value, dict):
        passing = {
            "seconds",
            "seconds_per_step",
            "setup_seconds",
            "peak_memory_bytes",
            "finished",
            "started",
            "id",
            "command",
        }
        return {name: without_times(each) for name, each in value.items() if name not in passing}
    return [without_times(each) for each in value] if isinstance(value, list) else value


# ------------------------------------------------------------------------------------------------- who cannot be painted on


def test_without_a_worker_that_offers_a_slot_a_run_ends_with_4_and_says_what_to_start(farm, project):
    farm.worker(slot=False)
    write(project)
    done = farm.run(project, CHAOS_PATIENCE="3")
    assert done.returncode == 4, done.stderr
    assert f"no worker of {farm.file} offers a slot; start one with 'dask worker {farm.file} " in done.stderr
    assert statuses(report_of(project)) == {"dog.png": "not_started", "sea.png": "not_started"}
    kill_group(farm.workers.pop())


def test_a_worker_without_the_shared_folder_is_named_and_paints_nothing(farm, project, tmp_path_factory):
    """A worker that finds another folder under every path."""
    write(project)
    blind = tmp_path_factory.mktemp("elsewhere") / "blind.py"
    blind.write_text(BLIND.format(elsewhere=blind.parent))
    farm.worker("--no-nanny", "--preload", str(blind))
    done = farm.run(project, CHAOS_PATIENCE="3")
    assert done.returncode == 4, done.stderr
    assert f"on {os.uname().nodename} does not see the output folder {project / 'out'}" in done.stderr
    assert "mount the same folder there, under the same path; it paints nothing" in done.stderr
    kill_group(farm.workers.pop())


def test_workers_read_a_bucket_themselves_and_one_that_may_not_is_named(farm, project, s3, rehearse):
    """Each with a home of its own; the folder that is painted in is the one they share."""
    s3.put_folder(project / "input", "photos")
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    access = {name: os.environ[name] for name in names}
    write(project)
    assert rehearse("run", "night.yaml", cwd=project).returncode == 0
    write(project, run="{threads: 1, state: kept}", output="s3://gallery/out")
    text = (project / "night.yaml").read_text()
    (project / "night.yaml").write_text(text.replace("input: input", "input: s3://gallery/photos"))
    nobody = {"AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_CONFIG_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true"}
    farm.worker(XDG_CACHE_HOME=str(project / "first"), **access | dict.fromkeys(names[1:3], "") | nobody)
    farm.worker(XDG_CACHE_HOME=str(project / "second"), **access)
    done = farm.run(project, XDG_CACHE_HOME=str(project / "drivers"), **access)
    assert done.returncode == 0, done.stderr
    assert "cannot read the pictures: s3://gallery does not answer: no credentials were found" in done.stderr
    assert {name: s3.get(f"out/{name}") for name in ("dog.png", "sea.png")} == pictures(project / "out")
    copies = [
        sorted(path.name for path in (project / who / "stylize/objects").rglob("*.png"))
        for who in ("first", "second", "drivers")
    ]
    assert copies == [[], ["dog.png", "sea.png", "wave.png"], ["dog.png", "sea.png", "wave.png"]]
    while farm.workers:
        kill_group(farm.workers.pop())


# ----------------------------------------------------------------------------------------------------------- as on one machine


def test_a_run_on_a_cluster_gives_the_bytes_and_the_report_of_one_machine(farm, project, rehearse):
    farm.have(2)
    local = {"CHAOS_SAVE_SECONDS": "0.0"}
    write(project)
    assert rehearse("run", "night.yaml", cwd=project, **local).returncode == 0
    write(project, output="farm")
    done = farm.run(project)
    assert done.returncode == 0, done.stderr
    write(project, output="shards")
    for shard in ("1/2", "2/2"):
        assert rehearse("run", "night.yaml", "--shard", shard, cwd=project, **local).returncode == 0
    assert pictures(project / "farm") == pictures(project / "out") == pictures(project / "shards") != {}
    here, there = (without_times(report_of(project, output)) for output in ("out", "farm"))
    assert there["pairs"] == here["pairs"]
    assert there["counts"] == here["counts"]
    assert there["run"].keys() == here["run"].keys()
    assert farm.run(project, "--dry-run").stdout == rehearse("plan", "night.yaml", cwd=project).stdout
    assert sorted(path.name for path in (project / "farm/.pipeline/now").iterdir()) == []  # no token is left


def test_the_real_network_paints_the_same_bytes_on_a_cluster(farm, project, stylize):
    farm.have(1)
    options = (
        "steps: 3, precision: float32, style_loss: gram, content_layers: [conv2_1], style_layers: [conv1_1, conv2_1]"
    )
    pair = f"\n  - {{content: content/dog.png, style: style/wave.png, output: dog.png, options: {{{options}}}}}\n"
    write(project, pair)
    assert stylize("run", "night.yaml", cwd=project).returncode == 0
    write(project, pair, output="farm")
    done = stylize("run", "night.yaml", *farm.flags, cwd=project, PYTHONPATH=farm.environment["PYTHONPATH"])
    assert done.returncode == 0, done.stderr
    assert pictures(project / "farm") == pictures(project / "out") != {}
    here, there = (without_times(report_of(project, output)) for output in ("out", "farm"))
    assert there["pairs"] == here["pairs"]


def test_one_poison_among_twenty_costs_nobody_else_and_a_killed_painter_one_more_try(farm, project):
    farm.have(2)
    write(project, MANY)
    farm.lay_fault("dog-3.png", "SIGKILL", "exit")
    farm.lay_fault("sea-5.png", "SIGKILL")
    done = farm.run(project)
    assert done.returncode == 3, done.stderr
    report = report_of(project)
    assert Counter(statuses(report).values()) == {"done": 19, "failed": 1}
    assert pair_of(project, "dog-3.png")["reason_class"] == "worker_died"
    attempts = {pair["output"]: pair["attempts"] for pair in report["pairs"] if pair["attempts"] != 1}
    assert attempts == {"dog-3.png": 2, "sea-5.png": 2}
    good = [pair["output"] for pair in report["pairs"] if pair["attempts"] == 1]
    assert all(farm.steps(output) == list(range(1, STEPS + 1)) for output in good)


def test_a_pair_whose_worker_is_killed_goes_on_elsewhere_to_the_same_bytes(farm, project, rehearse):
    farm.have(2)
    write(project)
    farm.lay_fault("dog.png", "hold", step=9)
    run = farm.start(project, "--only", "dog.png")
    kill_group(farm.holder("dog.png"))
    done = ended(run)
    assert done.returncode == 0, done.stderr
    assert "dog.png: its worker tcp://127.0.0.1:" in done.stderr
    pair = pair_of(project, "dog.png")
    assert (pair["status"], pair["attempts"]) == ("done", 2)
    assert pair["notes"][0].startswith("resumed at step ")
    assert len(farm.steps("dog.png")) < 2 * STEPS
    write(project, output="local")
    assert rehearse("run", "night.yaml", "--only", "dog.png", cwd=project).returncode == 0
    assert (project / "out/dog.png").read_bytes() == (project / "local/dog.png").read_bytes()


def test_many_pairs_are_painted_though_workers_are_killed_again_and_again(farm, project):
    """After every third of 12 pictures one worker is killed, whatever it does. A nap gives the last checkpoint a second to be
    written, so that nobody goes back by more than two naps."""
    farm.have(3)
    farm_steps, apart = 30, 5
    pairs = "".join(f"\n  - {{content: content/dog.png, style: style/wave.png, output: {n}.png}}" for n in range(12))
    write(project, pairs + "\n")
    text = (project / "night.yaml").read_text().replace(f"steps: {STEPS}", f"steps: {farm_steps}")
    (project / "night.yaml").write_text(text)
    for number in range(12):
        for which, step in enumerate(range(apart, farm_steps, 3 * apart)):
            farm.lay_fault(f"{number}.png", "nap", step=step, first=which)
    run = farm.start(project)
    kills = farm.harass(run, lambda kills: len(pictures(project / "out")) >= 3 * (kills + 1))
    done = ended(run)
    assert done.returncode == 0, done.stderr
    told = losses(done)
    report = report_of(project)
    assert statuses(report) == {f"{number}.png": "done" for number in range(12)}
    assert kills >= 3
    assert sum(told.values()) > 0
    assert all(pair["attempts"] <= told[pair["output"]] + 1 for pair in report["pairs"])
    assert max(steps for n in range(12) for steps, _ in [(0, 0.0), *farm.lost_work(f"{n}.png")]) <= 6 * apart
    for pair in report["pairs"]:
        assert set(farm.steps(pair["output"])) == set(range(1, farm_steps + 1))


def test_a_worker_that_joins_is_given_pairs_and_one_that_is_closed_gives_its_pair_back_saved(farm, project):
    for worker in farm.workers:
        kill_group(worker)
    farm.workers.clear()
    write(project)
    farm.lay_fault("dog.png", "hold", step=9)
    run = farm.start(project)
    # A nanny is Dask's own default. The run waits for the worker, whose painter saves when it is asked to.
    leaving = farm.worker("--nanny", CHAOS_SAVE_SECONDS="60")
    until(lambda: farm.met("dog.png"))
    farm.worker()
    until(lambda: farm.steps("sea.png"))
    os.kill(leaving.pid, signal.SIGTERM)
    done = ended(run)
    leaving.wait(PATIENCE)  # else the next test would count it
    assert done.returncode == 0, done.stderr
    assert "was closed; step " in done.stderr
    pair = pair_of(project, "dog.png")
    assert (pair["status"], pair["attempts"]) == ("done", 2)
    assert pair["notes"][0].startswith("resumed at step ")
    steps = farm.steps("dog.png")
    assert steps == list(range(1, STEPS + 1))  # none was made twice


# ------------------------------------------------------------------------------------------------------- stopped and cut off


def test_sigterm_to_the_driver_has_the_workers_save_and_the_next_run_goes_on(farm, project):
    farm.have(1)
    write(project)
    farm.lay_fault("dog.png", "hold", step=9)
    run = farm.start(project)
    until(lambda: farm.met("dog.png"))
    os.kill(run.pid, signal.SIGTERM)
    done = ended(run)
    assert done.returncode == 143, done.stderr
    pair = pair_of(project, "dog.png")
    assert pair["status"] == "interrupted"
    assert pair["reason"].startswith("stopped; step ")
    assert (project / "out" / checkpoint_name("dog.png")).exists()
    assert pair_of(project, "sea.png")["status"] == "not_started"
    done = farm.run(project)
    assert done.returncode == 0, done.stderr
    assert pair_of(project, "dog.png")["notes"][0].startswith("resumed at step ")


def test_a_pair_whose_driver_is_killed_is_saved_and_left(farm, project):
    farm.have(1)
    write(project)
    farm.lay_fault("dog.png", "hold", step=9)
    run = farm.start(project)
    until(lambda: farm.met("dog.png"))
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: not any(painters(worker) for worker in farm.workers))
    assert (project / "out" / checkpoint_name("dog.png")).exists()
    assert not (project / "out/dog.png").exists()
    done = farm.run(project)  # the lock is free, and the workers are
    assert done.returncode == 0, done.stderr
    assert statuses(report_of(project)) == {"dog.png": "done", "sea.png": "done"}


def test_a_deadline_ends_the_pairs_of_workers_too(farm, project):
    farm.have(1)
    write(project, run="{threads: 1, max_duration: 60s}")
    farm.lay_fault("dog.png", "hold", step=9)
    run = farm.start(project, "--max-duration", "15s")
    done = ended(run)
    assert done.returncode == 10, done.stderr
    assert {pair["status"] for pair in report_of(project)["pairs"]} <= {"interrupted", "not_started"}


def test_a_pair_that_kills_its_painter_in_three_runs_here_or_there_is_quarantined_in_the_fourth(
    farm, project, rehearse
):
    farm.have(1)
    write(project, run="{threads: 1, retries: 0}")
    chaos = {name: value for name, value in farm.environment.items() if name.startswith("CHAOS_")}
    for night in range(1, QUARANTINE_AFTER + 1):
        farm.lay_fault("dog.png", "SIGKILL", first=night)
        here = night == 2
        done = rehearse("run", "night.yaml", cwd=project, **chaos) if here else farm.run(project)
        assert done.returncode == 3, done.stderr
        pair = pair_of(project, "dog.png")
        assert (pair["reason_class"], pair["failed_runs"], pair["attempts"]) == ("worker_died", night, 1)
    made = farm.steps("dog.png")
    done = farm.run(project)
    assert done.returncode == 12, done.stderr
    assert statuses(report_of(project)) == {"dog.png": "quarantined", "sea.png": "up_to_date"}
    assert farm.steps("dog.png") == made  # no more time is spent on it


def test_the_parts_of_a_division_are_painted_by_one_cluster_at_the_same_time(farm, project):
    farm.have(2)
    write(project, MANY.replace(", 3, 4, 5, 6, 7, 8, 9, 10", ""))
    runs = [farm.start(project, "--shard", part) for part in ("1/2", "2/2")]
    for done in map(ended, runs):
        assert done.returncode == 0, done.stderr
    parts = [json.loads((project / f"out/report.{part}-of-2.json").read_text()) for part in (1, 2)]
    painted = [{pair["output"] for pair in part["pairs"] if pair["status"] == "done"} for part in parts]
    assert painted[0]
    assert painted[1]
    assert not painted[0] & painted[1]
    assert painted[0] | painted[1] == {"dog-1.png", "dog-2.png", "sea-1.png", "sea-2.png"}
    assert all(farm.steps(output) == list(range(1, STEPS + 1)) for output in painted[0] | painted[1])


def test_a_scheduler_that_dies_ends_the_run_with_4_and_the_next_one_paints_the_rest(farm, project, rehearse):
    farm.have(1)
    write(project)
    farm.lay_fault("sea.png", "hold", step=9)
    run = farm.start(project)
    until(lambda: farm.met("sea.png"))
    kill_group(farm.scheduler)
    done = ended(run)
    assert done.returncode == 4, done.stderr
    assert f"the Dask scheduler {farm.file} is gone; what is finished is safe: start it again" in done.stderr
    assert statuses(report_of(project)) == {"dog.png": "done", "sea.png": "interrupted"}
    until(lambda: not any(painters(worker) for worker in farm.workers))
    done = rehearse("run", "night.yaml", cwd=project)
    assert done.returncode == 0, done.stderr
    assert statuses(report_of(project)) == {"dog.png": "up_to_date", "sea.png": "done"}


# -------------------------------------------------------------------------------------------------------- clusters of their own


def test_a_cluster_that_speaks_tls_paints_for_who_has_its_certificate_and_for_nobody_else(project, tmp_path_factory):
    pem = str(Path(__file__).with_name("farm_tls.pem"))
    tls = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": pem for name in ("CA_FILE", "SCHEDULER__CERT", "WORKER__CERT")}
    client = {"DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": pem, "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}
    farm = Farm(tmp_path_factory.mktemp("tls"), "tls", **tls)
    try:
        farm.worker()
        write(project)
        assert json.loads(farm.file.read_text())["address"].startswith("tls://")
        done = farm.run(project, **client)
        assert done.returncode == 0, done.stderr
        done = farm.run(project, "--force", CHAOS_CONNECT="1")
        assert done.returncode == 4, done.stderr
        assert f"the Dask scheduler {farm.file} cannot be reached: " in done.stderr
    finally:
        farm.close()


ADAPTIVE = """
import json, sys
from dask.distributed import LocalCluster

if __name__ == "__main__":
    cluster = LocalCluster(n_workers=0, threads_per_worker=1, resources={"slot": 1}, memory_limit=0, dashboard_address=None)
    cluster.adapt(minimum=0, maximum=2, interval="200ms", wait_count=50)
    with open(sys.argv[1], "w") as file:
        json.dump({"address": cluster.scheduler_address}, file)
    sys.stdin.read()
"""


def test_an_adaptive_cluster_grows_from_nothing_with_the_pairs_that_wait(project, tmp_path_factory):
    place = tmp_path_factory.mktemp("adaptive")
    (place / "cluster.py").write_text(ADAPTIVE)
    farm = Farm(place, command=[sys.executable, "cluster.py", "scheduler.json"])
    try:
        write(project, MANY.replace(", 7, 8, 9, 10", ""))
        for seed in range(1, 7):
            farm.lay_fault(f"dog-{seed}.png", "hold")
            farm.lay_fault(f"sea-{seed}.png", "hold")
        run = farm.start(project)
        until(lambda: len(farm.painters_seen()) == 2)  # each holds its pair until the other is there
        (farm.place / "faults" / "go").touch()
        done = ended(run)
        assert done.returncode == 0, done.stderr
    finally:
        farm.close()
