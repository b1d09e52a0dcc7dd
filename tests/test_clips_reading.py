"""Videos: every frame at its time, upright, with square pixels, in sRGB."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("av")

from clip_kit import (
    HEIGHT,
    MATRICES,
    RATE,
    WIDTH,
    clip_frames,
    codes_of,
    flat,
    picture,
    quarters,
    stored,
    write_video,
)
from PIL import Image

from pipeline.clips import hdr
from pipeline.clips.reading import clip_facts, read_frames
from pipeline.errors import BadImage

_RGB = (0.8, 0.35, 0.1)  # of R'G'B', 0..1
_TAGS = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}


def test_frames_come_in_their_order_at_their_times(tmp_path):
    path = write_video(tmp_path / "a.mkv", [stored(picture(k), "bgr0") for k in range(10)])
    frames = list(read_frames(path))
    assert [frame.number for frame in frames] == list(range(10))
    assert [frame.time for frame in frames] == [Fraction(k, RATE) for k in range(10)]
    assert {frame.duration for frame in frames} == {Fraction(1, RATE)}
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.pixels, picture(number))


def test_facts_say_what_the_frames_are(tmp_path):
    path = write_video(tmp_path / "a.mkv", [stored(picture(k), "bgr0") for k in range(10)], sound="libopus")
    facts = clip_facts(path)
    assert (facts.size, facts.frames, facts.rate) == ((WIDTH, HEIGHT), 10, Fraction(RATE))
    assert (facts.seconds, facts.has_sound, facts.has_alpha, facts.kind) == (0.4, True, False, "video")
    assert facts.damage == ""


def test_frames_that_are_not_wanted_are_left_out_and_keep_their_numbers(tmp_path):
    path = write_video(tmp_path / "a.mkv", [stored(picture(k), "bgr0") for k in range(10)])
    frames = list(read_frames(path, wanted=lambda number: number % 3 == 0, start=2))
    assert [frame.number for frame in frames] == [3, 6, 9]
    np.testing.assert_array_equal(frames[1].pixels, picture(6))


@pytest.mark.parametrize(
    ("name", "muxer", "codec", "pix_fmt"),
    [
        ("a.mp4", "mp4", "libx264", "yuv420p"),
        ("a.mp4", "mp4", "libx264", "yuv422p"),
        ("a.mp4", "mp4", "libx264", "yuv444p"),
        ("a.mp4", "mp4", "libx264", "yuv420p10le"),
        ("a.mp4", "mp4", "libx264", "gray"),
        ("a.mp4", "mp4", "libx264rgb", "rgb24"),
        ("a.mp4", "mp4", "libx265", "yuv420p"),
        ("a.mp4", "mp4", "libx265", "yuv420p10le"),
        ("a.mp4", "mp4", "libsvtav1", "yuv420p"),
        ("a.mp4", "mp4", "mpeg4", "yuv420p"),
        ("a.mov", "mov", "libx264", "yuv420p"),
        ("a.mov", "mov", "prores_ks", "yuv422p10le"),
        ("a.mov", "mov", "prores_ks", "yuva444p10le"),
        ("a.mov", "mov", "mjpeg", "yuvj420p"),
        ("a.mov", "mov", "png", "rgb24"),
        ("a.mov", "mov", "png", "rgba"),
        ("a.mov", "mov", "qtrle", "rgb24"),
        ("a.mov", "mov", "qtrle", "argb"),
        ("a.mov", "mov", "rawvideo", "uyvy422"),
        ("a.mkv", "matroska", "libx264", "yuv420p"),
        ("a.mkv", "matroska", "ffv1", "yuv420p"),
        ("a.mkv", "matroska", "ffv1", "yuv444p16le"),
        ("a.mkv", "matroska", "ffv1", "gbrp10le"),
        ("a.mkv", "matroska", "ffv1", "bgra"),
        ("a.mkv", "matroska", "mpeg2video", "yuv420p"),
        ("a.webm", "webm", "libvpx", "yuv420p"),
        ("a.webm", "webm", "libvpx-vp9", "yuv420p"),
        ("a.webm", "webm", "libvpx-vp9", "yuv444p"),
        ("a.webm", "webm", "libsvtav1", "yuv420p"),
        ("a.avi", "avi", "mpeg4", "yuv420p"),
        ("a.avi", "avi", "mjpeg", "yuvj422p"),
        ("a.avi", "avi", "rawvideo", "bgr24"),
        ("a.avi", "avi", "huffyuv", "rgb24"),
        ("a.avi", "avi", "huffyuv", "yuv422p"),
    ],
)
def test_containers_and_forms_of_pixels(tmp_path, name, muxer, codec, pix_fmt):
    """Within what the coding loses: half the colour's resolution, and 8 grey levels."""
    quality = {
        **{
            "libx264": {"crf": "8"},
            "libx264rgb": {"crf": "8"},
            "libx265": {"crf": "8", "x265-params": "log-level=none"},
        },
        **{"libvpx": {"crf": "4", "b": "2M"}, "libvpx-vp9": {"crf": "8", "cpu-used": "5"}, "libsvtav1": {"crf": "10"}},
        **{name: {"qmin": "2", "qmax": "3"} for name in ("mpeg4", "mpeg2video", "mjpeg")},
    }.get(codec, {})
    says_matrix = not (muxer == "avi" or codec == "mjpeg" or pix_fmt.startswith(("rgb", "bgr", "gbr", "argb")))
    full = "yuvj" in pix_fmt
    tags = (_TAGS if says_matrix else {}) | ({"color_range": 2} if full else {})
    matrix = "ITU709" if says_matrix else "ITU601"  # of JPEG, and of small pictures that say none
    frames = [stored(picture(number), pix_fmt, matrix, full=full) for number in range(6)]
    path = write_video(tmp_path / name, frames, codec=codec, muxer=muxer, tags=tags, options=quality)
    facts = clip_facts(path)
    assert (facts.size, facts.frames, facts.rate) == ((WIDTH, HEIGHT), 6, Fraction(RATE))
    assert facts.damage == ""
    for number, frame in enumerate(read_frames(path)):
        expected = picture(number).astype(float)
        if pix_fmt == "gray":
            expected = np.repeat(expected @ [[0.2126], [0.7152], [0.0722]], 3, 2)
        error = np.abs(frame.pixels - expected)
        assert error.mean() < 5, number
        assert error[8:-8, 8:-8].max() < 26, number
        assert frame.alpha is None


