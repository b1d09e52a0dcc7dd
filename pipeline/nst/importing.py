"""TensorFlow as pictures are painted with it, imported in two thirds of the time where nobody else
in the process uses it."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any

from pipeline.processor import onednn_switch

ROOMS = ("config", "errors", "image", "linalg", "math", "nest", "nn", "raw_ops", "signal")
"""Parts of TensorFlow's interface that this program uses, `tf.math` and the like."""


def load_tensorflow() -> Any:
    """The module, with oneDNN where the processor gains by it, which is decided once in a process:
    by whoever imports it first. It loads Keras by itself, but where that is to run on another
    backend: then it is left to the user, who would find it on TensorFlow."""
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    without = _keras_backend() not in ("", "tensorflow")
    with _without_keras() if without else nullcontext(), _environment(onednn_switch()):
        import tensorflow
    return tensorflow


def _keras_backend() -> str:
    """The backend that the user's Keras is to run on, as Keras looks for it; empty where nothing
    says it."""
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    folder = os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras"))
    try:
        with open(os.path.join(folder, "keras.json"), encoding="utf-8") as file:
            return str(json.load(file)["backend"])
    except (OSError, ValueError, LookupError, TypeError):  # not there, or no such table
        return ""


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """While it lasts, these stand in the environment."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def load_tensorflow_alone() -> Any:
    """The same, in a process that is ours alone. Until the network stands it takes 3.3 s of the
    processor where it took 4.95 (TensorFlow 2.21 on an AMD EPYC, other work beside): a second is
    the collector's, which finds nothing to free among a million objects and looks again and again,
    0.7 are Keras', the rest is that of rooms that nobody enters."""
    collects = gc.isenabled()
    gc.disable()
    try:
        with _without_keras(), _rooms_when_entered():
            tensorflow = load_tensorflow()
    finally:
        gc.freeze()  # what is there stays to the end: no later search goes through it again
        if collects:
            gc.enable()
    return tensorflow


@contextmanager
def _without_keras() -> Iterator[None]:
    """TensorFlow loads Keras' optimizers by itself, in case somebody saves them, and goes on where
    there is no Keras. It can be imported afterwards."""
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]  # what import then takes for not there
    try:
        yield
    finally:
        del sys.modules["keras"]


@contextmanager
def _rooms_when_entered() -> Iterator[None]:
    """The parts of TensorFlow's interface that we do not use, `tf.lite` and thirty more, are loaded
    when somebody asks for what is in them: they are lists of names, and what they name is loaded
    with them. Ours are loaded at once, as two threads that enter a room together find it half
    furnished (Python's LazyLoader before 3.11.8)."""
    finder = _Rooms()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Rooms(importlib.abc.MetaPathFinder):
    """Finds `tensorflow._api.v2.NAME`, to be loaded later."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        above, _, name = fullname.rpartition(".")
        if above != "tensorflow._api.v2" or name in ROOMS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec
