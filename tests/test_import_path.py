"""Whatever lies in the working directory, beside the manifest, among inputs or outputs: Python imports none of it."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pipeline.python_path import python_command
from tests.conftest import fill_project

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parent.parent
# All that could be meant by an import: what Python brings along, and what is installed.
NAMES = sorted({*sys.stdlib_module_names, *(module.name for module in pkgutil.iter_modules())} - {"pipeline", "tests"})
COMMAND = "from pipeline.cli.main import main; main()"  # as the console script does


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A project, in each of whose folders every module is planted; `ran` holds the name of any that was imported."""
    project = fill_project(tmp_path_factory.mktemp("planted"))
    for folder in (project, project / "input", project / "input/content", project / "out"):
        folder.mkdir(exist_ok=True)
        for name in [*NAMES, "sitecustomize", "usercustomize"]:
            trap = f"open({str(project / 'ran')!r}, 'a').write(__file__ + chr(10))\nraise SystemExit(99)\n"
            (folder / f"{name}.py").write_text(trap)
    (project / "night.yaml").write_text(
        "version: 1\ninput: input\noutput: out\ndefaults: {size: 48, steps: 2, weights: random, style_loss: gram, history: 1,"
        " content_layers: [conv2_1], style_layers: [conv1_1, conv2_1]}\n"
        f"run: {{on_start: [{sys.executable}, -P, -c, pass]}}\n"
        "pairs: [{content: content/dog.png, style: style/wave.png}]\n"
    )
    return project


def call(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STYLIZE_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *words], cwd=project, env=clean | environment, capture_output=True, text=True, check=False
    )


def imported(project: Path) -> str:
    return (project / "ran").read_text() if (project / "ran").exists() else ""


@pytest.mark.parametrize("verb", ["check", "plan", "show", "status", "doctor"])
def test_no_verb_imports_what_lies_about(planted, verb):
    subject = {"show": ["input/content/dog.png"], "doctor": []}.get(verb, ["night.yaml"])
    done = call(planted, "-m", "pipeline", verb, *subject, PYTHONPATH=str(REPOSITORY))
    assert imported(planted) == ""
    assert done.returncode == (2 if verb in ("show", "status") else 0), done.stderr
    assert "Traceback" not in done.stderr


def test_no_run_imports_what_lies_about(planted):
    # Only here: whoever asks for a module by its name, `python -m pipeline`, gets the first of that name.
    (planted / "pipeline.py").write_text((planted / "random.py").read_text())
    done = call(planted, "-P", "-c", COMMAND, "run", "night.yaml", PYTHONPATH=str(REPOSITORY))
    assert imported(planted) == ""
    assert done.returncode == 0, done.stderr
    assert (planted / "out/dog--wave.png").exists()


def test_a_child_of_ours_has_the_drivers_package_and_no_other(tmp_path):
    """Neither the working directory's nor one that is installed or named in PYTHONPATH."""
    for folder in (tmp_path, tmp_path / "elsewhere"):
        (folder / "pipeline").mkdir(parents=True)
        (folder / "pipeline/__init__.py").write_text("raise SystemExit('another package')")
        (folder / "random.py").write_text("raise SystemExit('not the random of Python')")
    (tmp_path / "mods").mkdir()
    (tmp_path / "mods/told.py").write_text(
        textwrap.dedent("""
            import random, sys, pipeline, pipeline.errors
            print(pipeline.__file__, sys.argv[1:], __name__)
            print(*sys.path, sep="\\n")
        """)
    )
    done = subprocess.run(
        python_command("told", "a", "b c"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path / 'mods'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    first, *path = done.stdout.splitlines()
    assert first == f"{REPOSITORY / 'pipeline/__init__.py'} ['a', 'b c'] __main__"
    assert str(tmp_path) not in path
    assert str(REPOSITORY) not in path or str(REPOSITORY) in sys.path
    assert str(REPOSITORY / "pipeline") not in path


def test_from_the_repository_itself_the_command_is_found_as_before():
    done = call(REPOSITORY, "-m", "pipeline", "--version")
    assert done.returncode == 0, done.stderr


def test_a_working_directory_that_was_deleted_is_no_trouble(tmp_path):
    script = "mkdir gone; cd gone; rmdir ../gone; exec $0 -m pipeline --version"
    done = subprocess.run(
        ["sh", "-c", script, sys.executable],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_package_changes_no_path():
    """A program that uses it may live in its own working directory."""
    done = call(REPOSITORY, "-c", "import sys; before = [*sys.path]; import pipeline; print(before == sys.path)")
    assert done.stdout == "True\n"
