"""Three frames of each clip, to look at before the night: in a picture of their own, which gives way to nothing and which no
clip gives way to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from clips_night_kit import HEIGHT, OUTPUT, WIDTH, Night, shots, write_video
from conftest import Command
from PIL import Image

from pipeline.batch import driver
from pipeline.batch.estimates.estimator import Estimator
from pipeline.batch.previews import previews
from pipeline.batch.selection import Selection
from pipeline.cli.main import cli
from pipeline.clip_names import is_preview_output, numbers_kept, preview_output
from pipeline.errors import Locked, UsageError
from pipeline.job import Manifest
from pipeline.manifest import Override, load_manifest
from pipeline.report.clips import Story, clip_view
from pipeline.store.layout import frame_name

PREVIEW = "walk--wave-preview.png"


@pytest.mark.parametrize(
    ("output", "preview"),
    [
        ("walk.mp4", "walk-preview.png"),
        ("walk-preview.png", "walk-preview.png"),
        ("a/b.c/walk--wave.gif", "a/b.c/walk--wave-preview.png"),
        ("out/%05d.png", "out/out-preview.png"),
        ("out/walk-%05d.png", "out/walk-preview.png"),
    ],
)
def test_a_preview_is_a_picture_beside_the_clip(output: str, preview: str) -> None:
    assert preview_output(output) == preview
    assert is_preview_output(preview)
    assert is_preview_output(output) == (output == preview)


@pytest.mark.parametrize(
    ("frames", "whole", "numbers"),
    [
        ("all", 3, [0, 1, 2]),
        ("every 2", 5, [0, 2, 4]),
        ((1, 2), 5, [1, 2]),
        ((3, 9), 5, [3, 4]),
        ((7, 9), 5, []),
        ("preview", 9, [0, 4, 8]),
        ("preview", 2, [0, 1]),
    ],
)
def test_which_frames_are_painted(frames: Any, whole: int, numbers: list[int]) -> None:
    assert list(numbers_kept(frames, whole)) == numbers


def test_a_preview_is_shown_as_a_picture_in_the_report() -> None:
    view = clip_view(Story(frames=3, of=9), PREVIEW, f"./{PREVIEW}", None)
    assert (view.is_picture, view.plays) == (True, False)


# ------------------------------------------------------------------------------------------------------- painted


pytest.importorskip("av")
pytest.importorskip("cv2")
slow = pytest.mark.slow


@pytest.fixture
def night(project: Path) -> Night:
    return Night(project)


@slow
def test_a_preview_has_a_name_of_its_own_and_leaves_the_clip_alone(night: Night) -> None:
    night.run()
    clip, frames = night.result.read_bytes(), [night.frame(number).read_bytes() for number in range(6)]
    night.painted()
    row = night.run("frames=preview")
    assert (row["output"], row["status"]) == (PREVIEW, "done")
    assert (night.result.read_bytes(), [night.frame(number).read_bytes() for number in range(6)]) == (clip, frames)
    assert night.run()["status"] == "up_to_date"


@slow
def test_it_is_three_frames_of_the_clip_each_painted_as_a_still(night: Night) -> None:
    row = night.run("frames=preview", "dpi=150")
    assert len(night.painted()) == 3
    assert [each[0] for each in row["clip"]["rows"]] == [0, 2, 5]
    assert [each[1] for each in row["clip"]["rows"]] == [None, None, None]  # none follows another
    assert [flag["name"] for flag in row["flags"]] == []
    with Image.open(night.project / "out" / PREVIEW) as sheet:
        assert sheet.size == (WIDTH, 3 * HEIGHT + 2 * 2)
        assert round(sheet.info["dpi"][0]) == 150
        assert sheet.getpixel((5, HEIGHT)) == sheet.getpixel((5, HEIGHT + 1)) == (255, 255, 255)
        first = sheet.crop((0, 0, WIDTH, HEIGHT)).tobytes()
    with Image.open(night.project / "out" / frame_name(PREVIEW, 0)) as frame:
        assert frame.convert("RGB").tobytes() == first
    assert night.run("frames=preview", "dpi=150")["status"] == "up_to_date"


@slow
@pytest.mark.parametrize("loop", ["false", "true"])
def test_the_clip_takes_over_the_first_frame_and_the_beginnings_of_shots(night: Night, loop: str) -> None:
    """The others follow frames before them, and are not those of the preview."""
    night.clip(2, 3)
    night.manifest(options=f"loop: {loop}")
    night.run("frames=preview")  # frames 0, 2 and 4
    night.painted()
    night.run()
    assert night.painted() == [1, 3, 4]


@slow
def test_a_preview_after_another_shows_what_has_changed(night: Night) -> None:
    night.run("frames=preview")
    night.painted()
    night.run("frames=preview", "style_weight=0.5")
    assert len(night.painted()) == 3


MIXED = """\
version: 1
input: input
output: out
run: {on_start: [touch, began]}
defaults: {size: 64, steps: 3, weights: random, style_loss: gram}
pairs:
  - {content: walk.mkv, style: style/wave.png, output: walk.mp4}
  - {content: content/dog.png, style: style/wave.png, output: dog.png}
