"""Decoding in a process of its own: what comes of files that hang, eat memory or kill their decoder. No TensorFlow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import REPOSITORY
from night_kit import Nights, statuses
from patience import PATIENCE, until
from PIL import Image

from pipeline.cli.main import cli
from pipeline.errors import BadImage, EnvironmentProblem, OutOfMemory, Stopped
from pipeline.images import reader as reader_module
from pipeline.images.encode import encode_picture
from pipeline.images.inspection import image_size, inspect_image
from pipeline.images.metadata import read_metadata
from pipeline.images.reader import READER, Reader

pytestmark = pytest.mark.slow

# What a file is called says what becomes of its decoder. The clock of those that are to be late, by their size, is short.
ODD = """
import os, signal, sys, time
from pipeline.images import reader_process
real = reader_process.inspect_image
def inspect_image(path, home):
    match os.path.splitext(os.path.basename(path))[0]:
        case "busy":
            while True: pass
        case "endless":
            open(os.path.join(os.path.dirname(__file__), "begun"), "w").close()
            while True: pass
        case "deaf": time.sleep(3600)
        case "memory": return bytearray(1 << 32)
        case "crash": os.kill(os.getpid(), signal.SIGSEGV)
        case "mute": os.closerange(1, 64); time.sleep(600)
        case "killed": os.kill(os.getpid(), signal.SIGKILL)
        case "bug": raise AssertionError("of ours")
        case "chatter": os.write(1, b"loud"), print("louder"), os.write(2, b"!" * 100_000)
    return real(path, home)
