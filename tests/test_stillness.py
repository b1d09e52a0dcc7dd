"""Steps by the picture and not by their number: what counts as a change, when it is asked, and that a stop loses nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.errors import OptionError
from pipeline.finishing import as_viewed
from pipeline.images import stillness
from pipeline.images.picture import Picture
from pipeline.images.quality import to_lab
from pipeline.images.stillness import FIELD, Stillness, change
from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.schedule import Machine, Sized, schedule
from pipeline.stage_inputs import stage_inputs

GREY = np.full((64, 64, 3), 128, np.float32)


def as_it_is(pixels):
    return pixels


def seen_change(before, now):
    return change(to_lab(before), to_lab(now))


def test_a_picture_that_stays_as_it_is_has_not_changed():
    assert seen_change(GREY, GREY) == 0


def test_a_change_of_all_is_told_in_delta_e():
    # L* of sRGB grey 128 is 53.585, of 138 57.486 (CIE 15, IEC 61966-2-1)
    assert seen_change(GREY, GREY + 10) == pytest.approx(57.486 - 53.585, abs=0.01)


def test_what_happens_at_one_place_in_a_hundred_is_not_a_change_of_the_picture():
    now = GREY.copy()
    now[:FIELD, :FIELD] = 255  # one of 64 fields
    assert seen_change(GREY, now) == 0
    now[: 4 * FIELD, : 4 * FIELD] = 255  # a quarter of them
    assert seen_change(GREY, now) > 40


def test_single_pixels_count_for_their_share_of_a_field():
    now = GREY.copy()
    now[::FIELD, ::FIELD] += 10
    assert seen_change(GREY, now) == pytest.approx(seen_change(GREY, GREY + 10) / FIELD**2, rel=1e-3)


def test_what_is_looked_at_is_small_and_has_its_last_colours():
    """A picture that only grows darker, which the style's colours undo, is still; so is one whose finest texture changes."""
    content, style = (Picture(each, None, "a", "a") for each in (ramp(0, 200), ramp(100, 255)))
    pictures = Pictures(content, ((style, 1.0),))
    options = Options(size=512, match_color="style")
    stage = pictures.schedule(options, Machine(precision="float32")).stages[0]
    finished = as_viewed(pictures, stage_inputs(pictures, options, stage), options)
    picture = ramp(50, 150)
    assert finished(picture).shape == (128, 256, 3)
    assert change(to_lab(picture), to_lab(picture - 30)) > 10
    assert change(to_lab(finished(picture)), to_lab(finished(picture - 30))) < 0.01
    checks = np.indices(picture.shape[:2]).sum(0)[..., np.newaxis] % 2 * 20.0 - 10
    assert change(to_lab(finished(picture)), to_lab(finished((picture + checks).astype(np.float32)))) < 0.5


def ramp(darkest, lightest):
    row = np.linspace(darkest, lightest, 512, dtype=np.float32)
    return np.broadcast_to(row[np.newaxis, :, np.newaxis], (256, 512, 3)) + np.zeros((256, 1, 1), np.float32)


def test_it_looks_after_the_last_quarter_of_all_steps():
    watch = Stillness(as_it_is)
    looked = []
    for step in range(1, 60):
        if watch.is_due(step):
            watch.look(step, GREY + step * 20 % 255)
            looked.append(step)
    assert looked[0] == stillness._FIRST
    assert all(now == int(np.ceil(before / 0.75)) for before, now in itertools.pairwise(looked))


def test_a_picture_that_still_changes_goes_on_and_a_still_one_ends():
    watch = Stillness(as_it_is)
    watch.look(12, GREY)
    watch.look(16, GREY + 30)
    assert watch.still_at is None
    watch.look(22, GREY + 30.1)
    assert watch.still_at == 22


def test_a_watch_goes_on_from_its_state():
    watch = Stillness(as_it_is)
    watch.restore(watch.state())
    assert not watch.is_due(stillness._FIRST - 1)
    watch.look(16, GREY)
    other = Stillness(as_it_is)
    other.restore(watch.state())
    assert not other.is_due(21)
    assert other.is_due(22)
    other.look(22, GREY)
    assert other.still_at == 22
    again = Stillness(as_it_is)
    again.restore(other.state())
    assert again.still_at == 22


@pytest.mark.parametrize(("options", "until"), [({}, True), ({"steps": 30}, False)])
def test_a_count_is_a_count(options, until):
    stages = schedule(
        Options(max_steps=30, **options),
        Sized("c", (2048, 2048)),
        [Sized("s", (900, 900))],
        Machine(precision="float32"),
    )
    assert [stage.steps for stage in stages.stages] == [30]
    assert [stage.until_still for stage in stages.stages] == [until]
    assert not stages.finish.until_still


def test_steps_are_a_count_or_auto():
    from pipeline.manifest.options.keywords import options_from_python

    with pytest.raises(OptionError, match="'auto'"):
        options_from_python({"steps": "soon"})


# ------------------------------------------------------------------------------------------- of a painting


@pytest.fixture(scope="module")
def engine():
    pytest.importorskip("tensorflow")
    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.weights import locate

    return TransferEngine(locate("random"), OPTIONS)


OPTIONS = Options(
    size=64,
    max_steps=40,
    weights="random",
    history=4,
    content_layers={"block2_conv1": 1.0},
    style_layers={"block1_conv1": 0.5, "block2_conv1": 0.5},
)


def _painting(engine, resume=None):
    from pipeline.stylize import paint

    random = np.random.default_rng(5)
    content, style = (
        Picture(np.kron(random.uniform(0, 255, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.float32), None, name, name)
        for name in ("content", "style")
    )
    pictures = Pictures(content, ((style, 1.0),))
    return paint(pictures, OPTIONS, pictures.schedule(OPTIONS, Machine(precision="float32")), engine, resume=resume)


@pytest.mark.slow
def test_a_painting_ends_when_it_is_still_and_wherever_it_was_cut_in_the_same_bytes(engine, monkeypatch):
    from pipeline.stylize import result_of

    whole = result_of(_painting(engine))
    assert whole.trace[-1].step == 40
    monkeypatch.setattr(stillness, "STILL", 30.0)
    painting, taken, result = _painting(engine), [], None
    while result is None:
        try:
            _reading, snapshot = next(painting)
        except StopIteration as end:
            result = end.value
        else:
            taken.append(snapshot())
    assert 12 < len(result.trace) < 40
    assert not np.array_equal(result.pixels, whole.pixels)
    for progress in (taken[0], taken[12], taken[-2], taken[-1]):
        again = result_of(_painting(engine, progress))
        assert np.array_equal(again.pixels, result.pixels)
        assert len(again.trace) == len(result.trace)
