"""A fuzzer for the doors: mutated manifests and pictures, clips (fuzz/clips), files that a run keeps, weights and settings
in pictures (fuzz/kept), for a given time, the same ones for the same seed.

    python tests/fuzz/doors.py --seconds 1200 --seed 7 --doors image manifest

What may come out of the loader is a Manifest or a ManifestError, of the image door a Picture or a BadImage; within 5 s of
processor time and 1.5 GiB. Anything else is a finding: the input is kept in tests/fuzz/findings, and the exit code is 1.
An input that was mended belongs into tests/fuzz/corpus: `make test` opens all of that, and later mutations start from it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from fuzz import clips, kept  # noqa: E402

CORPUS = HERE / "corpus"
FINDINGS = HERE / "findings"

CPU_SECONDS = 5.0  # for one input
MEMORY = 3 * 2**29  # bytes of address space over what the libraries take: 1.5 GiB
CASES = 4000  # for one process; the next starts with a clean memory
WALL_SECONDS = (
    60  # for one input; only a wait for something that never comes, or a hang inside a C library, takes so long
)

# Pieces that mean something: to YAML and manifests, and to the formats of pictures.
WORDS = [
    b"\n", b"\n  ", b"- ", b": ", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"<<: *a", b"!!str ", b"!", b"? ", b"|\n", b">", b"'",
    b'"', b"#", b"%", b"@", b"`", b"---\n", b"...\n", b"\t", b"\\ud800", b"\xff", b"\xe2\x80\xa8", b"\x85", b"\0",
    b"null", b"true", b".nan", b"-1", b"1e999", b"9" * 400, b"0x1F", b"2026-11-23", b"22:30", b"..", b"/", b"**", b"~/",
    b"$HOME", b"{content.stem}", b"{index}", b"matrix:", b"exclude:", b"options:", b"preset:", b"version: 1",
]  # fmt: skip
MARKS = [
    b"\xff\xd8", b"\xff\xd9", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xe1", b"Exif\0\0", b"ICC_PROFILE\0\1\1", b"Adobe",
    b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"IDAT", b"IEND", b"VP8 ", b"VP8L",
    b"VP8X", b"ALPH", b"ANMF", b"II*\0", b"MM\0*", b"\x2c\0\0\0\0", b"ftypavif", b"meta", b"iloc", b"ipma", b"stylize",
    *(struct.pack(form, number) for form in ("<H", ">H") for number in (0, 1, 0x7FFF, 0xFFFF)),
    *(struct.pack(form, number) for form in ("<I", ">I") for number in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 60_000)),
]  # fmt: skip


def main() -> int:
    """Fuzz in one process after another until the time is up; 1 if anything was found."""
    parser = argparse.ArgumentParser(description="Fuzz whatever reads a file that somebody else may have written.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed tries the same inputs (default 0)")
    parser.add_argument("--batches", type=float, default=float("inf"), help="make at most so many batches")
    parser.add_argument("--batch", type=int, default=0, help="the batch to start with (default 0)")
    parser.add_argument("--doors", nargs="+", choices=sorted(DOORS), default=sorted(DOORS), help="which (default: all)")
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "END"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        folder, end = Path(arguments.child[0]), float(arguments.child[1])
        return fuzz(arguments.seed, arguments.batch, folder, end, arguments.doors)
    end, found, batch = time.time() + arguments.seconds, 0, arguments.batch
    while time.time() < end and batch < arguments.batch + arguments.batches:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--seed", str(arguments.seed), "--batch", str(batch)]
            command += ["--doors", *arguments.doors]
            environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent.parent)}
            child = subprocess.run([*command, "--child", folder, str(end)], env=environment, check=False)
            found += child.returncode != 0
            if child.returncode not in (0, 1):  # it did not live to tell: a crash, or stuck
                keep(Path(folder), f"the process ended with {child.returncode}")
        batch += 1
    print(f"seed {arguments.seed}, batches {arguments.batch} to {batch - 1}: {found} with findings")
    return 1 if found else 0


def fuzz(seed: int, batch: int, folder: Path, end: float, doors: list[str]) -> int:
    """Try the inputs of one batch; 1 if there was a finding, which was kept."""
    seeds = {door: seeds_of(door, folder / door) for door in doors}
    doors = [door for door in doors if seeds[door]]  # of clips there are none without what reads them
    talk = os.dup(sys.stderr.fileno())
    faulthandler.enable(talk)
    said = os.open(folder / "said", os.O_RDWR | os.O_CREAT | os.O_APPEND)  # by whoever speaks past Python
    os.dup2(said, sys.stderr.fileno())
    limit_memory()
    found = cases = 0
    for case in range(CASES):
        if time.time() > end:
            break
        chance = random.Random(f"{seed}/{batch}/{case}")
        door = chance.choice(sorted(doors))
        suffix, start = chance.choice(seeds[door])
        data = mutated(start, [other for _suffix, other in seeds[door]], chance, door)
        path = folder / door / f"input{suffix}"
        path.write_bytes(data)
        (folder / "last").write_text(str(path))
        faulthandler.dump_traceback_later(WALL_SECONDS, exit=True, file=talk)
        try:
            with limited_time():
                DOORS[door](path)
            assert not (words := os.read(said, 1000)), f"on stderr: {words!r}"
        except BaseException:
            keep(folder, traceback.format_exc())
            found += 1
        os.truncate(said, 0)
        os.lseek(said, 0, os.SEEK_SET)
        cases += 1
    faulthandler.cancel_dump_traceback_later()
    print(f"seed {seed}, batch {batch}: {cases} inputs, {found} findings", flush=True)
    return 1 if found else 0


def seeds_of(door: str, folder: Path) -> list[tuple[str, bytes]]:
    """What mutations of a door start from, with their suffixes: its corpus, and what is made in its folder."""
    PREPARED[door](folder)
    made = SEEDS[door](folder) if door in SEEDS else []
    return [(path.suffix, path.read_bytes()) for path in (*made, *corpus_of(door))]


def corpus_of(door: str) -> list[Path]:
    """What was found once."""
    return sorted((CORPUS / door).iterdir()) if (CORPUS / door).is_dir() else []


def keep(folder: Path, what: str) -> None:
    """Copy the last input to FINDINGS, and say what happened."""
    last = Path((folder / "last").read_text())
    digest = hashlib.sha256(last.read_bytes()).hexdigest()[:12]
    FINDINGS.mkdir(exist_ok=True)
    shutil.copy(last, FINDINGS / f"{digest}{last.suffix}")
    (FINDINGS / f"{digest}.txt").write_text(what)
    print(f"FOUND {FINDINGS / digest}{last.suffix}\n{what}", flush=True)


# ----------------------------------------------------------------------------------------------------------- mutations


def mutated(data: bytes, others: list[bytes], chance: random.Random, door: str) -> bytes:
    """`data` with one to eight changes; a PNG's checksums are mended most of the time, so that more than they is tried."""
    if door in kept.OF_JSON and chance.random() < 0.7:
        return kept.changed(data, chance)
    words = _words(door)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 8))):
        data = chance.choice(CHANGES)(data, chance, words, others)
    if data.startswith(b"\x89PNG") and chance.random() < 0.8:
        data = with_png_checksums(data)
    return data


