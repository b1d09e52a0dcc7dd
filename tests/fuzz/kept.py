"""Further doors of the fuzzer: files that a run keeps, weights, and settings that a picture carries.

Records, failures, hashes and history stand where a run and every verb that looks will read them; the run paints with a
scripted engine. Seals are made to fit most of the time, as whoever forges a record would. What may come out is said by
each door; a stranger's files beside the output folder and in it must be there afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

MANIFEST = """version: 1
input: input
output: out
defaults: {size: 48, steps: 4, weights: random}
pairs:
  - {content: dog.png, style: wave.png, output: dog.png}
  - {content: sea.png, style: wave.png, output: sub/sea.png}
"""
KEPT = {"record": ".json", "failure": ".failed.json", "hashes": "hashes.json", "history": "runs.jsonl"}
STRANGERS = {"victim.txt": "beside", "out/mine.txt": "within", "input/private.txt": "an input"}


def make_project(folder: Path) -> None:
    """A project that was painted once, a pair of which has failed since: `out` is full of files that a run keeps."""
    from PIL import Image

    (folder / "input").mkdir(parents=True)
    for name, colour in (("dog", (180, 120, 60)), ("sea", (30, 90, 160)), ("wave", (20, 40, 90))):
        Image.new("RGB", (48, 40), colour).save(folder / f"input/{name}.png")
    (folder / "night.yaml").write_text(MANIFEST)
    (folder / "out").mkdir()
    for name, text in STRANGERS.items():
        (folder / name).write_text(text)
    with mock.patch("pipeline.store.hashes._RACY_NS", -(10**18)):  # hashes of files that are new are not kept
        _night(folder)


def _night(folder: Path) -> dict[str, Any]:
    from night_kit import failed, painted

    from pipeline.batch.driver import run
    from pipeline.batch.selection import Selection
    from pipeline.cli.console import Quiet
    from pipeline.manifest import load_manifest

    class Paints:
        """Every pair but one, which fails each night."""

        def __init__(self) -> None:
            from night_kit import Scripted

            right, wrong = painted(folder / "out"), failed("bad_image")
            self._engine = Scripted(lambda command: (wrong if "sea" in command.job.output else right)(command), [])
            self.machine = self._engine.machine
            self.run = self._engine.run

    return run(load_manifest(folder / "night.yaml"), Selection(), Quiet(), engine=lambda settings, log: Paints())


def seeds_of(kind: str) -> Callable[[Path], list[Path]]:
    """The file of this kind that the first night left, and those in the corpus."""

    def seeds(folder: Path) -> list[Path]:
        return [_place(folder, kind)]

    return seeds


def _place(folder: Path, kind: str) -> Path:
    from pipeline.store.layout import HASHES, failure_name, history_name, record_name

    names = {
        "record": record_name("dog.png"),
        "failure": failure_name("sub/sea.png"),
        "hashes": HASHES,
        "history": history_name(),
    }
    return folder / "out" / names[kind]


def look_at_kept(kind: str) -> Callable[[Path], None]:
    """A run, a plan, a look and a clean over a forged file: whatever it holds, the run ends with its report and no bug."""

    def door(path: Path) -> None:
        from pipeline.errors import StylizeError

        folder = path.parent
        place = _place(folder, kind)
        place.write_bytes(resealed(path.read_bytes()) if path.stat().st_size % 5 else path.read_bytes())
        for look in (_plan, _look, _night_without_a_bug, _clean):
            with contextlib.suppress(StylizeError):
                look(folder)
        for name, text in STRANGERS.items():
            assert (folder / name).read_text() == text, f"{name} was touched"

    return door


def resealed(data: bytes) -> bytes:
    """The file with a seal that fits, where it has a line for one."""
    head, newline, body = data.partition(b"\n")
    if not (newline and head.startswith(b'{"seal"')):
        return data
    return b'{"seal": "' + hashlib.sha256(body).hexdigest().encode() + b'",\n' + body


def _plan(folder: Path) -> None:
    from pipeline.batch.plan import make_plan
    from pipeline.manifest import load_manifest
    from pipeline.store.disk import LocalStore
    from pipeline.store.records import State

    made = make_plan(load_manifest(folder / "night.yaml"), State(LocalStore(folder / "out")))
    assert len(made.pairs) == 2


def _look(folder: Path) -> None:
    """`history`, `status` and `report`."""
    from pipeline.cli.rendering import last_report_file
    from pipeline.cli.status import status_text
    from pipeline.report.history import read_history, render_history
    from pipeline.store.disk import LocalStore
    from pipeline.store.layout import history_name

    logging_off()
    texts = [
        render_history(read_history(LocalStore(folder / "out"), history_name(), last=14)),
        status_text(folder / "out"),
        last_report_file(folder / "out", "txt", None),
    ]
    for text in texts:
        assert all(line.isprintable() for line in text.splitlines())


def _night_without_a_bug(folder: Path) -> None:
    report = _night(folder)
    assert report["run"]["exit_code"] != 1, report["run"]["warnings"]
    kept = json.loads((folder / "out/report.json").read_text())
    assert sorted(pair["output"] for pair in kept["pairs"]) == ["dog.png", "sub/sea.png"]
    assert "<script>alert" not in (folder / "out/report.html").read_text()


def _clean(folder: Path) -> None:
    from pipeline.batch.clean import clean_output
    from pipeline.manifest import load_manifest

    clean_output(load_manifest(folder / "night.yaml"), dry_run=False)


def logging_off() -> None:
    """Lines that are left out are told by the log, on stderr."""
    import logging

    logging.disable(logging.CRITICAL)


# -------------------------------------------------------------------------------------------------------- checkpoints


def checkpoint_seeds(folder: Path) -> list[Path]:
    """A checkpoint as a descent leaves it."""
    import numpy as np

    from pipeline.batch.checkpoints import save
    from pipeline.reading import Reading
    from pipeline.store.disk import LocalStore
    from pipeline.stylize import Progress

    picture = np.zeros((4, 5, 3), np.float32)
    losses = {"total": 1.0, "content": 0.5, "style": 0.5, "tv": 0.0}
    trace = (Reading(step=1, seconds=0.5, side=5, losses=losses),)
    arrays: dict[str, Any] = {"picture": picture, "history": np.ones((2, 4, 5, 3), np.float32), "step": np.int64(1)}
    progress = Progress(stage=0, step=1, seconds=0.5, trace=trace, arrays=arrays)
    save(LocalStore(folder), "seed.npz", progress, key="k", environment={"threads": 2}, side=5)
    return [folder / "seed.npz"]


def load_checkpoint(path: Path) -> None:
    """A position, or Unusable, or None."""
    from pipeline.batch.checkpoints import Unusable, load
    from pipeline.store.disk import LocalStore

    with contextlib.suppress(Unusable):
        load(LocalStore(path.parent), path.name, key="k", environment={"threads": 2})


# ------------------------------------------------------------------------------------------------------------ weights


def weight_seeds(folder: Path) -> list[Path]:
    """Files that are read, and those that mean harm."""
    from hostile import weights

    made = []
    makers = {**weights.HARMLESS, **{name: harm.make for name, harm in weights.HARMFUL.items()}}
    for number, name in enumerate(sorted(makers.keys() - weights.SLOW)):
        made.append(folder / f"seed-{number}.h5")
        makers[name](made[-1])
    return made


def load_weights(path: Path) -> None:
    """Kernels, or a WeightsError of one line. In a child, as in a worker: HDF5 itself may crash, and may not hang."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _load_weights(path)
            code = 0
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}")
        os._exit(code)
    try:
        status = os.waitpid(child, 0)[1]
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
    )
    assert died or status == 0, f"ended with {status}"


