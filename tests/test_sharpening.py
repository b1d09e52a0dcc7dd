# ruff: noqa: E501 - what is written and what is said to it are read side by side
"""Paintings carried to a photograph's full resolution: `sharpen_to`. No TensorFlow but in the last tests."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from manifest_kit import Load, pair, project_with_pictures, refusal
from PIL import Image
from scipy import ndimage

from pipeline.batch.estimates.cost import pair_cost
from pipeline.batch.estimates.estimator import Estimator
from pipeline.finishing import coloured_as_asked, finished
from pipeline.images import scale
from pipeline.images.picture import open_any
from pipeline.images.scale import resize, resize_wrapped
from pipeline.images.sharpening import _gain, sharpened
from pipeline.job import Job, StyleImage
from pipeline.manifest import options_from_python
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.schedule import Machine, Sized, finished_size, notes_of_size, schedule, sharpening_bytes
from pipeline.stage_inputs import stage_inputs
from pipeline.store.keys import pair_key
from pipeline.store.records import painted_fields

FACTOR = 4  # by which photographs here are larger than paintings


def photograph(height: int = 160, width: int = 192) -> np.ndarray:
    """Discs with sharp edges on a slope, and a patch of grain: uint8 (height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    scene = np.stack([60 + x / 4, 90 + y / 4, 140 - x / 5], -1)
    for number, (down, across, radius) in enumerate([(50, 60, 33), (100, 140, 41), (120, 40, 19)]):
        inside = (y - down) ** 2 + (x - across) ** 2 < radius**2
        scene[inside] = [(220, 180, 40), (30, 60, 90), (240, 240, 230)][number]
    scene[:40, 120:] += np.random.default_rng(0).normal(0, 20, (40, width - 120, 3))
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)


