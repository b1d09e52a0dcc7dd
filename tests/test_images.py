"""Pictures coming in: orientation, colour profiles, depth, transparency, and the door of the Python call."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import types
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import BadImage, OptionError, OutOfMemory
from pipeline.images import decode, png
from pipeline.images.convert import srgb_profile
from pipeline.images.inspection import image_size, inspect_image
from pipeline.images.picture import open_any, open_picture, picture_from_array, picture_from_pillow
from pipeline.images.scale import resize, resize_alpha

SEED = 7


def noise(height: int = 40, width: int = 48, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(SEED).integers(0, 256, (height, width, channels), dtype=np.uint8)


def save(folder: Path, image: Image.Image, name: str, **parameters: Any) -> Path:
    path = folder / name
    image.save(path, **parameters)
    return path


def filled(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (48, 40), colour)


# ---------------------------------------------------------------------------------------------------------- orientation

# EXIF 2.32, tag 0x0112: on which visual side of the picture the stored row 0 and column 0 lie. Stored from upright:
STORED = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.transpose(1, 0, 2),  # left, top
    6: lambda upright: upright.transpose(1, 0, 2)[::-1],  # right, top
    7: lambda upright: upright.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
    8: lambda upright: upright.transpose(1, 0, 2)[:, ::-1],  # left, bottom
}


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize("value", STORED)
def test_every_orientation_is_turned_upright(value: int, name: str, tmp_path: Path) -> None:
    upright = noise()
    exif = Image.Exif()
    exif[0x0112] = value
    stored = Image.fromarray(np.ascontiguousarray(STORED[value](upright)))
    lossless = {"lossless": True} if name == "a.webp" else {}
    path = save(tmp_path, stored, name, exif=exif, **lossless)
    np.testing.assert_array_equal(open_picture(path).pixels, upright)
    assert image_size(path) == (48, 40)


def test_size_from_the_header_is_held_against_the_limits_too(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="its shorter side must be at least 32"):
        image_size(save(tmp_path, Image.new("RGB", (31, 40)), "a.png"))


def test_orientation_that_a_png_holds_behind_its_pixels_is_obeyed_by_the_door(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path, Image.fromarray(noise()), "a.png")
    content = exif.tobytes().removeprefix(b"Exif\x00\x00")
    late = struct.pack(">I", len(content)) + b"eXIf" + content + struct.pack(">I", zlib.crc32(b"eXIf" + content))
    path.write_bytes(path.read_bytes()[:-12] + late + path.read_bytes()[-12:])  # 12 bytes: IEND
    assert open_picture(path).pixels.shape == (48, 40, 3)


# ------------------------------------------------------------------------------------------------------------- profiles


D50 = struct.pack(">iii", 63190, 65536, 54061)  # the white of every profile, as s15Fixed16 (ICC.1:2001-04, A.1)


def profile_of(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A small ICC profile of version 2.4 (ICC.1:2001-04: header 6.1, tag table 6.2)."""
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    layout = ">I4xI4s4s4s12x4s28x12s48x"
    return struct.pack(layout, size, 0x02400000, b"prtr", space, connection, b"acsp", D50) + table + body


def srgb_with_red_and_blue_exchanged() -> bytes:
    """What this profile calls red is sRGB's blue."""
    return srgb_profile().replace(b"rXYZ", b"xXYZ").replace(b"bXYZ", b"rXYZ").replace(b"xXYZ", b"bXYZ")


def linear_grey() -> bytes:
    """Grey whose numbers are amounts of light: an empty curve is the identity (ICC.1:2001-04, 6.5.3)."""
    return profile_of(b"GRAY", b"XYZ ", {b"wtpt": b"XYZ " + bytes(4) + D50, b"kTRC": b"curv" + bytes(8)})


def cmyk_where_cyan_is_grey() -> bytes:
    """CMYK of 2x2x2x2 points: no ink is white, cyan alone is L* = 50.2 without colour, everything else is black."""
    points = bytearray([0, 128, 128] * 16)  # Lab as bytes: L* of 255 is 100, a* and b* of 128 are 0
    points[0:3] = [255, 128, 128]
    points[8 * 3 : 8 * 3 + 3] = [128, 128, 128]  # the first ink varies slowest
    identity = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + bytes(points) + identity * 3
    return profile_of(b"CMYK", b"Lab ", {b"A2B0": table, b"A2B1": table})


