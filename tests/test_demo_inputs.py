"""The pictures that are shipped with the project: small, whole, and of known origin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

INPUT = Path(__file__).resolve().parent.parent / "input"
# What is in the repository; a user's own photographs beside it are nobody's business.
TRACKED = subprocess.run(["git", "ls-files", "-z"], cwd=INPUT, capture_output=True, text=True, check=True).stdout.split(
    "\0"
)
FILES = sorted(INPUT / name for name in TRACKED if name and name != "SOURCES.md")
PICTURES = [p for p in FILES if p.suffix != ".py"]
PAINTED = [p for p in PICTURES if p.parent.name != "masks"]
MASKS = [p for p in PICTURES if p.parent.name == "masks"]
MOST_BYTES = 150_000  # of one picture: all of them together stay about a megabyte of every clone

each_picture = pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)


def test_there_are_photographs_and_style_pictures() -> None:
    assert {p.name for p in PICTURES} >= {"astronaut.jpg", "coffee.jpg", "cat.jpg"}
    assert {p.name for p in PICTURES} >= {"starry-flow.jpg", "stained-glass.jpg", "ink-waves.jpg", "palette-knife.jpg"}
    assert "pen-hatching.jpg" in {p.name for p in PICTURES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_named_in_the_list_of_sources(path: Path) -> None:
    sources = (INPUT / "SOURCES.md").read_text(encoding="utf-8")
    assert f"`{path.relative_to(INPUT).as_posix()}`" in sources


@each_picture
def test_every_picture_is_smaller_than_150_kilobytes(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("path", PAINTED, ids=lambda path: path.name)
def test_every_picture_is_a_whole_colour_jpeg_of_at_most_800_pixels(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()  # raises for a file that was cut off
        assert (picture.format, picture.mode) == ("JPEG", "RGB")
        assert min(picture.size) >= 300
        assert max(picture.size) <= 800


@pytest.mark.slow
@pytest.mark.parametrize("path", MASKS, ids=lambda path: path.name)
def test_every_mask_has_the_shape_of_its_picture_and_is_drawn_again_byte_for_byte(path: Path, tmp_path: Path) -> None:
    of = next(p for p in PAINTED if path.stem.startswith(p.stem))
    with Image.open(path) as mask, Image.open(of) as picture:
        mask.load()
        assert abs(mask.width / mask.height - picture.width / picture.height) < 0.01
    done = subprocess.run([sys.executable, INPUT / "make_masks.py", tmp_path], check=False)
    assert done.returncode == 0
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@each_picture
def test_no_picture_carries_metadata_of_a_camera(path: Path) -> None:
    with Image.open(path) as picture:
        assert not picture.getexif()
        assert not {"exif", "xmp", "comment", "photoshop", "icc_profile"} & set(picture.info)
