"""Several clips, and several shots of one clip, painted at the same time by several workers: real processes, frames in
milliseconds by tests/chaos/engine, bytes as those of one worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clips_night_kit import OUTPUT, Night, shots, write_video
from conftest import REPOSITORY, rehearsing
from farm_kit import Farm, kill_group
from patience import PATIENCE, until

from pipeline.batch.engines.protocol import Event
from pipeline.batch.engines.shots import ShotEngine, _Clip, grouped
from pipeline.batch.messages import Command as Order
from pipeline.batch.messages import (
    Done,
    Failed,
    Interrupted,
    Killed,
    PartDone,
    Position,
    Read,
    Resumed,
    Saved,
    Started,
    decode,
    decode_command,
    encode,
)
from pipeline.errors import MachineLost, WorkerDied
from pipeline.job import Job, Painted, ShownNames, StyleImage
from pipeline.nst.weights import NetworkWeights
from pipeline.options import Options
from pipeline.reading import Reading
from pipeline.store.layout import frame_name

av = pytest.importorskip("av")
pytest.importorskip("cv2")

SECOND = "second.mkv"


# ------------------------------------------------------------------------------------- what becomes of a clip's events


@pytest.mark.parametrize(
    ("begins", "frames", "parts"),
    [
        ((0,), 100, [((0,), 100)]),
        ((0, 50), 100, [((0,), 50), ((50,), 100)]),
        ((0, 10, 60), 100, [((10,), 60), ((60,), 100), ((0,), 10)]),
        ((0, 1, 2, 3, 4, 20), 32, [((0, 1, 2, 3), 4), ((4,), 20), ((20,), 32)]),
    ],
)
def test_shots_are_grouped_into_parts_of_a_few_frames_longest_first(
    begins: tuple[int, ...], frames: int, parts: list[Any]
) -> None:
    assert sorted(grouped(begins, frames)) == sorted(parts)
    lengths = [end - first[0] for first, end in grouped(begins, frames)]
    assert lengths == sorted(lengths, reverse=True)


def test_a_clip_of_a_thousand_shots_has_few_parts() -> None:
    parts = grouped(tuple(range(0, 3000, 3)), 3000)
    assert len(parts) <= 16
    assert sorted(begin for part, _end in parts for begin in part) == list(range(0, 3000, 3))


def _order(output: str = "a.mp4", frames: str = "all") -> Order:
    job = Job(
        output=output,
        content=Path("/in/a.mp4"),
        styles=(StyleImage(Path("/in/s.png")),),
        options=Options(frames=frames),
    )
    weights = NetworkWeights("random", None, "0" * 64)
    return Order(
        job=job, weights=weights, folder=Path("/out"), names=ShownNames(content="a.mp4", style=("s.png",), options={})
    )


class Workers:
    """An engine whose workers say what a test has them say: `script` for each label in turn."""

    machine = None

    def __init__(self, **script: list[list[Any]]) -> None:
        self.script = {name.replace("_", "\n"): list(tries) for name, tries in script.items()}
        self.given: list[Order] = []

    def run(self, next_command: Any, stop: Any) -> Iterator[Any]:
        while True:
            orders = [order for order in (next_command(), next_command()) if order is not None]  # side by side
            if not orders:
                return
            self.given += orders
            for order in orders:
                yield Event(order.label, Started())
            for order in orders:
                name = "cuts" if order.part is not None and not order.part.begins else order.label
                for message in self.script[name].pop(0):
                    yield Event(order.label, message)


def _run(engine: Workers, *orders: Order, tries: int = 1) -> list[Any]:
    waiting = [order for order in orders for _ in range(tries)]
    return list(ShotEngine(engine).run(lambda: waiting.pop(0) if waiting else None, lambda: False))


def _read(step: int) -> Read:
    return Read(Reading(step=step, seconds=1.0, side=64, losses={"total": 1.0}), coarse=False)


CUTS = PartDone(begins=(0, 10), frames=20)
DONE = Done(Painted(size=[1, 1], steps=20, seconds=1.0, seconds_per_step=0.1))


def _lost() -> Failed:
    return Failed.by(MachineLost("its worker is gone"))


def test_a_divided_clip_is_one_pair_to_the_run() -> None:
    said = Saved(Position(4, "frame 4 of 20"), part=True)
    first, second = [said, _read(4), PartDone(painted_apart=10)], [_read(15), PartDone(painted_apart=7)]
    engine = Workers(cuts=[[CUTS]], **{"a.mp4_0": [first], "a.mp4_10": [second], "a.mp4": [[DONE]]})
    events = _run(engine, _order())
    assert {event.output for event in events} == {"a.mp4"}
    messages = [event.message for event in events]
    assert (type(messages[0]), messages[-1]) == (Started, DONE)
    assert [type(message) for message in messages].count(Started) == 1
    assert [message.reading.step for message in messages if isinstance(message, Read)] == [4, 15]
    assert [order.painted_apart for order in engine.given] == [0, 0, 0, 17]


def test_frames_that_stood_do_not_make_the_others_look_quick() -> None:
    """Ten frames stand and one takes its time: so will the nine that are left."""
    clip = _Clip(_order())
    clip.began -= 60_000
    list(clip.hear(Event(clip.give().label, CUTS)))
    first, second = clip.give(), clip.give()
    list(clip.hear(Event(first.label, PartDone(painted_apart=0))))
    (read,) = clip.hear(Event(second.label, _read(11)))
    assert read.message.reading.step == 11
    assert read.message.reading.seconds / read.message.reading.step == pytest.approx(60_000, rel=0.1)


def test_a_clip_of_one_shot_is_given_to_one_worker() -> None:
    engine = Workers(cuts=[[PartDone(begins=(0,), frames=20)]], **{"a.mp4": [[_read(1), DONE]]})
    messages = [event.message for event in _run(engine, _order())]
    assert messages == [Started(), _read(1), DONE]
    assert [order.part is None for order in engine.given] == [False, True]


def test_pictures_and_previews_are_not_divided() -> None:
    engine = Workers(**{"a.mp4": [[DONE]], "b.png": [[DONE]]})
    _run(engine, _order(frames="preview"), _order("b.png", frames="auto"))
    assert [order.part for order in engine.given] == [None, None]


def test_a_part_whose_machine_is_lost_is_given_to_another() -> None:
    part = [[Resumed(Position(2, "")), _read(3), _lost()], [Resumed(Position(3, "")), PartDone(painted_apart=7)]]
    engine = Workers(cuts=[[CUTS]], **{"a.mp4_0": part, "a.mp4_10": [[PartDone(painted_apart=10)]], "a.mp4": [[DONE]]})
    messages = [event.message for event in _run(engine, _order())]
    assert messages[-1] == DONE
    assert not any(isinstance(message, Failed) for message in messages)


def test_a_part_that_loses_machine_after_machine_fails_the_clip() -> None:
    engine = Workers(
        cuts=[[CUTS]], **{"a.mp4_0": [[_lost()] for _ in range(9)], "a.mp4_10": [[PartDone()], [PartDone()]]}
    )
    assert [event.message for event in _run(engine, _order())][-1] == _lost()


def test_a_clip_of_which_a_part_failed_fails_once_and_is_whole_the_next_time() -> None:
    died = Failed.by(WorkerDied("killed"))
    parts = {"a.mp4_0": [[died]], "a.mp4_10": [[_read(12), PartDone()]], "a.mp4": [[DONE]]}
    engine = Workers(cuts=[[CUTS]], **parts)
    waiting: list[Order] = [_order()]
    events: list[Any] = []
    run = ShotEngine(engine).run(lambda: waiting.pop(0) if waiting else None, lambda: False)
    for event in run:
        events.append(event.message)
        waiting.extend([_order()] if isinstance(event.message, Failed) else [])
    assert [message for message in events if isinstance(message, Failed | Done)] == [died, DONE]
    assert engine.given[-1].part is None


@pytest.mark.parametrize("end", [Interrupted(Position(13, "")), Killed()])
def test_a_clip_that_is_left_says_how_many_of_its_frames_stand(end: Any) -> None:
    engine = Workers(cuts=[[CUTS]], **{"a.mp4_0": [[_read(4), _read(5), end]], "a.mp4_10": [[_read(13), end]]})
    messages = [event.message for event in _run(engine, _order())]
    assert messages[-1] == Interrupted(Position(8, "frame 8 of 20"))
    assert sum(isinstance(message, Interrupted | Killed) for message in messages) == 1


def test_a_part_of_a_clip_comes_through_the_pipe() -> None:
    from dataclasses import replace

    from pipeline.batch.messages import Part

    order = replace(_order(), part=Part((3, 9), 14), painted_apart=4)
    assert decode_command(encode(order)) == order
    assert order.label == "a.mp4\n3"
    assert decode(encode(CUTS)) == CUTS


# -------------------------------------------------------------------------------------------------- with real processes

slow = pytest.mark.slow


@pytest.fixture
def night(project: Path) -> Night:
    made = Night(project)
    made.clip(6, 6, 6)
    return made


@pytest.fixture
def undisturbed(night: Night) -> bytes:
    """The clip as one worker makes it."""
    return night.undisturbed()


def _workers_seen(place: Path) -> set[str]:
    lines = (place / "diary").read_text().splitlines()
    return {line.split()[3] for line in lines if not line.startswith("fault:")}


def _second_clip(night: Night) -> None:
    write_video(night.project / "input/second.mkv", shots(2, 7))
    with (night.project / "night.yaml").open("a") as manifest:
        manifest.write(f"  - {{content: second.mkv, style: style/wave.png, output: {SECOND}}}\n")


def _start(night: Night, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.start", "run", "night.yaml", "-j", "2", *flags],
        cwd=night.project,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | rehearsing(night.project),
        stderr=subprocess.PIPE,
        text=True,
    )


@slow
def test_shots_and_clips_are_painted_at_the_same_time_in_the_same_bytes(night: Night, undisturbed: bytes) -> None:
    _second_clip(night)
    held = night.lay_fault(8, "hold")  # a frame of the second shot, until the others and the second clip stand
    run = _start(night, "-v")
    others = [night.frame(number) for number in (*range(6), *range(12, 18))]
    others.append(night.project / "out" / SECOND)
    until(lambda: not held.exists() and all(path.exists() for path in others))
    assert not night.frame(8).exists()
    (night.place / "faults/go").touch()
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, said
    assert len(_workers_seen(night.place)) == 2
    assert night.result.read_bytes() == undisturbed
    assert "stood already" not in (night.project / "out/report.json").read_text()
    assert "frame 18/18" in said
    assert "frame 9/9" in said


@slow
def test_a_run_of_two_workers_that_is_killed_goes_on_with_the_same_bytes(night: Night, undisturbed: bytes) -> None:
    held = night.lay_fault(8, "hold")
    run = _start(night)
    until(lambda: not held.exists() and night.frame(3).exists())
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=PATIENCE)
    before = night.painted()
    row = night.run()
    assert row["status"] == "done"
    after = night.painted()
    assert sorted({*before, *after}) == list(range(18))
    assert len(before) + len(after) <= 18 + 1  # one that was painted and not yet kept
    assert night.result.read_bytes() == undisturbed


@slow
def test_a_clip_goes_on_with_another_worker_of_a_cluster(night: Night, undisturbed: bytes) -> None:
    """Frames stand in the shared folder: whoever is given the shot next finds them."""
    _second_clip(night)
    farm = Farm(night.place)
    try:
        farm.have(2)
        night.lay_fault(8, "hold")
        run = farm.start(night.project)
        victim = farm.holder(OUTPUT)
        until((night.project / "out" / frame_name(OUTPUT, 7)).exists)
        farm.workers.remove(victim)
        kill_group(victim)
        _, said = run.communicate(timeout=PATIENCE)
        assert run.returncode == 0, said
    finally:
        farm.close()
    assert sorted(number - 1 for number in farm.steps(OUTPUT)) == list(range(18))
    assert night.result.read_bytes() == undisturbed
    assert (night.project / "out" / SECOND).exists()
