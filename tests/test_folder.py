"""A folder in the place of a manifest: by the command, by make, and what it leaves out. No TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY
from night_kit import Scripted, failed, painted, statuses

from pipeline.batch import run_metadata
from pipeline.batch.driver import run
from pipeline.batch.selection import Selection
from pipeline.cli.console import Quiet
from pipeline.errors import ManifestError
from pipeline.job import Manifest
from pipeline.manifest import Override, load_folder, load_manifest, starter_manifest
from pipeline.report.text import render_text

FAST = [Override(*setting, "--set") for setting in (("weights", "random"), ("steps", "4"), ("style_loss", "gram"))]


def jobs(manifest: Manifest) -> list[Any]:
    return [
        dataclasses.replace(
            job, where="", origins={name: origin.rpartition(" ")[2] for name, origin in job.origins.items()}
        )
        for job in manifest.pairs
    ]


def test_a_folder_is_the_manifest_that_init_writes_into_it(project: Path) -> None:
    folder = project / "input"
    file = folder / "stylize.yaml"
    file.write_text(starter_manifest(folder, file))
    written = load_manifest(file)
    file.unlink()
    manifest = load_folder(folder)
    assert jobs(manifest) == jobs(written)
    assert (manifest.input, manifest.output) == (written.input, written.output) == (folder, folder / "output")
    assert (manifest.file, manifest.name, manifest.warnings, manifest.arguments) == (folder, "input", (), ())
    assert {job.where for job in manifest.pairs} == {str(folder)}
    assert manifest.pairs[0].origins["seed"].startswith(f"{folder} (defaults)")
    assert sorted(path.name for path in folder.iterdir()) == ["content", "style"]


@pytest.mark.parametrize("style", ["my style", "my style/wave one.png"])
def test_photographs_as_they_lie_with_paintings_from_anywhere(project: Path, style: str) -> None:
    (project / "input/content").rename(project / "my photos")
    (project / "input/style").rename(project / "my style")
    (project / "my style/wave.png").rename(project / "my style/wave one.png")
    manifest = load_folder(project / "my photos", [project / style], project / "out put")
    assert [job.output for job in manifest.pairs] == ["dog--wave one.png", "sea--wave one.png"]
    assert manifest.output == project / "out put"
    assert manifest.arguments == ("--style", str(project / style), "--output", str(project / "out put"))
    assert load_folder(project / "my photos", [project / style]).output == project / "my photos/output"


def test_a_new_photograph_is_painted_by_the_next_run_and_renames_nothing(project: Path) -> None:
    folder = project / "input"

    def night() -> dict[str, Any]:
        manifest = load_folder(folder, overrides=FAST)
        engine = Scripted(painted(manifest.output), [])
        return run(manifest, Selection(), Quiet(), engine=lambda settings, log: engine)

    assert statuses(night()) == {"dog--wave.png": "done", "sea--wave.png": "done"}
    shutil.copy(folder / "content/sea.png", folder / "content/bee.png")
    assert statuses(night()) == {"bee--wave.png": "done", "dog--wave.png": "up_to_date", "sea--wave.png": "up_to_date"}


def test_the_command_to_retry_names_the_folder_its_paintings_and_what_was_set(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "input/content").rename(project / "my photos")
    manifest = load_folder(project / "my photos", [project / "input/style"], overrides=FAST)
    engine = Scripted(failed("diverged"), [])
    monkeypatch.setattr(run_metadata, "program", lambda: ("stylize",))
    report = run(manifest, Selection(), Quiet(), engine=lambda settings, log: engine)
    line = next(line for line in render_text(report).splitlines() if "Retry:" in line)
    assert shlex.split(line.partition("Retry:")[2]) == [
        *("stylize", "run", str(project / "my photos"), "--style", str(project / "input/style")),
        *(word for option in FAST for word in ("--set", f"{option.option}={option.text}")),
        "--retry-failed",
    ]


def test_what_is_left_out_is_said_once_with_how_to_take_it(project: Path) -> None:
    folder = project / "input"
    (folder / "content/trip").mkdir()
    for name in ("trip/a.jpg", "trip/b.jpg", "raw.nef", "notes.txt", ".hidden.nef"):
        (folder / "content" / name).touch()
    (folder / "stylize.yaml").touch()
    unread, left_out, advice = load_folder(folder).warnings
    assert left_out.startswith(
        f"{folder}: 'content/*' leaves out pictures in 1 sub-folder (content/trip): 'content/**/*' takes them too; "
        "1 file (content/raw.nef) that no picture is called like"
    )
    assert advice == f"{folder}: to take what is left out, change the patterns in a manifest (stylize init)"
    assert unread == f"{folder}: the manifest stylize.yaml in it is not read; name it to run it"
    written = starter_manifest(folder)
    assert "# 'content/*' leaves out pictures in 1 sub-folder (content/trip)" in written
    (folder / "stylize.yaml").write_text(written.replace('["content/*"]', '["content/**/*"]'))
    assert len(load_manifest(folder / "stylize.yaml").pairs) == 4  # the advice holds


def test_results_of_earlier_runs_are_no_photographs(project: Path) -> None:
    photos = project / "input/content"
    shutil.copytree(photos, photos / "output")
    manifest = load_folder(photos, [project / "input/style"])
    assert (len(manifest.pairs), manifest.warnings) == (2, ())


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (
            "input/content",
            "has no folder 'content'; to paint the pictures in it as they lie, name the paintings with --style",
        ),
        ("empty", "holds no picture; put some there (pictures end in one of .jpg, "),
        ("configs", "is a folder without pictures; name the manifest in it (night.yaml)"),
    ],
)
def test_a_folder_that_is_none_of_pictures_is_told_by_name(project: Path, folder: str, words: str) -> None:
    (project / "empty").mkdir()
    (project / "configs").mkdir()
    (project / "configs/night.yaml").touch()
    with pytest.raises(ManifestError) as caught:
        load_folder(project / folder)
    assert str(caught.value).startswith(f"{project / folder}: error: ")
    assert words in str(caught.value)


def test_the_verbs_take_a_folder_and_write_no_manifest(project: Path, stylize: Callable[..., Any]) -> None:
    (project / "input").rename(project / "my album")
    fast = ("--set", "weights=random", "--set", "style_loss=gram")
    plan = stylize("plan", "my album", *fast, cwd=project)
    assert (plan.returncode, plan.stderr) == (0, "")
    assert plan.stdout.splitlines()[-1].startswith("2 to paint")
    check = stylize("check", "my album/content", "--style", "my album/style", cwd=project)
    assert (check.returncode, check.stdout) == (0, "my album/content: 2 pairs, 3 images, all open\n")
    assert sorted(path.name for path in (project / "my album").iterdir()) == ["content", "style"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "input/content/dog.png"], "input/content/dog.png is a picture; name its folder, or a manifest"),
        (["run", "input/content"], "input/content: error: input/content has no folder 'content'"),
        (["plan", "m.yaml", "--style", "input/style"], "is for a folder of photographs; the manifest m.yaml says it itself"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_no_folder_to_run_is_refused(
    project: Path, stylize: Callable[..., Any], arguments: list[str], words: str
) -> None:
    (project / "m.yaml").touch()
    done = stylize(*arguments, cwd=project)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (project / "input/content/output").exists()


# ---------------------------------------------------------------------------------------------------------------- make


def outside_make() -> dict[str, str]:
    """The environment without what `make test ARGS=...` tells a make that it calls."""
    told = ("MAKE", "MFLAGS", "ARGS", "MANIFEST", "FOLDER", "STYLE")
    return {name: value for name, value in os.environ.items() if not name.startswith(told)}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ([], ["configs/demo.yaml"]),
        (["MANIFEST=my file.yaml", 'ARGS=--only "a b"'], ["my file.yaml", "--only", "a b"]),
        (["MANIFEST=it's \"$(x) `y`.yaml"], ["it's \"$(x) `y`.yaml"]),
        (["FOLDER=my photos"], ["my photos"]),
        (["FOLDER=~/my photos", "STYLE=~/star's.jpg"], ["HOME/my photos", "--style", "HOME/star's.jpg"]),
    ],
    ids=str,
)
def test_make_passes_names_on_as_they_are(tmp_path: Path, variables: list[str], words: list[str]) -> None:
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "constraints.txt", "locks/run.txt", "locks/heif.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    program = tmp_path / ".venv/bin/stylize"
    program.parent.mkdir(parents=True)
    program.write_text("#!/usr/bin/env python3\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    program.chmod(0o755)
    (tmp_path / ".venv/.ready").touch()
    environment = outside_make() | {"HOME": "HOME"}
    done = subprocess.run(
        ["make", "stylize", *variables], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == ["run", *words]


def test_make_alone_prints_the_targets(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    done = subprocess.run(["make"], cwd=tmp_path, env=outside_make(), capture_output=True, text=True, check=True)
    targets = [line.split()[0] for line in done.stdout.splitlines()]
    assert targets[:6] == ["help", "setup", "stylize", "plan", "check", "report"]
