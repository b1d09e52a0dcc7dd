"""The recipes of docs/cookbook.md: each is a manifest that is painted as it stands, and has its picture."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from docs.cookbook import PAGE, Recipe, recipes
from pipeline.manifest import load_manifest

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


def test_every_recipe_is_painted(rehearse, beside_inputs, tmp_path):
    """All as one manifest's pairs would be: small, by the engine of rehearsals, each as it stands but for its size."""
    for recipe in _RECIPES:
        folder = tmp_path / recipe.name
        folder.mkdir()
        os.symlink(_ROOT / "input", folder / "input")
        (folder / "recipe.yaml").write_text(recipe.yaml)
        size = "size=[96, 96]" if "wrap:" in recipe.yaml else "size=96"
        done = rehearse("run", str(folder / "recipe.yaml"), "--set", size, "--set", "steps=1", "-q")
        assert done.returncode == 0, done.stderr
        for job in load_manifest(str(folder / "recipe.yaml")).pairs:
            assert (folder / "output" / job.output).exists()
