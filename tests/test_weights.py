"""Which weights, whether they are the right ones, and reading them. No TensorFlow, but for the files that Keras writes."""

from __future__ import annotations

import hashlib
import http.server
import io
import pickle
import struct
import threading

import numpy as np
import pytest

from pipeline.errors import WeightsError
from pipeline.nst import weights
from pipeline.nst.network import VGG16, VGG19
from tests.thin import THIN


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def test_auto_is_the_8_bit_file_where_keras_cache_is_empty(keras_home):
    found = weights.locate("auto")
    assert found.name == "imagenet-8bit"
    assert hashlib.sha256(found.path.read_bytes()).hexdigest() == found.sha256 == weights.EIGHT_BIT_SHA256


def test_a_copy_for_all_users_is_taken_where_the_user_has_none(keras_home, tmp_path, monkeypatch):
    content = b"a stand-in for 80 MB"
    monkeypatch.setattr(weights, "IMAGENET_MD5", hashlib.md5(content).hexdigest())
    monkeypatch.setattr(weights, "SHARED_FOLDER", tmp_path / "shared")
    shared = tmp_path / "shared" / weights.IMAGENET_FILE
    assert weights.locate("auto").name == "imagenet-8bit"
    assert weights.fetch(_served(tmp_path, content), weights.IMAGENET_MD5, shared) == shared
    assert shared.stat().st_mode & 0o777 == 0o644
    assert weights.locate("imagenet").path == shared
    weights.imagenet_path().parent.mkdir(parents=True)
    weights.imagenet_path().write_bytes(content)
    assert weights.locate("imagenet").path == weights.imagenet_path()
    weights.imagenet_path().unlink()
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr("pathlib.Path.home", _homeless)  # a service's user, mostly
    assert weights.locate("auto").path == shared


def _served(folder, content):
    """The address of a file with this content."""
    (folder / "served.h5").write_bytes(content)
    return (folder / "served.h5").as_uri()


def _homeless():
    raise RuntimeError


def test_imagenet_is_found_in_keras_cache_with_its_hash_checked(keras_home, monkeypatch):
    content = b"a stand-in for 80 MB"
    monkeypatch.setattr(weights, "IMAGENET_MD5", hashlib.md5(content).hexdigest())
    weights.imagenet_path().parent.mkdir(parents=True)
    weights.imagenet_path().write_bytes(content)
    assert weights.locate("auto") == weights.locate("imagenet")
    assert weights.locate("imagenet").sha256 == hashlib.sha256(content).hexdigest()


def test_a_corrupt_imagenet_file_is_refused_by_its_hash(keras_home):
    weights.imagenet_path().parent.mkdir(parents=True)
    weights.imagenet_path().write_bytes(b"<html>404</html>")
    with pytest.raises(
        WeightsError, match=r"its MD5 is \w{32}, not 253f8cb515780f3b799900260a226db6; run 'stylize weights"
    ):
        weights.locate("imagenet")


def test_missing_imagenet_says_what_to_do(keras_home):
    with pytest.raises(WeightsError, match=r"is missing\); run 'stylize weights fetch', or use 'imagenet-8bit'"):
        weights.locate("imagenet")


def test_missing_8_bit_package_says_what_to_do(monkeypatch):
    monkeypatch.setattr(weights, "EIGHT_BIT_PACKAGE", "no_such_package_here")
    with pytest.raises(WeightsError, match="run 'make setup'"):
        weights.locate("imagenet-8bit")


def test_a_path_that_is_not_there_is_refused():
    with pytest.raises(WeightsError, match=r"weights /no/such\.h5: no such file"):
        weights.locate("/no/such.h5")


# ---------------------------------------------------------------------------------------------------------------- fetch


