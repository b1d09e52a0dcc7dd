"""`stylize measure`: any picture against its photograph and a style, layer by layer."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipeline.cli.measure import _csv, _text
from pipeline.cli.questions import ask
from pipeline.errors import EnvironmentProblem, UsageError

FOUND = {
    "picture": "a\u202e.png",
    "size": [48, 40],
    "content": {"block4_conv2": 0.5},
    "style": {"block1_conv1": 2.0, "block2_conv1": 1234.5678},
    "tv": 0.25,
    "figures": {"edges": 1.0},
    "weights": {"name": "random", "sha256": "0"},
}


@pytest.mark.parametrize(("code", "kind"), [(4, EnvironmentProblem), (3, UsageError)])
def test_missing_weights_are_the_machines_trouble_and_a_bad_picture_is_who_named_its(
    monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    answer = json.dumps({"error": "what is wrong", "exit_code": code}).encode()
    done = subprocess.CompletedProcess([], 0, answer, b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(kind, match="what is wrong"):
        ask("a module", {}, "a process")


def test_csv_has_a_line_for_each_number() -> None:
    rows = list(csv.reader(io.StringIO(_csv([FOUND, FOUND]))))
    assert rows[0] == ["picture", "width", "height", "kind", "name", "value"]
    assert [row[3:] for row in rows[1:6]] == [
        ["content", "block4_conv2", "0.5"],
        ["style", "block1_conv1", "2.0"],
        ["style", "block2_conv1", "1234.5678"],
        ["tv", "picture", "0.25"],
        ["figure", "edges", "1.0"],
    ]
    assert len(rows) == 1 + 2 * 5


@pytest.mark.parametrize(("name", "cell"), [("a\x1b[2J.png", r"a\x1b[2J.png"), ("=cmd.png", "'=cmd.png")])
def test_nothing_in_a_name_acts_on_a_terminal_or_in_a_table(name: str, cell: str) -> None:
    assert list(csv.reader(io.StringIO(_csv([FOUND | {"picture": name}]))))[1][0] == cell


def test_text_explains_figures_and_nothing_in_a_name_acts_on_a_terminal() -> None:
    text = _text([FOUND])
    assert "\u202e" not in text
    assert "  figure   edges                   1  edges along the photograph's (1: all)\n" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone.png", "--content", "{content}", "--style", "{style}"], "there is no picture gone.png"),
        (["{content}", "--content", "{content}", "--style", "gone.png"], "there is no picture gone.png"),
        (["{content}", "--content", "{content}", "--style", "{style}", "--json", "--csv"], "--json and --csv exclude"),
        (["{content}", "--content", "{content}", "--style", "{style}", "--set", "poling=avg"], "did you mean 'pooling'?"),
        (["{content}", "--style", "{style}"], "Missing option '--content'"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_before_anything_is_loaded(project, stylize, arguments, words):
    names = {"content": "input/content/dog.png", "style": "input/style/wave.png"}
    done = stylize("measure", *(word.format(**names) for word in arguments), cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_file_that_is_no_whole_picture_is_refused_by_the_process_that_decodes(project, stylize):
    (project / "cut.png").write_bytes((project / "input/style/wave.png").read_bytes()[:-40])
    done = stylize(
        "measure", "cut.png", "--content", "input/content/dog.png", "--style", "input/style/wave.png", cwd=project
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "cut.png is truncated" in done.stderr


def test_a_picture_of_another_shape_is_refused_by_the_process_that_measures(project, stylize):
    Image.new("RGB", (96, 40)).save(project / "wide.png")
    words = ("--content", "input/content/dog.png", "--style", "input/style/wave.png", "--set", "weights=random")
    done = stylize("measure", "wide.png", *words, cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "error: wide.png is 96x40 pixels and the content dog.png 48x40; a painting of it has its shape" in done.stderr
    )


@pytest.mark.parametrize(("option", "value"), [("style_scale", [0.9, 1.0]), ("size", [96, 48]), ("style_layers", None)])
def test_options_reach_the_process_that_measures_as_they_are(monkeypatch, capfd, option, value):
    """Through JSON, which has no tuples."""
    from pipeline import measuring
    from pipeline.options import Options

    asked = []
    monkeypatch.setattr(measuring, "measure", lambda *words: asked.append(words[-1]) or [])
    own = replace(Options(), **({} if value is None else {option: tuple(value)}))
    question = {"pictures": [], "content": "", "styles": [], "options": own.all_values()}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(question)))
    with os.fdopen(os.dup(1), "w") as out, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", out)
        measuring.main()
    assert getattr(asked[0], option) == getattr(own, option)


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_a_photograph_is_0_from_itself_and_a_style_from_itself_and_layers_are_those_of_a_painting():
    pytest.importorskip("tensorflow")
    from pipeline.manifest import options_from_python
    from pipeline.measuring import measure
    from pipeline.stylizer import stylize as paint

    content, style, other = (np.random.default_rng(seed).integers(0, 256, (48, 48, 3), np.uint8) for seed in range(3))
    options = options_from_python({"weights": "random"})
    photograph, itself, third = measure([content, style, other], content, [(style, 1.0)], options)
    assert list(photograph.content.values()) == [0.0]
    assert list(itself.style.values()) == pytest.approx([0.0] * 5, abs=1e-6)
    assert [photograph.figures["style"], photograph.figures["edges"]] == pytest.approx([1, 1])
    assert third.size == (48, 48)
    unit = {"style_loss": "gram", "losses": "normalized", "style_weight": 1}
    unit |= {"match_color": "none", "empty_areas": "alike"}
    whole = paint(other, style, size=48, steps=1, weights="random", precision="float32", **unit)
    assert np.mean(list(third.style.values())) == pytest.approx(whole.first["style"], rel=1e-4)
