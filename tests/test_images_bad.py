"""Eighty files that are broken, hostile or merely strange, each with what has to come of it.

Most are made from bytes (the table FILES); folders, links, pipes and odd names have tests of their own below. The
number of a case stands in its id.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import struct
import sys
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import PATIENCE
from PIL import Image, ImageCms, PngImagePlugin

from pipeline.errors import BadImage
from pipeline.images.file_bytes import hash_file, read_source
from pipeline.images.inspection import image_size, inspect_image
from pipeline.images.picture import open_picture

WIDTH, HEIGHT = 48, 40  # of every picture here that has no reason to be another size


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    """A pipe or an endless file must fail a test, not stop the suite."""

    def give_up(*_: Any) -> None:
        pytest.fail(
            f"still busy after {PATIENCE:g} seconds"
        )  # no Exception, so nobody takes it for a file that cannot be read

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(round(PATIENCE))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# ----------------------------------------------------------------------------------------------------- making the files


def colours() -> Image.Image:
    """A smooth picture of WIDTH x HEIGHT in RGB."""
    ramp = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) * 2
    return Image.fromarray(np.stack([ramp, 255 - ramp, ramp // 2 + 60], axis=-1).astype(np.uint8))


def saved(kind: str, image: Image.Image | None = None, **parameters: Any) -> bytes:
    file = io.BytesIO()
    (image or colours()).save(file, kind, **parameters)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """W3C PNG specification, 5.3: length, name, content, checksum of name and content."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, depth: int = 8, colour_type: int = 2, rows: bytes | None = None) -> bytes:
    """A PNG made by hand; without `rows`, its pixels are black."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    if rows is None:
        rows = bytes(1 + (width * channels * depth + 7) // 8) * height
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    )


def png_header_only(width: int, height: int) -> bytes:
    return png(width, height, rows=b"\x00" * 64)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def with_bytes(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def jpeg_with_zeroed_scan() -> bytes:
    data = saved("JPEG", quality=95)
    return with_bytes(data, data.index(b"\xff\xda") + 200, bytes(60))


def jpeg_claiming(width: int, height: int) -> bytes:
    """A JPEG whose frame header (ITU-T T.81, B.2.2) says another size."""
    data = saved("JPEG")
    return with_bytes(data, data.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


def jpeg_segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_with_exif(exif: bytes) -> bytes:
    data = saved("JPEG")
    return data[:2] + jpeg_segment(0xE1, b"Exif\x00\x00" + exif) + data[2:]


def oriented(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return saved("JPEG", exif=exif)


def with_text(**entries: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in entries.items():
        info.add_text(key, text)
    return saved("PNG", pnginfo=info)


def zipped_text_bomb() -> bytes:
    data = png(WIDTH, HEIGHT)
    bomb = chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(5_000_000)))
    return data[:33] + bomb + data[33:]  # 33: after the signature (8) and IHDR (25)


def frames(kind: str) -> bytes:
    other = colours().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return saved(kind, save_all=True, append_images=[other, colours()])


def sixteen_bit_grey() -> bytes:
    row = np.linspace(0, 65535, WIDTH).astype(">u2").tobytes()
    return png(WIDTH, HEIGHT, 16, 0, (b"\x00" + row) * HEIGHT)


def floats(value: float) -> bytes:
    return saved("TIFF", Image.fromarray(np.full((HEIGHT, WIDTH), value, np.float32)))


def palette_with_transparency() -> bytes:
    return saved("PNG", colours().quantize(16), transparency=0)


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
HTML = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>"
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>'
FAKE_HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100)
GARBAGE_AVIF = b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf" + b"\xa5" * 300
XBM = b"#define a_width 64\n#define a_height 64\nstatic char a_bits[] = {0x00};\n"


@dataclass(frozen=True)
class File:
    """A case: what is in the file, and either why it is refused or as what it is read."""

    number: int
    title: str
    name: str
    build: Callable[[], bytes]
    refused: str = ""  # words of the reason
    size: tuple[int, int] = (WIDTH, HEIGHT)
    kind: str = ""
    note: str = ""  # words of the one note; "" means that there is none

    @property
    def id(self) -> str:
        return f"{self.number:02}-{self.title}"


DAMAGED = "damaged or cut off"
CUT = "truncated"
MANY = "at most 110 million are allowed"

FILES = (
    File(1, "empty", "a.jpg", lambda: b"", "is an empty file"),
    File(2, "one-byte", "a.jpg", lambda: b"\xff", "is not a picture this program reads"),
    File(3, "html", "a.jpg", lambda: HTML, "looks like HTML"),
    File(4, "text", "a.png", lambda: b"hello, I am not a picture\n", "it is text"),
    File(5, "jpeg-cut-at-half", "a.jpg", lambda: half(saved("JPEG", quality=95)), CUT),
    File(6, "jpeg-cut-in-header", "a.jpg", lambda: saved("JPEG")[:15], CUT),
    File(7, "jpeg-without-last-2-bytes", "a.jpg", lambda: saved("JPEG")[:-2], CUT),
    File(8, "png-cut-at-half", "a.png", lambda: half(saved("PNG")), CUT),
    File(9, "png-without-end", "a.png", lambda: saved("PNG")[:-12], kind="PNG", note="without its end mark"),
    File(10, "webp-cut-at-half", "a.webp", lambda: half(saved("WEBP")), DAMAGED),
    File(11, "tiff-cut-at-half", "a.tif", lambda: half(saved("TIFF")), CUT),
    File(12, "jpeg-with-zeroed-scan", "a.jpg", jpeg_with_zeroed_scan, kind="JPEG"),
    File(13, "png-bit-flip", "a.png", lambda: with_bytes(saved("PNG"), 80, b"\xa5\x5a\xa5"), DAMAGED),
    File(14, "png-bad-header-checksum", "a.png", lambda: with_bytes(saved("PNG"), 29, b"\x00\x01"), "starts like PNG"),
    File(15, "png-60000x60000", "a.png", lambda: png_header_only(60000, 60000), "more than the 110 million"),
    File(16, "png-12000x12000", "a.png", lambda: png_header_only(12000, 12000), MANY),
    File(17, "png-width-0", "a.png", lambda: png_header_only(0, 40), "starts like PNG but is damaged"),
    File(18, "png-width-2147483647", "a.png", lambda: png_header_only(2**31 - 1, 40), "more than the 110 million"),
    File(20, "png-too-few-rows", "a.png", lambda: png(WIDTH, HEIGHT, rows=bytes(145) * 9), CUT),
    File(21, "png-text-bomb", "a.png", zipped_text_bomb, DAMAGED),
    File(22, "jpeg-with-script-behind", "a.jpg", lambda: saved("JPEG") + b"<script>alert(1)</script>", kind="JPEG"),
    File(23, "png-named-jpg", "a.jpg", lambda: saved("PNG"), kind="PNG", note="is PNG though its name ends in .jpg"),
    File(
        24, "jpeg-named-png", "a.png", lambda: saved("JPEG"), kind="JPEG", note="is JPEG though its name ends in .png"
    ),
    File(25, "eps-named-jpg", "a.jpg", lambda: saved("EPS"), "is PostScript (EPS)"),
    File(26, "svg-named-png", "a.png", lambda: SVG, "is SVG"),
    File(27, "pdf-named-jpg", "a.jpg", lambda: b"%PDF-1.7\n" + bytes(200), "is a PDF"),
    File(
        28,
        "cmyk",
        "a.jpg",
        lambda: saved("JPEG", colours().convert("CMYK")),
        kind="JPEG",
        note="is CMYK without a colour profile",
    ),
    File(29, "grey", "a.jpg", lambda: saved("JPEG", colours().convert("L")), kind="JPEG"),
    File(30, "grey-16-bit", "a.png", sixteen_bit_grey, kind="PNG"),
    File(31, "1-bit", "a.png", lambda: saved("PNG", colours().convert("1")), kind="PNG"),
    File(32, "palette-with-transparency", "a.png", palette_with_transparency, kind="PNG"),
    File(
        33,
        "completely-transparent",
        "a.png",
        lambda: saved("PNG", Image.new("RGBA", (WIDTH, HEIGHT), (255, 0, 0, 0))),
        kind="PNG",
        note="is completely transparent",
    ),
    File(34, "grey-with-alpha", "a.png", lambda: saved("PNG", Image.new("LA", (WIDTH, HEIGHT), (9, 99))), kind="PNG"),
    File(35, "float-tiff-of-nan", "a.tif", lambda: floats(float("nan")), "not finite numbers"),
    File(36, "animated-gif", "a.gif", lambda: frames("GIF"), kind="GIF", note="several frames or pages; the first"),
    File(37, "tiff-of-pages", "a.tif", lambda: frames("TIFF"), kind="TIFF", note="several frames or pages; the first"),
    File(38, "animated-png", "a.png", lambda: frames("PNG"), kind="PNG", note="several frames or pages; the first"),
    File(39, "1x1", "a.png", lambda: png(1, 1), "is 1x1 pixels; its shorter side must be at least 32"),
    File(40, "33x4000", "a.png", lambda: png(33, 4000), "at most 32 times its shorter side"),
    File(41, "all-black", "a.png", lambda: png(WIDTH, HEIGHT), kind="PNG"),
    File(42, "orientation-6", "a.jpg", lambda: oriented(6), size=(HEIGHT, WIDTH), kind="JPEG"),
    File(43, "orientation-99", "a.jpg", lambda: oriented(99), kind="JPEG"),
    File(44, "garbage-exif", "a.jpg", lambda: jpeg_with_exif(b"\xde\xad" * 40), kind="JPEG"),
    File(44, "garbage-exif-png", "a.png", lambda: saved("PNG", exif=b"rubbish"), kind="PNG", note="EXIF block cannot"),
    File(
        45,
        "truncated-exif",
        "a.jpg",
        lambda: jpeg_with_exif(b"II*\x00\x08\x00\x00\x00\x05\x00\x12\x01\x03"),
        kind="JPEG",
        note="the decoder warns: Corrupt EXIF data",
    ),
    File(
        46,
        "garbage-icc",
        "a.jpg",
        lambda: saved("JPEG", icc_profile=b"\x00rubbish" * 30),
        kind="JPEG",
        note="its colour profile is damaged",
    ),
    File(
        47,
        "truncated-icc",
        "a.jpg",
        lambda: saved("JPEG", icc_profile=half(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())),
        kind="JPEG",
        note="its colour profile is damaged",
    ),
    File(48, "script-in-text", "a.png", lambda: with_text(Title="<script>\x1b[31m", stylize="\x1b]0;x"), kind="PNG"),
    File(49, "progressive-jpeg", "a.jpg", lambda: saved("JPEG", progressive=True), kind="JPEG"),
    File(50, "fake-heic", "a.jpg", lambda: FAKE_HEIC, "HEIC"),
    File(51, "garbage-avif", "a.avif", lambda: GARBAGE_AVIF, "damaged"),
    File(52, "git-lfs-pointer", "a.jpg", lambda: LFS_POINTER, "run `git lfs pull`"),
    File(53, "ico", "a.png", lambda: saved("ICO"), "is a Windows icon"),
    File(54, "ppm-999999x999999", "a.png", lambda: b"P6 999999 999999 255\n" + bytes(9), "is a PBM/PGM/PPM"),
    File(55, "xbm", "a.png", lambda: XBM, "is an X bitmap"),
    File(56, "tga-named-png", "a.png", lambda: saved("TGA"), "looks like Targa (TGA); convert it"),
    File(78, "jpeg-of-200-million-pixels", "a.jpg", lambda: jpeg_claiming(16320, 12240), "more than the 110 million"),
    File(
        79,
        "10-mb-of-thumbnails",
        "a.jpg",
        lambda: saved("JPEG")[:2] + jpeg_segment(0xE2, b"thumb" + bytes(65_000)) * 160 + saved("JPEG")[2:],
        kind="JPEG",
    ),
    File(80, "mpo-of-a-phone", "a.jpg", lambda: frames("MPO"), kind="MPO", note="several frames or pages; the first"),
)


def cases(files: list[File]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("file", files, ids=lambda file: file.id)


@cases([file for file in FILES if file.refused])
def test_file_is_refused_with_its_reason(file: File, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / file.name
    path.write_bytes(file.build())
    with pytest.raises(BadImage) as refusal:
        inspect_image(path)
    message = str(refusal.value)
    assert message.startswith(str(path))
    assert message.count(str(path)) == 1
    assert file.refused in message
    assert message.isprintable()
    with pytest.raises(BadImage) as at_the_door:
        open_picture(path)
    assert str(at_the_door.value) == message
    assert capfd.readouterr() == ("", "")


@cases([file for file in FILES if not file.refused])
def test_file_is_read_as_what_it_is(
    file: File, tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: Any
) -> None:
    path = tmp_path / file.name
    path.write_bytes(file.build())
    facts = inspect_image(path)
    assert (facts.width, facts.height) == file.size
    assert facts.format == file.kind
    assert len(facts.notes) == (1 if file.note else 0), facts.notes
    assert file.note in "".join(facts.notes)
    assert "".join(facts.notes).isprintable()
    assert image_size(path) == file.size
    picture = open_picture(path)
    assert picture.pixels.shape == (file.size[1], file.size[0], 3)
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 255
    assert (picture.sha256, picture.notes) == (facts.sha256, facts.notes)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_heic_names_the_command_that_brings_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "IMG_1.heic"
    path.write_bytes(FAKE_HEIC)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(BadImage, match=r"-m pip install pillow-heif\), or convert the picture to JPEG"):
        inspect_image(path)


def test_heic_is_read_where_its_package_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    path = tmp_path / "IMG_1.heic"
    colours().save(path, "HEIF", quality=-1, chroma=444, matrix_coefficients=0)  # lossless
    assert inspect_image(path).format == "HEIF"
    np.testing.assert_array_equal(open_picture(path).pixels, np.asarray(colours().convert("RGB"), np.float32))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BadImage, match=r"damaged|cut off|truncated"):
        inspect_image(path)


def test_19_large_1_bit_png_is_made_smaller_channel_by_channel(tmp_path: Path) -> None:
    """One of 9000 x 9000 pixels, within a gigabyte: test_front_door."""
    path = tmp_path / "a.png"
    path.write_bytes(png(4500, 4500, depth=1, colour_type=0))
    assert path.stat().st_size < 10_000
    assert open_picture(path, longer_side=64).pixels.shape == (64, 64, 3)


# --------------------------------------------------------------------------------------------- what is not a plain file


def refusal(path: str | Path) -> str:
    """The reason, which has to be the same from each function that opens files."""
    reasons = set()
    for opener in (inspect_image, open_picture, hash_file, image_size):
        with pytest.raises(BadImage) as caught:
            opener(path)
        reasons.add(str(caught.value))
    (reason,) = reasons
    return reason


def test_57_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    assert "a.jpg is a folder" in refusal(tmp_path / "a.jpg")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files the way Linux lists them")
def test_refused_files_are_closed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    before = len(os.listdir("/proc/self/fd"))
    refusal(tmp_path)
    refusal(tmp_path / "a.jpg")
    assert len(os.listdir("/proc/self/fd")) == before


def test_58_dangling_link_is_refused_and_its_goal_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("gone.jpg")
    assert "a.jpg is a link to gone.jpg, which does not exist" in refusal(tmp_path / "a.jpg")


def test_59_link_loop_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    assert "leads back to itself" in refusal(tmp_path / "a.jpg")


def test_60_link_to_an_endless_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("/dev/zero")
    assert "is not a regular file but a device" in refusal(tmp_path / "a.jpg")


def test_61_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert "is not a regular file but a pipe (FIFO)" in refusal(tmp_path / "a.jpg")


def test_62_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved("JPEG"))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything
        assert inspect_image(path).format == "JPEG"
    else:
        assert "may not be read by this user" in refusal(path)


def test_missing_file_is_refused_with_the_name_that_may_be_meant(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.jpg").endswith("gone.jpg does not exist; check the name")
    (tmp_path / "amsterdam.jpg").touch()
    assert refusal(tmp_path / "amsterdm.jpg").endswith("amsterdm.jpg does not exist; did you mean amsterdam.jpg?")
    (tmp_path / "amsterdam.xmp").touch()
    (tmp_path / "notes.txt").touch()
    assert refusal(tmp_path / "amsterdm.jpg").endswith("did you mean amsterdam.jpg?")
    assert refusal(tmp_path / "amsterdam.png").endswith("did you mean amsterdam.jpg?")
    assert refusal(tmp_path / "nope.jpg").endswith("check the name")
    assert refusal(tmp_path / "a/b.jpg").endswith(f"b.jpg does not exist; there is no folder {tmp_path}/a")


def test_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(saved("JPEG"))
    assert "part of its path is a file" in refusal(tmp_path / "a.jpg" / "b.jpg")


def test_path_with_a_null_byte_is_refused(tmp_path: Path) -> None:
    assert "remove its null byte" in refusal(f"{tmp_path}/a\x00.jpg")


def test_log_of_the_decoder_stays_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = saved("TIFF")
    samples_per_pixel = b"\x15\x01\x03\x00\x01\x00\x00\x00"  # TIFF 6.0: tag 277, type SHORT, one value
    path = tmp_path / "a.tif"
    path.write_bytes(data.replace(samples_per_pixel + b"\x03", samples_per_pixel + b"\x09"))
    with pytest.raises(BadImage, match="8-bit RGB and 6 more values a pixel, which is not read"):
        inspect_image(path)
    assert not caplog.records


def test_what_a_c_library_says_of_damage_becomes_notes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tif"
    fax = saved("TIFF", colours().convert("1"), compression="group4")
    path.write_bytes(with_bytes(fax, 20, b"\x55\x55"))  # 20: within the pixels, which start at 8
    notes = inspect_image(path).notes
    assert notes[0] == "the decoder warns: Fax4Decode: Bad code word at line 2 of strip 0 (x 6)"
    assert len(notes) == 3
    assert open_picture(path).notes == notes
    os.write(2, b"stderr is as before")
    assert capfd.readouterr() == ("", "stderr is as before")


# First bytes of files that people give for pictures -> words of the reason.
FOREIGN = (
    (b"\xef\xbb\xbf" + HTML, "looks like HTML"),
    (b"<!-- saved from url -->\n<html>", "HTML, probably a saved error page"),
    ("ü".encode() * 511 + b"a" + "ü".encode(), "it is text"),  # its 1024th byte is half a letter
    (b"\xfe\xedU\x00\x01" * 20, "convert it to PNG or JPEG"),
    (b"PK\x03\x04" + bytes(50), "is a ZIP archive; unpack it"),
    (b"8BPS\x00\x01" + bytes(50), "is a Photoshop document"),
    (b"gimp xcf v011" + bytes(50), "is a GIMP document"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "is JPEG XL"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "is JPEG 2000"),
    (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00", "is a video or another ISO media file; save a frame of it"),
    (b"RIFF\x00\x10\x00\x00AVI LIST", "is a video (AVI)"),
    (b"\x1aE\xdf\xa3\x01\x00\x00\x00", "is a video (Matroska, WebM)"),
    (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ", "is what macOS keeps beside a file"),
    (b"\x00\x00\x00\x01Bud1\x00\x00", "(.DS_Store)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "is Thumbs.db of Windows"),
    (b"L\x00\x00\x00\x01\x14\x02\x00" + bytes(50), "is a Windows shortcut, not the picture"),
    (b"bplist00\xd1\x01", "still in iCloud"),
    (b'<?xpacket begin=""?><x:xmpmeta>', "is an XMP sidecar"),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is XML, perhaps a server's word of an error"),
    (b"../../.git/annex/objects/8q/X/SHA256E-s5--a.jpg", "run `git annex get`"),
    (bytes(3000), "starts with zeros alone: it was not copied or rescued whole"),
    (b"a.jpg".ljust(257, b"\x00") + b"ustar\x0000", "is a tar archive"),
    (b"\x1f\x8b\x08\x00", "is compressed (gzip); unpack it"),
    (bytes(128) + b"DICM\x02\x00", "is DICOM"),
    (b"PK\x03\x04" + bytes(26) + b"mimetypeimage/openraster", "is a layered document"),
    (b"\xff\x4f\xff\x51\x00\x2f", "is JPEG 2000"),
    (b"II\xbc\x01\x08\x00", "is JPEG XR"),
    (b"qoif\x00\x00\x00\x60", "is QOI"),
    (b"PF\n96 80\n-1.0\n", "is a PFM picture"),
    (b"\x00\x00\x02" + bytes(9) + b"\x60\x00\x50\x00\x18\x20" + bytes(range(256)), "looks like Targa (TGA)"),
    (b"\x0a\x05\x01\x08\x00\x00", "is PCX"),
)


@pytest.mark.parametrize(("data", "reason"), FOREIGN, ids=[reason for _, reason in FOREIGN])
def test_foreign_file_is_called_by_its_name(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(BadImage) as caught:
        inspect_image(path)
    assert reason in str(caught.value)


def jpeg_frame(marker: int = 0xC0, bits: int = 8, height: int | None = None, colours: int | None = None) -> bytes:
    """A JPEG whose frame says something else of itself (T.81, B.2.2)."""
    data = bytearray(saved("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    if height is not None:
        data[at + 5 : at + 7] = struct.pack(">H", height)
    if colours is not None:
        data[at + 9] = colours
    return bytes(data)


def bmp_of_4_bits() -> bytes:
    """32 x 32 pixels of 16 bits, four to a colour, as ffmpeg and ImageMagick write them."""
    masks = struct.pack("<4I", 0xF00, 0xF0, 0xF, 0xF000)
    header = struct.pack("<IiiHHIIiiII", 124, 32, 32, 1, 16, 3, 2048, 0, 0, 0, 0) + masks + bytes(68)
    return struct.pack("<2sIHHI", b"BM", 14 + 124 + 2048, 0, 0, 14 + 124) + header + bytes(2048)


# Whole pictures that are beyond the decoder -> what they are; "copy it again" would lead astray.
BEYOND = (
    (jpeg_frame(bits=12), "is a JPEG with 12 bits per colour"),
    (jpeg_frame(0xC1, bits=12), "is a JPEG with 12 bits per colour"),
    (jpeg_frame(colours=2), "is a JPEG with 2 colours a pixel"),
    (jpeg_frame(height=0), "is a JPEG that does not say its height"),
    (jpeg_frame(0xC3), "is a lossless JPEG"),
    (jpeg_frame(0xCB), "is a lossless JPEG"),
    (jpeg_frame(0xC5), "is a hierarchical JPEG"),
    (jpeg_frame(0xCE), "is a hierarchical JPEG"),
    (jpeg_frame(0xF7), "is JPEG-LS"),
    (bmp_of_4_bits(), "is of a kind that is not read (Unsupported BMP bitfields layout)"),
)


@pytest.mark.parametrize(("data", "reason"), BEYOND, ids=[f"{n} {reason}" for n, (_, reason) in enumerate(BEYOND)])
@pytest.mark.parametrize("look", [inspect_image, image_size])
def test_whole_picture_beyond_the_decoder_is_not_called_damaged(
    data: bytes, reason: str, look: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(BadImage) as caught:
        look(path)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("; convert it to PNG or JPEG")


def avif_with_aperture(width: int, height: int) -> bytes:
    """An AVIF of 48 x 40 pixels with a `clap` box behind its other properties (ISO/IEC 14496-12, 12.1.4)."""
    box = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
    data = bytearray(saved("AVIF"))
    for name in (b"meta", b"iprp", b"ipco"):
        at = data.index(name) - 4
        end = at + struct.unpack_from(">I", data, at)[0]
        struct.pack_into(">I", data, at, end - at + len(box))
    start = data.index(b"iloc") - 4  # its last numbers: where the pixels lie, and how many bytes they are
    offset = start + struct.unpack_from(">I", data, start)[0] - 8
    struct.pack_into(">I", data, offset, struct.unpack_from(">I", data, offset)[0] + len(box))
    return bytes(data[:end] + box + data[end:])


@pytest.mark.parametrize("look", [inspect_image, image_size])
def test_avif_that_shows_a_part_of_itself_is_refused_as_that(look: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    path.write_bytes(avif_with_aperture(40, 32))
    with pytest.raises(BadImage, match="48x40 pixels that shows 40x32 of them"):
        look(path)
    path.write_bytes(avif_with_aperture(48, 40))
    look(path)


# ---------------------------------------------------------------------------------------------------------------- names

# Number, title, name. 66 is not UTF-8; 70 has é once as one character and once as two.
NAMES = (
    (63, "255 bytes", "n" * 251 + ".jpg"),
    (64, "newline", "a\nERROR fake.jpg"),
    (65, "escape codes", "a\x1b[31m.jpg"),
    (66, "not UTF-8", os.fsdecode(b"\xff.jpg")),
    (67, "like a flag", "-rf.jpg"),
    (68, "hidden", ".hidden.jpg"),
    (69, "upper case", "A.JPG"),
    (70, "composed", unicodedata.normalize("NFC", "é.jpg")),
    (70, "decomposed", unicodedata.normalize("NFD", "é.jpg")),
    (71, "device of another system", "con.jpg"),
    (72, "HTML", "<img src=x onerror=alert(1)>.jpg"),
    (73, "formula", "=cmd|'!C calc'!A0.jpg"),
    (74, "coded path", "%2e%2e%2f.jpg"),
)


@pytest.mark.parametrize(("number", "title", "name"), NAMES, ids=[f"{n}-{title}" for n, title, _ in NAMES])
def test_file_is_read_whatever_its_name(number: int, title: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(saved("JPEG"))
    picture = open_picture(path)
    assert picture.name == name
    assert picture.notes == ()


@pytest.mark.parametrize(("number", "title", "name"), NAMES, ids=[f"{n}-{title}" for n, title, _ in NAMES])
def test_reason_is_one_printable_line_whatever_the_name(number: int, title: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    assert refusal(path).isprintable()


def test_69_names_that_differ_in_case_are_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(saved("JPEG"))
    (tmp_path / "A.JPG").write_bytes(saved("JPEG", colours().convert("L")))
    assert hash_file(tmp_path / "a.jpg") != hash_file(tmp_path / "A.JPG")


def test_75_one_file_can_be_content_and_style(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved("JPEG"))
    content, style = open_picture(path), open_picture(path)
    assert content.sha256 == style.sha256 == hash_file(path)
    np.testing.assert_array_equal(content.pixels, style.pixels)
    assert not np.shares_memory(content.pixels, style.pixels)


# ----------------------------------------------------------------------------------------------------- while it is read


def grow_at_each_second_status(path: Path, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Append a byte to `path` just before the status after reading is taken, so many times."""
    real, calls = os.fstat, [0]

    def fstat(descriptor: int) -> os.stat_result:
        calls[0] += 1
        if calls[0] % 2 == 0 and calls[0] <= 2 * times:
            with path.open("ab") as file:
                file.write(b"\x00")
        return real(descriptor)

    monkeypatch.setattr("pipeline.images.file_bytes.os.fstat", fstat)


