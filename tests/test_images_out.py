"""Pictures going out: rounding, formats, the settings they carry, and what must never get into them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, PngImagePlugin

from pipeline.errors import BadImage, Diverged, PairError
from pipeline.images.convert import srgb_profile
from pipeline.images.encode import FORMAT_OF_SUFFIX, encode_picture, thumbnail, to_pillow, to_uint8
from pipeline.images.inspection import inspect_image
from pipeline.images.metadata import _stored_text, read_metadata
from pipeline.images.picture import open_picture

SUFFIXES = tuple(FORMAT_OF_SUFFIX)
WITH_ALPHA = (".png", ".webp", ".tif", ".tiff", ".avif")
LOSSLESS = (".png", ".tif", ".tiff")

# Everything JSON has, and names that try to end the place they are kept in.
SETTINGS: dict[str, Any] = {
    "content": "</stylize:settings><script>&amp;]]>é\n\x1b[31m\udcff",
    "style": [{"image": "a.jpg", "weight": 2.0}],
    "options": {"size": 512, "style_weight": 0.03, "learning_rate": None, "preset": "balanced"},
    "losses": {"last": {"total": 1.25e-7}},
    "ok": True,
}


def ramp(height: int = 48, width: int = 64) -> NDArray[np.float32]:
    """A smooth picture in whole numbers, as float32 (height, width, 3)."""
    across = np.add.outer(np.arange(height), np.arange(width)) * 2
    return np.stack([across, 255 - across, across // 2 + 60], axis=-1).astype(np.float32)


def fading() -> NDArray[np.float32]:
    return np.tile(np.linspace(0, 1, 64, dtype=np.float32), (48, 1))


def written(folder: Path, suffix: str, alpha: NDArray[np.float32] | None = None, quality: int = 95) -> Path:
    path = folder / f"out{suffix}"
    path.write_bytes(encode_picture(ramp(), alpha, suffix, quality, SETTINGS))
    return path


# -------------------------------------------------------------------------------------------------------- whole numbers


def test_pixels_are_rounded_to_the_nearest_integer_halves_to_even_and_cut_off() -> None:
    pixels = np.array([-3.0, -0.5, 0.49, 0.5, 1.5, 2.5, 254.5, 255.4, 300.0], np.float32)
    np.testing.assert_array_equal(to_uint8(pixels), [0, 0, 0, 0, 2, 2, 254, 255, 255])
    assert to_uint8(pixels).dtype == np.uint8


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_never_written(value: float) -> None:
    pixels = ramp()
    pixels[3, 4, 1] = value
    with pytest.raises(Diverged, match="not finite"):
        encode_picture(pixels, None, ".png", 95, {})


# -------------------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_output_is_a_whole_picture_of_its_format(suffix: str, tmp_path: Path) -> None:
    path = written(tmp_path, suffix)
    facts = inspect_image(path)
    assert (facts.width, facts.height, facts.format) == (64, 48, FORMAT_OF_SUFFIX[suffix])
    assert facts.notes == ()
    # 6 grey levels: what the lossy formats at quality 95 may lose on a smooth picture
    np.testing.assert_allclose(open_picture(path).pixels, ramp(), atol=0 if suffix in LOSSLESS else 6)


@pytest.mark.parametrize("suffix", WITH_ALPHA)
def test_alpha_comes_back_from_every_format_that_has_it(suffix: str, tmp_path: Path) -> None:
    alpha = open_picture(written(tmp_path, suffix, fading())).alpha
    assert alpha is not None
    np.testing.assert_allclose(alpha, fading(), atol=0.5001 / 255)


def test_jpeg_has_no_alpha_so_the_picture_is_laid_over_white(tmp_path: Path) -> None:
    black = np.zeros((48, 64, 3), np.float32)
    half_clear = np.full((48, 64), 0.2, np.float32)
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_picture(black, half_clear, ".jpg", 95, {}))
    picture = open_picture(path)
    assert picture.alpha is None
    np.testing.assert_allclose(picture.pixels, 0.8 * 255, atol=1)


def test_upper_case_suffixes_are_the_same_formats() -> None:
    assert encode_picture(ramp(), None, ".JPG", 95, {}) == encode_picture(ramp(), None, ".jpeg", 95, {})


def test_unknown_suffix_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(PairError, match=r"outputs that end in '\.gif'; use one of \.png, \.jpg, \.jpeg, \.webp"):
        encode_picture(ramp(), None, ".gif", 95, {})


@pytest.mark.parametrize(("suffix", "side"), [(".webp", 16_384), (".jpg", 65_501), (".avif", 65_537)])
def test_picture_too_large_for_its_format_is_refused(suffix: str, side: int) -> None:
    pixels = np.broadcast_to(np.float32(0), (1, side, 3))
    with pytest.raises(PairError, match=rf"a \{suffix} file is at most {side - 1} pixels .* the picture has {side}"):
        encode_picture(pixels, None, suffix, 95, {})


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_quality_decides_the_size_of_lossy_files(suffix: str) -> None:
    small, large = (len(encode_picture(ramp(), None, suffix, quality, {})) for quality in (20, 95))
    assert small < large


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_quality_changes_nothing_in_lossless_files(suffix: str) -> None:
    assert encode_picture(ramp(), None, suffix, 20, {}) == encode_picture(ramp(), None, suffix, 95, {})


# Pillow's get_sampling: 0 is 4:4:4, 2 is 4:2:0.
@pytest.mark.parametrize(("quality", "sampling"), [(91, 0), (90, 2)])
def test_jpeg_keeps_full_colour_resolution_above_quality_90(quality: int, sampling: int, tmp_path: Path) -> None:
    with Image.open(written(tmp_path, ".jpg", quality=quality)) as image:
        assert JpegImagePlugin.get_sampling(image) == sampling


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_output_says_that_its_colours_are_srgb(suffix: str, tmp_path: Path) -> None:
    with Image.open(written(tmp_path, suffix)) as image:
        assert image.info["icc_profile"] == srgb_profile()


def test_pillow_image_of_the_result_has_its_pixels_and_alpha() -> None:
    image = to_pillow(to_uint8(ramp()), fading())
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image)[..., :3], ramp())
    np.testing.assert_array_equal(np.asarray(image)[0, [0, 63], 3], [0, 255])
    assert to_pillow(to_uint8(ramp()), None).mode == "RGB"


# ----------------------------------------------------------------------------------------------------------- same bytes


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [None, fading()], ids=["opaque", "alpha"])
def test_another_process_writes_the_same_bytes(alpha: NDArray[np.float32] | None) -> None:
    here = {suffix: encode_picture(ramp(), alpha, suffix, 95, SETTINGS) for suffix in SUFFIXES}
    program = f"""
