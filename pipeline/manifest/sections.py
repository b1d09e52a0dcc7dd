"""The sections of a manifest as pydantic models: what may stand where, in words that editors show.

The options' fields are made from `Options`, so that a rule, a default and a description have one home. A section only
holds what was written (`given`); what was left out is decided where the layers of settings are laid upon each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.job import LAYERS, RunSettings
from pipeline.manifest.rules import RULES, OptionRule, layer_weights
from pipeline.manifest.units import DURATION, SIZE, TIME_OF_DAY, bytes_of_size, seconds, time_of_day

IGNORED_PREFIX = "x-"  # keys for the writer's own use, as a place for anchors


class Section(BaseModel):
    """A map with a fixed set of keys. Keys that start with `x-` are ignored, any other unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        json_schema_extra={"patternProperties": {f"^{IGNORED_PREFIX}": {}}},
    )

    @model_validator(mode="before")
    @classmethod
    def _without_ignored_keys(cls, data: Any) -> Any:
        if isinstance(data, dict) and any(key.startswith(IGNORED_PREFIX) for key in data):
            return {key: value for key, value in data.items() if not key.startswith(IGNORED_PREFIX)}
        return data

    @property
    def given(self) -> dict[str, Any]:
        """What was written, by key, in the order of the model's fields."""
        written = self.model_fields_set
        return {name: getattr(self, name) for name in type(self).model_fields if name in written}


# -------------------------------------------------------------------------------------------------------------- options


def _option_type(rule: OptionRule) -> Any:
    """The pydantic type of one option in this version."""
    if rule.is_layers:
        return Annotated[dict[str, float], BeforeValidator(_read_layers), WithJsonSchema(_layers_schema())]
    if rule.is_path:
        pattern = "(?i)" + "|".join(rf"\{suffix}$" for suffix in rule.suffixes)
        schema = {"anyOf": [{"enum": list(rule.words)}, {"type": "string", "pattern": _without_flag(pattern)}]}
        return Annotated[str, AfterValidator(_word_or_path(rule)), WithJsonSchema(schema)]
    kinds: list[Any] = []
    if rule.number is not None:
        bounds = {name: bound for name, bound in (("ge", rule.ge), ("gt", rule.gt), ("le", rule.le)) if bound is not None}
        kinds.append(Annotated[rule.number, Field(**bounds)])  # type: ignore[call-overload]
    if rule.words:
        kinds.append(Literal[rule.words])
    if rule.nullable:
        kinds.append(None)
    return Union[tuple(kinds)] if kinds else Annotated[str, Field(min_length=1)]  # noqa: UP007


def _without_flag(pattern: str) -> str:
    """ECMA-262 knows no inline flags: each letter becomes a class of both cases."""
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in pattern.removeprefix("(?i)"))


def _read_layers(value: Any) -> dict[str, float]:
    weights, faults = layer_weights(value)
    if faults:
        raise PydanticCustomError("faults", "layers", {"faults": faults})
    return weights


def _layers_schema() -> dict[str, Any]:
    name = {"type": "string", "pattern": r"^((conv|relu)[1-5]_[1-4]|pool[1-5]|block[1-5]_(conv[1-4]|pool))$"}
    return {
        "anyOf": [
            {"type": "array", "items": name, "minItems": 1, "maxItems": len(LAYERS)},
            {
                "type": "object",
                "propertyNames": name,
                "additionalProperties": {"type": "number", "minimum": 0},
                "minProperties": 1,
            },
        ]
    }


def _word_or_path(rule: OptionRule) -> Callable[[str], str]:
    def check(value: str) -> str:
        if rule.text_fault(value):
            raise ValueError
        return value

    return check


def _option_fields(*, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        rule.name: (
            _option_type(rule),
            Field(default=rule.default, description=_sentence(rule.meaning), examples=list(rule.examples)),
        )
        for rule in RULES.values()
        if rule.name not in without
    }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


class _OptionsBase(Section):
    """Options of pairs: how they are painted."""


OptionsSection = create_model("OptionsSection", __base__=_OptionsBase, **_option_fields())
OptionsSection.__doc__ = _OptionsBase.__doc__


