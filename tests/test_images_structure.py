"""Files made to keep a decoder busy: counted in their raw bytes and refused before it sees them. Colour profiles too."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images import decode, structure
from pipeline.images.convert import srgb_profile
from pipeline.images.icc import too_much
from pipeline.images.inspection import image_size, inspect_image
from pipeline.images.picture import open_picture


def saved(kind: str, **parameters: Any) -> bytes:
    file = io.BytesIO()
    ramp = np.add.outer(np.arange(40), np.arange(48)).astype(np.uint8) * 2
    Image.fromarray(np.stack([ramp, 255 - ramp, ramp // 2], -1)).save(file, kind, **parameters)
    return file.getvalue()


def jpeg_of_scans(count: int) -> bytes:
    """The last scan of a progressive JPEG, which refines what is there, again and again."""
    data = saved("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (count - data.count(b"\xff\xda")) + data[-2:]


def png_of_chunks(count: int) -> bytes:
    data = saved("PNG")
    tiny = b"\0\0\0\0teSt" + struct.pack(">I", 0x12345678)
    return data[:33] + tiny * count + data[33:]  # 33: signature and IHDR


def gif_of_comments(count: int) -> bytes:
    data = saved("GIF")
    at = data.index(b",")
    return data[:at] + b"!\xfe\x01a\0" * count + data[at:]


def webp_of_chunks(count: int) -> bytes:
    data = saved("WEBP") + b"XXXX\0\0\0\0" * count
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def bmp_of_run_lengths(width: int, height: int) -> bytes:
    colours = bytes(1024)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, 100, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 14 + 40 + 1024 + 100, 0, 0, 1078) + header + colours + bytes(100)


def tiff_of(tags: list[tuple[int, int, int, int]], count: int | None = None) -> bytes:
    """A TIFF whose directory has (tag, type, count, value or offset)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags) if count is None else count) + entries + bytes(4096)


SHORT, LONG = 3, 4
RGB_64 = [(256, LONG, 1, 64), (257, LONG, 1, 64), (258, SHORT, 1, 8), (259, SHORT, 1, 1), (262, SHORT, 1, 1)]


def exif_of_tags(count: int) -> bytes:
    tiff = tiff_of([*RGB_64, (34665, LONG, 1, 200)])
    return tiff[:200] + struct.pack("<H", count) + struct.pack("<HHII", 1, 1, 1, 1) * count


HEADERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "JPEG of segments": (lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 10_001 + saved("JPEG")[2:], "10,000 segments"),
    "JPEG of fill": (lambda: b"\xff\xd8" + b"\xff" * 70_000 + saved("JPEG")[2:], "65,536 bytes between its segments"),
    "JPEG of rubbish": (lambda: b"\xff\xd8" + bytes(70_000) + saved("JPEG")[2:], "65,536 bytes between its segments"),
    "PNG of chunks": (lambda: png_of_chunks(100_001), "more than 100,000 chunks"),
    "GIF of comments": (lambda: gif_of_comments(4_001), "4,000 blocks of comments and metadata"),
    "WebP of chunks": (lambda: webp_of_chunks(100_001), "more than 100,000 chunks"),
    "BMP of run lengths": (lambda: bmp_of_run_lengths(5000, -4000), "BMP in run lengths of 5000x4000 pixels"),
    "AVIF of boxes": (lambda: b"\0\0\0\x10ftypavif" + bytes(4) + b"\0\0\0\x08free" * 10_001, "10,000 boxes"),
    "TIFF of tags": (lambda: tiff_of([(n, SHORT, 1, 1) for n in range(1001)]), "is a TIFF with 1,001 tags; at most"),
    "BigTIFF of tags": (
        lambda: b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 10**6) + struct.pack("<HHQQ", 9, 9, 9, 9) * 1000,
        "1,000,000 tags",
    ),
    "TIFF of EXIF tags": (lambda: exif_of_tags(2000), "2,000 tags"),
    "TIFF of one huge tile": (
        lambda: tiff_of([*RGB_64, (322, LONG, 1, 32768), (323, LONG, 1, 16384), (324, LONG, 1, 300)]),
        "tiles of 32768x16384 pixels, larger than the picture",
    ),
    "TIFF of pieces": (lambda: tiff_of([*RGB_64, (273, LONG, 500_001, 300)]), "in 500,001 pieces; at most 500,000"),
}


