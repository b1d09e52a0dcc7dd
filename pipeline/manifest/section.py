"""What all sections of a manifest have in common: a map with a fixed set of keys."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

IGNORED_PREFIX = "x-"  # keys for the writer's own use, as a place for anchors

Name = Annotated[str, Field(min_length=1)]
WITHOUT: Any = None
"""The default of a key that may be left out, and has no value that says so."""


class Section(BaseModel):
    """A map with a fixed set of keys.

    Keys that start with `x-` are ignored; any other unknown key is an error.
    """

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