# ----------------------------------------------------------------------------------------------- times


def test_a_variable_rate_keeps_every_time(tmp_path):
    times = [Fraction(0), Fraction(1, 30), Fraction(1, 10), Fraction(1, 2), Fraction(11, 20)]
    path = write_video(
        tmp_path / "a.mp4", [stored(picture(k), "yuv420p") for k in range(5)], codec="libx264", muxer="mp4", times=times
    )
    assert clip_facts(path).rate is None
    frames = list(read_frames(path))
    assert [frame.time for frame in frames] == times
    assert [frame.end for frame in frames[:-1]] == times[1:]


@pytest.mark.parametrize(("name", "muxer"), [("a.mkv", "matroska"), ("a.mp4", "mp4"), ("a.avi", "avi")])
def test_a_rate_of_television_is_found_exactly_though_times_are_rounded(tmp_path, name, muxer):
    rate = Fraction(30_000, 1001)
    frames = [stored(picture(k), "yuv420p") for k in range(12)]
    facts = clip_facts(write_video(tmp_path / name, frames, codec="mpeg4", muxer=muxer, rate=rate))
    assert facts.rate == rate
    assert facts.seconds == pytest.approx(12 / float(rate), abs=0.002)


def test_times_count_from_the_beginning_of_sound_where_pictures_begin_later(tmp_path):
    times = [Fraction(1, 2) + Fraction(k, RATE) for k in range(10)]
    path = write_video(
        tmp_path / "a.mp4",
        [stored(picture(k), "yuv420p") for k in range(10)],
        codec="libx264",
        muxer="mp4",
        times=times,
        sound="aac",
    )
    assert next(read_frames(path)).time == Fraction(1, 2)


