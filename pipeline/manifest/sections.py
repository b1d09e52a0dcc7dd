"""The sections of a manifest as pydantic models: what may stand where, in words that editors show.

The options' fields are made from `Options`, so that a rule, a default and a description have one
home. A section only holds what was written (`given`); what was left out is decided where the layers
of settings are laid upon each other.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    create_model,
    model_validator,
)

from pipeline.manifest.mask_sections import Mask, RegionsSection
from pipeline.manifest.options.rules import RULES, OptionRule
from pipeline.manifest.options.types import OPTION_TYPES
from pipeline.manifest.pairs.naming import DEFAULT_PATTERN
from pipeline.manifest.section import WITHOUT, Name, Section

# ------------------------------------------------------------------------------------------ options


def _option_fields(*, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        rule.name: (
            OPTION_TYPES[rule.name],
            Field(
                None,  # what is left out comes from another layer; the schema shows what is usual
                description=_sentence(rule.meaning),
                examples=list(rule.examples),
            ),
        )
        for rule in RULES.values()
        if rule.name not in without
    }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _in_json(value: Any) -> Any:
    """The same, with the words of YAML in the place of numbers that JSON lacks: `.nan`, `.inf`."""
    if isinstance(value, dict):
        return {name: _in_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_in_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value).replace("inf", ".inf").replace("nan", ".nan")
    return value


class _OptionsBase(Section):
    """Options of pairs: how they are painted."""


OptionsSection = create_model("OptionsSection", __base__=_OptionsBase, **_option_fields())
OptionsSection.__doc__ = _OptionsBase.__doc__


class _PublishedBase(Section):
    """The descent of the program that a preset is of: what `optimizer: published` sets."""


PublishedSection = create_model("PublishedSection", __base__=_PublishedBase, **_option_fields(without=("preset",)))
PublishedSection.__doc__ = _PublishedBase.__doc__


class _PresetBase(Section):
    """A named set of options to start from."""

    extends: str = Field("", description="Preset to start from; left out: the defaults.", examples=["fine"])
    summary: str = Field("", description="One line that says what the preset is for.", examples=["For large prints."])
    source: str = Field("", description="Where its values come from.", examples=["chosen by eye"])
    notes: str = Field("", description="What else should be known.", examples=["Needs 6 GiB of memory."])
    published: PublishedSection = Field(
        default_factory=PublishedSection,
        description="Options that `optimizer: published` sets besides: a program's own descent.",
        examples=[{"optimizer": "adam", "learning_rate": 10, "steps": 1000}],
    )


PresetSection = create_model("PresetSection", __base__=_PresetBase, **_option_fields(without=("preset",)))
PresetSection.__doc__ = _PresetBase.__doc__

# -------------------------------------------------------------------------------------------- pairs


class Blend(Section):
    """One style picture of several, its share, and where it is painted."""

    image: Name = Field(description="Picture, relative to the input folder.", examples=["art/wave.jpg"])
    weight: float = Field(1.0, gt=0, description="Share of this picture; shares need not sum to 1.", examples=[2])
    mask: Mask = Field(
        "",
        description=(
            "Where in the content it is painted: a grey picture of its shape, white for all of it; fields are"
            " {content.stem} {content.name} {content.parent} and the style's. Left out: where no other style is."
        ),
        examples=[
            "masks/{content.stem}-sky.png",
            {"content": "masks/{content.stem}-sky.png", "style": "masks/wave.png"},
        ],
    )


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[
    list[Name],
    Field(min_length=1),
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class Gathered(Section):
    """All pictures of a folder or a pattern as one style."""

    images: Patterns = Field(
        description="A folder, a pattern, or a list of names and patterns; `!` takes away.", examples=["monet/*.jpg"]
    )
    weight: float = Field(
        1.0, gt=0, description="Share of all of them, in equal parts; shares need not sum to 1.", examples=[2]
    )
    mask: Mask = Field(
        "", description="Where in the content they are painted, as of a single picture.", examples=["masks/sky.png"]
    )


def _kind_of_part(value: Any) -> str:
    return "gathered" if isinstance(value, dict) and "images" in value else "one of several"


Part = Annotated[
    Annotated[Blend, Tag("one of several")] | Annotated[Gathered, Tag("gathered")], Discriminator(_kind_of_part)
]


def _kind_of_style(value: Any) -> str:
    if isinstance(value, list):
        return "blend"
    return "gathered" if _kind_of_part(value) == "gathered" else "one picture"


BlendList = Annotated[list[Part], Field(min_length=1)]
Style = Annotated[
    Annotated[Name, Tag("one picture")] | Annotated[BlendList, Tag("blend")] | Annotated[Gathered, Tag("gathered")],
    Discriminator(_kind_of_style),
]


class _Painted(Section):
    output: Name = Field(
        DEFAULT_PATTERN,
        description=(
            "Name below the output folder; its suffix is the format. Fields: {content.stem} {content.name}"
            " {content.parent} {style.stem} {style.name} {style.parent} {index} {date} and any option, like {seed}."
        ),
        examples=["{content.stem}/{style.stem}-{style_weight}.png"],
    )
    priority: int = Field(0, description="Pairs of higher priority are painted first.", examples=[10])
    options: OptionsSection = Field(
        default_factory=OptionsSection,
        description="Options of this entry; they win over the preset named beside them, and over defaults.",
        examples=[{"size": 768}],
    )
    content_mask: Name = Field(
        "",
        description="How much the photograph is kept where: a grey picture of its shape, white as `content_weight` says.",
        examples=["masks/{content.stem}-keep.png"],
    )
    regions: RegionsSection = Field(
        WITHOUT,
        description="Which part of the content is painted in which part of the styles, by colours of maps.",
        examples=[{"content": "maps/{content.stem}.png", "style": "maps/{style.stem}.png"}],
    )
    meta: Annotated[dict[str, Any], BeforeValidator(_in_json)] = Field(
        default_factory=dict,
        description="Anything you want to find again in report.json; it never changes the picture.",
        examples=[{"credit": "City museum loan"}],
    )


class PairSection(_Painted):
    """One picture to paint: a content, a style or a blend of styles, and how."""

    content: Name = Field(
        "",
        description=(
            "Picture to paint, relative to the input folder; left out, with a `size` among the options: a texture of the style"
            " alone."
        ),
        examples=["photos/amsterdam.jpg"],
    )
    style: Style = Field(
        description=(
            "Picture to take the style from, relative to the input folder, a list of pictures to blend, or {images: ...}: all"
            " pictures of a folder or pattern as one style."
        ),
        examples=["art/starry.jpg", [{"image": "art/kandinsky.jpg", "weight": 2}, {"image": "art/wave.jpg"}]],
    )
    style_at: dict[str, Style] = Field(
        default_factory=dict,
        min_length=1,
        description=(
            "In the place of `style`, of a clip: styles by the number of a frame, counted from 0; between two of them one"
            " goes over into the other."
        ),
        examples=[{0: "art/wave.jpg", 120: [{"image": "art/starry.jpg"}, {"image": "art/wave.jpg"}]}],
    )

    @model_validator(mode="before")
    @classmethod
    def _style_of_some_frame(cls, given: Any) -> Any:
        """Who says `style_at` need not say `style`."""
        has_it = isinstance(given, dict) and "style_at" in given
        return {"style": "style_at", **given} if has_it else given


# ----------------------------------------------------------------------------------------- matrices


class _OrName:
    """Adds a single name to the JSON Schema of a list, as it stands for a list of one."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(core)]}


