"""Pairs and matrices to jobs: names to files, layers to options, patterns to output names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.clip_names import FIRST, settled_frames
from pipeline.job import Job
from pipeline.manifest.options.agreement import disagreements
from pipeline.manifest.options.precedence import NOTHING, Folders, Layer, LayerReader, Layers, Settled
from pipeline.manifest.options.rules import canonical_layer
from pipeline.manifest.pairs.cells import Combination
from pipeline.manifest.pairs.choices import WITHOUT_CONTENT, Chooser, Picture, cut_by_comment, warn_of_path
from pipeline.manifest.pairs.clip_faults import clip_fault, fault_of_output, is_of_pattern, output_name
from pipeline.manifest.pairs.idle import IdleSettings
from pipeline.manifest.pairs.left_out import tell_found_again, tell_left_out, tell_unlisted
from pipeline.manifest.pairs.masks import MaskResolver, PairMasks, fault_of_masks, read_pair_masks
from pipeline.manifest.pairs.matrix import Matrix, read_matrix
from pipeline.manifest.pairs.naming import (
    DATE,
    DEFAULT_CLIP_PATTERN,
    DEFAULT_PATTERN,
    Pattern,
    option_field,
    parse_pattern,
    suffix_of,
    today,
)
from pipeline.manifest.pairs.outputs import Claim, Outputs
from pipeline.manifest.pairs.pictures import PictureFinder
from pipeline.manifest.pairs.style_changes import at_beginning, read_styles
from pipeline.manifest.sections import MatrixSection, PairSection
from pipeline.manifest.yaml.problems import Place, Problems
from pipeline.manifest.yaml.tree import ListNode, MapNode, Node, ScalarNode
from pipeline.textures import as_texture
from pipeline.urls import url_of

MAX_PAIRS = 100_000
INDEX_DIGITS = 4  # so that names sort as their numbers do, up to 9,999 pairs of a matrix


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a pair and a matrix have in common."""

    where: str
    place: Place
    output_node: ScalarNode | None
    pattern: Pattern
    layer: Layer
    priority: int
    meta: Mapping[str, Any]
    is_matrix: bool
    masks: PairMasks
    advice: str = ""  # for a matrix of which two combinations want one output

    @property
    def output_place(self) -> Place:
        """Of its `output`, or else its own."""
        return self.place if self.output_node is None else self.output_node.place


