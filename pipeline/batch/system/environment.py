"""The environment of the processes that paint: what could change a byte is fixed here, or told.

    fixed       libraries' switches are taken away, so that a shell's profile and cron's bare
                environment paint alike; what they stand at then follows from their versions and the
                processor, which `painted_with` tells; and so are credentials
    set         threads, Keras' backend, hashing
    kept        everything else: paths, locale, proxies, which GPUs there are
    recorded    what is the user's own wish and reaches below every library (`recorded`)

Keras' own file of settings, keras.json, is neither read nor written: it may name another backend,
arithmetic or order of axes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pipeline.python_path import PATHS, absolute_folders
from pipeline.urls import CREDENTIALS

# By how a name begins. TensorFlow (oneDNN on or off, XLA, determinism, cuDNN's choices), XLA,
# oneDNN under both its names (instruction sets, arithmetic), OpenMP's and MKL's, NumPy's and its
# BLAS (which kernels), cuDNN and cuBLAS, NVIDIA's tensor cores, libjpeg-turbo's vectors, Keras.
_TAKEN = (
    *("TF_", "TF2_", "XLA_", "ONEDNN_", "DNNL_", "MKLDNN_", "MKL_", "OMP_", "GOMP_", "KMP_", "LIBOMP_", "ACL_"),
    *("NPY_", "NUMPY_", "OPENBLAS_", "BLIS_", "GOTO_", "CUDNN_", "CUBLAS_", "CUBLASLT_", "NVIDIA_TF32_"),
    *("JSIMD_", "KERAS_", "ITEX_", "ROCM_", "MIOPEN_", "HIPBLASLT_"),
)
# Python's switches that change how a program runs, not where it finds things: warnings as errors,
# assertions and docstrings left out, a prompt at the end.
_PYTHONS = frozenset({"PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONDEBUG"})
_RECORDED = ("LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES")


def clean_environment(given: Mapping[str, str]) -> dict[str, str]:
    """An environment for a Python process of ours that handles pictures, from the user's."""
    kept = {
        name: value
        for name, value in given.items()
        if not name.startswith((*_TAKEN, *CREDENTIALS)) and name not in _PYTHONS
    }
    for name in PATHS:
        if name in kept:
            kept[name] = absolute_folders(kept[name])
        if not kept.get(name, " "):
            del kept[name]
    return kept | {
        "PYTHONHASHSEED": "0",
        "PYTHONSAFEPATH": "1",  # see python_path
        "PYTHONUNBUFFERED": "1",
    }


def worker_environment(given: Mapping[str, str], threads: int, device: str | None) -> dict[str, str]:
    """The environment of a process that paints, on `threads` threads and on the GPU `device` where
    it is told which."""
    environment = clean_environment(given) | {
        "STYLIZE_WORKER_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": os.devnull,  # a keras.json is neither found nor made there
        "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only; the log is for what went wrong
    }
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device
    return environment


def recorded(environment: Mapping[str, str] = os.environ) -> str:
    """What was put under every library on purpose, for `painted_with`, paths by their last part:
    `LD_PRELOAD=libjemalloc.so.2`; `none` as a rule."""
    found = []
    for name in _RECORDED:
        words = environment.get(name, "").replace(" ", ":").split(":")
        if value := ":".join(os.path.basename(word) for word in words if word):
            found.append(f"{name}={value}")
    return ", ".join(found) or "none"