class _Server(http.server.ThreadingHTTPServer):
    """Serves one small file as /file, cuts another short, and refuses the rest."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"


CONTENT = b"weights" * 1000


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/file" else CONTENT[:100])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    server = _Server()
    yield server
    server.shutdown()


def test_fetch_puts_a_checked_file_into_keras_cache(keras_home, server):
    seen = []
    path = weights.fetch(server.url("file"), hashlib.md5(CONTENT).hexdigest(), progress=lambda *p: seen.append(p))
    assert path == weights.imagenet_path()
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("missing", "cannot load .*: .*Not Found"),
        ("file", "is not the file it should be"),
        ("short", "cannot load|not the file"),
    ],
)
def test_a_fetch_that_fails_leaves_nothing_and_keeps_the_old_file(keras_home, server, path, complaint):
    weights.imagenet_path().parent.mkdir(parents=True)
    weights.imagenet_path().write_bytes(b"old")
    with pytest.raises(WeightsError, match=complaint):
        weights.fetch(server.url(path), "0" * 32)
    assert [(p.name, p.read_bytes()) for p in keras_home.rglob("*.*")] == [(weights.IMAGENET_FILE, b"old")]


def test_a_server_that_sends_no_end_of_bytes_is_left(keras_home, server, monkeypatch):
    monkeypatch.setattr(weights, "LARGEST_FILE", 1000)
    with pytest.raises(WeightsError, match=r"/file sends no end of bytes; nothing was kept"):
        weights.fetch(server.url("file"), hashlib.md5(CONTENT).hexdigest())
    assert [*keras_home.rglob("*.*")] == []


def test_a_server_that_is_not_there_is_one_sentence(keras_home):
    with pytest.raises(WeightsError, match=r"cannot load http://127\.0\.0\.1:9/x: "):
        weights.fetch("http://127.0.0.1:9/x", "0" * 32)


def test_weights_that_could_not_be_fetched_exit_with_4_and_say_that_runs_can_do_without(stylize, tmp_path):
    done = stylize("weights", "fetch", "--url", "http://127.0.0.1:9/x", KERAS_HOME=str(tmp_path))
    assert done.returncode == 4
    assert len(done.stdout.splitlines()) == 1
    assert "runs will use 'imagenet-8bit'" in done.stdout


def test_weights_fetch_into_a_folder_that_cannot_be_is_one_sentence(stylize):
    done = stylize("weights", "fetch", "--url", "http://127.0.0.1:9/x", KERAS_HOME="/dev/null")
    assert done.returncode == 4
    assert "set KERAS_HOME to another folder" in done.stdout
    assert "Traceback" not in done.stderr


# -------------------------------------------------------------------------------------------------------------- reading


def test_the_8_bit_file_gives_the_whole_network():
    from pipeline.nst.kernels import load_kernels

    kernels = load_kernels(weights.locate("imagenet-8bit"))
    assert tuple(kernels) == VGG19.convolutions
    for layer, (kernel, bias) in kernels.items():
        assert kernel.shape == VGG19.kernel_shape(layer)
        assert len(np.unique(kernel)) <= 256
        assert kernel.dtype == bias.dtype == np.float32
    # The first bias of VGG19's first layer, as in the published file.
    assert kernels["block1_conv1"][1][0] == pytest.approx(0.7301776, rel=1e-6)


def test_the_unpickler_refuses_whatever_else_a_pickle_asks_for():
    from pipeline.nst.kernels import _TensorNotes

    with pytest.raises(WeightsError, match=r"asks for (posix|os|nt)\.system"):
        _TensorNotes(io.BytesIO(pickle.dumps(__import__("os").system))).load()


def test_random_weights_are_the_same_every_time():
    """Of a thin network, as 80 MB of chance take a second; and are of the shapes of the network that is asked for."""
    from pipeline.nst.kernels import load_kernels

    first, second, found = (load_kernels(weights.locate("random"), network) for network in (THIN, THIN, VGG16))
    for layer in THIN.convolutions:
        np.testing.assert_array_equal(first[layer][0], second[layer][0])
    assert tuple(found) == VGG16.convolutions
    for layer, (kernel, bias) in found.items():
        assert kernel.shape == VGG16.kernel_shape(layer)
        assert kernel.dtype == bias.dtype == np.float32


@pytest.fixture(scope="module")
def keras_model():
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(5)
    return keras.applications.VGG19(include_top=False, weights=None, input_shape=(32, 32, 3))


@pytest.mark.slow
def test_weights_h5_of_keras_3_are_read(keras_model, tmp_path):
    path = tmp_path / "mine.weights.h5"
    keras_model.save_weights(path)
    check_equals_model(path, keras_model)


@pytest.mark.slow
def test_whole_h5_models_are_read(keras_model, tmp_path):
    path = tmp_path / "model.h5"
    keras_model.save(path)
    check_equals_model(path, keras_model)


@pytest.mark.slow
def test_the_layout_of_keras_own_file_is_read(keras_model, tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "legacy.h5"
    with h5py.File(path, "w") as file:
        for layer in keras_model.layers:
            for array, suffix in zip(layer.get_weights(), ("W", "b"), strict=False):
                file[f"{layer.name}/{layer.name}_{suffix}_1:0"] = array
    check_equals_model(path, keras_model)


def check_equals_model(path, model):
    from pipeline.nst.kernels import load_kernels

    for layer, arrays in load_kernels(weights.locate(str(path))).items():
        for ours, theirs in zip(arrays, model.get_layer(layer).get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"<!DOCTYPE html>", "looks like an HTML page"), (b"", "it is empty"), (struct.pack("8x"), "it starts with")],
)
def test_what_is_no_hdf5_is_refused_in_one_sentence(tmp_path, content, complaint):
    from pipeline.nst.kernels import load_kernels

    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=complaint):
        load_kernels(weights.locate(str(path)))


def test_an_hdf5_file_of_another_network_is_refused_by_layer(tmp_path):
    h5py = pytest.importorskip("h5py")

    from pipeline.nst.kernels import load_kernels

    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["block1_conv1/kernel"] = np.zeros((5, 5, 3, 8), np.float32)
        file["block1_conv1/bias"] = np.zeros(8, np.float32)
    with pytest.raises(WeightsError, match="hold no kernel and bias for VGG19's layer block1_conv2"):
        load_kernels(weights.locate(str(path)))


def written(path, network, name_of):
    """A weight file of small constant arrays, whose groups `name_of(index, layer)` names."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for index, layer in enumerate(network.convolutions):
            shape = network.kernel_shape(layer)
            kernel = np.broadcast_to(np.float32(index), shape)
            file.create_dataset(f"{name_of(index, layer)}/kernel", data=kernel, compression=1)
            file[f"{name_of(index, layer)}/bias"] = np.full(shape[-1], index, np.float32)
    return weights.locate(str(path))