def test_76_file_that_changes_once_while_being_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved("JPEG"))
    grow_at_each_second_status(path, 1, monkeypatch)
    assert read_source(path).data == saved("JPEG") + b"\x00"


def test_76_file_that_keeps_changing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved("JPEG"))
    grow_at_each_second_status(path, 3, monkeypatch)
    with pytest.raises(BadImage, match="changed while it was being read"):
        read_source(path)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.images.file_bytes._PAUSES", (0.0, 0.0))


@pytest.mark.parametrize("read", [read_source, image_size, inspect_image])
def test_a_file_that_has_to_lie_in_a_folder_is_asked_where_it_lies(tmp_path: Path, read: Callable[..., object]) -> None:
    home = tmp_path / "home"
    for folder in (home, tmp_path / "home2"):
        folder.mkdir()
        (folder / "a.png").write_bytes(saved("PNG"))
    for name, target in (("in", "a.png"), ("out", "../home2/a.png"), ("device", "/dev/full"), ("self", "self")):
        (home / name).symlink_to(target)
    (home / "folder").symlink_to("../home2")
    for name in ("a.png", "in"):
        assert read(home / name, home=str(home)) == read(home / name)
    for name in ("out", "device", "folder/a.png"):
        with pytest.raises(BadImage, match=r"is or lies behind a link that leads out of .*/home; name it"):
            read(home / name, home=str(home))
    os.mkfifo(home / "pipe")
    for name, words in (("self", "leads back to itself"), ("none", "does not exist"), ("pipe", "pipe"), ("", "folder")):
        with pytest.raises(BadImage, match=words):
            read(home / name, home=str(tmp_path))


