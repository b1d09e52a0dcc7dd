"""TensorFlow imported in less time: what is left out, and that nothing is missed."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_threads import AS_KEYWORDS, STYLE, image

pytestmark = pytest.mark.slow

pytest.importorskip("tensorflow")

from pipeline import stylize  # noqa: E402
from pipeline.nst.importing import ROOMS  # noqa: E402

PROGRAM = f"""
import gc, hashlib, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pipeline.nst.importing import load_tensorflow_alone
tf = load_tensorflow_alone()
print("keras" in sys.modules, gc.isenabled(), gc.get_freeze_count() > 100_000)
from pipeline import stylize
from tests.test_threads import image
pixels = stylize(image(0), image(9), **{AS_KEYWORDS}).pixels
print(hashlib.sha256(pixels.tobytes()).hexdigest())
rooms = [name for name in sys.modules if name.startswith("tensorflow._api.v2.")]
print("tensorflow._api.v2.lite.experimental" in rooms, tf.lite.Optimize.__name__)
import keras
print(keras.backend.backend(), tf.keras.Model is keras.Model)
"""


def test_the_rooms_that_are_loaded_at_once_are_those_that_the_program_uses():
    source = "".join(path.read_text() for path in (Path(__file__).parent.parent / "pipeline").rglob("*.py"))
    asked = set(re.findall(r"\btf\.([a-z_0-9]+)\.[A-Za-z]", source))
    assert sorted(asked) == sorted(ROOMS)


def test_a_process_of_ours_paints_the_same_without_keras_and_unused_rooms_which_are_there_when_asked_for():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    expected = stylize(image(0), STYLE, **AS_KEYWORDS).pixels.tobytes()
    assert done.stdout.splitlines() == [
        "False True True",
        hashlib.sha256(expected).hexdigest(),
        "False Optimize",
        "tensorflow True",
    ], done.stderr
