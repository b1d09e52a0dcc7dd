"""What is said of time and memory beforehand: the curve of costs, and how it is fitted to the pairs that were painted."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace

import pytest
from PIL import Image

from benchmarks.work import convolution_work as counted_work
from pipeline.batch.estimates.cost import pair_cost, seen_pixels
from pipeline.batch.estimates.estimator import (
    START_SECONDS,
    TRIAL_STEPS,
    Estimate,
    Estimator,
    in_all,
    mask_bytes,
    time_limit,
)
from pipeline.batch.plan import Plan, PlannedPair, make_plan
from pipeline.cli.console import Lines, finished_line, planned_line
from pipeline.cli.progress import Bars
from pipeline.cli.rendering import plan_rows, plan_text
from pipeline.job import Job, Manifest, Outcome, RunSettings, StyleImage
from pipeline.nst.network import VGG19
from pipeline.nst.positions import (
    cells,
    products_by_layer,
    products_of_columns,
    products_of_self_similarity,
    products_of_transport,
)
from pipeline.nst.tiling import in_words
from pipeline.options import Options
from pipeline.reading import Reading
from pipeline.schedule import Machine, Sized, schedule
from pipeline.store.checksummed_json import write_checksummed_json
from pipeline.store.disk import LocalStore
from pipeline.store.keys import KEY_SCHEMA
from pipeline.store.layout import HASHES, failure_name, record_name
from pipeline.store.records import Record, State
from pipeline.textures import as_texture

STEPS = 100
OPTIONS = Options(size=256, steps=STEPS, precision="float32")


@pytest.fixture
def job(tmp_path):
    """A pair whose content is 512 x 256 pixels."""
    Image.new("RGB", (512, 256)).save(tmp_path / "content.png")
    return Job(
        output="a.png",
        content=tmp_path / "content.png",
        styles=(StyleImage(tmp_path / "style.png"),),
        options=OPTIONS,
    )


def of_size(job, size, **changes):
    return replace(job, options=replace(job.options, size=size, **changes))


def scheduled(options, size, precision="float32", style=None, max_memory=None):
    """The stages of a content of `size` with a style image that is as large, or of the size `style`."""
    machine = Machine(precision=precision, max_memory=max_memory)
    return schedule(options, Sized("content.png", size), [Sized("style.png", style or size)], machine)


def cost_of(options, size, precision="float32", **rest):
    return pair_cost(options, scheduled(options, size, precision, **rest))


def outcome(job, *, slower=1.0, precision="float32", threads=2, memory=1.0, max_memory=None):
    """A row of a report: the pair on a machine that takes so many times the curve's time and memory."""
    size = (job.options.size, job.options.size // 2)
    stages = scheduled(job.options, size, precision, max_memory=max_memory)
    cost, tilings = pair_cost(job.options, stages), stages.tilings()
    return {
        "size": list(size),
        "precision": precision,
        "threads": threads,
        "steps": job.options.steps,
        "style": ["style.png"],
        "options": job.options.as_dict(),
        "seconds": slower * (job.options.steps * cost.evaluation + cost.coarse + cost.other) / threads,
        "seconds_per_step": slower * cost.evaluation / threads,
        "peak_memory_bytes": round(memory * cost.memory),
        "painted_with": {"tiles": in_words(tilings)},
        "tilings": {name: tiling.as_json() for name, tiling in tilings.items()},
    }


def whole(cost):
    """Core-seconds of a pair."""
    return STEPS * cost.evaluation + cost.coarse + cost.other


def seconds(estimator, job):
    return estimator.estimate(job).seconds


def test_in_an_empty_folder_an_estimate_is_a_first_guess(job):
    assert Estimator(threads=2).estimate(job).guess
    assert not Estimator([outcome(job)], threads=2).estimate(job).guess


def test_a_pair_painted_before_is_estimated_as_it_went(job):
    row = outcome(job, slower=3.0, memory=1.2)
    estimate = Estimator([row], threads=2).estimate(job)
    assert estimate.seconds == pytest.approx(row["seconds"])
    assert estimate.memory == pytest.approx(row["peak_memory_bytes"])


@pytest.mark.parametrize("options", [{"size": (256, 128)}, {"style_scale": (0.5, 1.0)}])
def test_sides_and_scales_that_a_record_lists_are_known_for_what_they_are(job, options):
    """A record is JSON, which has no tuples."""
    options = replace(job.options, **options)
    here = replace(job, options=as_texture(options) if options.is_texture else options)
    stages = scheduled(here.options, (256, 128))
    cost = pair_cost(here.options, stages)
    row = outcome(job, slower=3.0) | {"options": here.options.as_dict(), "seconds_per_step": 3.0 * cost.evaluation / 2}
    estimate = Estimator([json.loads(json.dumps(row))], threads=2).estimate(here)
    assert not estimate.guess
    assert estimate.seconds > 2.0 * Estimator(threads=2).estimate(here).seconds


def test_a_machine_that_is_slow_at_one_size_is_expected_to_be_slow_at_another(job):
    guess, learnt = Estimator(threads=2), Estimator([outcome(job, slower=3.0)], threads=2)
    larger = of_size(job, 512)
    assert seconds(learnt, larger) == pytest.approx(3.0 * seconds(guess, larger))


def test_a_precision_never_painted_in_is_estimated_by_the_other(job):
    guess, learnt = Estimator(threads=2), Estimator([outcome(job, slower=3.0)], threads=2)
    faster = of_size(job, 256, precision="bfloat16")
    assert seconds(learnt, faster) == pytest.approx(3.0 * seconds(guess, faster))


def test_pairs_near_in_size_count_most(job):
    small, large = of_size(job, 64), of_size(job, 512)
    estimator = Estimator([outcome(small, slower=1.0), outcome(large, slower=2.0)], threads=2)
    assert seconds(estimator, small) == pytest.approx(outcome(small, slower=1.0)["seconds"])
    assert seconds(estimator, large) == pytest.approx(outcome(large, slower=2.0)["seconds"])


def test_one_pair_during_a_backup_spoils_nothing(job):
    usual = [outcome(job) for _ in range(3)]
    spoilt = Estimator([*usual, outcome(job, slower=20.0)], threads=2)
    assert seconds(spoilt, job) == pytest.approx(usual[0]["seconds"])


def test_a_machine_that_has_become_slower_is_believed(job):
    rows = [outcome(job) for _ in range(20)] + [outcome(job, slower=2.0) for _ in range(20)]
    assert seconds(Estimator(rows, threads=2), job) == pytest.approx(2.0 * rows[0]["seconds"])


def test_half_the_threads_take_twice_the_time(job):
    row = outcome(job, threads=2)
    assert seconds(Estimator([row], threads=1), job) == pytest.approx(2 * row["seconds"])


def test_auto_is_what_it_was_on_this_machine(job):
    automatic = of_size(job, 256, precision="auto")
    for precision in ("float32", "bfloat16"):
        row = outcome(automatic, precision=precision)
        assert seconds(Estimator([row], threads=2), automatic) == pytest.approx(row["seconds"])


def test_memory_that_a_pair_before_left_is_not_taken_for_a_pairs_own(job):
    rows = [outcome(job, memory=memory) for memory in (1.2, 2.5, 1.2, 2.5)]
    assert Estimator(rows, threads=2).estimate(job).memory == rows[0]["peak_memory_bytes"]


def test_a_plan_says_the_memory_that_one_worker_holds_in_its_turn(job, tmp_path):
    Image.new("RGB", (512, 256)).save(tmp_path / "style.png")
    jobs = [replace(of_size(job, size, weights="random"), output=f"{size}.png") for size in (128, 512, 256)]

    def memory(workers):
        run = RunSettings(workers=workers)
        manifest = Manifest(
            file=tmp_path / "m.yaml", name="m", input=tmp_path, output=tmp_path / "out", run=run, pairs=tuple(jobs)
        )
        return [
            row["memory_bytes"] for row in plan_rows(make_plan(manifest, State(LocalStore(manifest.output))), manifest)
        ]

    small, large, middle = memory(2)
    assert small < middle < large
    assert memory(1) == [small, large, large]


def test_records_of_another_version_are_read_as_far_as_they_go(job):
    row = outcome(job, slower=2.0)
    row["options"] |= {"no_such_option": 1}
    del row["options"]["tv_kind"], row["threads"], row["tilings"]
    assert seconds(Estimator([row], threads=2), job) == pytest.approx(row["seconds"])


def test_rows_that_say_nothing_teach_nothing(job):
    rows = [
        {},
        {"precision": None, "size": None},
        outcome(job) | {"seconds_per_step": None},
        outcome(job) | {"size": None},
        outcome(job) | {"size": "large"},
        outcome(job) | {"precision": ["float32"]},
        outcome(job) | {"options": {"style_layers": {"no_such_layer": 1}}},
        outcome(job) | {"options": 7},
        outcome(job) | {"seconds_per_step": -5.0},
        outcome(job) | {"seconds_per_step": 1e308},
        outcome(job) | {"threads": -3},
        outcome(job) | {"size": [1, 1]},
        outcome(job) | {"style": ["style.png"] * 100_000},
    ]
    assert Estimator(rows, threads=2).estimate(job).guess


@pytest.mark.parametrize(
    "odd", [{"seconds": 1e308}, {"seconds": -1e308}, {"peak_memory_bytes": 2**62}, {"steps": -(2**62)}]
)
def test_a_record_that_says_what_cannot_be_spoils_no_estimate(job, odd):
    """Beside what can: it is learnt from."""
    estimate, usual = (Estimator([outcome(job) | more], threads=2).estimate(job) for more in (odd, {}))
    assert estimate.seconds == pytest.approx(usual.seconds, rel=0.5)
    assert estimate.memory <= 2 * usual.memory
    assert estimate.guess == usual.guess


def reading(step, seconds):
    return Reading(step=step, seconds=seconds, losses={"total": 2.0})


def test_the_first_steps_correct_a_first_guess_once(job):
    """The first step holds what is done once; the pace is that of the following ones."""
    estimator, slow = Estimator(threads=2), outcome(job, slower=5.0)
    clock = [10.0 + step * slow["seconds_per_step"] for step in range(TRIAL_STEPS + 1)]
    news = [estimator.try_out(job, reading(step, seconds)) for step, seconds in enumerate(clock, start=1)]
    assert news == [step == TRIAL_STEPS for step in range(1, TRIAL_STEPS + 2)]
    assert seconds(estimator, job) == pytest.approx(slow["seconds"])


def test_where_something_is_known_there_is_no_trial(job):
    estimator = Estimator([outcome(job)], threads=2)
    assert not any(estimator.try_out(job, reading(step, 99.0 * step)) for step in range(1, 10))


def test_nothing_is_known_of_a_content_that_cannot_be_opened(job):
    (job.content).write_bytes(b"no picture")
    assert Estimator(threads=2).estimate(job) is None


def test_the_pairs_painted_last_are_remembered_by_any_manifest(tmp_path):
    store = LocalStore(tmp_path)
    state = State(store)
    assert state.recent() == []
    for age, name in enumerate(["old", "damaged", "new", "newest"]):
        record = Record(schema=KEY_SCHEMA, key="", sha256="", size=0, mtime_ns=0, outcome={"output": name})
        write_checksummed_json(store, record_name(name), asdict(record))
        path = store.path(record_name(name))
        if name == "damaged":
            path.write_bytes(path.read_bytes()[:-9])
        os.utime(path, (age, age))
    store.write(HASHES, b"{}")
    store.write(failure_name("held"), store.read(record_name("new")))
    assert [row["output"] for row in state.recent()] == ["old", "new", "newest"]
    assert [row["output"] for row in state.recent(2)] == ["new", "newest"]


def test_a_pair_painted_in_other_tiles_teaches_nothing(job):
    """As under another max_memory: it took other time and memory."""
    large = of_size(job, 512)
    tight = 900 * 2**20
    row = outcome(large, slower=3.0, max_memory=tight)
    assert row["tilings"].keys() == {"512 px", "style 1 for 512 px", "finished", "style 1 for finished"}
    assert Estimator([row], threads=2).estimate(large).guess
    assert not Estimator([row], threads=2, max_memory=tight).estimate(large).guess
    untiled = outcome(large)
    assert untiled["tilings"] == {}
    assert Estimator([untiled], threads=2, max_memory=tight).estimate(large).guess
    assert not Estimator([untiled], threads=2).estimate(large).guess


def test_a_record_from_before_tilings_teaches_only_where_its_words_say_that_there_were_none(job):
    large = of_size(job, 512)
    tight = 900 * 2**20
    untiled, tiled = outcome(large), outcome(large, max_memory=tight)
    for row in (untiled, tiled):
        del row["tilings"]
    assert not Estimator([untiled], threads=2).estimate(large).guess
    assert Estimator([untiled], threads=2, max_memory=tight).estimate(large).guess
    assert Estimator([tiled], threads=2).estimate(large).guess
    assert Estimator([tiled], threads=2, max_memory=tight).estimate(large).guess


def test_an_estimate_counts_a_style_image_by_its_own_shape(job):
    """One that cannot be opened is taken for as large as the content: the run will say why."""
    content = (512, 256)
    assert seconds(Estimator(threads=1), job) == pytest.approx(whole(cost_of(OPTIONS, content)))
    Image.new("RGB", (300, 300)).save(job.styles[0].image)
    square = whole(cost_of(OPTIONS, content, style=(300, 300)))
    assert square > whole(cost_of(OPTIONS, content))
    assert seconds(Estimator(threads=1), job) == pytest.approx(square)


# ------------------------------------------------------------------------------------------------------------------- cost


def test_the_network_sees_the_mirrored_frame():
    assert seen_pixels((100, 50), Options(border="mirror")) == 116 * 66
    assert seen_pixels((100, 50), Options(border="zero")) == 5000
    assert seen_pixels((100, 50), Options(wrap="x")) == 100 * 66


@pytest.mark.parametrize("layer", ["block1_conv2", "block2_conv1", "block3_conv4", "block4_conv2", "block5_conv4"])
def test_the_work_is_the_benchmarks_count(layer):
    assert VGG19.work([layer]) * 224**2 == counted_work(224, 224, layer)


def test_pools_and_layers_before_their_relu_cost_what_their_convolution_costs():
    assert VGG19.work(["block3_pool"]) == VGG19.work(["block3_conv4"])
    assert VGG19.work(["block4_conv2_linear"]) == VGG19.work(["block4_conv2"])


def test_shallow_layers_cost_less_and_more_pixels_more():
    shallow = replace(OPTIONS, content_layers={"block2_conv1": 1.0}, style_layers={"block1_conv1": 1.0})
    small, large = (cost_of(replace(OPTIONS, size=size[0]), size) for size in ((256, 128), (512, 256)))
    assert cost_of(shallow, (256, 128)).evaluation < 0.5 * small.evaluation
    assert large.evaluation > 2 * small.evaluation


def test_sampled_places_cost_the_same_at_every_size():
    """Hypercolumns of VGG19 have 2 · 64 + 2 · 128 + 4 · 256 + 2 · 512 = 2432 channels; their squares sum to 827,392."""
    distances = 6 * 1024 * 1024 * 2432
    assert products_of_transport(VGG19) == distances + 6 * 1024 * 827_392
    assert products_of_self_similarity(VGG19) == distances
    sampled = replace(OPTIONS, style_loss="transport", scales=1)
    small, large = (cost_of(sampled, (size, size)).evaluation for size in (128, 256))
    assert small < large < 3 * small  # where four times as much is seen
    assert cost_of(OPTIONS, (256, 256)).evaluation < large
    assert cost_of(replace(sampled, content_loss="self_similarity"), (256, 256)).evaluation > large


def test_a_large_picture_is_painted_small_first_and_that_is_counted():
    once, pyramid = (cost_of(replace(OPTIONS, size=1024, scales=scales), (1024, 512)) for scales in (1, 2))
    assert once.coarse == 0.0
    # Half the steps at a quarter of the pixels: an eighth of the time at full size, and what an evaluation takes anyhow.
    assert pyramid.coarse == pytest.approx(STEPS * once.evaluation / 8, rel=0.1)


@pytest.mark.parametrize(("size", "is_stroked"), [(256, True), ((256, 128), False)])
def test_a_texture_has_no_photograph_that_is_looked_at_for_its_strokes(size, is_stroked):
    alike, stroked = (
        cost_of(replace(OPTIONS, size=size, style_loss="neighbours", empty_areas=areas), (256, 128))
        for areas in ("alike", "stroked")
    )
    assert (stroked.coarse > alike.coarse) == is_stroked


def test_the_products_of_matching_are_counted():
    """At 512 x 512 px 128 x 128 hypercolumns of 2 · 64 + 2 · 128 + 4 · 256 + 2 · 512 numbers, with as many of the style;
    by layer on grids of 63 x 63 positions at blocks 1 to 2, 63 and 64 where all are taken."""
    assert products_of_columns(VGG19, (512, 512), [(512, 512)]) == 2 * 128**2 * 128**2 * 2432
    assert products_of_columns(VGG19, (2048, 512), [(512, 512)] * 3) == 2 * 512 * 128 * 128**2 * 2432
    on_grid = {1: 63, 2: 63, 3: 63, 4: 64}  # 512 / 8, 256 / 4, 128 / 2, less one for the offset; 64 / 1
    numbers = {1: 2 * 64, 2: 2 * 128, 3: 4 * 256, 4: 2 * 512}
    assert products_by_layer(VGG19, (512, 512), [(512, 512)]) == sum(
        2 * on_grid[block] ** 4 * numbers[block] for block in numbers
    )
    assert cells((45, 341)) == (12, 86)


def test_matching_is_counted_once_a_size_and_every_five_evaluations_of_the_last_pass():
    options = replace(OPTIONS, style_loss="neighbours", size=128)
    stages = scheduled(options, (128, 128))
    assert [(stage.longer_side, stage.steps) for stage in stages.stages] == [(64, 40), (128, 40), (128, 100)]
    found, gram = pair_cost(options, stages), cost_of(replace(OPTIONS, size=128), (128, 128))
    assert found.evaluation > gram.evaluation
    once = replace(stages, stages=tuple(replace(stage, targets_every=0) for stage in stages.stages))
    assert pair_cost(options, once).evaluation < found.evaluation
    assert found.coarse > 40 * pair_cost(options, once).evaluation  # and as many at 64 px, and what is matched
    stroked = pair_cost(replace(options, empty_areas="stroked"), stages)  # the photograph is measured too, by size
    assert found.coarse < stroked.coarse < 1.2 * found.coarse
    assert stroked.evaluation == found.evaluation


def test_lbfgs_remembers_forty_pictures_and_adam_two():
    lbfgs, adam = (cost_of(replace(OPTIONS, size=512, optimizer=name), (512, 512)) for name in ("lbfgs", "adam"))
    assert lbfgs.memory - adam.memory == (40 - 2) * 512 * 512 * 3 * 4


# ------------------------------------------------------------------------------------------------------------------ words


def test_a_run_is_its_pairs_shared_among_its_workers_and_its_start():
    pairs = [Estimate(60.0, 100, guess=False), Estimate(40.0, 300, guess=True), None]
    assert asdict(in_all(pairs, 1)) == {"seconds": START_SECONDS + 100.0, "memory": 300, "guess": True, "part": None}
    assert asdict(in_all(pairs, 2)) == {"seconds": START_SECONDS + 50.0, "memory": 400, "guess": True, "part": None}
    assert in_all(pairs, 1, started=True).seconds == 100.0
    assert in_all([None], 1) is None


def test_plan_says_a_guess_is_a_guess():
    row = {"output": "a.png", "action": "paint", "reason": "not painted yet", "seconds": 94.0, "memory_bytes": 2**30}
    assert (
        plan_text([row | {"guess": True}]).splitlines()[-1]
        == "1 to paint in about 1 m 40 s (a first guess), 0 up to date"
    )
    assert plan_text([row | {"guess": False}]).splitlines()[-1] == "1 to paint in about 1 m 40 s, 0 up to date"


def test_a_run_says_what_lies_ahead_and_what_it_learns(job, capsys):
    ahead = Estimate(94.0, 2**30, guess=True)
    voice = Lines()
    voice.started(job, STEPS, ahead)
    voice.corrected(ahead)
    said = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "painting a.png (100 steps, about 1 m 34 s and 1.0 GiB)",
        "by the first steps, the pairs that wait will take about 1 m 34 s",
    ]
    assert planned_line(Plan(pairs=()), None) == "0 up to date"


