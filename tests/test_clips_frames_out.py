"""A clip whose output is numbered frames: each a picture of its own, all of them one pair. Painted in this process, by
tests/chaos/engine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips_night_kit import HEIGHT, WIDTH, Night, shots, write_video
from PIL import Image

from pipeline.batch import frame_files
from pipeline.batch.clean import clean_output
from pipeline.batch.plan import make_plan
from pipeline.batch.selection import Selection
from pipeline.images.metadata import read_metadata
from pipeline.images.reader import Reader
from pipeline.manifest import load_manifest
from pipeline.manifest.from_picture import manifest_for_settings
from pipeline.store.disk import LocalStore
from pipeline.store.layout import record_name
from pipeline.store.output_files import files_of, runs_of
from pipeline.store.records import State
from pipeline.store.whole import PART_PREFIX

pytest.importorskip("av")
pytest.importorskip("cv2")
pytestmark = pytest.mark.slow

OUTPUT = "walk/%05d.png"


@pytest.fixture
def night(project: Path) -> Night:
    night = Night(project)
    night.manifest(OUTPUT)
    return night


def files(night: Night) -> dict[str, bytes]:
    folder = night.project / "out/walk"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}


def numbered(night: Night, name: str, numbers: Iterable[int]) -> Path:
    """Have the night's clip be three numbered frames, in a folder that is returned."""
    folder = night.project / "input/frames"
    folder.mkdir()
    for number, pixels in zip(numbers, shots(3), strict=True):
        Image.fromarray(pixels).save(folder / (name % number))
    text = (night.project / "night.yaml").read_text()
    (night.project / "night.yaml").write_text(text.replace("walk.mkv", f"frames/{name}"))
    return folder


def test_each_frame_is_a_picture_that_says_what_it_is_of(night: Night) -> None:
    row = night.run()
    assert (row["status"], row["steps"], row["clip"]["files"]) == ("done", 6, [[0, 5, 1]])
    assert list(files(night)) == [f"0000{number}.png" for number in range(6)]
    settings = read_metadata(night.project / "out/walk/00003.png")
    assert (settings["output"], settings["frame"], settings["content"]) == (OUTPUT, 3, "walk.mkv")
    with Image.open(night.project / "out/walk/00003.png") as picture:
        assert (picture.size, "icc_profile" in picture.info) == ((WIDTH, HEIGHT), True)


def test_other_dots_per_inch_are_written_and_paint_nothing_again(night: Night) -> None:
    night.run()
    night.painted()
    assert night.run("dpi=150")["status"] == "done"
    assert night.painted() == []
    with Image.open(night.project / "out/walk/00003.png") as picture:
        assert round(picture.info["dpi"][0]) == 150


def test_what_a_frame_says_makes_a_manifest_of_the_clip(night: Night) -> None:
    night.run()
    text = manifest_for_settings(read_metadata(night.project / "out/walk/00001.png"))
    assert f'output: "{OUTPUT}"' in text
    assert 'frames: "all"' in text


def test_frames_that_stand_are_up_to_date(night: Night) -> None:
    night.run()
    night.painted()
    assert night.run()["status"] == "up_to_date"
    assert night.painted() == []


@pytest.mark.parametrize("readings", [1, 4])
def test_frames_that_are_left_anywhere_end_in_the_same_bytes(night: Night, readings: int) -> None:
    night.run()
    undisturbed = files(night)
    (night.project / "out").rename(night.project / "undisturbed")
    assert night.run(stop_after=readings)["status"] == "interrupted"
    assert files(night) == {}
    assert night.run()["status"] == "done"
    assert files(night) == undisturbed


def test_a_run_that_died_while_it_wrote_them_is_gone_on_from(night: Night) -> None:
    night.run()
    whole = files(night)
    (night.project / "out" / record_name(OUTPUT)).unlink()
    (night.project / "out/walk/00004.png").unlink()
    night.painted()
    assert night.run()["status"] == "done"
    assert night.painted() == []
    assert files(night) == whole


