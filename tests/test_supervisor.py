"""Supervised processes with a worker of twenty lines, which paints nothing."""

from __future__ import annotations

import errno
import io
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from patience import PATIENCE
from PIL import Image

from pipeline.batch.engines import local
from pipeline.batch.engines.lifetime import death
from pipeline.batch.engines.local import LocalEngine
from pipeline.batch.engines.worker import _Worker
from pipeline.batch.messages import Command, Done, Failed, Killed, Machine, Opening, Started, decode
from pipeline.batch.system import machine, nodes
from pipeline.errors import EnvironmentProblem, WorkerDied
from pipeline.job import Job, RunSettings, ShownNames
from pipeline.nst.weights import locate
from pipeline.options import Options

pytestmark = pytest.mark.slow

# What a pair's output is called says what becomes of its worker; what it says of its picture is itself.
WORKER = """
import os, signal, sys, time
from pipeline.batch.messages import Done, Machine, Opening, Ready, decode_command, encode
from pipeline.job import Painted
commands, messages = (int(word) for word in sys.argv[1:])
os.write(messages, encode(Ready(Machine(device="none"))))
for line in os.fdopen(commands):
    then = decode_command(line).job.output
    if then == "die":
        os._exit(7)
    if then == "decode":
        os.write(messages, encode(Opening("/photos/slow.jpg", 12.5)))
        os.kill(os.getpid(), signal.SIGPROF)
    if then == "linger":
        os.close(messages)
        time.sleep(3600)
    if then == "hang":
        time.sleep(3600)
    if then == "mumble":
        os.write(messages, b'{"type": "mumble"}\\n')
    myself = {"pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
    if hasattr(os, "sched_getaffinity"):
        myself["processors"] = sorted(os.sched_getaffinity(0))
    os.write(messages, encode(Done(Painted(painted_with=myself))))
    if then == "leave":
        os._exit(0)
"""


def command(output: str) -> Command:
    job = Job(output=output, content=Path("c"), styles=(), options=Options())
    names = ShownNames(content="c", style=(), options={})
    seconds = 0.1 if output == "hang" else None
    return Command(job=job, weights=locate("random"), folder=Path("out"), names=names, seconds=seconds)


@pytest.fixture
def of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Messages of pairs. A pair is given to the engine when the worker is gone that was to leave after the one before."""
    (tmp_path / "small_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parent.parent}")

    def messages(*outputs: str, **settings):
        waiting, given = list(outputs), [""]

        def next_command():
            if given[-1] == "leave":
                engine._slots[0]._process.wait(PATIENCE)
            given.append(waiting.pop(0) if waiting else "")
            return command(given[-1]) if given[-1] else None

        engine = LocalEngine(RunSettings(threads=1, **settings), tmp_path / "log", worker="small_worker")
        events = list(engine.run(next_command, lambda: False))
        assert engine.machine == Machine(device="none")
        assert [event.output for event in events if event.message == Started()] == list(outputs)
        return [event.message for event in events if event.message != Started()]

    return messages


def who(message: Done):
    return message.painted.painted_with["pid"]


def test_a_worker_is_kept_for_the_next_task(of):
    first, second = of("stay", "stay")
    assert first == second


def test_a_worker_that_left_between_two_tasks_fails_neither(of):
    answers = of("leave", "leave", "stay")
    assert [type(answer) for answer in answers] == [Done] * 3
    assert len({who(answer) for answer in answers}) == 3


def test_a_worker_that_dies_at_a_task_fails_that_task_alone(of):
    answers = of("stay", "die", "stay")
    assert [type(answer) for answer in answers] == [Done, Failed, Done]
    assert answers[1].reason.startswith("its process ended by itself with code 7; see ")


def test_workers_save_what_they_have_in_hand_where_one_more_cannot_be_started(of, tmp_path, monkeypatch):
    """Its log has no room, say. What is saved is told, and not lost with the run's end."""
    waiting = [replace(command("hang"), seconds=None), command("stay")]
    engine = LocalEngine(RunSettings(threads=1, workers=2), tmp_path / "log", worker="small_worker")
    opened = local.open_log

    def refuse(path):
        if engine._slots[0].pair:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path)

    monkeypatch.setattr(local, "open_log", refuse)
    events = []
    with pytest.raises(EnvironmentProblem, match="No space left"):
        events.extend(engine.run(lambda: waiting.pop(0), lambda: False))
    assert events == [("hang", Started()), ("hang", Killed())]


def test_a_worker_that_hangs_as_it_ends_fails_its_task_and_holds_nobody_up(of, monkeypatch):
    """In what a library does at exit: it says no more, and is still there."""
    monkeypatch.setattr(local, "_GRACE_SECONDS", 0.2)
    lingered, after = of("linger", "next")
    assert lingered.reason_class == WorkerDied.reason_class
    assert "hung as it ended" in lingered.reason
    assert isinstance(after, Done)