PASSING = pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE], ids=["EIO", "ESTALE"])


@PASSING
@pytest.mark.parametrize("read", [read_source, hash_file, image_size, inspect_image])
def test_disk_that_fails_is_read_again_and_one_that_goes_on_failing_is_named(
    read: Callable[[Path], object], error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved("JPEG"))
    whole, real, left = read(path), os.open, 2

    def fail(*arguments: Any, **named: Any) -> int:
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(error, os.strerror(error))
        return real(*arguments, **named)

    monkeypatch.setattr("pipeline.images.file_bytes.os.open", fail)
    assert read(path) == whole
    left = 3
    with pytest.raises(BadImage, match=rf"a\.jpg cannot be opened: {os.strerror(error)}; check the disk"):
        read(path)


@PASSING
@pytest.mark.parametrize("at", ["fstat", "read"])
@pytest.mark.parametrize("read", [read_source, hash_file, image_size, inspect_image])
def test_disk_that_fails_after_a_file_was_opened_is_tried_again_too(
    read: Callable[[Path], object],
    at: str,
    error: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_pauses: None,
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved("JPEG"))
    whole, left = read(path), 2

    def fail(function: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left >= 0:
                raise OSError(error, os.strerror(error))
            return function(*arguments)

        return failing

    if at == "fstat":
        monkeypatch.setattr("pipeline.images.file_bytes.os.fstat", fail(os.fstat))
    else:

        class Disk(io.BufferedReader):
            read = fail(io.BufferedReader.read)

        monkeypatch.setattr("pipeline.images.file_bytes.os.fdopen", lambda number, _: Disk(io.FileIO(number)))
    assert read(path) == whole
    left = 3
    with pytest.raises(BadImage, match=rf"a\.jpg cannot be read: {os.strerror(error)}; check the disk"):
        read(path)


def test_76_file_that_grows_without_a_new_date_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved("JPEG"))
    before = path.stat()
    with path.open("ab") as file:
        file.write(bytes(1000))
    monkeypatch.setattr("pipeline.images.file_bytes.os.fstat", lambda descriptor: before)
    with pytest.raises(BadImage, match="changed while it was being read"):
        read_source(path)


def test_77_pictures_are_read_from_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(saved("JPEG"))
    folder.chmod(0o555)
    try:
        before = sorted(os.listdir(folder))
        assert open_picture(folder / "a.jpg").notes == ()
        assert sorted(os.listdir(folder)) == before
    finally:
        folder.chmod(0o755)


def test_file_over_the_size_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with path.open("wb") as file:
        file.truncate(513 * 2**20)  # sparse: takes no room on the disk
    assert "is 513 MiB; a picture file may be at most 512 MiB" in refusal(path)