def test_a_run_that_is_killed_while_it_writes_frames_ends_in_the_same_bytes(night: Night) -> None:
    """As the fourth is written and has no name yet."""
    night.run()
    whole = files(night)
    (night.project / "out").rename(night.project / "undisturbed")
    night.painted()
    night.killed("pipeline.store.whole:_name", "00003.png")
    named = [name for name in files(night) if not name.startswith(PART_PREFIX)]
    assert named == ["00000.png", "00001.png", "00002.png"]
    assert night.painted() == [0, 1, 2, 3, 4, 5]
    assert night.run()["status"] == "done"
    assert night.painted() == []
    assert files(night) == whole


def test_a_longer_clip_adds_files_and_touches_none(night: Night) -> None:
    night.run()
    before = files(night)
    for name in before:
        os.utime(night.project / "out/walk" / name, (1, 1))
    night.clip(9)
    night.painted()
    assert night.run()["clip"]["files"] == [[0, 8, 1]]
    assert night.painted() == [6, 7, 8]
    after = files(night)
    assert {name: after[name] for name in before} == before
    untouched = [name for name in after if os.stat(night.project / "out/walk" / name).st_mtime == 1]
    assert untouched == list(before)


def test_a_shorter_clip_leaves_no_frame_of_the_longer_one(night: Night) -> None:
    night.run()
    night.clip(4)
    night.run()
    assert list(files(night)) == [f"0000{number}.png" for number in range(4)]
    assert night.run()["status"] == "up_to_date"


