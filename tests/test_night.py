"""Which pair is next, and what a run makes of what earlier runs left. No TensorFlow."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from night_kit import PAIRS, Nights, failed, painted, statuses

from pipeline.batch.clean import CHECKPOINT_DAYS
from pipeline.batch.engines.protocol import Event
from pipeline.batch.messages import Interrupted, Killed, Machine, Position, Read, Saved, Started
from pipeline.batch.plan import make_plan
from pipeline.cli.console import Lines, Quiet
from pipeline.job import Reading
from pipeline.manifest import load_manifest
from pipeline.store.checksummed_json import read_checksummed_json, write_checksummed_json
from pipeline.store.disk import LocalStore
from pipeline.store.keys import former_key
from pipeline.store.layout import checkpoint_name, record_name
from pipeline.store.records import State


@pytest.fixture
def nights(project):
    return Nights(project)


def test_the_longest_wanted_pair_is_painted_first(nights):
    """By priority; then what has no picture, what has the oldest, and the manifest's order among equals."""
    names = ["kept", "young", "old", "new", "twin", "urgent"]
    priority = {"urgent": ", priority: 1"}
    row = "\n  - {{content: content/dog.png, style: style/wave.png, output: {0}.png{1}, options: {{steps: {2}}}}}"

    def manifest(steps):
        rows = (row.format(name, priority.get(name, ""), steps[name]) for name in names if name in steps)
        nights.manifest("".join(rows) + "\n")

    manifest(dict.fromkeys(["kept", "young", "old", "urgent"], 4))
    nights.run()
    for age, name in enumerate(["urgent", "young", "old"]):
        os.utime(nights.output / f"{name}.png", (10**9 - age, 10**9 - age))
    manifest({name: 4 if name == "kept" else 5 for name in names})

    def plan():
        made = make_plan(load_manifest(nights.project / "night.yaml"), State(LocalStore(nights.output)))
        return [step.job.output.removesuffix(".png") for step in made.pairs]

    assert plan() == plan() == ["urgent", "kept", "new", "twin", "old", "young"]
    nights.run(limit=4)
    assert nights.asked == ["urgent.png", "new.png", "twin.png", "old.png"]
    assert plan() == ["urgent", "kept", "young", "old", "new", "twin"]


def lay_checkpoint(nights, output, key="k"):
    """A checkpoint as a worker saves it."""
    from pipeline.batch.checkpoints import save
    from pipeline.stylize import Progress

    store, name = LocalStore(nights.output), checkpoint_name(output)
    save(
        store,
        name,
        Progress(1, 2, 3.0, (), {"image": np.ones((4, 6, 3), np.float32)}),
        key=key,
        environment={},
        side=64,
    )
    return store.path(name)


DOG = "\n  - {content: content/dog.png, style: style/wave.png, output: dog.png}\n"
SEA = "\n  - {content: content/sea.png, style: style/wave.png, output: sea.png}\n"


def test_a_checkpoint_of_another_manifest_is_left_alone(nights):
    sea = lay_checkpoint(nights, "sea.png")
    nights.manifest(DOG)
    nights.run()
    assert sea.exists()
    nights.manifest(SEA)
    nights.run()
    assert not sea.parent.exists()


def test_a_run_over_some_pairs_leaves_the_others_checkpoints(nights):
    sea = lay_checkpoint(nights, "sea.png")
    nights.run(only="dog.png")
    assert sea.exists()


def test_a_waiting_pair_keeps_its_checkpoint_and_a_finished_one_does_not(nights):
    nights.run()
    key = nights.report()["pairs"][0]["key"]
    dog, sea = (lay_checkpoint(nights, name, key) for name in ("dog.png", "sea.png"))
    (nights.output / "dog.png").unlink()
    nights.run(lambda command: Interrupted(Position(2, "step 2 of 4")))
    assert dog.exists()
    assert not sea.exists()
    nights.run()
    assert not dog.exists()


def damage(path):
    path.write_bytes(path.read_bytes()[:-1])


def grow_old(path):
    os.utime(path, (time.time() - (CHECKPOINT_DAYS + 0.1) * 86400,) * 2)


