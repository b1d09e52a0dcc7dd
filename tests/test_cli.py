"""The command line as a user meets it who mistypes. No TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from pipeline.cli.main import cli
from pipeline.errors import ExitCode, exit_words
from pipeline.manifest import load_folder, load_manifest
from pipeline.options import OPTION_NAMES

MANIFEST = """\
version: 1
input: input
output: out
defaults: {weights: random}
pairs:
  - {content: content/dog.png, style: style/wave.png}
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pln", "night.yaml"], "no verb 'pln'; did you mean 'plan'?"),
        (["plan", "nigth.yaml"], "did you mean 'night.yaml'?"),
        (["run", "night.yaml", "--deadline", "6am"], "must be a time of day from 00:00 to 23:59, like 06:00. Received: '6am'"),
        (["run", "night.yaml", "--max-duration", "7"], "must be a duration with its unit, like 90s, 45m, 7h or 1h30m"),
        (["run", "night.yaml", "--only", "cat*"], "no output of night.yaml matches --only 'cat*'"),
        (["plan", "night.yaml", "--only", "cat*"], "no output of night.yaml matches --only 'cat*'"),
        (["run", "night.yaml", "--engine", "dask"], "needs its scheduler's address: --scheduler tcp://HOST:8786"),
        (["run", "night.yaml", "--engine", "spark"], "'spark' is not one of 'local', 'dask'"),
        (["run", "night.yaml", "--scheduler", "tcp://10.0.0.1:8786"], "--scheduler is for --engine dask"),
        (["plan", "night.yaml", "--explain", "dog"], "no pair of night.yaml has the output 'dog'"),
        (["plan", "night.yaml", "--set", "stpes=9"], "--set: error: unknown option 'stpes'; did you mean 'steps'?"),
        (["plan", "night.yaml", "--set", "steps"], "--set wants option=value. Received: 'steps'"),
        (["presets", "fien"], "no preset 'fien'; did you mean 'fine'?"),
        (["import", "th", "neural_style.lua", "-content_image", "a.jpg"], "so that it is one word: stylize import 'th ...'"),
        (["import", "th neural_style.lua", "--publishd"], "No such option '--publishd'. Did you mean '--published'?"),
        (["import"], "Missing argument 'COMMAND'"),
        (["init", "inptu"], "there is no folder inptu; name the folder of your photographs"),
        (["init", "input", "--style", "artt"], "Path 'artt' does not exist"),
        (["plan", "input/content/walk.mp4", "--style", "input/style"], "walk.mp4 is a video; name its folder, or a manifest"),
        (["report", "night.yaml", "--csv", "--json"], "--csv and --json exclude each other"),
        (["report", "--merge", "night.yaml", "--csv"], "--csv and --merge exclude each other"),
        (["run", ""], "the name is empty; '.' is the working directory"),
        (["plan", "input/content", "--style", "input/style", "-o", ""], "the name is empty; '.' is the working directory"),
        (["paint", "input/content/dog.png", "input/style/wave.png", "-o", ""], "the name is empty; '.' is the working"),
        (["run", "n" * 300], f"{'n' * 300}: File name too long; give another name"),
        (["init", "input", "-o", "n" * 300], f"{'n' * 300}: File name too long; give another name"),
        (["paint", "n" * 300, "input/style/wave.png"], f"{'n' * 300}: File name too long; give another name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_mistyped_command_is_refused_in_words_and_touches_nothing(project, stylize, arguments, words):
    (project / "night.yaml").write_text(MANIFEST)
    (project / "input/content/walk.mp4").touch()
    done = stylize(*arguments, cwd=project)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    if arguments[0] == "run":
        assert lines.pop() == "exit 2 (usage or manifest, nothing was started)"
    assert words in lines[-1]
    assert done.stdout == ""
    assert sorted(path.name for path in project.iterdir()) == ["input", "night.yaml"]


def test_init_without_words_does_what_its_help_says(project, stylize):
    told = stylize("init", "--help", cwd=project).stdout
    assert "Without FOLDER: in input." in told
    assert "[default: stylize.yaml, here]" in told
    assert stylize("init", cwd=project).returncode == 0
    written = load_manifest(project / "stylize.yaml")
    assert (written.input, written.output) == (project / "input", project / "output")


def test_init_into_the_folder_writes_what_run_does_with_it(project, stylize):
    assert stylize("init", "input", "-o", "input/stylize.yaml", cwd=project).returncode == 0
    written, folder = load_manifest(project / "input/stylize.yaml"), load_folder(project / "input")
    assert written.output == folder.output == project / "input/output"
    assert [(job.output, job.options) for job in written.pairs] == [(job.output, job.options) for job in folder.pairs]


@pytest.mark.parametrize("verb", ["run", "preview"])
def test_every_flag_of_a_run_has_a_twin_in_the_environment(verb):
    flags = [option for option in cli.commands[verb].params if isinstance(option, click.Option)]
    twins = {option.name: option.envvar for option in flags if option.name not in ("settings", "help")}
    longest = {option.name: max(option.opts, key=len) for option in flags}
    assert twins == {name: "STYLIZE_" + longest[name][2:].upper().replace("-", "_") for name in twins}
    assert len(twins) > 20


def test_check_ends_with_3_where_an_image_cannot_be_used_and_plan_with_0(project, stylize):
    (project / "night.yaml").write_text(MANIFEST)
    assert "3 an image or a pair cannot be used" in " ".join(stylize("check", "--help", cwd=project).stdout.split())
    assert stylize("check", "night.yaml", cwd=project).returncode == 0
    (project / "input/content/dog.png").write_bytes(b"")
    assert stylize("check", "night.yaml", cwd=project).returncode == 3
    planned = stylize("plan", "night.yaml", cwd=project)
    assert (planned.returncode, "1 cannot be started" in planned.stdout) == (0, True)
    told = " ".join(stylize("plan", "--help", cwd=project).stdout.split())
    assert "0, also where pairs cannot be started (check ends with 3 there)" in told


def test_init_plans_a_flat_folder_in_the_style_of_one_picture(project, stylize):
    done = stylize("init", "input/content", "--style", "input/style/wave.png", "-o", "configs/mine.yaml", cwd=project)
    assert (done.returncode, done.stdout) == (0, "wrote configs/mine.yaml; next: stylize plan configs/mine.yaml\n")
    plan = stylize("plan", "configs/mine.yaml", "--set", "weights=random", cwd=project)
    assert "2 to paint" in plan.stdout, plan.stderr


def test_plan_explains_where_each_option_of_a_pair_comes_from(project, stylize):
    (project / "night.yaml").write_text(
        MANIFEST.replace("{weights: random}", "{weights: random, tv_weight: 3}")
        .replace("pairs:", "presets: {poster: {extends: fine, size: 700, seed: 5}}\npairs:")
        .replace("wave.png}", "wave.png, output: a.png, options: {preset: poster, style_weight: 0.5}}")
    )
    arguments = ("plan", "night.yaml", "--explain", "a.png", "--set", "strength=0.5", "--set", "seed=4")
    done = stylize(*arguments, cwd=project, STYLIZE_SET="seed=3\npooling=avg")
    assert done.returncode == 0, done.stderr
    told = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()}
    assert list(told) == list(OPTION_NAMES)
    for option, value, origin in (
        ("preset", "poster", "night.yaml:7:88 (pair)"),
        ("style_weight", "0.5", "night.yaml:7:110 (pair)"),
        ("size", "700", "night.yaml:5:41 (preset poster)"),
        ("steps", "80", "built-in preset fine"),
        ("tv_weight", "3.0", "night.yaml:4:40 (defaults)"),
        ("pooling", "avg", "STYLIZE_SET"),
        ("seed", "4", "--set, over 3 of STYLIZE_SET, over 5 of night.yaml:5:52 (preset poster)"),
        ("strength", "0.5", "--set"),
        ("border", "mirror", "built in"),
    ):
        assert told[option] == [value, origin], option
    assert done.stderr.startswith(
        "the nearer wins: built in < preset of defaults < defaults < preset of the pair or axis"
    )