class Expansion:
    """Adds the jobs of a manifest entry by entry. A faulty entry is noted and adds none."""

    def __init__(self, folders: Folders, reader: LayerReader, layers: Layers, problems: Problems) -> None:
        self.jobs: list[Job] = []
        self._folders = folders
        self._reader = reader
        self._layers = layers
        self._problems = problems
        self._finder = PictureFinder.of(folders)
        self._chooser = Chooser(folders.input, self._finder, problems)
        self._masks = MaskResolver(folders.input, follow_links=folders.follow_links)
        self._outputs = Outputs(problems)
        self._idle = IdleSettings(problems)
        self._wanted = 0
        self._patterns: dict[str, Pattern] = {}
        self._clip_pattern = parse_pattern(DEFAULT_CLIP_PATTERN)
        self._shown: dict[tuple[int, Any], tuple[Settled, Settled]] = {}
        self._today = today()
        self.date = ""  # that some output is named by, if one is

    def add_pair(self, section: PairSection, node: MapNode) -> None:
        """Add the job of one pair."""
        texture = "content" not in node.entries
        content = WITHOUT_CONTENT if texture else self._chooser.of_pair("content", node.entries["content"].node)
        style = read_styles(node, self._chooser, self._problems)
        entry = self._entry(section, node)
        if entry is None or (texture and not self._has_size(node.place, entry.layer)):
            return
        if content is not None and style is not None and self._has_room(node.place, 1):
            settled = self._layers.settle(pair=entry.layer, texture=texture)
            if self._agrees(entry, settled, texture=texture):
                self._add(entry, content, style, settled, index=1)

    def add_matrix(self, section: MatrixSection, node: MapNode) -> None:
        """Add the jobs of every combination that is not excluded."""
        matrix = read_matrix(section, node, self._chooser, self._reader, self._layers.overrides, self._problems)
        entry = self._entry(section, node)
        if matrix is None or entry is None or self._has_clash(entry, node):
            return
        axes = node.entries["matrix"].node
        assert isinstance(axes, MapNode)
        texture = "content" not in axes.entries
        if texture and not self._has_size(axes.place, {**entry.layer, **dict.fromkeys(axes.entries)}):
            return
        if not self._has_room(node.entries["matrix"].place, matrix.size, matrix):
            return
        entry = replace(entry, advice=matrix.advice(entry.pattern))
        settled: dict[Combination, Settled] = {}
        index, is_sound = 0, True
        for index, chosen in enumerate(matrix.combinations(), start=1):
            options = matrix.options(chosen)
            if options not in settled:
                layers = matrix.layer(chosen), entry.layer, matrix.nearer(chosen)
                settled[options] = self._layers.settle(*layers, texture=texture)
                is_sound = self._agrees(entry, settled[options], texture=texture) and is_sound
            if not is_sound:
                continue  # every combination of options is looked at, so that all faults are told
            content, style = matrix.picture("content", chosen), matrix.picture("style", chosen)
            if not self._add(entry, content, style, settled[options], index):
                return  # the same fault in every name of a matrix is one fault
        self._idle.look_at_axes(matrix, settled.values(), node.entries["matrix"].place, suffix_of(entry.pattern))
        if index == 0 and matrix.size:
            self._chooser.found_nothing(
                node.entries["exclude"].place, "every pair of this matrix is excluded; nothing is left"
            )

    def finish(self, *, strict: bool = False) -> None:
        """Check what only all jobs together can show.

        What found nothing, and a folder that cannot be listed, is a warning as long as something
        else is painted; with `strict` it is a problem always.
        """
        self._outputs.check(self._folders.output, self.jobs)
        for pair, reason in self._outputs.refusals.items():
            self.jobs[pair] = replace(self.jobs[pair], refusal=reason)
        note = self._problems.add if strict or not self.jobs else self._problems.warn
        for place, message in self._chooser.nothing:
            note(place, message)
        tell_unlisted(self._finder, note, self._problems)
        self._idle.finish()
        tell_left_out(self._finder, self._chooser.patterns, self._chooser.named, self._problems)
        outputs = (job.output for job in self.jobs)
        tell_found_again(self._chooser.patterns, outputs, self._folders, self._problems)

    def _entry(self, section: PairSection | MatrixSection, node: MapNode) -> _Entry | None:
        layer: Layer | None = NOTHING
        if "options" in node.entries:
            options: Any = section.options
            layer = self._reader.layer(
                options.given, node.entries["options"].node, lambda place: f"{self._problems.at(place)} (pair)"
            )
        output = node.entries["output"].node if "output" in node.entries else None
        assert output is None or isinstance(output, ScalarNode)
        pattern = self._pattern(output)
        masks = read_pair_masks(node, self._problems)
        if layer is None or pattern is None or masks is None:
            return None
        self._chooser.named |= {os.path.normpath(name) for name in masks.names}
        return _Entry(
            where=self._problems.at(node.place),
            place=node.place,
            output_node=output,
            pattern=pattern,
            layer=layer,
            priority=section.priority,
            meta=section.meta,
            is_matrix=isinstance(section, MatrixSection),
            masks=masks,
        )

    def _pattern(self, node: ScalarNode | None) -> Pattern | None:
        text = DEFAULT_PATTERN if node is None else node.text
        if text not in self._patterns:
            try:
                self._patterns[text] = parse_pattern(text)
            except ValueError as error:
                assert node is not None  # the default pattern is sound
                self._problems.add(node.place, str(error))
                return None
        if node is not None:
            warn_of_path(node, self._problems)
        return self._patterns[text]

    def _has_size(self, place: Place, written: Iterable[str]) -> bool:
        """Whether a pair or matrix without content says that it means to have none."""
        if "size" not in written:
            hint = "a texture, of the style alone, has its own 'size: [width, height]'"
            self._problems.add(place, f"'content' is missing; {hint}")
        return "size" in written

    def _agrees(self, entry: _Entry, settled: Settled, *, texture: bool) -> bool:
        """Whether a pair's options hold together; what does not is told at its own place, or, where
        that is not in this file, at the pair."""
        wrong = list(disagreements(settled.options, texture=texture))
        for option, message, layer in wrong:
            setting = settled.settings[option]
            if setting.node is not None and setting.origin.startswith(self._problems.at(setting.node.place)):
                self._problems.add(_place_of(layer, setting.node), f"'{option}': {message}")
            else:
                self._problems.add(entry.place, f"'{option}' ({setting.origin}): {message}")
        return not wrong

    def _has_clash(self, entry: _Entry, node: MapNode) -> bool:
        """Whether an option is an axis and also set beside it: each value would paint the same."""
        matrix = node.entries["matrix"].node
        assert isinstance(matrix, MapNode)
        clashes = [name for name in entry.layer if name in matrix.entries]
        for name in clashes:
            place = matrix.entries[name].place
            self._problems.add(place, f"'{name}' is an axis of this matrix and also one of its 'options'; remove one")
        return bool(clashes)

    def _has_room(self, place: Place, pairs: int, matrix: Matrix | None = None) -> bool:
        self._wanted += pairs
        if self._wanted <= MAX_PAIRS:
            return True
        if self._wanted - pairs <= MAX_PAIRS:  # told once, where the limit is passed
            what = f"this matrix makes {pairs:,} pairs ({matrix})" if matrix else f"this is pair {self._wanted:,}"
            self._problems.add(place, f"{what}; a manifest may have {MAX_PAIRS:,}")
        return False

    def _add(self, entry: _Entry, content: Picture, style: Picture, settled: Settled, index: int) -> bool:
        """Add a job unless its output or its masks cannot be, whatever the pictures' names; false,
        with the fault noted, then. A fault that comes of their names is the pair's own."""
        if wrong := fault_of_masks(entry.masks, style.masks, len(style.images), texture=not content.images):
            self._problems.add(*wrong)
            return False
        settled = self._as_shown(settled, content)
        clip = settled.options.is_clip
        style = at_beginning(style) if settled.options.frames == FIRST else style
        pattern = self._clip_pattern if clip and entry.output_node is None else entry.pattern
        if DATE in pattern.fields:
            self.date = self._today
        name = output_name(
            pattern.render(lambda field: _field(field, content, style, settled, index, self._today)), settled
        )
        number = len(self.jobs)
        if content.fault:
            self._outputs.refuse(number, content.fault)
        elif fault := fault_of_output(name, settled):
            if is_of_pattern(pattern, settled, content):
                cut = cut_by_comment(entry.output_node, self._problems) if entry.output_node else None
                self._problems.add(entry.output_place, cut or fault)
                return False
            self._outputs.refuse(number, f"{fault}; rename the picture, or change 'output'")
        self._outputs.claim(
            Claim(
                pair=number,
                name=name,
                entry=entry.place,
                place=entry.output_place,
                is_literal=not (entry.is_matrix or entry.pattern.fields),
                is_matrix=entry.is_matrix,
                content=content,
                style=style,
                advice=entry.advice,
            )
        )
        self._idle.look_at(settled, name)
        self.jobs.append(self._job(entry, content, style, settled, name))
        if fault := clip_fault(self.jobs[-1], output_url=url_of(self._folders.output)):
            self._problems.add(entry.place, fault)
            return False
        return True

    def _job(self, entry: _Entry, content: Picture, style: Picture, settled: Settled, name: str) -> Job:
        masks = self._masks.resolve(entry.masks, style.images, style.masks, content.named[0], style.named)
        init = settled.settings["init"]
        start = {str(Path(init.value)): init.origin} if settled.options.starts_from_file else {}
        return Job(
            output=name,
            content=(content.images or style.images)[0].image,
            styles=masks.images,
            options=as_texture(settled.options) if settled.options.is_texture else settled.options,
            priority=entry.priority,
            meta=entry.meta,
            where=entry.where,
            origins=settled.origins,
            places=_joined(content.places, style.places, masks.places, start),
            homes=_joined(content.homes, style.homes, masks.homes),
            content_mask=masks.content,
            region_map=masks.region_map,
            style_at=style.at,
        )

    def _as_shown(self, settled: Settled, content: Picture) -> Settled:
        """The options with `frames` as they count for this content."""
        name = content.names[0] if content.images and not content.fault else ""
        frames = settled_frames(settled.options.frames, name)
        if frames == settled.options.frames:
            return settled
        key = id(settled), frames
        if key not in self._shown:  # the first of the two is kept for its id
            self._shown[key] = settled, replace(settled, options=replace(settled.options, frames=frames))
        return self._shown[key][1]


def _joined(*maps: Mapping[str, str]) -> dict[str, str]:
    return {path: value for each in maps for path, value in each.items()}


def _field(field: str, content: Picture, style: Picture, settled: Settled, index: int, date: str) -> str:
    """The value of one field of a pattern for one pair."""
    if field in content.fields:
        return content.fields[field]
    if field in style.fields:
        return style.fields[field]
    if field == "index":
        return f"{index:0{INDEX_DIGITS}d}"
    if field == DATE:
        return date
    return option_field(settled.settings[field].value)  # as it was asked for: `published`


def _place_of(layer: str | None, node: Node) -> Place:
    """Where an option's value names a layer; of any other value, its own place."""
    named: Iterable[tuple[object, Place]] = ()
    if isinstance(node, MapNode):
        named = ((name, entry.place) for name, entry in node.entries.items())
    elif isinstance(node, ListNode):
        named = ((item.value, item.place) for item in node.items if isinstance(item, ScalarNode))
    return next((place for name, place in named if layer and canonical_layer(str(name)) == layer), node.place)