def test_colour_profile_is_applied(tmp_path: Path) -> None:
    path = save(tmp_path, filled("RGB", (255, 0, 0)), "a.png", icc_profile=srgb_with_red_and_blue_exchanged())
    np.testing.assert_allclose(open_picture(path).pixels[0, 0], (0, 0, 255), atol=1)


def test_colour_profile_leaves_alpha_alone(tmp_path: Path) -> None:
    path = save(tmp_path, filled("RGBA", (255, 0, 0, 51)), "a.png", icc_profile=srgb_with_red_and_blue_exchanged())
    picture = open_picture(path)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, np.float32(51 / 255))
    np.testing.assert_allclose(picture.pixels[0, 0], (0, 0, 255), atol=1)


def test_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    levels = noise()
    path = save(tmp_path, Image.fromarray(levels), "a.png", icc_profile=srgb_profile())
    np.testing.assert_array_equal(open_picture(path).pixels, levels)


# IEC 61966-2-1: 128/255 of the light is 1.055 * 0.50196^(1/2.4) - 0.055 = 0.7368, times 255; 6/255 is 0.1662 times 255.
# 1542 is 6 * 257; the rest of a 16-bit level counts: 1670 is 6.5 * 257 and becomes 0.1737, times 255.
@pytest.mark.parametrize(
    ("mode", "level", "expected"),
    [
        ("L", 128, 187.9),
        ("LA", (128, 255), 187.9),
        ("I;16", 128 * 257, 187.9),
        ("I;16", 1542, 42.4),
        ("I;16", 1670, 44.3),
    ],
)
def test_grey_profile_is_applied(mode: str, level: Any, expected: float, tmp_path: Path) -> None:
    path = save(tmp_path, filled(mode, level), "a.png", icc_profile=linear_grey())
    np.testing.assert_allclose(open_picture(path).pixels[0, 0], expected, atol=0.6)


def test_cmyk_is_converted_through_its_profile(tmp_path: Path) -> None:
    path = save(tmp_path, filled("CMYK", (255, 0, 0, 0)), "a.tif", icc_profile=cmyk_where_cyan_is_grey())
    picture = open_picture(path)
    # CIE Lab to light: ((50.2 + 16) / 116)^3 = 0.1859; to sRGB: 1.055 * 0.1859^(1/2.4) - 0.055 = 0.4684, times 255
    np.testing.assert_allclose(picture.pixels[0, 0], 119.4, atol=2)
    assert picture.notes == ()


def test_cmyk_without_profile_is_converted_with_a_note(tmp_path: Path) -> None:
    picture = open_picture(save(tmp_path, filled("CMYK", (255, 0, 0, 0)), "a.tif"))
    np.testing.assert_array_equal(picture.pixels[0, 0], (0, 255, 255))
    assert "CMYK without a colour profile" in picture.notes[0]


def test_grey_picture_with_an_rgb_profile_keeps_its_levels(tmp_path: Path) -> None:
    profile = bytearray(srgb_profile())
    profile[24:36] = bytes(12)  # another date, so that it is not known by its bytes
    path = save(tmp_path, filled("L", 99), "a.png", icc_profile=bytes(profile))
    np.testing.assert_allclose(open_picture(path).pixels[0, 0], 99, atol=1)


@pytest.mark.parametrize(("mode", "level"), [("I;16", 40000), ("I", 40000), ("F", 40000 / 65535)])
def test_deep_grey_with_a_profile_that_does_not_fit_keeps_its_levels(mode: str, level: float, tmp_path: Path) -> None:
    profile = srgb_with_red_and_blue_exchanged()
    picture = open_picture(save(tmp_path, filled(mode, level), "a.tif", icc_profile=profile))
    np.testing.assert_allclose(picture.pixels, 40000 / 257, rtol=1e-6)
    assert "profile" in picture.notes[0]
    assert "was ignored" in picture.notes[0]


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16N"])
def test_grey_of_16_bits_in_every_order_of_bytes_goes_through_its_profile(mode: str) -> None:
    image = filled(mode, 1670)
    image.info["icc_profile"] = linear_grey()
    np.testing.assert_allclose(picture_from_pillow(image).pixels, 44.3, atol=0.6)


