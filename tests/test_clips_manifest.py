"""Clips in a manifest: what is one, which of its frames are painted, what its output is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_kit import Load, matrix, outputs, pair, project_with_pictures, refusal

from pipeline.clip_names import count_kept, kept, numbered_stem, settled_frames, spread
from pipeline.errors import ManifestError
from pipeline.idle_options import without_effect
from pipeline.options import Options
from pipeline.store.keys import frame_key, pair_key, shared_key


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    load = project_with_pictures(tmp_path)
    for name in ("clips/street.mp4", "clips/sea.MOV", "clips/wheel.gif", "clips/photo.jpg"):
        (tmp_path / "input" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "input" / name).touch()
    return load


def clip(content: str, options: str = "", **more: str) -> str:
    keys = "".join(f"    {key}: {value}\n" for key, value in ({"options": f"{{{options}}}"} | more).items())
    return f"pairs:\n  - content: {content}\n    style: art/wave.jpg\n{keys}"


def test_a_video_is_a_clip_of_all_its_frames(load: Load) -> None:
    (job,) = load(clip("clips/street.mp4")).pairs
    assert (job.options.is_clip, job.options.frames, job.output) == (True, "all", "street--wave.mp4")


def test_numbered_frames_are_a_clip_that_is_called_as_their_folder(load: Load) -> None:
    (job,) = load(clip("walk/%04d.png")).pairs
    assert (job.options.is_clip, job.output) == (True, "walk--wave.mp4")
    assert numbered_stem("walk/step-%04d.png") == "step"


def test_an_animation_is_a_picture_until_its_frames_are_asked_for(load: Load) -> None:
    (still,) = load(clip("clips/wheel.gif")).pairs
    (moving,) = load(clip("clips/wheel.gif", "frames: all")).pairs
    assert (still.options.is_clip, still.output) == (False, "wheel--wave.png")
    assert (moving.options.is_clip, moving.output) == (True, "wheel--wave.mp4")


def test_a_photograph_stays_a_picture_whatever_frames_says(load: Load) -> None:
    (job,) = load(clip("clips/photo.jpg", "frames: all")).pairs
    assert (job.options, job.output) == (load(clip("clips/photo.jpg")).pairs[0].options, "photo--wave.png")


def test_the_first_frame_of_a_video_can_be_a_picture(load: Load) -> None:
    (job,) = load(clip("clips/street.mp4", "frames: first")).pairs
    assert (job.options.is_clip, job.output) == (False, "street--wave.png")


@pytest.mark.parametrize(
    ("frames", "whole", "numbers"),
    [
        ("all", 4, [0, 1, 2, 3]),
        ("every 3", 8, [0, 3, 6]),
        ((2, 4), 9, [2, 3, 4]),
        ((2, 40), 5, [2, 3, 4]),
        ((7, 9), 5, []),
        ("preview", 9, [0, 4, 8]),
        ("preview", 2, [0, 1]),
    ],
)
def test_frames_say_which_are_painted(frames: str | tuple[int, int], whole: int, numbers: list[int]) -> None:
    assert [number for number in range(whole) if kept(frames, whole)(number)] == numbers
    assert count_kept(frames, whole) == len(numbers)


@pytest.mark.parametrize("value", ["every 0", "every", "[3]", "[4, 2]", "[-1, 2]", "none", "7"])
def test_frames_that_cannot_be_are_refused_with_what_may_be(load: Load, value: str) -> None:
    (fault,) = refusal(
        load, clip("clips/street.mp4", f"frames: {value if value[0] == '[' or value == '7' else repr(value)}")
    )
    assert "'frames' must be one of auto, all, first, preview, 'every N', or [first, last] with numbers from 0" in fault


def test_frames_are_read_from_a_flag(load: Load) -> None:
    assert load(clip("clips/street.mp4"), "frames=every 5").pairs[0].options.frames == "every 5"
    assert load(clip("clips/street.mp4"), "frames=[10, 20]").pairs[0].options.frames == (10, 20)


def test_a_pattern_finds_clips_where_it_ends_as_they_do(load: Load) -> None:
    assert outputs(load(matrix("content: clips/*.mp4, style: art/wave.jpg"))) == ["street--wave.mp4"]
    assert outputs(load(matrix("content: clips/*.mov, style: art/wave.jpg"))) == ["sea--wave.mp4"]


def test_a_pattern_without_an_ending_leaves_clips_out_and_says_how_to_take_them(load: Load) -> None:
    manifest = load(matrix("content: clips/*, style: art/wave.jpg"))
    assert outputs(manifest) == ["photo--wave.png", "wheel--wave.png"]
    (warning,) = manifest.warnings
    assert "2 files (clips/sea.MOV, clips/street.mp4) that no picture is called like" in warning
    assert "a pattern that ends in '.MOV' takes clips" in warning


def test_pictures_and_clips_of_one_matrix_each_have_their_own_ending(load: Load) -> None:
    manifest = load(matrix("content: [clips/photo.jpg, clips/street.mp4], style: art/wave.jpg"))
    assert outputs(manifest) == ["photo--wave.png", "street--wave.mp4"]


def test_a_clip_has_an_output_that_can_move(load: Load) -> None:
    (fault,) = refusal(load, clip("clips/street.mp4", output="x.png"))
    assert "output 'x.png' must end in one of .mp4, .mov, .mkv, .webm, .gif, .webp, .apng, or have a number" in fault
    assert outputs(load(clip("clips/street.mp4", output="x.webm"))) == ["x.webm"]


@pytest.mark.parametrize("name", ["out/%05d.png", "%d.jpg", "{content.stem}/%04d.tif", "x-%03d.webp"])
def test_a_clip_can_be_numbered_frames(load: Load, name: str) -> None:
    assert outputs(load(clip("clips/street.mp4", output=f'"{name}"'))) == [name.replace("{content.stem}", "street")]


@pytest.mark.parametrize(
    ("content", "output", "options", "told"),
    [
        ("clips/photo.jpg", "x%04d.png", "", "stands for the frames of a clip, and this is one picture"),
        ("clips/street.mp4", "%02d-%04d.png", "", "has two numbers in it; a frame has one"),
        ("clips/street.mp4", "%04d.mp4", "", "must end in one of .png, .jpg, .jpeg, .webp, .tif, .tiff, .avif to be"),
        ("clips/street.mp4", "%04d.tif", "depth: 16", "frames of a clip have depth 8; take 'depth' away"),
    ],
)
def test_numbered_frames_that_cannot_be_are_told(
    load: Load, content: str, output: str, options: str, told: str
) -> None:
    (fault,) = refusal(load, clip(content, options, output=f'"{output}"'))
    assert told in fault


def test_numbered_frames_are_of_this_machine(load: Load) -> None:
    text = "version: 1\ninput: ../input\noutput: s3://bucket/out\n" + clip("clips/street.mp4", output='"x/%04d.png"')
    with pytest.raises(ManifestError, match="numbered frames are written to a folder of this machine; write a video"):
        load(text, whole=True)
    (fault,) = refusal(load, clip("clips/street.mp4", content_mask="'s3://bucket/%04d.png'"))
    assert "masks of frames are read from a folder of this machine; copy them to one" in fault


@pytest.mark.parametrize(
    "other", ["x/00007.png", "x/%04d.png", "x/12.PNG", "x/1%d.png", "x/1%d0.png", "X/7.png", "X/%04d.png"]
)
def test_numbered_frames_share_their_names_with_no_other_output(load: Load, other: str) -> None:
    one = clip("clips/street.mp4", output='"x/%05d.png"')
    content = "clips/sea.MOV" if "%" in other else "clips/photo.jpg"
    two = clip(content, output=f'"{other}"').removeprefix("pairs:\n")
    refusals = [job.refusal for job in load(one + two).pairs]
    assert f"may have the name of another output, '{other}'" in refusals[0]


@pytest.mark.parametrize("other", ["x/a%d.png", "x/%d-1.png", "x/%05d.jpg", "y/%05d.png"])
def test_numbered_frames_whose_names_cannot_be_alike_are_both_written(load: Load, other: str) -> None:
    one = clip("clips/street.mp4", output='"x/%05d.png"')
    two = clip("clips/sea.MOV", output=f'"{other}"').removeprefix("pairs:\n")
    assert [job.refusal for job in load(one + two).pairs] == ["", ""]


def test_numbered_frames_are_not_written_over_what_is_read(load: Load, tmp_path: Path) -> None:
    head = f"version: 1\ninput: ../input\noutput: {tmp_path}/input\n"
    text = head + clip("clips/street.mp4", output='"clips/%04d.jpg"')
    more = "  - content: clips/0001.jpg\n    style: art/wave.jpg\n    output: y.png\n"
    refusals = [job.refusal for job in load(text + more, whole=True).pairs]
    assert "may have the name of a picture that is read" in refusals[0]


def test_numbered_frames_and_masks_are_found_in_their_own_folder(load: Load, tmp_path: Path) -> None:
    """As what a pattern finds: a link among uploads shows nobody's private pictures."""
    text = clip("walk/%04d.png", content_mask="masks/%04d.png")
    (job,) = load(text).pairs
    folder = tmp_path.resolve() / "input"
    assert job.home_of(job.content) == str(folder / "walk")
    assert job.content_mask is not None
    assert job.home_of(job.content_mask) == str(folder / "masks")
    (job,) = load("follow_links: true\n" + text).pairs
    assert (job.home_of(job.content), job.home_of(job.masks[0])) == (None, None)
    (job,) = load(clip("clips/street.mp4", content_mask="masks/one.png")).pairs
    assert (job.home_of(job.content), job.home_of(job.masks[0])) == (None, None)


