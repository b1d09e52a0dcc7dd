"""The command line as a user meets it who mistypes. No TensorFlow."""

from __future__ import annotations

import pytest

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
        (["plan", "night.yaml", "--explain", "dog"], "no pair of night.yaml has the output 'dog'"),
        (["plan", "night.yaml", "--set", "stpes=9"], "--set: error: unknown option 'stpes'; did you mean 'steps'?"),
        (["plan", "night.yaml", "--set", "steps"], "--set wants option=value. Received: 'steps'"),
        (["presets", "fien"], "no preset 'fien'; did you mean 'fine'?"),
        (["init", "inptu"], "there is no folder inptu; name the folder of your photographs"),
        (["init", "input", "--style", "artt"], "Path 'artt' does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_mistyped_command_is_refused_in_words_and_touches_nothing(project, stylize, arguments, words):
    (project / "night.yaml").write_text(MANIFEST)
    done = stylize(*arguments, cwd=project)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert done.stdout == ""
    assert sorted(path.name for path in project.iterdir()) == ["input", "night.yaml"]


def test_init_plans_a_flat_folder_in_the_style_of_one_picture(project, stylize):
    done = stylize("init", "input/content", "--style", "input/style/wave.png", "-o", "configs/mine.yaml", cwd=project)
    assert (done.returncode, done.stdout) == (0, "wrote configs/mine.yaml; next: stylize plan configs/mine.yaml\n")
    plan = stylize("plan", "configs/mine.yaml", "--set", "weights=random", cwd=project)
    assert "2 to paint" in plan.stdout, plan.stderr
