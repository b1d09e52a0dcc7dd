"""Styles that change along a clip: how they are written, which share each has in a frame."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_kit import Load, outputs, project_with_pictures, refusal

from pipeline.job import Job
from pipeline.store.keys import frame_key, pair_key, shared_key
from pipeline.style_at import as_table, from_table, mean_shares, shares_at


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


def clip(style_at: str, content: str = "walk.mp4", more: str = "") -> str:
    return f"pairs:\n  - content: {content}\n    style_at: {style_at}\n{more}"


CHANGE = "{0: art/wave.jpg, 120: art/mondrian.jpg}"


def test_shares_go_over_in_straight_lines() -> None:
    points = ((0, (1.0, 0.0)), (128, (0.0, 1.0)))
    assert [shares_at(points, frame) for frame in (0, 32, 64, 126, 128, 500)] == [
        (1.0, 0.0),
        (48.0, 16.0),
        (32.0, 32.0),
        (1.0, 63.0),
        (0.0, 1.0),
        (0.0, 1.0),
    ]


def test_before_the_first_frame_that_is_named_there_is_its_style() -> None:
    assert shares_at(((10, (2.0, 1.0)), (20, (0.0, 1.0))), 3) == (2.0, 1.0)


def test_shares_between_sum_to_one_whole_whatever_they_are() -> None:
    points = ((0, (1.0, 1.0, 1.0)), (7, (3.0, 0.0, 2.0)))
    assert {sum(shares_at(points, frame)) for frame in range(1, 7)} == {64.0}
    assert mean_shares(points) == pytest.approx((7 / 15, 1 / 6, 11 / 30))


def test_a_table_of_shares_is_read_back() -> None:
    points = ((9, (1.0, 0.0)), (10, (0.5, 2.0)))
    assert from_table(as_table(points)) == points


def test_styles_are_named_by_frames(load: Load) -> None:
    (job,) = load(clip(CHANGE)).pairs
    assert [style.image.name for style in job.styles] == ["wave.jpg", "mondrian.jpg"]
    assert [style.weight for style in job.styles] == [0.5, 0.5]
    assert job.style_at == ((0, (1.0, 0.0)), (120, (0.0, 1.0)))
    assert job.output == "walk--wave+mondrian.mp4"
    assert Job.from_json(job.to_json()) == job


def test_a_style_that_comes_again_is_one_and_a_frame_may_have_a_blend(load: Load) -> None:
    blend = "[{image: art/wave.jpg, weight: 3}, {image: art/mondrian.jpg}]"
    (job,) = load(clip(f"{{60: {blend}, 9: art/wave.jpg}}")).pairs
    assert job.style_at == ((9, (1.0, 0.0)), (60, (3.0, 1.0)))


def test_the_first_frame_of_a_clip_has_the_style_it_begins_with(load: Load) -> None:
    (job,) = load(clip(CHANGE, more="    options: {frames: first}\n")).pairs
    assert ([style.image.name for style in job.styles], job.style_at) == (["wave.jpg"], ())
    assert outputs(load(clip(CHANGE, more="    options: {frames: first}\n"))) == ["walk--wave+mondrian.png"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (clip(CHANGE, "photos/dog.jpg"), "'style_at' is for clips, and 'dog.jpg' is one picture; name its 'style'"),
        (clip(CHANGE, more="    style: art/wave.jpg\n"), "'style_at' says which styles there are; take 'style' away"),
        (clip("{first: art/wave.jpg}"), "'first' is no number of a frame; they are whole, from 0 to 10000000"),
        (clip("{007: art/wave.jpg}"), "'007' is no number of a frame"),
        (clip("{-1: art/wave.jpg}"), "'-1' is no number of a frame"),
        (clip("{0: art/wave.jpg, 0: art/mondrian.jpg}"), "key '0' is given twice"),
        (clip("{0: [{image: art/wave.jpg, mask: m.png}]}"), "a style of 'style_at' has no 'mask'"),
        (clip("{0: [{image: art/wave.jpg, wieght: 2}]}"), "unknown key 'wieght'; did you mean 'weight'?"),
        (clip("{}"), "'style_at' must have at least one item"),
        (clip("{0: 5}"), "'style_at' must be text; got 5"),
        ("pairs:\n  - content: walk.mp4\n", "'style' is missing"),
        ("pairs:\n  - matrix: {content: walk.mp4, style_at: {0: a.jpg}, style: b.jpg}\n", "pair without a matrix"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(load: Load, text: str, words: str) -> None:
    assert any(words in fault for fault in refusal(load, text)), refusal(load, text)


def _sha256(path: Path) -> str:
    return path.name


def test_a_frame_knows_its_own_shares_and_a_clip_all(load: Load) -> None:
    (job,), (other,) = (load(clip(each)).pairs for each in (CHANGE, "{0: art/wave.jpg, 99: art/mondrian.jpg}"))
    assert pair_key(job, _sha256, "w") != pair_key(other, _sha256, "w")
    assert shared_key(job, _sha256, "w") == shared_key(other, _sha256, "w")
    own = [{"styles": [["wave.jpg", 1.0]]}, {"styles": [["wave.jpg", 63.0], ["mondrian.jpg", 1.0]]}, {}]
    assert len({frame_key("s", "p", [], each) for each in own}) == 3