class _PresetBase(Section):
    """A named set of options to start from."""

    extends: str = Field("", description="Preset to start from; left out: the defaults.", examples=["fine"])
    summary: str = Field("", description="One line that says what the preset is for.", examples=["For large prints."])
    source: str = Field("", description="Where its values come from.", examples=["chosen by eye"])
    notes: str = Field("", description="What else should be known.", examples=["Needs 6 GiB of memory."])


PresetSection = create_model("PresetSection", __base__=_PresetBase, **_option_fields(without=("preset",)))
PresetSection.__doc__ = _PresetBase.__doc__
PRESET_WORDS = tuple(_PresetBase.model_fields)

# ---------------------------------------------------------------------------------------------------------------- pairs

Name = Annotated[str, Field(min_length=1)]


class Blend(Section):
    """One style picture of several, and its share."""

    image: Name = Field(description="Picture, relative to the input folder.", examples=["art/wave.jpg"])
    weight: float = Field(
        1.0, gt=0, description="Share of this picture; shares need not sum to 1.", examples=[2], json_schema_extra={}
    )


def _kind_of_style(value: Any) -> str:
    return "blend" if isinstance(value, list) else "one picture"


BlendList = Annotated[list[Blend], Field(min_length=1)]
Style = Annotated[
    Annotated[Name, Tag("one picture")] | Annotated[BlendList, Tag("blend")],
    Discriminator(_kind_of_style),
]


class _Painted(Section):
    output: Name = Field(
        "{content.stem}--{style.stem}.png",
        description=(
            "Name below the output folder; its suffix is the format. Fields: {content.stem} {content.name}"
            " {content.parent} {style.stem} {style.name} {style.parent} {index} and any option, like {style_weight}."
        ),
        examples=["{content.stem}/{style.stem}-{style_weight}.png"],
    )
    priority: int = Field(0, description="Pairs of higher priority are painted first.", examples=[10])
    options: OptionsSection = Field(  # type: ignore[valid-type]
        default_factory=dict, description="Options of this entry; they win over presets and defaults.", examples=[{"size": 768}]
    )
    meta: dict[str, Any] = Field(
        default_factory=dict,
        description="Anything you want to find again in report.json; it never changes the picture.",
        examples=[{"credit": "City museum loan"}],
    )


class PairSection(_Painted):
    """One picture to paint: a content, a style or a blend of styles, and how."""

    content: Name = Field(
        description="Picture to paint, relative to the input folder.", examples=["photos/amsterdam.jpg"]
    )
    style: Style = Field(
        description="Picture to take the style from, relative to the input folder, or a list of pictures to blend.",
        examples=["art/starry.jpg", [{"image": "art/kandinsky.jpg", "weight": 2}, {"image": "art/wave.jpg"}]],
    )


# ------------------------------------------------------------------------------------------------------------- matrices


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[
    list[Name],
    Field(min_length=1),
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
StylePatterns = Annotated[list[Style], Field(min_length=1), BeforeValidator(_as_list)]


class _AxesBase(Section):
    """The lists whose product is painted; the first list varies slowest. Any option may be an axis."""

    content: Patterns = Field(
        description="Pictures to paint: names or patterns (`*`, `**`, `?`, `[abc]`); `!` takes away.",
        examples=[["photos/*.jpg", "!photos/private-*.jpg"]],
    )
    style: StylePatterns = Field(
        description="Pictures to take the style from: names, patterns, or lists of pictures to blend.",
        examples=[["art/*.jpg"]],
    )


def _axis_fields() -> dict[str, Any]:
    return {
        rule.name: (
            Annotated[list[_option_type(rule)], Field(min_length=1)],  # type: ignore[misc]
            Field(default=[], description=_sentence(rule.meaning), examples=[list(rule.examples)]),
        )
        for rule in RULES.values()
    }


AxesSection = create_model("AxesSection", __base__=_AxesBase, **_axis_fields())
AxesSection.__doc__ = _AxesBase.__doc__


class _ExclusionBase(Section):
    """Combinations to leave out: every pair that has all of these values."""

    content: Name = Field("", description="Name or pattern of the content.", examples=["photos/dog.jpg"])
    style: Name = Field("", description="Name or pattern of the style.", examples=["art/mondrian.jpg"])


ExclusionSection = create_model("ExclusionSection", __base__=_ExclusionBase, **_option_fields())
ExclusionSection.__doc__ = _ExclusionBase.__doc__


class MatrixSection(_Painted):
    """Many pictures to paint: every combination of lists."""

    matrix: AxesSection = Field(  # type: ignore[valid-type]
        description="The lists whose product is painted; the first list varies slowest.",
        examples=[{"content": ["photos/*.jpg"], "style": ["art/*.jpg"], "style_weight": [0.01, 0.05]}],
    )
    exclude: list[ExclusionSection] = Field(  # type: ignore[valid-type]
        default_factory=list,
        description="Combinations to leave out; each entry names any of the axes.",
        examples=[[{"content": "photos/dog.jpg", "style": "art/mondrian.jpg"}]],
    )


# ------------------------------------------------------------------------------------------------------------------ run


def _unit(read: Callable[[object], Any], pattern: str) -> Any:
    def check(value: object) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise PydanticCustomError("unit", "{rule}", {"rule": str(error)}) from None

    return Annotated[Any, BeforeValidator(check), WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})]


