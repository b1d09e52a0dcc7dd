"""What a frame takes over from those before it. In the place of paintings stand photographs turned dark for light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from moving_kit import a_body_moves, a_camera_moves, photograph

pytest.importorskip("cv2")

from pipeline.clips.carrying import Earlier, closing, flicker, follow


def painted(frame):
    return Earlier(frame, 255 - frame)


def test_the_nearest_frame_is_carried_and_what_it_does_not_show_is_not_covered():
    frames, uncovered = a_body_moves(frames=6)
    found = follow(frames[5], [painted(frames[4])])
    right = np.abs(found.pixels - (255.0 - frames[5])).max(-1) < 24
    assert right[found.covered].mean() > 0.95
    assert found.seen[uncovered].mean() < 0.3
    assert found.share == found.covered.mean()


def test_what_passed_behind_something_comes_back_from_an_older_frame():
    frames, uncovered = a_body_moves(frames=6)
    before, hidden = frames[5], frames[4]  # the body goes on, and comes back
    nearest = follow(before, [painted(hidden)])
    both = follow(before, [painted(hidden), painted(before)])
    assert nearest.seen[uncovered].mean() < 0.3
    assert both.seen[uncovered].all()
    np.testing.assert_array_equal(both.pixels[uncovered & ~nearest.seen], 255.0 - before[uncovered & ~nearest.seen])


def test_what_only_the_last_frame_shows_is_held_less():
    frames, _uncovered = a_body_moves(frames=6)
    _frames, since = a_body_moves(frames=5, back=2)  # of the frame before, uncovered in the two before that
    found = follow(frames[5], [painted(frames[number]) for number in (4, 3, 1)])
    new = since & found.seen
    assert new.any()
    assert found.firm[new].mean() < 0.7
    assert np.median(found.firm) == 1.0


def test_the_second_frame_holds_all_that_it_can():
    frames, _flows = a_camera_moves("cat", frames=2)
    found = follow(frames[1], [painted(frames[0])])
    assert (found.firm[found.seen] == 1).all()


def test_nothing_is_carried_over_a_cut():
    coffee, cat = photograph("coffee"), photograph("cat")
    assert follow(cat, [painted(coffee)]) is None
    assert follow(cat, []) is None
    assert flicker(painted(cat), painted(coffee)) is None


def test_a_frame_of_something_else_is_passed_over():
    coffee, cat = photograph("coffee"), photograph("cat")
    found = follow(coffee, [painted(cat), painted(coffee)])
    assert found.covered.all()
    np.testing.assert_array_equal(found.pixels, 255.0 - coffee)


def test_the_end_of_a_loop_is_mixed_with_its_beginning():
    frame = photograph("coffee")
    one, other = Earlier(frame, np.full_like(frame, 100)), Earlier(frame, np.full_like(frame, 200))
    mixed = closing(follow(frame, [one]), frame, other, 0.25)
    np.testing.assert_allclose(mixed.pixels, 125)
    alone = closing(None, frame, other, 0.25)
    np.testing.assert_allclose(alone.pixels, 200)
    assert closing(None, photograph("cat"), other, 0.25) is None


def test_flicker_is_what_changed_beyond_the_motion():
    frames, _flows = a_camera_moves("cat", frames=2)
    here, before = (Earlier(frame, np.full_like(frame, grey)) for frame, grey in zip(frames, (110, 100), strict=True))
    found = flicker(here, before)
    assert found.painted == pytest.approx(10)
    assert 0 < found.own < 4


def styled(frame, styles):
    return replace(painted(frame), styles=styles)


def test_what_was_painted_in_another_style_is_not_carried_on():
    """A mask that stands still before a camera that moves: what leaves it is painted anew, and what stays in it is kept."""
    frames, _flows = a_camera_moves("coffee", frames=2)
    here, there = (np.zeros((*frames[0].shape[:2], 2), np.uint8) for _ in range(2))
    for styles, edge in ((there, 60), (here, 40)):
        styles[:, :edge, 0], styles[:, edge:, 1] = 255, 255
    plain = follow(frames[1], [painted(frames[0])])
    found = follow(frames[1], [styled(frames[0], there)], here)
    left, right, between = np.s_[:, 4:36], np.s_[:, 68:-4], np.s_[:, 44:56]
    for kept in (left, right):
        np.testing.assert_array_equal(found.seen[kept], plain.seen[kept])
    assert plain.seen[between].mean() > 0.9
    assert not found.seen[between].any()


def test_where_all_styles_are_others_nothing_is_carried_on():
    frames, _flows = a_camera_moves("coffee", frames=2)
    one, other = (np.full((*frames[0].shape[:2], 1), level, np.uint8) for level in (0, 255))
    assert follow(frames[1], [styled(frames[0], one)], other) is None
    nearly = follow(frames[1], [styled(frames[0], one)], one + np.uint8(40))
    assert nearly.share == follow(frames[1], [painted(frames[0])]).share
