"""What happens to workers from outside: stopped with their driver, replaced when they hold too much, born with little."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from patience import PATIENCE, until

from pipeline.batch.engines.lifetime import Growth
from pipeline.batch.engines.local import LocalEngine, _Slot
from pipeline.batch.messages import Command, Done, Failed, Started
from pipeline.batch.system import hooks, pausing
from pipeline.batch.system.pausing import AwakeClock, wait_while_stopped
from pipeline.job import Job, RunSettings, ShownNames
from pipeline.nst.weights import locate
from pipeline.options import Options

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parent.parent
MIB = 1 << 20

# Says what it was born with. A pair `grow NEEDED` takes so many MiB, of which 40 stay for ever; `full` finds no memory in a
# worker that has painted before, `never` in none.
WORKER = """
import os, sys
from pipeline.batch.messages import Done, Failed, Machine, Ready, decode_command, encode
from pipeline.job import Painted
commands, messages = (int(word) for word in sys.argv[1:])
os.write(messages, encode(Ready(Machine(device="none"))))
left = 0
for number, line in enumerate(os.fdopen(commands)):
    then, *words = decode_command(line).job.output.split()
    if then == "never" or (then == "full" and number):
        os.write(messages, encode(Failed(reason="no memory", reason_class="memory", retry=True)))
        continue
    me = {"pid": os.getpid(), "environment": dict(os.environ), "path": sys.path}
    peak = (int(words[0]) << 20) + left if then == "grow" else 0
    left += 40 << 20
    os.write(messages, encode(Done(Painted(painted_with=me, peak_memory_bytes=peak))))
"""


def command(output: str, memory: int | None = None, seconds: float | None = None) -> Command:
    job = Job(output=output, content=Path("c"), styles=(), options=Options())
    names = ShownNames(content="c", style=(), options={})
    return Command(job=job, weights=locate("random"), folder=Path("out"), names=names, memory=memory, seconds=seconds)


@pytest.fixture
def paint(tmp_path, monkeypatch):
    """The messages of some commands, `Started` left out."""
    (tmp_path / "growing_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def painted(*commands: Command, **settings):
        waiting = [*commands]
        engine = LocalEngine(RunSettings(threads=1, **settings), tmp_path / "log", worker="growing_worker")
        events = list(engine.run(lambda: waiting.pop(0) if waiting else None, lambda: False))
        assert sum(event.message == Started() for event in events) == len(commands)
        return [event.message for event in events if event.message != Started()]

    return painted


def who(message: Done) -> int:
    return message.painted.painted_with["pid"]


# ---------------------------------------------------------------------------------------------------------------- memory


def test_a_worker_that_holds_too_much_for_the_next_pair_is_replaced_before_it(paint):
    """Pairs of 740 MiB in 1 GiB, each of which leaves 40: the sixth finds 940, and the next would be near the limit."""
    answers = paint(*[command("grow 740", 740 * MIB)] * 14, max_memory=1024 * MIB)
    assert [type(answer) for answer in answers] == [Done] * 14
    assert max(answer.painted.peak_memory_bytes for answer in answers) <= 1024 * MIB
    workers = [who(answer) for answer in answers]
    assert len(set(workers)) == 2
    assert workers == sorted(workers, key=workers.index)


def test_a_worker_is_kept_while_there_is_room(paint):
    answers = paint(*[command("grow 740", 740 * MIB)] * 6, max_memory=4096 * MIB)
    assert len({who(answer) for answer in answers}) == 1


def test_what_others_left_fails_no_pair_but_begins_it_afresh(paint):
    answers = paint(command("stay"), command("full"), command("stay"))
    assert [type(answer) for answer in answers] == [Done] * 3
    assert who(answers[0]) != who(answers[1]) == who(answers[2])


def test_a_pair_that_finds_no_memory_in_a_fresh_worker_fails_once_and_the_next_has_another(paint):
    answers = paint(command("stay"), command("never"), command("stay"))
    assert [type(answer) for answer in answers] == [Done, Failed, Done]
    assert who(answers[0]) != who(answers[2])


def test_a_worker_that_oversteps_after_other_pairs_begins_the_pair_afresh(paint, monkeypatch):
    """As measured from outside: the second pair's worker holds too much until it is a new one."""
    seen: list[int] = []

    def held(slot: _Slot) -> int:
        seen.append(slot._process.pid)
        return 2 * MIB if slot._growth.pairs and slot.pair == "second" else 1

    monkeypatch.setattr(_Slot, "memory", held)
    monkeypatch.setattr(Growth, "leaves_room", lambda *_: True)
    answers = paint(command("first"), command("second"), max_memory=MIB)
    assert [type(answer) for answer in answers] == [Done, Done]


def test_growth_reckons_with_what_was_not_foreseen_and_with_as_much_again():
    growth = Growth()
    assert growth.leaves_room(foreseen=2000, limit=1000)  # nothing better can be had than a fresh one
    growth.finished(held=300, peak=700, foreseen=700)
    assert growth.leaves_room(foreseen=1000, limit=1000)
    growth.finished(held=300, peak=740, foreseen=700)
    assert growth.leaves_room(foreseen=920, limit=1000)
    assert not growth.leaves_room(foreseen=921, limit=1000)
    growth.finished(held=901, peak=0, foreseen=0)
    assert not growth.leaves_room(foreseen=0, limit=1000)


# ------------------------------------------------------------------------------------------------------ stopped, continued


def test_time_in_which_we_did_not_run_does_not_count(monkeypatch):
    now = 100.0
    monkeypatch.setattr(pausing.time, "monotonic", lambda: now)
    clock = AwakeClock()
    began = clock.now()
    for _ in range(10):
        now += 0.5
        clock.now()
    assert clock.now() - began == 5.0
    now += 8 * 3600  # the lid was closed
    assert clock.now() - began <= 10.0