def test_of_one_step_and_of_one_frame_one_is_said(job, capsys):
    Lines().started(job, 1, None)
    assert capsys.readouterr().err.endswith("painting a.png (1 step)\n")
    losses = {end: {"total": 1.0} for end in ("first", "last")}
    pair = Outcome(output="a.png", content="c.png", style=["s.png"], status="done", steps=1, losses=losses)
    assert "1 step in" in finished_line(pair)
    assert "1 frame in" in finished_line(replace(pair, clip={"frames": 1}))


@pytest.mark.parametrize("resumed", [0, 40])
def test_what_a_bar_says_is_left_is_by_the_steps_at_full_size(job, resumed):
    """Not by the smaller sizes, targets and tracing before them, which may take longer than all that is left."""
    bars = Bars()
    bars.started(job, STEPS, None)
    if resumed:
        bars.resumed(job, f"step {resumed} of {STEPS}", resumed)
    bars.reading(job, reading(9, 90.0), coarse=True)
    bars.reading(job, reading(resumed + 1, 10.0 * (resumed + 1)), coarse=False)
    bar = bars._steps[job.output]
    assert bar.format_dict["rate"] == pytest.approx(0.1, rel=0.01)  # one step in ten seconds
    bars.reading(job, reading(1, 5.0), coarse=False)  # begun anew
    assert bar.n == 1
    bar.close()


