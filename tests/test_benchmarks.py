"""The figures of `make bench`: what is counted and how it is shown. Nothing here is timed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from benchmarks.figures import Figure, Section, evaluations_to, median_ratio, render, significant, stands_at, table
from benchmarks.machine import REPOSITORY
from benchmarks.parts import Part, what_is_left, where_it_went
from benchmarks.work import activation_bytes, convolution_work, gram_work, lbfgs_bytes
from pipeline.images import quality as measures


def test_a_ratio_is_taken_within_each_round():
    # In the second round the machine ran at half its speed: both sides took twice the time, the ratio is the same.
    assert median_ratio([1.0, 2.0, 1.1], [4.0, 8.0, 4.0]) == 0.25


def test_the_first_evaluation_that_is_good_enough_is_found():
    losses = [9.0, 7.0, 5.0, 4.0, 3.5]
    asked = []

    def judge(number):
        asked.append(number)
        return losses[number - 1]

    assert [evaluations_to(target, 5, judge) for target in (9.0, 6.0, 5.0, 3.5)] == [1, 3, 3, 5]
    assert evaluations_to(3.4, 5, judge) is None
    assert len(asked) < 5 * 4


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.7, "0.700"),
        (0.06341, "0.0634"),
        (12.345, "12.3"),
        (1234.5, "1,230"),
        (999.9, "1,000"),
        (4.381e16, "4.38e+16"),
    ],
)
def test_numbers_have_three_digits_that_count(value, text):
    assert significant(value) == text


def test_a_table_is_markdown():
    assert table(["picture", "time"], [("256 px", 1.5)]) == "| picture | time |\n| --- | ---: |\n| 256 px | 1.5 |"


def test_a_missed_target_is_said_with_its_figure():
    figures = [Figure("ratio", 0.31, "at most", 0.22), Figure("share", 0.9, "at least", 0.88)]
    text = render(
        {"avx2": [Section(name="race", title="Race", text="words", figures=figures, machine={"on": "a box"})]}
    )
    assert "| ratio | 0.310 | at most 0.220 | **missed** |" in text
    assert "| share | 0.900 | at least 0.880 | met |" in text
    assert "_on a box; took 0 s._" in text


def test_kinds_of_machines_have_parts_of_their_own():
    sections = [Section(name="race", title="Race", text="words")]
    assert [line for line in render({"avx2": sections, "amx_bf16": sections}).splitlines() if line.startswith("#")] == [
        "# Benchmarks",
        *("## Processors with avx2", "### Race, avx2"),
        *("## Processors with amx_bf16", "### Race, amx_bf16"),
    ]


def test_a_picture_stands_once_it_never_differs_noticeably_again():
    def grey(level):
        return np.full((4, 4, 3), level, np.uint8)

    # A grey level is 0.39 of CIELAB's lightness here (L* of 100 and of 101 out of 255).
    assert stands_at({5: grey(60), 10: grey(100), 15: grey(90), 20: grey(98), 25: grey(101), 30: grey(100)}) == 20
    assert stands_at({5: grey(60), 10: grey(100)}) == 10


def test_a_section_survives_its_file(tmp_path):
    section = Section(name="a", title="A", text="t", figures=[Figure("f", 1.0, "at most", 2.0, " s")], seconds=3.5)
    section.save(tmp_path / "deep" / "a.json")
    assert Section.load(tmp_path / "deep" / "a.json") == section


def test_the_work_of_a_pass_is_counted_by_hand():
    # block1 at 32 x 32: 3 -> 64 and 64 -> 64 channels, 3 x 3 taps, a multiplication and an addition each.
    first = 2 * 32 * 32 * 9 * (3 * 64 + 64 * 64)
    assert convolution_work(32, 32, "block1_conv2") == first
    # block2 at 16 x 16: 64 -> 128.
    assert convolution_work(32, 32, "block2_conv1") == first + 2 * 16 * 16 * 9 * 64 * 128


def test_what_a_step_needs_beside_convolutions_is_counted_by_hand():
    # at 16 x 16: 256 positions of 64 channels, 64 of 128; products forward and back, two operations each
    assert gram_work(16, ["block1_conv1", "block2_conv1"]) == 4 * (256 * 64**2 + 64 * 128**2)
    # 20 pairs of two pictures of three colours, twice
    assert lbfgs_bytes(16, 2) == 2 * 20 * 2 * 3 * 256 * 2
    # 32 x 32 with its frame of 8 is 48 x 48; up to block5_conv1 by block: convolutions, channels, side
    blocks = [(2, 64, 48), (2, 128, 24), (4, 256, 12), (4, 512, 6), (1, 512, 3)]
    each = [channels * side**2 for _count, channels, side in blocks]
    every = sum(count * size for (count, _channels, _side), size in zip(blocks, each, strict=True))
    assert activation_bytes(32, 4) == 4 * (5 * every + 3.75 * sum(each[:-1]))


PARTS = [Part.of_work("products", 4e9, rate=2e9), Part.of_bytes("moves", 1e9, bandwidth=4e9)]


def test_the_last_line_of_a_step_is_what_none_of_its_parts_accounts_for():
    assert list(what_is_left("64 px", 2.5, PARTS)) == [
        ("64 px: products", "4.00 GFLOP", "2.000 s", "0.800"),
        ("64 px: moves", "1.00 GB", "0.250 s", "0.100"),
        ("64 px: what is left", "", "0.250 s", "0.100"),
    ]


def test_the_last_line_of_a_profile_is_what_is_left_between_the_step_and_its_best():
    assert list(where_it_went("float32", 4.0, [(PARTS[0], 3.0), (PARTS[1], 1.0)])) == [
        ("float32: products", "4.00 GFLOP", "3.000 s", "0.750", "2.000 s", "1.000 s"),
        ("float32: moves", "1.00 GB", "1.000 s", "0.250", "0.250 s", "0.750 s"),
        ("float32: step", "", "4.000 s", "1.00", "2.250 s", "1.750 s"),
        ("float32: what is left", "", "1.750 s", "0.438", "", ""),
    ]


def test_the_work_grows_with_the_picture():
    # Network E of Simonyan & Zisserman (arXiv 1409.1556) takes 19.6 billion multiply-adds at 224 x 224, 0.12 of them in its
    # three fully connected layers.
    whole = convolution_work(224, 224, "block5_conv4")
    assert whole == pytest.approx(2 * 19.5e9, rel=0.01)
    assert convolution_work(448, 448) == 4 * convolution_work(224, 224)


def stripes(across, size=64):
    """Black and white, eight pixels wide each; `across`: they stand upright."""
    wave = np.where(np.arange(size) // 8 % 2, 220, 30).astype(np.uint8)
    plane = np.tile(wave, (size, 1))
    return np.repeat((plane if across else plane.T)[..., None], 3, axis=2)


def noise(seed, low=60, high=190, size=64):
    return np.random.default_rng(seed).integers(low, high, (size, size, 3), dtype=np.uint8)


def test_lab_of_white_and_of_red_are_those_of_cie():
    white, red = measures.to_lab(np.array([[[255, 255, 255], [255, 0, 0]]], np.uint8))[0]
    assert white == pytest.approx([100, 0, 0], abs=0.01)
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.01)


def test_patches_of_one_texture_are_near_and_those_of_another_far():
    assert measures.patch_distance(noise(1), noise(1)) == 0
    # of so small a picture the coarsest level has only 100 places
    assert measures.patch_distance(noise(1), noise(2)) < 0.25 * measures.patch_distance(noise(1), stripes(True))


def test_narrow_styles_and_a_photograph_that_is_the_style_have_figures_too(monkeypatch):
    monkeypatch.setattr(measures, "PATCHES", 500)  # as few as will do where they are not compared
    for style in (noise(2)[:, :8], noise(2)[:1], noise(2)[:3, :40]):
        assert 0 < measures.quality(noise(1), noise(3), style).style < 10
    assert measures.quality(noise(1), noise(1), noise(1)).style == 0


def test_edges_agree_with_themselves_whatever_their_sign_and_not_with_those_across():
    assert measures.edge_agreement(stripes(True), stripes(True)) == pytest.approx(1)
    assert measures.edge_agreement(255 - stripes(True), stripes(True)) == pytest.approx(1)
    assert measures.edge_agreement(stripes(False), stripes(True)) == pytest.approx(-1, abs=0.05)


def test_something_in_an_empty_area_is_seen_and_a_painted_thing_is_not():
    photograph = np.full((64, 64, 3), 128, np.uint8)
    photograph[:, :24] = stripes(True)[:, :24]
    phantom = photograph.copy()
    phantom[20:44, 44:60] = 20
    assert measures.empty_areas(photograph, photograph) < 0.05
    assert measures.empty_areas(phantom, photograph) > 0.2


def test_colour_is_the_photographs_only_where_its_lightness_does_not_explain_it():
    photograph = np.empty((64, 64, 3), np.uint8)
    photograph[:32, :32], photograph[:32, 32:] = (160, 90, 90), (80, 120, 90)
    photograph[32:, :32], photograph[32:, 32:] = (90, 120, 160), (140, 110, 60)
    grey = np.repeat(photograph.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert measures.hue_left(grey, photograph) < 0.01
    assert measures.hue_left(photograph, photograph) > 5


def test_single_pixels_clipped_ones_and_a_rim_are_counted():
    plain = np.full((50, 40, 3), 128, np.uint8)
    plain[10, 10], plain[30, 20] = 255, 0
    assert measures.speckle(plain) == measures.clipped(plain) == 2 / 2000
    plain[10, 11] = 255  # two together are a stroke
    assert measures.speckle(plain) == 1 / 2000
    framed = noise(4, 118, 138)
    assert measures.rim(framed) == pytest.approx(1, abs=0.1)
    framed[:4] = framed[-4:] = framed[:, :4] = framed[:, -4:] = 0
    assert measures.rim(framed) > 1.5


@pytest.mark.slow
def test_our_side_walks_and_judges_pictures():
    """In a process of its own, as it sets TensorFlow up."""
    program = """
from benchmarks.engine import Descent
from benchmarks.pictures import generated
from pipeline.nst.engine import TransferEngine
from pipeline.nst.weights import locate
from pipeline.options import Options

layers = {"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5}}
options = Options(size=48, style_loss="gram", precision="float32", weights="random", history=3, **layers)
descent = Descent(TransferEngine(locate("random"), options), options, generated(48, seed=1), generated(48, seed=2))
losses = list(descent.evaluations(3))
assert len(losses) == 3 and descent.evaluate() > 0
assert abs(descent.loss(descent.best) / min(losses) - 1) < 1e-3, (descent.loss(descent.best), losses)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