def test_a_clip_that_begins_late_begins_at_0(tmp_path):
    times = [10 + Fraction(k, RATE) for k in range(5)]
    path = write_video(tmp_path / "a.mkv", [stored(picture(k), "bgr0") for k in range(5)], times=times)
    assert [frame.time for frame in read_frames(path)] == [Fraction(k, RATE) for k in range(5)]


def test_frames_of_one_time_are_shown_one_after_the_other(tmp_path):
    path = write_video(
        tmp_path / "a.avi", [stored(picture(k), "yuv420p") for k in range(6)], codec="mjpeg", muxer="avi",
        tags={"color_range": 2}, options={"strict": "unofficial"},
    )  # fmt: skip
    times = [frame.time for frame in read_frames(path)]
    assert times == sorted(set(times))


# ------------------------------------------------------------------------------------ rotation, aspect

_ONE = 1 << 16
# How the stored picture of `quarters` is turned (libavutil's display matrix), and what is then at top left and top right.
_ORIENTATIONS = {
    "upright": ((_ONE, 0, 0, _ONE), "red", "green"),
    "a quarter clockwise": ((0, _ONE, -_ONE, 0), "blue", "red"),
    "half a turn": ((-_ONE, 0, 0, -_ONE), "white", "blue"),
    "a quarter counterclockwise": ((0, -_ONE, _ONE, 0), "green", "white"),
    "mirrored left to right": ((-_ONE, 0, 0, _ONE), "green", "red"),
    "mirrored top to bottom": ((_ONE, 0, 0, -_ONE), "blue", "white"),
    "transposed": ((0, _ONE, _ONE, 0), "red", "blue"),
    "transposed the other way": ((0, -_ONE, -_ONE, 0), "white", "green"),
}
_COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


@pytest.mark.parametrize("name", _ORIENTATIONS)
def test_a_clip_is_shown_upright(tmp_path, name):
    (a, b, c, d), left, right = _ORIENTATIONS[name]
    matrix = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = write_video(
        tmp_path / "a.mov", [stored(quarters(), "rgb24")] * 3, codec="png", muxer="mov", matrix=matrix
    )  # fmt: skip
    frame = next(read_frames(path))
    height, width, _ = frame.pixels.shape
    assert (width, height) == clip_facts(path).size == ((HEIGHT, WIDTH) if a == 0 else (WIDTH, HEIGHT))
    assert tuple(frame.pixels[4, 4]) == _COLOURS[left]
    assert tuple(frame.pixels[4, -5]) == _COLOURS[right]


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(4, 3), (85, 48)), (Fraction(1, 2), (64, 96)), (Fraction(1), (64, 48))]
)
def test_pixels_become_square_and_nothing_is_lost(tmp_path, aspect, size):
    frames = [stored(quarters(), "yuv444p")] * 3
    path = write_video(tmp_path / "a.mkv", frames, codec="libx264", aspect=aspect, tags=_TAGS)
    assert clip_facts(path).size == size
    assert next(read_frames(path)).size == size


def test_a_clip_that_is_too_narrow_once_its_pixels_are_square_is_refused(tmp_path):
    path = write_video(tmp_path / "a.mkv", [stored(quarters(), "yuv444p")] * 2, codec="libx264", aspect=Fraction(40))
    with pytest.raises(BadImage, match=r"a\.mkv is 2560x48 pixels; its longer side may be at most 32 times"):
        clip_facts(path)


def test_odd_sizes_are_read_whole(tmp_path):
    path = write_video(tmp_path / "a.mkv", [stored(picture(k, 71, 53), "yuv444p") for k in range(3)], codec="libx264")
    assert clip_facts(path).size == (71, 53)
    assert next(read_frames(path)).pixels.shape == (53, 71, 3)


