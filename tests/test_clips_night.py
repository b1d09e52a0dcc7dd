"""A clip in a night: each painted frame stands, whatever happens next, and none is painted twice. Frames are painted in
milliseconds by tests/chaos/engine, whose diary has a line for each: in this process, or where one is to die in the product's
worker."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from clips_night_kit import HEIGHT, OUTPUT, STEPS, WIDTH, Night, shots, write_video
from conftest import REPOSITORY, Command, rehearsing
from night_kit import Scripted, failed, rehearsed_here
from patience import PATIENCE, until
from PIL import Image

from pipeline.batch import clip_output, clip_walk, driver
from pipeline.batch.clean import clean_output
from pipeline.batch.clip_source import Clip
from pipeline.batch.clip_walk import ClipWalk
from pipeline.batch.driver import run
from pipeline.batch.engines.local import LocalEngine
from pipeline.batch.engines.worker import _Worker
from pipeline.batch.estimates.estimator import Estimator
from pipeline.batch.messages import Position, Saved
from pipeline.batch.plan import make_plan
from pipeline.batch.selection import Selection
from pipeline.batch.system import deadline
from pipeline.cli.console import Quiet
from pipeline.cli.measure import _refuse_clip
from pipeline.cli.rendering import plan_rows
from pipeline.clips.facts import as_json
from pipeline.clips.reading import clip_facts, read_frames
from pipeline.errors import BadImage, OutOfTime, UsageError
from pipeline.images.budget import clip_seconds
from pipeline.images.encode import encode_picture
from pipeline.images.metadata import read_metadata
from pipeline.manifest import load_manifest
from pipeline.store.disk import LocalStore
from pipeline.store.layout import STEPS as STEPS_FOLDER
from pipeline.store.layout import clip_name, frame_name, preview_name, record_name, thumbnail_name
from pipeline.store.previous import files_by_pair, older_pictures
from pipeline.store.records import State

pytest.importorskip("av")
pytest.importorskip("cv2")
pytestmark = pytest.mark.slow


@pytest.fixture
def night(project: Path) -> Night:
    return Night(project)


@pytest.fixture
def undisturbed(night: Night) -> bytes:
    return night.undisturbed()


def test_a_clip_is_painted_frame_by_frame_and_stands_whole(night: Night) -> None:
    assert night.run()["status"] == "done"
    assert night.painted() == [0, 1, 2, 3, 4, 5]
    facts = clip_facts(night.result)
    assert (facts.frames, facts.size, facts.rate) == (6, (WIDTH, HEIGHT), 10)
    source = read_frames(night.project / "input/walk.mkv")
    assert [frame.time for frame in read_frames(night.result)] == [frame.time for frame in source]


def test_a_second_run_does_nothing(night: Night) -> None:
    night.run()
    night.painted()
    assert night.run()["status"] == "up_to_date"
    assert night.painted() == []


def test_a_record_and_a_report_say_how_the_frames_hold_together(night: Night) -> None:
    night.clip(3, 2)
    row = night.run()
    assert (row["steps"], row["size"], len(row["trace"])) == (5, [WIDTH, HEIGHT], 5)
    clip = row["clip"]
    assert (clip["frames"], clip["of"], clip["cuts"], clip["rate"], clip["seconds"]) == (5, 5, [3], 10.0, 0.5)
    assert [each[0] for each in clip["rows"]] == [0, 1, 2, 3, 4]
    assert [each[1] is None for each in clip["rows"]] == [True, False, False, True, False]
    assert [flag["name"] for flag in row["flags"]][-1] == "cuts"
    for which in ("content", "style", "result", "strip"):
        assert (night.project / "out" / thumbnail_name(OUTPUT, which)).exists()


def test_a_worker_that_dies_costs_the_frame_in_hand(night: Night, undisturbed: bytes, rehearse: Command) -> None:
    night.lay_fault(3, "SIGKILL")
    said = rehearse("run", "night.yaml", "-v", cwd=night.project).stderr
    assert "painting walk--wave.mkv (6 frames" in said
    assert "trying once more" in said
    assert "resumed at frame 3 of 6" in said
    assert "frame 6/6" in said
    assert night.painted() == [0, 1, 2, 3, 4, 5]
    assert night.result.read_bytes() == undisturbed


@pytest.mark.parametrize(
    ("sign", "told"),
    [(signal.SIGKILL, ""), (signal.SIGTERM, "frame 4 of 6 is saved, and the next run goes on from there")],
)
def test_a_run_that_ends_midway_goes_on_with_the_same_bytes(
    night: Night, undisturbed: bytes, sign: signal.Signals, told: str
) -> None:
    fault = night.lay_fault(4, "hold")
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.start", "run", "night.yaml"],
        cwd=night.project,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | rehearsing(night.project),
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: not fault.exists())
    driver.send_signal(sign)
    _, said = driver.communicate(timeout=PATIENCE)
    assert told in said
    assert not night.result.exists()
    assert night.painted() == [0, 1, 2, 3]
    row = night.run()
    assert night.painted() == [4, 5]
    assert night.result.read_bytes() == undisturbed
    assert row["notes"][0] == "4 of 6 frames stood already"


@pytest.mark.parametrize("readings", range(1, 9))
def test_a_clip_that_is_left_anywhere_is_finished_in_the_same_bytes(
    night: Night, undisturbed: bytes, readings: int
) -> None:
    assert night.run(stop_after=readings)["status"] == "interrupted"
    assert night.run()["status"] == "done"
    assert night.painted() == [0, 1, 2, 3, 4, 5]
    assert night.result.read_bytes() == undisturbed


def test_a_run_that_is_killed_while_it_writes_the_clip_ends_in_the_same_bytes(night: Night, undisturbed: bytes) -> None:
    night.killed("pipeline.clips.writing:OutputFile.write", "3")
    assert not night.result.exists()
    assert night.painted() == [0, 1, 2, 3, 4, 5]
    assert night.run()["status"] == "done"
    assert night.painted() == []
    assert night.result.read_bytes() == undisturbed


def test_a_longer_clip_paints_what_is_new_alone(night: Night) -> None:
    night.run()
    night.painted()
    night.clip(9)
    night.run()
    assert night.painted() == [6, 7, 8]
    assert clip_facts(night.result).frames == 9


def test_a_longer_loop_paints_its_end_and_what_is_new(night: Night) -> None:
    """Only the last eight frames of a loop know how long it is."""
    night.clip(12)
    night.manifest(options="loop: true")
    night.run()
    night.painted()
    night.clip(14)
    night.run()
    assert night.painted() == list(range(4, 14))


def test_a_shorter_clip_paints_nothing_and_forgets_the_rest(night: Night) -> None:
    night.run()
    night.painted()
    night.clip(4)
    night.run()
    assert night.painted() == []
    assert clip_facts(night.result).frames == 4
    assert [night.frame(number).exists() for number in range(6)] == [True] * 4 + [False] * 2


def test_what_changes_in_a_shot_changes_no_other(night: Night) -> None:
    night.clip(3, 3)
    night.run()
    night.painted()
    frames = shots(3, 3)
    frames[1] = frames[1][::-1].copy()  # upside down: a shot of its own, and so is what follows
    write_video(night.project / "input/walk.mkv", frames)
    night.run()
    assert night.painted() == [1, 2]


@pytest.mark.parametrize("change", [{"options": "quality: 40", "output": "walk.mp4"}, {"output": "walk.webm"}])
def test_another_packing_is_another_pair_of_the_same_frames(night: Night, change: dict[str, str]) -> None:
    night.manifest("walk.mp4")
    night.run()
    night.painted()
    first = night.project / "out" / frame_name("walk.mp4", 0)
    key = read_metadata(first)["key"]
    night.manifest(**change)
    night.run()
    again = night.project / "out" / frame_name(change["output"], 0)
    assert read_metadata(again)["key"] == key
    assert (night.painted() == []) == (change["output"] == "walk.mp4")


def test_other_options_paint_all_frames_anew(night: Night) -> None:
    night.run()
    night.painted()
    night.manifest(options="style_weight: 0.5")
    night.run()
    assert night.painted() == [0, 1, 2, 3, 4, 5]


def test_a_part_of_a_clip_is_painted_with_its_own_times(night: Night) -> None:
    night.manifest(options="frames: [2, 4]")
    row = night.run()
    assert night.painted() == [0, 1, 2]
    assert [float(frame.time) for frame in read_frames(night.result)] == pytest.approx([0, 0.1, 0.2])
    assert [each[0] for each in row["clip"]["rows"]] == [2, 3, 4]
    night.manifest(options="frames: every 2")
    night.run()
    assert [float(frame.time) for frame in read_frames(night.result)] == pytest.approx([0, 0.2, 0.4])


@pytest.mark.parametrize("output", ["walk.gif", "walk.mp4", "walk.mkv"])
def test_the_last_of_every_few_frames_is_shown_to_the_end_of_the_clip(night: Night, output: str) -> None:
    night.clip(10)
    night.manifest(output, options="frames: every 4")
    row = night.run()
    shown = [float(frame.duration) for frame in read_frames(night.project / "out" / output)]
    assert shown == pytest.approx([0.4, 0.4, 0.2])
    assert (row["clip"]["seconds"], row["clip"]["rate"]) == (1.0, 2.5)


@pytest.mark.parametrize("output", ["walk.mp4", "walk.mkv", "walk.gif"])
def test_a_last_frame_that_stands_for_seconds_still_does(night: Night, output: str) -> None:
    write_video(night.project / "input/walk.mkv", shots(4), last=3.0)
    night.manifest(output)
    night.run()
    assert clip_facts(night.project / "out" / output).seconds == pytest.approx(3.3)


def test_a_report_says_of_sound_what_the_output_has(night: Night) -> None:
    facts = replace(clip_facts(night.project / "input/walk.mkv"), has_sound=True)
    night.manifest("walk.mp4")
    job = load_manifest(night.project / "night.yaml").pairs[0]
    outputs = ("walk.mp4", "walk.webm", "walk.gif", "walk/%05d.png")
    has = [clip_output.facts_of(replace(job, output=output), facts).has_sound for output in outputs]
    assert has == [True, True, False, False]


def test_a_part_costs_no_frame_of_the_rest(night: Night) -> None:
    night.run()
    night.painted()
    night.manifest(options="frames: [4, 5]")
    night.run()
    assert night.painted() == [0, 1]
    night.manifest()
    night.run()
    assert night.painted() == [4, 5]


def _read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of frames that are decoded from now on, but for the first, of which the size is known."""
    numbers: list[int] = []

    def spy(*arguments: Any, **named: Any) -> Iterator[Any]:
        for frame in read_frames(*arguments, **named):
            numbers.append(frame.number)
            yield frame

    monkeypatch.setattr("pipeline.clips.reading.read_frames", spy)
    return numbers


