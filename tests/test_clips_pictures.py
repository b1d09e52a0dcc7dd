"""Animated pictures and numbered frames as clips."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("av")

from clip_kit import HEIGHT, WIDTH, picture
from PIL import Image, ImageCms

from pipeline.clips import animation
from pipeline.clips.listing import gaps, gaps_note, is_numbered, numbered_files, sha256_of_all
from pipeline.clips.reading import clip_facts, clip_pixels, clip_sha256, read_frames
from pipeline.errors import BadImage
from pipeline.images.inspection import inspect_image


def _animation(path, count=6, duration=80, mode="RGB", **more):
    frames = [Image.fromarray(picture(k)).convert(mode) for k in range(count)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0, **more)
    return path


# ------------------------------------------------------------------------------------------ animations


@pytest.mark.parametrize(("suffix", "allowed"), [(".gif", 12), (".png", 0), (".webp", 0)])
def test_frames_of_an_animation_come_at_their_times(tmp_path, suffix, allowed):
    path = _animation(tmp_path / f"a{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    facts = clip_facts(path)
    assert (facts.size, facts.frames, facts.rate) == ((WIDTH, HEIGHT), 6, Fraction(25, 2))
    assert (facts.seconds, facts.has_sound, facts.has_alpha, facts.kind) == (0.48, False, False, "animation")
    frames = list(read_frames(path))
    assert [frame.time for frame in frames] == [Fraction(8 * k, 100) for k in range(6)]
    for number, frame in enumerate(frames):
        assert np.abs(frame.pixels.astype(int) - picture(number)).mean() <= allowed


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_frames_of_different_lengths_keep_them(tmp_path, suffix):
    path = _animation(tmp_path / f"a{suffix}", 3, duration=[100, 300, 50])
    assert clip_facts(path).rate is None
    assert [(frame.time, frame.duration) for frame in read_frames(path)] == [
        (0, Fraction(1, 10)),
        (Fraction(1, 10), Fraction(3, 10)),
        (Fraction(4, 10), Fraction(1, 20)),
    ]


def test_a_frame_that_says_no_time_is_shown_a_tenth_of_a_second_as_browsers_do(tmp_path):
    path = _animation(tmp_path / "a.gif", 3, duration=0)
    assert {frame.duration for frame in read_frames(path)} == {Fraction(1, 10)}


def test_of_a_gif_that_only_writes_what_changed_each_frame_is_whole(tmp_path):
    ground = Image.new("P", (WIDTH, HEIGHT), 0)
    ground.putpalette([10, 20, 30, 200, 100, 0] + [0] * 762)
    frames = []
    for k in range(4):
        frame = ground.copy()
        frame.paste(1, (8 * k, 4, 8 * k + 8, 12))
        frames.append(frame)
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    for k, frame in enumerate(read_frames(tmp_path / "a.gif")):
        assert tuple(frame.pixels[40, 60]) == (10, 20, 30)
        assert tuple(frame.pixels[6, 8 * k + 4]) == (200, 100, 0)
        assert frame.alpha is None


def test_opacity_of_an_animation_is_kept(tmp_path):
    alpha = np.tile(np.linspace(0, 255, WIDTH), (HEIGHT, 1)).astype(np.uint8)
    frames = [Image.fromarray(np.dstack((picture(k), np.roll(alpha, k)))) for k in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100, disposal=1, blend=0)
    assert clip_facts(tmp_path / "a.png").has_alpha
    for number, frame in enumerate(read_frames(tmp_path / "a.png")):
        np.testing.assert_array_equal(frame.alpha, np.roll(alpha, number))
        seen = frame.alpha > 0
        np.testing.assert_array_equal(frame.pixels[seen], picture(number)[seen])


def test_colours_of_an_animation_go_through_its_profile(tmp_path):
    """As a picture's do: a profile that says that the three colours are others."""
    profile = (
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        .tobytes()
        .replace(b"rXYZ", b"tXYZ")
        .replace(b"gXYZ", b"rXYZ")
        .replace(b"tXYZ", b"gXYZ")
    )
    frames = [Image.new("RGB", (WIDTH, HEIGHT), (200, 60, 60))] * 2
    frames[0].save(
        tmp_path / "a.png",
        save_all=True,
        append_images=[Image.new("RGB", (WIDTH, HEIGHT), (200, 60, 61))],
        duration=100,
        icc_profile=profile,
    )
    for frame in read_frames(tmp_path / "a.png"):
        red, green, _ = frame.pixels[5, 5]
        assert green > red + 50


