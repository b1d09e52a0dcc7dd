"""The pictures that are shipped with the project: small, whole, and of known origin."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

INPUT = Path(__file__).resolve().parent.parent / "input"
FILES = sorted(p for p in INPUT.rglob("*") if p.is_file() and "__pycache__" not in p.parts and p.name != "SOURCES.md")
PICTURES = [p for p in FILES if p.suffix != ".py"]


def name(path: Path) -> str:
    return path.relative_to(INPUT).as_posix()


def test_there_are_photographs_and_style_pictures() -> None:
    folders = [p.parent.name for p in PICTURES]
    assert folders.count("content") >= 3
    assert folders.count("style") >= 4


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_file_is_named_in_the_list_of_sources(path: Path) -> None:
    assert f"`{name(path)}`" in (INPUT / "SOURCES.md").read_text(encoding="utf-8").replace("`input/", "`")


@pytest.mark.parametrize("path", PICTURES, ids=name)
def test_every_picture_is_smaller_than_150_kilobytes(path: Path) -> None:
    assert path.stat().st_size < 150_000


@pytest.mark.parametrize("path", PICTURES, ids=name)
def test_every_picture_is_a_whole_colour_jpeg_of_300_to_800_pixels(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()  # raises for a file that was cut off
        assert (picture.format, picture.mode) == ("JPEG", "RGB")
        assert min(picture.size) >= 300
        assert max(picture.size) <= 800


@pytest.mark.parametrize("path", PICTURES, ids=name)
def test_no_picture_carries_metadata_of_a_camera(path: Path) -> None:
    with Image.open(path) as picture:
        assert not picture.getexif()
        assert "comment" not in picture.info
