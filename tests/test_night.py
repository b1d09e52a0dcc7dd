"""Which pair is next, and what a run makes of what earlier runs left. No TensorFlow."""

from __future__ import annotations

import os

import pytest
from night_kit import Nights

from pipeline.batch.plan import make_plan
from pipeline.batch.records import State
from pipeline.manifest import load_manifest


@pytest.fixture
def nights(project, monkeypatch):
    return Nights(project, monkeypatch)


def test_the_longest_wanted_pair_is_painted_first(nights):
    """By priority; then what has no picture, what has the oldest, and the manifest's order among equals."""
    names = ["kept", "young", "old", "new", "twin", "urgent"]
    priority = {"urgent": ", priority: 1"}
    row = "\n  - {{content: content/dog.png, style: style/wave.png, output: {0}.png{1}, options: {{seed: {2}}}}}"

    def manifest(seeds):
        rows = (row.format(name, priority.get(name, ""), seeds.get(name, 0)) for name in names if name in seeds)
        nights.manifest("".join(rows) + "\n")

    manifest(dict.fromkeys(["kept", "young", "old", "urgent"], 0))
    nights.run()
    for age, name in enumerate(["urgent", "young", "old"]):
        os.utime(nights.output / f"{name}.png", (10**9 - age, 10**9 - age))
    manifest({name: int(name != "kept") for name in names})

    def plan():
        made = make_plan(load_manifest(nights.project / "night.yaml"), State(nights.output))
        return [step.job.output.removesuffix(".png") for step in made.steps]

    assert plan() == plan() == ["urgent", "kept", "new", "twin", "old", "young"]
    nights.run(limit=4)
    assert nights.asked == ["urgent.png", "new.png", "twin.png", "old.png"]
    assert plan() == ["urgent", "kept", "young", "old", "new", "twin"]
