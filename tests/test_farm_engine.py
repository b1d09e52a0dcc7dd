"""What the driver makes of a cluster: the engine over a scripted line, in the place of Dask's scheduler and workers."""

from __future__ import annotations

import importlib.util
import os
import queue
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from night_kit import PAIRS, Nights, failed, painted, statuses

from pipeline.batch.engines.cluster import engine as engine_module
from pipeline.batch.engines.cluster import link as link_module
from pipeline.batch.engines.cluster import proof
from pipeline.batch.engines.cluster.engine import DaskEngine
from pipeline.batch.engines.cluster.link import Heard, Offer, connect
from pipeline.batch.messages import (
    Interrupted,
    Machine,
    PairMessage,
    Position,
    Read,
    Ready,
    Started,
    decode_command,
    encode,
)
from pipeline.batch.selection import Shard
from pipeline.cli.console import Quiet
from pipeline.errors import EnvironmentProblem, StylizeError
from pipeline.job import RunSettings
from pipeline.reading import Reading
from pipeline.store.disk import LocalStore
from pipeline.store.failures import QUARANTINE_AFTER

Act = Callable[["Line", str, dict[str, Any]], None]


class Line:
    """Stands where a Link would. `workers` are what each does with a pair's order, by address."""

    def __init__(self, **workers: Act) -> None:
        self.inbox: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.topic, self.stands = "topic", True
        self.workers = dict(workers)
        self.facts: dict[str, dict[str, Any]] = {}  # what workers show of themselves, where it is not what is wanted
        self.given: list[tuple[str, str]] = []  # worker and pair
        self.called: list[int] = []
        self.closed = False

    def offers(self) -> list[Offer]:
        return [Offer(address, 1) for address in self.workers]

    def cut(self, heard: Heard) -> bool:
        return "cut off" in heard.lost

    def gone(self) -> EnvironmentProblem:
        return EnvironmentProblem("the scheduler is gone")

    def submit(self, token: str, address: str, task: Any, order: dict[str, Any], *, slot: bool) -> None:
        if not slot:
            answer = {"me": address, "host": "node", "versions": proof.versions(), "trouble": ""}
            self.inbox.put(Heard(token, answer=answer | self.facts.get(address, {})))
            return
        assert order["me"] == address
        self.given.append((address, decode_command(order["command"]).job.output))
        self.workers[address](self, token, order)

    def drop(self, token: str) -> None: ...

    def call_for_more(self, task: Any, workers: int) -> None:
        self.called.append(workers)

    def close(self) -> None:
        self.closed = True

    def say(self, token: str, *messages: Ready | PairMessage) -> None:
        self.inbox.put(Heard(token, said=tuple(encode(message).decode() for message in messages)))

    def answer(self, token: str, message: PairMessage) -> None:
        self.inbox.put(Heard(token, answer={"last": encode(message).decode()}))


