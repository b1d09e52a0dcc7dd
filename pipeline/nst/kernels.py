"""Weight files read into arrays: {layer: (kernel, bias)} of a network's convolutions.

Kernels are float32 (3, 3, channels in, channels out), biases float32 (channels out,), as Keras
keeps them.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import WeightsError
from pipeline.nst.hdf5 import Hdf5Error, Hdf5File, opened
from pipeline.nst.network import NETWORKS, VGG19, Network
from pipeline.nst.weights import EIGHT_BIT_SHA256, NetworkWeights, read
from pipeline.printable import printable

Array = NDArray[np.float32]
Kernels = Mapping[str, tuple[Array, Array]]


def load_kernels(weights: NetworkWeights, network: Network = VGG19) -> Kernels:
    """Read the weights that `weights.locate` found. Raises WeightsError when the file is not the
    network's, and says so where it is another one's; when it is damaged, or no longer the file that
    was found."""
    if weights.path is None:
        return _random_kernels(network)
    data = read(weights)
    # By the hash: a pickle is only ever opened if it is the very one that this was written for.
    kernels = (_read_eight_bit if weights.sha256 == EIGHT_BIT_SHA256 else _read_hdf5)(data, weights.path, network)
    for layer, (kernel, bias) in kernels.items():
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise WeightsError(
                f"weights {weights.path} hold values that are not finite (in {layer}); load the file anew"
            )
    return kernels


def _random_kernels(network: Network) -> Kernels:
    """Seeded weights for tests: He et al., arXiv 1502.01852, Eq. 10 (variance 2 / fan in), which
    keeps activations of one size through ReLU layers. The same on every machine."""
    random = np.random.default_rng(19)
    kernels = {}
    for layer in network.convolutions:
        shape = network.kernel_shape(layer)
        deviation = math.sqrt(2 / math.prod(shape[:3]))
        kernels[layer] = (
            (random.standard_normal(shape) * deviation).astype(np.float32),
            np.zeros(shape[-1], np.float32),
        )
    return kernels


# --------------------------------------------------------------------------------------------- HDF5

_HDF5 = b"\x89HDF\r\n\x1a\n"  # the first bytes (HDF5 file format specification 3.0, II.A)


def _read_hdf5(data: bytes, path: Path, network: Network) -> Kernels:
    """Keras' three layouts hold each layer's kernel and bias somewhere below a group that bears the
    layer's name, or, in `.weights.h5` of Keras 3, below `layers/conv2d`, `layers/conv2d_1`, ... in
    the network's order. Nothing else of the file is read."""
    if not data.startswith(_HDF5):
        raise WeightsError(f"weights {path} are not an HDF5 file ({_first_bytes(data)}); load the file anew")
    try:
        with opened(data) as file:
            held = _network_in(file.paths)
            if held is not None and held != network:
                raise _other_network(path, held, network)
            places = {layer: _places(file, path, network, layer) for layer in network.convolutions}
            return {layer: _arrays(file, path, network, layer, *places[layer]) for layer in network.convolutions}
    except Hdf5Error as error:
        raise WeightsError(
            f"weights {path} are not read: {printable(str(error))}; give the path of another file"
        ) from error


def _places(file: Hdf5File, path: Path, network: Network, layer: str) -> tuple[str, str]:
    """Where a layer's kernel and bias stand in the file."""
    groups = set(_groups(network)[layer])
    shapes = {place: file.shape(place) for place in file.paths if groups & set(place.split("/")[:-1])}
    kernel = next((place for place, shape in shapes.items() if len(shape) == 4), None)
    bias = next((place for place, shape in shapes.items() if len(shape) == 1), None)
    if kernel is None or bias is None:
        first = ", ".join(printable(place) for place in sorted(file.paths)[:3]) or "none"
        raise WeightsError(
            f"weights {path} hold no kernel and bias for {network}'s layer {layer}; got {len(file.paths)} arrays, "
            f"the first ones {first}"
        )
    return kernel, bias