def test_plan_explains_nothing_that_acts_on_a_terminal(project, stylize):
    named = MANIFEST.replace("{weights: random}", r'{weights: random, preset: "a\u202eb"}')
    named = named.replace("pairs:", r'presets: {"a\u202eb": {seed: 5}, "c\ad": {extends: "a\u202eb"}}' + "\npairs:")
    (project / "night.yaml").write_text(named.replace("wave.png}", r'wave.png, options: {preset: "c\ad"}}'))
    done = stylize("plan", "night.yaml", "--explain", "dog--wave.png", cwd=project, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert r"(preset a\u202eb)" in done.stdout
    assert r", over a\u202eb of night.yaml" in done.stdout


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        (
            "STYLIZE_OUTPUT",
            "out",
            "STYLIZE_OUTPUT is for a folder of photographs; the manifest night.yaml says it itself",
        ),
        ("STYLIZE_SCHEDULER", "tcp://10.0.0.1:8786", "STYLIZE_SCHEDULER is for --engine dask"),
        ("STYLIZE_LIMIT", "few", "'few' is not a valid integer range; it comes from the variable STYLIZE_LIMIT"),
        ("STYLIZE_DEADLINE", "6am", "Received: '6am'; it comes from the variable STYLIZE_DEADLINE"),
    ],
)
def test_a_wrong_value_of_a_variable_names_the_variable(project, stylize, variable, value, words):
    (project / "night.yaml").write_text(MANIFEST)
    done = stylize("run", "night.yaml", cwd=project, **{variable: value})
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "exit 2 (usage or manifest, nothing was started)")
    assert words in done.stderr