class Voice(Quiet):
    def __init__(self) -> None:
        self.said: list[str] = []

    def warned(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def nights(project: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    monkeypatch.setattr(engine_module, "_WORKERS_SECONDS", 0.0)
    monkeypatch.setattr(engine_module, "_LOOK_SECONDS", 0.01)
    return Nights(project)


@pytest.fixture
def run(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[dict[str, Any], list[str]]]:
    """A run over a line: its report, and what was warned of."""

    def run(
        line: Line,
        settings: str = "engine: dask, scheduler: there",
        patience: float = 60.0,
        pairs: str = PAIRS,
        closed: bool = True,
        **selection: Any,
    ):
        monkeypatch.setattr(engine_module, "connect", lambda *_: line)
        nights.manifest(pairs, run=f"{{{settings}}}")
        voice = Voice()
        from pipeline.batch.driver import run as drive
        from pipeline.batch.selection import Selection
        from pipeline.manifest import load_manifest

        def opened(settings: RunSettings, log: Path) -> DaskEngine:
            return DaskEngine(settings, log, patience=patience)

        report = drive(load_manifest(nights.project / "night.yaml"), Selection(**selection), voice, engine=opened)
        assert line.closed is closed  # where there was anything to paint
        return report, voice.said

    return run


def paints(output: Path) -> Act:
    """A worker that paints what it is given."""
    paint = painted(output)

    def act(line: Line, token: str, order: dict[str, Any]) -> None:
        line.say(token, Ready(Machine(device="CPU", threads=order["settings"]["threads"])), Started())
        line.answer(token, paint(decode_command(order["command"])))

    return act


def first(times: int, act: Act, then: Act) -> Act:
    left = [times]

    def acts(line: Line, token: str, order: dict[str, Any]) -> None:
        left[0] -= 1
        (act if left[0] >= 0 else then)(line, token, order)

    return acts


def dies(line: Line, token: str, order: dict[str, Any]) -> None:
    line.say(token, Started())
    line.inbox.put(Heard(token, lost="KilledWorker: it died"))


def test_pairs_are_given_in_the_plans_order_and_the_machine_is_the_workers(run, nights):
    line = Line(a=paints(nights.output), b=paints(nights.output))
    report, said = run(line)
    assert statuses(report) == {"dog.png": "done", "sea.png": "done"}
    assert line.given == [("a", "dog.png"), ("b", "sea.png")]
    assert (report["run"]["device"], report["run"]["threads"], report["run"]["exit_code"]) == ("CPU", 1, 0)
    assert said == []


def test_readings_have_no_worker_looked_for_that_is_free(run, nights, monkeypatch):
    """Two hundred workers say four hundred readings a second: who is free changes with beginnings and ends alone."""

    class OneByOne(queue.Queue):
        def get_nowait(self):
            raise queue.Empty

    def tells(line: Line, token: str, order: dict[str, Any]) -> None:
        line.say(token, Ready(Machine(device="CPU", threads=1)), Started())
        for step in range(1, 101):
            reading = Reading(step=step, seconds=step, side=48, losses={"total": 1.0, "content": 0.5, "style": 0.5})
            line.say(token, Read(reading, coarse=False))
        line.answer(token, painted(nights.output)(decode_command(order["command"])))

    looks = []
    hand_out = DaskEngine._hand_out
    monkeypatch.setattr(DaskEngine, "_hand_out", lambda *given: looks.append(1) or hand_out(*given))
    monkeypatch.setattr(engine_module, "_WORKERS_SECONDS", 3600.0)
    line = Line(a=tells)
    line.inbox = OneByOne()
    report, _ = run(line)
    assert statuses(report) == {"dog.png": "done", "sea.png": "done"}
    assert len(looks) == 4  # at first, when the worker has shown itself, and after each pair


def test_a_worker_of_another_version_is_told_of_and_given_nothing(run, nights):
    line = Line(a=paints(nights.output), b=paints(nights.output))
    line.facts["a"] = {"versions": proof.versions() | {"algorithm": "4"}}
    report, (said,) = run(line)
    assert said == (
        f"worker a on node has another version of this program: algorithm 4 (here {proof.versions()['algorithm']}); "
        "install the same there; it paints nothing"
    )
    assert line.given == [("b", "dog.png"), ("b", "sea.png")]
    assert report["run"]["warnings"] == [said]


def test_a_worker_with_other_libraries_paints_and_is_told_of_once(run, nights):
    line = Line(a=paints(nights.output))
    line.facts["a"] = {"versions": proof.versions() | {"numpy": "1.0"}}
    report, (said,) = run(line)
    assert said.startswith("worker a on node has numpy 1.0 (here ")
    assert said.endswith("its pictures are alike, not equal byte for byte")
    assert len(line.given) == 2
    assert report["run"]["exit_code"] == 0


def test_lost_machines_do_not_use_up_a_pairs_retries_but_five_are_enough(run, nights):
    line = Line(a=first(5, dies, paints(nights.output)))
    report, said = run(line, "engine: dask, scheduler: there, retries: 0")
    assert statuses(report) == {"dog.png": "done", "sea.png": "done"}
    assert [pair["attempts"] for pair in report["pairs"]] == [6, 1]
    assert said[0] == ("dog.png: its worker a on node was lost (KilledWorker: it died); trying once more (2)")
    nights.output.joinpath("dog.png").unlink()
    report, _ = run(Line(a=first(6, dies, paints(nights.output))))
    assert statuses(report) == {"dog.png": "failed", "sea.png": "up_to_date"}
    (dog, _) = report["pairs"]
    assert (dog["reason_class"], dog["attempts"]) == ("machine_lost", 6)


def test_a_pair_whose_worker_dies_before_it_begins_goes_to_another_unheard(run, nights):
    def never_begins(line: Line, token: str, order: dict[str, Any]) -> None:
        del line.workers["a"]

    line = Line(a=never_begins, b=paints(nights.output))
    report, said = run(line)
    assert [pair["attempts"] for pair in report["pairs"]] == [1, 1]
    assert said == []


def test_a_worker_that_does_not_see_a_picture_is_set_aside_and_the_pair_is_not_blamed(run, nights):
    def blind(line: Line, token: str, order: dict[str, Any]) -> None:
        assert list(order["inputs"].values()) == [(nights.project / path).stat().st_size for path in DOG]
        line.inbox.put(Heard(token, answer={"unfit": "does not see /photos/dog.png as it is here"}))

    line = Line(a=blind, b=paints(nights.output))
    report, said = run(line)
    assert said == ["worker a on node does not see /photos/dog.png as it is here; it paints nothing"]
    assert [pair["attempts"] for pair in report["pairs"]] == [1, 1]
    assert sorted(line.given[1:]) == [("b", "dog.png"), ("b", "sea.png")]


DOG = ("input/content/dog.png", "input/style/wave.png")


def test_a_worker_that_was_started_anew_under_its_address_is_another(run, nights):
    def stranger(line: Line, token: str, order: dict[str, Any]) -> None:
        line.inbox.put(Heard(token, answer={"stranger": True}))

    report, _ = run(Line(a=first(1, stranger, paints(nights.output))))
    assert statuses(report) == {"dog.png": "done", "sea.png": "done"}


def test_a_worker_that_is_closed_gives_its_pair_back_with_what_is_saved(run, nights):
    def leaves(line: Line, token: str, order: dict[str, Any]) -> None:
        line.say(token, Started(), Interrupted(Position(2, "step 2 of 4")))
        line.workers["b"] = paints(nights.output)

    report, said = run(Line(a=leaves))
    assert said == ["dog.png: its worker a on node was closed; step 2 of 4 is saved; trying once more (2)"]
    assert statuses(report) == {"dog.png": "done", "sea.png": "done"}


def test_a_worker_that_dies_while_it_is_asked_is_asked_again_if_it_is_there(run, nights):
    line = Line(a=paints(nights.output))
    answered = line.submit
    asked = []

    def dies_once(token: str, address: str, task: Any, order: dict[str, Any], *, slot: bool) -> None:
        asked.append(token)
        if len(asked) == 1:
            line.inbox.put(Heard(token, lost="KilledWorker: it died"))
        else:
            answered(token, address, task, order, slot=slot)

    line.submit = dies_once
    report, said = run(line)
    assert statuses(report) == {"dog.png": "done", "sea.png": "done"}
    assert said == []


def test_the_token_of_a_run_goes_with_it_and_that_of_a_killed_one_after_a_week(run, nights):
    run(Line(a=paints(nights.output)))
    now = nights.output / ".pipeline/now"
    assert list(now.iterdir()) == []
    for name, days in (("young", 6), ("old", 8)):
        path = now / f"{name}.token"
        path.write_text("")
        os.utime(path, (time.time() - days * 86400,) * 2)
    nights.output.joinpath("dog.png").unlink()
    run(Line(a=paints(nights.output)))
    assert [path.name for path in now.iterdir()] == ["young.token"]


def test_a_cluster_is_called_to_grow_while_there_are_more_pairs_than_workers(run, nights):
    line = Line(a=paints(nights.output))
    run(line)
    assert max(line.called) == 1
    assert line.called[-1] == 0


def test_a_pair_that_killed_its_painter_is_not_kept_from_others_of_a_cluster(run, nights):
    """On one machine its second try has the memory to itself."""
    waiting = []

    def both_at_once(line: Line, token: str, order: dict[str, Any]) -> None:
        line.say(token, Started())
        waiting.append((token, order))
        if len(waiting) == 2:  # the second try of the first pair is given while the other goes on
            for token, order in waiting:
                line.answer(token, painted(nights.output)(decode_command(order["command"])))

    def fails(line: Line, token: str, order: dict[str, Any]) -> None:
        line.answer(token, failed("worker_died", retry=True)(decode_command(order["command"])))

    report, _ = run(Line(a=first(1, fails, both_at_once), b=both_at_once))
    assert statuses(report) == {"dog.png": "done", "sea.png": "done"}


def test_a_pair_that_takes_its_machine_with_it_in_three_runs_is_quarantined_in_the_fourth(run, nights):
    settings = "engine: dask, scheduler: there, retries: 0"

    def poisoned(line: Line, token: str, order: dict[str, Any]) -> None:
        of_dog = decode_command(order["command"]).job.output == "dog.png"
        (dies if of_dog else paints(nights.output))(line, token, order)

    for night in range(1, QUARANTINE_AFTER + 1):
        report, _ = run(Line(a=poisoned), settings)
        assert statuses(report) == {"dog.png": "failed", "sea.png": "done" if night == 1 else "up_to_date"}
        assert report["pairs"][0]["failed_runs"] == night
    line = Line(a=poisoned)
    report, _ = run(line, settings, closed=False)
    assert statuses(report) == {"dog.png": "quarantined", "sea.png": "up_to_date"}
    assert (report["run"]["exit_code"], line.given) == (12, [])


PRIORITIES = """
  - {content: content/dog.png, style: style/wave.png, output: low.png}
  - {content: content/sea.png, style: style/wave.png, output: high.png, priority: 2}
  - {content: content/sea.png, style: style/wave.png, output: middle.png, priority: 1, options: {seed: 2}}
"""


def test_priorities_are_kept_by_pairs_that_are_tried_again_or_moved(run, nights):
    def never_begins(line: Line, token: str, order: dict[str, Any]) -> None:
        del line.workers["a"]
        line.workers["b"] = first(1, dies, paints(nights.output))

    line = Line(a=never_begins)
    report, _ = run(line, pairs=PRIORITIES)
    assert set(statuses(report).values()) == {"done"}
    tried = [("a", "high.png"), ("b", "high.png"), ("b", "high.png")]
    assert line.given == [*tried, ("b", "middle.png"), ("b", "low.png")]


def test_a_pair_that_would_not_be_finished_before_the_deadline_is_given_to_no_worker(run, nights):
    pairs = """
  - {content: content/dog.png, style: style/wave.png, output: long.png, priority: 1, options: {steps: 1000000}}
  - {content: content/sea.png, style: style/wave.png, output: short.png}
"""
    line = Line(a=paints(nights.output))
    report, _ = run(line, "engine: dask, scheduler: there, max_duration: 10m", pairs=pairs)
    assert statuses(report) == {"long.png": "not_started", "short.png": "done"}
    assert line.given == [("a", "short.png")]
    assert report["run"]["exit_code"] == 10
    assert report["pairs"][0]["reason_class"] == "deadline"


def test_a_part_of_a_division_gives_workers_its_own_pairs_alone(run, nights):
    parts = [{name for name in ("dog.png", "sea.png") if Shard(index, 2).has(name)} for index in (1, 2)]
    assert parts[0] | parts[1] == {"dog.png", "sea.png"}
    for index, part in enumerate(parts, start=1):
        line = Line(a=paints(nights.output))
        run(line, shard=Shard(index, 2), closed=bool(part))
        assert {output for _worker, output in line.given} == part


@pytest.mark.parametrize("seen", ["no line", "a lost task"])
def test_a_scheduler_that_is_gone_is_the_environments_fault(run, nights, seen):
    def loses_it(line: Line, token: str, order: dict[str, Any]) -> None:
        line.say(token, Started())
        if seen == "no line":
            line.stands = False
        else:
            line.inbox.put(Heard(token, lost="cut off"))

    report, said = run(Line(a=loses_it))
    assert report["run"]["exit_code"] == 4
    assert said == ["the scheduler is gone"]
    assert statuses(report) == {"dog.png": "interrupted", "sea.png": "not_started"}


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        ({}, "no worker of there offers a slot; start one with 'dask worker there --nworkers 1 --resources slot=1'"),
        ({"a": "trouble"}, "no worker of there can paint: the first, a on node, is blind; mount the same folder there"),
        ({"a": "silent"}, "the workers of there do not answer, as they do other work"),
    ],
)
def test_a_run_that_finds_nobody_to_paint_does_not_wait_for_ever(run, nights, workers, words):
    line = Line(**dict.fromkeys(workers, paints(nights.output)))
    if "trouble" in workers.values():
        line.facts["a"] = {"trouble": "is blind"}
    if "silent" in workers.values():
        line.submit = lambda *_, **__: None
    report, said = run(line, patience=0.05)
    assert report["run"]["exit_code"] == 4
    assert words in said[-1]


