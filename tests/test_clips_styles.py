"""Styles that change along a clip, in a night: painted where they change, recorded, and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clips_night_kit import OUTPUT, Night
from PIL import Image

from pipeline.batch.plan import make_plan
from pipeline.cli.rendering import plan_rows
from pipeline.clips.reading import clip_settings
from pipeline.manifest import load_manifest
from pipeline.manifest.from_picture import manifest_for_settings
from pipeline.store.disk import LocalStore
from pipeline.store.layout import frame_name
from pipeline.store.records import State

pytest.importorskip("av")
pytest.importorskip("cv2")
pytestmark = pytest.mark.slow

CHANGE = "{0: style/wave.png, 3: style/night.png}"


@pytest.fixture
def night(project: Path) -> Night:
    Image.new("RGB", (48, 40), (200, 10, 90)).save(project / "input/style/night.png")
    return Night(project)


def run(night: Night, styles: str) -> dict[str, Any]:
    night.manifest()
    text = (night.project / "night.yaml").read_text()
    (night.project / "night.yaml").write_text(text.replace("style: style/wave.png", styles))
    return night.run()


def pixels(night: Night, number: int) -> bytes:
    with Image.open(night.project / "out" / frame_name(OUTPUT, number)) as frame:
        return frame.tobytes()


def test_a_clip_whose_styles_change_is_painted_and_told(night: Night) -> None:
    row = run(night, f"style_at: {CHANGE}")
    assert (row["status"], row["style"]) == ("done", ["style/wave.png", "style/night.png"])
    assert (row["style_at"], row["style_shares"]) == ({"0": [1.0, 0.0], "3": [0.0, 1.0]}, [0.5, 0.5])
    assert night.run()["status"] == "up_to_date"
    text = manifest_for_settings(clip_settings(night.result))
    assert "style_at:" in text
    assert text.index('"0":') < text.index("style/wave.png") < text.index('"3":') < text.index("style/night.png")


def test_the_first_frame_is_that_of_a_clip_with_its_style_alone(night: Night) -> None:
    run(night, f"style_at: {CHANGE}")
    changed = [pixels(night, number) for number in (0, 1)]
    run(night, "style: style/wave.png")
    alone = [pixels(night, number) for number in (0, 1)]
    assert [one == other for one, other in zip(changed, alone, strict=True)] == [True, False]


def test_only_frames_whose_shares_changed_are_painted_again(night: Night) -> None:
    run(night, f"style_at: {CHANGE}")
    night.painted()
    row = run(night, "style_at: {0: style/wave.png, 3: style/night.png, 5: style/wave.png}")
    assert night.painted() == [4, 5]
    assert row["style_at"]["5"] == [1.0, 0.0]


def test_a_plan_tells_at_which_frames_and_that_they_are_others(night: Night) -> None:
    run(night, f"style_at: {CHANGE}")
    text = (night.project / "night.yaml").read_text()
    (night.project / "night.yaml").write_text(text.replace("3: style", "2: style"))
    manifest = load_manifest(night.project / "night.yaml")
    (row,) = plan_rows(make_plan(manifest, State(LocalStore(manifest.output))), manifest)
    assert row["reason"] == "style_at is another"
    assert row["notes"][-1] == "styles at frames 0, 2"