def test_profile_of_another_kind_of_colour_is_ignored_with_a_note(tmp_path: Path) -> None:
    picture = open_picture(save(tmp_path, filled("RGB", (9, 99, 199)), "a.png", icc_profile=linear_grey()))
    np.testing.assert_array_equal(picture.pixels[0, 0], (9, 99, 199))
    assert picture.notes == ("its colour profile is for GRAY, its pixels are RGB; the profile was ignored",)


# ---------------------------------------------------------------------------------------------------------------- depth


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_grey_of_16_bits_is_scaled_and_not_cut_off(name: str, tmp_path: Path) -> None:
    levels = np.tile(np.array([0, 1, 257, 300, 40000, 65535], np.uint16), (40, 8))
    picture = open_picture(save(tmp_path, Image.fromarray(levels), name))
    np.testing.assert_allclose(picture.pixels[0, :6, 1], [0, 1 / 257, 1, 300 / 257, 40000 / 257, 255], rtol=1e-6)
    np.testing.assert_array_equal(picture.pixels[..., 0], picture.pixels[..., 2])


def test_colour_of_16_bits_is_read_as_its_upper_8(tmp_path: Path) -> None:
    samples = np.tile(np.array([0, 300, 65535], ">u2"), (40, 48, 1))
    rows = b"".join(b"\x00" + row.tobytes() for row in samples)
    path = tmp_path / "a.png"
    path.write_bytes(png_of(48, 40, 16, 2, rows))
    np.testing.assert_array_equal(open_picture(path).pixels[0, 0], (0, 1, 255))


def png_of(width: int, height: int, depth: int, colour_type: int, rows: bytes, interlaced: int = 0) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def floats(*levels: float) -> Image.Image:
    return Image.fromarray(np.resize(np.array(levels, np.float32), (40, 48)))


@pytest.mark.parametrize(
    ("levels", "expected", "note"),
    [
        ((0.0, 0.5, 1.0), (0, 127.5, 255), "0 (black) to 1 (white)"),
        ((0.0, 100.5, 255.0), (0, 100.5, 255), "0 (black) to 255 (white)"),
        ((-1e-7, 0.5, 1.0000001), (0, 127.5, 255), "0 (black) to 1 (white)"),  # as resizing leaves them
        ((-1e-5, 100.5, 255.00002), (0, 100.5, 255), "0 (black) to 255 (white)"),
        ((0.0, 0.01, 0.02), (0, 2.55, 5.1), "0 (black) to 1 (white)"),
    ],
)
def test_float_grey_is_read_in_its_own_range_and_says_so(
    levels: tuple[float, ...], expected: tuple[float, ...], note: str, tmp_path: Path
) -> None:
    picture = open_picture(save(tmp_path, floats(*levels), "a.tif"))
    np.testing.assert_allclose(picture.pixels[0, :3, 0], expected, atol=1e-5)
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 255
    assert note in picture.notes[0]


@pytest.mark.parametrize(("mode", "level", "dark"), [("I", 255, True), ("I;16", 255, True), ("I", 256, False)])
def test_whole_numbers_that_were_meant_as_0_to_255_are_noted(mode: str, level: int, dark: bool, tmp_path: Path) -> None:
    notes = open_picture(save(tmp_path, filled(mode, level), "a.tif")).notes
    assert notes == (("its grey values are at most 255, of 65535 for white, so it is all but black",) if dark else ())


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (floats(0.0, 256.0), "grey values from 0 to 256"),
        (floats(-0.1, 1.0), "grey values from -0.1 to 1"),
        (floats(0.0, 1.004), "grey values from 0 to 1.004; 0 to 1 or 0 to 255 can be read"),  # was a black picture
        (floats(1.0, float("inf")), "not finite"),
        (floats(float("inf"), float("-inf")), "not finite"),
        (floats(*[1.0] * 1919, float("nan")), "not finite"),
        (filled("I", 70_000), "32-bit grey values from 70000 to 70000; 0 to 65535 can be read"),
        (filled("I", -1), "32-bit grey values from -1 to -1"),
    ],
)
def test_numbers_that_are_no_grey_levels_are_refused(image: Image.Image, reason: str, tmp_path: Path) -> None:
    path = save(tmp_path, image, "a.tif")
    with pytest.raises(BadImage) as refusal:
        inspect_image(path)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(("mode", "colour"), [("1", 1), ("L", 255), ("P", 0), ("RGB", (255, 255, 255)), ("I", 65535)])
