"""What driver and worker say to each other, through the pipe and back. No TensorFlow."""

from __future__ import annotations

import json
import typing
from pathlib import Path

import pytest

from pipeline.batch import messages
from pipeline.batch.messages import (
    Command,
    Done,
    Failed,
    Interrupted,
    Killed,
    Machine,
    Opening,
    PartDone,
    Position,
    Read,
    Ready,
    Resumed,
    Saved,
    Started,
    decode,
    decode_command,
    encode,
)
from pipeline.errors import BadImage, DiskFull, Diverged, ExitCode, OptionError
from pipeline.job import Job, Painted, ShownNames, StyleImage
from pipeline.nst.weights import NetworkWeights
from pipeline.options import Options
from pipeline.reading import Reading

READING = Reading(step=7, seconds=1.5, side=64, losses={"total": 3.0, "content": 1.0, "style": 1.5, "moments": 0.5})
PAINTED = Painted(
    size=[48, 40],
    steps=7,
    seconds_per_step=0.25,
    painted_with={"threads": 2, "tiles": "none"},
    options={"style_layers": {"block1_conv1": 1.0}},
    losses={"first": {"total": 9.0}, "last": {"total": 3.0, "moments": 0.5}},
    trace=[READING.as_row()],
)
SAID = [
    Opening("/photos/not-utf8-\udcff.jpg", 12.5),
    Ready(Machine(device="CPU", threads=2, auto_precision="float32", versions={"numpy": "2"})),
    Started(),
    Resumed(Position(0, "step 12 at 64 px")),
    Read(READING, coarse=True),
    Saved(Position(7, "step 7 of 300")),
    Done(PAINTED, notes=("first of 12 frames used", "resumed at step 7 of 300")),
    Failed(reason="a\nb", reason_class="bug", exit_code=ExitCode.BUG, traceback="Traceback"),
    PartDone(begins=(0, 12), frames=20),
    Interrupted(Position(7, "step 7 of 300")),
    Interrupted(),
    Killed(),
]


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_a_message_is_one_line_and_comes_back_as_it_was(message):
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    back = decode(line)
    assert back == message
    assert encode(back) == line


def test_every_kind_of_message_is_tried_here():
    def kinds(union):
        return {kind for part in typing.get_args(union) for kind in (kinds(part) or {part})}

    assert {type(message) for message in SAID} == kinds(messages.Message)


def test_a_command_comes_back_as_it_was():
    job = Job(
        output="a/not-utf8-\udcff.png",
        content=Path("/photos/naïve.jpg"),
        styles=(StyleImage(Path("/art/wave.jpg"), 2.0), StyleImage(Path("/art/not-utf8-\udcff.jpg"))),
        options=Options(size=512, style_layers={"block1_conv1": 0.5}),
        meta={"credit": ["a", {"b": 1}]},
    )
    command = Command(
        job=job,
        weights=NetworkWeights("mine.h5", Path("/weights/mine.h5"), "c347"),
        folder=Path("/out"),
        names=ShownNames(content="naïve.jpg", style=("wave.jpg", "b.jpg"), options=job.options.as_dict()),
        max_memory=6 * 2**30,
        versions={"pipeline": "1.0.0"},
    )
    line = encode(command)
    assert line.count(b"\n") == 1
    assert decode_command(line) == command


def test_a_readings_row_is_flat_with_every_term_by_name():
    assert READING.as_row() == {
        "step": 7,
        "seconds": 1.5,
        "total": 3.0,
        "content": 1.0,
        "style": 1.5,
        "moments": 0.5,
        "side": 64,
    }
    assert list(READING.as_row())[-1] == "side"
    assert Reading.from_row(READING.as_row()) == READING
    assert (READING.total, READING.content, READING.style, READING.tv) == (3.0, 1.0, 1.5, 0.0)


@pytest.mark.parametrize("row", [{"type": "mumble", "steps": 3}, {"steps": 3}, {"type": None}])
def test_a_message_of_an_unknown_type_is_an_error_that_names_it(row):
    with pytest.raises(
        ValueError, match=rf"has the type {row.get('type')!r}; known are ready, opening, started, resumed"
    ):
        decode(json.dumps(row))


def test_what_a_message_cannot_carry_is_named():
    with pytest.raises(TypeError, match="a message cannot carry a set"):
        encode(Done(Painted(painted_with={"tiles": {1}})))


@pytest.mark.parametrize(
    ("error", "reason_class", "retry", "code"),
    [
        (Diverged("d"), "diverged", True, ExitCode.SOME_FAILED),
        (BadImage("b"), "bad_image", False, ExitCode.SOME_FAILED),
        (DiskFull("f"), "disk", False, ExitCode.ENVIRONMENT),
        (OptionError("o"), "environment", False, ExitCode.USAGE),
    ],
)
def test_a_failure_with_a_name_says_its_class_and_whether_to_try_again(error, reason_class, retry, code):
    failed = Failed.by(error)
    assert failed == Failed(reason=str(error), reason_class=reason_class, retry=retry, exit_code=code)