def test_a_still_picture_is_a_clip_of_one_frame(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    assert clip_facts(tmp_path / "a.png").frames == 1


def test_an_animation_of_too_many_frames_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(animation, "MAX_FRAMES", 5)
    facts = clip_facts(_animation(tmp_path / "a.gif", 6))
    assert (facts.frames, facts.damage) == (
        5,
        f"{tmp_path}/a.gif has more than 5 frames; cut out the part that is painted",
    )
    assert clip_facts(_animation(tmp_path / "b.gif", 5)).damage == ""


def test_a_picture_for_programs_that_know_no_animation_is_no_frame(tmp_path):
    """PNG, third edition, 11.3.6: it has no fcTL before it."""
    poster, *frames = (Image.fromarray(picture(k)) for k in range(3))
    poster.save(tmp_path / "a.png", save_all=True, append_images=frames, duration=500, default_image=True)
    found = list(read_frames(tmp_path / "a.png"))
    assert [(frame.number, frame.time, frame.duration) for frame in found] == [
        (0, 0, Fraction(1, 2)),
        (1, Fraction(1, 2), Fraction(1, 2)),
    ]
    for frame in found:
        np.testing.assert_array_equal(frame.pixels, picture(1 + frame.number))
    assert clip_facts(tmp_path / "a.png").frames == 2


def test_the_still_door_and_the_clip_door_see_the_same_first_frame(tmp_path):
    path = _animation(tmp_path / "a.gif")
    facts, still = clip_facts(path), inspect_image(path)
    assert (facts.size, facts.sha256) == ((still.width, still.height), still.sha256)
    assert "holds several frames or pages; the first one was used" in still.notes


# ------------------------------------------------------------------------------------- numbered frames


def _numbered(folder, numbers, name="{:04d}.png", size=(WIDTH, HEIGHT)):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.fromarray(picture(number, *size)).save(folder / name.format(number))
    return folder


def test_numbered_frames_come_in_the_order_of_their_numbers(tmp_path):
    _numbered(tmp_path / "in", range(8, 13), "{}.png")
    path = tmp_path / "in/%d.png"
    frames = list(read_frames(path))
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.time for frame in frames] == [Fraction(k, 25) for k in range(5)]
    for frame in frames:
        np.testing.assert_array_equal(frame.pixels, picture(8 + frame.number))
    facts = clip_facts(path)
    assert (facts.frames, facts.rate, facts.kind, facts.notes, facts.damage) == (5, 25, "numbered", (), "")
    assert facts.size == (WIDTH, HEIGHT)
    assert clip_pixels(path) == WIDTH * HEIGHT


def test_gaps_between_numbers_are_told(tmp_path):
    _numbered(tmp_path / "in", [1, 2, 4, 5, 9])
    assert clip_facts(tmp_path / "in/%04d.png").notes == ("frames are missing (3, 6 to 8); the others were joined",)
    assert clip_facts(tmp_path / "in/%04d.png").frames == 5


def test_many_gaps_are_told_in_one_line():
    assert gaps(range(1, 20, 2)) == [str(k) for k in range(2, 19, 2)]
    assert gaps_note(range(1, 20, 2)) == "frames are missing (2, 4, 6, 8, 10 and 4 gaps more); the others were joined"
    assert gaps_note([4, 5, 6]) == ""


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("%04d.png", [(1, "0001.png"), (2, "0002.png"), (10000, "10000.png")]),
        ("%d.png", [(0, "0.png"), (7, "7.png"), (12, "12.png"), (10000, "10000.png")]),
        ("shot-%03d.jpg", [(1, "shot-001.jpg")]),
        ("100%%-%02d.png", []),
    ],
)
def test_a_pattern_finds_names_as_printf_writes_them(tmp_path, pattern, found):
    for name in ("0001.png", "0002.png", "10000.png", "00003.png", "7.png", "0.png", "12.png", "shot-001.jpg", "x.png"):
        (tmp_path / name).touch()
    if found:
        assert numbered_files(tmp_path / pattern) == [(number, str(tmp_path / name)) for number, name in found]
    else:
        with pytest.raises(BadImage, match="finds no frames; check the pattern"):
            numbered_files(tmp_path / pattern)


