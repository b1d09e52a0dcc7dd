"""Why some bytes are no picture that we read, and what to do about it.

Looks at the first bytes only.
"""

from __future__ import annotations

import codecs
import importlib.util
import re
import shlex
import sys


class UnfitError(Exception):
    """Why a file is not read, as the rest of a sentence that starts with its name."""


_NO_PICTURE = "is not a picture this program reads (JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC)"
CONVERT = "convert it to PNG or JPEG"

DEVELOP = "develop it with a raw converter and save it as TIFF or JPEG"

_STILL = "save a frame of it as PNG or JPEG"
_COMPANION = "is what macOS keeps beside a file (its name starts with ._), not the picture; leave it out"
_SIDECAR = "is an XMP sidecar, which describes a picture and holds none; leave it out"

# First bytes -> what the file is, from the formats' definitions; longer beginnings stand first.
_KNOWN: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/", "is a git-lfs pointer, not the picture itself; run `git lfs pull`"),
    (b"%PDF-", f"is a PDF; {CONVERT}"),
    (b"%!PS", f"is PostScript (EPS); {CONVERT}"),
    (b"\xc5\xd0\xd3\xc6", f"is PostScript (EPS); {CONVERT}"),
    (b"8BPS", f"is a Photoshop document (PSD); {CONVERT}"),
    (b"gimp xcf", f"is a GIMP document (XCF); {CONVERT}"),
    (b"\x00\x00\x01\x00", f"is a Windows icon (ICO); {CONVERT}"),
    (b"\x00\x00\x00\x0cJXL ", f"is JPEG XL; {CONVERT}"),
    (b"\xff\x0a", f"is JPEG XL; {CONVERT}"),
    (b"\x00\x00\x00\x0cjP  ", f"is JPEG 2000; {CONVERT}"),
    (b"\xff\x4f\xff\x51", f"is JPEG 2000; {CONVERT}"),
    (b"II\xbc", f"is JPEG XR; {CONVERT}"),
    (b"PK\x03\x04", "is a ZIP archive; unpack it"),
    (b"\x1f\x8b", "is compressed (gzip); unpack it"),
    (b"BZh", "is compressed (bzip2); unpack it"),
    (b"\xfd7zXZ\x00", "is compressed (xz); unpack it"),
    (b"\x28\xb5\x2f\xfd", "is compressed (Zstandard); unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it"),
    (b"Rar!\x1a\x07", "is a RAR archive; unpack it"),
    *((beginning, _COMPANION) for beginning in (b"\x00\x05\x16\x07", b"\x00\x05\x16\x00")),
    (b"\x00\x00\x00\x01Bud1", "is what macOS notes of a folder (.DS_Store), no picture; leave it out"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is Thumbs.db of Windows or an old Office document; leave it out"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "is a Windows shortcut, not the picture; copy the picture itself"),
    (b"book\x00\x00\x00\x00mark", "is a macOS alias, not the picture; copy the picture itself"),
    (b"bplist00", "is a property list, perhaps of a picture that is still in iCloud; download the picture first"),
    (b"<?xpacket", _SIDECAR),
    (b"<x:xmpmeta", _SIDECAR),
    (b"FUJIFILMCCD-RAW", f"is a camera raw file (Fujifilm RAF); {DEVELOP}"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", f"is a camera raw file (Canon CRW); {DEVELOP}"),
    (b"IIRO", f"is a camera raw file (Olympus ORF); {DEVELOP}"),
    (b"IIRS", f"is a camera raw file (Olympus ORF); {DEVELOP}"),
    (b"MMOR", f"is a camera raw file (Olympus ORF); {DEVELOP}"),
    (b"IIU\x00", f"is a camera raw file (Panasonic RW2); {DEVELOP}"),
    (b"\x00MRM", f"is a camera raw file (Minolta MRW); {DEVELOP}"),
    (b"FOVb", f"is a camera raw file (Sigma X3F); {DEVELOP}"),
    (b"v/1\x01", f"is OpenEXR; {CONVERT}"),
    (b"#?RADIANCE", f"is Radiance HDR; {CONVERT}"),
    (b"#?RGBE", f"is Radiance HDR; {CONVERT}"),
    (b"SDPX", f"is DPX, a frame of film; {CONVERT}"),
    (b"XPDS", f"is DPX, a frame of film; {CONVERT}"),
    (b"\x80\x2a\x5f\xd7", f"is Cineon, a frame of film; {CONVERT}"),
    (b"qoif", f"is QOI; {CONVERT}"),
    (b"DDS ", f"is DirectDraw (DDS); {CONVERT}"),
    (b"\x01\xda", f"is an SGI picture; {CONVERT}"),
    (b"\x59\xa6\x6a\x95", f"is a Sun raster picture; {CONVERT}"),
    (b"\x8aMNG\r\n\x1a\n", f"is MNG; {CONVERT}"),
    (b"\x8bJNG\r\n\x1a\n", f"is JNG; {CONVERT}"),
    (b"AT&TFORM", f"is DjVu; {CONVERT}"),
    (b"\xd7\xcd\xc6\x9a", f"is a Windows metafile (WMF); {CONVERT}"),
    (b"id=ImageMagick", f"is ImageMagick's own MIFF; {CONVERT}"),
    (b"\x08\xf2\xa6\xb6", f"is a libvips picture; {CONVERT}"),
    (b"\xb6\xa6\xf2\x08", f"is a libvips picture; {CONVERT}"),
    (b"\x1aE\xdf\xa3", f"is a video (Matroska, WebM); {_STILL}"),
    (b"\x00\x00\x01\xba", f"is a video (MPEG); {_STILL}"),
    (b"SIMPLE  =", f"is FITS; {CONVERT}"),
    (b"#define", f"is an X bitmap (XBM) or source text; {CONVERT}"),
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
_PFM = re.compile(rb"P[Ff]\s")
_AVI = re.compile(rb"RIFF....AVI ", re.DOTALL)
_PCX = re.compile(rb"\x0a[\x00-\x05][\x00\x01][\x01\x02\x04\x08]")
# A file in a ZIP archive that says what the archive is (OpenRaster; Krita).
_LAYERED = re.compile(rb"PK\x03\x04.{26}mimetype(?:image/openraster|application/x-krita)", re.DOTALL)
_ANNEX = re.compile(rb"/annex/objects/|[./]*\.git/annex/objects/")
# It has no mark of its own: a kind of colours, of pixels, bits of a pixel (TGA specification 2.0).
_TGA = re.compile(rb".[\x00\x01][\x01-\x03\x09-\x0b].{9}(?!\0\0)..(?<!\0\0)..[\x08\x0f\x10\x18\x20]", re.DOTALL)
_XML = re.compile(rb"\s*<\?xml\b")
# Places of marks that are not at the beginning: POSIX.1 ustar; DICOM PS3.10, 7.1.
_TAR, _DICOM = 257, 128

_LOOKED_AT = 1024  # bytes; enough for an XML prologue before <svg

_MORE: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (_ISO_MEDIA, f"is a video or another ISO media file; {_STILL}"),
    (_AVI, f"is a video (AVI); {_STILL}"),
    (_HTML, "looks like HTML, probably a saved error page; download the picture again"),
    (_ANNEX, "is a git-annex pointer, not the picture itself; run `git annex get`"),
    (_PNM, f"is a PBM/PGM/PPM picture; {CONVERT}"),
    (_PFM, f"is a PFM picture (floating point); {CONVERT}"),
    (_PCX, f"is PCX; {CONVERT}"),
)


def is_heif(data: bytes) -> bool:
    """Whether the file says it is HEIC/HEIF, the format of many phones."""
    return _HEIF.match(data[:_LOOKED_AT]) is not None


def why_no_picture(data: bytes) -> str:
    """The rest of a sentence that starts with the file's name."""
    head = data[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf")
    if _LAYERED.match(head):
        return f"is a layered document (OpenRaster, Krita); {CONVERT}"
    for beginning, reason in _KNOWN:
        if head.startswith(beginning):
            return reason
    for beginning_pattern, name in _OURS:
        if beginning_pattern.match(head):
            return f"starts like {name} but is damaged or cut off; copy it again"
    if _CR3.match(head):
        return f"is a camera raw file (Canon CR3); {DEVELOP}"
    if is_heif(head):
        if importlib.util.find_spec("pillow_heif") is not None:
            return "starts like HEIC but is damaged or cut off; copy it again"
        command = shlex.join([sys.executable, "-m", "pip", "install", "pillow-heif"])
        return f"is HEIC, which needs one package more; install it ({command}), or convert the picture to JPEG"
    for pattern, reason in _MORE:
        if pattern.match(head):
            return reason
    if _SVG.search(head):
        return f"is SVG, a drawing without pixels; {CONVERT}"
    if _XML.match(head):
        return "is XML, perhaps a server's word of an error; download the picture again"
    if head[_TAR:].startswith(b"ustar"):
        return "is a tar archive; unpack it"
    if head[_DICOM:].startswith(b"DICM"):
        return f"is DICOM, a medical picture; {CONVERT}"
    if head and not head.strip(b"\0"):
        return "starts with zeros alone: it was not copied or rescued whole; copy it again"
    if _is_text(head):
        return f"{_NO_PICTURE}; it is text"
    if _TGA.match(head):
        return f"looks like Targa (TGA); {CONVERT}"
    return f"{_NO_PICTURE}; {CONVERT}"


def _is_text(head: bytes) -> bool:
    try:
        text, _ = codecs.utf_8_decode(head, "strict", False)  # False: a character cut off at the end is no error
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
