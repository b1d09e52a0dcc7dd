"""The recipes of docs/cookbook.md: each is a manifest that is painted as it stands, and has its picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from night_kit import rehearsed_here

from docs.cookbook import PAGE, Recipe, recipes
from pipeline.batch.driver import run
from pipeline.batch.selection import Selection
from pipeline.cli.console import Quiet
from pipeline.manifest import Override, load_manifest

_ROOT = Path(__file__).resolve().parent.parent
_RECIPES = list(recipes())


def test_there_are_fifteen_each_with_a_manifest_and_a_picture_named_after_it():
    titles = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert [recipe.title for recipe in _RECIPES] == titles
    assert len(titles) == 15
    for recipe in _RECIPES:
        assert recipe.name == re.sub(r"[^a-z0-9]+", "-", recipe.title.lower().replace("'", ""))
        assert 5_000 < (PAGE.parent / recipe.picture).stat().st_size < 150_000


@pytest.fixture
def beside_inputs(tmp_path):
    (tmp_path / "input").symlink_to(_ROOT / "input")
    return tmp_path


@pytest.mark.parametrize("recipe", _RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_is_a_manifest_without_a_fault(recipe: Recipe, beside_inputs):
    (beside_inputs / "recipe.yaml").write_text(recipe.yaml)
    manifest = load_manifest(str(beside_inputs / "recipe.yaml"))
    assert manifest.pairs
    assert not manifest.warnings


@pytest.mark.slow
@pytest.mark.parametrize("recipe", _RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_is_painted_as_it_stands(recipe: Recipe, beside_inputs):
    """But for its size, by the engine of rehearsals."""
    (beside_inputs / "recipe.yaml").write_text(recipe.yaml)
    small = "[96, 96]" if "wrap:" in recipe.yaml else "96"
    overrides = [Override("size", small, "--set"), Override("steps", "1", "--set")]
    manifest = load_manifest(beside_inputs / "recipe.yaml", overrides=overrides)
    engine = rehearsed_here(beside_inputs / "rehearsal")
    report = run(manifest, Selection(), Quiet(), engine=lambda settings, log: engine)
    assert report["run"]["exit_code"] == 0, report["pairs"]
    for job in manifest.pairs:
        assert (beside_inputs / "output" / job.output).exists()
