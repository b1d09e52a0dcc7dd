"""A manifest's file to jobs that can be started, or every reason why not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import ManifestError
from pipeline.job import AUTO_WORKERS, Manifest, RunSettings
from pipeline.manifest.check import check, find_faults
from pipeline.manifest.options.overrides import Override, as_flags, read_overrides
from pipeline.manifest.options.precedence import NOTHING, Folders, Layer, LayerReader, Layers
from pipeline.manifest.options.presets import all_presets
from pipeline.manifest.pairs.choices import warn_of_path
from pipeline.manifest.pairs.expand import Expansion
from pipeline.manifest.pairs.matrix import with_ranges
from pipeline.manifest.run_section import FILES, SCHEDULER_FILE, RunSection, TopSection
from pipeline.manifest.sections import MatrixSection, OptionsSection, PairSection
from pipeline.manifest.yaml.problems import WHOLE_FILE, Problems
from pipeline.manifest.yaml.source import read_source
from pipeline.manifest.yaml.tree import ListNode, MapNode, Node, ScalarNode, compose, describe
from pipeline.urls import fault as url_fault
from pipeline.urls import is_url, local_path, state_path, url_of


def load_manifest(
    path: str | os.PathLike[str], *, overrides: Sequence[Override] = (), strict: bool = False
) -> Manifest:
    """The manifest at `path` with `overrides` laid over every pair; raises as `load_text`."""
    file = Path(path)
    text, problems = read_source(file, os.fspath(path))
    return load_text(text, problems, file, overrides=overrides, strict=strict)


def load_text(
    text: str,
    problems: Problems,
    file: Path,
    *,
    overrides: Sequence[Override] = (),
    strict: bool = False,
    only_names: bool = False,
) -> Manifest:
    """The manifest of this text, as if it stood in `file`; `problems` names it in messages. With
    `only_names` no name in it is a pattern.

    No picture is opened: a plain name whose file is missing fails its own pair later. A pattern
    that finds nothing earns a warning, unless nothing is left to paint, or `strict` makes it an
    error. Raises ManifestError with every problem, in the order of the file, those of overrides
    first.
    """
    top = _top_node(compose(text, problems), problems)
    sections = _sound_sections(top, problems)

    before = len(problems.found)
    folders = replace(_folders(file, sections, problems), only_names=only_names)
    has_folders = len(problems.found) == before
    own_presets = _map(sections.get("presets"))
    presets = all_presets(own_presets, problems, folders)
    faulty = own_presets.entries if own_presets else ()
    reader = LayerReader(folders, problems, presets, faulty)
    defaults = _defaults(sections.get("defaults"), reader, problems)
    set_over, wrongly_set = read_overrides(overrides, folders, presets, faulty)
    run = _run_settings(sections.get("run"), problems, file.parent)

    layers = Layers(presets, defaults, set_over)
    expansion = Expansion(folders, reader, layers, problems)
    for node in _items(sections.get("pairs")):
        if isinstance(node, MapNode) and "matrix" in node.entries:
            whole = with_ranges(node, problems)
            if whole and (matrix := check(MatrixSection, whole, problems, "an entry of 'pairs'")) is not None:
                expansion.add_matrix(matrix, whole)
        elif (pair := check(PairSection, node, problems, "an entry of 'pairs'")) is not None:
            assert isinstance(node, MapNode)
            expansion.add_pair(pair, node)
    if has_folders:  # else what patterns find says nothing, and other mistakes are told all the same
        expansion.finish(strict=strict)

    if wrongly_set or problems.found:
        raise ManifestError((*wrongly_set, *problems.found))
    return Manifest(
        file=file.absolute(),
        name=_text(sections.get("name")) or file.stem,
        input=folders.input,
        output=_written(folders.output, run),
        output_url=url_of(folders.output) or "",
        run=run,
        pairs=tuple(expansion.jobs),
        warnings=problems.warnings,
        arguments=as_flags(overrides),
        date=expansion.date,
    )


def _top_node(tree: Node | None, problems: Problems) -> MapNode:
    if isinstance(tree, MapNode):
        return tree
    if tree is not None and not (isinstance(tree, ScalarNode) and tree.value is None):
        problems.add(tree.place, f"a manifest is a map of 'version', 'pairs' and more; got {describe(tree)}")
    elif not problems.found:
        problems.add(WHOLE_FILE, "is empty; a manifest starts with 'version: 1' and lists what to paint under 'pairs'")
    raise ManifestError(problems.found)


def _sound_sections(top: MapNode, problems: Problems) -> dict[str, Node]:
    """The nodes of the sections that are at least of the right kind.

    Another version ends the reading: its rules differ.
    """
    _, faults = find_faults(TopSection, top, "a manifest")
    for fault in faults:
        problems.add(fault.place, fault.message)
    faulty = {fault.key for fault in faults}
    if "version" in faulty:
        raise ManifestError(problems.found)
    return {key: entry.node for key, entry in top.entries.items() if key not in faulty}


def _folders(file: Path, sections: Mapping[str, Node], problems: Problems) -> Folders:
    """Folders start at the manifest's own; left out, or their fault being noted, they are `input`
    and `output` beside it."""
    beside = file.parent

    def folder(name: str) -> Path:
        if (node := sections.get(name)) is None:
            return Path(os.path.realpath(beside / name))
        if is_url(_text(node)):
            if (wrong := url_fault(_text(node), written=name == "output")) is None:
                return local_path(_text(node))
            problems.add(node.place, f"'{name}': this address {wrong}")
            return Path(os.path.realpath(beside / name))
        warn_of_path(node, problems)
        return Path(os.path.realpath(beside / _text(node)))

    links = sections.get("follow_links")
    follow_links = isinstance(links, ScalarNode) and links.value is True
    return Folders(folder("input"), folder("output"), weights=beside.absolute(), follow_links=follow_links)


def _written(output: Path, run: RunSettings) -> Path:
    """Where what is painted stands on this machine."""
    url = url_of(output)
    return output if url is None else state_path(url, run.state)


def _defaults(node: Node | None, reader: LayerReader, problems: Problems) -> Layer:
    """The layer of `defaults`."""
    section: Any = None if node is None else check(OptionsSection, node, problems, "'defaults'")
    if node is None or section is None:
        return NOTHING
    return reader.layer(section.given, node, lambda place: f"{problems.at(place)} (defaults)") or NOTHING


def _run_settings(node: Node | None, problems: Problems, beside: Path) -> RunSettings:
    """The settings of `run`; paths of files start at `beside`."""
    section = None if node is None else check(RunSection, node, problems, "'run'")
    if section is None:
        return RunSettings()
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in section.given.items()
    }
    if "jobs" in given:  # the manifest's word for worker processes
        jobs = given.pop("jobs")
        given["workers"] = AUTO_WORKERS if jobs == "auto" else jobs
    if isinstance(given.get("retention"), int):
        given["retention_runs"] = given.pop("retention")
    assert isinstance(node, MapNode)
    names_file = str(given.get("scheduler", "")).endswith(SCHEDULER_FILE)
    for name in (FILES | {"scheduler"} if names_file else FILES).intersection(given):
        warn_of_path(node.entries[name].node, problems)
        given[name] = os.path.abspath(beside / given[name])
    return RunSettings(**given)


def _items(node: Node | None) -> Sequence[Node]:
    return node.items if isinstance(node, ListNode) else ()


def _map(node: Node | None) -> MapNode | None:
    return node if isinstance(node, MapNode) else None


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, ScalarNode) else ""
