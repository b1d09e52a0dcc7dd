"""The pydantic type of each option in this version, made from its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Union

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from pipeline.clip_names import FRAMES_PATTERN, MOST_FRAMES, can_be_frames
from pipeline.manifest.options.rules import MOST_NUMBERS, RULES, Fault, OptionRule, layer_weights, mixture
from pipeline.nst.network import LINEAR, NETWORKS
from pipeline.option_field import LENGTH


class _OfSeveral:
    """A type that stands in several sections. Its schema is made for the first and taken by the
    others: made for each, they are a tenth of what the light verbs take to start."""

    def __init__(self, type_: Any) -> None:
        self._type = type_
        self._schema: CoreSchema | None = None

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if self._schema is None:
            self._schema = handler.generate_schema(self._type)
        return self._schema


def _option_type(rule: OptionRule) -> Any:
    if rule.is_layers:
        return Annotated[dict[str, float], BeforeValidator(_read_layers), WithJsonSchema(_layers_schema())]
    if rule.is_mixture:
        return Annotated[Any, BeforeValidator(_mixture_reader(rule)), WithJsonSchema(_mixture_schema(rule))]
    if rule.is_path:
        schema = {"anyOf": [{"enum": list(rule.words)}, {"type": "string", "pattern": _suffix_pattern(rule.suffixes)}]}
        return Annotated[str, AfterValidator(_word_or_path(rule)), WithJsonSchema(schema)]
    if rule.is_frames:
        return _frames_type(rule)
    kinds: list[Any] = [bool] if rule.is_flag else []
    if rule.number is not None:
        bounds = {
            name: bound for name, bound in (("ge", rule.ge), ("gt", rule.gt), ("le", rule.le)) if bound is not None
        }
        number: Any = Annotated[rule.number, Field(**bounds)]  # type: ignore[call-overload]
        kinds.append(number)
        if rule.is_several:
            kinds.append(
                Annotated[list[number], Field(min_length=1, max_length=MOST_NUMBERS), AfterValidator(_one_or_several)]
            )
    if rule.words:
        kinds.append(Literal[rule.words])
    if rule.is_length:
        kinds.append(Annotated[str, Field(pattern=LENGTH)])
    if rule.is_sides:
        side = Annotated[int, Field(ge=rule.ge)]
        kinds.append(Annotated[list[side], Field(min_length=2, max_length=2), AfterValidator(tuple)])
    if rule.nullable:
        kinds.append(None)
    return Union[tuple(kinds)] if kinds else Annotated[str, Field(min_length=1)]  # noqa: UP007


def _frames_type(rule: OptionRule) -> Any:
    number = {"type": "integer", "minimum": 0, "maximum": MOST_FRAMES}
    span = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    schema = {"anyOf": [{"enum": list(rule.words)}, {"type": "string", "pattern": FRAMES_PATTERN}, span]}
    return Annotated[Any, BeforeValidator(_read_frames), WithJsonSchema(schema)]


def _read_frames(value: Any) -> Any:
    frames = tuple(value) if isinstance(value, list) else value
    if not can_be_frames(frames):
        raise ValueError
    return frames


def _one_or_several(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


def _suffix_pattern(suffixes: tuple[str, ...]) -> str:
    """A pattern of ECMA-262, which has no flag for case inside a pattern: each letter becomes a
    class of both cases."""
    letters = "|".join(suffix.removeprefix(".") for suffix in suffixes)
    return rf"\.({''.join(f'[{c}{c.upper()}]' if c.isalpha() else c for c in letters)})$"


def _read_layers(value: Any) -> dict[str, float]:
    weights, faults = layer_weights(value)
    if faults:
        raise FaultyValueError(faults)
    return weights


class FaultyValueError(ValueError):
    """A map or list with faults, each with its place inside the value; pydantic hands it on to
    whoever words the message."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("faulty")
        self.faults = faults


def _layers_schema() -> dict[str, Any]:
    block = f"[1-{max(len(network.blocks) for network in NETWORKS.values())}]"
    number = f"[1-{max(convolutions for network in NETWORKS.values() for convolutions, _ in network.blocks)}]"
    convolution = f"(conv{block}_|block{block}_conv){number}({LINEAR})?"
    name = {"type": "string", "pattern": f"^({convolution}|relu{block}_{number}|(pool{block}|block{block}_pool))$"}
    most = max(len(network.activations) for network in NETWORKS.values())
    return {
        "anyOf": [
            {"type": "array", "items": name, "minItems": 1, "maxItems": most},
            {
                "type": "object",
                "propertyNames": name,
                "additionalProperties": {"type": "number", "minimum": 0},
                "minProperties": 1,
            },
            {
                "type": "object",
                "properties": {
                    "ratio": {"type": "number", "exclusiveMinimum": 0},
                    "layers": {"type": "array", "items": name, "minItems": 1, "maxItems": most},
                },
                "required": ["ratio"],
                "additionalProperties": False,
            },
        ]
    }


def _mixture_reader(rule: OptionRule) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        wanted, faults = mixture(value, [str(word) for word in rule.words])
        if faults:
            raise FaultyValueError(faults)
        return wanted

    return read


def _mixture_schema(rule: OptionRule) -> dict[str, Any]:
    names = {"enum": list(rule.words)}
    weights = {
        "type": "object",
        "propertyNames": names,
        "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
        "minProperties": 1,
    }
    return {"anyOf": [names, weights]}


def _word_or_path(rule: OptionRule) -> Callable[[str], str]:
    def check(value: str) -> str:
        if rule.text_fault(value):
            raise ValueError
        return value

    return check


OPTION_TYPES = {rule.name: Annotated[Any, _OfSeveral(_option_type(rule))] for rule in RULES.values()}
"""The pydantic type of each option in this version, by its name."""
