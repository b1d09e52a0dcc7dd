"""The front door as a whole, by the command: strange names and bad pictures, a whole folder of each. Random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, rehearsing
from patience import PATIENCE
from test_images_bad import FILES, HEIGHT, NAMES, WIDTH, colours, png, saved

from pipeline.nst.tiling import _prepared_bytes
from pipeline.options import Options
from pipeline.printable import printable
from pipeline.processor import lacks_long_vectors

pytestmark = pytest.mark.slow

# Cases 62 to 74, and what they leave out: direction, width, private use, twins in case.
STRANGE = [name for _, _, name in NAMES]
STRANGE += [
    "a.jpg",
    "gpj.\u202e\u2066exe.jpg",
    "zero\u200bwidth\ue000.jpg",
    "tab\tand\rreturn\x85\u2028.jpg",
    "'\"&amp;.jpg",
]

# Runs a command and prints its peak memory in kilobytes. In a small process of its own: a new
# process counts as its peak what its parent held, and a test's own process may hold TensorFlow.
MEASURED = """
import os, subprocess, sys
run = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(run.pid, 0)
run.returncode = os.waitstatus_to_exitcode(status)
print(usage.ru_maxrss)
sys.exit(run.returncode)
"""


# Quickly traced; what is looked at here are names and files.
OPTIONS = "size: 48, steps: 2, weights: random, style_loss: gram, history: 1"
SHALLOW = {"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5}}


def write_manifest(project: Path, contents: str, output: str, name: str = "night.yaml") -> Path:
    path = project / name
    path.write_text(
        f"version: 1\ninput: input\noutput: out\ndefaults: {{{OPTIONS}, {json.dumps(SHALLOW)[1:-1]}}}\n"
        f"pairs:\n  - matrix: {{content: {contents}, style: [style/wave.png]}}\n    output: '{output}'\n"
    )
    return path


def tree(folder: Path, but: str) -> set[bytes]:
    """Every path below `folder` that is not below its folder `but`."""
    return {
        os.path.join(parent, name)
        for parent, folders, files in os.walk(os.fsencode(folder))
        for name in (*folders, *files)
        if not os.path.join(parent, name).startswith(os.fsencode(folder / but))
    }


def acting_characters(text: str) -> set[str]:
    """Characters, other than the ends of lines, that would act on a screen instead of showing."""
    return {character for character in text if not character.isprintable()} - {"\n"}


def test_62_to_74_strange_names_are_one_line_each_and_escaped_everywhere(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for folder, data in (("good", saved("JPEG")), ("bad", b"no picture")):
        (project / "input" / folder).mkdir()
        for name in STRANGE:
            (project / "input" / folder / name).write_bytes(data)
    odd = "night\n\x1bc.yaml"
    write_manifest(project, "[good/*, good/.*, bad/*, bad/.*]", "{content.parent}/{index}-{content.stem}.png", odd)
    before = tree(project, "out")
    beside = rehearsing(tmp_path_factory.mktemp("beside"))

    def call(*arguments: str) -> tuple[int, list[str], list[str]]:
        command = [sys.executable, "-m", "tests.chaos.start", *arguments]  # names are the driver's and the worker's
        # A terminal that does not know all letters must not stop a night either.
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "latin-1:strict"} | beside
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, timeout=PATIENCE, check=False)
        out, err = done.stdout.decode("latin-1"), done.stderr.decode("latin-1")
        assert "Traceback" not in err
        assert acting_characters(out) == acting_characters(err) == set()
        return done.returncode, out.splitlines(), err.splitlines()

    def shown(name: str) -> str:
        return printable(name).encode("latin-1", "backslashreplace").decode("latin-1")

    code, out, err = call("plan", odd)
    assert (code, err) == (0, [])
    assert len(out) == 2 * len(STRANGE) + 1
    code, out, err = call("check", odd)
    assert code == 3
    assert len(out) == 1
    assert len(err) == len([line for line in err if line.startswith("error: ")]) == len(STRANGE)

    code, out, err = call("run", odd)
    assert code == 3
    assert out == []
    # what lies ahead; painting and its end of the good, the end of the bad; the verdict
    assert len(err) == 1 + 2 * len(STRANGE) + len(STRANGE) + 1
    pairs = json.loads((project / "out/report.json").read_bytes())["pairs"]
    assert len(pairs) == 2 * len(STRANGE)
    for pair in pairs:
        assert pair["status"] == ("done" if pair["content"].startswith("good/") else "failed")
        assert len([line for line in err if f" {shown(pair['output'])}:" in line]) == 1
        assert (project / "out" / pair["output"]).is_file() == (pair["status"] == "done")
    assert sorted(os.fsencode(pair["content"]) for pair in pairs) == sorted(
        os.fsencode(f"{folder}/{name}") for folder in ("good", "bad") for name in STRANGE
    )
    assert tree(project, "out") == before
    written = [path for path in (project / "out").rglob("*") if path.is_file() and ".pipeline" not in path.parts]
    assert len(written) == len(STRANGE) + 3  # the report in three forms

    assert acting_characters((project / "out/report.txt").read_text("ascii")) == set()
    page = (project / "out/report.html").read_text("utf-8")
    assert acting_characters(page) == set()
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    ended = json.loads((project / "out/report.json").read_text())["run"]["exit_code"]
    for verb in ("report", "status", "history"):
        assert call(verb, odd)[0] == (ended if verb == "status" else 0)
    code, out, _ = call("clean", odd, "--dry-run")
    assert (code, out) == (0, [])


def test_a_folder_of_all_bad_pictures_fails_each_by_name_within_a_gigabyte(project: Path) -> None:
    folder = project / "input/bad"
    folder.mkdir()
    refused: dict[str, str] = {}  # output -> words of the reason
    wanted = []
    for file in FILES:
        name = file.id + Path(file.name).suffix
        (folder / name).write_bytes(file.build())
        if file.refused:
            refused[f"{name}.png"] = file.refused
        else:
            wanted.append(f"{name}.png")
    (folder / "19-large.png").write_bytes(png(9000, 9000, depth=1, colour_type=0))
    wanted.append("19-large.png.png")
    (folder / "57.jpg").mkdir()
    (folder / "58.jpg").symlink_to("gone.jpg")
    (folder / "59.jpg").symlink_to("59.jpg")
    (folder / "60.jpg").symlink_to("/dev/zero")
    os.mkfifo(folder / "61.jpg")
    (folder / "62.jpg").write_bytes(saved("JPEG"))
    (folder / "62.jpg").chmod(0)
    for name, words in (
        ("57", "is a folder"),
        ("58", "does not exist"),
        ("59", "leads back to itself"),
        ("60", "a device"),
        ("61", "a pipe (FIFO)"),
    ):
        refused[f"{name}.jpg.png"] = words
    if os.access(folder / "62.jpg", os.R_OK):  # root may read everything
        wanted.append("62.jpg.png")
    else:
        refused["62.jpg.png"] = "may not be read"
    (folder / "75.jpg").symlink_to("../style/wave.png")  # content and style in one
    wanted.append("75.jpg.png")
    manifest = write_manifest(
        project, "['bad/*', bad/57.jpg, bad/60.jpg, bad/61.jpg, bad/75.jpg]", "{content.name}.png"
    )

    with (project / "log").open("wb") as log:
        run = subprocess.run(
            [sys.executable, "-c", MEASURED, sys.executable, "-m", "pipeline", "run", str(manifest)],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=log,
            check=False,
        )
    assert run.returncode == 3
    # of the run and its workers, whichever was largest; some processors want filters made of the kernels
    prepared = _prepared_bytes(Options(**SHALLOW)) if lacks_long_vectors() else 0
    assert int(run.stdout) * 1024 < 2**30 + prepared
    lines = (project / "log").read_text().splitlines()
    assert not [line for line in lines if "Traceback" in line]
    pairs = {pair["output"]: pair for pair in json.loads((project / "out/report.json").read_bytes())["pairs"]}
    assert {output for output, pair in pairs.items() if pair["status"] == "done"} == set(wanted)
    assert {output for output, pair in pairs.items() if pair["status"] == "failed"} == set(refused)
    for output, words in refused.items():
        reason = pairs[output]["reason"]
        assert words in reason
        assert output.removesuffix(".png") in reason
        assert [line for line in lines if line.endswith(f"failed {output}: {printable(reason)}")]
        assert (
            "; " in reason or ", so " in reason or "must be at least" in reason or "may be at most" in reason
        )  # remedy
    turned = pairs["42-orientation-6.jpg.png"]["size"]
    assert turned == [HEIGHT, WIDTH] == list(reversed(colours().size))