@pytest.mark.parametrize(("spoil", "goes"), [(damage, True), (grow_old, True), (lambda path: None, False)])
def test_another_manifests_checkpoint_goes_when_it_is_of_no_use_to_anyone(nights, spoil, goes):
    nights.manifest(DOG)
    spoil(other := lay_checkpoint(nights, "sea.png"))
    nights.run()
    assert other.exists() != goes


def test_another_manifests_checkpoint_goes_when_its_picture_stands(nights):
    nights.manifest(SEA)
    key = nights.run()["pairs"][0]["key"]
    nights.manifest(DOG)
    sea = lay_checkpoint(nights, "sea.png", key)
    nights.run()
    assert not sea.exists()
    lay_checkpoint(nights, "sea.png", "of other options")
    nights.run()
    assert sea.exists()
    lay_checkpoint(nights, "sea.png", key)
    (nights.output / "sea.png").unlink()
    nights.run()
    assert sea.exists()


def forge(nights, output, **changes):
    """Change what the record says of the pair's last painting."""
    store, name = LocalStore(nights.output), record_name(output)
    record = read_checksummed_json(store, name)
    record["outcome"] |= changes
    write_checksummed_json(store, name, record)


HERE = {"threads": 2, "device": "CPU", "processor": "8086", "tensorflow": "2.21.0"}


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ({"painted_with": HERE | {"threads": 64}}, "threads (64, now 2)"),
        ({"painted_with": HERE | {"processor": "Z80"}}, "processor (Z80, now 8086)"),
        ({"painted_with": HERE | {"device": "GPU", "tensorflow": "2"}}, "device (GPU, now CPU), tensorflow (2, now 2.21.0)"),
        ({"precision": "bfloat16"}, "precision (bfloat16, now float32)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_painting_anew_elsewhere_promises_no_equal_bytes(nights, before, words, capsys):
    nights.run()
    forge(nights, "dog.png", **before)
    for name in ("dog.png", "sea.png"):
        (nights.output / name).unlink()
    dog, sea = nights.run(voice=Lines())["pairs"]
    told = f"painted before with other {words}: alike, not equal byte for byte"
    assert dog["notes"] == [told]
    assert sea["notes"] == []
    assert f"done dog.png: 48x40, 4 steps in 1.0 s, loss 1 -> 1; {told}\n" in capsys.readouterr().err
    assert dog["painted_with"] == HERE
    (nights.output / "dog.png").unlink()
    assert nights.run()["pairs"][0]["notes"] == []


def test_another_picture_is_no_repetition(nights):
    nights.run()
    forge(nights, "dog.png", painted_with=HERE | {"threads": 64})
    nights.manifest(options=", seed: 3, init: noise")
    assert [pair["notes"] for pair in nights.run()["pairs"]] == [[], []]


def test_a_record_from_before_settings_were_kept_says_nothing(nights):
    nights.run()
    forge(nights, "dog.png", painted_with={}, precision=None)
    assert [pair["notes"] for pair in nights.run(force=True)["pairs"]] == [[], []]


@pytest.mark.parametrize(("reason_class", "alone"), [("memory", True), ("worker_died", True), ("timeout", False)])
def test_what_may_have_run_out_of_memory_is_tried_again_alone(nights, reason_class, alone):
    """Two workers; the first pair fails, and until its second try is over no other pair is painted beside it."""
    nights.manifest(run="{jobs: 2, retries: 1}", pairs=PAIRS + DOG.replace("dog.png}", "third.png}"))
    answers = {True: painted(nights.output), False: failed(reason_class, retry=True)}
    beside = []

    class Two:
        machine = Machine(device="CPU")

        def run(self, next_command, stop):
            def begin():
                if command := next_command():
                    yield Event(command.job.output, Started())
                return command

            def end(command, good=True):
                return Event(command.job.output, answers[good](command))

            dog, sea = (yield from begin()), (yield from begin())
            yield end(dog, good=False)
            first = yield from begin()
            beside.append(None if first is None else first.job.output)
            yield end(sea)
            second = yield from begin()
            beside.append(second.job.output)
            third = yield from begin()
            beside.append(None if third is None else third.job.output)
            for command in filter(None, (first, second, third)):
                yield end(command)
            if last := (yield from begin()):
                yield end(last)

    report = nights.run_with(Two())
    assert [(pair["status"], pair["attempts"]) for pair in report["pairs"]] == [("done", 2), ("done", 1), ("done", 1)]
    assert beside == ([None, "dog.png", None] if alone else ["dog.png", "third.png", None])


@pytest.mark.parametrize(
    ("last", "reason", "steps"),
    [
        (Killed(), "stopped; step 3 of 4 is saved, and the next run goes on from there", 3),
        (
            Interrupted(Position(4, "step 4 of 4")),
            "stopped; step 4 of 4 is saved, and the next run goes on from there",
            4,
        ),
        (Interrupted(), "stopped before there was anything to save", 0),
    ],
    ids=["killed", "left", "left at once"],
)
def test_a_stopped_pair_says_where_its_checkpoint_stands(nights, last, reason, steps):
    """A worker that was killed has not said it at the end: what it said on the way counts."""

    class Stopped:
        machine = None

        def run(self, next_command, stop):
            output = next_command().job.output
            for message in (Started(), Saved(Position(2, "step 2 of 4")), Saved(Position(3, "step 3 of 4")), last):
                yield Event(output, message)

    pair = nights.run_with(Stopped())["pairs"][0]
    assert (pair["status"], pair["reason"], pair["steps"]) == ("interrupted", reason, steps)


@pytest.mark.parametrize("coarse", [True, False])
def test_only_steps_at_full_size_correct_what_lies_ahead(nights, coarse):
    corrected = []

    class Voice(Quiet):
        def corrected(self, ahead):
            corrected.append(ahead)

    class Slow:
        machine = None

        def run(self, next_command, stop):
            output = next_command().job.output
            yield Event(output, Started())
            for step in range(1, 6):
                reading = Reading(step=step, seconds=99.0 * step, side=48, losses={"total": 1.0})
                yield Event(output, Read(reading, coarse=coarse))
            yield Event(output, Interrupted())

    nights.run_with(Slow(), Voice())
    assert len(corrected) == (0 if coarse else 1)


def test_an_engine_that_says_what_nobody_knows_is_a_bug(nights):
    class Strange:
        machine = None

        def run(self, next_command, stop):
            yield Event(next_command().job.output, "mumble")

    report = nights.run_with(Strange())
    assert report["run"]["exit_code"] == 1
    assert "mumble" in next((nights.output / ".pipeline/history").glob("*.log")).read_text()


def test_changing_an_option_without_effect_repaints_nothing(nights):
    nights.run()
    nights.manifest(options=", seed: 7, quality: 50, beta_1: 0.5")
    assert set(statuses(nights.run()).values()) == {"up_to_date"}
    nights.manifest(options=", seed: 8, noise_level: 3, init: style")
    assert set(statuses(nights.run()).values()) == {"done"}
    reason = make_plan(load_manifest(nights.project / "night.yaml"), State(LocalStore(nights.output))).pairs[0].reason
    assert reason == "up to date"
    nights.manifest(options=", seed: 9, init: noise")
    reason = make_plan(load_manifest(nights.project / "night.yaml"), State(LocalStore(nights.output))).pairs[0].reason
    assert reason == "init style -> noise, noise_level 3.0 -> 40.0, seed 8 -> 9"


def test_pictures_with_a_key_of_an_earlier_version_are_kept_and_get_todays(nights, monkeypatch):
    """Earlier keys had options without effect in them, as the seed of a pair without noise."""
    nights.manifest(options=", seed: 7")
    with monkeypatch.context() as earlier:
        earlier.setattr("night_kit.pair_key", former_key)
        nights.run()
    record = State(LocalStore(nights.output)).record("dog.png")
    assert set(statuses(nights.run()).values()) == {"up_to_date"}
    nights.manifest(options=", seed: 8")
    report = nights.run()
    assert set(statuses(report).values()) == {"up_to_date"}
    assert record.key not in {row["key"] for row in report["pairs"]}