def _load_weights(path: Path) -> None:
    import resource

    from pipeline.errors import WeightsError
    from pipeline.nst.kernels import load_kernels
    from pipeline.nst.weights import NetworkWeights

    resource.setrlimit(resource.RLIMIT_CPU, (5, 5))  # ended by a signal that is no crash
    weights = NetworkWeights(path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())
    with _refusal_in_words(WeightsError):
        load_kernels(weights)


@contextlib.contextmanager
def _refusal_in_words(kind: type[Exception]) -> Iterator[None]:
    """What may be raised, if it can be printed."""
    words = ""
    try:
        yield
    except kind as error:
        words = str(error)
    assert all(line.isprintable() for line in words.split("\n")), repr(words)


# ----------------------------------------------------------------------------------------------------- shown manifests


def shown_seeds(folder: Path) -> list[Path]:
    """The settings of a picture, as JSON; mutated, they are put into one."""
    from pipeline.options import Options

    settings = {
        "key": "k", "output": "dog.png", "content": "dog.png", "style": [{"image": "wave.png", "weight": 1.0}],
        "options": {**Options().as_dict(), "preset": "balanced", "x-a\n  on_start": ["touch", "/tmp/x"]}, "size": [48, 40],
        "weights": {"name": "random", "sha256": "0"}, "painted_with": {"threads": 2, "x\ny": "z"}, "meta": {"a": "b"},
        "losses": {"first": {"total": 1.0}, "last": {"total": 0.5}}, "steps": 4,
    }  # fmt: skip
    sound = {**settings, "options": {**Options().as_dict(), "preset": "balanced"}, "painted_with": {"threads": 2}}
    (folder / "seed-0.json").write_text(json.dumps(settings, indent=1))
    (folder / "seed-1.json").write_text(json.dumps(sound, indent=1))
    return [folder / "seed-0.json", folder / "seed-1.json"]


