"""Clips that come out of a bucket and go into one, painted in milliseconds in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clips_night_kit import shots, write_video
from night_kit import rehearsed_here
from object_kit import BUCKET, S3, Web
from PIL import Image

from pipeline.batch.driver import run
from pipeline.batch.plan import make_plan
from pipeline.batch.selection import Selection
from pipeline.cli.console import Quiet
from pipeline.clips.reading import clip_facts
from pipeline.manifest import load_manifest
from pipeline.store.records import State
from pipeline.store.store import output_store

pytest.importorskip("av")
pytest.importorskip("cv2")
pytestmark = pytest.mark.slow


class Clips:
    """Nights over one clip of a bucket."""

    def __init__(self, project: Path, s3: S3) -> None:
        self.project, self.s3 = project, s3
        (project / "rehearsal/faults").mkdir(parents=True)
        s3.put_folder(project / "input", "in")

    def manifest(self, content: str, source: str = f"s3://{BUCKET}/in", output: str = "walk.mkv") -> None:
        (self.project / "night.yaml").write_text(
            f"version: 1\ninput: {source}\noutput: s3://{BUCKET}/out\n"
            "defaults: {size: 64, steps: 3, weights: random, style_loss: gram}\n"
            f"pairs: [{{content: '{content}', style: 's3://{BUCKET}/in/style/wave.png', output: {output}}}]\n"
        )

    def run(self) -> dict[str, Any]:
        engine = rehearsed_here(self.project / "rehearsal")
        manifest = load_manifest(self.project / "night.yaml")
        (row,) = run(manifest, Selection(), Quiet(), engine=lambda settings, log: engine)["pairs"]
        return dict(row)


@pytest.fixture
def clips(project: Path, s3: S3) -> Clips:
    return Clips(project, s3)


def test_a_clip_comes_from_a_bucket_and_goes_into_it(clips, s3, tmp_path):
    write_video(tmp_path / "walk.mkv", shots(3))
    s3.put("in/walk.mkv", (tmp_path / "walk.mkv").read_bytes())
    clips.manifest("walk.mkv")
    assert clips.run()["status"] == "done"
    (tmp_path / "there.mkv").write_bytes(s3.get("out/walk.mkv"))
    assert clip_facts(tmp_path / "there.mkv").frames == 3
    assert clips.run()["status"] == "up_to_date"


def test_numbered_frames_are_those_that_are_there_now(clips, s3):
    for number, pixels in enumerate(shots(4)):
        path = clips.project / f"{number}.png"
        Image.fromarray(pixels).save(path)
        s3.put(f"in/frames/{number:04}.png", path.read_bytes())
    clips.manifest("frames/%04d.png")
    row = clips.run()
    assert (row["status"], row["steps"], row["content"]) == ("done", 4, "frames/%04d.png")
    assert clips.run()["status"] == "up_to_date"
    s3.delete("in/frames/0003.png")
    row = clips.run()
    assert (row["status"], row["steps"]) == ("done", 3)


def test_numbered_frames_that_are_nowhere_or_cannot_be_listed_are_told_in_a_line(clips, web: Web):
    for source in (f"s3://{BUCKET}/in", web.url):
        clips.manifest("frames/%04d.png", source)
        manifest = load_manifest(clips.project / "night.yaml")
        (pair,) = make_plan(manifest, State(output_store(manifest))).pairs
        assert (pair.action, f"there is no picture {source}/frames/%04d.png" in pair.reason) == ("fail", True)
