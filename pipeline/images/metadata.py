"""The settings that an output carries: written by `encode`, read back here. No NumPy.

PNG has a text entry `stylize` with plain JSON, which every viewer of metadata shows; all formats
carry the same JSON in XMP and say there, in the words of the IPTC, that the picture is a composite
made with a trained network.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from html import escape, unescape
from io import BytesIO
from typing import Any

from pipeline.errors import BadImage
from pipeline.images.decode import decoding, identify
from pipeline.images.file_bytes import read_source
from pipeline.printable import printable

PNG_KEY = "stylize"

# Characters of JSON. A JPEG's XMP has to fit into one segment of 65,533 bytes, of which 29 name it
# (XMP part 3, 1.1.3); the rest of the packet is under 1 kB, and each `&`, `<` or `>` grows when
# escaped, which is counted.
_MAX_JSON = 60_000

# Levels; `meta` is the deepest, as deep as a manifest may be.
_MAX_DEPTH = 40

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:stylize="urn:stylize:settings:1#">
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
   <stylize:settings>{settings}</stylize:settings>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""

# IPTC NewsCodes, Digital Source Type: made of several elements, at least one by a trained network.
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

# Found by its own name and never given to an XML parser: the file may come from anywhere.
_SETTINGS_BEGIN, _SETTINGS_END = b"<stylize:settings>", b"</stylize:settings>"  # in XMP


def read_metadata(path: str | os.PathLike[str], home: str | None = None) -> dict[str, Any]:
    """The settings stored in an output, as they were given to `encode.encode_picture`.

    Only the header is read. Raises BadImage if the file is no picture, does not lie in the folder
    `home`, holds no settings, or damaged ones.
    """
    source = read_source(path, home)
    return metadata_in(source.data, source.shown)


def metadata_in(data: bytes, shown: str) -> dict[str, Any]:
    """The same of a file's bytes, or of those at its beginning where they hold its header; `shown`
    is what it is called in messages."""
    with decoding(shown, data, []):
        info = identify(BytesIO(data), data).info
    text = _stored_text(info)
    if text is None:
        raise BadImage(f"{shown} holds no settings; it was not made by stylize, or was saved again by another program")
    try:
        return parse_settings(text)
    except ValueError as error:
        raise BadImage(f"{shown} holds damaged settings ({printable(str(error))}); take another copy") from error


def parse_settings(text: str) -> dict[str, Any]:
    """The settings in a text that may come from anybody, as `settings_json` writes them. Raises
    ValueError saying what else it is."""
    if len(text) > _MAX_JSON:
        raise ValueError(f"{len(text)} characters, where at most {_MAX_JSON} are written")
    try:
        settings = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(settings, dict):
        raise ValueError("not a table of names")
    level: list[Any] = [settings]
    for _ in range(_MAX_DEPTH):
        level = [item for value in level if isinstance(value, dict | list) for item in _items(value)]
        if not level:
            return settings
    raise ValueError("nested too deeply")


def _items(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]} is too large")
    return number


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name stands there twice")
    return table


def settings_json(settings: Mapping[str, Any]) -> str:
    """Compact ASCII JSON, at most as long as every format can hold.

    Where it would be longer, the longest entries are left out, and so are entries with numbers that
    are not finite; an entry `left_out` names them. A painted picture is never lost for the remark
    that goes with it.
    """
    kept = dict(settings)
    left_out = [name for name, value in settings.items() if not _is_finite(value)]
    for name in left_out:
        del kept[name]
    while len(_in_xml(text := _compact(kept | ({"left_out": left_out} if left_out else {})))) > _MAX_JSON:
        longest = max(kept, key=lambda name: len(_compact(kept[name])))
        del kept[longest]
        left_out.append(longest)
    return text


def xmp_packet(text: str) -> bytes:
    """An XMP packet (UTF-8) with the source type and the settings as `settings_json` gave them."""
    return _PACKET.format(source_type=_SOURCE_TYPE, settings=_in_xml(text)).encode("utf-8")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _is_finite(value: Any) -> bool:
    try:
        _compact(value)
    except ValueError:
        return False
    return True


def _in_xml(text: str) -> str:
    return escape(text, quote=False)


def _stored_text(info: Mapping[Any, Any]) -> str | None:
    if isinstance(text := info.get(PNG_KEY), str):
        return text
    packet = info.get("xmp")
    # a pattern would look for the end from each of a million beginnings
    if isinstance(packet, bytes) and (begin := packet.find(_SETTINGS_BEGIN)) >= 0:
        begin += len(_SETTINGS_BEGIN)
        if (end := packet.find(_SETTINGS_END, begin)) >= 0:
            return unescape(packet[begin:end].decode("utf-8", "replace"))
    return None