# --------------------------------------------------------------------------------------------- colours


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_colours_follow_the_matrix_and_range_that_the_file_says(tmp_path, matrix, full):
    tags = {"colorspace": MATRICES[matrix][2], "color_range": 2 if full else 1}
    path = write_video(tmp_path / "a.mkv", [flat(codes_of(_RGB, matrix, full=full))] * 2, tags=tags)
    np.testing.assert_allclose(next(read_frames(path)).pixels[9, 9], np.array(_RGB) * 255, atol=1.5)


def test_ten_bits_are_read(tmp_path):
    codes = codes_of(_RGB, "BT.709", full=False, bits=10)
    path = write_video(tmp_path / "a.mkv", [flat(codes, "yuv444p10le")] * 2, tags=_TAGS)
    np.testing.assert_allclose(next(read_frames(path)).pixels[9, 9], np.array(_RGB) * 255, atol=1)


@pytest.mark.parametrize(("height", "matrix"), [(480, "BT.601"), (576, "BT.601"), (720, "BT.709")])
def test_a_file_that_says_no_matrix_is_taken_as_is_usual_for_its_size(tmp_path, height, matrix):
    path = write_video(tmp_path / "a.mkv", [flat(codes_of(_RGB, matrix, full=False), height=height)] * 2)
    np.testing.assert_allclose(next(read_frames(path)).pixels[9, 9], np.array(_RGB) * 255, atol=1.5)


def test_wide_primaries_become_those_of_srgb(tmp_path):
    """The red of BT.2020 is redder than a screen's; a grey stays what it is (BT.2407-0, 2)."""
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": 14, "color_range": 1}
    red = write_video(tmp_path / "a.mkv", [flat(codes_of((0.7, 0.2, 0.2), "BT.2020", full=False))] * 2, tags=tags)
    grey = write_video(tmp_path / "b.mkv", [flat(codes_of((0.5, 0.5, 0.5), "BT.2020", full=False))] * 2, tags=tags)
    linear = np.where(np.array([0.7, 0.2, 0.2]) > 0.04045, ((np.array([0.7, 0.2, 0.2]) + 0.055) / 1.055) ** 2.4, 0)
    here = np.clip(
        np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]) @ linear, 0, 1
    )
    expected = 255 * np.where(here > 0.0031308, 1.055 * here ** (1 / 2.4) - 0.055, 12.92 * here)
    np.testing.assert_allclose(next(read_frames(red)).pixels[9, 9], expected, atol=3)
    np.testing.assert_allclose(next(read_frames(grey)).pixels[9, 9], 127.5, atol=2)


@pytest.mark.parametrize(("curve", "name"), [(hdr.PQ, "PQ"), (hdr.HLG, "HLG")])
def test_hdr_is_brought_to_a_screen_and_told(tmp_path, curve, name):
    """White paper, of 203 cd/m2, is 58 % of PQ and 75 % of HLG (ITU-R BT.2408-7, table 1); by the curve of BT.2390 it
    becomes 159 cd/m2 of 203, grey level 229."""
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": curve, "color_range": 1}
    white = {hdr.PQ: 0.5807, hdr.HLG: 0.75}[curve]
    for level, expected in ((white, 229), (0.0, 0), (1.0, 255)):
        codes = codes_of((level,) * 3, "BT.2020", full=False, bits=10)
        path = write_video(tmp_path / f"{level}.mkv", [flat(codes, "yuv444p10le")] * 2, tags=tags)
        np.testing.assert_allclose(next(read_frames(path)).pixels[9, 9], expected, atol=2)
    assert clip_facts(path).notes == (
        f"its colours are HDR ({name}) and were brought to those of a screen (ITU-R BT.2390)",
    )


def mastered(path, level, says, curve=hdr.PQ):
    """An HDR video of one level, 0..1, whose encoder `says` how bright it may be."""
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": curve, "color_range": 1}
    codes = codes_of((level,) * 3, "BT.2020", full=False, bits=10)
    options = {"crf": "1", "x264-params": says}
    return write_video(path, [flat(codes, "yuv420p10le")] * 2, codec="libx264", tags=tags, options=options)


_SCREEN = "mastering-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L({}0000,50)"


