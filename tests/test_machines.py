"""Machines that are no Linux: what macOS lacks has a substitute, and Windows is told in one line. No TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY
from patience import PATIENCE

from pipeline.batch.system import machine
from pipeline.errors import BadImage
from pipeline.images import budget, file_bytes
from pipeline.images.memory_file import memory_file
from pipeline.images.reader import Reader


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The functions of Linux' own are gone, and so is /proc where we look."""
    monkeypatch.setattr(sys, "platform", "darwin")
    for name in ("sched_getaffinity", "memfd_create", "O_PATH"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(budget, "_MEMORY", str(tmp_path / "no proc"))


def test_all_processors_are_usable_where_none_can_be_left_out(macos):
    assert machine.usable_processors() == os.cpu_count()


def test_a_file_for_what_a_process_says_needs_no_memory_of_the_kernels(macos):
    with memory_file() as file:
        file.write(b"said")
        file.seek(0)
        assert file.read() == b"said"


def test_a_picture_is_opened_in_its_folder_and_nowhere_else(macos, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("in/ours.jpg", "theirs.jpg"):
        (tmp_path / name).write_bytes(b"a picture")
    (tmp_path / "in/link.jpg").symlink_to(tmp_path / "theirs.jpg")
    (tmp_path / "in/near.jpg").symlink_to("ours.jpg")
    home = os.path.realpath(tmp_path / "in")
    for name in ("ours.jpg", "near.jpg"):
        descriptor = file_bytes._opened_in(home, tmp_path / "in" / name)
        assert os.read(descriptor, 9) == b"a picture"
        os.close(descriptor)
    with pytest.raises(BadImage, match="lies behind a link that leads out"):
        file_bytes._opened_in(home, tmp_path / "in/link.jpg")
    os.mkfifo(tmp_path / "in/pipe.jpg")
    with pytest.raises(BadImage):
        file_bytes._opened_in(home, tmp_path / "in/pipe.jpg")


def test_a_file_that_is_exchanged_while_it_is_opened_is_not_read(macos, tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"one")
    (tmp_path / "b.jpg").write_bytes(b"other")
    monkeypatch.setattr(os.path, "samestat", lambda one, other: False)
    with pytest.raises(BadImage, match="was exchanged while it was opened"):
        file_bytes._opened_in(os.path.realpath(tmp_path), tmp_path / "a.jpg")


def test_decoding_is_not_held_to_memory_that_nobody_can_tell(macos):
    with budget.memory_for(1):
        assert len(bytes(2**20)) == 2**20


def test_peak_memory_is_counted_in_the_systems_unit(macos, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path: (_ for _ in ()).throw(OSError))
    in_bytes = machine.peak_memory()
    monkeypatch.setattr(sys, "platform", "linux")
    assert machine.peak_memory() == pytest.approx(1024 * in_bytes, rel=0.05)


def test_pictures_are_looked_at_by_a_process_of_their_own_all_the_same(macos, project):
    assert Reader().size(project / "input/content/dog.png") == (48, 40)


@pytest.mark.slow
@pytest.mark.parametrize("door", ["import pipeline", "from pipeline.cli.main import main; main()"])
def test_windows_is_told_in_one_line_what_to_do(door):
    """Its Python has neither fcntl nor resource."""
    program = (
        "import sys; sys.modules['fcntl'] = sys.modules['resource'] = None; sys.argv = ['stylize', 'run', 'm.yaml']; "
        f"sys.platform = 'win32'; {door}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == (
        "stylize runs on Linux and macOS; on Windows, install and start it inside WSL2 (wsl --install)\n"
    )
    assert done.returncode == 1


@pytest.mark.slow
def test_make_says_which_pythons_will_do_before_it_makes_anything(tmp_path):
    old = tmp_path / "python3.10"
    old.write_text(
        f'#!/bin/sh\nshift; exec "{sys.executable}" -c '
        "\"import sys; sys.version_info = (3, 10, 9); sys.version = '3.10.9 x'; $1\"\n"
    )
    old.chmod(0o755)
    line = next(line for line in (REPOSITORY / "Makefile").read_text().splitlines() if "3.11 to 3.13" in line)
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"PYTHON ?= python3\nall:\n{line}\n")
    done = subprocess.run(
        ["make", "-C", str(tmp_path), f"PYTHON={old}"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 2
    assert (
        f"Python 3.11 to 3.13 is needed, and {old} is 3.10.9; name another: make setup PYTHON=python3.12" in done.stderr
    )
    good = subprocess.run(["make", "-C", str(tmp_path), f"PYTHON={sys.executable}"], capture_output=True, check=False)
    assert good.returncode == 0