"""


@slow
def test_the_verb_paints_clips_alone_and_calls_no_hook(night: Night, rehearse: Command) -> None:
    (night.project / "night.yaml").write_text(MIXED)
    done = rehearse("preview", "night.yaml", "--only", "walk.*", cwd=night.project)
    assert done.returncode == 0, done.stderr
    out = night.project / "out"
    assert (out / "walk-preview.png").exists()
    assert not (out / "dog.png").exists()
    assert not (night.project / "began").exists()
    report = json.loads((out / "report.json").read_text())
    assert [pair["output"] for pair in report["pairs"]] == ["walk-preview.png"]
    done = rehearse("run", "night.yaml", cwd=night.project)
    assert done.returncode == 0, done.stderr
    assert {"walk.mp4", "dog.png", "walk-preview.png"} <= {path.name for path in out.iterdir()}


def test_previews_are_not_the_whole_of_a_manifest(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose files' hashes would be forgotten."""
    taken: list[Selection] = []

    def asked(manifest: Manifest, selection: Selection, *_: Any, **__: Any) -> None:
        taken.append(selection)
        raise Locked("another run holds it")

    monkeypatch.setattr(driver, "run", asked)
    CliRunner().invoke(cli, ["preview", str(night.project / "night.yaml")])
    (selection,) = taken
    assert (selection.whole, selection.takes(PREVIEW)) == (False, True)


@slow
def test_two_clips_whose_previews_have_one_name_are_refused_by_name(night: Night) -> None:
    (night.project / "night.yaml").write_text(
        MIXED + "  - {content: walk.mkv, style: style/wave.png, output: walk.gif}\n"
    )
    pairs = previews(load_manifest(night.project / "night.yaml")).pairs
    assert [pair.output for pair in pairs] == ["walk-preview.png"] * 2
    assert all("is wanted by several pairs, or previews" in pair.refusal for pair in pairs)


@slow
def test_a_manifest_without_clips_has_no_previews(project: Path) -> None:
    (project / "night.yaml").write_text(MIXED.replace("walk.mkv", "content/sea.png").replace("walk.mp4", "sea.png"))
    with pytest.raises(UsageError, match=r"night\.yaml has no clips; stylize run paints its pictures"):
        previews(load_manifest(project / "night.yaml"))


@slow
def test_a_preview_is_estimated_as_three_stills(night: Night) -> None:
    write_video(night.project / "input/walk.mkv", shots(60))
    manifest = load_manifest(night.project / "night.yaml")
    preview = load_manifest(night.project / "night.yaml", overrides=[Override("frames", "preview", "--set")])
    clip, three = (Estimator(threads=1).estimate(each.pairs[0]) for each in (manifest, preview))
    assert clip is not None
    assert three is not None
    assert clip.part is not None
    assert three.seconds == pytest.approx(3 * clip.part)
    assert preview.pairs[0].output == PREVIEW
    assert manifest.pairs[0].output == OUTPUT
    assert (previews(manifest).verb, manifest.verb) == ("preview", "run")  # for the command to retry
