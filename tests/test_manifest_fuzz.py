"""Whatever stands in a manifest, what comes out is a Manifest or a ManifestError: nothing else, and not for ever."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import ManifestError, OptionError
from pipeline.manifest import Override, load_manifest, options_from_python
from pipeline.options import OPTION_NAMES, Options

pytestmark = pytest.mark.slow

# Derandomised, so that a run in the night fails for the same reason as the run before it.
bounded = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

GOOD = """\
version: 1
name: night
input: in
output: out
run: {deadline: "06:00", max_duration: 7h, retries: 1, max_memory: 6GiB, on_success: ["./notify.sh", ok]}
defaults: {preset: balanced, seed: 7}
presets:
  poster: {extends: fine, size: 1024, style_weight: 3e-2}
x-museum: &museum {credit: "City museum loan"}
pairs:
  - content: dog.jpg
    style: [{image: art.jpg, weight: 2}, {image: wave.jpg}]
    output: "{content.stem}-{size}.png"
    options: {preset: poster, style_layers: {conv1_1: 0.5, relu4_1: 1}, init: dog.jpg}
    meta: {<<: *museum}
  - matrix:
      content: ["*.jpg", "!wave.jpg"]
      style: [art.jpg, [{image: art.jpg}, {image: wave.jpg}]]
      style_weight: [1e-2, 5e-2]
      tv_weight: {from: 1, to: 9, count: 2, log: true}
    exclude: [{content: "d*", style_weight: 1e-2}]
    overrides: [{match: {content: "d*"}, strength: 0.5}]
    output: "{index}/{content.stem}--{style.stem}-{style_weight}-{tv_weight}.png"
"""
# Pieces that mean something to YAML or to us.
PIECES = [
    *"\n:-?[]{},&*!|>'\"%@`#~<= \t\\\u2028\u00e9",
    *(
        "<<: *a",
        "&a ",
        "*a",
        "---\n",
        "...\n",
        "!!str ",
        "? ",
        "- ",
        ": ",
        "null",
        "true",
        ".nan",
        "-1",
        "1e999",
        "\\ud800",
    ),
    *(
        "..",
        "/",
        "**",
        "{content.stem}",
        "{",
        "}",
        "original",
        "auto",
        "conv4_2",
        "../x.png",
        "pairs:",
        "matrix:",
        "9" * 30,
    ),
]
KEYS = ["version", "input", "output", "run", "defaults", "presets", "pairs", "content", "style", "matrix", "exclude"]
KEYS += ["options", "meta", "priority", "image", "weight", "extends", "deadline", "on_start", "x-a", *OPTION_NAMES]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([*PIECES, *KEYS]) | st.text(max_size=9)
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)


@pytest.fixture(scope="module")
def folder() -> Any:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        (path / "in").mkdir()
        for picture in ("dog.jpg", "art.jpg", "wave.jpg"):
            (path / "in" / picture).touch()
        yield path


def load(folder: Path, text: str, overrides: tuple[Override, ...] = ()) -> None:
    """Load a manifest of this text; only a ManifestError may come out, and it must be fit to print."""
    path = folder / "m.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    refusal = manifest = None
    try:
        manifest = load_manifest(path, overrides=overrides)
    except ManifestError as error:
        refusal = error
    if refusal is not None:
        assert refusal.problems
        assert all(line.isprintable() for line in str(refusal).splitlines())
        assert all(not problem.source_line or problem.line for problem in refusal.problems)
    if manifest is not None:
        assert manifest.pairs
        assert len({job.output for job in manifest.pairs}) == len(manifest.pairs)
        for job in manifest.pairs:
            assert list(job.origins) == list(OPTION_NAMES)
            assert (manifest.output / job.output).resolve().is_relative_to(manifest.output)


def test_the_manifest_that_is_mutated_is_a_good_one(folder: Path) -> None:
    (folder / "m.yaml").write_text(GOOD)
    assert len(load_manifest(folder / "m.yaml").pairs) == 1 + 2 * 2 * 2 * 2 - 2 * 2


@bounded
@given(text=st.text(max_size=200) | st.lists(st.sampled_from(PIECES + KEYS), max_size=40).map("".join))
def test_random_text(folder: Path, text: str) -> None:
    load(folder, text)


@bounded
@given(tree=st.dictionaries(st.sampled_from(KEYS), trees, max_size=6))
def test_random_trees(folder: Path, tree: dict[str, Any]) -> None:
    load(folder, json.dumps(tree))


@bounded
@given(pairs=st.lists(st.dictionaries(st.sampled_from(KEYS), trees, max_size=5), max_size=4))
def test_random_pairs(folder: Path, pairs: list[Any]) -> None:
    load(folder, json.dumps({"version": 1, "input": "in", "output": "out", "pairs": pairs}))


@bounded
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(GOOD) - 1), st.integers(0, 12), st.sampled_from(PIECES + KEYS) | st.text(max_size=3)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_good_manifest_with_edits(folder: Path, edits: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for start, removed, inserted in edits:
        text = text[:start] + inserted + text[start + removed :]
    load(folder, text)


@bounded
@given(lines=st.lists(st.sampled_from(GOOD.splitlines(keepends=True)), max_size=30))
def test_the_lines_of_a_good_manifest_in_another_order(folder: Path, lines: list[str]) -> None:
    load(folder, "".join(lines))


@bounded
@given(option=st.sampled_from(OPTION_NAMES) | st.text(max_size=5), text=st.text(max_size=20) | trees.map(json.dumps))
def test_random_overrides(folder: Path, option: str, text: str) -> None:
    load(folder, GOOD, (Override(option, text, "--set"),))


@bounded
@given(keywords=st.dictionaries(st.sampled_from(OPTION_NAMES) | st.text(max_size=5), trees | st.binary(), max_size=4))
def test_random_keywords(keywords: dict[str, Any]) -> None:
    with contextlib.suppress(OptionError):
        assert isinstance(options_from_python(keywords), Options)


def test_a_value_of_blanks_that_are_none_is_written_out(folder: Path) -> None:
    load(folder, json.dumps({"version": "\u00a0"}))