def test_white_is_255_in_every_mode(mode: str, colour: Any, tmp_path: Path) -> None:
    image = filled(mode, colour)
    if mode == "P":
        image.putpalette([255, 255, 255])
    np.testing.assert_array_equal(open_picture(save(tmp_path, image, "a.tif")).pixels, 255)


@pytest.mark.parametrize("mode", ["LAB", "YCbCr", "HSV", "RGBX", "RGBa", "PA"])
def test_pillow_images_of_rare_modes_are_read(mode: str) -> None:
    image = Image.new("LA" if mode == "PA" else "RGB", (48, 40)).convert(mode) if mode != "RGBa" else filled("RGBa", 0)
    assert picture_from_pillow(image).pixels.shape == (40, 48, 3)


def test_picture_cut_off_inside_an_interlaced_png_is_noticed() -> None:
    # Grey, 8 bits, 5x5. Bytes of the passes of Adam7, each row with its filter byte: 2 + 2 + 3 + 4 + 4 + 9 + 12 = 36
    assert png.has_all_rows(png_of(5, 5, 8, 0, bytes(36), interlaced=1))
    assert not png.has_all_rows(png_of(5, 5, 8, 0, bytes(35), interlaced=1))


# --------------------------------------------------------------------------------------------------------- transparency


def test_colours_are_the_pictures_own_at_every_opacity_and_go_on_where_there_is_none(tmp_path: Path) -> None:
    levels = np.zeros((40, 48, 4), np.uint8)
    levels[..., :3] = (0, 255, 0)  # hidden, or else
    for column, opacity in ((1, 1), (2, 51), (3, 255)):
        levels[:, column::4] = (200, 0, 10, opacity)
    picture = open_picture(save(tmp_path, Image.fromarray(levels), "a.png"))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha[0, :4], np.array([0, 1 / 255, 51 / 255, 1], np.float32))
    np.testing.assert_allclose(picture.pixels, np.broadcast_to((200, 0, 10), (40, 48, 3)), atol=1e-3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_that_is_opaque_everywhere_is_no_alpha(mode: str, tmp_path: Path) -> None:
    colour = (9, 9, 9, 255) if mode == "RGBA" else (9, 255)
    assert open_picture(save(tmp_path, filled(mode, colour), "a.png")).alpha is None


@pytest.mark.parametrize(
    ("mode", "colour", "key"),
    [("P", 1, 1), ("P", 1, b"\x80\x00"), ("RGB", (1, 2, 3), (1, 2, 3)), ("L", 9, 9)],
    ids=["palette", "palette-with-grades", "RGB", "grey"],
)
def test_transparent_colour_of_a_png_becomes_alpha(mode: str, colour: Any, key: Any, tmp_path: Path) -> None:
    image = filled(mode, colour)
    if mode == "P":
        image.putpalette([255, 0, 0, 0, 255, 0])
    picture = open_picture(save(tmp_path, image, "a.png", transparency=key))
    assert picture.alpha is not None
    assert picture.alpha.max() == 0
    np.testing.assert_array_equal(picture.pixels, 127.5)
    assert len(picture.notes) == 1
    assert "completely transparent" in picture.notes[0]


# --------------------------------------------------------------------------------------------------- smaller on the way


@pytest.mark.parametrize("opened", ["path", "Pillow"])
@pytest.mark.parametrize(("depth", "level"), [(1, 1), (2, 2), (2, 0), (4, 13), (4, 1), (8, 13)])
def test_transparent_level_of_a_grey_png_is_in_the_depth_of_the_file(
    depth: int, level: int, opened: str, tmp_path: Path
) -> None:
    """W3C PNG, 11.3.1.1. Half of the picture is of that level, half of another."""
    samples = 8 // depth
    packed = [sum(value << depth * place for place in range(samples)) for value in (level, level ^ 1)]
    row = b"\0" + bytes([packed[0]]) * (24 // samples) + bytes([packed[1]]) * (24 // samples)
    data = png_of(48, 40, depth, 0, row * 40)
    chunk = b"tRNS" + struct.pack(">H", level)
    path = tmp_path / "a.png"
    path.write_bytes(data[:33] + struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:])
    picture = open_any(path if opened == "path" else Image.open(path))
    assert picture.alpha is not None
    assert picture.alpha[:, :24].max() == 0
    assert picture.alpha[:, 24:].min() == 1


@pytest.mark.parametrize("transparent", [False, True])
def test_beside_the_first_frame_of_a_gif_there_is_nothing_to_see(transparent: bool, tmp_path: Path) -> None:
    """GIF89a, 18 and 20: the screen's size, then the frame's place. Pillow fills the rest with colour 0."""
    file = io.BytesIO()
    Image.new("P", (40, 36), 1).save(file, "GIF", **({"transparency": 3} if transparent else {}))
    data = bytearray(file.getvalue())
    data[6:10] = struct.pack("<HH", 60, 50)
    at = data.rindex(b"," + struct.pack("<4H", 0, 0, 40, 36))
    data[at + 1 : at + 5] = struct.pack("<HH", 10, 8)
    path = tmp_path / "a.gif"
    path.write_bytes(data)
    for picture in (open_any(path), open_any(Image.open(path))):
        assert picture.size == (60, 50)
        assert picture.alpha is not None
        assert picture.alpha[8:44, 10:50].min() == 1
        assert picture.alpha.sum() == 40 * 36


def test_transparent_colour_of_16_bits_is_never_taken_for_another_one(tmp_path: Path) -> None:
    """Its lower bytes are the upper ones of the picture's colour."""
    row = b"\0" + struct.pack(">3H", 0x1234, 0x5678, 0x9ABC) * 48
    data, chunk = png_of(48, 40, 16, 2, row * 40), b"tRNS" + struct.pack(">3H", 0x12, 0x56, 0x9A)
    path = tmp_path / "a.png"
    path.write_bytes(data[:33] + struct.pack(">I", 6) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:])
    for picture in (open_any(path), open_any(Image.open(path))):
        assert picture.alpha is None
        assert picture.notes == ("its transparent colour of 16 bits was ignored",)
        assert tuple(picture.pixels[0, 0]) == (0x12, 0x56, 0x9A)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_made_smaller_on_the_way_in_gives_the_same_numbers_as_afterwards(mode: str, tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(noise(60, 90, 4)).convert(mode), "a.png")
    whole, smaller = open_picture(path), open_picture(path, longer_side=45)
    assert smaller.size == (45, 30)
    if whole.alpha is not None and smaller.alpha is not None:
        np.testing.assert_array_equal(smaller.pixels, whole.resized(45, 30)[0])
        np.testing.assert_array_equal(smaller.alpha, resize_alpha(whole.alpha, 45, 30))
    else:
        np.testing.assert_array_equal(smaller.pixels, resize(whole.pixels, 45, 30))
    assert (whole.alpha is None) == (smaller.alpha is None) == (mode in ("RGB", "L"))


