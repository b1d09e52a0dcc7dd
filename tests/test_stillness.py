"""Steps by the picture and not by their number: when it is looked at, what is better, and that a stop loses nothing."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pipeline.batch.estimates.estimator import FIRST_END
from pipeline.errors import OptionError
from pipeline.finishing import distance_as_viewed
from pipeline.images import quality, stillness
from pipeline.images.picture import Picture
from pipeline.images.quality import edge_agreement, patch_distance, patches_seen
from pipeline.images.stillness import Stillness
from pipeline.manifest.options.keywords import options_from_python
from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.schedule import Machine, Sized, schedule
from pipeline.stage_inputs import stage_inputs

ANY = np.zeros((1, 1, 3), np.float32)


def watching(*distances):
    """A watch that is told of these distances, one after the other."""
    told = iter(distances)
    return Stillness(lambda pixels: next(told))


def test_it_looks_after_the_last_quarter_of_all_steps():
    watch = watching(*((0.5**number, 0.0) for number in range(20)))
    looked = []
    for step in range(1, 100):
        if watch.is_due(step):
            watch.look(step, ANY)
            looked.append(step)
    assert looked == [16, 22, 30, 40, 54, 72, 96]
    assert all(now == int(np.ceil(before / 0.75)) for before, now in itertools.pairwise(looked))


@pytest.mark.parametrize(
    ("before", "now", "still"),
    [
        ((0.30, 0.8), (0.295, 0.8), False),  # nearer by 1.7 %
        ((0.30, 0.8), (0.296, 0.8), True),  # by 1.3 %
        ((0.30, 0.8), (0.31, 0.8), True),
        ((0.30, 0.8), (0.30, 0.82), False),  # as far, with more of the photograph
        ((0.30, 0.8), (0.30, 0.7), True),
        ((0.0, 0.8), (0.0, 0.8), True),  # a photograph that is its style
    ],
)
def test_a_picture_is_still_when_it_becomes_neither_more_like_its_style_nor_like_its_photograph(before, now, still):
    watch = watching(before, now)
    watch.look(16, ANY)
    assert watch.still_at is None
    watch.look(22, ANY)
    assert watch.still_at == (22 if still else None)


def test_a_watch_goes_on_from_its_state():
    watch = watching((0.3, 0.5))
    watch.restore(watch.state())
    assert not watch.is_due(stillness._FIRST - 1)
    watch.look(16, ANY)
    other = watching((0.3, 0.5))
    other.restore(watch.state())
    assert not other.is_due(21)
    assert other.is_due(22)
    other.look(22, ANY)
    assert other.still_at == 22
    again = watching()
    again.restore(other.state())
    assert again.still_at == 22


def textured(seed, height=96, width=128):
    random = np.random.default_rng(seed)
    small = random.uniform(0, 255, (height // 8, width // 8, 3))
    return np.kron(small, np.ones((8, 8, 1))).astype(np.float32)


def test_what_is_looked_at_has_its_last_colours_and_nothing_of_the_contents(monkeypatch):
    monkeypatch.setattr(quality, "PATCHES", 1000)  # of both sides
    content, style = (Picture(textured(seed), None, "a", "a") for seed in (1, 2))
    pictures = Pictures(content, ((style, 1.0),))
    options = Options(size=128, match_color="style")
    stage = pictures.schedule(options, Machine(precision="float32")).stages[0]
    inputs = stage_inputs(pictures, options, stage)
    distance = distance_as_viewed(pictures, inputs, options)
    there, edges = distance(style.pixels)
    assert there < 0.01
    assert distance(style.pixels * 0.5 + 20)[0] < 0.02  # which the style's colours undo
    assert distance(content.pixels)[1] == pytest.approx(1.0, abs=0.01)
    assert edges == pytest.approx(
        edge_agreement(style.pixels.astype(np.uint8), content.pixels.astype(np.uint8)), abs=0.01
    )
    for without in ({"strength": 0.3}, {"preserve_color": "luminance"}):
        other = distance_as_viewed(pictures, inputs, Options(size=128, match_color="style", **without))
        assert other(style.pixels) == (there, edges)


def test_large_pictures_are_looked_at_smaller(monkeypatch):
    content, style = (Picture(textured(seed), None, "a", "a") for seed in (1, 2))
    pictures = Pictures(content, ((style, 1.0),))
    options = Options(size=128)
    inputs = stage_inputs(pictures, options, pictures.schedule(options, Machine(precision="float32")).stages[0])
    seen = []
    for room in (quality, stillness):
        monkeypatch.setattr(room, "patches_seen", lambda picture: seen.append(picture.shape) or patches_seen(picture))
    monkeypatch.setattr(stillness, "VIEWED", 64)
    look = distance_as_viewed(pictures, inputs, options)
    look(content.pixels)
    look(content.pixels)
    assert seen == [(48, 64, 3)] * 3  # of the style once


def test_styles_count_by_their_shares(monkeypatch):
    monkeypatch.setattr(quality, "PATCHES", 500)  # of both sides
    pictures = [textured(seed).astype(np.uint8) for seed in (1, 2, 3)]
    styles = [(patches_seen(pictures[1]), 3.0), (patches_seen(pictures[2]), 1.0)]
    found, _edges = stillness.distance_to(styles, pictures[0], pictures[0])
    apart = [patch_distance(pictures[0], each) for each in pictures[1:]]
    assert found == pytest.approx(0.75 * apart[0] + 0.25 * apart[1])


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

    with pytest.raises(OptionError, match="'auto'"):
        options_from_python({"steps": "soon"})


# ------------------------------------------------------------------------------------------- of a painting


@pytest.fixture(scope="module")
def engine(thin_network):
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


def _painting(engine, resume=None, options=None):
    from pipeline.stylize import paint

    random = np.random.default_rng(5)
    content, style = (
        Picture(np.kron(random.uniform(0, 255, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.float32), None, name, name)
        for name in ("content", "style")
    )
    pictures = Pictures(content, ((style, 1.0),))
    options = options or OPTIONS
    return paint(pictures, options, pictures.schedule(options, Machine(precision="float32")), engine, resume=resume)


def test_estimates_know_when_a_size_can_end_at_the_earliest():
    watch = watching((0.3, 0.5), (0.3, 0.5))
    for step in range(1, 100):
        if watch.is_due(step):
            watch.look(step, ANY)
        if watch.still_at:
            break
    assert watch.still_at == FIRST_END


@pytest.mark.slow
def test_what_is_looked_at_is_what_a_painting_comes_to(engine, monkeypatch):
    """With `average` that is a mean, and not the picture with the lowest loss."""
    seen = []
    monkeypatch.setattr(stillness.Stillness, "look", lambda watch, step, pixels: seen.append(pixels))
    averaged = replace(OPTIONS, average=0.8, max_steps=16)
    taken = [taking().arrays for _reading, taking in _painting(engine, options=averaged)]
    expected = taken[-1]["sum"] / (1 - taken[-1]["left"])
    np.testing.assert_allclose(seen[0], expected, atol=1e-3)
    assert not np.allclose(seen[0], taken[-1]["best"], atol=0.1)


@pytest.mark.slow
def test_a_painting_ends_when_it_is_still_and_wherever_it_was_cut_in_the_same_bytes(engine, monkeypatch):
    from pipeline.stylize import result_of

    monkeypatch.setattr(stillness, "NEARER", -9.0)  # everything is nearer
    whole = result_of(_painting(engine))
    assert whole.trace[-1].step == 40
    monkeypatch.setattr(stillness, "NEARER", 0.5)
    painting, taken, result = _painting(engine), [], None
    while result is None:
        try:
            _reading, snapshot = next(painting)
        except StopIteration as end:
            result = end.value
        else:
            taken.append(snapshot())
    assert len(result.trace) == 22
    assert not np.array_equal(result.pixels, whole.pixels)
    for progress in (taken[0], taken[16], taken[-2], taken[-1]):
        again = result_of(_painting(engine, progress))
        assert np.array_equal(again.pixels, result.pixels)
        assert len(again.trace) == len(result.trace)
