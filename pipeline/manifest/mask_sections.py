"""The sections of a manifest that name masks and maps of regions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from pipeline.manifest.section import Name, Section


class MaskSection(Section):
    """Where in the content a style is painted, and what of the style picture is looked at."""

    content: Name = Field(
        "",
        description="Grey picture of the content's shape: white where the style is painted.",
        examples=["masks/{content.stem}-sky.png"],
    )
    style: Name = Field(
        "",
        description="Grey picture of the style picture's shape: white what of it is looked at.",
        examples=["masks/wave-foam.png"],
    )


def _kind_of_mask(value: Any) -> str:
    return "both" if isinstance(value, dict) else "of the content"


Mask = Annotated[
    Annotated[Name, Tag("of the content")] | Annotated[MaskSection, Tag("both")], Discriminator(_kind_of_mask)
]


class RegionsSection(Section):
    """One colour-coded map of the content and one of each style: a colour is a region, which is
    painted in what has the same colour in the styles."""

    content: Name = Field(description="Map of the content's shape.", examples=["maps/{content.stem}.png"])
    style: Annotated[
        list[Name],
        Field(min_length=1),
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
    ] = Field(
        description="Map of the style picture's shape; of several styles one for each, in their order.",
        examples=["maps/{style.stem}.png"],
    )