def test_a_picture_has_an_output_that_does_not_move(load: Load) -> None:
    (fault,) = refusal(load, pair(output="x.mp4"))
    assert "output 'x.mp4' must end in one of .png" in fault


def test_a_clip_is_no_style(load: Load) -> None:
    (fault,) = refusal(load, "pairs:\n  - content: photos/dog.jpg\n    style: clips/street.mp4\n")
    assert "'clips/street.mp4' is a clip, and a style is a picture; name one" in fault


def test_options_of_clips_decide_nothing_in_a_picture() -> None:
    assert "loop" in without_effect(Options(loop=True))
    assert "loop" not in without_effect(Options(loop=True, frames="all"))
    assert settled_frames("all", "a.jpg") == settled_frames("first", "a.gif") == "auto"


def test_frames_of_a_clip_have_keys_that_know_neither_its_length_nor_its_format(load: Load) -> None:
    (job,) = load(clip("clips/street.mp4")).pairs
    (other,) = load(clip("clips/street.mp4", "quality: 50, frames: [0, 9]", output="x.mkv")).pairs
    (sharper,) = load(clip("clips/street.mp4", "style_weight: 1")).pairs

    def sha256(path: Path) -> str:
        return path.name

    assert pair_key(job, sha256, "w") != pair_key(other, sha256, "w")
    assert shared_key(job, sha256, "w") == shared_key(other, sha256, "w")
    assert shared_key(job, sha256, "w") != shared_key(sharper, sha256, "w")


def test_a_frame_depends_on_its_photograph_and_on_those_before_it() -> None:
    keys = {frame_key(*each) for each in (("s", "p", ["a"]), ("s", "p", ["b"]), ("s", "q", ["a"]), ("t", "p", ["a"]))}
    assert len(keys) == 4


def test_numbers_are_spread_from_the_first_to_the_last() -> None:
    assert spread(3, 8) == [0, 1, 2]
    assert spread(100, 4) == [0, 33, 66, 99]
