"""Weight files that mean harm, or have come to it: what each is called, who makes it, and what must be said of it.

A sound file here declares all arrays of VGG19 and has none of them written: HDF5 reads them as zeros, from a few kB.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from pipeline.nst.network import VGG19

FIRST = "block1_conv1/kernel"
SHAPE = VGG19.kernel_shape("block1_conv1")
PLUGIN = 32015  # Zstandard's number among HDF5's registered filters


class Harm(NamedTuple):
    """`make(path)` writes the file; `said` is a regular expression that its refusal matches."""

    make: Callable[[Path], None]
    said: str


def sound(path: Path, **without: Any) -> None:
    """A file that is read without complaint; `without` names an array to leave out, by its path with / as __."""
    with h5py.File(path, "w") as file:
        for layer in VGG19.convolutions:
            shape = VGG19.kernel_shape(layer)
            for part, form in (("kernel", shape), ("bias", shape[-1:])):
                if f"{layer}__{part}" not in without:
                    file.create_dataset(f"{layer}/{part}", form, np.float32)


def _changed(change: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    """A sound file whose first kernel `change` makes, in the place of the right one."""

    def make(path: Path) -> None:
        sound(path, block1_conv1__kernel=None)
        with h5py.File(path, "a") as file:
            change(file)

    return make


def _bytes_changed(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        sound(path)
        path.write_bytes(change(path.read_bytes()))

    return make


def _elsewhere(file: h5py.File) -> str:
    return str(Path(file.filename).with_name("private.bin"))


def _external_storage(file: h5py.File) -> None:
    Path(_elsewhere(file)).write_bytes(bytes(np.prod(SHAPE) * 4))
    file.create_dataset(FIRST, SHAPE, np.float32, external=[(_elsewhere(file), 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(SHAPE, np.float32)
    layout[:] = h5py.VirtualSource(_elsewhere(file), "x", SHAPE)
    file.create_virtual_dataset(FIRST, layout)


def _filtered(*filters: int, packed: bytes | Callable[[], bytes] = b"") -> Callable[[h5py.File], None]:
    """The first kernel as one chunk behind these filters, stored as `packed`, if that is something."""

    def make(file: h5py.File) -> None:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk(SHAPE)
        for number in filters:
            values = (4,) if number in (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE) else ()
            plan.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)
        links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
        links.set_create_intermediate_group(True)
        space, kind = h5py.h5s.create_simple(SHAPE), h5py.h5t.IEEE_F32LE
        dataset = h5py.h5d.create(file.id, FIRST.encode(), kind, space, dcpl=plan, lcpl=links)
        if stored := packed() if callable(packed) else packed:
            dataset.write_direct_chunk((0, 0, 0, 0), stored)

    return make


def _committed(file: h5py.File) -> None:
    file["kind"] = np.dtype(np.float32)
    file.create_dataset(FIRST, SHAPE, file["kind"])


def _of_type(kind: Any) -> Callable[[h5py.File], object]:
    return lambda file: file.create_dataset(FIRST, SHAPE, kind)


def _linked(link: Any) -> Callable[[h5py.File], None]:
    def make(file: h5py.File) -> None:
        file[FIRST] = link(file)

    return make


def _eight_gib(path: Path) -> None:
    """28 kB that declare 8 GiB, in an array that nobody asked for: none of it may be read."""
    sound(path)
    with h5py.File(path, "a") as file:
        file.create_dataset(
            "block1_conv1/extra", (2**15, 2**8, 2**8), np.float32, chunks=(2**6, 2**8, 2**8), compression=9
        )


def _doors_in_a_circle(path: Path) -> None:
    sound(path)
    with h5py.File(path, "a") as file:
        file["block1_conv1/again"] = file["/"]


def _crowded(file: h5py.File) -> None:
    for index in range(2_001):
        file.create_group(f"x{index}", track_order=False)


HARMLESS: Mapping[str, Callable[[Path], None]] = {
    "sound": sound,
    "declares 8 GiB beside what is asked for": _eight_gib,
    "a group that holds itself": _doors_in_a_circle,
}
# to make, or large
SLOW = {"a chunk that unpacks to 200 MiB", "more groups than are looked at"}
_LINK = "is a link that leads elsewhere"
_TYPE = "holds something else than numbers in floating point"
_FILTER = "packed by filters that are not read here"
HARMFUL: Mapping[str, Harm] = {
    "numbers in another file": Harm(_changed(_external_storage), "has its numbers in another file"),
    "put together from other files": Harm(_changed(_virtual), "is a virtual data set"),
    "a link to another file": Harm(_changed(_linked(lambda file: h5py.ExternalLink("/etc/passwd", "/x"))), _LINK),
    "a link within": Harm(_changed(_linked(lambda file: h5py.SoftLink("/block2_conv1/kernel"))), _LINK),
    "a plug-in's filter": Harm(_changed(_filtered(PLUGIN)), rf"{_FILTER} \(number {PLUGIN}\)"),
    "szip": Harm(_changed(_filtered(h5py.h5z.FILTER_NBIT)), _FILTER),
    "gzip twice": Harm(_changed(_filtered(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_DEFLATE)), r"\(gzip, gzip\)"),
    "a chunk that unpacks to 200 MiB": Harm(
        _changed(_filtered(h5py.h5z.FILTER_DEFLATE, packed=lambda: zlib.compress(bytes(200 * 2**20), 9)[:-4])),
        "unpacks to more than its 6912 bytes",
    ),
    "a chunk that is not packed at all": Harm(_changed(_filtered(h5py.h5z.FILTER_DEFLATE, packed=b"no")), "is damaged"),
    "an lzf chunk of the wrong size": Harm(
        _changed(_filtered(h5py.h5z.FILTER_LZF, packed=b"\xff" * 50_000)), "should unpack to 6912"
    ),
    "objects": Harm(_changed(_of_type(h5py.string_dtype())), _TYPE),
    "references": Harm(_changed(_of_type(h5py.ref_dtype)), _TYPE),
    "whole numbers": Harm(_changed(_of_type(np.int64)), _TYPE),
    "a type that has a name": Harm(_changed(_committed), _TYPE),
    "numbers of 16 bytes": Harm(_changed(_of_type(np.longdouble)), _TYPE),
    "declares 8 GiB where a kernel belongs": Harm(
        _changed(lambda file: file.create_dataset(FIRST, (3, 3, 2**14, 2**14), np.float32)), "do not fit VGG19"
    ),
    "more groups than are looked at": Harm(_changed(_crowded), "holds more than 2000 objects"),
    "cut short": Harm(_bytes_changed(lambda data: data[: len(data) // 2]), "is damaged"),
    "a header of noughts": Harm(_bytes_changed(lambda data: data[:16] + bytes(200) + data[216:]), "is damaged"),
    "names that act on a terminal": Harm(
        lambda path: _named(path, "block1_conv1\x1b[2J\n"), r"the first ones block1_conv1\\x1b\[2J\\n/kernel"
    ),
    "no HDF5": Harm(lambda path: path.write_bytes(b"PK\x03\x04 a zip"), "are not an HDF5 file"),  # type: ignore[arg-type, return-value]
    "empty": Harm(Path.touch, "it is empty"),
}


def _named(path: Path, group: str) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(f"{group}/kernel", SHAPE, np.float32)
