"""`jobs: auto`: as many workers as end first, within memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest
from PIL import Image

from pipeline.batch import workers
from pipeline.batch.engines.local import LocalEngine
from pipeline.batch.workers import fastest, settled
from pipeline.cli.arguments import RUNNING
from pipeline.job import AUTO_WORKERS, Job, RunSettings, StyleImage
from pipeline.manifest import load_manifest
from pipeline.options import Options

MANY = 100  # workers that there is memory for


@pytest.fixture
def jobs(tmp_path) -> list[Job]:
    """Four pairs of one size."""
    for name in ("photo.png", "style.png"):
        Image.new("RGB", (128, 96)).save(tmp_path / name)
    style = (StyleImage(tmp_path / "style.png"),)
    options = Options(size=128, weights="random")
    return [Job(output=f"{i}.png", content=tmp_path / "photo.png", styles=style, options=options) for i in range(4)]


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Two processors, 24 GiB, no GPU."""
    monkeypatch.setattr(workers, "usable_processors", lambda: 2)
    monkeypatch.setattr(workers, "memory", lambda: (24 * 2**30, 20 * 2**30))
    monkeypatch.setattr(workers, "gpus", list)


@pytest.mark.parametrize(
    ("pairs", "processors", "threads", "most", "expected"),
    [
        (4, 2, None, MANY, 2),
        # Two rounds of a whole pair against three of 0.55: the second worker would idle.
        (3, 2, None, MANY, 1),
        # Five rounds against nine times 0.55, 4.95; six against eleven times that, 6.05.
        (9, 2, None, MANY, 1),
        (11, 2, None, MANY, 2),
        (1, 2, None, MANY, 1),
        (4, 1, None, MANY, 1),
        (4, 2, None, 1, 1),
        # Threads that are given stay: there is one worker for all processors, or one for each.
        (4, 2, 2, MANY, 1),
        (3, 2, 1, MANY, 2),
        # Three of eight processors end with six pairs in two rounds, as five do.
        (6, 8, 1, 5, 3),
        (1000, 16, None, 8, 8),
    ],
)
def test_so_many_workers_end_first(pairs, processors, threads, most, expected):
    assert fastest(pairs, processors, threads, most) == expected


def test_a_number_of_workers_stays(jobs):
    settings = RunSettings(workers=3)
    assert settled(settings, jobs) is settings


def test_auto_is_what_ends_first_with_the_pairs_that_are_to_be_painted(jobs):
    automatic = RunSettings(workers=AUTO_WORKERS)
    assert [settled(automatic, jobs[:n]).workers for n in range(5)] == [1, 1, 2, 1, 2]


def test_all_workers_together_stay_within_max_memory_and_the_machines(jobs, monkeypatch):
    automatic = RunSettings(workers=AUTO_WORKERS)
    assert settled(replace(automatic, max_memory=4 * 2**30), jobs).workers == 2
    assert settled(replace(automatic, max_memory=2**30), jobs).workers == 1
    monkeypatch.setattr(workers, "memory", lambda: (2**30, 2**30))
    assert settled(automatic, jobs).workers == 1


def test_workers_of_auto_grow_to_their_share_of_max_memory_and_those_that_were_asked_for_to_all_of_it(jobs, tmp_path):
    asked_for = RunSettings(workers=2, max_memory=4 * 2**30)
    automatic = settled(replace(asked_for, workers=AUTO_WORKERS), jobs)
    assert automatic.workers == 2
    assert LocalEngine(automatic, tmp_path / "log")._room == 2 * 2**30
    assert LocalEngine(asked_for, tmp_path / "log")._room == 4 * 2**30


def test_a_pair_that_cannot_be_opened_is_left_to_the_run(jobs):
    lost = replace(jobs[0], content=Path("/nowhere/photo.png"))
    assert settled(RunSettings(workers=AUTO_WORKERS), [lost, *jobs[1:]]).workers == 2


def test_gpus_have_a_worker_each_and_no_more_than_there_are_pairs(jobs, monkeypatch):
    monkeypatch.setattr(workers, "gpus", lambda: ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0"])
    automatic = RunSettings(workers=AUTO_WORKERS)
    assert settled(automatic, jobs).workers == 3
    assert settled(automatic, jobs[:2]).workers == 2


def test_a_cluster_has_its_own_workers(jobs):
    assert settled(RunSettings(workers=AUTO_WORKERS, engine="dask"), jobs).workers == 1


@pytest.mark.parametrize(("word", "expected"), [("auto", AUTO_WORKERS), ("3", 3)])
def test_a_manifest_and_the_flag_say_auto_or_a_number(jobs, tmp_path, word, expected):
    pair = "{content: photo.png, style: style.png}"
    file = tmp_path / "m.yaml"
    file.write_text(f"version: 1\nname: m\ninput: .\noutput: out\nrun: {{jobs: {word}}}\npairs: [{pair}]\n")
    assert load_manifest(file).run.workers == expected
    command = RUNNING["workers"](click.command()(lambda workers: workers))
    assert command.main(["-j", word], standalone_mode=False) == expected
    with pytest.raises(click.BadParameter, match="'many' is neither 'auto' nor a whole number from 1 on"):
        command.main(["-j", "many"], standalone_mode=False)
