"""One program that paints several pictures at once: by threads, by generators in turns, again after letting go; and one
whose own Keras is set otherwise. Each picture is the one that it would have been alone."""

from __future__ import annotations

import gc
import hashlib
import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline import release, stylize
from pipeline.errors import BadImage
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.schedule import Machine
from pipeline.stylize import paint, result_of

pytestmark = pytest.mark.slow

pytest.importorskip("tensorflow")

from pipeline.nst.engine import LruCache, TransferEngine  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402

# Two blocks of the network, and room for the few steps there are: quickly traced.
AS_KEYWORDS = {
    **{"size": 48, "steps": 4, "weights": "random", "precision": "float32", "style_loss": "gram", "history": 3},
    **{"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5}},
    **{"match_color": "none", "empty_areas": "alike"},
}
OPTIONS = Options(**AS_KEYWORDS)


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 48, 3), np.uint8)


PHOTOGRAPHS = [image(seed) for seed in range(3)]
STYLE = image(9)


@pytest.fixture(scope="module")
def alone() -> list[bytes]:
    """Each photograph painted, one after the other."""
    return [stylize(photograph, STYLE, **AS_KEYWORDS).pixels.tobytes() for photograph in PHOTOGRAPHS]


@pytest.fixture
def engine(alone) -> TransferEngine:
    """The one of `stylize` itself, which has traced these shapes."""
    return sys.modules["pipeline.stylizer"]._shared._engine_for(locate("random"), OPTIONS)


def painting(engine: TransferEngine, number: int):
    pictures = open_pictures(PHOTOGRAPHS[number], [(STYLE, 1.0)], OPTIONS)
    return paint(pictures, OPTIONS, pictures.schedule(OPTIONS, Machine(precision="float32")), engine)


def test_threads_get_a_picture_of_their_own_each(alone):
    assert len(set(alone)) == len(alone)
    start = threading.Barrier(len(PHOTOGRAPHS))

    def one(photograph: np.ndarray) -> bytes:
        start.wait()
        return stylize(photograph, STYLE, **AS_KEYWORDS).pixels.tobytes()

    with ThreadPoolExecutor(len(PHOTOGRAPHS)) as threads:
        assert list(threads.map(one, PHOTOGRAPHS)) == alone


def test_threads_that_paint_with_one_engine_step_by_step_do_not_meet(alone, engine):
    with ThreadPoolExecutor(2) as threads:
        results = threads.map(lambda number: result_of(painting(engine, number)), range(2))
        assert [result.pixels.tobytes() for result in results] == alone[:2]


def test_paintings_made_in_turns_by_one_thread_do_not_meet(alone, engine):
    paintings = [painting(engine, number) for number in range(2)]
    found = {}
    for number in itertools.cycle(range(2)):
        try:
            next(paintings[number])
        except StopIteration as end:
            found[number] = end.value.pixels.tobytes()
            if len(found) == 2:
                break
        except ValueError:  # finished before the other
            continue
    assert [found[0], found[1]] == alone[:2]


def test_who_paints_another_picture_between_two_steps_gets_both(alone, engine):
    outer = painting(engine, 0)
    next(outer)
    assert stylize(PHOTOGRAPHS[1], STYLE, **AS_KEYWORDS).pixels.tobytes() == alone[1]
    assert result_of(outer).pixels.tobytes() == alone[0]


def test_a_painting_that_is_left_gives_its_descent_back(engine):
    left = painting(engine, 0)
    next(left)
    kept = len(engine._descents._things)
    left.close()
    assert len(engine._descents._things) == kept + 1


def test_a_failure_in_one_thread_holds_up_no_other(alone, tmp_path):
    with ThreadPoolExecutor(2) as threads:
        bad = threads.submit(stylize, tmp_path / "missing.png", STYLE, **AS_KEYWORDS)
        good = threads.submit(stylize, PHOTOGRAPHS[0], STYLE, **AS_KEYWORDS)
        with pytest.raises(BadImage):
            bad.result()
        assert good.result().pixels.tobytes() == alone[0]


def test_what_is_kept_between_calls_can_be_let_go(alone):
    def engines() -> int:
        return sum(isinstance(thing, TransferEngine) for thing in gc.get_objects())

    stylize(PHOTOGRAPHS[0], STYLE, **AS_KEYWORDS)
    gc.collect()  # of others' engines none goes meanwhile
    before = engines()
    release()
    release()  # of nothing
    assert engines() == before - 1
    assert stylize(PHOTOGRAPHS[0], STYLE, **AS_KEYWORDS).pixels.tobytes() == alone[0]


def test_no_more_is_kept_than_finds_room_by_size_and_by_count():
    """By count too, as what is traced for a small picture is far larger than its buffers."""
    cache = LruCache[int](100, lambda size: size, most=3)
    for size in (10, 20, 30, 40, 5):
        cache.get(size, lambda size=size: size)
    assert [*cache._things] == [40, 5]  # three would be too many, and 40 more beside 30, 40 and 5 too large
    cache.get(90, lambda: 90)
    assert [*cache._things] == [40, 5, 90]
    cache.get(1, lambda: 1)
    assert [*cache._things] == [1]  # room is made for another of 90


def test_what_is_taken_is_nobody_elses_until_it_is_given_back():
    cache = LruCache[object](3)
    first = cache.take("a", object)
    second = cache.take("a", object)
    assert first is not second
    cache.give_back("a", first)
    cache.give_back("a", second)
    assert cache.take("a", object) is second


PROGRAM = f"""
import hashlib, sys
import numpy as np
from pipeline import stylize
image = lambda seed: np.random.default_rng(seed).integers(0, 256, (40, 48, 3), np.uint8)
pixels = stylize(image(0), image(9), **{AS_KEYWORDS}).pixels
import keras
print(hashlib.sha256(pixels.tobytes()).hexdigest(), keras.config.image_data_format(), keras.config.floatx())
print(keras.backend.backend())
"""


LOADED = """
import sys
from pipeline.nst.importing import load_tensorflow
load_tensorflow()
print("keras" in sys.modules)
"""


def test_a_keras_that_is_to_run_on_another_backend_is_not_loaded_on_this_one(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        env=environment | {"KERAS_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["False"], done.stderr


def test_where_keras_is_to_run_is_read_as_keras_reads_it(tmp_path, monkeypatch):
    from pipeline.nst.importing import _keras_backend

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    for text, backend in ("", ""), ("[]", ""), ("{}", ""), ('{"backend": "torch"}', "torch"):
        (tmp_path / "keras.json").write_text(text)
        assert _keras_backend() == backend
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert _keras_backend() == "jax"


def test_a_program_whose_keras_is_set_otherwise_gets_the_same_picture_and_keeps_its_settings(alone, tmp_path):
    settings = {"floatx": "float16", "epsilon": 1e-7, "backend": "tensorflow", "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    path = str(Path(__file__).parent.parent)
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | {"KERAS_HOME": str(tmp_path), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [hashlib.sha256(alone[0]).hexdigest(), "channels_first", "float16", "tensorflow"], (
        done.stderr
    )