_Duration = _unit(seconds, DURATION)
_Size = _unit(bytes_of_size, SIZE)
_Time = _unit(time_of_day, TIME_OF_DAY)
_Command = Annotated[list[Name], Field(min_length=1)]
_RUN = RunSettings()


class RunSection(Section):
    """How to run. Nothing here ever changes a pixel."""

    deadline: _Time = Field(
        None, description="Local time of day; no pair is started that would not finish by then.", examples=["06:00"]
    )
    max_duration: _Duration = Field(
        None, description="No pair is started that would not finish within this time of the start.", examples=["7h"]
    )
    pair_timeout: _Duration = Field(None, description="A pair that takes longer is stopped and failed.", examples=["45m"])
    retries: int = Field(
        _RUN.retries,
        ge=0,
        description="Further tries after a crash, lack of memory, time-out or divergence; never for a bad image.",
        examples=[1],
    )
    max_memory: _Size = Field(None, description="A pair whose process needs more is stopped and failed.", examples=["6GiB"])
    jobs: int = Field(_RUN.jobs, ge=1, description="Pairs painted at the same time.", examples=[1])
    threads: int = Field(None, ge=1, description="Threads of each pair; left out: all there are.", examples=[2])
    on_error: Literal["continue", "stop"] = Field(
        _RUN.on_error, description="After a failed pair: go on with the others, or start none.", examples=["stop"]
    )
    on_start: _Command = Field([], description="Command to run before the first pair, without a shell.", examples=[["./wake.sh"]])
    on_success: _Command = Field(
        [], description="Command to run after all pairs are up to date, without a shell.", examples=[["./notify.sh", "ok"]]
    )
    on_failure: _Command = Field(
        [], description="Command to run after a run that did not end well, without a shell.", examples=[["./notify.sh", "bad"]]
    )


# ------------------------------------------------------------------------------------------------------------ the whole


class TopSection(Section):
    """A night of neural style transfer: pairs of pictures, and how to paint them."""

    version: Annotated[int, Field(ge=1, le=1)] = Field(1, description="Version of this format.", examples=[1])
    name: Name = Field("", description="Name of the run in reports; left out: the file's name.", examples=["nightly-gallery"])
    input: Name = Field(
        "input",
        description=(
            "Folder where content and style paths start, relative to this file; left out: ./input of the working directory."
        ),
        examples=["../input"],
    )
    output: Name = Field(
        "output",
        description="Folder below which everything is written, relative to this file; left out: ./output of the working directory.",
        examples=["../output"],
    )
    run: dict[str, Any] = Field(
        default_factory=dict, description="How to run; never changes a pixel.", examples=[{"deadline": "06:00"}]
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict, description="Options of every pair.", examples=[{"preset": "balanced", "seed": 7}]
    )
    presets: dict[str, Any] = Field(
        default_factory=dict,
        description="Presets of your own, by name.",
        examples=[{"poster": {"extends": "fine", "size": 1024}}],
    )
    pairs: list[Any] = Field(
        min_length=1,
        description="What to paint, in order.",
        examples=[[{"content": "photos/amsterdam.jpg", "style": "art/starry.jpg"}]],
    )


SECTIONS_WITH_OPTIONS: Mapping[type[Section], str] = {OptionsSection: "options", PresetSection: "preset", AxesSection: "axis"}
