"""Colour spaces that a file names without a profile: EXIF of cameras, chunks of PNG, boxes of AVIF."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.images.convert import srgb_profile
from pipeline.images.icc import is_linear, power_curve, rgb_profile, srgb_curve
from pipeline.images.picture import open_any, open_picture

COLOUR = (200, 120, 40)


def adobe_rgb_as_srgb(colour: tuple[int, ...]) -> Any:
    """By the matrices of Adobe RGB (1998), 4.3.6.1, and IEC 61966-2-1."""
    light = (np.array(colour) / 255) ** (563 / 256)
    to_xyz = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
    to_rgb = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    return srgb(to_rgb @ to_xyz @ light)


def srgb(light: Any) -> Any:
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def exif(space: int | None, index: str | None) -> Image.Exif:
    block = Image.Exif()
    block[0x8769] = ({0xA001: space} if space is not None else {}) | ({0xA005: {1: index}} if index else {})
    loaded = Image.Exif()
    loaded.load(block.tobytes())  # or Pillow cannot write it into a TIFF
    return loaded


def opened(folder: Path, name: str, **parameters: Any) -> Any:
    Image.new("RGB", (48, 40), COLOUR).save(folder / name, **parameters)
    return open_picture(folder / name)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize(("space", "index"), [(65535, "R03"), (None, "R03"), (2, None)])
def test_adobe_rgb_in_exif_alone_is_honoured_with_a_note(
    space: int | None, index: str | None, name: str, tmp_path: Path
) -> None:
    lossless = {"a.webp": {"lossless": True}, "a.jpg": {"quality": 100, "subsampling": 0}}.get(name, {})
    opened(tmp_path, name, exif=exif(space, index), **lossless)
    path = tmp_path / name
    if name == "a.tif" and index:  # Pillow leaves the block where it was in memory
        data, pointer = path.read_bytes(), struct.pack("<HHI", 0xA005, 4, 1)
        at = data.index(pointer) + len(pointer)
        block = struct.pack("<HHHI4sI", 1, 1, 2, 4, index.encode() + b"\0", 0)
        path.write_bytes(data[:at] + struct.pack("<I", len(data)) + data[at + 4 :] + block)
    picture = open_picture(path)
    np.testing.assert_allclose(picture.pixels[20, 20], adobe_rgb_as_srgb(COLOUR), atol=2.5)
    assert picture.notes == ("its EXIF says that its colours are Adobe RGB; they were converted",)
    np.testing.assert_array_equal(open_any(Image.open(path)).pixels, picture.pixels)


@pytest.mark.parametrize(
    ("space", "index", "note"),
    [
        (1, "R98", None),
        (1, "R03", None),
        (None, None, None),
        (65535, None, "not sRGB, but not which"),
        (65535, "R98", "not"),
    ],
)
def test_other_words_of_exif_leave_colours_alone(
    space: int | None, index: str | None, note: str | None, tmp_path: Path
) -> None:
    picture = opened(tmp_path, "a.png", exif=exif(space, index))
    np.testing.assert_array_equal(picture.pixels[0, 0], COLOUR)
    assert len(picture.notes) == (note is not None)
    assert (note or "") in "".join(picture.notes)


def test_a_profile_counts_for_more_than_exif(tmp_path: Path) -> None:
    picture = opened(tmp_path, "a.png", exif=exif(65535, "R03"), icc_profile=srgb_profile())
    np.testing.assert_array_equal(picture.pixels[0, 0], COLOUR)
    assert picture.notes == ()


def png_with(folder: Path, *chunks: tuple[bytes, bytes]) -> Any:
    file = io.BytesIO()
    Image.new("RGB", (48, 40), COLOUR).save(file, "PNG")
    data = file.getvalue()
    inserted = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    (folder / "a.png").write_bytes(data[:33] + inserted + data[33:])
    return open_picture(folder / "a.png")


def gama(gamma: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def chrm(*points: float) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(point * 100_000) for point in points))


SRGB_POINTS = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_POINTS = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)


def test_gamma_of_a_png_is_honoured(tmp_path: Path) -> None:
    expected = srgb(np.array(COLOUR) / 255)
    np.testing.assert_allclose(png_with(tmp_path, gama(1.0)).pixels[0, 0], expected, atol=1)


def grey_png(folder: Path, depth: int, *chunks: tuple[bytes, bytes], opacity: int | None = None) -> Any:
    """A PNG (W3C, 11.2) of one grey of a fifth of all light, where its numbers are in proportion to light."""
    level = round(0.2 * (2**depth - 1)).to_bytes(depth // 8, "big")
    row = b"\0" + (level + (b"" if opacity is None else bytes([opacity]))) * 48
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 48, 40, depth, 0 if opacity is None else 4, 0, 0, 0)),
        *chunks,
        (b"IDAT", zlib.compress(row * 40)),
        (b"IEND", b""),
    ]
    path = folder / "grey.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in parts
        )
    )
    return open_picture(path)


@pytest.mark.parametrize("chunk", [gama(1.0), (b"cICP", bytes([1, 8, 0, 1]))])
@pytest.mark.parametrize(("depth", "opacity"), [(8, None), (16, None), (8, 128)])
def test_what_a_grey_png_says_of_its_curve_is_honoured(
    chunk: tuple[bytes, bytes], depth: int, opacity: int | None, tmp_path: Path
) -> None:
    picture = grey_png(tmp_path, depth, chunk, opacity=opacity)
    np.testing.assert_allclose(picture.pixels, srgb(0.2), atol=1.5)
    assert (picture.alpha is None) == (opacity is None)
    assert picture.notes == ()


@pytest.mark.parametrize("chunks", [[gama(0.45455)], [(b"sRGB", b"\0"), gama(1.0)], [(b"cICP", bytes([1, 13, 0, 1]))]])
def test_usual_words_of_a_grey_png_leave_its_levels_alone(chunks: list[tuple[bytes, bytes]], tmp_path: Path) -> None:
    assert grey_png(tmp_path, 8, *chunks).pixels[0, 0, 0] == 51
    assert grey_png(tmp_path, 16, *chunks).pixels[0, 0, 0] == pytest.approx(51, abs=0.01)


def test_colour_of_16_bits_in_linear_light_says_that_its_shadows_are_coarse(tmp_path: Path) -> None:
    """GIMP and darktable export such; Pillow reads the upper 8 bits."""
    colour = b"".join(struct.pack(">H", level * 257) for level in COLOUR)
    rows = zlib.compress((b"\0" + colour * 48) * 40)
    whole = [(b"IHDR", struct.pack(">IIBBBBB", 48, 40, 16, 2, 0, 0, 0)), gama(1.0), (b"IDAT", rows), (b"IEND", b"")]
    for left_out, words in (((), "16 bits per colour in linear light"), ((1,), "")):
        data = b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for number, (name, body) in enumerate(whole)
            if number not in left_out
        )
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
        notes = open_picture(tmp_path / "a.png").notes
        assert len(notes) == bool(words)
        assert words in "".join(notes)


@pytest.mark.parametrize(
    "curve",
    [b"curv" + bytes(8), b"curv" + bytes(7) + b"\1\1\0", b"para" + bytes(8) + b"\0\1\0\0"],
    ids=["identity", "power of 1 as u8Fixed8", "power of 1 as s15Fixed16"],
)
def test_every_way_to_say_linear_is_known(curve: bytes) -> None:
    """ICC.1:2022, 10.6 and 10.18."""
    points = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.3127, 0.329))
    assert is_linear(rgb_profile(*points, curve))
    assert not is_linear(rgb_profile(*points, srgb_curve()))
    assert not is_linear(rgb_profile(*points, power_curve(2.2)))


def with_profile_in_two_parts(data: bytes) -> bytes:
    """A JPEG whose profile says that it has two parts; the second one is not there (ICC.1:2022, B.4)."""
    part = b"ICC_PROFILE\0\1\2" + srgb_profile()
    return data[:2] + b"\xff\xe2" + struct.pack(">H", len(part) + 2) + part + data[2:]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_profile_of_a_jpeg_that_lost_a_part_is_said_to_be_damaged(mode: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new(mode, (48, 40)).save(file, "JPEG")
    (tmp_path / "a.jpg").write_bytes(with_profile_in_two_parts(file.getvalue()))
    first, *others = open_picture(tmp_path / "a.jpg").notes
    assert first.startswith("its colour profile is damaged and was ignored")
    assert [note[:7] for note in others] == (["is CMYK"] if mode == "CMYK" else [])


def test_profile_of_a_png_that_cannot_be_unpacked_is_said_to_be_damaged(tmp_path: Path) -> None:
    picture = png_with(tmp_path, (b"iCCP", b"name\0\0no deflated bytes"))
    assert picture.notes == ("its colour profile is damaged and was ignored; colours were taken as sRGB",)
    np.testing.assert_array_equal(picture.pixels[0, 0], COLOUR)


def test_primaries_of_a_png_are_honoured(tmp_path: Path) -> None:
    picture = png_with(tmp_path, gama(256 / 563), chrm(*ADOBE_POINTS))
    np.testing.assert_allclose(picture.pixels[0, 0], adobe_rgb_as_srgb(COLOUR), atol=1.5)


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(0.45455), chrm(*SRGB_POINTS)],
        [gama(0.45455)],
        [chrm(*SRGB_POINTS)],
        [(b"sRGB", b"\0"), gama(1.0)],
        [(b"cICP", bytes([1, 13, 0, 1])), gama(1.0)],
        [gama(0.0)],
        [gama(1000.0)],
        [gama(0.45455), chrm(*[0.0] * 8)],
        [gama(0.45455), chrm(0.3127, 0.329, *[0.3, 0.3] * 3)],
    ],
)
def test_usual_and_impossible_chunks_leave_colours_alone(chunks: list[tuple[bytes, bytes]], tmp_path: Path) -> None:
    np.testing.assert_array_equal(png_with(tmp_path, *chunks).pixels[0, 0], COLOUR)


def test_coded_colours_of_a_png_are_honoured_and_count_for_more_than_gamma(tmp_path: Path) -> None:
    """Display P3 (12) with sRGB's curve (13), as phones write it: its grey is grey, its colours are stronger."""
    picture = png_with(tmp_path, (b"cICP", bytes([12, 13, 0, 1])), gama(1.0))
    light = np.where(np.array(COLOUR) / 255 <= 0.04045, 0, ((np.array(COLOUR) / 255 + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0, 0.04511, 1.04394]])
    to_rgb = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    np.testing.assert_allclose(picture.pixels[0, 0], srgb(to_rgb @ to_xyz @ light), atol=1.5)