@pytest.mark.parametrize(
    ("says", "peak"),
    [
        (_SCREEN.format(4000), 4000),
        (_SCREEN.format(4000) + ":cll=1600,400", 1600),
        (_SCREEN.format(1000) + ":cll=4000,400", 1000),
        ("cll=600,100", 600),
        ("cll=20,10", 400),
        (_SCREEN.format(4000) + ":cll=0,0", 4000),
    ],
)
def test_hdr_is_brought_to_a_screen_from_what_it_was_mastered_for(tmp_path, says, peak):
    """What is as bright as the brightest is white, and what is half as bright by the curve of BT.2390 from there."""
    top, half = (float(hdr.pq_signal(np.array([share * peak]))[0]) for share in (1.0, 0.5))
    levels = [next(read_frames(mastered(tmp_path / "a.mkv", each, says))).pixels[9, 9] for each in (top, half)]
    shown = hdr.rolled_off(np.array([0.5 * peak]), peak)[0] / 203
    np.testing.assert_allclose(levels[0], 255, atol=1)
    np.testing.assert_allclose(levels[1], 255 * (1.055 * shown ** (1 / 2.4) - 0.055), atol=2)
    assert f"HDR (PQ), up to {peak:,} cd/m2, and were" in clip_facts(tmp_path / "a.mkv").notes[0]


def test_figures_of_a_screen_mean_nothing_to_hlg(tmp_path):
    frames = [
        next(read_frames(mastered(tmp_path / "a.mkv", 0.75, says, hdr.HLG))).pixels[9, 9]
        for says in ("cll=4000,400", "keyint=1")
    ]
    np.testing.assert_array_equal(*frames)
    assert clip_facts(tmp_path / "a.mkv").notes[0].startswith("its colours are HDR (HLG) and were")


def test_light_below_the_knee_of_the_roll_off_stays_as_it_is():
    dark = np.array([0.1, 1.0, 10.0, 50.0])
    np.testing.assert_allclose(hdr.rolled_off(dark), dark, rtol=1e-9)
    assert hdr.rolled_off(np.array([1000.0]))[0] == pytest.approx(203)
    rising = hdr.rolled_off(np.linspace(1, 1000, 500))
    assert (np.diff(rising) > 0).all()


def test_pq_is_its_own_inverse_and_has_the_values_of_its_table():
    """ITU-R BT.2100-2: 100 cd/m2 are 0.5081, 1000 are 0.7518, 10000 are 1 (SMPTE ST 2084, annex)."""
    np.testing.assert_allclose(hdr.pq_signal(np.array([100.0, 1000.0, 10_000.0])), [0.5081, 0.7518, 1.0], atol=1e-4)
    np.testing.assert_allclose(hdr.pq_light(hdr.pq_signal(np.array([0.5, 203.0]))), [0.5, 203.0])


# ------------------------------------------------------------------------------- opacity, fields, sizes


@pytest.mark.parametrize(
    ("name", "muxer", "codec", "pix_fmt", "metadata"),
    [
        ("a.mkv", "matroska", "ffv1", "bgra", {}),
        ("a.mov", "mov", "qtrle", "argb", {}),
        ("a.mov", "mov", "png", "rgba", {}),
        ("a.mov", "mov", "prores_ks", "yuva444p10le", {}),
        ("a.webm", "webm", "libvpx-vp9", "yuva420p", {"alpha_mode": "1"}),
        ("a.webm", "webm", "libvpx", "yuva420p", {"alpha_mode": "1"}),
    ],
)
def test_opacity_is_read_where_a_coding_has_it(tmp_path, name, muxer, codec, pix_fmt, metadata):
    levels = np.dstack((picture(0), np.tile(np.linspace(0, 255, WIDTH), (HEIGHT, 1)).astype(np.uint8)))
    options = {"crf": "4", "b": "2M", "auto-alt-ref": "0"} if "vpx" in codec else {}
    path = write_video(
        tmp_path / name, [stored(levels, pix_fmt)] * 3, codec=codec, muxer=muxer, options=options, metadata=metadata
    )
    assert clip_facts(path).has_alpha
    for frame in read_frames(path):
        np.testing.assert_allclose(frame.alpha.astype(int), levels[..., 3].astype(int), atol=12)