@pytest.mark.parametrize(("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (35, "signal 35")])
def test_a_worker_that_a_signal_ended_is_told_of_by_it_whether_python_has_a_name_for_it_or_not(number, name):
    told = death(-number, Path("night.log"), None)
    assert (type(told), str(told)) == (WorkerDied, f"its process was ended by {name}; see night.log")


def test_a_picture_whose_decoding_the_kernel_ended_is_named_and_not_tried_again(of):
    failed, done = of("decode", "stay")
    assert failed.reason.startswith("/photos/slow.jpg takes more than 12.5 s of processor time to decode, ")
    assert (failed.reason_class, failed.retry, type(done)) == ("bad_image", False, Done)


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({}, "far more than was estimated; set pair_timeout where it needs more"),
        ({"pair_timeout": 0.1}, "raise pair_t"),
    ],
)
def test_a_pair_that_hangs_ends_at_its_limit_whether_the_manifest_has_one_or_not(of, monkeypatch, settings, remedy):
    monkeypatch.setattr(local, "_LOOK_SECONDS", 0.05)
    failed, done = of("hang", "stay", **settings)
    assert failed.reason.startswith(f"not finished after 0.1 s; {remedy}")
    assert (failed.reason_class, failed.retry, type(done)) == ("timeout", True, Done)


def test_a_picture_is_opened_under_the_kernels_clock_of_its_size(tmp_path, monkeypatch):
    said, asked, set_timer = io.BytesIO(), [], signal.setitimer

    def spied(timer, seconds):
        asked.append((timer, seconds))
        return set_timer(timer, seconds)

    monkeypatch.setattr(signal, "setitimer", spied)
    path = tmp_path / "a.png"
    Image.new("RGB", (1000, 500)).save(path)
    with _Worker(said).opening(path):
        left, _ = signal.getitimer(signal.ITIMER_PROF)
        assert signal.getsignal(signal.SIGPROF) == signal.SIG_DFL  # which ends a process
    # 5 for the header, then twice the time for decoding
    assert asked == [(signal.ITIMER_PROF, seconds) for seconds in (5.0, 0.0, 21.0, 0.0)]
    assert 0 < left <= 21.01  # it runs; the kernel rounds up to its ticks
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    header, whole = map(decode, said.getvalue().splitlines())
    assert (header, whole) == (Opening(str(path), 5.0), Opening(str(path), 21.0))


def test_a_worker_that_says_what_nobody_knows_is_a_bug_and_not_passed_over(of):
    with pytest.raises(ValueError, match="has the type 'mumble'; known are ready, opening, started"):
        of("stay", "mumble")


def test_a_worker_that_cannot_start_is_the_environments_fault_in_its_own_words(tmp_path, monkeypatch):
    (tmp_path / "broken_worker.py").write_text("raise FileNotFoundError('No usable temporary directory found')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parent.parent}")
    engine = LocalEngine(RunSettings(threads=1), tmp_path / "log", worker="broken_worker")
    with pytest.raises(
        EnvironmentProblem, match=r"cannot start: FileNotFoundError: No usable temp.* found; see .*/log"
    ):
        list(engine.run(lambda: command("a.png"), lambda: False))


def test_a_machine_without_room_for_a_process_is_the_environments_fault(of, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(local.subprocess, "Popen", refuse)
    with pytest.raises(EnvironmentProblem, match="cannot be started: Resource temporarily unavailable; close other"):
        of("stay")


@pytest.mark.parametrize(
    ("held", "workers"),
    [
        ([100, 100, 299, 300], 1),  # up to three times what it held after its first task
        ([100, 301, 100, 299], 2),
        ([100, 301, 301, 301], 2),  # the second one has a first size of its own
        ([100, 301, 100, 301], 2),
    ],
)
def test_a_worker_whose_memory_has_grown_is_replaced_between_two_tasks(of, monkeypatch, held, workers):
    sizes = iter(held)
    monkeypatch.setattr(local._Slot, "memory", lambda _: next(sizes))
    answers = of("stay", "stay", "stay", "stay")
    assert [type(answer) for answer in answers] == [Done] * 4
    assert len({who(answer) for answer in answers}) == workers


@pytest.mark.parametrize(
    ("gpus", "slots", "given"),
    [
        ("0,1", 2, {"0", "1"}),
        ("3,GPU-5a,7", 2, {"3", "GPU-5a"}),
        ("0,1", 3, {"0", "1"}),  # more workers than GPUs share them
        ("0,1", 1, {"0,1"}),  # one worker alone may choose
        ("", 2, {""}),
    ],
)
def test_each_of_several_workers_has_a_gpu_of_its_own_before_it_starts(of, monkeypatch, gpus, slots, given):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    answers = of(*["stay"] * 3, workers=slots)
    assert {answer.painted.painted_with["gpu"] for answer in answers} == given
    assert len({who(answer) for answer in answers}) == slots


@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: ())(0)) < 2, reason="one processor is no two nodes")
def test_each_of_several_workers_stays_on_a_memory_node_of_its_own(of, monkeypatch):
    usable = sorted(os.sched_getaffinity(0))
    monkeypatch.setattr(nodes, "memory_nodes", lambda: [frozenset(usable[:1]), frozenset(usable[1:2])])
    answers = of(*["stay"] * 3, workers=2)
    assert {tuple(answer.painted.painted_with["processors"]) for answer in answers} == {(usable[0],), (usable[1],)}
    assert sorted(os.sched_getaffinity(0)) == usable


def test_without_being_told_workers_share_out_the_gpus_that_the_driver_shows(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "_GPUS", tmp_path)
    assert machine.devices(2) == [None, None]
    for address in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / address).mkdir()
    assert machine.devices(1) == [None]
    assert machine.devices(3) == ["0", "1", "0"]
