"""The manifest's JSON Schema, for editors: help, completion, and most mistakes seen while typing.

Draft 7, which is what editors' YAML support understands. The loader checks more than a schema can
say.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from pipeline.manifest.mask_sections import MaskSection, RegionsSection
from pipeline.manifest.options.presets import usual_values
from pipeline.manifest.pairs.expand import MAX_PAIRS
from pipeline.manifest.run_section import RunSection, TopSection
from pipeline.manifest.section import Section
from pipeline.manifest.sections import (
    AxesSection,
    Blend,
    ExclusionSection,
    Gathered,
    MatrixSection,
    OptionsSection,
    OverrideSection,
    PairSection,
    PresetSection,
    PublishedSection,
    RangeSection,
)

_DRAFT = "http://json-schema.org/draft-07/schema#"
_NAMES: dict[type[Section], str] = {
    RunSection: "run",
    OptionsSection: "options",
    PresetSection: "preset",
    PublishedSection: "published",
    PairSection: "pair",
    Blend: "blend",
    MaskSection: "mask",
    RegionsSection: "regions",
    Gathered: "gathered",
    MatrixSection: "matrix",
    AxesSection: "axes",
    ExclusionSection: "exclusion",
    OverrideSection: "override",
    RangeSection: "range",
}
# What is left out there has no value of its own, so that a default would mislead.
_WITHOUT_DEFAULTS = ("preset", "published", "axes", "exclusion", "override")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest as plain JSON values."""
    sections: list[type[Section]] = [TopSection, *_NAMES]
    models: list[tuple[type[Section], Any]] = [(section, "validation") for section in sections]
    _, schemas = models_json_schema(models, ref_template="#/definitions/{model}")
    names = {model.__name__: name for model, name in _NAMES.items()}
    definitions = {names.get(key, key): _draft_7(schema, names) for key, schema in schemas["$defs"].items()}
    for name in _WITHOUT_DEFAULTS:
        for schema in definitions[name]["properties"].values():
            schema.pop("default", None)
    for name, value in usual_values().items():
        if value is not None:
            definitions["options"]["properties"][name]["default"] = value
    del definitions["pair"]["required"]
    definitions["pair"]["anyOf"] = [{"required": [key]} for key in ("style", "style_at")]
    definitions["pair"]["properties"]["style_at"]["propertyNames"] = {"pattern": "^(0|[1-9][0-9]*)$"}
    top = definitions.pop(TopSection.__name__)
    properties = top["properties"]
    properties["run"].update(_reference("run"))
    properties["defaults"].update(_reference("options"))
    properties["presets"].update(
        additionalProperties={"$ref": "#/definitions/preset"}, patternProperties=top["patternProperties"]
    )
    entry = {
        "if": {"required": ["matrix"]},
        "then": {"$ref": "#/definitions/matrix"},
        "else": {"$ref": "#/definitions/pair"},
    }
    properties["pairs"].update(items=entry, maxItems=MAX_PAIRS)
    return {
        "$schema": _DRAFT,
        "title": "Manifest of stylize",
        **top,
        "definitions": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """The JSON Schema as `stylize schema` prints it."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _reference(name: str) -> dict[str, Any]:
    return {"allOf": [{"$ref": f"#/definitions/{name}"}], "type": "object"}


def _draft_7(schema: Any, names: dict[str, str]) -> Any:
    """A schema of pydantic's in draft 7.

    Without made-up titles and empty defaults, and with no neighbours beside references.
    """
    if isinstance(schema, list):
        return [_draft_7(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        key: _draft_7(value, names)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value in ("", [], {}, None))
    }
    if isinstance(plain.get("$ref"), str):
        prefix, _, model = plain.pop("$ref").rpartition("/")
        reference = {"$ref": f"{prefix}/{names.get(model, model)}"}
        return {"allOf": [reference], **plain} if plain else reference
    return plain
