"""Clips that are written: times, colours, sound, subtitles and chapters as they were; the same bytes each time."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

import av
from clip_kit import HEIGHT, RATE, WIDTH, clip_frames, packets, picture, stored, write_video
from PIL import Image, ImageSequence

from pipeline.clips.container import PACKAGES
from pipeline.clips.frame import WHOLE, ClipFrame, Span
from pipeline.clips.reading import clip_facts, clip_settings, read_frames
from pipeline.clips.writing import SUFFIXES, write_clip
from pipeline.errors import BadImage, EnvironmentProblem, PairError

VIDEOS = (".mp4", ".mov", ".mkv", ".webm")
ANIMATIONS = (".gif", ".webp", ".apng", ".png")


def written(
    path: Path, frames, *, quality: int = 90, rate: Fraction | None = Fraction(RATE), **more
) -> tuple[str, ...]:
    with path.open("w+b") as file:
        return write_clip(file, path.suffix, frames, quality=quality, rate=rate, **more)


def test_every_kind_of_clip_can_be_written():
    assert set(SUFFIXES) == {*VIDEOS, *ANIMATIONS}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_frames_come_back_as_they_were_written(tmp_path, suffix):
    """Exactly where nothing is lost, within 4 grey levels on the average elsewhere, within 8 in 255 colours."""
    path = tmp_path / f"a{suffix}"
    assert written(path, iter(clip_frames(8))) == ()
    facts = clip_facts(path)
    assert (facts.size, facts.frames, facts.rate, facts.has_alpha) == ((WIDTH, HEIGHT), 8, Fraction(RATE), False)
    allowed = {".mkv": 0, ".apng": 0, ".png": 0, ".gif": 8}.get(suffix, 4)
    for number, frame in enumerate(read_frames(path)):
        assert frame.time == Fraction(number, RATE)
        assert frame.duration == Fraction(1, RATE)
        assert np.abs(frame.pixels.astype(int) - picture(number)).mean() <= allowed


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_frames_and_settings_give_the_same_bytes(tmp_path, suffix):
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        written(path, clip_frames(8), settings={"seed": 7})
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", VIDEOS)
def test_bytes_do_not_depend_on_what_the_memory_held_before(suffix):
    """As of a process that painted: the C library fills what it hands out (mallopt(3), M_PERTURB). 48 x 36 px, of which x264
    read more than it had written, on processors with AVX-512."""
    code = """