@pytest.mark.parametrize("last", ["done", "not_started"])
def test_the_bar_of_pairs_ends_its_line_with_the_last_of_them(job, capsys, last):
    """What `paint` and `run --json` print on stdout then stands below it, and not behind it."""
    bars = Bars()
    bars.planned(Plan(pairs=tuple(PlannedPair(job=job, action="paint", reason="new") for _ in range(2))), None)
    ended = Outcome(output=job.output, content="c.png", style=["s.png"], status="failed", reason="no", size=(8, 8))
    bars.finished(ended)
    assert not capsys.readouterr().err.endswith("\n")
    bars.finished(replace(ended, status=last, losses={end: {"total": 1.0} for end in ("first", "last")}))
    assert capsys.readouterr().err.endswith("\n")


def test_pairs_in_quarantine_are_none_of_the_bars(job, capsys):
    """It counts what is to be painted; with theirs it was full, and closed, before the first pair was painted."""
    bars = Bars()
    pairs = [PlannedPair(job=job, action=action, reason="new") for action in ("quarantined", "quarantined", "paint")]
    bars.planned(Plan(pairs=tuple(pairs)), None)
    held = Outcome(output="held.png", content="c.png", style=["s.png"], status="quarantined", reason="no")
    for _ in range(2):
        bars.finished(held)
    assert (bars._pairs.n, bars._pairs.total) == (0, 1)
    bars.finished(replace(held, output=job.output, status="failed"))
    assert bars._pairs is None


