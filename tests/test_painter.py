"""A pair painted in this process: no worker, no pipe, no signal, and a backend of thirty lines in the
place of TensorFlow."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.batch.messages import (
    Command,
    Done,
    Failed,
    Interrupted,
    Machine,
    Position,
    Read,
    Resumed,
    Saved,
    decode,
    decode_command,
    encode,
)
from pipeline.batch.painter import Painter
from pipeline.errors import ExitCode
from pipeline.images.file_bytes import hash_file
from pipeline.images.metadata import read_metadata
from pipeline.job import Job, ShownNames, StyleImage, shown_masks
from pipeline.manifest import manifest_for_settings
from pipeline.nst.weights import locate
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.reading import Reading
from pipeline.store.disk import LocalStore
from pipeline.store.keys import pair_key
from pipeline.store.layout import checkpoint_name
from pipeline.store.records import State
from pipeline.stylization import Stylization
from pipeline.stylize import Progress

STEPS = 4
MACHINE = Machine(device="abacus", threads=3, versions={"tensorflow": "none"})


class ToyBackend:
    """Brightens the content by one grey level a step, first for two steps at half the size. `mishap` is
    raised at the second step of the last size."""

    machine = MACHINE
    out_of_memory = (MemoryError,)
    precision = "bfloat16"

    def __init__(self, mishap: Exception | None = None) -> None:
        self.mishap = mishap
        self.loaded = []
        self.schedules = []

    def load(self, weights, options):
        self.loaded.append((weights.name, options))

    def paint(self, job, pictures, schedule, resume):
        self.schedules.append(schedule)
        longer_side = max(schedule.size)
        stages = [(longer_side // 2, 2), (longer_side, job.options.steps)]
        trace = list(resume.trace) if resume else []
        for stage, (side, steps) in enumerate(stages):
            if resume and stage < resume.stage:
                continue
            begun = resume.step if resume and stage == resume.stage else 0
            for step in range(begun + 1, steps + 1):
                if self.mishap is not None and (stage, step) == (1, 2):
                    raise self.mishap
                losses = {"total": 10.0 - step, "content": 1.0, "style": 8.0 - step, "tv": 0.0, "hue": 1.0}
                reading = Reading(step=step, seconds=0.5 * step, side=side, losses=losses, final=side == longer_side)
                if side == longer_side:
                    trace.append(reading)
                progress = Progress(
                    stage, step, 0.5 * step, tuple(trace), {"step": np.array(step)}, side == longer_side
                )
                yield reading, lambda progress=progress: progress
        return Stylization(
            pixels=(pictures.content.pixels + len(trace)).clip(0, 255).astype(np.uint8),
            alpha=None,
            trace=tuple(trace),
            first=trace[0].losses,
            last=trace[-1].losses,
            setup_seconds=0.25,
            seconds=3.0,
            precision=schedule.stages[-1].precision,
            notes=("a note",),
        )


@pytest.fixture
def command(project) -> Command:
    options = Options(size=48, steps=STEPS, weights="random", seed=5)
    job = Job(
        output="deep/dog.png",
        content=project / "input/content/dog.png",
        styles=(StyleImage(project / "input/style/wave.png", 2.0),),
        options=options,
        meta={"credit": "city"},
    )
    return Command(
        job=job,
        weights=locate("random"),
        folder=project / "out",
        names=ShownNames(content="content/dog.png", style=("style/wave.png",), options=options.as_dict()),
        max_memory=2**30,
        versions={"pipeline": "1.2.3"},
    )


def checkpoint(command: Command) -> Path:
    return LocalStore(command.folder).path(checkpoint_name(command.job.output))


def test_a_pair_is_painted_with_a_reading_for_each_step_and_a_last_word(command):
    backend = ToyBackend()
    *reads, done = Painter(backend).paint(command)
    assert [(read.reading.side, read.reading.step, read.coarse) for read in reads] == [
        (24, 1, True),
        (24, 2, True),
        *((48, step, False) for step in range(1, STEPS + 1)),
    ]
    assert backend.loaded == [("random", command.job.options)]
    assert isinstance(done, Done)
    assert done.notes == ("a note",)
    painted = done.painted
    assert (painted.size, painted.steps, painted.seconds, painted.setup_seconds) == ([48, 40], STEPS, 3.0, 0.25)
    assert painted.seconds_per_step == 0.5
    assert painted.key == pair_key(command.job, hash_file, command.weights.sha256)
    assert (painted.threads, painted.seed, painted.precision) == (3, 5, "bfloat16")
    assert painted.painted_with.items() >= {"threads": 3, "device": "abacus", "tiles": "none"}.items()
    assert painted.tilings == {}
    assert painted.losses["last"] == {"total": 6.0, "content": 1.0, "style": 4.0, "tv": 0.0, "hue": 1.0}
    assert [row["step"] for row in painted.trace] == [1, 2, 3, 4]
    assert painted.peak_memory_bytes > 2**20
    with Image.open(command.folder / "deep/dog.png") as picture, Image.open(command.job.content) as content:
        before, after = np.asarray(content, int), np.asarray(picture, int)
        np.testing.assert_array_equal(after, np.minimum(before + STEPS, 255))
    assert State(LocalStore(command.folder)).thumbnails("deep/dog.png").keys() == {"content", "style", "result"}
    assert not checkpoint(command).exists()


def test_what_auto_precision_means_here_and_how_much_memory_there_is_decide_the_schedule(command):
    """The program alone takes 700 MB: below such a limit everything is cut as small as it can be."""
    backend = ToyBackend()
    *_, done = Painter(backend).paint(replace(command, max_memory=2**29))
    (schedule,) = backend.schedules
    assert [(stage.size, stage.steps, stage.precision) for stage in schedule.stages] == [((48, 40), STEPS, "bfloat16")]
    smallest = {"side": 512, "split": 5}
    assert done.painted.tilings == dict.fromkeys(
        ["48 px", "style 1 for 48 px", "finished", "style 1 for finished"], smallest
    )
    words = "512 px, whole network"
    assert done.painted.painted_with["tiles"] == (
        f"48 px: {words}; style 1 for 48 px: {words}; finished: {words}; style 1 for finished: {words}"
    )


def test_a_picture_says_of_itself_how_it_was_made_in_this_order(command):
    *_, done = Painter(ToyBackend()).paint(command)
    said = read_metadata(command.folder / command.job.output)
    assert list(said) == [
        "key", "output", "content", "style", "options", "weights", "sha256", "size", "steps", "losses", "meta",
        "painted_with", "pipeline",
    ]  # fmt: skip
    for name in ("key", "options", "weights", "size", "steps", "losses", "painted_with"):
        assert said[name] == getattr(done.painted, name), name
    assert said["style"] == [{"image": "style/wave.png", "weight": 2.0}]
    assert said["sha256"]["style"] == [hash_file(command.job.styles[0].image)]
    assert (said["meta"], said["pipeline"]) == ({"credit": "city"}, "1.2.3")


def test_a_picture_says_its_masks_and_its_key_holds_them(command, project):
    mask = project / "input/sky.png"
    with Image.open(command.job.content) as photograph:
        Image.new("L", photograph.size, 200).save(mask)
    style = replace(command.job.styles[0], mask=mask)
    job = replace(command.job, styles=(style,), content_mask=mask)
    masked = replace(command, job=job, names=replace(command.names, masks=shown_masks(job, project / "input")))
    *_, done = Painter(ToyBackend()).paint(masked)
    said = read_metadata(command.folder / command.job.output)
    assert said["style"] == [{"image": "style/wave.png", "weight": 2.0, "mask": "sky.png"}]
    assert said["content_mask"] == "sky.png"
    assert said["sha256"]["masks"] == {"sky.png": hash_file(mask)}
    assert (
        done.painted.key
        == pair_key(job, hash_file, masked.weights.sha256)
        != pair_key(command.job, hash_file, masked.weights.sha256)
    )
    (line,) = manifest_for_settings(said).split("content_mask:")[1:]
    assert line.splitlines()[0].strip() == '"sky.png"'


def test_a_mask_of_another_shape_is_the_pairs_own_failure(command, project):
    Image.new("L", (200, 40), 200).save(project / "input/sky.png")
    style = replace(command.job.styles[0], mask=project / "input/sky.png")
    (failed,) = Painter(ToyBackend()).paint(replace(command, job=replace(command.job, styles=(style,))))
    assert failed.reason.startswith("mask sky.png is 200x40 pixels and dog.png ")


def test_painting_leaves_when_it_is_told_to_and_goes_on_there(command):
    whole = replace(command, job=replace(command.job, output="whole.png"))
    list(Painter(ToyBackend()).paint(whole))
    told, seen = [], []
    painter = Painter(ToyBackend())
    for message in painter.paint(command, tell=told.append, stopping=lambda: len(seen) == 4):
        seen.append(message)
    assert [type(message) for message in seen] == [Read] * 4 + [Interrupted]
    assert seen[-1] == Interrupted(Position(2, "step 2 of 4"))
    assert told == [Saved(Position(2, "step 2 of 4"))]
    assert painter.saved == Position(2, "step 2 of 4")
    assert not (command.folder / command.job.output).exists()

    told.clear()
    *reads, done = painter.paint(command, tell=told.append)
    assert told == [Resumed(Position(2, "step 2 of 4"))]
    assert [read.reading.step for read in reads] == [3, 4]
    assert done.notes == ("a note", "resumed at step 2 of 4")
    assert [row["step"] for row in done.painted.trace] == [1, 2, 3, 4]
    pictures = [np.asarray(Image.open(command.folder / name)) for name in ("deep/dog.png", "whole.png")]
    np.testing.assert_array_equal(*pictures)


def test_left_at_a_coarser_size_no_step_of_the_result_is_made(command):
    *_, last = Painter(ToyBackend()).paint(command, stopping=lambda: True)
    assert last == Interrupted(Position(0, "step 1 at 24 px"))


def test_a_painter_saves_as_often_as_it_is_told_to(command):
    told = []
    painting = Painter(ToyBackend(), save_seconds=0.0).paint(command, tell=told.append)
    list(itertools.islice(painting, 2))
    painting.close()  # waits for the file
    assert told == [Saved(Position(0, "step 1 at 24 px"))]
    assert checkpoint(command).exists()


@pytest.mark.parametrize(
    ("mishap", "failure"),
    [
        (
            MemoryError(),
            Failed(
                reason="the pair needs more memory than there is; use a smaller size", reason_class="memory", retry=True
            ),
        ),
        (
            ZeroDivisionError("by zero\nand more"),
            Failed(
                reason="unexpected ZeroDivisionError: by zero",
                reason_class="bug",
                exit_code=ExitCode.BUG,
                traceback="(below)",
            ),
        ),
    ],
)
def test_whatever_happens_to_a_pair_is_said_and_the_next_one_is_painted(command, mishap, failure):
    backend = ToyBackend(mishap)
    painter = Painter(backend)
    *_, last = painter.paint(command)
    if failure.traceback is not None:
        assert "ZeroDivisionError: by zero" in last.traceback
        last = replace(last, traceback="(below)")
    assert last == failure
    backend.mishap = None
    *_, last = painter.paint(command)
    assert isinstance(last, Done)


def test_memory_that_ran_out_is_not_the_checkpoints_fault_and_a_bug_may_be(command):
    for mishap, kept in ((MemoryError(), True), (ZeroDivisionError(), False)):
        list(Painter(ToyBackend(mishap), save_seconds=0.0).paint(command))
        assert checkpoint(command).exists() == kept


def test_a_picture_that_cannot_be_opened_is_the_pairs_own_failure(command):
    command.job.content.write_text("<!DOCTYPE html>")
    (last,) = Painter(ToyBackend()).paint(command)
    assert (last.reason_class, last.retry) == ("bad_image", False)
    assert "HTML" in last.reason


@pytest.mark.parametrize("which", ["content", "style"])
def test_a_picture_that_became_a_link_out_of_its_folder_is_not_painted_from(command, which, tmp_path):
    job = command.job
    path = job.content if which == "content" else job.styles[0].image
    job = replace(job, homes={str(path): os.path.realpath(path.parent)})
    paint = Painter(ToyBackend()).paint
    path.rename(path.parent / "inside.png")
    path.symlink_to("inside.png")
    assert isinstance([*paint(replace(command, job=job))][-1], Done)
    (path.parent / "inside.png").rename(tmp_path / "private.png")
    path.unlink()
    path.symlink_to(tmp_path / "private.png")
    (last,) = paint(replace(command, job=job))
    assert (last.reason_class, last.retry) == ("bad_image", False)
    assert last.reason == (
        f"{path} is or lies behind a link that leads out of {path.parent}; name it in the manifest, or set"
        " 'follow_links: true'"
    )


def test_a_format_that_nobody_writes_is_refused_before_the_styles_are_opened(command):
    command.job.styles[0].image.unlink()
    (last,) = Painter(ToyBackend()).paint(replace(command, job=replace(command.job, output="dog.xyz")))
    assert ".xyz" in last.reason


def test_inputs_are_opened_no_larger_than_needed(command):
    job = replace(command.job, options=replace(command.job.options, size=40, style_scale=0.9))
    pictures = open_pictures(job.content, [(style.image, style.weight) for style in job.styles], job.options)
    assert pictures.content.size == (40, 33)
    ((style, share),) = pictures.styles
    assert (style.size, share) == ((36, 30), 2.0)
    assert [picture.sha256 for picture in pictures.all] == [hash_file(path) for path in job.inputs]


def test_everything_a_painter_says_fits_through_the_pipe(command):
    said = list(Painter(ToyBackend()).paint(decode_command(encode(command))))
    assert [decode(encode(message)) for message in said] == said
    assert all(json.loads(encode(message))["type"] in ("read", "done") for message in said)
