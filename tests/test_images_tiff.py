"""TIFF in every layout: read with its true values, or refused by the layout's name. Camera raw files by theirs."""

from __future__ import annotations

import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images.inspection import image_size, inspect_image
from pipeline.images.picture import open_any, open_picture

HEIGHT, WIDTH = 34, 48  # of rows that no number of strips divides
WHITE0, BLACK0, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
UINT, INT, FLOAT = 1, 2, 3
CHANNELS = {RGB: 3, CMYK: 4, YCBCR: 3, LAB: 3}


def ramps(channels: int) -> NDArray[np.float64]:
    """Values 0..1, another slope in each channel: (HEIGHT, WIDTH, channels)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    slopes = [columns * 5 + rows, 255 - columns * 5, rows * 7, 250 - columns * 3 - rows, columns + rows * 2 + 100]
    return np.stack(slopes[:channels], -1).clip(0, 255) / 255


def tiff(
    samples: NDArray[Any],
    photometric: int,
    *,
    bits: int,
    kind: int = UINT,
    order: str = "<",
    planes: bool = False,
    packed: bool = False,
    tags: dict[int, tuple[str, Any]] | None = None,
    rows: int = 7,
) -> bytes:
    """A TIFF of (H, W, channels) numbers in strips of `rows`; `packed` deflates them. `tags`: letter and values."""
    height, width, channels = samples.shape
    parts = [samples[..., channel : channel + 1] for channel in range(channels)] if planes else [samples]
    strips = [_bytes(part[top : top + rows], bits, order) for part in parts for top in range(0, height, rows)]
    if packed:
        strips = [zlib.compress(strip) for strip in strips]
    offsets = list(itertools.accumulate([8, *map(len, strips)]))
    all_tags: dict[int, tuple[str, Any]] = {
        **{256: ("I", [width]), 257: ("I", [height]), 258: ("H", [bits] * channels), 259: ("H", [8 if packed else 1])},
        **{262: ("H", [photometric]), 273: ("I", offsets[:-1]), 277: ("H", [channels]), 278: ("I", [rows])},
        **{279: ("I", [len(strip) for strip in strips]), 284: ("H", [2 if planes else 1])},
        **{339: ("H", [kind] * channels)},
        **(tags or {}),
    }
    return with_directory(b"".join(strips), all_tags, order)


def with_directory(body: bytes, tags: dict[int, tuple[str, Any]], order: str = "<") -> bytes:
    kinds = {"B": 1, "s": 2, "H": 3, "I": 4, "R": 5}  # R: pairs, numerator and denominator
    body += b"\0" * (len(body) % 2)
    at, values, entries = 8 + len(body), b"", b""
    for tag, (letter, content) in sorted(tags.items()):
        code = "I" if letter == "R" else letter
        stored = content if letter == "s" else struct.pack(f"{order}{len(content)}{code}", *content)
        count = len(content) // (2 if letter == "R" else 1)
        if len(stored) > 4:
            stored, values = struct.pack(order + "I", at + len(values)), values + stored + b"\0" * (len(stored) % 2)
        entries += struct.pack(order + "HHI", tag, kinds[letter], count) + stored.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at + len(values))
    return head + body + values + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0)


def _bytes(piece: NDArray[Any], bits: int, order: str) -> bytes:
    """The numbers of some rows, each row from a new byte."""
    if bits >= 8:
        return piece.astype(piece.dtype.newbyteorder(order)).tobytes()
    row = piece.reshape(piece.shape[0], -1).astype(np.uint8)
    as_bits = np.unpackbits(row[..., np.newaxis], axis=-1)[..., -bits:].reshape(row.shape[0], -1)
    return np.packbits(as_bits, axis=1).tobytes()


def stored(values: NDArray[np.float64], bits: int, kind: int) -> NDArray[Any]:
    if kind == FLOAT:
        return values.astype(f"f{bits // 8}")
    top = 2.0 ** (bits - (kind == INT))
    numbers = np.minimum(np.round(values * (top - 1)), np.nextafter(top, 0))  # of 64 bits a float has 53
    return numbers.astype(f"{'i' if kind == INT else 'u'}{max(1, bits // 8)}")


def seen(values: NDArray[np.float64], photometric: int) -> NDArray[np.float64]:
    """What such values look like, 0..255."""
    values = values * 255
    if photometric in (WHITE0, BLACK0):
        return np.repeat(values if photometric == BLACK0 else 255 - values, 3, axis=-1)
    if photometric == CMYK:
        return (255 - values[..., :3]) * (255 - values[..., 3:]) / 255
    if photometric == YCBCR:  # TIFF 6.0, section 21; ITU-R BT.601
        y, cb, cr = values[..., 0], values[..., 1] - 128, values[..., 2] - 128
        return np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1).clip(0, 255)
    return values


DEPTHS = [(UINT, bits) for bits in (1, 2, 4, 8, 16, 32, 64)]
DEPTHS += [(INT, bits) for bits in (8, 16, 32, 64)] + [(FLOAT, bits) for bits in (16, 32, 64)]
MUST_BE_READ = {
    *((grey, UINT, bits, False) for grey in (WHITE0, BLACK0) for bits in (1, 2, 4, 8)),
    *((BLACK0, UINT, 16, False), (BLACK0, FLOAT, 32, False)),
    *((colour, UINT, bits, planes) for colour in (RGB, CMYK) for bits in (8, 16) for planes in (True, False)),
    *((YCBCR, UINT, 8, planes) for planes in (True, False)),
}


def pixels_or_reason(path: Path) -> Any:
    try:
        return open_picture(path).pixels
    except BadImage as refusal:
        return str(refusal)


@pytest.mark.parametrize("photometric", [WHITE0, BLACK0, RGB, CMYK, YCBCR, LAB, 4, 9, 10, 32845])
def test_every_layout_is_read_with_its_values_or_refused_by_its_name(photometric: int, tmp_path: Path) -> None:
    path, channels = tmp_path / "a.tif", CHANNELS.get(photometric, 3 if photometric > 8 else 1)
    values = ramps(channels)
    for (kind, bits), planes, order, packed in itertools.product(DEPTHS, (False, True), "<>", (False, True)):
        if planes and channels == 1:
            continue
        numbers = stored(values, bits, kind)
        tags = {530: ("H", [1, 1])} if photometric == YCBCR else {}
        data = tiff(numbers, photometric, bits=bits, kind=kind, order=order, planes=planes, packed=packed, tags=tags)
        path.write_bytes(data)
        case = (photometric, kind, bits, planes, order, packed)
        pixels = pixels_or_reason(path)
        if isinstance(pixels, str):
            assert case[:4] not in MUST_BE_READ, (case, pixels)
            assert "which is not read; save it with" in pixels or "32-bit grey values from" in pixels, (case, pixels)
            continue
        if photometric != LAB:
            top = 1 if kind == FLOAT else 2.0**bits - 1
            expected = seen(numbers / top, photometric)
            np.testing.assert_allclose(pixels, expected, atol=2, err_msg=str(case))
        else:
            assert case[:4] == (LAB, UINT, 8, False)


def test_lab_has_its_true_colours(tmp_path: Path) -> None:
    """L* 53.2, a* 80.1, b* 67.2 under D65 is sRGB's red; a* and b* are signed bytes."""
    for lab, colour in (((255, 0, 0), (255, 255, 255)), ((0, 0, 0), (0, 0, 0)), ((136, 81, 70), (255, 0, 0))):
        numbers = np.broadcast_to(np.array(lab, np.uint8), (HEIGHT, WIDTH, 3))
        white = {318: ("R", [34567, 100_000, 35850, 100_000])}
        (tmp_path / "a.tif").write_bytes(tiff(numbers, LAB, bits=8, tags=white))
        np.testing.assert_allclose(open_picture(tmp_path / "a.tif").pixels[0, 0], colour, atol=12)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_every_depth_are_looked_up(bits: int, order: str, tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (3, 2**bits))
    indices = np.random.default_rng(2).integers(0, 2**bits, (HEIGHT, WIDTH, 1)).astype(np.uint8)
    table = {320: ("H", (colours * 257).ravel().tolist())}
    (tmp_path / "a.tif").write_bytes(tiff(indices, PALETTE, bits=bits, order=order, tags=table))
    np.testing.assert_array_equal(open_picture(tmp_path / "a.tif").pixels, colours.T[indices[..., 0]])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("scale", [1, 256, 257])
