"""Why some bytes are no picture that we read, and what to do about it.

Looks at the first bytes only.
"""

from __future__ import annotations

import codecs
import re


class UnfitError(Exception):
    """Why a file is not read, as the rest of a sentence that starts with its name."""


_NO_PICTURE = "is not a picture this program reads (JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF)"
_CONVERT = "convert it to PNG or JPEG"

DEVELOP = "develop it with a raw converter and save it as TIFF or JPEG"

# First bytes -> what the file is, from the formats' definitions; longer beginnings stand first.
_KNOWN: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/", "is a git-lfs pointer, not the picture itself; run `git lfs pull`"),
    (b"%PDF-", f"is a PDF; {_CONVERT}"),
    (b"%!PS", f"is PostScript (EPS); {_CONVERT}"),
    (b"\xc5\xd0\xd3\xc6", f"is PostScript (EPS); {_CONVERT}"),
    (b"8BPS", f"is a Photoshop document (PSD); {_CONVERT}"),
    (b"gimp xcf", f"is a GIMP document (XCF); {_CONVERT}"),
    (b"\x00\x00\x01\x00", f"is a Windows icon (ICO); {_CONVERT}"),
    (b"\x00\x00\x00\x0cJXL ", f"is JPEG XL; {_CONVERT}"),
    (b"\xff\x0a", f"is JPEG XL; {_CONVERT}"),
    (b"\x00\x00\x00\x0cjP  ", f"is JPEG 2000; {_CONVERT}"),
    (b"PK\x03\x04", "is a ZIP archive; unpack it"),
    (b"FUJIFILMCCD-RAW", f"is a camera raw file (Fujifilm RAF); {DEVELOP}"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", f"is a camera raw file (Canon CRW); {DEVELOP}"),
    (b"IIRO", f"is a camera raw file (Olympus ORF); {DEVELOP}"),
    (b"IIRS", f"is a camera raw file (Olympus ORF); {DEVELOP}"),
    (b"MMOR", f"is a camera raw file (Olympus ORF); {DEVELOP}"),
    (b"IIU\x00", f"is a camera raw file (Panasonic RW2); {DEVELOP}"),
    (b"\x00MRM", f"is a camera raw file (Minolta MRW); {DEVELOP}"),
    (b"FOVb", f"is a camera raw file (Sigma X3F); {DEVELOP}"),
    (b"v/1\x01", f"is OpenEXR; {_CONVERT}"),
    (b"#?RADIANCE", f"is Radiance HDR; {_CONVERT}"),
    (b"SIMPLE  =", f"is FITS; {_CONVERT}"),
    (b"#define", f"is an X bitmap (XBM) or source text; {_CONVERT}"),
)

# Picture formats by their first bytes: such a file that cannot be opened is damaged, not foreign.
_OURS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP"),
    (re.compile(rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+"), "TIFF"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "AVIF"),
)

# Brands of ISO base media files that hold HEVC-coded pictures (ISO/IEC 23008-12, annex B); `mif1`,
# `msf1` are generic.
_HEIF = re.compile(rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)
_CR3 = re.compile(rb"....ftypcrx ", re.DOTALL)
_ISO_MEDIA = re.compile(rb"....ftyp", re.DOTALL)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|title)\b", re.IGNORECASE | re.DOTALL)
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_PNM = re.compile(rb"P[1-7][\s#]")

_LOOKED_AT = 1024  # bytes; enough for an XML prologue before <svg


def is_heif(data: bytes) -> bool:
    """Whether the file says it is HEIC/HEIF, the format of many phones."""
    return _HEIF.match(data[:_LOOKED_AT]) is not None


def why_no_picture(data: bytes) -> str:
    """The rest of a sentence that starts with the file's name."""
    head = data[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf")
    for beginning, reason in _KNOWN:
        if head.startswith(beginning):
            return reason
    for beginning_pattern, name in _OURS:
        if beginning_pattern.match(head):
            return f"starts like {name} but is damaged or cut off; copy it again"
    if _CR3.match(head):
        return f"is a camera raw file (Canon CR3); {DEVELOP}"
    if is_heif(head):
        return "is HEIC, which needs an extra package; install the `heif` extra or convert it to JPEG"
    if _ISO_MEDIA.match(head):
        return f"is a video or another ISO media file; {_CONVERT}"
    if _HTML.match(head):
        return "looks like HTML, probably a saved error page; download the picture again"
    if _SVG.search(head):
        return f"is SVG, a drawing without pixels; {_CONVERT}"
    if _PNM.match(head):
        return f"is a PBM/PGM/PPM picture; {_CONVERT}"
    if _is_text(head):
        return f"{_NO_PICTURE}; it is text"
    return f"{_NO_PICTURE}; {_CONVERT}"


def _is_text(head: bytes) -> bool:
    try:
        text, _ = codecs.utf_8_decode(head, "strict", False)  # False: a character cut off at the end is no error
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
