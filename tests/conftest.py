"""What several test files share: a small project on disk, and the program run as a user runs it."""

from __future__ import annotations

import functools
import gc
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, settings
from object_kit import (  # noqa: F401  as fixtures
    az,
    azurite_port,
    gcs_address,
    gcs_knows_conditions,
    gs,
    moto_address,
    places,
    proxy,
    s3,
    sftp,
    web,
)
from patience import PATIENCE
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
READER = "pipeline.images.reader_process"
sys.path.insert(0, str(REPOSITORY))  # as `python -m tests.chaos` has it

from pipeline.processor import onednn_switch  # noqa: E402
from tests.chaos.project import environment as chaos_environment  # noqa: E402
from tests.warm import WarmCommand  # noqa: E402

# No timing is asserted: a busy machine is no failure. The same examples every time: what fails today failed yesterday, and
# `make fuzz` looks for others.
settings.register_profile("untimed", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


# TensorFlow that a test imports by itself computes as that of a run does, so that bytes can be compared.
os.environ |= onednn_switch()

# Started in the background of a shell, or by nohup, signals are ignored, by children too: tests that send them would wait.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


# Fixtures that call the command.
_CALLING = {"stylize", "rehearse", "warm_commands"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first, so that the processes end at about the same time. What calls the command is slow
    without being marked."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if _CALLING.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """What collecting loads stays to the end, TensorFlow above all: a million objects, among which the collector of garbage
    looks neither meanwhile nor ever again. A run's workers do the same (pipeline/nst/importing)."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With -m "not slow", files of slow tests alone are not even read: they import TensorFlow."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    return bool(_SLOW_FILE.search(collection_path.read_text(encoding="utf-8"))) or None


_SLOW_FILE = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow\b", re.MULTILINE)


_STARTED: list[str] = []  # processes that the test at work has started, as the words of their commands


@pytest.fixture(scope="session", autouse=True)
def starts_are_seen() -> Iterator[None]:
    """Of this process; what children start is theirs."""
    begin = subprocess.Popen.__init__

    def seen(popen: subprocess.Popen[Any], args: Any, *more: Any, **named: Any) -> None:
        _STARTED.append(args if isinstance(args, str) else " ".join(map(os.fsdecode, args)))
        begin(popen, args, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", seen)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _STARTED.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Who says nothing is light, and is held to it: no Python is started but the one that decodes pictures, and nothing has
    loaded TensorFlow (which only shows with -m "not slow", as files of slow tests load it too)."""
    yield
    if item.get_closest_marker("slow"):
        return
    python = [words for words in _STARTED if words.startswith(sys.executable) and READER not in words]
    assert not python, f"it starts Python, so mark it slow: {python}"
    assert item.config.option.markexpr != "not slow" or "tensorflow" not in sys.modules, (
        "mark what loads TensorFlow slow"
    )


@pytest.fixture(scope="session", autouse=True)
def no_test_waits_for_the_disk() -> Iterator[None]:
    """Of those in this process: what fsync guards against, power cuts, happens to none, and it takes a sixth of the light
    tests' time. Tests of what is synced, and when, put their own in its place; processes that tests start do sync."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: os.fstat(descriptor) and None)
        yield


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> None:
    """By the processes that tests start, also under `nohup` or behind `&`, where whoever starts them ignores some: what is
    ignored is inherited, and what has a handler is not."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def reports_fit_their_schema() -> Iterator[None]:
    """Every report.json that this process writes is held against the schema that is published."""
    from pipeline.report import write
    from pipeline.report.schema import report_schema

    validator = jsonschema.Draft7Validator(report_schema())
    to_parts = write._json_parts

    def checked(report: Mapping[str, Any]) -> Iterator[str]:
        parts = list(to_parts(report))
        validator.validate(json.loads("".join(parts)))
        yield from parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "_json_parts", checked)
        yield


@pytest.fixture(scope="module")
def usual_convolutions() -> Iterator[None]:
    """For tests of what is exact but for float32's last digits: those of Winograd's way are coarser by six times."""
    from pipeline.nst import extractor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extractor, "slow_way", lambda: None)
        yield


@pytest.fixture(scope="module")
def thin_network() -> Iterator[None]:
    """Pairs that ask for VGG19 are painted with a network that is quickly traced (tests/thin)."""
    from pipeline.nst.network import NETWORKS
    from tests.thin import THIN

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "vgg19", THIN)
        yield


@pytest.fixture(scope="module", autouse=True)
def let_go() -> Iterator[None]:
    """What a file of tests had loaded and traced is gone after it: the process has many more files before it."""
    yield
    if "pipeline.nst.engine" in sys.modules:
        from pipeline import release
        from pipeline.nst.engine import give_back_memory

        release()
        give_back_memory()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with input/content and input/style: two photographs and a painting of 48 x 40 pixels, each different."""
    return fill_project(tmp_path)


def fill_project(tmp_path: Path) -> Path:
    """Write the pictures of `project`."""
    for name, colour in (("content/dog", (180, 120, 60)), ("content/sea", (30, 90, 160)), ("style/wave", (20, 40, 90))):
        path = tmp_path / "input" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (48, 40), colour)
        for x in range(0, 48, 6):
            image.paste(tuple(255 - part for part in colour), (x, x % 12, x + 3, 30))
        image.save(path)
    return tmp_path


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stylize(warm_commands: Callable[[str], WarmCommand]) -> Command:
    """The command, in a process of its own: stylize("run", "m.yaml", cwd=...)."""
    return functools.partial(call_command, "pipeline", warm_commands)


@pytest.fixture
def rehearse(warm_commands: Callable[[str], WarmCommand], tmp_path: Path) -> Command:
    """The same, painting with the engine of tests/chaos: the product's driver and worker process, and pictures in
    milliseconds, in NumPy. For what is true of a run whatever paints in it. Mischief: `lay_fault`."""
    return functools.partial(call_command, "tests.chaos.start", warm_commands, **rehearsing(tmp_path))


def rehearsing(tmp_path: Path) -> dict[str, str]:
    """What the engine of tests/chaos must be told, in a folder beside the project."""
    place = tmp_path / "rehearsal"
    (place / "faults").mkdir(parents=True, exist_ok=True)
    return {name: value for name, value in chaos_environment(place).items() if name.startswith("CHAOS_")}


def call_command(
    module: str,
    warm_commands: Callable[[str], WarmCommand],
    *arguments: str,
    cwd: Path | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run `module`; from a process that has imported it, unless Python's own settings are changed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STYLIZE_")}
    whole = clean | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"} | environment
    if not any(name.startswith(("PYTHON", "LC_", "LANG")) for name in environment):
        return warm_commands(module)(arguments, cwd, whole)
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env=whole,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="session")
def warm_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], WarmCommand]]:
    """Commands by the module that they run, each ready from its first call on."""
    ready = functools.cache(lambda module: WarmCommand(module, tmp_path_factory.mktemp(module)))
    yield ready
    for module in ("pipeline", "tests.chaos.start"):
        ready(module).close()