def test_palette_of_8_bits_is_not_taken_for_one_of_16(scale: int, packed: bool, tmp_path: Path) -> None:
    """Old programs wrote 0 to 255; read as 16 bits that is black. libtiff's tools look for it too."""
    colours = np.array([(level, 255 - level, level // 2) for level in range(256)])
    numbers = stored(ramps(1), 8, UINT)
    palette = [int(value) * scale for value in colours.T.ravel()]
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(numbers, PALETTE, bits=8, packed=packed, tags={320: ("H", palette)}))
    np.testing.assert_array_equal(open_picture(path).pixels, colours[numbers[..., 0]])
    np.testing.assert_array_equal(open_any(Image.open(path)).pixels, colours[numbers[..., 0]])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("meaning", [0, 1, 2])
def test_a_fourth_value_is_opacity_or_left_out(
    meaning: int, bits: int, planes: bool, order: str, tmp_path: Path
) -> None:
    """TIFF 6.0, ExtraSamples: 0 is nothing known, 1 opacity multiplied in, 2 opacity."""
    values = ramps(3) * 0.5
    opacity = np.full((HEIGHT, WIDTH, 1), 0.6)
    samples = stored(np.concatenate([values, opacity], -1), bits, UINT)
    data = tiff(samples, RGB, bits=bits, planes=planes, order=order, tags={338: ("H", [meaning])})
    (tmp_path / "a.tif").write_bytes(data)
    picture = open_picture(tmp_path / "a.tif")
    expected = values * 255 / (0.6 if meaning == 1 else 1)
    np.testing.assert_allclose(picture.pixels, expected, atol=2)
    assert (picture.alpha is None) == (meaning == 0)
    if picture.alpha is not None:
        np.testing.assert_allclose(picture.alpha, 0.6, atol=0.01)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [BLACK0, PALETTE, RGB, CMYK])
def test_values_beside_the_colours_are_read_or_refused_by_name_whatever_they_mean(
    photometric: int, bits: int, tmp_path: Path
) -> None:
    """ImageMagick writes CMYK with opacity, vips several values of each meaning; none of it is damage."""
    colours = CHANNELS.get(photometric, 1)
    palette = {320: ("H", [level * 257 for level in range(256)] * 3)} if photometric == PALETTE else {}
    for meanings in [(), *itertools.product((0, 1, 2), repeat=1), *itertools.product((0, 1, 2), repeat=2)]:
        samples = stored(np.full((HEIGHT, WIDTH, colours + (len(meanings) or 1)), 0.5), bits, UINT)
        extra = {338: ("H", list(meanings))} if meanings else {}
        path = tmp_path / f"{meanings}.tif"
        path.write_bytes(tiff(samples, photometric, bits=bits, tags=palette | extra))
        found = pixels_or_reason(path)
        if isinstance(found, str):
            assert "which is not read; save it with" in found, meanings
        else:
            expected = 64 if photometric == CMYK else 255 if meanings[:1] == (1,) else 128
            assert found[5, 5, 0] == pytest.approx(expected, abs=2), meanings


def test_colours_of_fewer_positions_than_light_are_spread(tmp_path: Path) -> None:
    """YCbCr with 2 x 2 pixels to a pair of colours, uncompressed: four of light, then Cb and Cr (TIFF 6.0, 21)."""
    blocks = np.empty((HEIGHT // 2, WIDTH // 2, 6), np.uint8)
    blocks[...] = (76, 76, 76, 76, 85, 255)  # red
    blocks[:, WIDTH // 4 :] = (150, 150, 150, 150, 44, 21)  # green
    tags = {530: ("H", [2, 2]), 258: ("H", [8, 8, 8]), 277: ("H", [3]), 278: ("I", [HEIGHT]), 339: ("H", [1] * 3)}
    tags |= {256: ("I", [WIDTH]), 257: ("I", [HEIGHT]), 532: ("I", [0])}  # 532 of a wrong type is passed over
    data = tiff(blocks.reshape(HEIGHT // 2, -1, 1), YCBCR, bits=8, rows=HEIGHT // 2, tags=tags)
    (tmp_path / "a.tif").write_bytes(data)
    pixels = open_picture(tmp_path / "a.tif").pixels
    np.testing.assert_allclose(pixels[:, : WIDTH // 2 - 2], np.broadcast_to((255, 0, 0), (HEIGHT, 22, 3)), atol=4)
    np.testing.assert_allclose(pixels[:, WIDTH // 2 + 2 :], np.broadcast_to((0, 255, 0), (HEIGHT, 22, 3)), atol=4)


NAMED = [
    (
        {"photometric": RGB, "bits": 32, "kind": FLOAT},
        "is a TIFF with 32-bit floating-point RGB, which is not read; save it",
    ),
    ({"photometric": RGB, "bits": 64, "kind": FLOAT}, "64-bit floating-point RGB"),
    ({"photometric": WHITE0, "bits": 32, "kind": FLOAT}, "32-bit floating-point grey (white is zero)"),
    ({"photometric": BLACK0, "bits": 16, "kind": INT}, "16-bit signed grey"),
    ({"photometric": WHITE0, "bits": 16, "order": ">"}, "16-bit grey (white is zero) in big-endian order"),
    ({"photometric": LAB, "bits": 8, "planes": True}, "8-bit CIE L*a*b* in planes"),
    (
        {"photometric": LAB, "bits": 8, "tags": {318: ("R", [3127, 10000, 3290, 10000])}},
        "8-bit CIE L*a*b* under another",
    ),
    ({"photometric": CMYK, "bits": 8, "tags": {332: ("H", [2])}}, "8-bit CMYK of other inks"),
    ({"photometric": RGB, "bits": 16, "tags": {266: ("H", [2])}}, "16-bit RGB in reversed order of bits"),
    (
        {"photometric": RGB, "bits": 8, "tags": {259: ("H", [34712])}},
        "with the compression JPEG 2000, which is not read",
    ),
    ({"photometric": RGB, "bits": 8, "tags": {258: ("H", [8, 8, 16])}}, "differently deep RGB"),
]


@pytest.mark.parametrize(("layout", "words"), NAMED, ids=[words for _, words in NAMED])
def test_a_layout_that_is_not_read_is_said_what_it_is(layout: dict[str, Any], words: str, tmp_path: Path) -> None:
    channels = CHANNELS.get(layout["photometric"], 1)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(stored(ramps(channels), layout["bits"], layout.get("kind", UINT)), **layout))
    for look in (image_size, inspect_image, open_picture):
        with pytest.raises(BadImage) as refusal:
            look(path)
        assert words in str(refusal.value)
        assert "damaged" not in str(refusal.value)
        assert "copy it again" not in str(refusal.value)


# ----------------------------------------------------------------------------------------------------------- camera raw


def raw(**changes: Any) -> bytes:
    """A TIFF of a camera: a picture of WIDTH x HEIGHT first, larger sensor data below it."""
    body = tiff(stored(ramps(3), 8, UINT), RGB, bits=8)
    sub = struct.pack("<H", 3)
    for tag, value in ((256, 6000), (257, 4000), (262, 32803)):
        sub += struct.pack("<HHII", tag, 4, 1, value)
    tags: dict[int, tuple[str, Any]] = {271: ("s", b"NIKON CORPORATION\0"), 254: ("I", [1]), 330: ("I", [len(body)])}
    tags |= {changes["tag"]: changes["value"]} if "tag" in changes else {}
    for tag in changes.get("without", ()):
        del tags[tag]
    whole = tiff(stored(ramps(3), 8, UINT), RGB, bits=8, tags={**tags, 330: ("I", [0])} if 330 in tags else tags)
    return (
        whole.replace(struct.pack("<HHII", 330, 4, 1, 0), struct.pack("<HHII", 330, 4, 1, len(whole))) + sub + bytes(4)
    )


CAMERAS = {
    "NEF": (raw(), "is a camera raw file (NIKON CORPORATION); develop it"),
    "ARW, no word of a thumbnail": (raw(without=(254,)), "is a camera raw file (NIKON CORPORATION); develop it"),
    "DNG": (raw(without=(254, 330), tag=50706, value=("B", [1, 4, 0, 0])), "(NIKON CORPORATION, DNG); develop it"),
    "PEF": (raw(without=(254, 330), tag=262, value=("H", [32803])), "is a camera raw file (NIKON CORPORATION)"),
    "thumbnail first": (raw(without=(271, 330)), "is a TIFF whose first picture is a thumbnail"),
    "CR2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(4) + raw()[8:], ""),
    "CR3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "is a camera raw file (Canon CR3)"),
    "RAF": (b"FUJIFILMCCD-RAW 0201" + bytes(99), "is a camera raw file (Fujifilm RAF)"),
    "ORF": (b"IIRO\x08\0\0\0" + bytes(99), "is a camera raw file (Olympus ORF)"),
    "RW2": (b"IIU\0\x18\0\0\0" + bytes(99), "is a camera raw file (Panasonic RW2)"),
    "X3F": (b"FOVb" + bytes(99), "is a camera raw file (Sigma X3F)"),
    "MRW": (b"\0MRM" + bytes(99), "is a camera raw file (Minolta MRW)"),
}


@pytest.mark.parametrize("suffix", [".nef", ".tif", ".jpg"])
@pytest.mark.parametrize("kind", CAMERAS)
def test_camera_raw_is_refused_as_what_it_is_whatever_its_name(kind: str, suffix: str, tmp_path: Path) -> None:
    data, words = CAMERAS[kind]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    for look in (image_size, inspect_image):
        with pytest.raises(BadImage) as refusal:
            look(path)
        assert words in str(refusal.value)


def test_smaller_pictures_below_the_first_do_not_make_it_raw(tmp_path: Path) -> None:
    """A pyramid, as libvips writes it."""
    data = raw(without=(254,)).replace(struct.pack("<HHII", 256, 4, 1, 6000), struct.pack("<HHII", 256, 4, 1, 20))
    data = data.replace(struct.pack("<HHII", 257, 4, 1, 4000), struct.pack("<HHII", 257, 4, 1, 20))
    (tmp_path / "a.tif").write_bytes(data.replace(struct.pack("<I", 32803), struct.pack("<I", 2)))
    np.testing.assert_allclose(open_picture(tmp_path / "a.tif").pixels, ramps(3) * 255, atol=0.6)
