"""The quick ones of tests/hostile, from end to end; `python -m tests.hostile.run` runs all of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.store.layout import pair_id
from tests.hostile.attacks import ATTACKS
from tests.hostile.run import Attack, findings, make_project

RUN_AND_CLEAN = (("run", "night.yaml", "-q"), ("clean", "night.yaml"))
QUICK = {
    "settings into_options": None,
    "link .pipeline/lock": RUN_AND_CLEAN,
    "pipe .pipeline/history/runs.jsonl": RUN_AND_CLEAN,
    "a record of '../outside/victim.txt'": RUN_AND_CLEAN,
    "uploads that are links": RUN_AND_CLEAN[:1],
    "upload tile.tif": RUN_AND_CLEAN[:1],
    "planted modules": RUN_AND_CLEAN[:1],
    "link sheet.png": (("sheet", "night.yaml"),),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("hostile") / "sound"
    make_project(place)
    return place


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_an_attack_spoils_nothing_but_its_own_pair(name: str, sound: Path, tmp_path: Path) -> None:
    (attack,) = (attack for attack in ATTACKS if attack.name == name)
    place = Path(shutil.copytree(sound, tmp_path / "place"))
    assert [*findings(replace(attack, verbs=QUICK[name] or attack.verbs), place)] == []


@pytest.mark.slow
def test_what_an_attack_does_is_found(sound: Path, tmp_path: Path) -> None:
    def plant(place: Path) -> None:
        (place / "canary").touch()
        (place / "out/mine.txt").unlink()
        (place / "outside/more.txt").touch()
        (place / f"faults/{pair_id('dog.png')}.0").write_text("1 hang")  # so that it is late for certain

    place = Path(shutil.copytree(sound, tmp_path / "place"))
    attack = Attack("a success", plant, RUN_AND_CLEAN[:1], lambda place: ["seen"], seconds=0.01, memory=1)
    told = [*findings(attack, place)]
    assert told[0] == "run night.yaml -q: was not done after 0.01 s"
    assert told[-3:] == ["a stranger's file in the output folder is gone", "planted code was executed", "seen"]


def test_attacks_have_names_of_their_own() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names)
    assert QUICK.keys() <= set(names)
