"""The supervisor with a worker of twenty lines, which knows no pictures."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from pipeline.batch import supervisor
from pipeline.batch.supervisor import Supervisor
from pipeline.errors import EnvironmentProblem

WORKER = """
import json, os, sys
commands, messages = (int(word) for word in sys.argv[1:])
def say(**message):
    os.write(messages, json.dumps(message).encode() + b"\\n")
say(type="ready", device="none")
for line in os.fdopen(commands):
    task = json.loads(line)
    if task["then"] == "die":
        os._exit(7)
    say(type="done", pid=os.getpid())
    if task["then"] == "leave":
        os._exit(0)
"""


@pytest.fixture
def of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Events of tasks, each given a quarter of a second after the one before was answered."""
    (tmp_path / "small_worker.py").write_text(WORKER)
    monkeypatch.setattr(supervisor, "WORKER", "small_worker")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def events(*tasks: str):
        waiting = list(tasks)

        def next_task():
            time.sleep(0.25)  # time enough for a worker to be gone
            return waiting.pop(0) if waiting else None

        desk = Supervisor[str](lambda task: {"then": task}, log=tmp_path / "log", threads=1)
        return [event.message for event in desk.run(next_task, lambda: False) if event.message["type"] != "started"]

    return events


def test_a_worker_is_kept_for_the_next_task(of):
    first, second = of("stay", "stay")
    assert first == second


def test_a_worker_that_left_between_two_tasks_fails_neither(of):
    answers = of("leave", "leave", "stay")
    assert [answer["type"] for answer in answers] == ["done"] * 3
    assert len({answer["pid"] for answer in answers}) == 3


def test_a_worker_that_dies_at_a_task_fails_that_task_alone(of):
    answers = of("stay", "die", "stay")
    assert [answer["type"] for answer in answers] == ["done", "failed", "done"]
    assert answers[1]["reason"].startswith("its process ended by itself with code 7; see ")


def test_a_machine_without_room_for_a_process_is_the_environments_fault(of, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(supervisor.subprocess, "Popen", refuse)
    with pytest.raises(EnvironmentProblem, match="cannot be started: Resource temporarily unavailable; close other"):
        of("stay")