def smaller(whole: np.ndarray) -> np.ndarray:
    return resize(whole.astype(np.float32), whole.shape[1] // FACTOR, whole.shape[0] // FACTOR)


def carried(painted: np.ndarray, whole: np.ndarray, wraps: tuple[bool, bool] = (False, False)) -> np.ndarray:
    return np.concatenate([found for _rows, found, _whole in sharpened(painted, smaller(whole), whole, wraps)])


def error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Root mean square, in grey levels."""
    return float(np.sqrt(np.mean((ours.astype(float) - theirs) ** 2)))


def other_colours(pixels: np.ndarray) -> np.ndarray:
    """A photograph with its channels inverted and exchanged, at lower contrast."""
    return (220 - 0.7 * pixels[..., ::-1].astype(np.float32)).astype(np.float32)


# ------------------------------------------------------------------------------------------------------- what it makes


def test_where_a_painting_is_the_photograph_in_other_colours_its_edges_are_the_photographs():
    """The truth is known there: the whole photograph in those colours."""
    whole = photograph()
    whole[:40, 120:] = 100
    truth = other_colours(whole)
    painted = smaller(truth)
    ours, enlarged = carried(painted, whole), resize(painted, 192, 160)
    assert error(enlarged, truth) > 5
    assert error(ours, truth) < error(enlarged, truth) / 4


def test_an_edge_is_as_wide_as_the_photographs_where_enlarging_makes_it_wide():
    """Pixels over which a step rises from a tenth to nine tenths of its height: of two pixels of the painting, and none."""
    whole = np.full((160, 192, 3), 40, np.uint8)
    whole[:, 97:] = 200
    painted = smaller(other_colours(whole))

    def width(pixels: np.ndarray) -> int:
        row = pixels[80, 60:130, 1]
        low, high = row.min(), row.max()
        inside = (row > low + 0.1 * (high - low)) & (row < low + 0.9 * (high - low))
        return int(inside.sum())

    assert [width(resize(painted, 192, 160)), width(carried(painted, whole))] == [8, 0]


def test_nothing_of_the_photograph_comes_back_where_it_was_painted_flat():
    flat = np.full((40, 48, 3), 77.25, np.float32)
    np.testing.assert_allclose(carried(flat, photograph()), 77.25, atol=1e-3)


def test_strokes_that_do_not_follow_the_photograph_are_enlarged_and_stay_alone():
    """Stripes in the place of the grain. One times the photograph's detail, as sharpening does that does not ask, would be
    wrong by 19 grey levels there."""
    whole = photograph()
    stripes = 100 + 40 * np.sin(np.mgrid[:40, :48][0] * 1.1)[..., np.newaxis] + np.zeros(3)
    painted = stripes.astype(np.float32)
    grain = np.s_[8:32, 128:184]
    detail = whole - resize(smaller(whole), 192, 160)
    assert error(detail[grain], 0) > 15
    assert error(carried(painted, whole)[grain], resize(painted, 192, 160)[grain]) < 0.6


def test_the_large_picture_made_smaller_is_the_painting():
    """To half a grey level where it is as smooth as a photograph. One with strokes as fine as its pixels is not quite
    itself when it was enlarged by Lanczos' filter and made smaller again, and no less so when it is sharpened."""
    whole, random = photograph(), np.random.default_rng(1)
    painted = smaller(other_colours(whole))
    assert error(smaller(carried(painted, whole)), painted) < 0.5
    strokes = (painted + random.normal(0, 12, painted.shape)).astype(np.float32)
    enlarged = smaller(resize(strokes, 192, 160))
    assert error(smaller(carried(strokes, whole)), strokes) < 1.02 * error(enlarged, strokes)


def test_the_photograph_itself_stays_the_photograph_at_its_edges():
    whole = photograph()
    whole[:40, 120:] = 100
    assert error(carried(smaller(whole), whole), whole) < 2


# ------------------------------------------------------------------------------------------------------- how it is made


def test_the_gain_is_scipys_least_squares_slope_by_the_square_of_what_it_explains():
    whole, random = photograph(), np.random.default_rng(2)
    small = smaller(whole)
    painted = (0.5 * small[..., ::-1] + random.normal(0, 9, small.shape)).astype(np.float32)

    def mean(values: np.ndarray, side: int) -> np.ndarray:
        return ndimage.uniform_filter(values, (side, side, 1))

    def both(x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return mean(x.astype(float) * p, 5) - mean(x.astype(float), 5) * mean(p.astype(float), 5)

    slope = both(painted, small) / (both(small, small) + 5)
    share = slope * both(painted, small) / (both(painted, painted) + 5)
    inside = np.s_[3:-3, 3:-3]  # at the edge SciPy goes on from means
    np.testing.assert_allclose(_gain(painted, small, 0, 40)[inside], mean(slope * share**2, 3)[inside], atol=2e-4)


def test_the_gain_of_a_painting_in_other_colours_is_theirs():
    """0.5 times green, for red: of noise without end, beside which 5 grey levels squared are little."""
    small = np.random.default_rng(3).uniform(0, 255, (40, 48, 3)).astype(np.float32)
    np.testing.assert_allclose(_gain(0.5 * small, small, 0, 40), 0.5, rtol=0.05)
    np.testing.assert_allclose(_gain(-small, small, 0, 40), -1.0, rtol=0.05)


@pytest.mark.parametrize("pixels", [1, 200, 5000])
@pytest.mark.parametrize("wraps", [(False, False), (True, True)])
def test_rows_are_the_same_however_many_come_at_once(monkeypatch, pixels, wraps):
    """To rounding: Pillow has the ends of a box in float32."""
    whole, random = photograph(), np.random.default_rng(4)
    painted = smaller(other_colours(whole)) + random.normal(0, 9, (40, 48, 3)).astype(np.float32)
    at_once = carried(painted, whole, wraps)
    monkeypatch.setattr(scale, "_BAND", pixels)
    assert len(list(sharpened(painted, smaller(whole), whole))) >= 160 * 192 // max(192, pixels)
    np.testing.assert_allclose(carried(painted, whole, wraps), at_once, atol=0.01)


def test_bands_are_all_rows_once():
    assert [(rows.start, rows.stop) for rows in scale.bands(5, 2**19)] == [(0, 2), (2, 4), (4, 5)]
    assert len(list(scale.bands(3, 2**21))) == 3


def test_memory_does_not_grow_with_the_height_of_the_photograph(monkeypatch):
    """Beside the two pictures that come in: what is allocated at most while rows come and go."""
    monkeypatch.setattr(scale, "_BAND", 2**14)

    def peak(height: int) -> int:
        whole = np.zeros((height, 512, 3), np.uint8)
        painted = np.zeros((height // 4, 128, 3), np.float32)
        small = painted + 1
        tracemalloc.start()
        for _found in sharpened(painted, small, whole):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(4096) < 1.1 * peak(1024) < 30 * 12 * 2**14  # as much as thirty pictures of a band


@pytest.mark.parametrize("wraps", [(False, True), (True, False), (True, True)])
def test_a_painting_that_wraps_goes_on_from_its_other_end(wraps):
    """Of a photograph without detail it is the enlarged painting, ends and all."""
    painted = np.random.default_rng(5).uniform(0, 255, (40, 48, 3)).astype(np.float32)
    flat = np.full((160, 192, 3), 90, np.uint8)
    found = np.clip(carried(painted, flat, wraps), 0, 255)
    np.testing.assert_allclose(found, resize_wrapped(painted, 192, 160, wraps), atol=1e-3)
    assert np.abs(found - resize(painted, 192, 160)).max() > 1


# ------------------------------------------------------------------------------------------------------------ its size


@pytest.mark.parametrize(
    ("size", "sharpen_to", "content", "result"),
    [
        (512, "original", (6000, 4001), (6000, 4001)),
        (512, 3000, (6000, 4001), (3000, 2001)),  # 4001 * 3000 / 6000 = 2000.5
        (512, 9000, (6000, 4001), (6000, 4001)),
        (512, None, (6000, 4001), (512, 341)),
        (512, 300, (6000, 4001), (512, 341)),
        (512, "original", (400, 300), (400, 300)),
        ("original", "original", (6000, 4001), (6000, 4001)),
    ],
)
def test_the_result_is_as_large_as_the_photograph_and_never_larger(size, sharpen_to, content, result):
    options = Options(size=size, sharpen_to=sharpen_to)
    planned = schedule(
        options, Sized("photo.jpg", content), [Sized("art.jpg", (900, 900))], Machine(precision="float32")
    )
    assert planned.finished == finished_size(options, Sized("photo.jpg", content)) == result
    assert max(planned.size) == min(512, max(content)) or size == "original"


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"size": 512, "sharpen_to": "original"}, ""),
        ({"size": 512, "sharpen_to": 1000}, ""),
        ({"size": 512, "sharpen_to": 1001}, "photo.jpg: 1000 px long, and so is the picture, not 1001"),
        ({"size": 512, "sharpen_to": 500}, "photo.jpg: painted no smaller than 'sharpen_to' could make it, which does nothing"),
        ({"size": 1000, "sharpen_to": "original"}, "photo.jpg: painted no smaller than 'sharpen_to' could make it, which does nothing"),
        ({"size": "original", "sharpen_to": "original"}, ""),  # it is no part of the pair then, which is told once
    ],
)  # fmt: skip
def test_what_sharpen_to_does_not_reach_is_noted(options, note):
    assert "".join(notes_of_size(Options(**options), Sized("photo.jpg", (1000, 700)))) == note