reader_process.inspect_image = inspect_image
reader_process.decoding_seconds = lambda pixels: 0.25 if pixels == 40 * 40 else 600.0
reader_process.main()
"""


@pytest.fixture(scope="module")
def oddities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The PYTHONPATH of a process that is as odd as its files' names; one for all tests, as long as it lives."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd_reader.py").write_text(ODD)
    yield str(folder)
    reader_module._process("odd_reader").end()


@pytest.fixture
def odd(oddities: str, monkeypatch: pytest.MonkeyPatch) -> partial[Reader]:
    """Makes readers that ask it, and wait for as long as a busy machine needs for a short time of its processor."""
    monkeypatch.setenv("PYTHONPATH", oddities)
    monkeypatch.setattr(reader_module, "_PATIENCE", PATIENCE)
    return partial(Reader, module="odd_reader")


@pytest.fixture
def begun(oddities: str) -> Path:
    """A file that is there when an endless picture is being decoded."""
    (path := Path(oddities, "begun")).unlink(missing_ok=True)
    return path


@pytest.fixture
def picture(tmp_path: Path):
    """Saves a picture under a name that says what is to become of its decoder."""

    def save(name: str) -> Path:
        size = (40, 40) if name in ("busy.png", "deaf.png") else (48, 40)
        Image.new("RGB", size, (9, 90, 200)).save(tmp_path / name)
        return tmp_path / name

    return save


def test_a_reader_says_what_the_door_says(tmp_path: Path) -> None:
    path = tmp_path / "naïve \udcff.png"
    pixels = [[[index * 2, 0, 255] for index in range(48)] for _ in range(40)]
    path.write_bytes(encode_picture(__import__("numpy").array(pixels, "float32"), None, ".png", 95, {"key": "k"}))
    assert READER.size(path) == image_size(path) == (48, 40)
    assert READER.inspect(path) == inspect_image(path)
    assert READER.metadata(path) == read_metadata(path) == {"key": "k"}
    path.write_bytes(path.read_bytes()[:-60])
    for ask, door in ((READER.inspect, inspect_image), (READER.metadata, read_metadata), (READER.size, image_size)):
        gone = tmp_path / "gone.png"
        for broken in (path, gone) if ask == READER.inspect else (gone,):
            with pytest.raises(BadImage) as told:
                door(broken)
            with pytest.raises(BadImage) as heard:
                ask(broken)
            assert str(heard.value) == str(told.value)


def test_a_name_is_taken_from_the_folder_that_one_is_in(tmp_path: Path, picture, monkeypatch) -> None:
    picture("a.png")
    monkeypatch.chdir(tmp_path)
    assert READER.size("a.png") == (48, 40)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert READER.size("../a.png") == (48, 40)
    with pytest.raises(BadImage, match=r"^a\.png does not exist"):
        READER.size("a.png")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("busy.png", BadImage, r"busy\.png takes more than 0\.25 s of processor time to decode, .* save it again"),
        ("deaf.png", BadImage, r"deaf\.png was not decoded after 0 s; check the disk"),
        ("memory.png", OutOfMemory, r"memory\.png needs more than \d{3} MiB to decode, .*; save it again"),
        ("killed.png", OutOfMemory, r"killed\.png was not decoded: .* killed \(signal 9\)"),
        ("crash.png", BadImage, r"crash\.png makes its decoder crash \(SIGSEGV\); save it again"),
        ("bug.png", BadImage, r"bug\.png cannot be read: a bug \(AssertionError\('of ours'\)\)"),
    ],
)
def test_what_becomes_of_a_decoder_is_one_line_and_the_next_picture_is_read(
    odd, picture, monkeypatch, name, kind, words
) -> None:
    if name == "deaf.png":
        monkeypatch.setattr(reader_module, "_PATIENCE", 0.5)
        monkeypatch.setattr(reader_module, "_LOOK_SECONDS", 0.02)
        monkeypatch.setattr(reader_module, "HEADER_SECONDS", PATIENCE)
    good = picture("good.png")
    with pytest.raises(kind, match=words) as refused:
        odd().inspect(picture(name))
    assert "\n" not in str(refused.value)
    assert odd().inspect(good).width == 48


def test_what_a_decoder_prints_is_no_answer(odd, picture) -> None:
    assert odd().inspect(picture("chatter.png")).width == 48
    assert odd().inspect(picture("good.png")).width == 48


def test_a_wish_to_stop_is_heard_while_a_picture_is_decoded(odd, picture, begun, monkeypatch) -> None:
    monkeypatch.setattr(reader_module, "_LOOK_SECONDS", 0.02)

    def check() -> None:
        if begun.exists():
            raise Stopped(signal.SIGTERM)

    with pytest.raises(Stopped):
        odd(check).inspect(picture("endless.png"))
    assert odd().inspect(picture("good.png")).width == 48  # and not the answer of before


def test_a_stop_that_ends_the_decoder_too_is_no_fault_of_the_picture(odd, picture) -> None:
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) > 1:  # after the question
            raise Stopped(signal.SIGTERM)

    with pytest.raises(Stopped):
        odd(check).inspect(picture("killed.png"))
    process = reader_module._process("odd_reader")._process
    assert process is None or process.returncode is not None  # one that is dying could be asked again
    assert odd().inspect(picture("good.png")).width == 48


def test_a_decoder_that_says_no_more_and_does_not_end_is_not_waited_for(odd, picture, monkeypatch) -> None:
    monkeypatch.setattr(reader_module, "_END_SECONDS", 0.2)
    with pytest.raises(OutOfMemory, match=r"mute\.png was not decoded"):
        odd().inspect(picture("mute.png"))
    assert odd().inspect(picture("good.png")).width == 48


def test_a_process_that_was_killed_while_nothing_was_asked_is_nobodys_trouble(odd, picture) -> None:
    path = picture("good.png")
    odd().inspect(path)
    process = reader_module._process("odd_reader")._process
    assert process is not None
    process.kill()
    process.wait()
    assert odd().inspect(path).width == 48


def test_a_process_that_cannot_start_is_the_environments_fault_in_its_own_words(tmp_path, picture, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "broken_reader.py").write_text("raise ImportError('no room for Pillow')")
    with pytest.raises(EnvironmentProblem, match="cannot start: ImportError: no room for Pillow; run stylize doctor"):
        Reader(module="broken_reader").size(picture("good.png"))


def test_nothing_is_imported_from_the_working_directory(tmp_path: Path) -> None:
    for name in ("json", "PIL", "pipeline", "resource", "ctypes", "select", "zlib", "numpy", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')")
    Image.new("RGB", (48, 40)).save(tmp_path / "a.png")
    ask = "from pipeline.images.reader import READER; import os; os.chdir(os.environ['HERE']); print(READER.size('a.png'))"
    (tmp_path / "libz.so.1").write_bytes(b"no library, so that whoever loads it fails")
    relative = {"PYTHONPATH": f".::{REPOSITORY}:", "LD_LIBRARY_PATH": ":."}
    environment = os.environ | relative | {"HERE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-P", "-c", ask], env=environment, cwd="/", capture_output=True, check=True)
    assert done.stdout == b"(48, 40)\n"
    assert not (tmp_path / "imported").exists()


def test_the_process_dies_with_its_driver(odd, picture) -> None:
    ask = (
        "import sys; from pipeline.images import reader; reader.Reader(module='odd_reader').inspect(sys.argv[1]);"
        "print(reader._process('odd_reader')._process.pid, flush=True);"
        "reader.Reader(module='odd_reader').inspect(sys.argv[2])"
    )
    paths = [str(picture("good.png")), str(picture("endless.png"))]
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{os.environ['PYTHONPATH']}"}
    with subprocess.Popen([sys.executable, "-c", ask, *paths], env=environment, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        number = int(driver.stdout.readline())
        driver.kill()
    until(lambda: not lives(number))


def lives(number: int) -> bool:
    """Is there such a process, which has not ended?"""
    try:
        return "State:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


# -------------------------------------------------------------------------------------------------------- in whole runs


@pytest.fixture
def nights(project: Path, odd, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """Nights over an old output that no record vouches for, and whose decoder is busy for ten minutes."""
    monkeypatch.setattr("pipeline.batch.driver.Reader", odd)
    nights = Nights(project)
    nights.manifest(
        "\n  - {content: content/dog.png, style: style/wave.png, output: endless.png}\n"
        "  - {content: content/sea.png, style: style/wave.png, output: sea.png}\n"
    )
    nights.output.mkdir()
    Image.new("RGB", (480, 40)).save(nights.output / "endless.png")
    return nights


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_is_stopped_while_an_old_output_is_decoded(nights, begun, number) -> None:
    over = threading.Event()  # without it, a run that ends too soon would have a later test stopped

    def stop() -> None:
        until(lambda: begun.exists() or over.is_set())
        if not over.is_set():
            os.kill(os.getpid(), number)

    threading.Thread(target=stop, daemon=True).start()
    try:
        with pytest.raises(Stopped) as stopped:
            nights.run()
    finally:
        over.set()
    assert stopped.value.exit_code == 128 + number


@pytest.fixture
def clock(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs see no time go by before an endless picture is being decoded, and then a minute."""
    monkeypatch.setattr("pipeline.batch.system.deadline.elapsed_clock", lambda: 60.0 if begun.exists() else 0.0)


