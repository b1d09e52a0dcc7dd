"""The top of a manifest: what stands beside its pairs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from pipeline.manifest.section import Name, Section


class TopSection(Section):
    """A night of neural style transfer: pairs of pictures, and how to paint them."""

    version: Annotated[int, Field(ge=1, le=1)] = Field(1, description="Version of this format.", examples=[1])
    name: Name = Field(
        "", description="Name of the run in reports; left out: the file's name.", examples=["nightly-gallery"]
    )
    input: Name = Field(
        "input",
        description=(
            "Folder where content and style paths start, relative to this file, or an address, as `s3://bucket/photos`; left"
            " out: `input` beside it."
        ),
        examples=["../input"],
    )
    output: Name = Field(
        "output",
        description=(
            "Folder below which everything is written, relative to this file, or an address; left out: `output` beside it."
        ),
        examples=["../output"],
    )
    follow_links: bool = Field(
        False,
        description=(
            "Whether patterns take what lies behind symbolic links that lead out of the pattern's own folder; names that are"
            " written out may always lie behind links."
        ),
        examples=[True],
    )
    run: dict[str, Any] = Field(
        default_factory=dict, description="How to run; never changes a pixel.", examples=[{"deadline": "06:00"}]
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of every pair; a preset that a pair names wins over them.",
        examples=[{"preset": "balanced", "seed": 7}],
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