StylePatterns = Annotated[list[Style], Field(min_length=1), BeforeValidator(_as_list), _OrName()]


class _AxesBase(Section):
    """The lists whose product is painted; the first list varies slowest.
    Any option may be an axis.
    """

    content: Patterns = Field(
        [],
        description=(
            "Pictures to paint: names or patterns (`*`, `**`, `?`, `[abc]`); `!` takes away. Left out, with a `size`: textures"
            " of the styles alone."
        ),
        examples=[["photos/*.jpg", "!photos/private-*.jpg"]],
    )
    style: StylePatterns = Field(
        description="Pictures to take the style from: names, patterns, lists of pictures to blend, or {images: ...}.",
        examples=[["art/*.jpg"]],
    )


class _RangeBase(Section):
    """Numbers of an axis, as many as `count`, from one to another."""

    to: float = Field(description="The last number.", examples=[1e-1])
    count: Annotated[int, Field(ge=2, le=1000)] = Field(description="How many there are.", examples=[5])
    log: bool = Field(False, description="Whether ratios are equal, and not differences.", examples=[True])


_FROM: Any = {"from": (float, Field(description="The first number.", examples=[1e-3]))}  # a word of Python's
RangeSection = create_model("RangeSection", __base__=_RangeBase, **_FROM)
RangeSection.__doc__ = _RangeBase.__doc__