def test_a_shorter_clip_leaves_no_frame_also_where_the_run_that_wrote_it_died(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody put there meanwhile stays."""
    night.run()
    write_video(night.project / "input/walk.mkv", shots(3, 4)[3:])  # another scene, in all frames
    (night.project / "out/walk/00005.png").write_bytes((night.project / "out/walk/00004.png").read_bytes())
    put = frame_files._put

    def dying(store: LocalStore, name: str, data: bytes) -> None:
        put(store, name, data)
        raise OSError(name)

    monkeypatch.setattr(frame_files, "_put", dying)
    assert night.run()["status"] == "failed"
    monkeypatch.setattr(frame_files, "_put", put)
    assert night.run()["status"] == "done"
    assert list(files(night)) == [f"0000{number}.png" for number in (0, 1, 2, 3, 5)]


@pytest.mark.parametrize(
    ("frames", "names"), [("[2, 3]", ["00002", "00003"]), ("every 2", ["00000", "00002", "00004"])]
)
def test_a_part_has_the_numbers_of_its_frames(night: Night, frames: str, names: list[str]) -> None:
    night.manifest(OUTPUT, options=f"frames: {frames}")
    night.run()
    assert list(files(night)) == [f"{name}.png" for name in names]
    assert night.run()["status"] == "up_to_date"


def test_numbered_frames_keep_their_numbers_and_gaps(night: Night) -> None:
    numbered(night, "%04d.png", (7, 8, 12))
    text = (night.project / "night.yaml").read_text()
    (night.project / "night.yaml").write_text(text.replace(f'"{OUTPUT}"', '"walk/%05d.jpg"'))
    row = night.run()
    assert row["clip"]["files"] == [[7, 8, 1], [12, 12, 1]]
    assert list(files(night)) == ["00007.jpg", "00008.jpg", "00012.jpg"]
    assert night.run()["status"] == "up_to_date"


def test_frames_whose_photograph_goes_meanwhile_keep_their_numbers(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = numbered(night, "%d.png", range(3))
    write = frame_files.write

    def late(*arguments: Any) -> tuple[str, ...]:
        (folder / "0.png").unlink()
        return write(*arguments)

    monkeypatch.setattr(frame_files, "write", late)
    assert night.run()["clip"]["files"] == [[0, 2, 1]]
    assert list(files(night)) == ["00000.png", "00001.png", "00002.png"]


def test_numbered_frames_are_decoded_once_to_know_them(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(night, "%d.png", range(3))
    asked: list[str] = []
    ask = Reader._ask

    def spy(reader: Reader, what: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        asked.append(what)
        return ask(reader, what, *arguments, **more)

    monkeypatch.setattr(Reader, "_ask", spy)
    night.run()
    assert asked.count("clip") == 1


def test_frames_can_be_of_any_format_of_pictures(night: Night) -> None:
    night.manifest("walk/%d.tif")
    night.run()
    assert list(files(night)) == [f"{number}.tif" for number in range(6)]
    with Image.open(night.project / "out/walk/2.tif") as picture:
        assert np.asarray(picture).shape == (HEIGHT, WIDTH, 3)


def test_what_somebody_made_is_not_written_over(night: Night) -> None:
    theirs = night.project / "out/walk/00002.png"
    theirs.parent.mkdir(parents=True)
    Image.new("RGB", (3, 3)).save(theirs)
    before = theirs.read_bytes()
    row = night.run()
    assert row["status"] == "failed"
    assert row["reason"].endswith("walk/00002.png was not made here; move it, change the output, or use --force")
    assert files(night) == {"00002.png": before}


def test_a_longer_clip_does_not_write_over_what_somebody_made(night: Night) -> None:
    night.run()
    theirs = night.project / "out/walk/00007.png"
    theirs.write_text("mine")
    assert night.run()["status"] == "up_to_date"
    night.clip(9)
    assert "00007.png was not made here" in night.run()["reason"]
    assert theirs.read_text() == "mine"


@pytest.mark.parametrize("what", ["gone", "retouched"])
def test_a_frame_that_was_changed_is_written_again_or_kept_as_somebodys(night: Night, what: str) -> None:
    night.run()
    whole, frame = files(night), night.project / "out/walk/00001.png"
    if what == "gone":
        frame.unlink()
        assert night.run()["status"] == "done"
        assert files(night) == whole
    else:
        Image.open(frame).convert("RGB").save(frame)  # which says nothing of us any more
        assert "00001.png was not made here" in night.run()["reason"]


def test_force_writes_over_everything(night: Night) -> None:
    night.run()
    whole, frame = files(night), night.project / "out/walk/00001.png"
    frame.write_text("mine")
    manifest = load_manifest(night.project / "night.yaml")
    (pair,) = make_plan(manifest, State(LocalStore(manifest.output)), Selection(force=True)).pairs
    assert (pair.action, pair.reason) == ("paint", "forced")
    frame.unlink()
    night.run()
    assert files(night) == whole


def test_clean_takes_the_frames_of_a_clip_that_nobody_wants(night: Night) -> None:
    night.run()
    (night.project / "out/walk/00099.png").write_text("mine")
    night.manifest("another.mkv")
    clean_output(load_manifest(night.project / "night.yaml"), dry_run=False)
    assert list(files(night)) == ["00099.png"]


def test_clean_leaves_frames_of_which_one_was_changed(night: Night) -> None:
    night.run()
    (night.project / "out/walk/00003.png").write_text("mine")
    night.manifest("another.mkv")
    clean_output(load_manifest(night.project / "night.yaml"), dry_run=False)
    assert len(files(night)) == 6


def test_numbers_are_told_as_runs_and_read_back() -> None:
    assert runs_of([0, 1, 2, 3]) == [[0, 3, 1]]
    assert runs_of([5]) == [[5, 5, 1]]
    assert runs_of([0, 2, 4, 9, 10]) == [[0, 4, 2], [9, 10, 1]]
    for numbers in ([3, 9, 10, 11, 13, 15, 17], [1, 4, 5]):
        names = files_of("a/%02d.png", {"files": runs_of(numbers)})
        assert names == [f"a/{number:02d}.png" for number in numbers]


@pytest.mark.parametrize("files", [None, [[0, 10**9, 1]], [[5, 1, 1]], [[0, 3, 0]], [["0", 3, 1]], [[0.0, 3, 1]]])
def test_numbers_that_somebody_else_wrote_name_no_files(files: object) -> None:
    assert files_of("a/%02d.png", {"files": files}) == []
