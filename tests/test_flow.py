"""How things move, against what is known of clips made here, and where shots begin."""

from __future__ import annotations

import numpy as np
import pytest
from moving_kit import HEIGHT, WIDTH, a_body_moves, a_camera_moves, noisy, photograph

pytest.importorskip("cv2")

from pipeline.clips.flow import is_cut, motion, softened, warped


@pytest.mark.parametrize("name", ["coffee", "cat", "astronaut"])
def test_the_flow_of_a_camera_is_its_homography(name):
    frames, flows = a_camera_moves(name, frames=3)
    found = motion(frames[2], frames[1])
    error = np.linalg.norm(found.flow - flows[2], axis=-1)[found.reliable]
    assert error.mean() < 0.2
    assert np.percentile(error, 99) < 0.6


def test_what_came_in_over_the_border_is_not_reliable():
    frames, flows = a_camera_moves("coffee", frames=3)
    height, width = frames[0].shape[:2]
    x, y = np.arange(width) + flows[2][..., 0], np.arange(height)[:, None] + flows[2][..., 1]
    outside = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
    assert outside.mean() > 0.005
    assert motion(frames[2], frames[1]).reliable[outside].mean() < 0.2


@pytest.mark.parametrize("back", [1, 2, 4])
def test_what_a_body_uncovered_is_not_held(back):
    frames, uncovered = a_body_moves(frames=6, back=back)
    found = motion(frames[5], frames[5 - back])
    assert softened(found.seen)[uncovered].mean() < 0.1
    assert 0.6 < found.reliable.mean() < found.seen.mean()  # which has the body's edge
    assert not (found.reliable & ~found.seen).any()


def test_a_picture_carried_along_is_where_the_camera_took_it():
    frames, flows = a_camera_moves("cat", frames=3)
    carried = warped(frames[1], flows[2].astype(np.float32))
    inside = motion(frames[2], frames[1]).reliable
    assert np.sqrt(np.mean((carried - frames[2])[inside] ** 2)) < 4


def test_a_still_frame_is_carried_as_it_is():
    frame = photograph("coffee")
    found = motion(frame, frame)
    assert found.reliable.all()
    np.testing.assert_array_equal(warped(frame, found.flow), frame)


def test_noise_moves_nothing_where_the_camera_stands():
    frames = noisy("astronaut", frames=2, level=4)
    found = motion(frames[1], frames[0])
    assert (np.linalg.norm(found.flow, axis=-1) > 0).mean() < 0.05
    assert found.reliable.mean() > 0.95


def test_a_slow_pan_is_no_noise():
    wide = photograph("coffee", 168).astype(np.float32)
    moved = 0.9 * wide[:, :-1] + 0.1 * wide[:, 1:]  # by a tenth of a pixel
    found = motion(np.rint(moved).astype(np.uint8), wide[:, :-1].astype(np.uint8))
    assert np.median(found.flow[..., 0]) == pytest.approx(0.1, abs=0.06)


def plain(frames):
    """Light that fades over a wall, with noise of a grey level, brighter from frame to frame."""
    random = np.random.default_rng(0)
    wall = np.linspace(150, 210, WIDTH)[:, np.newaxis] * np.array([0.8, 0.9, 1.0])
    for number in range(frames):
        frame = np.broadcast_to(wall + number, (HEIGHT, WIDTH, 3)) + random.normal(0, 1, (HEIGHT, WIDTH, 3))
        yield frame.copy()


def test_a_plain_wall_stands_behind_what_moves_before_it_though_its_light_changes():
    body, frames = photograph("cat", 48, 48), list(plain(2))
    for number, frame in enumerate(frames):
        frame[30:78, 50 + 2 * number : 98 + 2 * number] = body
    here, there = (np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in reversed(frames))
    found = motion(here, there)
    assert (found.flow[:, :40] == 0).all()
    assert found.reliable[:, :40].all()
    assert np.median(found.flow[40:68, 60:90, 0]) == pytest.approx(-2, abs=0.1)


def test_a_plain_sky_goes_with_the_camera():
    wide, frames = photograph("cat", WIDTH + 8, HEIGHT), list(plain(2))
    for number, frame in enumerate(frames):
        frame[60:] = wide[60:, 2 * number : WIDTH + 2 * number]
    here, there = (np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in reversed(frames))
    found = motion(here, there)
    assert np.median(found.flow[30:50, 20:-20, 0]) == pytest.approx(2, abs=0.3)
    assert found.reliable[5:50, 10:-10].mean() > 0.9


def test_a_frame_that_turned_black_holds_nothing():
    frame = photograph("coffee")
    assert motion(np.zeros_like(frame), frame).reliable.mean() < 0.05


def test_what_is_held_ends_softly_and_inside_of_what_is_reliable():
    reliable = np.ones((40, 40), bool)
    reliable[:, 20:] = False
    held = softened(reliable)
    assert held[:, 20:].max() == 0
    assert held[:, :8].min() > 0.999  # as the picture's own border is none
    assert 0 < held[20, 18] < held[20, 15] < 1


def test_shots_end_where_another_picture_begins():
    coffee, cat, astronaut = (photograph(name) for name in ("coffee", "cat", "astronaut"))
    for one, other in [(coffee, cat), (cat, astronaut), (astronaut, coffee), (coffee, np.zeros_like(coffee))]:
        assert is_cut(one, other)
        assert is_cut(other, one)


def test_a_shot_goes_on_through_pans_fades_and_noise():
    coffee = photograph("coffee", 208)
    assert not is_cut(coffee[:, 32:], coffee[:, :-32])
    assert not is_cut((0.85 * coffee).astype(np.uint8), coffee)
    assert not is_cut(*noisy("cat", frames=2, level=12))


def test_threads_change_nothing():
    import cv2

    frames, _flows = a_camera_moves("coffee", frames=2)
    threads, found = cv2.getNumThreads(), []
    for count in (1, 3):
        cv2.setNumThreads(count)
        found.append(motion(frames[1], frames[0]).flow)
        assert cv2.getNumThreads() == count  # as it was
    cv2.setNumThreads(threads)
    np.testing.assert_array_equal(*found)