def test_small_picture_is_not_made_larger_on_the_way_in(tmp_path: Path) -> None:
    assert open_picture(save(tmp_path, filled("RGB", 0), "a.png"), longer_side=4000).size == (48, 40)


# ------------------------------------------------------------------------------------------------------ the Python call


def test_path_pillow_image_and_array_give_the_same_pixels(tmp_path: Path) -> None:
    levels = noise()
    path = save(tmp_path, Image.fromarray(levels), "a.png")
    pictures = [open_any(source) for source in (str(path), path, Image.open(path), Image.fromarray(levels), levels)]
    for picture in pictures:
        np.testing.assert_array_equal(picture.pixels, levels)
        assert picture.size == (48, 40)
    assert [picture.name for picture in pictures] == ["a.png", "a.png", "a.png", "PIL image", "array"]


def test_pictures_without_a_file_are_known_by_their_pixels() -> None:
    levels = noise()
    first = picture_from_array(levels).sha256
    assert picture_from_pillow(Image.fromarray(levels)).sha256 == first
    levels[0, 0, 0] ^= 1
    assert picture_from_array(levels).sha256 != first


def test_callers_array_is_neither_kept_nor_changed() -> None:
    levels = noise()
    before = levels.copy()
    picture = picture_from_array(levels)
    picture.pixels[:] = 0
    np.testing.assert_array_equal(levels, before)