import hashlib, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_images_out as t
alpha = t.fading() if {alpha is not None} else None
for suffix in t.SUFFIXES:
    print(hashlib.sha256(t.encode_picture(t.ramp(), alpha, suffix, 95, t.SETTINGS)).hexdigest())
print(hashlib.sha256(t.thumbnail(t.ramp())).hexdigest())
"""
    there = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert there == [hashlib.sha256(data).hexdigest() for data in (*here.values(), thumbnail(ramp()))]


# ------------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize("alpha", [None, fading()], ids=["opaque", "alpha"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_settings_come_back_from_every_format(suffix: str, alpha: NDArray[np.float32] | None, tmp_path: Path) -> None:
    assert read_metadata(written(tmp_path, suffix, alpha)) == SETTINGS


def test_settings_of_a_png_are_plain_json_under_a_plain_name(tmp_path: Path) -> None:
    with PngImagePlugin.PngImageFile(written(tmp_path, ".png")) as image:
        assert image.text["stylize"].startswith('{"content":"</stylize:settings>')
        assert image.text["stylize"].isascii()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_output_says_that_a_trained_network_made_it(suffix: str) -> None:
    data = encode_picture(ramp(), None, suffix, 95, SETTINGS)
    assert data.count(b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia<") == 1


def test_packet_of_metadata_is_well_formed_xml(tmp_path: Path) -> None:
    from xml.etree import ElementTree

    with Image.open(written(tmp_path, ".jpg")) as image:
        root = ElementTree.fromstring(image.info["xmp"])  # our own bytes
    assert [element.tag.rpartition("}")[2] for element in root.iter()] == [
        "xmpmeta",
        "RDF",
        "Description",
        "DigitalSourceType",
        "settings",
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_settings_too_long_for_a_file_lose_their_longest_entries_and_say_so(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    long = {"key": "k", "meta": {"remark": "<" * 100_000}, "trace": list(range(20_000)), "steps": 3}
    path.write_bytes(encode_picture(ramp(), None, suffix, 95, long))
    assert read_metadata(path) == {"key": "k", "steps": 3, "left_out": ["trace", "meta"]}
    assert inspect_image(path).format == FORMAT_OF_SUFFIX[suffix]


@pytest.mark.parametrize(("length", "kept"), [(60_000, True), (60_001, False)])
def test_settings_of_60_000_characters_are_kept_whole(length: int, kept: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    settings = {"remark": "x" * (length - len('{"remark":""}'))}
    path.write_bytes(encode_picture(ramp(), None, ".jpg", 95, settings))
    assert read_metadata(path) == (settings if kept else {"left_out": ["remark"]})


def test_entry_that_is_not_finite_is_left_out_and_the_picture_written(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_picture(ramp(), None, ".png", 95, {"key": "k", "meta": {"price": float("nan")}}))
    assert read_metadata(path) == {"key": "k", "left_out": ["meta"]}


def test_picture_of_somebody_else_holds_no_settings(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (48, 40)).save(path)
    with pytest.raises(BadImage, match=r"a\.jpg holds no settings; it was not made by stylize"):
        read_metadata(path)


def test_settings_of_what_is_no_picture_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("{}")
    with pytest.raises(BadImage, match=r"report\.json is not a picture this program reads"):
        read_metadata(path)


@pytest.mark.parametrize("text", ["{", "[1]", "7", '"x"', "[" * 100_000, "9" * 5_000], ids=lambda text: text[:3])
def test_damaged_settings_are_said_to_be_damaged(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    info = PngImagePlugin.PngInfo()
    info.add_text("stylize", text)
    Image.new("RGB", (48, 40)).save(path, pnginfo=info)
    with pytest.raises(BadImage, match="holds damaged settings") as refusal:
        read_metadata(path)
    assert str(refusal.value).isprintable()


def test_settings_are_read_from_outputs_that_are_too_narrow_to_be_inputs(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_picture(ramp(8, 64), None, ".png", 95, SETTINGS))
    assert read_metadata(path) == SETTINGS


# -------------------------------------------------------------------------------------------------------------- privacy


def private_jpeg(folder: Path) -> Path:
    """A photograph with a secret in each place that cameras and editors use."""
    exif = Image.Exif()
    exif[0x010F] = "SECRET maker"
    exif[0x9286] = b"ASCII\0\0\0SECRET user comment"
    gps = exif.get_ifd(0x8825)
    gps[29] = "SECRET date"
    path = folder / "private.jpg"
    Image.fromarray(to_uint8(ramp())).save(path, exif=exif, comment=b"SECRET comment", xmp=b"<x>SECRET xmp</x>")
    path.write_bytes(path.read_bytes() + b"SECRET behind the end")
    return path


def private_png(folder: Path) -> Path:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "SECRET author")
    info.add_itxt("XML:com.adobe.xmp", "<x>SECRET xmp</x>")
    path = folder / "private.png"
    Image.fromarray(to_uint8(ramp())).save(path, pnginfo=info)
    return path


@pytest.mark.parametrize("make", [private_jpeg, private_png])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_of_an_inputs_metadata_gets_into_an_output(suffix: str, make: Any, tmp_path: Path) -> None:
    path = make(tmp_path)
    assert path.read_bytes().count(b"SECRET") >= 2
    picture = open_picture(path)
    data = encode_picture(picture.pixels, None, suffix, 95, {"content": picture.name})
    assert b"SECRET" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert set(image.getexif()) <= TIFF_STRUCTURE


# Tags without which there is no TIFF (TIFF 6.0, "Required Fields"), with sample format, extra samples, predictor and
# planar configuration, and those that are meant to be there: how densely it is printed, XMP and the colour profile.
TIFF_STRUCTURE = {256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296, 317, 338, 339, 700, 34675}


# ----------------------------------------------------------------------------------------------------------- thumbnails


@pytest.mark.parametrize(("height", "width", "size"), [(300, 600, (256, 128)), (48, 64, (64, 48))])
def test_thumbnail_is_at_most_256_pixels_long_and_never_enlarged(
    height: int, width: int, size: tuple[int, int]
) -> None:
    with Image.open(io.BytesIO(thumbnail(np.full((height, width, 3), 99, np.float32)))) as image:
        assert (image.format, image.size) == ("WEBP", size)
        np.testing.assert_allclose(np.asarray(image.convert("RGB")), 99, atol=2)


# --------------------------------------------------------------------------------------------- 16 bits per colour


def tags_of(data: bytes) -> dict[int, tuple[int, ...]]:
    with Image.open(io.BytesIO(data)) as image:
        return dict(image.tag_v2)


@pytest.mark.parametrize("with_alpha", [False, True])
def test_16_bit_tiff_holds_what_8_bits_cannot(with_alpha: bool) -> None:
    """Levels of 1/257: the strip, unpacked by hand, has the numbers; Pillow reads their upper 8 bits."""
    levels = np.arange(48 * 40 * 3, dtype=np.uint32).reshape(40, 48, 3) * 11  # 0 to 63,349
    alpha = np.linspace(0, 1, 48 * 40, dtype=np.float32).reshape(40, 48) if with_alpha else None
    data = encode_picture((levels / 257).astype(np.float32), alpha, ".tif", 95, {"seed": 7}, depth=16)
    tags = tags_of(data)
    assert tags[258] == (16,) * (4 if with_alpha else 3)
    start, length = tags[273][0], tags[279][0]
    stored = np.frombuffer(zlib.decompress(data[start : start + length]), "<u2").reshape(40, 48, -1)
    np.testing.assert_array_equal(stored[..., :3], levels)
    if alpha is not None:
        np.testing.assert_array_equal(stored[..., 3], np.rint(alpha * np.float32(65535)))
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == ("RGBA" if with_alpha else "RGB")
        assert image.info["icc_profile"] == srgb_profile()
        np.testing.assert_array_equal(np.asarray(image)[..., :3], levels >> 8)


def test_16_bit_tiff_is_opened_by_the_door_and_remembers_its_settings(tmp_path: Path) -> None:
    pixels = np.full((40, 48, 3), 100.5, np.float32)
    (tmp_path / "a.tif").write_bytes(encode_picture(pixels, None, ".tif", 95, {"seed": 7}, depth=16))
    assert read_metadata(tmp_path / "a.tif") == {"seed": 7}
    assert open_picture(tmp_path / "a.tif").notes == ()
    assert encode_picture(pixels, None, ".tif", 95, {"seed": 7}, depth=16) == (tmp_path / "a.tif").read_bytes()


def test_16_bits_are_for_tiff_and_for_finite_numbers() -> None:
    pixels = np.zeros((40, 48, 3), np.float32)
    with pytest.raises(PairError, match=r"a \.png file cannot have 16 bits per colour; use \.tif, or depth 8"):
        encode_picture(pixels, None, ".png", 95, {}, depth=16)
    with pytest.raises(Diverged):
        encode_picture(pixels * np.nan, None, ".tif", 95, {}, depth=16)


def test_a_million_beginnings_of_settings_are_no_settings():
    """Looked for once from the first of them: from each, it would take hours."""
    assert _stored_text({"xmp": b"<stylize:settings>" * 1_000_000}) is None
    assert _stored_text({"xmp": b"a<stylize:settings>{&amp;}</stylize:settings>b"}) == "{&}"