LAYOUTS = {
    "old": lambda index, layer: f"{layer}/{layer}",
    "new": lambda index, layer: f"layers/conv2d{f'_{index}' if index else ''}/vars",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_vgg16_file_is_read_as_vgg16_and_refused_as_vgg19(tmp_path, layout):
    from pipeline.nst.kernels import load_kernels

    found = written(tmp_path / "mine.h5", VGG16, layout)
    kernels = load_kernels(found, VGG16)
    assert tuple(kernels) == VGG16.convolutions
    assert [kernel[0, 0, 0, 0] for kernel, _bias in kernels.values()] == [*range(13)]
    complaint = (
        r"weights \S*mine\.h5 look like VGG16's, and the network is vgg19; "
        r"set 'network: vgg16', or give the path of a VGG19 file$"
    )
    with pytest.raises(WeightsError, match=complaint):
        load_kernels(found, VGG19)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_vgg19_file_is_refused_as_vgg16_though_it_has_all_of_its_layers(tmp_path, layout):
    from pipeline.nst.kernels import load_kernels

    found = written(tmp_path / "mine.h5", VGG19, layout)
    with pytest.raises(WeightsError, match=r"look like VGG19's, and the network is vgg16; set 'network: vgg19'"):
        load_kernels(found, VGG16)


def test_the_8_bit_file_is_refused_as_vgg16():
    from pipeline.nst.kernels import load_kernels

    with pytest.raises(WeightsError, match=r"look like VGG19's, and the network is vgg16"):
        load_kernels(weights.locate("imagenet-8bit"), VGG16)


@pytest.mark.slow
def test_a_vgg16_that_keras_saves_is_read(tmp_path):
    keras = pytest.importorskip("keras")

    from pipeline.nst.kernels import load_kernels

    model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path / "mine.weights.h5"
    model.save_weights(path)
    for layer, arrays in load_kernels(weights.locate(str(path)), VGG16).items():
        for ours, theirs in zip(arrays, model.get_layer(layer).get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