def test_a_run_hears_its_deadline_while_an_old_output_is_decoded(nights, clock) -> None:
    text = (nights.project / "night.yaml").read_text()
    (nights.project / "night.yaml").write_text(text.replace("run: {}", "run: {max_duration: 1s}"))
    report = nights.run()
    assert report["run"]["exit_code"] == 10
    assert statuses(report) == {"endless.png": "not_started", "sea.png": "not_started"}
    assert {pair["reason"] for pair in report["pairs"]} == {"no time left before the deadline"}
    assert nights.asked == []


def test_a_report_does_not_wait_for_the_old_outputs_of_pairs_that_were_not_taken_up(
    nights, odd, clock, monkeypatch
) -> None:
    monkeypatch.setattr("pipeline.batch.standing.Reader", odd)
    (nights.output / "endless.png").unlink()
    nights.run()
    Image.new("RGB", (480, 40)).save(nights.output / "endless.png")  # and not what was painted
    text = (nights.project / "night.yaml").read_text()
    (nights.project / "night.yaml").write_text(text.replace("run: {}", "run: {max_duration: 1s}"))
    report = nights.run(only="sea.png")
    assert statuses(report) == {"endless.png": "not_started", "sea.png": "up_to_date"}


def test_a_picture_too_large_for_memory_does_not_end_a_check(project, odd, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.images.reader.Reader", odd)
    for old, new in (("dog", "memory"), ("sea", "crash")):
        (project / f"input/content/{old}.png").rename(project / f"input/content/{new}.png")
    (project / "m.yaml").write_text(
        "version: 1\ninput: input\noutput: out\npairs:\n  - matrix: {content: ['content/*'], style: ['style/*']}\n"
    )
    done = CliRunner().invoke(cli, ["check", str(project / "m.yaml")], standalone_mode=False)
    assert done.return_value == 3
    assert "error: " in done.output
    assert "memory.png needs more than" in done.output
    assert "crash.png makes its decoder crash" in done.output
    assert "2 pairs, 3 images, 2 cannot be used" in done.output


def test_check_hears_ctrl_c_while_a_picture_is_decoded(project, odd, begun) -> None:
    Image.new("RGB", (480, 40)).save(project / "input/content/endless.png")
    (project / "m.yaml").write_text(
        "version: 1\ninput: input\noutput: out\npairs: [{content: content/endless.png, style: style/wave.png}]\n"
    )
    start = (
        "import functools, pipeline.images.reader as r; r.Reader = functools.partial(r.Reader, module='odd_reader');"
        "from pipeline.cli.main import main; main()"
    )
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{os.environ['PYTHONPATH']}"}
    with subprocess.Popen(
        [sys.executable, "-c", start, "check", str(project / "m.yaml")], env=environment, stderr=subprocess.PIPE
    ) as check:
        until(lambda: begun.exists() or check.poll() is not None)
        check.send_signal(signal.SIGINT)
        assert check.wait(PATIENCE) == 130