def refused(path: Path, data: bytes, look: Callable[[Path], object]) -> str:
    path.write_bytes(data)
    with pytest.raises(BadImage) as refusal:
        look(path)
    return str(refusal.value)


@pytest.mark.parametrize("kind", HEADERS)
def test_too_much_before_the_pixels_is_refused_also_by_who_asks_for_the_size_alone(kind: str, tmp_path: Path) -> None:
    build, words = HEADERS[kind]
    for look in (image_size, inspect_image):
        reason = refused(tmp_path / "a.img", build(), look)
        assert words in reason
        assert "smaller size" not in reason


def test_too_many_scans_are_refused_and_many_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    assert "more than 50 scans; it may have been made to keep" in refused(path, jpeg_of_scans(51), inspect_image)
    path.write_bytes(jpeg_of_scans(50))
    assert inspect_image(path).format == "JPEG"


def test_scans_of_a_thumbnail_are_not_the_pictures(tmp_path: Path) -> None:
    """In a segment, the bytes of a scan's marker mean nothing."""
    thumbnail = b"\xff\xe2" + struct.pack(">H", 1002) + b"\xff\xda" * 500
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8" + thumbnail + saved("JPEG")[2:])
    assert inspect_image(tmp_path / "a.jpg").format == "JPEG"