@pytest.mark.parametrize(("codes", "words"), [((9, 16), "HDR (PQ)"), ((9, 18), "HDR (HLG)"), ((77, 13), "rare kind")])
def test_coded_colours_that_cannot_be_honoured_are_said(codes: tuple[int, int], words: str, tmp_path: Path) -> None:
    picture = png_with(tmp_path, (b"cICP", bytes([*codes, 0, 1])))
    np.testing.assert_array_equal(picture.pixels[0, 0], COLOUR)
    assert words in picture.notes[0]


def test_profile_in_a_bmp_is_honoured(tmp_path: Path) -> None:
    """Header of version 5: 124 bytes behind the first 14, the profile behind the pixels."""
    pixels = bytes(COLOUR[::-1]) * 48 * 40
    profile = rgb_profile((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), (0.3127, 0.3290), power_curve(563 / 256))
    start = 14 + 124
    header = struct.pack("<IiiHHIIiiII", 124, 48, 40, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    header += bytes(16) + b"DEBM" + bytes(52) + struct.pack("<II", start - 14 + len(pixels), len(profile)) + bytes(4)
    first = b"BM" + struct.pack("<IHHI", start + len(pixels) + len(profile), 0, 0, start)
    (tmp_path / "a.bmp").write_bytes(first + header.ljust(124, b"\0") + pixels + profile)
    np.testing.assert_allclose(open_picture(tmp_path / "a.bmp").pixels[0, 0], adobe_rgb_as_srgb(COLOUR), atol=1.5)


def test_coded_colours_of_an_avif_are_honoured(tmp_path: Path) -> None:
    plain = opened(tmp_path, "a.avif", quality=100, subsampling="4:4:4").pixels[20, 20]
    data = (tmp_path / "a.avif").read_bytes()
    at = data.index(b"nclx") + 4
    (tmp_path / "a.avif").write_bytes(data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :])
    wide = open_picture(tmp_path / "a.avif").pixels[20, 20]
    np.testing.assert_allclose(plain, COLOUR, atol=4)
    assert wide[0] > plain[0] + 5  # red is stronger than sRGB's
    assert wide[2] < plain[2] - 5
