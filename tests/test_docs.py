"""What README and docs show can be typed: manifests are valid, command lines have verbs and flags that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from test_readme import ALL, REPOSITORY

from pipeline.cli.main import cli
from pipeline.manifest import load_manifest

OUTSIDE = {page: re.sub(r"```.*?```", "", text, flags=re.DOTALL) for page, text in ALL.items()}


def manifests() -> list[object]:
    """Each manifest that a page shows, whole or from `pairs:` or `run:` on, and the page."""
    found = [(page, block) for page, text in ALL.items() for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    return [
        pytest.param(block, id=f"{page}-{number}")
        for number, (page, block) in enumerate(found)
        if re.search(r"^(pairs|run):", block, re.MULTILINE)
    ]


@pytest.mark.parametrize("shown", manifests())
def test_a_manifest_that_is_shown_is_valid_but_for_its_pictures(shown: str, tmp_path: Path) -> None:
    text = re.sub(r"^(in|out)put: s3:.*\n", "", shown, flags=re.MULTILINE)
    text = text if "version:" in text else f"version: 1\n{text}"
    text += "" if "pairs:" in text else "pairs: [{content: a.jpg, style: b.jpg}]\n"
    (tmp_path / "configs").mkdir()
    folder = tmp_path / "configs" / (re.findall(r"^input: ([^\s:]+)", text, re.MULTILINE) or ["input"])[0]
    for name in re.findall(r"[\w./*-]+\.jpg", text):  # patterns find a picture too: a.jpg is one of *.jpg
        path = folder / name.replace("*", "a")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "configs/night.yaml").write_text(text, encoding="utf-8")
    manifest = load_manifest(tmp_path / "configs/night.yaml")
    assert [job.refusal for job in manifest.pairs if job.refusal] == []
    assert [warning for warning in manifest.warnings if "no effect" in warning] == []


def command_lines(page: str) -> Iterator[str]:
    """The command lines of a page: in consoles, in indented lines, and in the text."""
    for block in re.findall(r"```console\n(.*?)```", ALL[page], re.DOTALL):
        yield from re.findall(r"^[$>] ((?:.*\\\n)*.*)", block, re.MULTILINE)
    yield from re.findall(r"^    (stylize .*)$", OUTSIDE[page], re.MULTILINE)
    yield from re.findall(r"`((?:\S*/)?stylize [^`]+)`", OUTSIDE[page])


def words_of_stylize(page: str) -> list[list[str]]:
    """What stands after `stylize` in each of them."""
    found = []
    for line in command_lines(page):
        words = shlex.split(line.replace("\\\n", " "), comments=True)
        places = [place for place, word in enumerate(words) if word == "stylize" or word.endswith("bin/stylize")]
        found += [words[place + 1 :] for place in places if words[place + 1 :]]
    return [words for words in found if re.fullmatch("[a-z]+", words[0])]  # not: stylize VERB


@pytest.mark.parametrize("page", [page for page in ALL if words_of_stylize(page)])
def test_command_lines_have_verbs_and_flags_that_there_are(page: str) -> None:
    for words in words_of_stylize(page):
        assert words[0] in cli.commands, words
        command, given = cli.commands[words[0]], words[1:]
        if isinstance(command, click.Group):
            command, given = command.commands[given[0]], given[1:]
        flags = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        assert {word.partition("=")[0] for word in given if re.match("--?[a-z]", word)} - flags == set(), words


@pytest.mark.parametrize("page", ALL)
def test_files_and_targets_of_make_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`((?:benchmarks|configs|deploy|docs|input|locks|pipeline|tests)/[\w./*-]+)`", OUTSIDE[page])
    assert [name for name in named if not list(REPOSITORY.glob(name.rstrip("/")))] == []
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    made = re.findall(r"(?:`|^\$ (?:sudo )?|^    )make (?:-C \S+ )?([a-z]+)", ALL[page], re.MULTILINE)
    assert set(made) - targets == set()


def test_most_pages_show_command_lines() -> None:
    assert sum(len(words_of_stylize(page)) for page in ALL) > 100
