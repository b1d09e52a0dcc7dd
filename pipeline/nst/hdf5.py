"""Arrays out of an HDF5 file that nobody vouches for.

HDF5 can do more than hold arrays: name other files for links, raw data or virtual data sets, load
code to filter with, or declare terabytes in a few bytes. Here what is asked for is read if it lies
in the file itself, as plain numbers of the expected shape; all else is refused by name before a
byte of it is read. The library parses a foreign file in C: that happens in a worker, which may die.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

_OBJECTS_AT_MOST = 2_000  # a whole VGG19 with its optimizer's state has some hundred
_CHUNKS_AT_MOST = 10_000  # of one array; h5py itself cuts the largest kernel into some hundred
# What writers of arrays use, in the order in which they do. Others are refused: they may be a
# plug-in's code (nobody needs them here), or be given twice, which unpacks without bound.
_FILTERS = {
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_DEFLATE: "gzip",
    h5py.h5z.FILTER_LZF: "lzf",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
}
_SEQUENCES = {
    tuple(each for each in (*shuffle, *packed, *checked))
    for shuffle in ((), ("shuffle",))
    for packed in ((), ("gzip",), ("lzf",))
    for checked in ((), ("fletcher32",))
}
# What h5py and zlib raise of bytes that are no sound HDF5 (`make fuzz`).
_DAMAGED = (
    *(OSError, RuntimeError, KeyError, ValueError, TypeError, ArithmeticError, SystemError, MemoryError),
    zlib.error,
)


class Hdf5Error(Exception):
    """An HDF5 file, or an array in it, that is refused or damaged; says why, in a clause."""


class Hdf5File:
    """The arrays of a file by their paths, as in `block1_conv1/kernel`; none is read yet."""

    def __init__(self, datasets: Mapping[str, h5py.Dataset], size: int) -> None:
        self._datasets, self._size = datasets, size

    @property
    def paths(self) -> list[str]:
        """Where arrays stand, in the file's order."""
        return list(self._datasets)

    def shape(self, path: str) -> tuple[int, ...]:
        """The declared shape of an array. Raises Hdf5Error where it is none that may be read."""
        dataset = self._datasets[path]
        with _told():
            # before anything else: to ask a virtual data set for its shape may open other files
            _look_at_layout(path, dataset.id.get_create_plist())
            return tuple(dataset.shape or ())

    def read(self, path: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """An array that must have this shape, as float32. Raises Hdf5Error."""
        found = self.shape(path)
        if found != shape:
            raise Hdf5Error(f"{path} has the shape {found}, and not {shape}")
        dataset = self._datasets[path]
        with _told():
            _look_at_type(path, dataset)
            _look_at_chunks(path, dataset, self._size)
            return np.asarray(dataset[()], np.float32)


@contextmanager
def opened(data: bytes) -> Iterator[Hdf5File]:
    """The file that these bytes are. Raises Hdf5Error where they are none, or hold links."""
    with _without_plugins():
        with _told():
            file = h5py.File(io.BytesIO(data), "r")
        try:
            with _told():
                datasets = dict(_datasets(file))
            yield Hdf5File(datasets, len(data))
        finally:
            file.close()


@contextmanager
def _without_plugins() -> Iterator[None]:
    """No folder is searched for code, neither HDF5_PLUGIN_PATH nor the library's own: lists of
    links may be packed as well, by any filter."""
    folders = [h5py.h5pl.get(place) for place in range(h5py.h5pl.size())]
    for _ in folders:
        h5py.h5pl.remove(0)
    try:
        yield
    finally:
        for folder in folders:
            h5py.h5pl.append(folder)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Hdf5Error(f"it is damaged ({words})") from error


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Every array once, in the order of names, by hard links alone."""
    waiting: list[tuple[str, h5py.h5g.GroupID]] = [("", h5py.h5g.open(file.id, b"/"))]
    seen: set[Any] = set()
    objects = 0
    while waiting:
        above, group = waiting.pop()
        if group.get_num_objs() + len(waiting) + objects > _OBJECTS_AT_MOST:
            raise Hdf5Error(f"it holds more than {_OBJECTS_AT_MOST} objects")
        groups = []
        for name in sorted(group):
            path = above + name.decode(errors="backslashreplace")
            if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                raise Hdf5Error(f"{path} is a link that leads elsewhere; only what lies in the file itself is read")
            found = h5py.h5o.open(group, name)
            objects += 1
            address = h5py.h5o.get_info(found).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(found, h5py.h5g.GroupID):
                groups.append((f"{path}/", found))
            elif isinstance(found, h5py.h5d.DatasetID):
                yield path, h5py.Dataset(found)
        waiting += reversed(groups)


def _look_at_layout(path: str, plan: h5py.h5p.PropDCID) -> None:
    if plan.get_layout() == h5py.h5d.VIRTUAL:
        raise Hdf5Error(f"{path} is a virtual data set, put together from other files")
    if plan.get_external_count():
        raise Hdf5Error(f"{path} has its numbers in another file")
    names = []
    for place in range(plan.get_nfilters()):
        number = plan.get_filter(place)[0]
        names.append(_FILTERS.get(number, f"number {number}"))
    if tuple(names) not in _SEQUENCES:
        raise Hdf5Error(f"{path} is packed by filters that are not read here ({', '.join(names)}); save it with gzip")


def _look_at_type(path: str, dataset: h5py.Dataset) -> None:
    kind = dataset.id.get_type()
    if kind.get_class() != h5py.h5t.FLOAT or kind.committed() or kind.get_size() > np.dtype(np.float64).itemsize:
        raise Hdf5Error(f"{path} holds something else than numbers in floating point of 16, 32 or 64 bits")


def _look_at_chunks(path: str, dataset: h5py.Dataset, size: int) -> None:
    """Is each chunk no more than it says once it is unpacked? HDF5 itself unpacks a chunk to
    whatever it becomes."""
    stored = dataset.id.get_storage_size()
    if stored > size:
        raise Hdf5Error(f"{path} claims {stored} bytes of a file of {size}")
    if dataset.chunks is None:
        return
    if any(part > whole for part, whole in zip(dataset.chunks, dataset.shape, strict=True)):
        raise Hdf5Error(f"{path} is cut into chunks larger than itself")
    length = math.prod(dataset.chunks) * dataset.id.get_type().get_size()
    plan = dataset.id.get_create_plist()
    names = [_FILTERS[plan.get_filter(place)[0]] for place in range(plan.get_nfilters())]
    if dataset.id.get_num_chunks() > _CHUNKS_AT_MOST:
        raise Hdf5Error(f"{path} is cut into more than {_CHUNKS_AT_MOST} chunks")
    chunks: list[Any] = []
    dataset.id.chunk_iter(chunks.append)
    for chunk in chunks:
        if chunk.size > size:
            raise Hdf5Error(f"{path} claims a chunk of {chunk.size} bytes of a file of {size}")
        if "gzip" in names and not chunk.filter_mask >> names.index("gzip") & 1:
            _mask, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
            if len(zlib.decompressobj().decompress(packed, length + 1)) > length:
                raise Hdf5Error(f"{path} has a chunk that unpacks to more than its {length} bytes")
        elif chunk.size > 2 * length:  # of LZF, which unpacks to 88 times its size at most (liblzf, lzf_d.c)
            raise Hdf5Error(f"{path} has a chunk of {chunk.size} bytes, which should unpack to {length}")
