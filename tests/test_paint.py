"""`stylize paint`: one picture, one line. Scripted workers in the place of TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from night_kit import Answer, Scripted, failed, painted
from PIL import Image

from pipeline.batch.messages import Command, Failed, Interrupted, Killed, PairMessage, Position
from pipeline.cli.main import cli
from pipeline.errors import ExitCode, StylizeError


@pytest.fixture
def paint(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The verb in the folder of the pictures: paint("dog.png", "wave.png", answer=...) is the exit code. `jobs` are those that
    workers were given."""
    for picture in project.rglob("*.png"):
        picture.rename(project / picture.name)
    for folder in (project / "input" / "content", project / "input" / "style", project / "input"):
        folder.rmdir()
    monkeypatch.chdir(project)
    monkeypatch.delenv("STYLIZE_SET", raising=False)

    def call(*words: str, answer: Answer | None = None) -> int:
        def respond(command: Command) -> PairMessage:
            call.jobs.append(command.job)
            call.folders.append(command.folder)
            return (answer or painted(command.folder))(command)

        arguments = ["paint", *words, "--set", "weights=random", "--set", "size=48", "--set", "steps=4"]
        engine: Any = lambda settings, log: Scripted(respond, [])  # noqa: E731
        return int(cli.main(arguments, standalone_mode=False, obj=engine) or 0)

    call.jobs, call.folders = [], []
    return call


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


PICTURES = ["dog.png", "sea.png", "wave.png"]


def test_one_picture_is_one_line_and_leaves_one_file(paint, project, capsys):
    assert paint("dog.png", "wave.png") == ExitCode.OK
    assert capsys.readouterr().out == "dog--wave.png\n"
    assert files(project) == sorted([*PICTURES, "dog--wave.png"])
    assert Image.open("dog--wave.png").size == (48, 40)


def test_the_result_may_be_named_and_its_folder_is_made(paint, project, capsys):
    assert paint("dog.png", "wave.png", "-o", "new/prints/poster.jpg") == ExitCode.OK
    assert capsys.readouterr().out == "new/prints/poster.jpg\n"
    assert files(project) == sorted([*PICTURES, "new", "new/prints", "new/prints/poster.jpg"])


def test_several_photographs_are_painted_in_the_last_picture_of_the_line(paint, capsys):
    assert paint("dog.png", "sea.png", "wave.png") == ExitCode.OK
    assert capsys.readouterr().out == "dog--wave.png\nsea--wave.png\n"


def test_with_style_every_picture_of_the_line_is_a_photograph(paint, project, capsys):
    (project / "art").mkdir()
    (project / "wave.png").rename(project / "art" / "wave.png")
    (project / "sea.png").rename(project / "art" / "sea.png")
    assert paint("dog.png", "--style", "art", "-o", "results/") == ExitCode.OK
    assert capsys.readouterr().out == "results/dog--sea.png\nresults/dog--wave.png\n"


def test_blend_makes_one_picture_of_all_styles_with_their_weights(paint, capsys):
    assert paint("dog.png", "--style", "sea.png", "--style", "wave.png", "--blend", "3:1") == ExitCode.OK
    (job,) = paint.jobs
    assert [(style.image.name, style.weight) for style in job.styles] == [("sea.png", 3), ("wave.png", 1)]
    assert capsys.readouterr().out == "dog--sea+wave.png\n"


def test_masks_say_where_the_first_paintings_go_and_where_the_photograph_is_kept(paint, project, capsys):
    Image.new("L", Image.open("dog.png").size, 128).save(project / "sky.png")
    words = ["dog.png", "--style", "sea.png", "--style", "wave.png", "--mask", "sky.png", "--content-mask", "sky.png"]
    assert paint(*words) == ExitCode.OK
    (job,) = paint.jobs
    sky = (project / "sky.png").resolve()
    assert [(style.image.name, style.mask) for style in job.styles] == [("sea.png", sky), ("wave.png", None)]
    assert job.content_mask == sky
    assert capsys.readouterr().out == "dog--sea+wave.png\n"