def _words(door: str) -> list[bytes]:
    """Pieces that mean something to what is behind a door."""
    if door == "clip":
        return clips.words()
    return WORDS if door == "manifest" else MARKS if door in ("image", "weights", "checkpoint") else kept.WORDS


def _some(data: bytes, chance: random.Random) -> tuple[int, int]:
    """The bounds of a slice, mostly a short one, and mostly near the beginning, where headers are."""
    start = chance.randrange(len(data) + 1)
    if chance.random() < 0.4:
        start = min(start, chance.randrange(200))
    return start, min(len(data), start + chance.choice((1, 2, 4, 8, 30, len(data))))


def _flip(data: bytes, chance: random.Random, words: list[bytes], others: list[bytes]) -> bytes:
    start, _ = _some(data, chance)
    if start >= len(data):
        return data
    return data[:start] + bytes([data[start] ^ (1 << chance.randrange(8))]) + data[start + 1 :]


def _overwrite(data: bytes, chance: random.Random, words: list[bytes], others: list[bytes]) -> bytes:
    start, _ = _some(data, chance)
    word = chance.choice(words) if chance.random() < 0.7 else chance.randbytes(chance.choice((1, 2, 4)))
    return data[:start] + word + data[start + len(word) :]


def _insert(data: bytes, chance: random.Random, words: list[bytes], others: list[bytes]) -> bytes:
    start, _ = _some(data, chance)
    return data[:start] + chance.choice(words) * chance.choice((1, 1, 1, 2, 40)) + data[start:]


def _remove(data: bytes, chance: random.Random, words: list[bytes], others: list[bytes]) -> bytes:
    start, end = _some(data, chance)
    return data[:start] + data[end:]


def _repeat(data: bytes, chance: random.Random, words: list[bytes], others: list[bytes]) -> bytes:
    start, end = _some(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 1, 2, 50)) + data[end:] if len(data) < 100_000 else data