def test_flags_have_twins_in_the_environment_and_win_over_them(project, stylize):
    (project / "night.yaml").write_text(MANIFEST + "  - {content: content/sea.png, style: style/wave.png}\n")

    def planned(*flags: str, **environment: str) -> list[str]:
        return [row["output"] for row in json.loads(stylize(*flags, cwd=project, **environment).stdout)]

    assert planned("plan", "night.yaml", STYLIZE_JSON="1", STYLIZE_ONLY="dog*") == ["dog--wave.png"]
    assert planned("plan", "night.yaml", "--only", "sea*", STYLIZE_JSON="1", STYLIZE_ONLY="dog*") == ["sea--wave.png"]
    assert planned("run", "night.yaml", STYLIZE_DRY_RUN="1", STYLIZE_JSON="1", STYLIZE_LIMIT="1") == ["dog--wave.png"]


@pytest.mark.slow
def test_a_verb_that_cannot_be_loaded_ends_as_a_bug_in_one_traceback():
    """And a run's last line is its exit code in words."""
    script = """
import sys
sys.modules["pipeline.cli.run"] = None  # as if something that it imports were not there
sys.argv = ["stylize", "run", "night.yaml"]
from pipeline.cli.main import main
main()"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.BUG
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.splitlines()[-1] == exit_words(ExitCode.BUG)


@pytest.mark.slow
def test_garbage_is_collected_as_ever_once_the_command_has_started():
    """A night's driver and a page that goes on for days hold nothing that is thrown away."""
    script = """
import gc, sys
usual, callbacks = gc.get_threshold(), [*gc.callbacks]
sys.argv = ["stylize", "presets"]
from pipeline.cli.main import main
try: main()
except SystemExit: pass
started = gc.get_threshold()
kept = [[] for _ in range(started[0] + 1)]
assert started[0] > usual[0]
assert (gc.get_threshold(), gc.callbacks) == (usual, callbacks)"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
