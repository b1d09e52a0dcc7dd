"""The README tells the truth: its option table, its manifest, its commands."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.cli import cli
from pipeline.errors import ExitCode
from pipeline.manifest import builtin_presets, option_table

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_option_table_is_current():
    written = README.split("<!-- options -->\n")[1].split("<!-- /options -->")[0]
    assert written == option_table(), "write pipeline.manifest.option_table() between the two comments of the README"


def test_the_manifest_of_the_readme_is_valid_but_for_its_pictures(tmp_path):
    from PIL import Image

    from pipeline.manifest import load_manifest

    text = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "pairs:" in block)
    for name in (
        "photos/amsterdam",
        "photos/dog",
        "photos/private-1",
        "art/starry",
        "art/kandinsky",
        "art/wave",
        "art/mondrian",
    ):
        path = tmp_path / "input" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40)).save(path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/night.yaml").write_text(text)
    manifest = load_manifest(tmp_path / "configs/night.yaml")
    # two single pairs; two photographs in four paintings, less the excluded pair, with two weights
    assert len(manifest.pairs) == 2 + (2 * 4 - 1) * 2


def test_every_verb_is_named():
    for verb in cli.commands:
        assert re.search(rf"`(stylize )?{verb}\b", README), verb


def test_every_exit_code_is_explained():
    table = README.split("| exit code | meaning |")[1].split("\n\n")[0]
    assert {int(number) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M) for number in row.split(", ")} == {
        int(code) for code in ExitCode
    }


def test_presets_say_what_they_are_and_where_they_come_from():
    for name, preset in builtin_presets().items():
        assert preset.summary, name
        assert preset.source, name