def test_only_a_field_for_a_number_makes_a_pattern():
    assert [
        is_numbered(name) for name in ("%04d.png", "in/a-%d.png", "a.png", "in%04d/a.png", "%s.png", "50%.png")
    ] == [
        *(True, True),
        *(False,) * 4,
    ]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadImage, match=r"finds no frames: .*nowhere cannot be listed \(No such file or directory\)"):
        numbered_files(tmp_path / "nowhere/%04d.png")


def test_frames_of_another_size_end_the_clip_with_a_line(tmp_path):
    folder = _numbered(tmp_path / "in", range(3))
    _numbered(folder, [3], size=(80, 60))
    facts = clip_facts(folder / "%04d.png")
    assert facts.frames == 3
    assert "0003.png is 80x60 pixels and the first frame 64x48; frames must have one size" in facts.damage
    with pytest.raises(BadImage, match="frames must have one size"):
        list(read_frames(folder / "%04d.png"))


def test_a_damaged_frame_is_told_by_its_number_and_name(tmp_path):
    folder = _numbered(tmp_path / "in", range(4))
    data = (folder / "0002.png").read_bytes()
    (folder / "0002.png").write_bytes(data[: len(data) // 2])
    facts = clip_facts(folder / "%04d.png")
    assert facts.frames == 2
    assert facts.damage.startswith("frame 2: ")
    assert "0002.png" in facts.damage


def test_the_hash_of_numbered_frames_is_of_all_of_them_in_their_order(tmp_path):
    folder = _numbered(tmp_path / "in", [9, 10])
    hashes = [hashlib.sha256((folder / f"{number:04d}.png").read_bytes()).hexdigest() for number in (9, 10)]
    assert clip_facts(folder / "%04d.png").sha256 == sha256_of_all(hashes)
    assert sha256_of_all(hashes) == hashlib.sha256("".join(hashes).encode()).hexdigest()
    assert sha256_of_all(hashes) != sha256_of_all(hashes[::-1])


def test_the_hash_of_numbered_frames_is_of_damaged_ones_too(tmp_path):
    """As a plan, which decodes nothing, has it: else the part that is good is never up to date."""
    folder = _numbered(tmp_path / "in", range(4))
    (folder / "0001.png").write_bytes(b"no picture")
    assert clip_facts(folder / "%04d.png").frames == 1
    assert clip_facts(folder / "%04d.png").sha256 == clip_sha256(folder / "%04d.png")
    _numbered(folder, [1], size=(80, 60))
    assert clip_facts(folder / "%04d.png").sha256 == clip_sha256(folder / "%04d.png")


def test_a_file_whose_name_looks_like_numbered_frames_is_told_of(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "50%day.png")
    with pytest.raises(BadImage, match=r"50%day\.png is a file, and its name stands for numbered frames; take '%' out"):
        clip_facts(tmp_path / "50%day.png")


def test_a_number_that_no_record_holds_is_told(tmp_path):
    for number in (1, 2**63 - 1):
        (tmp_path / f"{number:04}.png").touch()
    assert [number for number, _ in numbered_files(tmp_path / "%04d.png")] == [1, 2**63 - 1]
    (tmp_path / f"{2**63}.png").touch()
    with pytest.raises(BadImage, match=r"finds 9223372036854775808\.png, whose number is 2\^63 or more; rename it"):
        numbered_files(tmp_path / "%04d.png")


def test_numbers_of_frames_are_digits_of_ascii(tmp_path):
    _numbered(tmp_path / "in", [1])
    (tmp_path / "in/\u0660\u0660\u0660\u0661.png").touch()
    assert [number for number, _ in numbered_files(tmp_path / "in/%04d.png")] == [1]


def test_numbered_frames_lie_in_their_folder(tmp_path):
    folder = _numbered(tmp_path / "in", [1])
    _numbered(tmp_path / "out", [2])
    (folder / "0002.png").symlink_to(tmp_path / "out/0002.png")
    with pytest.raises(BadImage, match="leads out of"):
        list(read_frames(folder / "%04d.png", home=str(folder.resolve())))
