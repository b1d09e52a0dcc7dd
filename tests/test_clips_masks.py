"""Masks of a clip: one for all frames, or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from clips_night_kit import HEIGHT, WIDTH, Night, shots
from PIL import Image

from pipeline.batch.plan import make_plan
from pipeline.clips.listing import mask_frames
from pipeline.errors import BadImage, ManifestError
from pipeline.images.masks import mask_from_levels
from pipeline.images.metadata import read_metadata
from pipeline.manifest import load_manifest
from pipeline.regions import never_nothing, regions_of
from pipeline.store.disk import LocalStore
from pipeline.store.layout import frame_name
from pipeline.store.records import State

pytest.importorskip("av")
pytest.importorskip("cv2")
pytestmark = pytest.mark.slow

OUTPUT = "walk--wave.mkv"
MANIFEST = """\
version: 1
input: input
output: out
defaults: {{size: 64, steps: 3, weights: random, style_loss: gram}}
pairs:
  - content: {content}
    style: {style}
    output: walk--wave.mkv
{more}"""


def write_masks(folder: Path, numbers: Sequence[int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Masks whose white part grows by two columns a frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, number in enumerate(numbers):
        levels = np.zeros((size[1], size[0]), np.uint8)
        levels[:, : 10 + 2 * place] = 255
        Image.fromarray(levels).save(folder / f"{number:04d}.png")


@pytest.fixture
def night(project: Path) -> Night:
    return Night(project)


def manifest(
    night: Night, mask: str = "masks/%04d.png", content: str = "walk.mkv", more: str = "", style: str = ""
) -> None:
    style = style or f'[{{image: style/wave.png, mask: "{mask}"}}]'
    (night.project / "night.yaml").write_text(MANIFEST.format(content=content, style=style, more=more))


def why(night: Night) -> str:
    """Why a plan cannot have the clip painted."""
    loaded = load_manifest(night.project / "night.yaml")
    (pair,) = make_plan(loaded, State(LocalStore(loaded.output))).pairs
    assert pair.action == "fail"
    return pair.reason


@pytest.mark.parametrize("first", [0, 7])
def test_masks_of_a_video_count_in_their_order(night: Night, first: int) -> None:
    write_masks(night.project / "input/masks", range(first, first + 6))
    manifest(night)
    row = night.run()
    assert (row["status"], row["masks"]) == ("done", {"mask": {"0": "masks/%04d.png"}})
    assert night.run()["status"] == "up_to_date"


def test_another_mask_repaints_its_frame_and_those_that_follow_it(night: Night) -> None:
    night.clip(3, 3)
    write_masks(night.project / "input/masks", range(6))
    manifest(night)
    night.run()
    night.painted()
    Image.new("L", (WIDTH, HEIGHT), 99).save(night.project / "input/masks/0001.png")
    night.run()
    assert night.painted() == [1, 2]


def test_a_longer_clip_with_more_masks_paints_what_is_new_alone(night: Night) -> None:
    write_masks(night.project / "input/masks", range(6))
    manifest(night)
    night.run()
    night.painted()
    night.clip(8)
    write_masks(night.project / "input/masks", range(8))
    night.run()
    assert night.painted() == [6, 7]


def test_one_mask_is_that_of_every_frame(night: Night) -> None:
    write_masks(night.project / "input/masks", [5])
    manifest(night, "masks/0005.png")
    assert night.run()["status"] == "done"
    keys = {read_metadata(night.project / "out" / frame_name(OUTPUT, number))["key"] for number in range(6)}
    assert len(keys) == 6
    night.painted()
    Image.new("L", (WIDTH, HEIGHT), 99).save(night.project / "input/masks/0005.png")
    night.run()
    assert night.painted() == [0, 1, 2, 3, 4, 5]


def test_masks_of_numbered_frames_have_their_numbers(night: Night) -> None:
    frames = night.project / "input/frames"
    frames.mkdir()
    for number, pixels in zip((4, 5, 9), shots(3), strict=True):
        Image.fromarray(pixels).save(frames / f"{number:04d}.png")
    write_masks(night.project / "input/masks", range(12))
    manifest(night, content="frames/%04d.png")
    assert night.run()["status"] == "done"
    found = mask_frames(night.project / "input/masks/%04d.png", frames / "%04d.png", 3)
    assert [Path(each).name for each in found] == ["0004.png", "0005.png", "0009.png"]
    (night.project / "input/masks/0005.png").unlink()
    assert why(night).endswith("has no mask for frame 5; a mask has the number of its frame")


def test_the_contents_mask_and_a_map_of_regions_may_be_one_for_each_frame(night: Night) -> None:
    write_masks(night.project / "input/masks", range(6))
    for style, more in (
        ("style/wave.png", "    content_mask: masks/%04d.png\n"),
        ("style/wave.png", "    regions: {content: masks/%04d.png, style: style/wave-map.png}\n"),
    ):
        with Image.open(night.project / "input/style/wave.png") as wave:
            Image.new("RGB", wave.size, "white").save(night.project / "input/style/wave-map.png")
        manifest(night, style=style, more=more)
        assert night.run()["status"] == "done"
        assert len(night.painted()) == 6


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        (range(5), "finds 5 masks, and walk.mkv has 6 frames; give one for each"),
        (range(7), "finds 7 masks, and walk.mkv has 6 frames; give one for each"),
        ([0, 1, 2, 4, 5, 6], "has no mask 3; there has to be one for each frame, without a gap"),
        ([], "finds no frames; check the pattern (%04d stands for 0001, 0002 and so on)"),
    ],
)
def test_a_clip_without_a_mask_for_each_frame_is_told_before_it_is_painted(
    night: Night, numbers: Sequence[int], told: str
) -> None:
    write_masks(night.project / "input/masks", numbers)
    manifest(night)
    assert why(night).endswith(told)
    assert "night.yaml:7:43: " in why(night)


def test_masks_of_another_shape_or_of_two_are_told_before_a_clip_is_painted(night: Night) -> None:
    write_masks(night.project / "input/masks", range(6), (40, 40))
    manifest(night)
    assert "night.yaml:7:43: mask %04d.png is 40x40 pixels and walk.mkv 64x48" in why(night)
    write_masks(night.project / "input/masks", range(6))
    Image.new("L", (40, 40)).save(night.project / "input/masks/0003.png")
    assert "0003.png is 40x40 pixels and the first frame 64x48; frames must have one size" in why(night)


@pytest.mark.parametrize(
    ("style", "more", "content", "told"),
    [
        ("[{image: style/wave.png, mask: {style: masks/%04d.png}}]", "", "walk.mkv", "a style is one picture"),
        ('[{image: style/wave.png, mask: "masks/%04d.png"}]', "", "content/a.png", "and this is one picture"),
        (
            "style/wave.png",
            "    content_mask: walk.mp4\n",
            "walk.mkv",
            "'walk.mp4' is a video; masks of a clip are numbered",
        ),
    ],
)
def test_masks_that_cannot_be_are_told_by_the_manifest(
    night: Night, style: str, more: str, content: str, told: str
) -> None:
    manifest(night, content=content, style=style, more=more)
    if content.endswith(".png"):
        text = (night.project / "night.yaml").read_text()
        (night.project / "night.yaml").write_text(text.replace(OUTPUT, "a.png"))
    with pytest.raises(ManifestError) as error:
        load_manifest(night.project / "night.yaml")
    assert told in error.value.problems[0].message


def test_where_a_style_has_left_the_picture_the_photograph_stays() -> None:
    black, white = (mask_from_levels(np.full((4, 4), level, np.float32), "m") for level in (0, 1))
    (region,) = never_nothing(regions_of([(black, None)], [1.0]))
    assert region.mask is not None
    assert region.mask.levels.max() == pytest.approx(1 / 255)
    both = regions_of([(black, None), (white, None)], [1.0, 1.0])
    assert never_nothing(both) == both


def test_masks_are_told_by_their_names_alone(tmp_path: Path) -> None:
    for number in (3, 4):
        (tmp_path / f"{number}.png").touch()
    assert len(mask_frames(tmp_path / "%d.png", "clip.mp4", 2)) == 2
    assert len(mask_frames(tmp_path / "%d.png", "clip.mp4", 1, damaged=True)) == 1
    with pytest.raises(BadImage, match=r"finds 2 masks, and clip\.mp4 has 1,000 frames"):
        mask_frames(tmp_path / "%d.png", "clip.mp4", 1000)