def show_as_manifest(path: Path) -> None:
    """A manifest of one pair, without hooks, that loads; or a StylizeError of printable lines."""
    from PIL import Image, PngImagePlugin

    from pipeline.errors import ManifestError, StylizeError
    from pipeline.images.metadata import read_metadata
    from pipeline.manifest import load_manifest, manifest_for_settings

    entries = PngImagePlugin.PngInfo()
    entries.add_text("stylize", path.read_bytes().decode("latin-1"))
    Image.new("RGB", (8, 8)).save(path.with_suffix(".png"), pnginfo=entries)
    text = ""
    with _refusal_in_words(StylizeError):
        text = manifest_for_settings(read_metadata(path.with_suffix(".png")))
    if not text:
        return
    assert all(line.isprintable() for line in text.split("\n")), repr(text)
    (path.parent / "night.yaml").write_text(text)
    with _refusal_in_words(ManifestError):  # names of pictures that are not here
        manifest = load_manifest(path.parent / "night.yaml")
        settings = manifest.run
        assert settings.on_start == settings.on_success == settings.on_failure == ()
        (job,) = manifest.pairs
        assert (manifest.output / job.output).resolve().is_relative_to(manifest.output)
        assert all(name.resolve().is_relative_to(manifest.input.resolve()) for name in job.inputs)


# ---------------------------------------------------------------------------------------------------------- mutations


def changed(data: bytes, chance: random.Random) -> bytes:
    """JSON, sealed or not, or lines of it, with one to three entries that are others: what mutated bytes hardly reach."""
    lines = [data] if data.lstrip().startswith(b"{\n") or data.startswith(b'{"seal"') else data.splitlines()
    place = chance.randrange(len(lines))
    try:
        tree = json.loads(lines[place])
    except ValueError:
        return data
    for _ in range(chance.choice((1, 1, 2, 3))):
        _change_somewhere(tree, chance)
    if isinstance(tree, dict) and data.startswith(b'{"seal"'):
        return resealed(b'{"seal": "",\n "content": ' + json.dumps(tree.get("content")).encode() + b"}\n")
    lines[place] = json.dumps(tree).encode()
    return b"\n".join(lines) + b"\n"


def _change_somewhere(tree: Any, chance: random.Random) -> None:
    """Walk down into a nest of lists and tables, and change what is there."""
    while isinstance(tree, dict | list) and tree:
        key = chance.choice(sorted(tree)) if isinstance(tree, dict) else chance.randrange(len(tree))
        if not (isinstance(tree[key], dict | list) and tree[key]) or chance.random() < 0.2:
            break
        tree = tree[key]
    else:
        return
    what = chance.random()
    if what < 0.15:
        del tree[key]
    elif what < 0.25 and isinstance(tree, dict):
        tree[chance.choice(ODD_NAMES)] = tree[key]
    else:
        tree[key] = chance.choice(ODD)() if chance.random() < 0.9 else [tree[key]] * chance.choice((1, 2, 2000))


def _nested() -> Any:
    nest: Any = 1
    for _ in range(600):
        nest = [nest]
    return nest


ODD_NAMES = ("x-a\n  on_start", "on_start", "key", "output", "../../victim.txt", "", "\x1b[2J", "content", "weights")
ODD: tuple[Callable[[], Any], ...] = (
    *(lambda value=value: value for value in (None, True, -1, 0, 1, 1.5, float("nan"), float("inf"), 10**400, 2**63)),
    *(
        lambda value=value: value
        for value in ("", "x", "*", "../../victim.txt", "/etc/passwd", "mine.txt", "input/private.txt")
    ),
    *(
        lambda value=value: value
        for value in ("\x1b[2J", "\ud800", "\n- x", "<script>alert(1)</script>", "a" * 5000, "\0")
    ),
    list,
    dict,
    _nested,
    lambda: {"a": {"b": [1, None]}},
    lambda: [1, "x", None],
)


OF_JSON = {*KEPT, "shown"}
WORDS = [
    b"\\n", b'"x-a\\n": ', b"\\nrun: {on_start: [touch, x]}\\n", b'"options": {', b'"../../victim.txt"', b'"/etc/passwd"',
    b'"*"', b"1e400", b"NaN", b"-1", b"null", b"[]", b"{}", b'"x"', b"true", b"9" * 400, b"\\ud800", b"\\u001b[2J",
    b"<script>alert", b'"key": ', b'"outcome": ', b'"losses": ', b'"trace": [', b'"size": ', b"[" * 3000, b'"schema": 1',
    b'"2026-11-26T00:00:00"',
]  # fmt: skip


def _folder_with_pictures(folder: Path) -> None:
    make_project(folder)
    for name in ("dog", "wave"):
        shutil.copy(folder / f"input/{name}.png", folder / f"{name}.png")
    shutil.rmtree(folder / "out")


DOORS: dict[str, Callable[[Path], None]] = {
    **{kind: look_at_kept(kind) for kind in KEPT},
    "checkpoint": load_checkpoint,
    "weights": load_weights,
    "shown": show_as_manifest,
}
PREPARED: dict[str, Callable[[Path], None]] = {
    **dict.fromkeys(KEPT, make_project),
    "checkpoint": Path.mkdir,
    "weights": Path.mkdir,
    "shown": _folder_with_pictures,
}
SEEDS: dict[str, Callable[[Path], list[Path]]] = {
    **{kind: seeds_of(kind) for kind in KEPT},
    "checkpoint": checkpoint_seeds,
    "weights": weight_seeds,
    "shown": shown_seeds,
}