import hashlib, io, sys
import numpy as np
from fractions import Fraction
from PIL import Image
from pipeline.clips.frame import ClipFrame
from pipeline.clips.writing import write_clip
wide = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 10, 3), np.uint8)).resize((68, 36))
frames = [ClipFrame(n, Fraction(n, 10), Fraction(1, 10), np.asarray(wide)[:, 2 * n : 2 * n + 48]) for n in range(5)]
file = io.BytesIO()
write_clip(file, sys.argv[1], frames, quality=95, rate=Fraction(10))
print(hashlib.sha256(file.getvalue()).hexdigest())"""
    found = {
        subprocess.run(
            [sys.executable, "-c", code, suffix],
            env=os.environ | {"MALLOC_PERTURB_": filling},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for filling in ("0", "85", "170")
    }
    assert len(found) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_settings_are_read_back(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    settings = {"preset": "balanced", "meta": {"title": 'ü "<b>" & c', "list": [1, 2.5, None]}, "long": "x" * 3000}
    written(path, clip_frames(3), settings=settings)
    assert clip_settings(path) == settings


@pytest.mark.parametrize("suffix", VIDEOS)
def test_a_video_of_others_holds_no_settings(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    written(path, clip_frames(3))
    with pytest.raises(BadImage, match="holds no settings; it was not made by stylize"):
        clip_settings(path)


@pytest.mark.parametrize(
    ("suffix", "size"), [(".mp4", (72, 54)), (".webm", (72, 54)), (".mkv", (71, 53)), (".gif", (71, 53))]
)
def test_odd_sides_are_made_even_by_the_last_row_and_column_where_colour_is_halved(tmp_path, suffix, size):
    path = tmp_path / f"a{suffix}"
    written(path, clip_frames(4, width=71, height=53))
    frame = next(read_frames(path))
    assert frame.size == size
    assert np.abs(frame.pixels[:53, :71].astype(int) - picture(0, 71, 53)).mean() < 8
    if size == (72, 54):
        assert np.abs(frame.pixels[:, 71].astype(int) - frame.pixels[:, 70]).mean() < 4
        assert np.abs(frame.pixels[53].astype(int) - frame.pixels[52]).mean() < 4


def test_colours_are_tagged_so_that_others_read_them_alike(tmp_path):
    for suffix in (".mp4", ".mov", ".webm"):
        path = tmp_path / f"a{suffix}"
        written(path, clip_frames(3))
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (1, 1, 1, 1), suffix


def test_quality_decides_how_near_the_frames_are_and_how_large_the_file():
    sizes = []
    for quality in (30, 60, 90):
        file = io.BytesIO()
        write_clip(file, ".mp4", clip_frames(8, width=128, height=96), quality=quality, rate=Fraction(RATE))
        sizes.append(len(file.getvalue()))
    assert sizes == sorted(sizes)
    assert sizes[2] > 1.5 * sizes[0]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".gif", ".webp", ".apng"])
def test_a_variable_rate_keeps_every_time_as_far_as_the_format_has_it(tmp_path, suffix):
    times = [Fraction(0), Fraction(1, 30), Fraction(1, 10), Fraction(1, 2), Fraction(11, 20), Fraction(9, 10)]
    frames = [ClipFrame(k, at, end - at, picture(k)) for k, (at, end) in enumerate(pairwise(times))]
    path = tmp_path / f"a{suffix}"
    written(path, frames, rate=None)
    unit = {".mp4": 0, ".mov": 0, ".apng": 0, ".gif": Fraction(1, 100)}.get(suffix, Fraction(1, 1000))
    facts, read = clip_facts(path), list(read_frames(path))
    assert facts.rate is None
    assert [frame.time for frame in read] == pytest.approx(times[:-1], abs=float(unit / 2 + Fraction(1, 10**9)))
    if suffix != ".webm":  # which has no place for the length of the last frame
        assert facts.seconds == pytest.approx(0.9, abs=float(unit) + 1e-6)


def test_rates_of_television_are_kept_exactly(tmp_path):
    rate = Fraction(30_000, 1001)
    frames = [ClipFrame(k, k / rate, 1 / rate, picture(k)) for k in range(12)]
    for suffix in (".mp4", ".mkv", ".webm"):
        written(tmp_path / f"a{suffix}", frames, rate=rate)
        assert clip_facts(tmp_path / f"a{suffix}").rate == rate


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_the_index_stands_first_so_that_a_page_plays_while_it_loads(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    written(path, clip_frames(30))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert len(list(read_frames(path))) == 30


# --------------------------------------------------------------------------------------------- opacity


def _fading(count: int = 4) -> list[ClipFrame]:
    alpha = np.tile(np.linspace(0, 255, WIDTH), (HEIGHT, 1)).astype(np.uint8)
    return [
        ClipFrame(k, Fraction(k, RATE), Fraction(1, RATE), picture(k), None if k == 0 else np.roll(alpha, 3 * k, 1))
        for k in range(count)
    ]


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".gif", ".webp", ".apng"])
def test_opacity_is_kept_where_the_format_has_it(tmp_path, suffix):
    path, frames = tmp_path / f"a{suffix}", _fading()
    written(path, frames, has_alpha=True)
    assert clip_facts(path).has_alpha
    for frame, read in zip(frames, read_frames(path), strict=True):
        alpha = np.full((HEIGHT, WIDTH), 255) if read.alpha is None else read.alpha.astype(int)
        expected = np.full((HEIGHT, WIDTH), 255) if frame.alpha is None else frame.alpha.astype(int)
        if suffix == ".gif":  # seen, or not
            expected = np.where(expected >= 128, 255, 0)
        assert np.abs(alpha - expected).mean() <= {".webm": 6}.get(suffix, 0)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_opacity_is_laid_over_white_where_the_format_has_none(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    hidden = [
        ClipFrame(k, Fraction(k, RATE), Fraction(1, RATE), picture(k), np.zeros((HEIGHT, WIDTH), np.uint8))
        for k in (0, 1)
    ]
    written(path, hidden, has_alpha=True)
    assert next(read_frames(path)).pixels.min() > 250


# -------------------------------------------------------------------- sound, subtitles, chapters, spans

_CHAPTERS = [(0.0, 0.6, "one"), (0.6, 1.6, "two")]


def _source(path: Path, sound: str | None = "aac", **more) -> Path:
    muxer = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}[path.suffix]
    codec = "libvpx" if muxer == "webm" else "libx264"
    frames = [stored(picture(k), "yuv420p") for k in range(40)]
    return write_video(path, frames, codec=codec, muxer=muxer, sound=sound, chapters=_CHAPTERS, **more)


@pytest.mark.parametrize(
    ("source", "sound", "suffix"),
    [
        ("a.mp4", "aac", ".mp4"),
        ("a.mp4", "aac", ".mov"),
        ("a.mp4", "aac", ".mkv"),
        ("a.mkv", "libopus", ".webm"),
        ("a.mkv", "libopus", ".mp4"),
        ("a.mkv", "libopus", ".mkv"),
        ("a.mkv", "flac", ".mkv"),
        ("a.mkv", "ac3", ".mkv"),
        ("a.mkv", "ac3", ".mp4"),
        ("a.mkv", "libmp3lame", ".mkv"),
        ("a.mkv", "flac", ".mp4"),
        ("a.mov", "pcm_s16le", ".mov"),
        ("a.mov", "pcm_s16le", ".mkv"),
        ("a.mp4", "libmp3lame", ".mp4"),
    ],
)
def test_sound_is_copied_bit_by_bit_and_stays_with_the_pictures(tmp_path, source, sound, suffix):
    source, path = _source(tmp_path / source, sound), tmp_path / f"out{suffix}"
    assert written(path, read_frames(source), sound_of=source) == ()
    before, after = packets(source, "audio"), packets(path, "audio")
    assert b"".join(data for *_, data in after) == b"".join(data for *_, data in before)
    late = packets(path, "video")[0][0] - packets(source, "video")[0][0]
    # Matroska counts in milliseconds.
    assert float(after[3][0] - before[3][0] - late) == pytest.approx(0, abs=0.002)
    assert clip_facts(path).has_sound


def test_sound_that_begins_before_the_pictures_still_does(tmp_path):
    times = [Fraction(1, 2) + Fraction(k, RATE) for k in range(20)]
    frames = [stored(picture(k), "yuv420p") for k in range(20)]
    source = write_video(tmp_path / "a.mp4", frames, codec="libx264", muxer="mp4", times=times, sound="aac")
    written(tmp_path / "b.mp4", read_frames(source), sound_of=source)
    assert next(read_frames(tmp_path / "b.mp4")).time == Fraction(1, 2)
    assert packets(tmp_path / "b.mp4", "audio") == packets(source, "audio")


def test_sound_that_lasts_longer_than_the_pictures_is_kept_to_its_end(tmp_path):
    source = _source(tmp_path / "a.mp4")
    written(tmp_path / "b.mp4", list(read_frames(source))[:10], sound_of=source)
    assert len(packets(tmp_path / "b.mp4", "audio")) == len(packets(source, "audio"))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_of_a_part_of_a_clip_the_sound_of_that_part_is_kept(tmp_path, suffix):
    source, path = _source(tmp_path / "a.mp4"), tmp_path / f"out{suffix}"
    kept = [frame for frame in read_frames(source) if 10 <= frame.number < 30]
    written(path, kept, sound_of=source, span=Span(kept[0].time, kept[-1].end))
    assert [frame.time for frame in read_frames(path)][:2] == [0, Fraction(1, RATE)]
    part = [data for time, _, data in packets(source, "audio") if Fraction(10, RATE) <= time < Fraction(30, RATE)]
    after = packets(path, "audio")
    assert [data for *_, data in after] == part
    assert 0 <= after[0][0] < Fraction(1, 40)  # as the next packet of the sound begins
    with av.open(str(path)) as container:
        chapters = [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"])) for c in container.chapters()
        ]
        assert [c["metadata"]["title"] for c in container.chapters()] == ["one", "two"]
    assert chapters == [pytest.approx((0.0, 0.2)), pytest.approx((0.2, 0.8))]


def test_chapters_stay_where_they_were(tmp_path):
    source = _source(tmp_path / "a.mp4")
    for suffix in VIDEOS:
        written(tmp_path / f"b{suffix}", read_frames(source), sound_of=source)
        with av.open(str(tmp_path / f"b{suffix}")) as container:
            found = [
                (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"]["title"])
                for c in container.chapters()
            ]
        assert found == _CHAPTERS, suffix


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_subtitles_are_copied_with_their_times(tmp_path, name):
    spoken = [(0.2, 0.5, "Good evening"), (0.8, 1.2, "and good night")]
    source = _source(tmp_path / name, subtitles=spoken)
    path = tmp_path / f"out{Path(name).suffix}"
    assert written(path, read_frames(source), sound_of=source) == ()
    found = {(float(time), float(lasting), data) for time, lasting, data in packets(path, "subtitle") if len(data) > 2}
    expected = {
        (float(time), float(lasting), data) for time, lasting, data in packets(source, "subtitle") if len(data) > 2
    }
    assert found == expected
    assert len(found) == 2


def test_sound_out_of_order_does_not_cost_the_clip(tmp_path):
    """The times of two blocks of sound exchanged: the later one, which now comes first, is kept."""
    source = _source(tmp_path / "a.mkv", "libopus")
    data = bytearray(source.read_bytes())
    blocks = list(re.finditer(rb"\xa3(?:[\x81-\xff]|[\x40-\x7f].)\x82(..)\x80", bytes(data), re.DOTALL))
    one, two = blocks[20].span(1), blocks[21].span(1)
    data[slice(*one)], data[slice(*two)] = data[slice(*two)], data[slice(*one)]
    source.write_bytes(data)
    for suffix in (".mkv", ".mp4"):
        assert written(tmp_path / f"b{suffix}", read_frames(source), sound_of=source) == ()
        assert len(packets(tmp_path / f"b{suffix}", "audio")) == len(packets(source, "audio")) - 1


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_of_a_clip_that_is_cut_off_the_good_frames_are_written_with_their_sound(tmp_path, share):
    source = _source(tmp_path / "a.mp4", container={"movflags": "faststart"})
    source.write_bytes(source.read_bytes()[: int(source.stat().st_size * share)])
    facts = clip_facts(source)
    assert 0 < facts.frames < 40
    kept = list(islice(read_frames(source), facts.frames))
    written(tmp_path / "b.mp4", kept, sound_of=source, span=Span(None, kept[-1].end))
    assert clip_facts(tmp_path / "b.mp4").frames == facts.frames
    assert len(packets(tmp_path / "b.mp4", "audio")) > 3


def test_what_a_container_cannot_hold_is_told_and_left_out(tmp_path):
    source = _source(tmp_path / "a.mp4")
    (note,) = written(tmp_path / "b.webm", read_frames(source), sound_of=source)
    assert note == (
        "its sound (aac) cannot stand in a .webm without a new encoding and was left out; .mkv holds all kinds"
    )
    assert clip_facts(tmp_path / "b.webm").frames == 40
    spoken = _source(tmp_path / "c.mkv", sound=None, subtitles=[(0.1, 0.4, "Hm")])
    (note,) = written(tmp_path / "d.mp4", read_frames(spoken), sound_of=spoken)
    assert note.startswith("its subtitles (subrip) cannot stand in a .mp4")
    spoken = _source(tmp_path / "e.mp4", sound=None, subtitles=[(0.1, 0.4, "Hm")])
    (note,) = written(tmp_path / "f.mkv", read_frames(spoken), sound_of=spoken)
    assert note.endswith("and were left out")  # and not: .mkv holds all kinds


@pytest.mark.parametrize("suffix", ANIMATIONS)
def test_an_animation_says_that_it_has_no_sound(tmp_path, suffix):
    source = _source(tmp_path / "a.mp4")
    (note,) = written(tmp_path / f"b{suffix}", list(read_frames(source))[:3], sound_of=source)
    assert note == f"a {suffix} has no sound; its sound was left out"


def test_a_clip_without_sound_is_copied_without_a_word(tmp_path):
    source = _source(tmp_path / "a.mkv", sound=None)
    assert written(tmp_path / "b.mp4", read_frames(source), sound_of=source) == ()
    assert not clip_facts(tmp_path / "b.mp4").has_sound


# --------------------------------------------------------------------------------------------- failing


def test_an_ending_without_a_format_is_refused():
    with pytest.raises(PairError, match=r"no format for clips that end in '\.flv'; use one of \.mp4, \.mov"):
        write_clip(io.BytesIO(), ".flv", clip_frames(1), quality=90)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_clip_of_no_frames_is_refused(suffix):
    with pytest.raises(PairError, match="the clip has no frames that are wanted"):
        write_clip(io.BytesIO(), suffix, [], quality=90)


class _FullDisk(io.BytesIO):
    """Takes 2 kB."""

    def write(self, data):
        if self.tell() + len(data) > 2000:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_told_as_what_it_is(suffix):
    frames = clip_frames(40, width=128, height=96)
    with pytest.raises(OSError, match="No space left") as told:
        write_clip(_FullDisk(), suffix, frames, quality=100, rate=Fraction(RATE))
    assert told.value.errno == 28


def test_without_the_packages_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(
        EnvironmentProblem, match=r"clips need two packages more; install them \(make video, or "
    ) as told:
        write_clip(io.BytesIO(), ".mp4", clip_frames(1), quality=90)
    assert all(package in str(told.value) for package in PACKAGES)


# ------------------------------------------------------------------------------------------ animations


def test_programs_that_know_no_animation_show_the_first_frame_of_a_png(tmp_path):
    written(tmp_path / "a.png", clip_frames(5))
    image = Image.open(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), picture(0))
    assert image.n_frames == 5
    assert image.info["loop"] == 0


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
def test_animations_go_on_for_ever(tmp_path, suffix):
    written(tmp_path / f"a{suffix}", clip_frames(5))
    assert Image.open(tmp_path / f"a{suffix}").info["loop"] == 0


def test_what_does_not_move_in_a_gif_does_not_flicker(tmp_path):
    """The left half stands still while the right one moves around: the left one's colours are the same in each frame."""
    frames = []
    for frame in clip_frames(12):
        pixels = picture(0).copy()
        pixels[:, WIDTH // 2 :] = np.roll(pixels[:, WIDTH // 2 :], 3 * frame.number, 1)
        frames.append(ClipFrame(frame.number, frame.time, frame.duration, pixels))
    written(tmp_path / "a.gif", frames)
    shown = [
        np.asarray(each.convert("RGB")).astype(int) for each in ImageSequence.Iterator(Image.open(tmp_path / "a.gif"))
    ]
    moved = [np.abs(after - before) for before, after in pairwise(shown)]
    assert max(each[:, : WIDTH // 2].max() for each in moved) == 0
    assert min(each[:, WIDTH // 2 :].mean() for each in moved) > 5


def test_a_gif_gets_new_colours_where_the_scene_changes(tmp_path):
    red, green = (
        np.stack([np.linspace(0, 255, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH) * (c == k) for c in range(3)], -1)
        for k in (0, 1)
    )
    frames = [
        ClipFrame(k, Fraction(k, 10), Fraction(1, 10), (red if k < 2 else green).astype(np.uint8)) for k in range(4)
    ]
    written(tmp_path / "a.gif", frames, rate=Fraction(10))
    for frame, read in zip(frames, read_frames(tmp_path / "a.gif"), strict=True):
        assert np.abs(frame.pixels.astype(int) - read.pixels).mean() < 4


def test_times_of_an_animation_do_not_drift(tmp_path):
    """30 frames a second are 3.33 hundredths of a second each; 60 of them last 2 seconds."""
    frames = [ClipFrame(k, Fraction(k, 30), Fraction(1, 30), picture(k % 3, 32, 32)) for k in range(60)]
    written(tmp_path / "a.gif", frames, rate=Fraction(30))
    assert clip_facts(tmp_path / "a.gif").seconds == pytest.approx(2.0, abs=0.01)


def test_a_gif_of_more_frames_a_second_than_it_can_show_says_so(tmp_path):
    (note,) = written(tmp_path / "a.gif", clip_frames(12, rate=60))
    assert note.startswith("a .gif shows no frame for less than a fiftieth of a second, so that it lasts 0.24 s in the")
    assert "of 0.2; take fewer frames" in note
    assert written(tmp_path / "b.gif", clip_frames(12, rate=30)) == ()


@pytest.mark.parametrize("suffix", [".webp", ".apng"])
def test_an_animation_of_sixty_frames_a_second_is_read_as_one(tmp_path, suffix):
    """Browsers make a tenth of a second of ten milliseconds, and not of sixteen."""
    written(tmp_path / f"a{suffix}", clip_frames(6, rate=60))
    assert clip_facts(tmp_path / f"a{suffix}").seconds == pytest.approx(0.1, abs=0.002)


def test_frames_without_a_change_stay_frames(tmp_path):
    frames = [ClipFrame(k, Fraction(k, 10), Fraction(1, 10), picture(0)) for k in range(4)]
    for suffix in (".gif", ".webp", ".apng", ".mp4"):
        written(tmp_path / f"a{suffix}", frames, rate=Fraction(10))
        assert clip_facts(tmp_path / f"a{suffix}").frames == 4, suffix


def test_the_whole_is_the_span_that_is_meant_where_none_is_given():
    assert Span() == WHOLE == (None, None)


# ---------------------------------------------------------------------------------------------- memory


def _resident() -> int:
    """Bytes of memory that this process holds (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells")
@pytest.mark.parametrize("suffix", [".mp4", ".webp"])
def test_memory_does_not_grow_with_the_length_of_a_clip(tmp_path, suffix):
    """From frame 150, when the encoder has looked ahead as far as it does, to frame 450: 300 frames of 128x96 that were
    kept would be 11 MB."""
    source = tmp_path / "a.mkv"
    still = [stored(picture(k, 128, 96), "yuv420p") for k in range(20)]
    write_video(source, (still[k % 20] for k in range(500)), codec="mpeg4", sound="libopus")
    held: list[int] = []

    def watched():
        for frame in read_frames(source):
            if frame.number in (150, 450):
                held.append(_resident())
            yield frame

    with (tmp_path / f"b{suffix}").open("w+b") as file:
        write_clip(file, suffix, watched(), quality=60, rate=Fraction(RATE), sound_of=source)
    assert held[1] - held[0] < 4_000_000
