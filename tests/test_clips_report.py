"""What a report shows of a clip: that it plays, a strip of its frames, how steady it is, where its shots begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_report import facts
from test_report_html import WEBP, Page, render_html

from pipeline.job import Outcome
from pipeline.report.clips import Story, clip_view, drifts, flickers, has_cuts, story_of
from pipeline.report.data import build_report, pair_row
from pipeline.report.drawings import flicker_curve
from pipeline.store.disk import LocalStore

STORY: dict[str, Any] = {
    "frames": 4,
    "of": 9,
    "seconds": 0.4,
    "rate": 10.0,
    "sound": True,
    "cuts": [2],
    "flicker": 6.0,
    "own_flicker": 4.0,
    "drift": 0.5,
    "evaluations": 25.0,
    "rows": [
        [0, None, None, 90.0, 80.0],
        [1, 6.0, 4.0, 90.0, 80.0],
        [2, None, None, 9.0, 9.0],
        [3, 6.0, 4.0, 9.0, 9.0],
    ],
}


def outcome(**changes: Any) -> Outcome:
    losses = {"total": 1.0, "content": 0.5, "style": 0.5, "tv": 0.0}
    trace = [{"step": step, "seconds": float(step), "side": 64, **losses} for step in (1, 2, 3, 4)]
    return Outcome(
        output="a.mp4",
        content="a.mp4",
        style=["s.png"],
        status="done",
        attempts=1,
        steps=4,
        seconds=8.0,
        seconds_per_step=2.0,
        size=[64, 48],
        losses={"first": losses, "last": losses},
        trace=trace,
        clip=STORY | changes,
    )


def view(output: str = "a.mp4") -> Any:
    story = story_of({"clip": STORY})
    assert story is not None
    return clip_view(story, output, f"./{output}", "strip.webp")


def test_a_row_of_a_picture_has_no_clip() -> None:
    assert story_of({"clip": None}) is None
    assert story_of({"clip": {"frames": "many"}}) is None


def test_a_clip_that_browsers_know_plays_in_the_page() -> None:
    assert [(view(name).plays, view(name).is_picture) for name in ("a.mp4", "a.webm", "a.gif", "a.apng", "a.mkv")] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
        (False, False),
    ]


def test_the_figures_say_what_part_of_the_clip_was_painted() -> None:
    assert dict(view().numbers) == {
        "Frames": "4 of 9, 0.4 s, 10 a second, with sound",
        "Flicker": "6 grey levels; the photograph's own 4",
        "Cuts": "at frame 2",
        "Per frame": "25 evaluations after a shot's first",
    }


def test_flicker_is_drawn_over_the_frames_from_zero() -> None:
    curve = flicker_curve({"flicker": [(0, None), (1, 2.0), (3, 4.0)], "photograph": [(1, 0.0), (3, 1.0)]}, "words")
    assert curve is not None
    assert [(line.part, line.points) for line in curve.lines] == [
        ("flicker", "30.0,42.0 254.0,6.0"),
        ("photograph", "30.0,78.0 254.0,60.0"),
    ]
    assert (curve.ticks, curve.description) == ([(6, "4"), (78, "0")], "Flicker of at most 4")
    assert flicker_curve({"flicker": [(0, None), (1, 1.0)]}, "words") is None


@pytest.mark.parametrize(("flicker", "own", "told"), [(4.0, 3.0, False), (20.0, 3.0, True), (None, None, False)])
def test_a_clip_that_flickers_more_than_its_photograph_is_worth_a_look(flicker: Any, own: Any, told: bool) -> None:
    assert (flickers(Story(flicker=flicker, own_flicker=own)) is not None) == told


@pytest.mark.parametrize(("drift", "word"), [(9.0, "lighter"), (-9.0, "darker")])
def test_a_shot_that_drifts_is_worth_a_look(drift: float, word: str) -> None:
    assert word in (drifts(Story(drift=drift)) or "")
    assert drifts(Story(drift=drift / 9)) is None


def test_a_clip_in_the_colours_of_its_style_need_not_become_lighter_with_its_photograph() -> None:
    """A street from shadow into light, at 128 pixels: its frames have 66 to 102 grey levels and its paintings, in the style's
    tones, 114 each. It was told to become 36 grey levels darker."""
    rows = [[number, None, None, 66.0 + 6 * number, 114.3] for number in range(7)]
    street = outcome(drift=-36.0, cuts=[], rows=rows)
    street.options = {"match_color": "tones"}
    assert "drifts" not in [flag["name"] for flag in pair_row(street)["flags"]]
    street.options = {}
    assert "drifts" in [flag["name"] for flag in pair_row(street)["flags"]]


def test_a_clip_in_the_colours_of_its_style_that_drifts_itself_is_worth_a_look() -> None:
    light = [110.0, 112.0, 90.0, 92.0, 99.0]  # the third begins a shot
    rows = [[number, None, None, 66.0, each] for number, each in enumerate(light)]
    assert drifts(Story(rows=rows, cuts=[2]), matched=True) == "A shot becomes 9 grey levels lighter: look at its end."
    assert drifts(Story(rows=rows[:4], cuts=[2]), matched=True) is None


def test_cuts_are_told_and_of_many_the_first() -> None:
    assert has_cuts(Story(cuts=[])) is None
    assert "at frame 1, 2, 3, 4, 5, 6 and 2 more" in (has_cuts(Story(cuts=[1, 2, 3, 4, 5, 6, 7, 8])) or "")


def test_flags_of_a_clip_are_its_own() -> None:
    names = [flag["name"] for flag in pair_row(outcome(flicker=30.0))["flags"]]
    assert names == ["flickers", "cuts"]


def page(folder: Path, output: str = "walk & on.mp4") -> Page:
    clip = outcome()
    clip.output = output
    small = {"result": "r.webp", "strip": "s.webp"}
    for name in small.values():
        (folder / name).write_bytes(WEBP)
    report = build_report(facts(), [clip])
    return Page(render_html(report, store=LocalStore(folder), thumbnails=lambda name: small))


def test_the_page_plays_the_clip_from_a_relative_address(tmp_path: Path) -> None:
    shown = page(tmp_path)
    (video,) = shown.all("video")
    assert video["src"] == "./walk%20%26%20on.mp4"
    assert video["poster"].startswith("data:image/webp")
    assert {"controls", "loop", "muted"} <= video.keys()
    (policy,) = [each["content"] for each in shown.all("meta") if each.get("http-equiv")]
    assert "media-src 'self' file:" in policy
    (strip,) = [each for each in shown.all("img") if each.get("class") == "strip"]
    assert strip["alt"] == "frames of walk & on.mp4, from first to last"


def test_the_page_counts_frames_and_draws_two_curves(tmp_path: Path) -> None:
    shown = page(tmp_path)
    text = " ".join(shown.texts)
    assert "loss over 4 frames, log scale" in text
    assert "flicker over 4 frames, grey levels" in text
    assert "Per frame" in text
    assert "Per step" not in text


def test_a_clip_that_no_browser_plays_is_linked(tmp_path: Path) -> None:
    shown = page(tmp_path, "walk.mkv")
    assert shown.all("video") == []
    assert "./walk.mkv" in [each.get("href") for each in shown.all("a")]


def test_an_animation_is_shown_as_a_picture_is(tmp_path: Path) -> None:
    shown = page(tmp_path, "walk.gif")
    assert [each["class"] for each in shown.all("a") if each.get("href") == "./walk.gif"] == ["hero"]


def test_numbered_frames_are_linked_by_the_first_of_them(tmp_path: Path) -> None:
    clip = outcome(files=[[3, 6, 1]])
    clip.output = "walk/%05d.png"
    report = build_report(facts(), [clip])
    shown = Page(render_html(report, store=LocalStore(tmp_path), thumbnails=lambda name: {}))
    assert shown.all("video") == []
    assert "./walk/00003.png" in [each.get("href") for each in shown.all("a")]


def test_a_clip_whose_styles_change_may_become_lighter() -> None:
    clip = outcome(drift=30.0)
    assert "drifts" in [flag["name"] for flag in pair_row(clip)["flags"]]
    clip.style_at = {"0": [1.0, 0.0], "3": [0.0, 1.0]}
    assert "drifts" not in [flag["name"] for flag in pair_row(clip)["flags"]]


def test_the_page_says_at_which_frames_styles_change(tmp_path: Path) -> None:
    clip = outcome()
    clip.style_at = {"0": [1.0, 0.0], "120": [0.0, 1.0]}
    report = build_report(facts(), [clip])
    shown = Page(render_html(report, store=LocalStore(tmp_path), thumbnails=lambda name: {}))
    assert "at frames 0, 120" in " ".join(shown.texts)