def _axis_fields() -> dict[str, Any]:
    return {
        rule.name: (
            _axis_type(rule),
            Field(default=[], description=_sentence(rule.meaning), examples=[list(rule.examples)]),
        )
        for rule in RULES.values()
    }


def _axis_type(rule: OptionRule) -> Any:
    """A list of values; the schema also has the range of numbers that is read as one."""
    option: Any = OPTION_TYPES[rule.name]
    values: Any = Annotated[list[option], Field(min_length=1)]
    return values if rule.number is None else Annotated[values, _OR_RANGE]


class _OrRange:
    """Adds a range of numbers to the JSON Schema of a list of them."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [handler(core), {"$ref": "#/definitions/range"}]}


_OR_RANGE = _OrRange()


AxesSection = create_model("AxesSection", __base__=_AxesBase, **_axis_fields())
AxesSection.__doc__ = " ".join((_AxesBase.__doc__ or "").split())  # one line, as editors show it


class _ExclusionBase(Section):
    """Combinations to leave out: every pair that has all of these values."""

    content: Name = Field("", description="Name or pattern of the content.", examples=["photos/dog.jpg"])
    style: Name = Field("", description="Name or pattern of the style.", examples=["art/mondrian.jpg"])


ExclusionSection = create_model("ExclusionSection", __base__=_ExclusionBase, **_option_fields())
ExclusionSection.__doc__ = _ExclusionBase.__doc__


class _OverrideBase(Section):
    """Combinations to paint otherwise: every pair that matches has these options."""

    match: ExclusionSection = Field(
        description="Which pairs: those that have all of these values; each names any of the axes.",
        examples=[{"content": "IMG_0001*", "style": "wave*"}],
    )


OverrideSection = create_model("OverrideSection", __base__=_OverrideBase, **_option_fields())
OverrideSection.__doc__ = _OverrideBase.__doc__


class MatrixSection(_Painted):
    """Many pictures to paint: every combination of lists."""

    matrix: AxesSection = Field(
        description="The lists whose product is painted; the first list varies slowest.",
        examples=[{"content": ["photos/*.jpg"], "style": ["art/*.jpg"], "style_weight": [0.01, 0.05]}],
    )
    exclude: list[ExclusionSection] = Field(
        default_factory=list,
        description="Combinations to leave out; each entry names any of the axes.",
        examples=[[{"content": "photos/dog.jpg", "style": "art/mondrian.jpg"}]],
    )
    overrides: list[OverrideSection] = Field(
        default_factory=list,
        description="Combinations to paint otherwise: options for the pairs that `match`; a later entry wins.",
        examples=[[{"match": {"content": "IMG_0001*", "style": "wave*"}, "strength": 0.6}]],
    )
