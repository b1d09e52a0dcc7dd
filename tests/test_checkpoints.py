"""Checkpoint files: whole, of this pair, of this setting, or of no use. No TensorFlow."""

from __future__ import annotations

import contextlib
import gc
import json
import threading
import weakref
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from patience import PATIENCE

from pipeline.batch import checkpoints
from pipeline.batch.checkpoints import CheckpointManager, Unusable, save
from pipeline.batch.messages import Position, Resumed, Saved
from pipeline.errors import BadImage, DiskFull, Diverged
from pipeline.nst.network import NETWORKS
from pipeline.options import Options
from pipeline.reading import Reading
from pipeline.schedule import Machine as ScheduleMachine
from pipeline.schedule import Sized, schedule
from pipeline.store.disk import LocalStore
from pipeline.stylize import Progress, paint

SETTING = {"threads": 2, "device": "CPU"}
LOSSES = {"total": 3.0, "content": 1.0, "style": 1.5, "tv": 0.0, "moments": 0.5}
READING = Reading(step=7, seconds=1.5, side=64, losses=LOSSES)
PROGRESS = Progress(
    stage=1,
    step=7,
    seconds=12.5,
    trace=(READING,),
    arrays={
        "image": np.random.default_rng(1).normal(size=(4, 6, 3)).astype(np.float32),
        "best_loss": np.array(np.float32(0.1)),
        "file": np.array([2**40], np.int64),  # also the name of an argument of numpy.savez
        "empty": np.zeros((0, 3), np.float32),
        "s_0.bfloat16": np.arange(72, dtype=np.uint16).reshape(4, 6, 3),
    },
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoints/one.npz"
    save(LocalStore(path.parent), path.name, PROGRESS, key="k", environment=SETTING, side=64)
    return path


def load(path, **of):
    return checkpoints.load(LocalStore(path.parent), path.name, **of)


def test_what_is_loaded_is_what_was_saved_to_the_bit(path):
    found, side = load(path, key="k", environment=SETTING)
    assert side == 64
    assert (found.stage, found.step, found.seconds, found.trace) == (1, 7, 12.5, (READING,))
    assert found.arrays.keys() == PROGRESS.arrays.keys()
    for name, array in PROGRESS.arrays.items():
        back = found.arrays[name]
        assert (back.shape, back.dtype, back.tobytes()) == (array.shape, array.dtype, array.tobytes())


def test_none_is_none(tmp_path):
    assert load(tmp_path / "nothing.npz", key="k", environment=SETTING) is None


@pytest.mark.parametrize("damage", range(12))
def test_a_damaged_file_is_never_taken_for_a_checkpoint(path, damage):
    """Cut off, or with a byte changed, anywhere: damaged, unless the byte is of no meaning (a time in the archive)."""
    data = bytearray(path.read_bytes())
    where = len(data) * damage // 12
    path.write_bytes(data[:where])
    with pytest.raises(Unusable, match="its checkpoint is damaged"):
        load(path, key="k", environment=SETTING)
    data[where] ^= 0x10
    path.write_bytes(data)
    try:
        found, _ = load(path, key="k", environment=SETTING)
    except Unusable:
        return
    for name, array in PROGRESS.arrays.items():
        assert found.arrays[name].tobytes() == array.tobytes()


def test_the_longest_readings_there_are_find_room():
    """A mixture of all that are sums over layers, each over all of them, and the content; of a small picture."""
    layers = NETWORKS["vgg19"].activations
    names = [*("style.gram", "style.moments", "style.histogram", "style.neighbours", "content")]
    shares = {f"{name}/{layer}": -1.23456e-05 for name in names for layer in layers}
    losses = dict.fromkeys(("total", "content", "style", "tv"), -1.2345678901234567e-05)
    trace = [Reading(step=9_999, seconds=1234.5678901234567, side=10_000, losses=losses, layers=shares)] * 100
    rows = json.dumps([reading.as_row() for reading in trace])
    assert len(rows) < checkpoints.most_bytes((0, 0), "auto", 100) - 2**20


def test_another_key_or_setting_is_of_no_use_and_says_so(path):
    with pytest.raises(Unusable, match="of the pair as it was before"):
        load(path, key="other", environment=SETTING)
    with pytest.raises(Unusable, match=r"of step 7 was made with other threads \(2, now 4\)"):
        load(path, key="k", environment=SETTING | {"threads": 4})
    with pytest.raises(Unusable, match=r"other tensorflow \(None, now 3\)"):
        load(path, key="k", environment=SETTING | {"tensorflow": "3"})


def test_one_of_another_version_is_not_called_damaged(path):
    """That of 0.1 had a `setting` where `environment` stands now."""
    with np.load(path) as archive:
        entries = dict(archive)
    about = json.loads(entries["about"].tobytes())
    about |= {"schema": checkpoints.SCHEMA - 1, "setting": about.pop("environment")}
    np.savez(path, **entries | {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)})
    with pytest.raises(Unusable, match="its checkpoint is another version's"):
        load(path, key="k", environment=SETTING)


