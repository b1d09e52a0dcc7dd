"""Keras as the network needs it, whatever a program's own Keras is set to: keras.json and what a
program says itself may name another backend, another order of axes, another arithmetic."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipeline.errors import EnvironmentProblem
from pipeline.processor import onednn_switch


def load_keras() -> Any:
    """The module, on TensorFlow; to be asked for before TensorFlow, which loads Keras by itself as
    it is set. Raises EnvironmentProblem where the program has loaded it on another backend, which
    cannot be changed any more."""
    if "keras" not in sys.modules:
        # what is left where another backend was tried, which is not installed
        for name in [name for name in sys.modules if name.startswith("keras.")]:
            del sys.modules[name]
        # stronger than keras.json
        with _environment({"KERAS_BACKEND": "tensorflow"} | onednn_switch()):
            import keras
    import keras

    if keras.config.backend() != "tensorflow":
        raise EnvironmentProblem(
            f"Keras is loaded on {keras.config.backend()} in this program, and pictures are painted on TensorFlow; "
            "set KERAS_BACKEND=tensorflow, or paint in a program of its own"
        )
    return keras


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


@contextmanager
def as_trained() -> Iterator[None]:
    """While it lasts, layers are made as VGG's weights are: channels last, in float32."""
    config = load_keras().config
    axes, arithmetic, policy = config.image_data_format(), config.floatx(), config.dtype_policy()
    config.set_image_data_format("channels_last")
    config.set_floatx("float32")
    config.set_dtype_policy("float32")
    try:
        yield
    finally:
        config.set_image_data_format(axes)
        config.set_floatx(arithmetic)
        config.set_dtype_policy(policy)