# ------------------------------------------------------------------------------------------------------------------- the line


def test_a_scheduler_that_cannot_be_reached_is_said_within_the_time(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:  # a port that nobody listens at once this is closed
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr(link_module, "CONNECT_SECONDS", 0.5)
    for there in (address, "/no/such/scheduler.json"):
        with pytest.raises(EnvironmentProblem, match=f"the Dask scheduler {there} cannot be reached: "):
            connect(there, "topic", lambda: False)


def test_a_stop_ends_the_connecting(monkeypatch):
    assert connect("/no/such/scheduler.json", "topic", lambda: True) is None


def test_without_the_package_a_cluster_is_refused_in_one_line(monkeypatch, project, nights):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "distributed" else found(name))
    with pytest.raises(EnvironmentProblem, match="not installed: run 'make cluster', or"):
        connect("tcp://127.0.0.1:1", "topic", lambda: False)


class Broken:
    """A client whose line broke since it was looked at."""

    status = "closed"

    def subscribe_topic(self, topic, hear):
        pass

    def submit(self, *order, **named):
        raise RuntimeError("client is closed")


def test_what_is_sent_by_a_line_that_just_broke_is_lost_with_the_scheduler():
    link = link_module.Link(Broken(), "tcp://127.0.0.1:1", "topic")
    link.submit("t", "tcp://127.0.0.1:2", print, {}, slot=True)
    heard = link.inbox.get_nowait()
    assert (heard.token, heard.lost) == ("t", "RuntimeError: client is closed")
    assert link.cut(heard)
    link.drop("t")
    link.call_for_more(print, 2)  # as many as the line lets it
    assert link.inbox.empty()


# ------------------------------------------------------------------------------------------------------------------ the proof


def test_a_folder_is_known_by_its_token_and_not_by_its_path(tmp_path):
    store = LocalStore(tmp_path)
    store.write("token", b"abc")
    status = tmp_path.stat()
    assert proof.prove_folder(tmp_path, "token", "abc", late=0.0) == (status.st_dev, status.st_ino)
    for folder, token in ((tmp_path, "abd"), (tmp_path / "other", "abc")):
        with pytest.raises(StylizeError, match="does not see the output folder"):
            proof.prove_folder(folder, "token", token, late=0.0)


def test_a_picture_counts_as_seen_where_it_has_as_many_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"12")
    missing = tmp_path / "b"
    assert proof.sizes((tmp_path / "a", missing)) == {str(tmp_path / "a"): 2}
    assert proof.unseen({str(tmp_path / "a"): 2}, late=0.0) == ""
    assert proof.unseen({str(tmp_path / "a"): 3}, late=0.0) == str(tmp_path / "a")
    assert proof.unseen({str(missing): 3}, late=0.0) == str(missing)