def test_chunks_behind_the_first_pixels_count_too(tmp_path: Path) -> None:
    data = saved("PNG")
    late = data[:-12] + png_of_chunks(100_001)[33 : 33 + 12 * 100_001] + data[-12:]
    assert "more than 100,000 chunks" in refused(tmp_path / "a.png", late, inspect_image)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_usual_files_are_far_within_the_bounds(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_SCANS", "MAX_CHUNKS", "MAX_SEGMENTS", "MAX_GIF_BLOCKS", "MAX_BOXES"):
        monkeypatch.setattr(structure, name, getattr(structure, name) // 5)
    parameters = {"JPEG": {"progressive": True}, "PNG": {"compress_level": 0}}.get(kind, {})
    data = saved(kind, **parameters)
    structure.check_beginning(io.BytesIO(data), data)
    structure.check_whole(io.BytesIO(data), data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_files_cut_off_anywhere_are_counted_to_their_end(kind: str) -> None:
    data = saved(kind)
    for length in range(0, len(data), max(1, len(data) // 200)):
        for check in (structure.check_beginning, structure.check_whole):
            try:
                check(io.BytesIO(data[:length]), data[:length])
            except structure.UnfitError as reason:
                assert "damaged or cut off" in str(reason)  # noqa: PT017 - either is right


def test_a_tiff_whose_writer_did_not_come_to_its_end_is_damaged(tmp_path: Path) -> None:
    """Its directory would lie at byte 0."""
    data = b"II*\0\0\0\0\0" + bytes(500)
    for look in (image_size, inspect_image):
        assert "starts like TIFF but is damaged or cut off; copy it again" in refused(tmp_path / "a.tif", data, look)


def test_warnings_are_not_kept_by_the_million() -> None:
    notes: list[str] = []
    with decode.decoding("a.tif", b"", notes):
        for number in range(2000):
            warnings.warn("x" * 10_000 + str(number), stacklevel=1)
        warnings.warn("other", stacklevel=1)
    assert [len(note) for note in notes] == [len("the decoder warns: ") + 300, len("the decoder warns: other")]


# ------------------------------------------------------------------------------------------------------ Pillow's modules


@pytest.mark.slow
def test_pillow_knows_the_formats_that_are_read_and_no_other(tmp_path: Path) -> None:
    """Not EPS, which starts Ghostscript: after reading, refusing and writing every kind of file."""
    program = """
import io, sys
from PIL import Image
import numpy as np
from pipeline.errors import BadImage
from pipeline.images import decode
from pipeline.images.encode import FORMAT_OF_SUFFIX, encode_picture
from pipeline.images.inspection import inspect_image
from pathlib import Path
path = Path(sys.argv[1])
for suffix in FORMAT_OF_SUFFIX:
    path.write_bytes(encode_picture(np.zeros((40, 48, 3), np.float32), None, suffix, 90, {}))
    inspect_image(path)
for rest in (b"%!PS-Adobe-3.0 EPSF-3.0", b"P6 48 40 255 " + bytes(48 * 40 * 3), bytes(99)):
    path.write_bytes(rest)
    try: inspect_image(path)
    except BadImage: pass
    else: raise AssertionError(rest)
print(sorted(set(Image.OPEN) | set(Image.SAVE)), sorted(decode.FORMATS))
print([name for name in sys.modules if name.startswith("PIL.") and ("Eps" in name or "Wmf" in name or "Fpx" in name)])
"""

    def run(path: str) -> list[str]:
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    formats, modules = run(str(tmp_path / "a.png"))
    read = ["AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"]
    assert formats == f"{sorted([*read, 'DIB'])} {read}"  # DIB is a BMP without its head, part of the same module
    assert modules == "[]"


# -------------------------------------------------------------------------------------------------------------- profiles


def profile_with(tag: bytes, name: bytes = b"D2B0", count: int = 1) -> bytes:
    start = 128 + 4 + 12 * count
    table = struct.pack(">I", count) + (name + struct.pack(">II", start, len(tag))) * min(count, 200)
    head = struct.pack(">I4xI4s4s4s12x4s88x", start + len(tag), 0x04400000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    return head[:128] + table + tag


def steps(count: int, channels: int = 1) -> bytes:
    """A chain of matrices (ICC.1:2022, 10.17)."""
    matrix = b"matf\0\0\0\0" + struct.pack(">HH", channels, channels) + bytes(4 * channels * (channels + 1))
    first = 16 + 8 * count
    return b"mpet\0\0\0\0" + struct.pack(">HHI", 1, 1, count) + struct.pack(">II", first, len(matrix)) * count + matrix


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (profile_with(steps(50_000)), "has 50,000 steps"),
        (profile_with(steps(3, channels=15)), "has a step of 15 channels"),
        (profile_with(b"mft1\0\0\0\0\x0f\x03\x02\0" + bytes(99), b"A2B0"), "has tables of 15 channels"),
        (profile_with(b"mAB \0\0\0\0\x0c\x03\0\0" + bytes(99), b"A2B0"), "has tables of 12 channels"),
        (
            profile_with(b"curv\0\0\0\0" + struct.pack(">I", 2**20) + bytes(2**21), b"kTRC"),
            "curves of 1,048,576 points",
        ),
        (profile_with(b"cvst" * 20, count=101), "has 101 parts"),
        (profile_with(bytes(2**25)), "has 32 MiB"),
    ],
)
def test_profile_of_too_much_work_is_left_out_with_a_word(profile: bytes, words: str, tmp_path: Path) -> None:
    assert words in (too_much(profile) or "")
    if len(profile) < 2**20:
        ramp = np.tile(np.arange(48, dtype=np.uint8), (40, 1))
        Image.fromarray(ramp).save(tmp_path / "a.png", icc_profile=profile)
        picture = open_picture(tmp_path / "a.png")
        np.testing.assert_array_equal(picture.pixels[..., 0], ramp)
        assert picture.notes == (
            f"its colour profile {words}, too much to work through, and was ignored; colours were taken as sRGB",
        )


@pytest.mark.parametrize("profile", [srgb_profile()[:141], srgb_profile()[:133]])
def test_profile_that_is_cut_short_costs_no_picture(profile: bytes, tmp_path: Path) -> None:
    assert too_much(profile) is None
    Image.new("RGB", (48, 40)).save(tmp_path / "a.png", icc_profile=profile)
    assert inspect_image(tmp_path / "a.png").notes == (
        "its colour profile is damaged and was ignored; colours were taken as sRGB",
    )


@pytest.mark.parametrize("profile", [srgb_profile(), profile_with(steps(3)), b"", b"rubbish" * 40])
def test_usual_profiles_are_not_too_much(profile: bytes) -> None:
    assert too_much(profile) is None
