# ruff: noqa: E501 - what is written and what is said to it are read side by side
"""One cell of a matrix otherwise, and axes that are ranges of numbers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from manifest_kit import HEAD, Load, matrix, outputs, project_with_pictures, refusal
from night_kit import Nights

from pipeline.manifest import json_schema

AXES = "content: ['photos/*.jpg'], style: ['art/*.jpg']"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


# ------------------------------------------------------------------------------------------------------------ overrides


def test_an_override_changes_the_options_of_what_it_matches_and_nothing_else(load: Load) -> None:
    plain = load(matrix(AXES)).pairs
    overrides = '[{match: {content: "dog*", style: "wave*"}, strength: 0.6}]'
    for before, now in zip(plain, load(matrix(AXES, overrides=overrides)).pairs, strict=True):
        changed = {"strength": 0.6} if now.output == "dog--wave.png" else {}
        assert now.options == dataclasses.replace(before.options, **changed), now.output
        assert now.output == before.output


def test_only_the_cell_that_is_otherwise_is_painted_anew(project: Path) -> None:
    nights = Nights(project)
    entry = "\n  - matrix: {content: ['content/*'], style: ['style/*']}"
    nights.manifest(pairs=entry)
    nights.run()
    nights.manifest(pairs=f"{entry}\n    overrides: [{{match: {{content: 'dog*'}}, strength: 0.6}}]")
    nights.run()
    assert nights.asked == ["dog--wave.png"]


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("content: photos/dog.jpg", ["dog"]),
        ("content: '**/d*'", ["dog"]),
        ("content: 'd*'", ["dog"]),
        ("content: '*.jpg'", ["amsterdam", "dog", "private-me"]),
        ("content: 'art/*'", []),
    ],
)
def test_a_pattern_without_a_folder_is_one_of_the_files_own_name(load: Load, match: str, found: list[str]) -> None:
    text = matrix(
        "content: ['photos/*.jpg'], style: [art/wave.jpg]", overrides=f"[{{match: {{{match}}}, strength: 0.5}}]"
    )
    manifest = load(text)
    assert [job.content.stem for job in manifest.pairs if job.options.strength == 0.5] == found
    told = "configs/m.yaml:6:25: this overrides nothing: no pair of the matrix has these values"
    assert manifest.warnings == (() if found else (told,))


def test_the_later_override_wins_and_set_wins_over_both(load: Load) -> None:
    overrides = "[{match: {content: 'd*'}, strength: 0.5, tv_weight: 1}, {match: {style: 'w*'}, strength: 0.6}]"
    text = matrix("content: [photos/dog.jpg], style: [art/wave.jpg]", overrides=overrides, options="{strength: 0.1}")
    (job,) = load(text).pairs
    assert (job.options.strength, job.options.tv_weight) == (0.6, 1.0)
    assert job.origins["strength"].startswith("configs/m.yaml:6:105 (overrides), over 0.5 of configs/m.yaml:6:52")
    assert load(text, "strength=1").pairs[0].options.strength == 1.0


def test_a_preset_of_an_override_leaves_axes_their_values(load: Load) -> None:
    text = matrix(
        "content: [photos/dog.jpg], style: [art/wave.jpg], steps: [10, 20]",
        overrides="[{match: {steps: 20}, preset: fine}]",
        output='"{steps}.png"',
    )
    usual, fine = load(text).pairs
    assert [usual.options.preset, fine.options.preset] == ["balanced", "fine"]
    assert [usual.options.steps, fine.options.steps] == [10, 20]
    assert fine.options.size == load(matrix(AXES, options="{preset: fine}")).pairs[0].options.size


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        ("[{strength: 0.5}]", ["6:17: error: 'match' is missing"]),
        ("[{match: {}, strength: 0.5}]", ["6:25: error: an empty match means every pair; put these options under 'options' of the matrix"]),
        ("[{match: {content: d*}}]", ["6:17: error: this override sets no option; write what is to be otherwise beside 'match'"]),
        ("[{match: {seed: 1}, strength: 0.5}]", ["6:26: error: 'seed' is no axis of this matrix; they are content, style, steps"]),
        ("[{match: {style: w*}, strngth: 0.5}]", ["6:38: error: unknown option 'strngth'; did you mean 'strength'?"]),
        ("[{match: {style: w*}, strength: 5}]", ["6:48: error: 'strength' must be a number from 0 to 1; got 5"]),
        ("[{match: {style: w*}, steps: 5}]", ["6:38: error: 'steps' is an axis of this matrix, whose values an override cannot change; use 'exclude', and a pair"]),
        ("[{match: {style: w*}, preset: fien}]", ["6:46: error: unknown preset 'fien'; did you mean 'fine'?"]),
    ],
)  # fmt: skip
def test_a_wrong_override_is_refused_at_its_place(load: Load, overrides: str, messages: list[str]) -> None:
    text = matrix("content: [photos/dog.jpg], style: [art/wave.jpg], steps: [1, 2]", overrides=overrides)
    assert refusal(load, text) == messages


def test_a_pair_beside_its_matrix_is_told_of_exclude_and_overrides(load: Load) -> None:
    text = f"{matrix(AXES)}  - {{content: photos/dog.jpg, style: art/wave.jpg, options: {{strength: 0.5}}}}\n"
    refused = [job for job in load(text).pairs if job.refusal]
    assert [job.output for job in refused] == ["dog--wave.png"] * 2
    advice = "; take it out of the matrix with 'exclude', or say what is otherwise in the matrix's 'overrides'"
    assert all(job.refusal.endswith(advice) for job in refused)


# --------------------------------------------------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ("style_weight: {from: 1e-3, to: 1e-1, count: 5, log: true}", [0.001, 0.003162, 0.01, 0.03162, 0.1]),
        ("style_weight: {from: 0.1, to: 0.001, count: 3, log: true}", [0.1, 0.01, 0.001]),
        ("tv_weight: {from: 0, to: 30, count: 4}", [0.0, 10.0, 20.0, 30.0]),
        ("strength: {from: 0.3, to: 1, count: 4}", [0.3, 0.5333, 0.7667, 1.0]),
        ("seed: {from: 1, to: 3, count: 3}", [1, 2, 3]),
        ("size: {from: 100, to: 405, count: 3}", [100, 252, 405]),
    ],
)
def test_a_range_is_the_list_of_its_numbers(load: Load, axis: str, values: list[float]) -> None:
    name = axis.partition(":")[0]
    jobs = load(matrix(f"content: [photos/dog.jpg], style: [art/wave.jpg], {axis}", output=f'"{{{name}}}.png"')).pairs
    found = [getattr(job.options, name) for job in jobs]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]
    assert jobs[1].origins[name].startswith("configs/m.yaml:5:")


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("steps: {from: 1, to: 9}", "'count' is missing"),
        ("steps: {from: 1, to: 9, count: 1}", "'count' must be 2 or more; got 1"),
        ("steps: {from: 1, to: 9, cuont: 3}", "unknown key 'cuont'; did you mean 'count'?"),
        ("steps: {from: 1, to: 9, count: 20}", "'steps': so many numbers are not all different once they are rounded; lower count"),
        ("steps: {from: 0, to: 9, count: 3}", "'steps' must be a whole number, 1 or more, or 'auto'; got 0"),
        ("tv_weight: {from: 0, to: 9, count: 3, log: true}", "'tv_weight': a range with log: true has numbers above 0 only"),
        ("tv_weight: {from: 2, to: 2, count: 3}", "'tv_weight': a range goes from one number to another"),
        ("size: {from: 64, to: 1e300, count: 2}", "'size': whole numbers of a range are at most 9223372036854775807"),
        ("steps: {from: x, to: 9, count: 3}", "'from' must be a number; got 'x'"),
        ("pooling: {from: 1, to: 2, count: 3}", "'pooling' is an axis here and must be a list of values, like [max, avg]; got a map"),
    ],
)  # fmt: skip
def test_a_wrong_range_is_refused_at_its_place(load: Load, axis: str, message: str) -> None:
    found = refusal(load, matrix(f"content: [photos/dog.jpg], style: [art/wave.jpg], {axis}"))
    assert any(line.startswith("5:") and line.endswith(f"error: {message}") for line in found), found


def test_the_schema_knows_ranges_and_overrides(load: Load) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    schema = json.loads(json.dumps(json_schema()))

    def is_valid(axis: str, overrides: str) -> bool:
        text = HEAD + matrix(f"{AXES}, {axis}", overrides=overrides)
        return jsonschema.Draft7Validator(schema).is_valid(yaml.safe_load(text))

    sound = "[{match: {style: w*}, strength: 0.5}]"
    assert is_valid("tv_weight: {from: 1, to: 3, count: 3}", sound)
    assert not is_valid("tv_weight: {from: 1, to: 3}", sound)
    assert not is_valid("pooling: {from: 1, to: 3, count: 3}", sound)
    assert not is_valid("seed: [1]", "[{strength: 0.5}]")
    assert not is_valid("seed: [1]", "[{match: {style: w*}, strngth: 0.5}]")


def test_set_takes_the_place_of_a_range(load: Load) -> None:
    text = matrix("content: [photos/dog.jpg], style: [art/wave.jpg], steps: {from: 1, to: 9, count: 3}")
    assert outputs(load(text, "steps=4")) == ["dog--wave.png"]