def test_a_clip_that_is_gone_on_with_is_not_decoded_from_its_beginning(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.clip(16, 14)
    night.run(stop_after=25 + STEPS)
    night.painted()
    numbers = _read(monkeypatch)
    night.run()
    painted = night.painted()
    assert painted == list(range(painted[0], 30))
    assert painted[0] - 8 > 16
    assert numbers == [0, *range(painted[0] - 8, 30)]  # as far back as frames are painted from


def test_what_is_known_of_a_clip_is_not_found_out_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is known of another file: all of a short clip is decoded for it."""
    job = load_manifest(night.project / "night.yaml").pairs[0]
    known = as_json(clip_facts(job.content))
    asked: list[Any] = []

    def spy(*arguments: Any) -> Any:
        asked.append(arguments)
        return clip_facts(*arguments)

    monkeypatch.setattr("pipeline.clips.reading.clip_facts", spy)
    assert as_json(Clip(job, lambda _: nullcontext(), known).facts) == known
    assert asked == []
    night.clip(7)
    assert Clip(job, lambda _: nullcontext(), known).count == 7
    assert len(asked) == 1


def test_a_clip_may_take_as_long_to_open_where_it_is_painted_as_where_it_is_looked_at(night: Night) -> None:
    worker, clip = _Worker(io.BytesIO()), night.project / "input/walk.mkv"
    worker._clip = str(clip)
    assert worker._seconds_for(clip) == clip_seconds(clip.stat().st_size) > 600
    assert worker._seconds_for(night.project / "input/style/wave.png") < 60


def test_where_nothing_is_painted_it_is_said_that_the_clip_goes_on(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that thousands of frames that stand, and their writing, do not take up the time of one frame."""
    night.run()
    night.result.unlink()
    told: list[int] = []
    for module, every in ((clip_walk, 2), (clip_output, 3)):
        monkeypatch.setattr(module, "_GOES_ON", every)
    monkeypatch.setattr(ClipWalk, "goes_on", lambda walk: told.append(len(walk.told)))
    night.run()
    assert told == [2, 4, 6, 6, 6]


def test_where_frames_of_a_longer_clip_are_looked_at_it_is_said_that_it_goes_on(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs its decoding and a look for a cut: a `pair_timeout` of one frame would end it for ever."""
    night.run()
    night.clip(8)
    told: list[int] = []
    monkeypatch.setattr(clip_walk, "_GOES_ON", 2)
    monkeypatch.setattr(ClipWalk, "goes_on", lambda walk: told.append(len(walk.told)))
    night.run()
    assert told[:3] == [0, 2, 4]


def test_measure_refuses_a_clip_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"^a\.mp4 is a clip, and measure compares pictures; name a frame of it"):
        _refuse_clip(Path("a.mp4"))
    _refuse_clip(Path("a.gif"))  # its first frame is a picture


def test_a_whole_clip_that_is_packed_anew_is_not_decoded(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.run()
    night.painted()
    night.result.unlink()
    numbers = _read(monkeypatch)
    assert night.run()["status"] == "done"
    assert (night.painted(), numbers) == ([], [0])


def test_a_clip_is_gone_on_with_where_its_frames_have_taken_the_room(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six frames of 9 KB, as many for the clip, and 150 KB beside it."""
    frames = [np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for number in range(6)]
    write_video(night.project / "input/walk.mkv", frames)
    night.run(stop_after=4 + STEPS)
    kept = sum(path.stat().st_size for path in night.frame(0).parent.iterdir())
    usage = type(shutil.disk_usage("/"))(10**9, 0, 260_592 - kept)
    monkeypatch.setattr("pipeline.batch.estimates.disk_space.shutil.disk_usage", lambda _: usage)
    assert kept > 20_000
    assert night.run()["status"] == "done"


def test_frames_of_a_shorter_clip_are_decoded_once_to_know_them_in_the_longer(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.run()
    kept = [np.asarray(Image.open(night.frame(number))) for number in range(6)]
    night.clip(9)
    night.run()
    for number, pixels in enumerate(kept):
        np.testing.assert_array_equal(np.asarray(Image.open(night.frame(number))), pixels)
    night.result.unlink()
    numbers = _read(monkeypatch)
    night.run()
    assert numbers == [0]


def test_a_cut_that_was_found_between_others_is_looked_for_anew(night: Night) -> None:
    """A part of a clip begins a shot where the clip has none."""
    night.manifest(options="frames: [3, 5]")
    night.run()
    night.manifest()
    whole = night.run()
    assert whole["clip"]["cuts"] == []
    assert night.painted() == [0, 1, 2, 0, 1, 2, 3, 4, 5]


def test_memory_of_a_walk_is_of_few_frames(night: Night) -> None:
    from pipeline.batch.clip_frames import KeptFrame, Shown
    from pipeline.batch.clip_story import Told

    told = Told(20_000, 64)
    light = [90.0, 80.0]
    losses = {"total": 1.0}
    environment = {"threads": 1}
    common: dict[str, Any] = {"first": losses, "last": losses, "precision": "float32", "environment": environment}
    for number in range(20_000):
        frame = KeptFrame(
            key="",
            evaluations=1.0,
            seconds=0.5,
            flicker=2.0,
            own_flicker=1.0,
            reliable=1.0,
            cut=False,
            light=light,
            **common,
        )
        told.add(Shown(number, Fraction(number, 25), Fraction(1, 25), frame))
    assert (len(told), told.seconds) == (20_000, 10_000.0)
    assert (len(told.readings), told.readings[0].step, told.readings[-1].step) == (1000, 1, 20_000)
    story = told.story(clip_facts(night.project / "input/walk.mkv"))
    assert (len(story["rows"]), story["rows"][-1][0], story["flicker"], story["evaluations"]) == (60, 19_999, 2.0, 1.0)
    assert told.times[19_999] == (Fraction(19_999, 25), Fraction(1, 25))
    assert sys.getsizeof(told.times._parts) < 20_000 * 40


def test_a_time_that_no_clock_shows_is_told(night: Night) -> None:
    from pipeline.batch.clip_story import Times

    with pytest.raises(BadImage, match="which no player knows; export it again"):
        Times().add(Fraction(2**70), Fraction(1))


def test_a_clip_that_is_painted_anew_keeps_the_one_before(night: Night) -> None:
    night.manifest(output="walk.mp4", run="{keep_previous: 2}")
    first = night.run() and (night.project / "out/walk.mp4").read_bytes()
    store = LocalStore(night.project / "out")
    (night.project / "out" / record_name("walk.mp4")).unlink()
    night.run("style_weight=0.5")
    (older,) = older_pictures(store, "walk.mp4", files_by_pair(store))
    assert older.picture.endswith(".mp4")
    assert store.read(older.picture) == first
    for weight in ("0.25", "0.125"):
        night.run(f"style_weight={weight}")
    assert [each.number for each in older_pictures(store, "walk.mp4", files_by_pair(store))] == [3, 2]


def test_a_clip_that_is_packed_in_the_same_bytes_keeps_none(night: Night) -> None:
    night.manifest(run="{keep_previous: 2}")
    night.run()
    (night.project / "out" / record_name(OUTPUT)).unlink()
    manifest = load_manifest(night.project / "night.yaml")
    engine = rehearsed_here(night.place)
    report = run(manifest, Selection(force=True), Quiet(), engine=lambda settings, log: engine)
    assert report["pairs"][0]["status"] == "done"
    assert files_by_pair(LocalStore(night.project / "out")) == {}


def test_numbered_pictures_of_steps_are_no_use_to_clips_and_that_is_told(night: Night) -> None:
    night.manifest(run="{save_every: 2}")
    manifest = load_manifest(night.project / "night.yaml")
    engine = rehearsed_here(night.place)
    report = run(manifest, Selection(), Quiet(), engine=lambda settings, log: engine)
    told = "'save_every' has no effect on clips: each of their frames is kept, below .pipeline/clips"
    assert told in report["run"]["warnings"]
    assert list(LocalStore(manifest.output).list(STEPS_FOLDER)) == []


def test_the_small_picture_of_a_clip_at_work_is_a_frame(night: Night) -> None:
    night.manifest(run="{preview: 2}")
    night.run(stop_after=STEPS + 3)
    with Image.open(night.project / "out" / preview_name(OUTPUT)) as small:
        assert small.size == (WIDTH, HEIGHT)


def test_a_part_that_the_clip_has_not_fails_with_what_it_has(night: Night) -> None:
    night.manifest(options="frames: [70, 80]")
    assert night.run()["reason"].endswith("has 6 frames, from 0, and none of those that frames asks for")


@pytest.mark.parametrize(
    "said", [{"time": "1/0"}, {"time": "soon"}, {"time": "0"}, {"duration": "-1"}, {"light": [1.0]}]
)
def test_a_frame_that_says_what_cannot_be_is_painted_again(
    night: Night, undisturbed: bytes, said: dict[str, Any]
) -> None:
    """It may come from anybody, and its key can be computed."""
    night.run()
    night.painted()
    frame, settings = night.frame(3), read_metadata(night.frame(3))
    frame.write_bytes(encode_picture(np.asarray(Image.open(frame)), None, ".png", 100, settings | said))
    night.result.unlink()
    assert night.run()["status"] == "done"
    assert night.painted() == ([] if said == {"time": "0"} else [3])
    assert night.result.read_bytes() == undisturbed


@pytest.mark.parametrize(
    ("options", "told"), [("", "cannot be decoded"), ("frames: [70, 80]", "none of those that frames asks for")]
)
def test_check_and_plan_say_what_a_clip_lacks(night: Night, stylize: Command, options: str, told: str) -> None:
    if not options:
        path = night.project / "input/walk.mkv"
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    night.manifest(options=options)
    checked = stylize("check", "night.yaml", cwd=night.project)
    assert checked.returncode == 3
    assert told in checked.stderr
    assert "night.yaml:7:" in checked.stderr
    manifest = load_manifest(night.project / "night.yaml")
    (pair,) = make_plan(manifest, State(LocalStore(manifest.output)), Selection()).pairs
    assert (pair.action, told in pair.reason) == ("fail", True)


@pytest.mark.parametrize(("frames", "output"), [("first", "walk.png"), ("[0, 1]", OUTPUT)])
def test_what_comes_before_the_damage_of_a_clip_is_painted(night: Night, frames: str, output: str) -> None:
    path = night.project / "input/walk.mkv"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert clip_facts(path).damage
    night.manifest(output, options=f"frames: {frames}")
    assert night.run()["status"] == "done"
    assert night.run()["status"] == "up_to_date"


def _cut_short(frame: Path) -> None:
    frame.write_bytes(frame.read_bytes()[:-400])


def _emptied(frame: Path) -> None:
    frame.write_bytes(b"")


@pytest.mark.parametrize("harm", [_cut_short, _emptied, Path.unlink])
def test_a_frame_that_is_lost_or_damaged_is_painted_again_alone(
    night: Night, undisturbed: bytes, harm: Callable[[Path], object]
) -> None:
    night.run()
    night.painted()
    harm(night.frame(3))
    night.result.unlink()
    night.run()
    assert night.painted() == [3]
    assert night.result.read_bytes() == undisturbed


def test_a_clip_whose_record_is_lost_is_adopted(night: Night) -> None:
    night.run()
    night.painted()
    (night.project / "out" / record_name(OUTPUT)).unlink()
    row = night.run()
    assert (row["status"], row["clip"]["frames"]) == ("up_to_date", 6)
    assert night.painted() == []


def test_a_plan_says_how_many_frames_and_how_much_of_the_disk(night: Night) -> None:
    manifest = load_manifest(night.project / "night.yaml")
    (row,) = plan_rows(make_plan(manifest, State(LocalStore(manifest.output))), manifest)
    assert row["notes"] == ["6 frames, which take about 0 MB of the disk"]
    assert row["seconds"] > 0


def test_an_estimator_asks_once_how_many_frames_a_clip_has(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for every waiting pair whenever a worker is free."""
    job = load_manifest(night.project / "night.yaml").pairs[0]
    asked: list[Path] = []
    monkeypatch.setattr(
        "pipeline.batch.estimates.estimator.frames_of", lambda job, reader: asked.append(job.content) or 6
    )
    estimator = Estimator(threads=1)
    assert (estimator.estimate(job), estimator.steps(job)) == (estimator.estimate(job), 6)
    assert asked == [job.content]


def test_a_clip_is_begun_where_a_frame_of_it_fits_before_the_end(night: Night) -> None:
    night.clip(30)
    night.manifest(run="{max_duration: 60s}", options="steps_per_frame: 5000")
    manifest = load_manifest(night.project / "night.yaml")
    estimate = Estimator(threads=1).estimate(manifest.pairs[0])
    assert estimate is not None
    assert estimate.least < 30 < 60 < estimate.seconds
    asked: list[str] = []
    engine = Scripted(failed("error"), asked)
    run(manifest, Selection(), Quiet(), engine=lambda settings, log: engine)
    assert asked == [OUTPUT]


@pytest.mark.parametrize("jobs", ["1", "auto"])
def test_a_deadline_that_comes_while_clips_are_looked_at_leaves_a_report(
    night: Night, monkeypatch: pytest.MonkeyPatch, jobs: str
) -> None:
    """Of clips that a pattern found; how many frames they have is asked for after the plan."""
    clock = [0.0]

    def late(*_: Any) -> None:
        clock[0] = 7200.0
        raise OutOfTime

    monkeypatch.setattr(deadline, "elapsed_clock", lambda: clock[0])
    monkeypatch.setattr(driver, "look_for_room", late)
    night.manifest(run=f"{{max_duration: 1h, jobs: {jobs}}}")
    manifest = night.project / "night.yaml"
    write_video(night.project / "input/run.mkv", shots(3))
    pair = "matrix: {content: ['*.mkv'], style: style/wave.png}, output: '{content.stem}.mkv'"
    manifest.write_text(f"{manifest.read_text().partition('  - ')[0]}  - {{{pair}}}\n")
    assert run(load_manifest(manifest), Selection(), Quiet())["run"]["exit_code"] == 10
    assert "2 not started (deadline)" in (night.project / "out/report.txt").read_text()


def test_the_time_that_a_pair_may_take_begins_anew_with_each_frame() -> None:
    engine, slot = LocalEngine.__new__(LocalEngine), SimpleNamespace(pair="p", closed=False, clock=1.0)
    slot.awake = SimpleNamespace(now=lambda: 7.0)
    for part, clock in ((False, 1.0), (True, 7.0)):
        slot.read = lambda part=part: [Saved(Position(1, "frame 1 of 2"), part=part)]
        list(engine._listen(slot))
        assert slot.clock == clock


def test_clean_takes_the_frames_of_a_clip_that_nobody_wants_any_more(night: Night) -> None:
    night.run()
    text = (night.project / "night.yaml").read_text()
    (night.project / "night.yaml").write_text(text.replace(OUTPUT, "other.mkv"))
    manifest = load_manifest(night.project / "night.yaml")
    listed = clean_output(manifest, dry_run=True).paths
    assert {night.frame(0), night.result, night.project / "out" / clip_name(OUTPUT)} <= set(listed)
    clean_output(manifest, dry_run=False)
    assert not night.frame(0).parent.exists()
    assert not night.result.exists()


def test_frames_become_old_together_with_a_retention(night: Night) -> None:
    """A clip may be at work for more nights than that."""
    night.run()
    night.manifest(run="{retention: 1d}")
    for young in (True, False):
        for number in range(5 if young else 6):
            os.utime(night.frame(number), (1, 1))
        night.run()
        assert [night.frame(number).exists() for number in range(6)] == [young] * 6


def test_the_first_frame_of_a_clip_is_painted_as_a_picture_and_once(night: Night) -> None:
    night.manifest(output="walk.png", options="frames: first")
    row = night.run()
    assert (row["status"], row["size"], row["clip"]) == ("done", [WIDTH, HEIGHT], None)
    assert (night.project / "out/walk.png").exists()
    assert night.run()["status"] == "up_to_date"