def test_a_pattern_names_results_by_pictures_and_options(paint, capsys):
    assert paint("dog.png", "sea.png", "wave.png", "-o", "a/{style.stem}/{content.stem}-{size}.jpg") == ExitCode.OK
    assert capsys.readouterr().out == "a/wave/dog-48.jpg\na/wave/sea-48.jpg\n"


def test_options_come_from_set_and_the_environment(paint, monkeypatch):
    monkeypatch.setenv("STYLIZE_SET", "seed=3\nsteps=9")
    assert paint("dog.png", "wave.png", "--set", "preset=fine") == ExitCode.OK
    (job,) = paint.jobs
    assert (job.options.preset, job.options.seed, job.options.steps) == ("fine", 3, 4)


def test_a_picture_is_the_one_that_a_manifest_asks_for(paint, project):
    """The same key, so that a run takes it for its own."""
    from pipeline.manifest import load_manifest

    assert paint("dog.png", "wave.png") == ExitCode.OK
    options = "{weights: random, size: 48, steps: 4}"
    (project / "m.yaml").write_text(
        f"version: 1\ninput: .\ndefaults: {options}\npairs: [{{content: dog.png, style: wave.png}}]\n"
    )
    (job,) = load_manifest(project / "m.yaml").pairs
    without_place = {"origins": {}, "where": "", "places": {}}
    assert dataclasses.replace(paint.jobs[0], **without_place) == dataclasses.replace(job, **without_place)


