"""The fuzzer of `make fuzz`: its corpus holds, what it tries can be tried again, and what it finds is kept."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY
from fuzz import doors

SEEDS = [path for door in sorted(doors.DOORS) for path in sorted((doors.CORPUS / door).iterdir())]


@pytest.mark.parametrize("seed", SEEDS, ids=[path.name for path in SEEDS])
def test_what_was_found_once_is_not_found_again(seed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    door = seed.parent.name
    doors.PREPARED[door](tmp_path / door)
    doors.DOORS[door](Path(shutil.copy(seed, tmp_path / door)))
    assert capfd.readouterr() == ("", "")


def test_the_same_seed_makes_the_same_inputs() -> None:
    data = [path.read_bytes() for path in SEEDS]
    first, second = ([doors.mutated(d, data, random.Random(i), "image") for i, d in enumerate(data)] for _ in range(2))
    assert first == second != data


def test_checksums_of_a_png_are_mended_and_nothing_else() -> None:
    whole = (doors.CORPUS / "image/rgb.png").read_bytes()
    assert doors.with_png_checksums(whole) == whole
    assert doors.with_png_checksums(whole[:29] + b"\0\0\0\0" + whole[33:]) == whole  # 29: behind IHDR
    assert doors.with_png_checksums(whole[:50]) == whole[:50]


def test_a_finding_is_kept_and_ends_with_1(tmp_path: Path) -> None:
    """In a copy where the loader has a bug and one door kills its process."""
    shutil.copytree(REPOSITORY / "tests/fuzz", tmp_path / "tests/fuzz", ignore=shutil.ignore_patterns("findings"))
    shutil.copytree(REPOSITORY / "pipeline", tmp_path / "pipeline")
    for file, bug in (("manifest/load.py", "    raise KeyError('a bug')"), ("images/inspection.py", "    os.abort()")):
        path = tmp_path / "pipeline" / file
        text = path.read_text()
        line = "    file = Path(path)\n" if "manifest" in file else "    source = read_source(path)\n"
        assert text.count(line) == 1
        path.write_text(text.replace(line, f"{bug}\n{line}"))
    done = subprocess.run(
        [sys.executable, tmp_path / "tests/fuzz/doors.py", "--seconds", "3"],
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    told = [path.read_text() for path in (tmp_path / "tests/fuzz/findings").glob("*.txt")]
    assert any("KeyError: 'a bug'" in text for text in told)
    assert any("the process ended with -6" in text for text in told)
    inputs = [path for path in (tmp_path / "tests/fuzz/findings").iterdir() if path.suffix != ".txt"]
    assert len(inputs) == len(told)
