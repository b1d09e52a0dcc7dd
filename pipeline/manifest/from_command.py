"""The manifest of another program's command line: `th neural_style.lua -content_image dog.jpg ...`.

The program's preset is named, and only what the command line says otherwise is set beside it.
Sources of the flags: options/foreign.yaml; of what a preset is: options/presets.yaml.
"""

from __future__ import annotations

import argparse
import math
import posixpath
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pipeline.errors import ManifestError, UsageError
from pipeline.manifest.load import load_text
from pipeline.manifest.options.foreign import named_by_others, word_of_others
from pipeline.manifest.options.presets import Preset, builtin_presets
from pipeline.manifest.pairs.naming import OUTPUT_SUFFIXES
from pipeline.manifest.programs import ADAM, EACH_LAYER, Program, program_of
from pipeline.manifest.yaml.problems import Problems
from pipeline.manifest.yaml.writer import yaml_text
from pipeline.nst.network import NETWORKS, VGG19
from pipeline.printable import ascii_only

_LONGEST = 100_000  # characters of a command line
_LARGEST = 1e100  # of a number: whatever it is multiplied by is finite, and can be rounded


def manifest_for_command(line: str, *, published: bool = False) -> tuple[str, list[str]]:
    """The text of the manifest that paints what the command line would, by its program's preset,
    and a sentence for each part of it that has another place here, or none. With `published` the
    descent is the program's own.

    Relative paths stay as they are: the manifest belongs where the command was given. The text was
    loaded before it is returned. Raises UsageError where the program is not known, or a value
    cannot be.
    """
    try:
        if len(line) > _LONGEST:
            raise ValueError(f"it has more than {_LONGEST:,} characters")
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"this is no command line: {error}") from None
    program, arguments = program_of(words)
    given, unknown = _parsed(program, arguments)
    notes = [f"{word}: not known of {program.preset}" for word in unknown]
    wanted = _Wanted(program, given, builtin_presets()[program.preset], published=published, notes=notes)
    pair, output = wanted.pair()
    text = yaml_text({"version": 1, "input": ".", "output": output, "pairs": [pair]})
    try:
        load_text(text, Problems("the manifest of this command line", text), Path.cwd() / "imported.yaml")
    except ManifestError as error:
        wrong = "; ".join(problem.message for problem in error.problems)
        raise UsageError(f"no manifest can be made of this command line: {wrong}") from error
    head = [f"Of: {line}", *(f"Note: {sentence}" for sentence in notes)]
    return "\n".join([*(f"# {' '.join(ascii_only(each).split())}" for each in head), text]), notes


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parsed(program: Program, arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """What is given, by flag, and words that nobody knows."""
    parser = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    aliases: dict[str, list[str]] = {}
    for alias, name in program.short.items():
        aliases.setdefault(name, []).append(alias)

    def add(name: str, **how: Any) -> None:
        spellings = {f"{program.dashes}{name}", f"{program.dashes}{name.replace('_', '-')}"}
        parser.add_argument(*sorted(spellings), *aliases.get(name, ()), dest=name, **how)

    for place in program.places:
        parser.add_argument(place.removesuffix("+"), nargs="+" if place.endswith("+") else None)
    for name in program.single:
        add(name)
    for name in program.several:
        add(name, nargs="+")
    for name in program.switches:
        add(name, action="store_true")
    found, unknown = parser.parse_known_args(list(arguments))
    return vars(found), unknown


@dataclass(slots=True, kw_only=False)
class _Wanted:
    """A command line on its way to a pair."""

    program: Program
    given: dict[str, Any]
    preset: Preset
    published: bool
    notes: list[str]

    def pair(self) -> tuple[dict[str, Any], str]:
        """The pair, and the folder of its output."""
        given, program = self.given, self.program
        try:
            content, styles = given.pop(program.content), self._several(program.styles)
        except KeyError as missing:
            raise UsageError(f"the command line names no {missing.args[0]}") from None
        folder, name = posixpath.split(given.pop(program.output, "out.png"))
        name = name if name.lower().endswith(OUTPUT_SUFFIXES) else f"{name}.png"
        folder = given.pop("img_output_dir", folder) or "output"
        for role, named in (("content_img_dir", [content]), ("style_imgs_dir", styles)):
            if role in given:
                start = given.pop(role)
                named[:] = [posixpath.join(start, each) for each in named]
                content = named[0] if role == "content_img_dir" else content
        options = {"preset": program.preset, **self._options()}
        pair = {"content": content, "style": self._blend(styles), "output": name, "options": options}
        self._note_the_rest()
        return pair, folder

    def _several(self, name: str) -> list[str]:
        value = self.given.pop(name)
        return value.split(",") if self.program.commas else [value] if isinstance(value, str) else list(value)

    def _blend(self, styles: list[str]) -> Any:
        shares = [1.0] * len(styles)
        if self.program.shares in self.given:
            shares = [_number(self.program.shares, each) for each in self._several(self.program.shares)]
            if len(shares) != len(styles):
                raise UsageError(f"{self.program.shares}: {len(shares)} weights for {len(styles)} styles")
        if len(styles) == 1:
            return styles[0]
        return [{"image": image, "weight": share} for image, share in zip(styles, shares, strict=True)]

    def _options(self) -> dict[str, Any]:
        given = self.given
        options: dict[str, Any] = {}
        for flag, (option, factor) in self.program.numbers.items():
            if flag not in given:
                continue
            value = given.pop(flag)
            first = value[0] if isinstance(value, list) else value
            if isinstance(value, list) and set(value) != {first}:
                self.notes.append(f"{flag} {' '.join(value)}: '{option}' is one for all styles, and is {first} here")
            number = _number(flag, first) * factor
            if number > 0 or option not in ("seed", "history"):  # -1 and 0 are the program's own choice there
                options[option] = round(number) if isinstance(factor, int) else number
        for flag in ("init", "init_image", "initial", "init_img_type"):
            if flag in given and not (flag == "init" and given["init"] == "image" and "init_image" in given):
                word = given.pop(flag)
                options["init"] = word_of_others("init", word) or word
        given.pop("init", None)
        for flag in ("pooling", "pooling_type", "pool_type"):
            if flag in given:
                options["pooling"] = word_of_others("pooling", word := given.pop(flag)) or word
        colours = [given.pop(flag) for flag in _COLOURS if flag in given]
        if any(str(word).lower() not in ("0", "false") for word in colours):
            options["preserve_color"] = "luminance"
        options |= self._layers()
        return options | self._normalized(options.get("style_layers")) | self._descent()

    def _layers(self) -> dict[str, Any]:
        """Layers, weighed as the preset weighs its own."""
        options = {}
        for option, flags in (
            ("content_layers", ("content_layers", "content_layer")),
            ("style_layers", ("style_layers",)),
        ):
            flag = next((flag for flag in flags if flag in self.given), None)
            shares = self.given.pop(f"{option.removesuffix('s')}_weights", None)
            if flag is None and shares is None:
                continue
            own = self.preset.options[option]
            layers = self._several(flag) if flag else list(own)
            weights = [_number(option, share) for share in shares] if shares else [1.0] * len(layers)
            if len(weights) != len(layers):
                raise UsageError(f"{option}: {len(weights)} weights for {len(layers)} layers")
            options[option] = dict(zip(layers, self._weighed(own, layers, weights, shares is not None), strict=True))
        return options

    def _normalized(self, layers: Mapping[str, float] | None) -> dict[str, Any]:
        """Gradients of one length, where they are asked for. Where each layer's is, a factor of its
        own, which makes up for its channels, has no place."""
        normalized = self.program.normalized
        if not normalized or not self.given.pop("normalize_gradients", False):
            return {}
        own = {} if normalized != EACH_LAYER else dict.fromkeys(layers or self.preset.options["style_layers"], 1.0)
        return {"normalize_gradients": normalized, **({"style_layers": own} if own else {})}

    def _weighed(self, own: Mapping[str, float], layers: list[str], weights: list[float], shared: bool) -> list[float]:
        """The layers' weights: of equal kind to those of the preset's own layers, whose share of
        1/N² stays with the channels N of each."""
        network = NETWORKS[VGG19.name]
        found = []
        by_channels = {network.channels(layer): weight for layer, weight in own.items()}
        total = sum(weights) if shared else 1.0
        for name, weight in zip(layers, weights, strict=True):
            layer = network.canonical_layer(name)
            if layer is None:
                raise UsageError(f"unknown layer '{name}'; layers are named like conv4_2 or relu4_2")
            scale = by_channels.get(network.channels(layer), next(iter(own.values())))
            found.append(scale * weight * (len(weights) / total if shared and total else 1.0))
        return found

    def _descent(self) -> dict[str, Any]:
        """Steps, optimizer and rate. Our descent needs its share of the program's steps."""
        given, program, preset = self.given, self.program, self.preset
        optimizer = given.pop("optimizer", program.optimizer)
        rate = given.pop(program.rate[0], None)
        asked = given.pop(program.steps, None)
        own = preset.published_descent.get("steps", preset.options["steps"])
        options: dict[str, Any] = {}
        if optimizer != program.optimizer:
            options["optimizer"] = optimizer
        elif self.published and preset.published:
            options["optimizer"] = "published"
        if asked is not None:
            steps = max(1, round(_number(program.steps, asked) * program.counted))
            options["steps"] = steps if options else max(1, round(steps * preset.options["steps"] / own))
            if not options.keys() - {"steps"}:
                self.notes.append(f"{program.steps} {asked}: of our descent {options['steps']} steps stand for them")
        if rate is not None and options.get("optimizer") and optimizer == ADAM:
            options["learning_rate"] = _number(program.rate[0], rate) * program.rate[1]
        elif rate is not None:
            self.notes.append(f"{program.rate[0]} {rate}: our descent has no rate; --published asks for the program's")
        for flag, option in (("beta1", "beta_1"), ("beta2", "beta_2")):
            if flag in given and options.get("optimizer"):
                options[option] = _number(flag, given.pop(flag))
        return options

    def _note_the_rest(self) -> None:
        """A sentence for every flag that has no place here."""
        for flag, value in self.given.items():
            words = flag if value is True else f"{flag} {value if isinstance(value, str) else ' '.join(value)}"
            known = named_by_others(flag)
            self.notes.append(f"{words}: {known.here if known else 'has no place here'}")


_COLOURS = ("original_colors", "preserve_colors", "preserve_color")


def _number(flag: str, word: str) -> float:
    try:
        number = float(str(word).rstrip("+"))  # `--end-scale 512+` is at least so many
    except ValueError:
        number = math.nan
    if not abs(number) <= _LARGEST:  # nor NaN
        raise UsageError(f"{flag} must be a number. Received: {word!r}")
    return number