def test_a_photograph_is_kept_in_whole_numbers_beside_the_size_it_is_painted_at(tmp_path: Path):
    whole = photograph()
    Image.fromarray(whole).save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", Image.fromarray(whole), whole):
        opened = open_any(source, 48, fine_side=10**6)
        np.testing.assert_array_equal(opened.fine.pixels, whole)
        np.testing.assert_array_equal(opened.pixels, resize(whole.astype(np.float32), 48, 40))
        assert open_any(source, 48, fine_side=96).fine.size == (96, 80)
        assert [open_any(source, *sides).fine for sides in ((48, None), (None, None, 96), (192, None, 999))] == [
            None
        ] * 3


def test_a_photograph_keeps_its_opacity_at_both_sizes_and_stands_upright():
    alpha = np.full((160, 192), 255, np.uint8)
    alpha[:, :96] = 51
    image = Image.fromarray(np.dstack([photograph(), alpha]))
    image.getexif()[0x0112] = 6
    opened = open_any(image, 48, fine_side=10**6)
    assert opened.fine.size == (160, 192)
    assert opened.size == (40, 48)
    np.testing.assert_allclose(opened.fine.alpha, np.rot90(alpha, -1) / 255, atol=1e-6)


# -------------------------------------------------------------------------------------------------- colours at full size


def pictures_of(**options: Any):
    """A pair of the photograph and its own colours turned round, painted at 48 pixels: what `finished` is given."""
    wanted = Options(size=48, sharpen_to="original", scales=1, **options)
    pictures = open_pictures(photograph(), [(photograph()[..., ::-1].copy(), 1.0)], wanted)
    (stage,) = pictures.schedule(wanted, Machine(precision="float32")).stages
    return pictures, stage_inputs(pictures, wanted, stage), wanted


def test_a_strength_of_0_is_the_photograph_to_the_last_level():
    pictures, inputs, options = pictures_of(strength=0.0)
    found = finished(pictures, inputs, options, np.zeros((40, 48, 3), np.float32))
    np.testing.assert_array_equal(found.pixels, photograph())


def test_preserved_luminance_keeps_the_chroma_of_the_whole_photograph():
    pictures, inputs, options = pictures_of(preserve_color="luminance", depth=16)
    found = finished(pictures, inputs, options, np.full((40, 48, 3), 128, np.float32))
    inner = np.all((found.deep > 0) & (found.deep < 255), axis=-1)  # nothing was cut off
    apart = found.deep - photograph()
    assert inner.mean() > 0.8
    np.testing.assert_allclose(apart[inner], apart[inner][:, :1].repeat(3, 1), atol=1e-3)