def _splice(data: bytes, chance: random.Random, words: list[bytes], others: list[bytes]) -> bytes:
    start, _ = _some(data, chance)
    first, last = _some(other := chance.choice(others), chance)
    return data[:start] + other[first:last] + data[start:]


CHANGES = (_flip, _flip, _overwrite, _overwrite, _insert, _remove, _repeat, _splice)


def with_png_checksums(data: bytes) -> bytes:
    """The chunks of a PNG (its specification, 5.3) with right checksums, as far as there are whole chunks."""
    out, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        if at + 12 + length > len(data):
            break
        body = data[at + 4 : at + 8 + length]
        out += [data[at : at + 4], body, zlib.crc32(body).to_bytes(4)]
        at += 12 + length
    return b"".join((*out, data[at:]))


# --------------------------------------------------------------------------------------------------------------- doors


def load(path: Path) -> None:
    """A Manifest that can be started, or a ManifestError that can be printed."""
    from pipeline.errors import ManifestError
    from pipeline.manifest import load_manifest

    refusal = None
    try:
        manifest = load_manifest(path)
    except ManifestError as error:
        refusal = error
    if refusal is not None:
        assert refusal.problems
        assert all(line.isprintable() for line in str(refusal).splitlines())
        return
    outputs = {job.output for job in manifest.pairs}
    assert len(outputs) == len(manifest.pairs) > 0
    for output in outputs:
        assert output.isprintable()
        assert (manifest.output / output).resolve().is_relative_to(manifest.output)


def open_image(path: Path) -> None:
    """A Picture, or a BadImage that names the file; and those who only look agree with those who paint."""
    import numpy as np

    from pipeline.images.inspection import image_size, inspect_image
    from pipeline.images.metadata import read_metadata
    from pipeline.images.picture import open_picture

    size = reason_or(image_size, path)
    facts = reason_or(inspect_image, path)
    picture = reason_or(lambda path: open_picture(path, longer_side=40), path)
    if isinstance(facts, str):
        assert picture == facts
        return
    assert not isinstance(size, str)  # what can be opened can be measured
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.shape[2] == 3
    assert max(picture.size) <= 40
    assert np.isfinite(picture.pixels).all()
    assert picture.pixels.min() >= 0 <= 255 >= picture.pixels.max()
    assert picture.alpha is None or (picture.alpha.min() >= 0 and picture.alpha.max() <= 1)
    assert (picture.sha256, picture.notes) == (facts.sha256, facts.notes)
    assert all(note.isprintable() for note in facts.notes)
    assert isinstance(reason_or(read_metadata, path), str | dict)


def reason_or(function: Callable[[Path], Any], path: Path) -> Any:
    """What a function gives for a file, or why it refuses it: one line that starts with its name."""
    from pipeline.errors import BadImage

    try:
        return function(path)
    except BadImage as error:
        reason = str(error)
    assert reason.isprintable()
    assert reason.startswith(str(path))
    return reason


def _pictures_to_name(folder: Path) -> None:
    (folder / "in/photos").mkdir(parents=True)
    for name in ("dog.jpg", "photos/sea.jpg", "photos/private-me.jpg", "art.jpg", "wave.jpg"):
        (folder / "in" / name).touch()


DOORS: dict[str, Callable[[Path], None]] = {"image": open_image, "manifest": load, **clips.DOORS, **kept.DOORS}
PREPARED: dict[str, Callable[[Path], None]] = {
    "image": Path.mkdir,
    "manifest": _pictures_to_name,
    **clips.PREPARED,
    **kept.PREPARED,
}
SEEDS: dict[str, Callable[[Path], list[Path]]] = {**clips.SEEDS, **kept.SEEDS}


# -------------------------------------------------------------------------------------------------------------- limits


class TooLong(BaseException):
    """Not an Exception, so that nobody takes it for a file that cannot be read."""


@contextlib.contextmanager
def limited_time() -> Iterator[None]:
    """Processor time, so that a busy machine makes no findings."""

    def give_up(*_: Any) -> None:
        raise TooLong(f"still busy after {CPU_SECONDS:g} s of processor time")

    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limit_memory() -> None:
    """Whoever wants more gets a MemoryError, which the image door turns into OutOfMemory: a finding."""
    import pipeline.batch.checkpoints  # what the libraries take is not counted
    import pipeline.batch.driver
    import pipeline.images.picture
    import pipeline.manifest
    import pipeline.nst.kernels  # noqa: F401

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    sys.exit(main())