def test_a_pickle_in_the_place_of_an_array_is_not_opened(path):
    np.savez(path, about=np.array([{"key": "k"}], dtype=object))
    with pytest.raises(Unusable, match="damaged"):
        load(path, key="k", environment=SETTING)


class Told(list):
    def __call__(self, message):
        self.append(message)


def manager(path, told=None, **changes):
    usual = {
        "key": "k",
        "environment": SETTING,
        "steps": 300,
        "tell": told if told is not None else Told(),
    }
    return CheckpointManager(LocalStore(path.parent), path.name, **usual | changes)


def ended(painting):
    """What a painting comes to, and what it yielded before."""
    yielded = []
    while True:
        try:
            yielded.append(next(painting))
        except StopIteration as end:
            return end.value, yielded


def step_found(found):
    """A painting that says which step it was given to go on from."""
    yield "a step"
    return found and found.step


def test_a_pair_goes_on_from_its_checkpoint_and_says_so(path):
    told = Told()
    at_full_size = manager(path, told)
    assert ended(at_full_size.resume_or_start(step_found)) == (7, ["a step"])
    assert at_full_size.notes == ["resumed at step 7 of 300"]
    assert told == [Resumed(Position(7, "step 7 of 300"))]
    told.clear()
    coarser = replace(PROGRESS, final=False)
    save(LocalStore(path.parent), path.name, coarser, key="k", environment=SETTING, side=64)
    ended(manager(path, told).resume_or_start(step_found))
    assert told == [Resumed(Position(0, "step 7 at 64 px"))]


@pytest.mark.parametrize(
    ("step", "final", "seconds", "saved"),
    [(300, True, 900.0, True), (299, True, 900.0, False), (300, False, 900.0, False), (300, True, 90.0, False)],
)
def test_a_slow_descent_is_saved_at_its_end_as_what_follows_is_long(path, step, final, seconds, saved):
    path.unlink(missing_ok=True)
    told = Told()
    slow = manager(path, told)
    slow.maybe_save(replace(READING, step=step, seconds=seconds, final=final), lambda: PROGRESS, leaving=False)
    slow._finish()
    assert path.exists() == saved
    assert [type(message) for message in told] == [Saved] * saved


def test_what_was_found_is_let_go_of_once_the_painting_has_it(path):
    """A large picture's checkpoint holds gigabytes, and a descent its own copy of them."""
    arrays = []

    def paint(found):
        arrays.append(weakref.ref(found.arrays["image"]))
        del found
        yield "in place"

    painting = manager(path).resume_or_start(paint)
    next(painting)
    gc.collect()
    assert arrays[0]() is None


def test_a_checkpoint_of_no_use_is_removed_and_the_pair_painted_from_the_start(path):
    other = manager(path, environment=SETTING | {"threads": 4})
    assert ended(other.resume_or_start(step_found)) == (None, ["a step"])
    assert other.notes == ["its checkpoint of step 7 was made with other threads (2, now 4); painted from the start"]
    assert not path.exists()


def test_a_checkpoint_that_another_descent_wrote_costs_no_failure(path):
    def paint(found):
        if found is not None:
            raise KeyError("image")
        yield "a step"
        return "painted"

    unfit = manager(path)
    assert ended(unfit.resume_or_start(paint)) == ("painted", ["a step"])
    assert unfit.notes == ["its checkpoint could not be gone on from; painted from the start"]