def refused(paint: Callable[..., int], *words: str) -> int:
    """The exit code, whether the verb tells it or click."""
    import click

    try:
        return paint(*words)
    except click.UsageError as error:
        print(error.format_message(), file=__import__("sys").stderr)
        return ExitCode.USAGE
    except StylizeError as error:
        return error.exit_code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dog.png"], "name a painting after dog.png, or with --style"),
        (["dgo.png", "wave.png"], "there is no photograph dgo.png"),
        (["dog.png", "wvae.png"], "there is no painting wvae.png"),
        ([".", "wave.png"], ". is a folder; name the photographs in it, or paint all of them with stylize run FOLDER"),
        (["dog.png", "wave.png", "-o", "sea.png"], "sea.png exists; give another name with -o, or replace it with --force"),
        (["dog.png", "wave.png", "-f", "-o", "dog.png"], "output 'dog.png' would be written over a picture that is read"),
        (["dog.png", "wave.png", "-f", "-o", "wave.png"], "output 'wave.png' would be written over a picture that is read"),
        (["dog.png", "sea.png", "wave.png", "-o", "a.png"], "a.png is one name, and there are 2 pictures to paint"),
        (["dog.png", "wave.png", "-o", "{contnet.stem}.png"], "did you mean 'content.stem'?"),
        (["dog.png", "wave.png", "-o", "{content.stem}-{style.stem}"], "output 'dog-wave' must end in one of .png, .jpg"),
        (["dog.png", "wave.png", "-o", "new/out.gif"], "output 'out.gif' must end in one of .png, .jpg"),
        (["dog.png", "wave.png", "-o", "out.mp4"], "output 'out.mp4' must end in one of .png, .jpg"),
        (["dog.png", "wave.png", "--set", "szie=9"], "--set: error: unknown option 'szie'; did you mean 'size'?"),
        (["dog.png", "wave.png", "-o", "s3://bucket/a.png"], "--output takes a path; an address stands in a manifest"),
        (["https://host/dog.png", "wave.png"], "paint takes a path; an address stands in a manifest"),
        (["dog.png", "--style", "wave.png", "--blend", "2:1"], "2:1 has 2 weights, and the number of paintings is 1;"),
        (["dog.png", "wave.png", "--blend", "2:-1"], "weights are numbers above zero with colons between them"),
        (["dog.png", "wave.png", "--blend", "2"], "like 2:1. Received: '2'"),
        (["dog.png", "wave.png", "--mask", "sky.png"], "there is no mask sky.png"),
        (["dog.png", "wave.png", "--content-mask", "."], ". is a folder; name the masks in it"),
        (["dog.png", "wave.png", *2 * ["--mask", "sea.png"]], "--mask is given 2 times, and the number of paintings is 1;"),
        (["dog.png", "wave.png", "-o", "sea.bmp"], "output 'sea.bmp' must end in one of .png"),
        (["dog.png", "wave.png", "--style", "empty"], "empty holds no picture; pictures end in one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_words_and_touches_nothing(paint, project, capsys, words, message):
    (project / "empty").mkdir()
    before = {path: path.read_bytes() for path in project.glob("*.png")}
    assert refused(paint, *words) == ExitCode.USAGE
    assert message in capsys.readouterr().err
    assert paint.jobs == []
    assert {path: path.read_bytes() for path in project.glob("*.png")} == before
    assert files(project) == sorted([*PICTURES, "empty"])


@pytest.mark.parametrize("words", [["masks", "dog.png"], ["sheet", "m.yaml"]])
def test_no_verb_takes_an_address_for_a_folder_that_is_called_so(paint, project, words):
    import click

    with pytest.raises(click.UsageError, match="--output takes a path; an address stands in a manifest"):
        cli.main([*words, "-o", "s3://bucket/a.png"], standalone_mode=False)
    assert not (project / "s3:").exists()


def test_a_clip_is_refused_with_what_to_do(paint, project, capsys):
    (project / "walk.mp4").touch()
    assert refused(paint, "walk.mp4", "wave.png") == ExitCode.USAGE
    assert "walk.mp4 is a clip, and here pictures are painted; name it in a manifest" in capsys.readouterr().err
    (project / "50%day.png").touch()
    assert refused(paint, "50%day.png", "wave.png") == ExitCode.USAGE
    assert "its name stands for numbered frames; take '%' out of the name" in capsys.readouterr().err


def test_a_folder_may_be_called_as_a_picture_is(paint, project):
    (project / "there.gif").mkdir()
    assert paint("dog.png", "wave.png", "-o", "there.gif") == ExitCode.OK
    assert paint("dog.png", "wave.png", "-o", "new.gif/") == ExitCode.OK
    assert {"there.gif/dog--wave.png", "new.gif/dog--wave.png"} <= set(files(project))


def test_a_picture_whose_name_is_no_text_is_refused_by_name(paint, project, capsys):
    (project / "dog.png").rename(project / "d\udcffg.png")
    assert refused(paint, "d\udcffg.png", "wave.png") == ExitCode.USAGE
    assert "is no text (UTF-8); rename it" in capsys.readouterr().err


def test_force_replaces_a_result_and_a_failure_leaves_the_former_one(paint, project):
    (project / "old.png").write_bytes(b"former")
    assert paint("dog.png", "wave.png", "-f", "-o", "old.png", answer=failed("diverged")) == ExitCode.SOME_FAILED
    assert (project / "old.png").read_bytes() == b"former"
    assert paint("dog.png", "wave.png", "-f", "-o", "old.png") == ExitCode.OK
    assert Image.open("old.png").size == (48, 40)


def test_a_file_that_came_while_it_was_painted_is_not_replaced(paint, project, capsys):
    def answer(command: Command) -> PairMessage:
        (project / "new.png").write_bytes(b"of another run")
        return painted(command.folder)(command)

    assert paint("dog.png", "wave.png", "-o", "new.png", answer=answer) == ExitCode.SOME_FAILED
    assert (project / "new.png").read_bytes() == b"of another run"
    told = capsys.readouterr().err
    assert "new.png came into being meanwhile; the picture is " in told
    assert Image.open(told.splitlines()[-2].rpartition(" ")[2]).size == (48, 40)
    assert paint("dog.png", "wave.png", "-o", "new.png", "-f", answer=answer) == ExitCode.OK


def test_of_several_the_others_have_their_places_where_one_is_taken_meanwhile(paint, project, capsys):
    """The first of them: what was painted after it is not left in a hidden folder."""

    def answer(command: Command) -> PairMessage:
        (project / "dog--wave.png").write_bytes(b"of another run")
        return painted(command.folder)(command)

    assert paint("dog.png", "sea.png", "wave.png", answer=answer) == ExitCode.SOME_FAILED
    told = capsys.readouterr()
    assert told.out == "sea--wave.png\n"
    assert told.err.count("came into being meanwhile") == 1
    assert Image.open("sea--wave.png").size == (48, 40)


def test_a_clip_in_numbered_frames_has_them_where_they_belong(paint, project, capsys):
    def answer(command: Command) -> PairMessage:
        for number in (0, 1):
            Image.new("RGB", (48, 40)).save(command.folder / f"{number:02}.png")
        done = painted(command.folder)(
            dataclasses.replace(command, job=dataclasses.replace(command.job, output="x.png"))
        )
        return dataclasses.replace(done, painted=dataclasses.replace(done.painted, clip={"files": [[0, 1, 1]]}))

    frames = [Image.new("RGB", (48, 40), color) for color in ("red", "blue")]
    frames[0].save("clip.gif", save_all=True, append_images=frames[1:])
    line = ("clip.gif", "wave.png", "-o", "walk/%02d.png", "--set", "frames=all")
    assert paint(*line, answer=answer) == ExitCode.OK
    assert capsys.readouterr().out == "walk/%02d.png\n"
    assert files(project / "walk") == ["00.png", "01.png"]
    assert paint(*line, answer=answer) == ExitCode.USAGE
    assert "walk/00.png exists" in capsys.readouterr().err
    assert paint(*line, "--force", answer=answer) == ExitCode.OK


def test_one_that_fails_is_told_and_the_others_have_their_pictures(paint, project, capsys):
    def answer(command: Command) -> PairMessage:
        bad = command.job.content.name == "dog.png"
        return (failed("bad_image", "no picture") if bad else painted(command.folder))(command)

    assert paint("dog.png", "sea.png", "wave.png", answer=answer) == ExitCode.SOME_FAILED
    told = capsys.readouterr()
    assert told.out == "sea--wave.png\n"
    assert "failed dog--wave.png: no picture" in told.err
    assert "exit 3 (some failed)" in told.err.splitlines()[-1]
    assert files(project) == sorted([*PICTURES, "sea--wave.png"])


def test_a_bug_keeps_its_log_and_says_where_and_nothing_else_does(paint, project, capsys):
    bug = Failed(reason="unexpected", reason_class="bug", exit_code=ExitCode.BUG, traceback="Traceback: a test's")
    assert paint("dog.png", "wave.png", "-o", "new/a.png", answer=lambda command: bug) == ExitCode.BUG
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: kept for its log: ")]
    assert "a test's" in Path(line.rpartition(": ")[2]).read_text()


@pytest.mark.parametrize("end", [Interrupted(Position(2, "step 2 of 4")), Killed()])
def test_a_stopped_painting_leaves_nothing_and_promises_nothing(paint, project, capsys, end):
    paint("dog.png", "wave.png", "-o", "new/a.png", answer=lambda command: end)
    assert files(project) == PICTURES
    told = capsys.readouterr().err
    assert "interrupted a.png: stopped, and nothing of it is kept; the same line begins it anew" in told
    assert "goes on from there" not in told


def test_a_folder_that_takes_no_files_is_found_out_before_painting(paint, project, capsys):
    (project / "file").write_text("in the way")
    assert paint("dog.png", "wave.png", "-o", "file/a.png") == ExitCode.ENVIRONMENT
    assert paint.jobs == []
    assert "cannot write to " in capsys.readouterr().err
