"""Frames that hold together: shots, memory, resume, loops, and every way of comparing styles."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from moving_kit import a_camera_moves, noisy, photograph
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("thin_network")]

pytest.importorskip("tensorflow")
pytest.importorskip("cv2")

from pipeline import Stylizer  # noqa: E402
from pipeline.clips.carrying import Followed  # noqa: E402
from pipeline.errors import BadImage  # noqa: E402
from pipeline.images.picture import picture_from_array  # noqa: E402
from pipeline.manifest import options_from_python  # noqa: E402
from pipeline.nst.engine import TransferEngine  # noqa: E402
from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.pictures import Carried, open_pictures, with_content, with_masks, with_shares  # noqa: E402
from pipeline.regions import MaskSources  # noqa: E402
from pipeline.schedule import Machine  # noqa: E402
from pipeline.sequence import FrameIn, Sequence  # noqa: E402
from pipeline.stylize import paint, result_of  # noqa: E402

WIDTH, HEIGHT = 64, 45
# As in test_stylize: two blocks show what five do, and a history of no more steps than there are takes half the time to trace.
QUICK = {
    "size": WIDTH,
    "steps": 4,
    "steps_per_frame": 4,
    "history": 4,
    "weights": "random",
    "precision": "float32",
    "style_loss": "gram",
    "match_color": "none",
    "empty_areas": "alike",
    "content_layers": {"block2_conv1": 1.0},
    "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5},
}
ENGINES: dict[tuple[object, ...], TransferEngine] = {}


def small(frames):
    return [np.asarray(Image.fromarray(frame).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)) for frame in frames]


STYLE = photograph("astronaut", WIDTH, WIDTH)
CAMERA = small(a_camera_moves("coffee", frames=4)[0])


def opened(frames, **options):
    wanted = options_from_python({**QUICK, **options})
    pictures = open_pictures(frames[0], [(STYLE, 1.0)], wanted)
    key = (wanted.weights, wanted.network, wanted.normalize)
    if key not in ENGINES:
        ENGINES[key] = TransferEngine(locate(wanted.weights), wanted)
    return pictures, wanted, pictures.schedule(wanted, Machine(precision="float32")), ENGINES[key]


def sequence(frames, loop=False, **options):
    return Sequence(*opened(frames, **options), frames=len(frames), loop=loop)


def frame_of(number, pixels):
    return FrameIn(number, picture_from_array(pixels, f"frame {number}"))


def painted(frames, loop=False, **options):
    clip = sequence(frames, loop, **options)
    return [result_of(clip.paint(frame_of(number, pixels))) for number, pixels in enumerate(frames)]


def still(pixels, **options):
    pictures, wanted, schedule, engine = opened([pixels], **options)
    return result_of(paint(pictures, wanted, schedule, engine))


def difference(one, other):
    return float(np.sqrt(np.mean((one.astype(np.float32) - other) ** 2)))


@pytest.fixture(scope="module")
def camera():
    return painted(CAMERA)


def test_the_first_frame_is_the_still_picture(camera):
    np.testing.assert_array_equal(camera[0].pixels, still(CAMERA[0]).pixels)
    assert camera[0].flicker is None
    assert not camera[0].cut
    assert "temporal" not in camera[0].last


def test_later_frames_hold_to_earlier_ones_and_their_losses_are_told_without_that(camera):
    for frame in camera[1:]:
        assert frame.last["temporal"] > 0
        assert frame.loss == pytest.approx(sum(frame.last[name] for name in ("content", "style", "tv")), rel=1e-5)
        assert frame.own_flicker > 0
        assert frame.flicker > 0
        assert 0.8 < frame.reliable < 1


def test_what_is_uncovered_is_painted_where_half_the_size_would_be_too_little():
    """118 x 66 px that wrap are painted at 112 x 66; half of that would be 56 x 31."""
    scene = photograph("coffee", 160, 66)
    frames = [scene[:, left : left + 118] for left in (0, 12)]
    after = painted(frames, size=118, wrap="x", steps=1, steps_per_frame=1)[1]
    assert after.pixels.shape == (66, 112, 3)
    assert not after.cut
    assert after.evaluations == 2  # one of the fresh painting, one of the frame


def test_from_python_shots_are_painted_by_themselves_as_those_of_a_manifest_are():
    """Also after one frame of something else, where a sequence goes on."""
    other = photograph("cat", WIDTH, HEIGHT)
    with Stylizer(**QUICK) as paint:
        frames = list(paint.frames([CAMERA[0], other, CAMERA[1]], STYLE))
    assert [(frame.number, frame.cut) for frame in frames] == [(0, False), (1, True), (2, True)]
    np.testing.assert_array_equal(frames[2].pixels, still(CAMERA[1]).pixels)


def test_from_python_a_loop_is_closed():
    few = {"steps": 1, "steps_per_frame": 1}
    looped, plain = (painted(CAMERA[:3], loop, **few) for loop in (True, False))
    with Stylizer(**{**QUICK, **few}) as paint:
        *_others, last = paint.frames(CAMERA[:3], STYLE, loop=True)
    assert difference(looped[2].pixels, plain[2].pixels) > 0
    np.testing.assert_array_equal(last.pixels, looped[2].pixels)


def test_frames_hold_together_better_than_still_pictures_do():
    """A camera that stands, with noise: stills answer to it, all over."""
    frames = small(noisy("cat", frames=2, level=6))
    held, stills = painted(frames, temporal_weight=0.1), [still(pixels).pixels for pixels in frames]
    assert difference(held[1].pixels, held[0].pixels) < 0.5 * difference(stills[1], stills[0])


def test_the_heavier_the_term_the_less_changes():
    light, heavy = (painted(CAMERA[:2], temporal_weight=weight)[1] for weight in (0.0, 0.1))
    assert heavy.flicker < light.flicker
    assert light.last["temporal"] == 0


def test_the_same_frames_are_the_same_bytes_and_a_resume_goes_on_in_them(camera):
    clip = sequence(CAMERA)
    for number in (0, 1, 2):
        clip.remember(frame_of(number, CAMERA[number]), camera[number].painted)
    np.testing.assert_array_equal(result_of(clip.paint(frame_of(3, CAMERA[3]))).pixels, camera[3].pixels)


def test_from_python_frames_are_the_same_and_must_have_one_size(camera):
    with Stylizer(**QUICK) as paint:
        frames = paint.frames([CAMERA[0], CAMERA[1], CAMERA[2][:-3]], STYLE)
        for expected in camera[:2]:
            np.testing.assert_array_equal(next(frames).pixels, expected.pixels)
        with pytest.raises(
            BadImage, match=f"{WIDTH}x{HEIGHT - 3} pixels, other frames of the clip are {WIDTH}x{HEIGHT}"
        ):
            next(frames)


@pytest.mark.parametrize(("new", "hold"), [(0.0, 1.0), (0.05, 1.0), (0.1, 0.65), (0.15, 0.3), (0.4, 0.3)])
def test_where_much_is_new_what_was_there_is_held_less(monkeypatch, new, hold):
    carried, pixels = [], CAMERA[0].astype(np.float32)
    seen = np.linspace(0, 1, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) >= new
    followed = Followed(pixels, seen, seen, np.ones((HEIGHT, WIDTH), np.float32))
    monkeypatch.setattr("pipeline.sequence.follow", lambda *_all: followed)
    monkeypatch.setattr("pipeline.sequence.Carried", lambda *all: carried.append(all) or Carried(*all))
    painted(CAMERA[:2])
    (_pixels, _reliable, share) = carried[0]
    assert share == pytest.approx(hold * options_from_python(QUICK).temporal_weight, rel=0.01)


def test_what_no_frame_asks_for_any_more_is_forgotten():
    frames = [CAMERA[0]] * 11
    clip = sequence(frames)
    for number, pixels in enumerate(frames):
        result_of(clip.paint(frame_of(number, pixels)))
        asked = {other for later in range(number + 1, len(frames)) for other in clip.wanted(later)}
        assert set(clip._memory) >= {other for other in asked if other <= number}
    assert len(clip._memory) <= 8


def test_a_frame_looks_back_one_two_four_and_eight_frames_and_the_end_of_a_loop_at_its_beginning():
    frames = [CAMERA[0]] * 30
    assert sequence(frames).wanted(0) == []
    assert sequence(frames).wanted(3) == [2, 1]
    assert sequence(frames).wanted(29) == [28, 27, 25, 21]
    assert sequence(frames, loop=True).wanted(29) == [28, 27, 25, 21, 0]
    assert sequence(frames, loop=True).wanted(21) == [20, 19, 17, 13]


def test_a_frame_that_shows_the_same_is_painted_the_same():
    first, second, third = painted([CAMERA[0], CAMERA[0], CAMERA[1]], match_color="both")
    np.testing.assert_array_equal(second.pixels, first.pixels)
    assert second.flicker == second.own_flicker == 0
    assert second.evaluations == 1 < third.evaluations


def test_a_cut_begins_anew_and_owes_nothing_to_the_shot_before():
    other = photograph("cat", WIDTH, HEIGHT)
    frames = painted([CAMERA[0], CAMERA[1], other])
    assert [frame.cut for frame in frames] == [False, False, True]
    np.testing.assert_array_equal(frames[2].pixels, still(other).pixels)
    assert frames[2].flicker is None


def test_a_shot_goes_on_after_one_frame_of_something_else():
    frames = painted([CAMERA[0], photograph("cat", WIDTH, HEIGHT), CAMERA[1]])
    assert [frame.cut for frame in frames] == [False, True, False]
    assert frames[2].reliable > 0.8


# Neighbours and transport look at all of the network, whose traces take a minute: `make bench ARGS=clip` has the first.
@pytest.mark.parametrize(
    "options",
    [
        {"style_loss": "moments"},
        {"losses": "paper", "style_weight": 1e3, "empty_areas": "apart", "match_color": "both"},
        {"precision": "bfloat16", "steps": 2},
        {"tile": 256, "steps": 2},
    ],
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()),
)
def test_every_way_of_painting_holds(options):
    first, second = painted(CAMERA[:2], **options, temporal_weight=0.1)
    assert second.last["temporal"] > 0
    alone = still(CAMERA[1], **options)
    assert second.flicker < difference(alone.pixels, first.pixels) + 3
    assert np.isfinite(second.loss)


@pytest.mark.parametrize("options", [{"strength": 0.5}, {"preserve_color": "luminance"}])
def test_what_is_done_to_a_finished_picture_is_not_painted_from(options):
    frames, plain = painted(CAMERA[:2], **options), painted(CAMERA[:2])
    for one, other in zip(frames, plain, strict=True):
        np.testing.assert_array_equal(one.painted, other.pixels)
        assert one.painted is not one.pixels
        assert difference(one.pixels, one.painted) > 1
    # a still is rounded once where a frame is rounded twice
    np.testing.assert_allclose(frames[0].pixels.astype(int), still(CAMERA[0], **options).pixels, atol=1)


def test_a_frame_may_have_styles_of_its_own():
    pictures, *_others = opened(CAMERA)
    other = replace(pictures, styles=((picture_from_array(photograph("cat", WIDTH, WIDTH)), 1.0),))
    clip = sequence(CAMERA)
    result_of(clip.paint(frame_of(0, CAMERA[0])))
    changed = result_of(clip.paint(replace(frame_of(1, CAMERA[0]), pictures=other)))
    assert changed.evaluations > 1


@pytest.mark.parametrize("options", [{}, {"empty_areas": "apart", "match_color": "both"}], ids=["plain", "apart"])
def test_styles_that_change_are_those_of_their_frame_and_take_no_new_trace(monkeypatch, options):
    pictures, wanted, _schedule, engine = opened(CAMERA, **options)
    cat = (picture_from_array(photograph("cat", WIDTH, WIDTH)), 1.0)
    both = replace(pictures, styles=(*pictures.styles, cat))

    def of(seen):
        here, schedule = with_content(seen, pictures.content), seen.schedule(wanted, Machine(precision="float32"))
        return result_of(paint(here, wanted, schedule, engine)).pixels

    first, last, traces = of(pictures), of(replace(pictures, styles=(cat,))), []
    trace = WholeEvaluator._with_gradient
    monkeypatch.setattr(WholeEvaluator, "_with_gradient", lambda *all: traces.append(1) or trace(*all))
    np.testing.assert_array_equal(of(with_shares(both, (1.0, 0.0))), first)
    np.testing.assert_array_equal(of(with_shares(both, (0.0, 1.0))), last)
    nearer, farther = of(with_shares(both, (48.0, 16.0))), of(with_shares(both, (16.0, 48.0)))
    assert difference(nearer, first) < difference(farther, first)
    assert difference(farther, last) < difference(nearer, last)
    assert not traces


def test_styles_that_change_are_painted_by_neighbours_with_the_traces_of_the_first_frames(monkeypatch):
    """Places of both, as many of each as its share says."""
    options = {"style_loss": "neighbours", "steps": 2, "match_color": "both"}
    pictures, wanted, _schedule, engine = opened(CAMERA, **options, steps_per_frame=2)
    dark, light = ((picture_from_array(np.clip(STYLE * factor, 0, 255).astype(np.uint8)), 1.0) for factor in (0.3, 1.7))
    both = replace(pictures, styles=(dark, light))
    schedule = both.schedule(wanted, Machine(precision="float32"))
    clip = Sequence(both, wanted, schedule, engine, frames=3)

    def frame(number, share):
        shares = (64.0 - share, float(share))
        return result_of(clip.paint(replace(frame_of(number, CAMERA[number]), pictures=with_shares(both, shares))))

    first, second = frame(0, 0), frame(1, 16)
    np.testing.assert_array_equal(
        first.pixels, result_of(paint(with_shares(both, (1.0, 0.0)), wanted, schedule, engine)).pixels
    )
    traces = []
    for name in ("_with_gradient", "_losses"):
        trace = getattr(WholeEvaluator, name)
        monkeypatch.setattr(WholeEvaluator, name, lambda *all, trace=trace: traces.append(1) or trace(*all))
    third = frame(2, 40)
    assert not traces
    levels = [each.pixels.mean() for each in (first, second, third)]
    assert levels == sorted(levels)
    assert levels[-1] > levels[0] + 10
    assert all(each.last["temporal"] > 0 for each in (second, third))


def test_what_a_mask_has_left_is_not_held_and_a_resume_knows_it():
    pictures, wanted, _schedule, engine = opened(CAMERA)
    cat = (picture_from_array(photograph("cat", WIDTH, WIDTH)), 1.0)
    both = replace(pictures, styles=(*pictures.styles, cat))
    halves = [np.s_[:, : WIDTH // 2], np.s_[:, WIDTH // 2 :]]

    def seen(half):
        levels = np.zeros((HEIGHT, WIDTH), np.uint8)
        levels[half] = 255
        masks = MaskSources([(Image.fromarray(levels), None), (None, None)])
        return with_masks(both, masks, lambda _: nullcontext(), lambda _: None)

    def begun():
        return Sequence(both, wanted, both.schedule(wanted, Machine(precision="float32")), engine, frames=3)

    frames = [
        replace(frame_of(number, CAMERA[number]), pictures=seen(half))
        for number, half in enumerate([halves[0], halves[1], halves[1]])
    ]
    clip = begun()
    first, second, third = (result_of(clip.paint(frame)) for frame in frames)
    assert second.reliable < 0.05  # at the border of both halves
    assert third.reliable > 0.8
    resumed = begun()
    for frame, painted_there in zip(frames[:2], (first, second), strict=True):
        resumed.remember(frame, painted_there.painted)
    np.testing.assert_array_equal(result_of(resumed.paint(frames[2])).pixels, third.pixels)


def test_a_loop_ends_as_it_began():
    """A camera that goes and comes back: the last frame is nearer to the first one with `loop` than without."""
    frames = [CAMERA[number] for number in (0, 2, 1)]
    plain, closed = painted(frames, temporal_weight=0.0), painted(frames, loop=True, temporal_weight=0.1)
    assert difference(closed[-1].pixels, closed[0].pixels) < difference(plain[-1].pixels, plain[0].pixels)