def test_a_worker_waits_while_its_driver_is_stopped():
    sleeper = subprocess.Popen(["sleep", "3600"])
    try:
        wait_while_stopped(sleeper.pid)
        sleeper.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(sleeper.pid).status() == psutil.STATUS_STOPPED)
        script = f"from pipeline.batch.system.pausing import wait_while_stopped as w; w({sleeper.pid})"
        waiting = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.4)
        sleeper.send_signal(signal.SIGCONT)
        assert waiting.wait(PATIENCE) == 0
    finally:
        sleeper.kill()
        sleeper.wait()
    wait_while_stopped(sleeper.pid)  # it is gone


# A driver with one pair, of a worker that counts in a file until it may finish.
DRIVER = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_worker_life import command
from pipeline.batch.engines.local import LocalEngine
from pipeline.job import RunSettings
if __name__ == "__main__":
    waiting = [command("slow")]
    engine = LocalEngine(RunSettings(threads=1), Path("log"), worker="counting_worker")
    events = engine.run(lambda: waiting.pop() if waiting else None, lambda: False)
    print([type(event.message).__name__ for event in events])
"""
COUNTING = """
import os, sys, time
from pipeline.batch.messages import Done, Machine, Ready, decode_command, encode
from pipeline.job import Painted
commands, messages = (int(word) for word in sys.argv[1:])
os.write(messages, encode(Ready(Machine(device="none"))))
for line in os.fdopen(commands):
    open("worker", "w").write(str(os.getpid()))
    number = 0
    while not os.path.exists("finish"):
        time.sleep(0.02)
        open("count", "w").write(str(number := number + 1))
    os.write(messages, encode(Done(Painted())))
"""


def test_ctrl_z_stops_the_worker_too_and_fg_ends_in_a_finished_picture(tmp_path):
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "counting_worker.py").write_text(COUNTING)
    driver = subprocess.Popen(
        [sys.executable, "driver.py", str(REPOSITORY / "tests")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{REPOSITORY}:{tmp_path}"},
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,  # as a shell has it; in an orphaned group the signal does nothing
    )
    try:
        until(lambda: (tmp_path / "count").exists())
        worker = psutil.Process(int((tmp_path / "worker").read_text()))
        driver.send_signal(signal.SIGTSTP)
        until(lambda: psutil.Process(driver.pid).status() == psutil.STATUS_STOPPED)
        until(lambda: worker.status() == psutil.STATUS_STOPPED)  # a signal takes its moment to arrive
        (tmp_path / "finish").touch()
        driver.send_signal(signal.SIGCONT)
        said, _ = driver.communicate(timeout=PATIENCE)
        assert said == "['Started', 'Done']\n"
    finally:
        driver.kill()
        driver.wait()


def test_a_hook_is_not_called_late_for_time_in_which_its_run_was_stopped(monkeypatch, tmp_path):
    """For an hour, between the first look at the clock and the second; the rest of its time it has stands still."""
    looks = iter([0.0])
    monkeypatch.setattr(pausing.time, "monotonic", lambda: next(looks, 3600.0))
    call = {"folder": tmp_path, "run_id": "r", "report": tmp_path, "exit_code": 0}
    assert hooks.run_hook(("sleep", "0.3"), **call) is None


def test_a_hook_that_this_user_may_not_end_is_told_of_and_is_no_bug(monkeypatch, tmp_path):
    """As one that sudo runs."""

    def refuse(group, number):
        started.append(group)
        raise PermissionError(1, "Operation not permitted")

    started, end = [], os.killpg
    monkeypatch.setattr(hooks.os, "killpg", refuse)
    monkeypatch.setattr(hooks, "_LIMIT_SECONDS", 0.1)
    monkeypatch.setattr(hooks, "_END_SECONDS", 0.1)
    told = hooks.run_hook(("sleep", "600"), folder=tmp_path, run_id="r", report=tmp_path, exit_code=0)
    assert "cannot be ended by this user" in told
    end(started[0], signal.SIGKILL)


def test_a_driver_that_was_held_up_calls_no_picture_late(paint, monkeypatch):
    """The machine slept for a day between two looks, at the first of which the worker had said nothing yet."""
    now = [0.0]
    silent = iter([True])

    def sleeping_select(slots, seconds):
        now[0] += 86400
        return set() if next(silent, False) else readable(slots, PATIENCE)

    from pipeline.batch.engines import local

    readable = local._readable
    monkeypatch.setattr(pausing.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(local, "_readable", sleeping_select)
    (answer,) = paint(command("stay", seconds=30.0))
    assert type(answer) is Done


# ------------------------------------------------------------------------------------------------------------------- birth


def test_a_worker_has_the_fixed_environment_and_no_working_directory(paint, monkeypatch, tmp_path):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:.:")
    monkeypatch.chdir(REPOSITORY)
    (answer,) = paint(command("stay"))
    born = answer.painted.painted_with
    assert "TF_ENABLE_ONEDNN_OPTS" not in born["environment"]
    assert born["environment"]["PYTHONPATH"] == str(tmp_path)
    assert "" not in born["path"]
    assert str(REPOSITORY) not in born["path"] or str(REPOSITORY) in json.dumps(sys.path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux' own")
def test_a_worker_gains_no_privileges_and_leaves_no_image_of_its_memory():
    script = (
        "from pipeline.batch.engines.worker import _give_up_privileges as g; g()\n"
        "import resource; print(open('/proc/self/status').read(), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "NoNewPrivs:\t1" in done.stdout
    assert done.stdout.endswith("(0, 0)\n")