def test_two_fields_become_one_picture_without_a_comb(tmp_path):
    """Of a bar that jumps between the fields: every second row has it elsewhere."""

    def combed(number):
        levels = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        levels[::2, 8 + 4 * number : 20 + 4 * number] = 200
        levels[1::2, 14 + 4 * number : 26 + 4 * number] = 200
        return levels

    frames = [stored(combed(k), "yuv420p") for k in range(6)]
    options = {"qmin": "1", "qmax": "2", "top": "1"}
    path = write_video(tmp_path / "a.mkv", frames, codec="mpeg2video", options=options, interlaced=True, tags=_TAGS)
    assert clip_facts(path).notes == ("is interlaced; of the two fields of each frame one picture was made",)
    read = list(read_frames(path))
    assert [frame.time for frame in read] == [Fraction(k, RATE) for k in range(6)]
    comb = [np.abs(np.diff(frame.pixels[4:-4].astype(int), axis=0)).mean() for frame in read[1:-1]]
    before = np.abs(np.diff(combed(2)[4:-4].astype(int), axis=0)).mean()
    assert max(comb) < before / 3


def test_a_frame_of_another_size_is_brought_to_the_first_ones(tmp_path):
    """As recorders of calls write them; here two pieces of VP8 with one header."""
    import av

    small, large = ([stored(picture(k, *size), "yuv420p") for k in range(3)] for size in ((64, 48), (128, 96)))
    one = write_video(tmp_path / "1.webm", small, codec="libvpx", muxer="webm")
    two = write_video(tmp_path / "2.webm", large, codec="libvpx", muxer="webm")
    path = tmp_path / "both.webm"
    with av.open(str(path), "w", format="webm") as output, av.open(str(one)) as first, av.open(str(two)) as second:
        stream = output.add_stream_from_template(first.streams.video[0], opaque=True)
        for source, shift in ((first, 0), (second, 120)):
            for packet in source.demux(video=0):
                if packet.size:
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    output.mux(packet)
    assert [frame.size for frame in read_frames(path)] == [(64, 48)] * 6
    assert clip_facts(path).size == (64, 48)


def test_a_cover_picture_is_no_clip(tmp_path):
    import av

    path = tmp_path / "song.mp4"
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "rgb24"
        stream.disposition = av.stream.Disposition.attached_pic
        output.mux(stream.encode(stored(quarters(), "rgb24")))
        output.mux(stream.encode(None))
    with pytest.raises(BadImage, match=r"song\.mp4 has no moving picture in it"):
        clip_facts(path)


def test_what_is_no_clip_is_told_by_what_it_is(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"%PDF-1.7 and so on" * 20)
    with pytest.raises(BadImage, match=r"a\.mp4 is a PDF"):
        clip_facts(tmp_path / "a.mp4")
    Image.new("RGB", (64, 48)).save(tmp_path / "b.jpg")
    with pytest.raises(BadImage, match=r"b\.jpg is JPEG, which has one picture; name a video, GIF, PNG or WebP"):
        clip_facts(tmp_path / "b.jpg")


def test_coding_that_is_not_read_is_named(tmp_path):
    path = write_video(tmp_path / "a.mkv", [stored(picture(k), "yuv420p") for k in range(3)], codec="asv1", muxer="avi")
    with pytest.raises(BadImage, match=r"a\.mkv is coded in asv1, which is not read; convert it to H\.264 \(MP4\)"):
        clip_facts(path)


def test_the_same_frames_are_read_each_time(tmp_path):
    path = write_video(
        tmp_path / "a.mp4", [stored(f.pixels, "yuv420p") for f in clip_frames(6)], codec="libx264", muxer="mp4"
    )
    once, again = (b"".join(frame.pixels.tobytes() for frame in read_frames(path)) for _ in range(2))
    assert once == again
