"""README and docs tell the truth: their tables, the manifest, the commands, the keys, the links."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.tables import TABLES, with_tables
from pipeline.cli.main import cli
from pipeline.errors import ExitCode
from pipeline.job import Outcome
from pipeline.manifest import builtin_presets
from pipeline.nst.tiling import Tiling
from pipeline.report.attention import REASON_CLASSES
from pipeline.report.data import RunMetadata, build_report
from pipeline.report.flags import FLAG_NAMES
from pipeline.stylization import Stylization

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (REPOSITORY / "docs").glob("*.md")}
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
ALL = {"README.md": README, **{f"docs/{name}": text for name, text in PAGES.items()}}


@pytest.mark.parametrize("page", TABLES)
def test_tables_that_are_made_from_the_code_are_current(page):
    assert with_tables(page, ALL[page]) == ALL[page], "run `python docs/tables.py`"


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
    table = README.split("<!-- exit codes -->")[1].split("<!-- /exit codes -->")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)] == [int(code) for code in ExitCode]


def keys(value: object) -> Iterator[str]:
    """The keys of a report; what stands below `options`, `meta` and `painted_with` is not the report's own, and
    `tilings` are named by what was evaluated."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            if key == "tilings" and isinstance(item, dict):
                yield from keys(list(item.values()))
            elif key not in ("options", "meta", "painted_with"):
                yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def test_every_key_of_the_report_is_explained():
    facts = RunMetadata(
        id="", started="", finished="", seconds=0.0, exit_code=0, manifest="",
        weights={"name": "", "sha256": ""}, device="", threads=1, versions={},
    )  # fmt: skip
    trace = [{"step": 1, "seconds": 0.0, "side": 512, "total": 1.0, "content": 1.0, "style": 0.0, "tv": 0.0}]
    outcome = Outcome(
        output="a.png", content="a.jpg", style=["b.jpg"], status="done", attempts=2, trace=trace,
        tilings={"512 px": Tiling(side=256, split=2).as_json()},
    )  # fmt: skip
    told = set(re.findall(r"`(\w+)`", PAGES["report.md"]))
    found = set(keys(build_report(facts, [outcome])))
    assert {"tilings", "split"} <= found
    assert found - told == set()
    assert {*FLAG_NAMES, *REASON_CLASSES} - told == set()


def test_every_attribute_of_a_stylization_is_explained():
    told = set(re.findall(r"`(\w+)`", PAGES["python.md"]))
    assert {field.name for field in dataclasses.fields(Stylization)} - told == set()


def test_presets_say_what_they_are_and_where_they_come_from():
    for name, preset in builtin_presets().items():
        assert preset.summary, name
        assert preset.source, name


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings, as GitHub makes them: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> list[str]:
    """Where a page points to inside the repository."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]


@pytest.mark.parametrize("page", ALL)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page):
    here = REPOSITORY / page
    for link in links(ALL[page]):
        file, _, anchor = link.partition("#")
        target = (here.parent / file).resolve() if file else here
        assert target.is_file(), f"{page}: {link}"
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{page}: {link}"


def test_every_page_of_the_docs_is_linked_from_the_readme():
    assert {f"docs/{name}" for name in PAGES} - set(links(README)) == set()


def test_the_readme_stays_short():
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("page", sorted(set(ALL) - {"docs/architecture.md"}))
def test_prose_has_at_most_100_columns(page):
    prose = re.sub(r"```.*?```", "", ALL[page], flags=re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 100 and not line.startswith(("|", "### `"))] == []
