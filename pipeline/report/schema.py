"""The JSON Schema of report.json, made from what a report is made of: for programs that read it.

Draft 7, as the manifest's. Every key that is written is required; others are allowed, as keys may
be added without a new number of the report's own `schema`.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pipeline.errors import ExitCode
from pipeline.job import STATUSES, Outcome
from pipeline.report.data import SCHEMA, VERSIONS, RunMetadata

_DRAFT = "http://json-schema.org/draft-07/schema#"
_COUNT = {"type": "integer", "minimum": 0}
_SIZE = {"type": ["array", "null"], "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2}
_MOMENT = {"type": "string", "format": "date-time"}
# Where the type alone says too little.
_OF_RUN: Mapping[str, Any] = {
    "started": _MOMENT,
    "finished": _MOMENT,
    "exit_code": {"enum": [int(code) for code in ExitCode]},
    "counts": {"$ref": "#/definitions/counts"},
    "weights": {"$ref": "#/definitions/weights"},
    "versions": {"$ref": "#/definitions/versions"},
    "shard": {"type": ["string", "null"], "pattern": "^[0-9]+/[0-9]+$"},
}
_OF_PAIR: Mapping[str, Any] = {
    "size": _SIZE,
    "painted_size": _SIZE,
    "attempts": _COUNT,
    "steps": _COUNT,
    "failed_runs": _COUNT,
    "losses": {"$ref": "#/definitions/ends"},
    "flags": {"type": "array", "items": {"$ref": "#/definitions/flag"}},
}
_JSON = {bool: "boolean", int: "integer", str: "string", type(None): "null"}


def schema_text() -> str:
    """The schema as it stands in configs/report.schema.json."""
    return json.dumps(report_schema(), indent=2) + "\n"


def report_schema() -> dict[str, Any]:
    """The schema of a report with this version's keys."""
    text = {"type": "string"}
    run = get_type_hints(RunMetadata) | {"counts": None}
    pair = get_type_hints(Outcome) | {"flags": None}
    return {
        "$schema": _DRAFT,
        "$id": f"urn:stylize-pipeline:report:{SCHEMA}",
        "title": "report.json of stylize-pipeline",
        "description": "What each key means is in docs/report.md.",
        **_object(
            {
                "schema": {"const": SCHEMA},
                "run": {"$ref": "#/definitions/run"},
                "counts": {"$ref": "#/definitions/counts"},
                "pairs": {"type": "array", "items": {"$ref": "#/definitions/pair"}},
            }
        ),
        "definitions": {
            "run": _object({name: _OF_RUN.get(name) or _of(hint) for name, hint in run.items()}),
            "pair": _object({name: _OF_PAIR.get(name) or _of(hint) for name, hint in pair.items()}),
            "counts": _object(dict.fromkeys(STATUSES, _COUNT)),
            "weights": _object({"name": text, "sha256": text}),
            "versions": _object(dict.fromkeys(VERSIONS, text)),
            "ends": _object(dict.fromkeys(("first", "last"), _of(dict[str, float]))),
            "flag": _object({"name": {"type": "string", "pattern": "^[a-z_]+$"}, "text": text}),
        },
    }


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": dict(properties)}


def _of(hint: Any) -> dict[str, Any]:
    """The schema of a type as a report has it. A number that is not finite is null there."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if hint is float:
        return {"type": ["number", "null"]}
    if hint in _JSON:
        return {"type": _JSON[hint]}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (list, Sequence):
        return {"type": "array", "items": _of(parts[0])}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _of(parts[1])}
    if origin in (Union, types.UnionType):
        found = [_of(part) for part in parts]
        names = dict.fromkeys(name for one in found for name in _names(one))
        return {**found[0], "type": list(names)}
    raise TypeError(f"report.json has no schema for {hint}")


def _names(schema: Mapping[str, Any]) -> list[str]:
    name = schema["type"]
    return [name] if isinstance(name, str) else list(name)