@pytest.mark.parametrize(
    "forged",
    [
        *({"seconds": seconds} for seconds in (1e308, -1e308, -1, 2e9)),
        *({"side": side} for side in (-1, 10**15)),
        *(
            {"trace": [READING.as_row() | odd]}
            for odd in ({"seconds": 1e308}, {"step": -1}, {"side": 1e10}, {"tv": 1e39})
        ),
        {"trace": [{"total": 1.0}]},
    ],
    ids=str,
)
def test_numbers_that_no_painting_has_are_not_gone_on_from(path, forged, monkeypatch):
    """One reading of 1e308 seconds ended the night of all pairs, as the time that is left was infinite."""
    real = checkpoints.json.dumps
    monkeypatch.setattr(checkpoints.json, "dumps", lambda about: real(about | forged))
    save(LocalStore(path.parent), path.name, PROGRESS, key="k", environment=SETTING, side=64)
    with pytest.raises(Unusable, match=r"^its checkpoint holds numbers that no painting has$"):
        load(path, key="k", environment=SETTING)


@pytest.mark.parametrize(("stage", "step"), [(0, -1), (0, -(10**12)), (0, 301), (1, 0), (-1, 5)])
def test_nothing_goes_on_from_a_step_that_the_pair_does_not_have(stage, step):
    """From step -1e12 a list of its rounds filled the memory of the machine."""
    options = Options(size=64, steps=300)
    one = schedule(options, Sized("c", (64, 48)), [Sized("s", (64, 48))], ScheduleMachine(precision="float32"))
    progress = Progress(stage=stage, step=step, seconds=1.0, trace=(), arrays={})
    painting = paint(None, options, one, SimpleNamespace(lock=contextlib.nullcontext()), resume=progress)
    with pytest.raises(ValueError, match=rf"there is no step {step} of stage {stage}$"):
        next(painting)


@pytest.mark.parametrize(
    ("error", "kept"),
    [(Diverged("d"), False), (RuntimeError("bug"), False), (DiskFull("f"), True), (BadImage("b"), True)],
)
def test_what_may_be_to_blame_for_a_failure_is_dropped(path, error, kept):
    failing = manager(path)

    def paint(found):
        yield "a step"
        failing.maybe_save(READING, lambda: PROGRESS, leaving=False)
        raise error

    with pytest.raises(type(error)):
        ended(failing.resume_or_start(paint))
    assert path.exists() == kept


def test_saving_waits_its_time_and_leaving_does_not(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)
    told, path = Told(), tmp_path / "c.npz"
    saving = manager(path, told)

    def step(seconds, leaving=False):
        nonlocal now
        now += seconds
        saving.maybe_save(READING, lambda: PROGRESS, leaving=leaving)
        saving._finish()
        return len(told)

    assert [step(49.9), step(0.1), step(49.9), step(0.1), step(51), step(1, leaving=True)] == [0, 1, 1, 2, 3, 4]
    assert told[0] == Saved(Position(7, "step 7 of 300"))


def test_the_descent_does_not_wait_for_the_disk(tmp_path, monkeypatch):
    free = threading.Event()
    real = checkpoints.save
    monkeypatch.setattr(checkpoints, "save", lambda *a, **k: (free.wait(PATIENCE), real(*a, **k)))
    told = Told()
    saving = manager(tmp_path / "c.npz", told, save_seconds=0.0)
    for _ in range(3):  # of which only the first is written: the disk is busy
        saving.maybe_save(READING, lambda: PROGRESS, leaving=False)
    assert told == []
    free.set()
    saving._finish()
    assert len(told) == 1


def test_a_disk_that_takes_no_checkpoint_costs_a_note_and_nothing_else(tmp_path, monkeypatch):
    def full(*_, **__):
        raise DiskFull("c.npz: the disk is full")

    monkeypatch.setattr(checkpoints, "save", full)
    saving = manager(tmp_path / "c.npz", save_seconds=0.0)

    def paint(found):
        for _ in range(3):
            yield "a step"
            saving.maybe_save(READING, lambda: PROGRESS, leaving=False)
            saving._finish()
        return "painted"

    assert ended(saving.resume_or_start(paint)) == ("painted", ["a step"] * 3)
    assert saving.notes == ["no checkpoint could be saved: c.npz: the disk is full"]