@pytest.mark.parametrize(
    ("estimate", "limit"),
    [
        (None, 1800.0),
        (Estimate(seconds=10.0, memory=0, guess=False), 1800.0),
        (Estimate(seconds=200.0, memory=0, guess=False), 20 * 200.0),
        (Estimate(seconds=200.0, memory=0, guess=True), 100 * 200.0),
        (Estimate(seconds=36_000.0, memory=0, guess=False, part=200.0), 4000.0),  # a frame of a clip
    ],
)
def test_a_pair_hangs_when_it_takes_a_multiple_of_its_estimate_and_half_an_hour(estimate, limit):
    assert time_limit(estimate) == limit


def test_masks_are_foreseen_of_the_picture_one_for_each_region_and_of_a_style_the_one_looked_through(job, tmp_path):
    """Of 256 x 128 pixels, by hand: 4 bytes each."""
    stage = scheduled(job.options, (512, 256)).stages[-1]
    pixels = 256 * 128
    (style,) = job.styles
    sky, land, own = (tmp_path / f"{name}.png" for name in ("sky", "land", "own"))

    def foreseen(*styles, **changes):
        of_all = replace(stage, style_sizes=(stage.size,) * len(styles))
        return mask_bytes(replace(job, styles=styles, **changes), of_all) / (4 * pixels)

    assert foreseen(style) == 0
    assert foreseen(replace(style, mask=sky), replace(style, mask=land)) == 2
    assert foreseen(replace(style, mask=sky), replace(style, mask=sky), style) == 2  # sky, and what it leaves
    assert foreseen(replace(style, own_mask=own), style) == 1
    assert foreseen(style, content_mask=sky) == 1
    apart = replace(job.options, empty_areas="apart")
    assert foreseen(style, options=apart) == 2 + 1
    assert foreseen(style, options=apart, content_mask=sky) == 2 + 1 + 1
    assert foreseen(replace(style, mask=sky), style, options=apart) == 2  # masks win
    assert foreseen(replace(style, region_map=land), region_map=sky) == 8 + 1
    plain = Estimator(threads=2).estimate(job).memory
    masked = (
        Estimator(threads=2).estimate(replace(job, region_map=sky, styles=(replace(style, region_map=land),))).memory
    )
    assert masked - plain == 9 * 4 * pixels