def _arrays(file: Hdf5File, path: Path, network: Network, layer: str, kernel: str, bias: str) -> tuple[Array, Array]:
    """A layer's kernel and bias, of the network's shapes."""
    shape = network.kernel_shape(layer)
    if file.shape(kernel) != shape or file.shape(bias) != shape[-1:]:
        raise WeightsError(
            f"weights {path} do not fit {network}: {layer} has a kernel of {file.shape(kernel)} and a bias of "
            f"{file.shape(bias)}, it should be {shape} and {shape[-1:]}"
        )
    return file.read(kernel, shape), file.read(bias, shape[-1:])


def _groups(network: Network) -> dict[str, tuple[str, str]]:
    """For each convolution, the groups that may hold it in the old and in the new layout."""
    numbered = ("conv2d" if index == 0 else f"conv2d_{index}" for index in range(len(network.convolutions)))
    return {layer: (layer, group) for layer, group in zip(network.convolutions, numbered, strict=True)}


def _network_in(paths: Iterable[str]) -> Network | None:
    """The network that a file looks like: the deepest whose every convolution has a group, as VGG19
    has all of VGG16's."""
    given = {group for name in paths for group in name.split("/")[:-1]}
    deepest_first = sorted(NETWORKS.values(), key=lambda network: -len(network.convolutions))
    whole = (network for network in deepest_first if all(given & set(groups) for groups in _groups(network).values()))
    return next(whole, None)


def _other_network(path: Path, held: Network, wanted: Network) -> WeightsError:
    return WeightsError(
        f"weights {path} look like {held}'s, and the network is {wanted.name}; "
        f"set 'network: {held.name}', or give the path of a {wanted} file"
    )


def _first_bytes(data: bytes) -> str:
    start = data[:64].lstrip()
    if start[:1] == b"<":
        return "it looks like an HTML page"
    return "it is empty" if not start else f"it starts with {start[:8]!r}"


# -------------------------------------------------------------------------------------------- 8 bit


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]


# The only names that the file's pickle needs; whatever else it asks for is refused. torch's own
# classes are never imported: a tensor becomes a note of where its numbers stand.
_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, *_: _Tensor(storage, offset, shape),
    ("torch", "ByteStorage"): np.dtype(np.uint8),
    ("torch", "FloatStorage"): np.dtype("<f4"),
}


class _TensorNotes(pickle.Unpickler):
    """Unpickles the directory of an old-style torch save, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise WeightsError(f"the weight file asks for {module}.{name}, which it should not; load it anew") from None

    def persistent_load(self, pid: Any) -> _Storage:
        _kind, dtype, key, *_ = pid
        return _Storage(key, dtype)


def _read_eight_bit(data: bytes, path: Path, network: Network) -> Kernels:
    """The old-style torch save: magic number, protocol, facts of the machine, directory of tensors,
    list of storage keys (five pickles), then each storage as an int64 count and its numbers,
    little-endian.

    A kernel is an index into a table of 256 centroids, (out, in, 3, 3); the bias is kept exactly.
    """
    if network != VGG19:
        raise _other_network(path, VGG19, network)
    file = io.BytesIO(data)
    for _ in range(3):
        _TensorNotes(file).load()
    tensors: dict[str, _Tensor] = _TensorNotes(file).load()
    keys: list[str] = _TensorNotes(file).load()
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    numbers: dict[str, NDArray[Any]] = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        dtype = storages[key].dtype
        numbers[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)

    def array(name: str) -> NDArray[Any]:
        storage, offset, shape = tensors[name]
        return numbers[storage.key][offset : offset + math.prod(shape)].reshape(shape)

    kernels = {}
    for layer in network.convolutions:
        kernel = array(f"{layer}_W_table")[array(f"{layer}_W_q")]
        kernels[layer] = (
            np.ascontiguousarray(kernel.transpose(2, 3, 1, 0), np.float32),
            array(f"{layer}_b").astype(np.float32),
        )
    return kernels
