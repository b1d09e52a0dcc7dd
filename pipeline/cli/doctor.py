"""What this machine has: said by `doctor` and `weights`, without importing TensorFlow."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from pipeline.batch.system.machine import gpus, memory, usable_processors
from pipeline.batch.system.nodes import memory_nodes
from pipeline.errors import ExitCode, StylizeError, WeightsError
from pipeline.nst.precision import fast_flags
from pipeline.nst.weights import (
    AUTOMATIC,
    IMAGENET_FILE,
    IMAGENET_MD5,
    IMAGENET_URL,
    SHARED_FOLDER,
    eight_bit_path,
    fetch,
    locate,
)
from pipeline.program import version

_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "pillow", "pillow-heif", "pyyaml", "pydantic", "click", "numpy")


def doctor_facts() -> dict[str, Any]:
    """What this machine has, as plain JSON values: sizes in bytes, `weights` by name with its path,
    or with what is wrong."""
    total, free = memory()
    found = {}
    for name in AUTOMATIC:
        try:
            found[name] = {"ready": True, "path": str(locate(name).path)}
        except WeightsError as error:
            found[name] = {"ready": False, "reason": str(error)}
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "usable_processors": usable_processors(),
        "memory_nodes": [len(node) for node in memory_nodes()],
        "fast_bfloat16": fast_flags(),
        "memory_bytes": total,
        "free_memory_bytes": free,
        "gpus": gpus(),
        "packages": {package: version(package) for package in _PACKAGES if version(package)},
        "weights": found,
    }


def doctor_text() -> str:
    """Python, packages, processor, memory, devices, weights: a line each."""
    facts = doctor_facts()
    fast = facts["fast_bfloat16"]
    total, free = facts["memory_bytes"], facts["free_memory_bytes"]
    lines = [
        ("python", f"{facts['python']} ({facts['executable']})"),
        ("system", facts["system"]),
        ("cpu", f"{facts['usable_processors']} usable of {facts['processors']}, {facts['machine']}"),
        ("bfloat16", f"fast ({', '.join(fast)})" if fast else "slow: this processor has no instructions for it"),
        ("memory", f"{total / 2**30:.1f} GiB, {free / 2**30:.1f} GiB free"),
        ("gpu", ", ".join(facts["gpus"]) or "none"),
    ]
    if len(nodes := facts["memory_nodes"]) > 1:
        lines.insert(3, ("nodes", f"{len(nodes)}, of {_listed(nodes)} processors; of several jobs each keeps to one"))
    lines += facts["packages"].items()
    weights = "\n".join(f"  {line}" for line in weights_text().splitlines())
    return "\n".join([*(f"{name:<15} {value}" for name, value in lines), "weights:", weights])


def _listed(counts: Sequence[int]) -> str:
    *most, last = map(str, counts)
    return f"{', '.join(most)} and {last}"


def weights_text() -> str:
    """The sets of weights, where they are, and whether they are whole."""
    lines = []
    for name in AUTOMATIC:
        try:
            lines.append(f"{name:<14} ready: {locate(name).path}")
        except WeightsError as error:
            lines.append(f"{name:<14} not ready: {error}")
    with suppress(WeightsError):
        lines.append(f"{'auto':<14} means {locate('auto').name}")
    return "\n".join(lines)


def fetch_weights(url: str | None, *, shared: bool = False) -> ExitCode:
    """Load Keras' file into Keras' cache, or the folder that all users share.

    If that fails, say so in one line, and whether runs can do without.
    """

    def progress(so_far: int, whole: int | None) -> None:
        if sys.stderr.isatty():
            of = f" of {whole / 1e6:.0f}" if whole else ""
            click.echo(f"\r{so_far / 1e6:.0f}{of} MB", nl=False, err=True)

    try:
        target = SHARED_FOLDER / IMAGENET_FILE if shared else None
        path = fetch(url or IMAGENET_URL, IMAGENET_MD5, target, progress=progress)
    except StylizeError as error:
        if eight_bit_path() is None:
            raise
        click.echo(f"{error}; runs will use 'imagenet-8bit', which is here")
        return error.exit_code
    click.echo(f"'imagenet' is ready: {path}")
    return ExitCode.OK