@pytest.mark.parametrize(
    ("array", "received"),
    [
        (np.zeros(40, np.uint8), "shape (40,), type uint8"),
        (np.zeros((40, 48, 2), np.uint8), "shape (40, 48, 2), type uint8"),
        (np.zeros((40, 48, 3), np.int16), "shape (40, 48, 3), type int16"),
    ],
)
def test_array_of_another_shape_or_type_is_a_value_error_that_says_what_it_got(array: Any, received: str) -> None:
    with pytest.raises(OptionError) as refusal:
        open_any(array)
    assert isinstance(refusal.value, ValueError)
    assert str(refusal.value).endswith(f"Received: {received}")


def test_anything_else_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"must be a path, a PIL image or an array\. Received: int"):
        open_any(42)  # type: ignore[arg-type]


def test_tiny_array_is_refused_like_a_tiny_file() -> None:
    with pytest.raises(BadImage, match="the array is 31x40 pixels; its shorter side must be at least 32"):
        picture_from_array(np.zeros((40, 31, 3), np.uint8))


def test_truncated_pillow_image_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(noise()), "a.png")
    path.write_bytes(path.read_bytes()[:2000])
    with Image.open(path) as image, pytest.raises(BadImage, match="the PIL image is truncated"):
        picture_from_pillow(image)


# ------------------------------------------------------------------------------------------------------------ the walls


@pytest.mark.slow
def test_commands_that_only_look_do_not_load_numpy() -> None:
    program = (
        "import sys; import pipeline.images.inspection, pipeline.images.metadata, pipeline.images.sizes;"
        " assert 'numpy' not in sys.modules and 'PIL.Image' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.slow
def test_hashing_does_not_even_load_pillow() -> None:
    program = "import sys; import pipeline.images.file_bytes; assert not {'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_few_of_many_warnings_become_notes_and_each_only_once() -> None:
    notes: list[str] = []
    with decode.decoding("a.tif", b"", notes):
        for words in ("first", "first", "second\x1b", "third", "fourth"):
            warnings.warn(words, stacklevel=1)
    assert notes == [f"the decoder warns: {words}" for words in ("first", r"second\x1b", "third")]


def test_lack_of_memory_is_not_called_a_bad_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, filled("RGB", 0), "a.png")

    def no_memory(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(decode, "to_canonical", no_memory)
    with pytest.raises(OutOfMemory, match=r"a\.png does not fit into this machine's memory"):
        open_picture(path)


def test_lack_of_memory_for_the_pixels_names_the_picture_and_no_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, filled("RGB", 0), "a.png")

    def no_memory(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("pipeline.images.picture._planes", no_memory)
    with pytest.raises(OutOfMemory, match=r"a\.png does not fit into this machine's memory; make it smaller first"):
        open_picture(path)


def test_heic_is_read_through_the_extra_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for pillow_heif, which registers a format called HEIF; this one sees a blue picture in every file."""
    path = tmp_path / "a.heic"
    path.write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100))

    class HeifImageFile(Image.Image):
        format = "HEIF"

        def __init__(self, file: Any, filename: str) -> None:
            super().__init__()
            blue = Image.new("RGB", (48, 40), (0, 0, 255))
            self.im, self._mode, self._size = blue.im, "RGB", blue.size

    def register() -> None:
        monkeypatch.setitem(Image.OPEN, "HEIF", (HeifImageFile, None))
        monkeypatch.setattr(Image, "ID", [*Image.ID, "HEIF"])

    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register))
    picture = open_picture(path)
    np.testing.assert_array_equal(picture.pixels[0, 0], (0, 0, 255))
    assert inspect_image(path).format == "HEIF"


def test_profile_of_outputs_is_a_small_valid_one_without_the_time_of_day() -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert len(srgb_profile()) < 1000
    assert struct.unpack(">6H", srgb_profile()[24:36]) == (2000, 1, 1, 0, 0, 0)  # ICC.1:2022, 7.2.8


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png", ".webp"])
def test_a_header_tells_the_sides_of_a_picture_that_xmp_turns(suffix: str, tmp_path: Path) -> None:
    """Of a TIFF without the tag itself they were exchanged in its pixels alone."""
    says = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[700], tags.tagtype[700] = says, 1
        filled("RGB", (9, 99, 199)).save(path, tiffinfo=tags)
    elif suffix == ".png":
        entries = PngInfo()
        entries.add_itxt("XML:com.adobe.xmp", says.decode())
        filled("RGB", (9, 99, 199)).save(path, pnginfo=entries)
    else:
        filled("RGB", (9, 99, 199)).save(path, xmp=says)
    assert image_size(path) == open_picture(path).size == (40, 48)
