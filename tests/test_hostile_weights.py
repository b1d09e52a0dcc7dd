"""Weight files that mean harm: each is refused in one line, with no more memory than a sound one, and opens nothing else."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("h5py")

from hostile import weights as makers

from pipeline.errors import WeightsError
from pipeline.nst.kernels import load_kernels
from pipeline.nst.network import VGG19
from pipeline.nst.weights import NetworkWeights, locate


def found(path: Path) -> NetworkWeights:
    return locate(str(path))


@pytest.mark.parametrize("make", makers.HARMLESS.values(), ids=makers.HARMLESS)
def test_what_is_not_asked_for_is_not_read(make, tmp_path):
    make(tmp_path / "mine.h5")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kernels = load_kernels(found(tmp_path / "mine.h5"))
    assert tuple(kernels) == VGG19.convolutions
    assert not any(kernel.any() for kernel, _bias in kernels.values())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # kB: 512 MiB, of 80 MB of arrays


@pytest.mark.parametrize("harm", makers.HARMFUL.values(), ids=makers.HARMFUL)
def test_weights_that_mean_harm_are_refused_by_what_they_are(harm, tmp_path):
    harm.make(tmp_path / "mine.h5")
    with pytest.raises(WeightsError, match=harm.said) as refusal:
        load_kernels(found(tmp_path / "mine.h5"))
    assert str(refusal.value).startswith(f"weights {tmp_path / 'mine.h5'} ")
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("packed", [{"compression": 4}, {"compression": "lzf"}, {"shuffle": True, "compression": 9}])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4"])
def test_what_writers_of_weights_do_is_read(packed, kind, tmp_path):
    h5py = pytest.importorskip("h5py")
    makers.sound(tmp_path / "mine.h5", block1_conv1__kernel=None)
    kernel = np.random.default_rng(3).standard_normal(makers.SHAPE).astype(kind)
    with h5py.File(tmp_path / "mine.h5", "a") as file:
        file.create_dataset(makers.FIRST, data=kernel, chunks=(3, 3, 2, 10), fletcher32=True, **packed)
    read, _bias = load_kernels(found(tmp_path / "mine.h5"))["block1_conv1"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, kernel.astype(np.float32))


def test_weights_replaced_since_they_were_hashed_are_not_used(tmp_path):
    path = tmp_path / "mine.h5"
    makers.sound(path)
    before = found(path)
    with path.open("ab") as file:
        file.write(b"\0")  # HDF5 would not mind
    with pytest.raises(WeightsError, match=r"changed while they were in use: their SHA-256 is \w{64}, and was \w{64}"):
        load_kernels(before)
    load_kernels(found(path))


def test_a_pickle_is_opened_for_what_it_is_and_not_for_its_name(tmp_path):
    from pipeline.nst.weights import EIGHT_BIT_FILE

    path = tmp_path / EIGHT_BIT_FILE
    path.write_bytes(b"\x80\x02" + b"]" * 100 + b".")
    with pytest.raises(WeightsError, match="are not an HDF5 file"):
        load_kernels(found(path))


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "too large"])
def test_what_is_no_file_of_weights_holds_up_nothing(kind, tmp_path):
    path = tmp_path / "mine.h5"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(2**40)  # sparse
    with pytest.raises(WeightsError, match=r"no such file|no file of this network is larger"):
        found(path)
    with pytest.raises(WeightsError, match=r"are no file|cannot be read|no file of this network is larger"):
        load_kernels(NetworkWeights("mine.h5", path, "0" * 64))


def test_a_users_plug_ins_are_there_again_afterwards(tmp_path):
    h5py = pytest.importorskip("h5py")
    makers.sound(tmp_path / "mine.h5")
    before = [h5py.h5pl.get(place) for place in range(h5py.h5pl.size())]
    load_kernels(found(tmp_path / "mine.h5"))
    assert [h5py.h5pl.get(place) for place in range(h5py.h5pl.size())] == before