def test_colours_are_matched_before_and_the_result_made_smaller_has_them():
    pictures, inputs, options = pictures_of(match_color="style")
    painted = smaller(photograph())
    found = finished(pictures, inputs, options, painted)
    wanted = coloured_as_asked(pictures, inputs, options, painted)
    assert error(smaller(found.pixels), wanted) < 1.5 < error(painted, wanted)
    assert found.deep is None
    assert found.alpha is None


def test_sixteen_bits_are_the_same_picture_before_it_is_rounded():
    pictures, inputs, options = pictures_of(depth=16)
    found = finished(pictures, inputs, options, smaller(other_colours(photograph())))
    np.testing.assert_array_equal(np.rint(found.deep), found.pixels)
    assert np.any(found.deep != found.pixels)


# -------------------------------------------------------------------------------------------------- plans and their like


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("sharpen_to: large", "7:27: error: 'sharpen_to' must be a whole number, 32 or more, or 'original', or a length like '30cm'; got 'large'"),
        ("sharpen_to: 8", "7:27: error: 'sharpen_to' must be a whole number, 32 or more, or 'original', or a length like '30cm'; got 8"),
        ("sharpen_to: 1mm", "7:27: error: 'sharpen_to': is 12 pixels at 300 dpi, and must be 32 or more"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_at_its_place(load: Load, options: str, message: str) -> None:
    assert refusal(load, pair(options)) == [message]


def test_a_length_on_paper_is_so_many_pixels_and_sets_the_dpi(load: Load) -> None:
    (job,) = load(pair("size: 1024, sharpen_to: 50cm")).pairs
    assert (job.options.sharpen_to, job.options.dpi, job.options.size) == (5906, 300, 1024)  # 50 / 2.54 * 300 = 5905.5
    assert options_from_python({"sharpen_to": "4in", "dpi": 100}).sharpen_to == 400


def test_it_is_in_the_key_where_it_counts_and_pairs_without_it_keep_theirs():
    job = Job(output="a.png", content=Path("/c"), styles=(StyleImage(Path("/s")),), options=Options())

    def key(**options: Any) -> str:
        return pair_key(replace(job, options=Options(**options)), str, "w")

    assert len({key(), key(sharpen_to="original"), key(sharpen_to=6000)}) == 3
    assert key(size="original") == key(size="original", sharpen_to="original")
    assert "sharpen_to" not in Options().as_dict()


def test_a_pair_is_foreseen_with_its_result_and_tiles_leave_it_room(tmp_path: Path) -> None:
    plain, sharp = (Options(size=512, sharpen_to=side, precision="float32") for side in (None, "original"))
    content, style = Sized("photo.jpg", (6000, 4000)), [Sized("art.jpg", (900, 600))]

    def planned(options: Options, max_memory: int | None = None):
        return schedule(options, content, style, Machine(precision="float32", max_memory=max_memory))

    costs = [pair_cost(options, planned(options)) for options in (plain, sharp)]
    assert costs[1].memory - costs[0].memory == sharpening_bytes(sharp, (6000, 4000)) == 13 * 24e6
    assert costs[1].other > costs[0].other
    assert costs[1].evaluation == costs[0].evaluation
    just_enough = round(costs[0].memory / 0.9) + 2**20
    assert planned(plain, just_enough).tilings() == {}
    assert planned(sharp, just_enough).tilings() != {}


def test_a_finished_pair_teaches_as_what_was_painted(tmp_path: Path) -> None:
    """Its time by pixels of the painting, its memory with the result."""
    Image.new("RGB", (2048, 1024)).save(tmp_path / "c.png")
    options = Options(size=256, sharpen_to="original", steps=100, precision="float32")
    job = Job(output="a.png", content=tmp_path / "c.png", styles=(StyleImage(tmp_path / "s.png"),), options=options)
    cost = pair_cost(
        options,
        schedule(options, Sized("", (2048, 1024)), [Sized("", (256, 128))], Machine(precision="float32")),
    )
    row = {
        "size": [2048, 1024],
        "painted_size": [256, 128],
        "precision": "float32",
        "threads": 1,
        "steps": 100,
        "options": options.as_dict(),
        "seconds": 3.0 * (100 * cost.evaluation + cost.coarse + cost.other),
        "seconds_per_step": 3.0 * cost.evaluation,
        "peak_memory_bytes": round(1.5 * cost.memory),
        "painted_with": {"tiles": "none"},
        "tilings": {},
    }
    estimate = Estimator([row], threads=1).estimate(job)
    assert estimate.seconds == pytest.approx(row["seconds"], rel=1e-3)
    assert estimate.memory == pytest.approx(row["peak_memory_bytes"], rel=1e-3)


def test_a_record_with_a_painted_size_that_cannot_be_is_none():
    assert painted_fields({"size": [9, 9], "painted_size": [3, 3]}) == {"size": [9, 9], "painted_size": [3, 3]}
    assert painted_fields({"size": [9, 9], "painted_size": None}) is not None
    assert [painted_fields({"painted_size": size}) for size in ([3], [0, 3], ["3", "3"], [3, 10**7])] == [None] * 4


# ------------------------------------------------------------------------------------------------------- whole paintings

QUICK = {"size": 48, "style_loss": "gram", "steps": 3, "scales": 1, "weights": "random", "precision": "float32"}
QUICK |= {"content_layers": ["block2_conv1"], "style_layers": ["block1_conv1", "block2_conv1"], "history": 3}


@pytest.fixture
def large(project: Path) -> Path:
    Image.fromarray(photograph()).save(project / "input/content/dog.png", dpi=(240, 240))
    return project


def manifest(large: Path, **options: Any) -> None:
    written = json.dumps(QUICK | options)
    (large / "m.yaml").write_text(
        f"version: 1\ninput: input\noutput: out\nrun: {{threads: 1}}\npairs:\n"
        f"  - {{content: content/dog.png, style: style/wave.png, output: dog.png, options: {written}}}\n"
    )


@pytest.mark.slow
def test_a_night_saves_the_large_picture_says_how_it_was_painted_and_makes_it_again(large, stylize):
    manifest(large, sharpen_to="original")
    done = stylize("run", "m.yaml", "--verbose", cwd=large)
    assert done.returncode == 0, done.stderr
    assert "done dog.png: 192x160, painted at 48x40, 3 steps" in done.stderr + done.stdout
    with Image.open(large / "out/dog.png") as image:
        assert image.size == (192, 160)
        assert round(float(image.info["dpi"][0])) == 240
    row = json.loads((large / "out/report.json").read_text())["pairs"][0]
    assert (row["size"], row["painted_size"]) == ([192, 160], [48, 40])
    assert "192 × 160, painted at 48 × 40" in (large / "out/report.html").read_text()
    assert "1 up to date" in stylize("plan", "m.yaml", cwd=large).stdout

    again = stylize("show", "out/dog.png", "--manifest", cwd=large)
    (large / "again.yaml").write_text(
        again.stdout.replace("version: 1", "version: 1\ninput: input\noutput: again\nrun: {threads: 1}")
    )
    assert stylize("run", "again.yaml", cwd=large).returncode == 0
    assert (large / "again/dog.png").read_bytes() == (large / "out/dog.png").read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_python_paints_the_same_and_a_snapshot_ends_in_the_same_picture(large):
    """A snapshot of the last step is what a pair that was killed while it was sharpened goes on from."""
    pytest.importorskip("tensorflow")
    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.weights import locate
    from pipeline.stylize import paint, result_of

    wanted = options_from_python(QUICK | {"sharpen_to": 96, "wrap": "x"})
    engine = TransferEngine(locate("random"), wanted)

    def begun(resume=None):
        pictures = open_pictures(large / "input/content/dog.png", [(large / "input/style/wave.png", 1.0)], wanted)
        planned = pictures.schedule(wanted, Machine(precision="float32"))
        assert (planned.size, planned.finished) == ((48, 40), (96, 80))
        return paint(pictures, wanted, planned, engine, resume=resume)

    painting = begun()
    for _step in range(3):
        _reading, snapshot = next(painting)
    taken = snapshot()
    whole = result_of(painting)
    assert whole.pixels.shape == (80, 96, 3)
    np.testing.assert_array_equal(result_of(begun(taken)).pixels, whole.pixels)


def test_check_and_plan_say_what_sharpening_cannot_do(large, stylize):
    manifest(large, sharpen_to=5000)
    note = "dog.png: 192 px long, and so is the picture, not 5000"
    assert f"warning: {note}" in stylize("check", "m.yaml", cwd=large).stderr
    assert note in stylize("plan", "m.yaml", cwd=large).stdout
    manifest(large, sharpen_to=5000, size="original")
    assert (
        "'sharpen_to' has no effect; it counts only with a content and a 'size' in numbers"
        in stylize("check", "m.yaml", cwd=large).stderr
    )
