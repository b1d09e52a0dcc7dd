"""Terms of a caller's own, beside those that options ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pipeline.errors import OptionError
from pipeline.given_styles import number_given
from pipeline.nst.network import NETWORKS
from pipeline.nst.terms.part import POINT
from pipeline.nst.terms.term import PICTURE, Term, Weighted
from pipeline.options import Options
from pipeline.reading import NO_LOSSES, OF_LAYER

# names of losses that every objective has, and of what else there is in a row of a trace
_TAKEN = ("total", "content", "style", "tv", *NO_LOSSES)
_OF_A_TERM = ("name", "layers", "combine", "needs_start", "target", "measure", "distance")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionsWithTerms(Options):
    """Options of a pair whose objective has further terms."""

    own_terms: tuple[Weighted, ...] = ()


def with_terms(options: Options, terms: Sequence[Weighted | tuple[Term, float]]) -> Options:
    """The options with these terms, each with its weight; a pair's layers weigh 1 each. Raises
    OptionError for what is no term, and for a name or a layer that cannot be."""
    if not isinstance(terms, list | tuple):
        raise OptionError(f"terms must be a list of (term, weight). Received: {type(terms).__name__}")
    own = tuple(_weighted(term, options) for term in terms)
    names = [weighted.term.name for weighted in own]
    for name in names:
        if not _can_be_told(name) or name in _TAKEN or names.count(name) > 1:
            raise OptionError(f"a term of your own needs a name of its own, without '.' and '/'. Received: {name!r}")
    values: dict[str, Any] = {field.name: getattr(options, field.name) for field in fields(Options)}
    return OptionsWithTerms(**values, own_terms=own)


def _can_be_told(name: Any) -> bool:
    """May a loss have this name? A point in it would make it a part of another loss, a slash a
    layer's share."""
    return isinstance(name, str) and bool(name.strip()) and POINT not in name and OF_LAYER not in name


def _weighted(given: Any, options: Options) -> Weighted:
    if isinstance(given, Weighted):
        term, weight = given.term, given.weight
    else:
        try:
            term, weight = given
        except (TypeError, ValueError):
            raise OptionError(f"terms must be a list of (term, weight). Received: {given!r}") from None
    if missing := [name for name in _OF_A_TERM if not hasattr(term, name)]:
        raise OptionError(f"a term has {', '.join(_OF_A_TERM)}; {type(term).__name__} lacks {', '.join(missing)}")
    if not 0 <= (number := number_given(weight)) < math.inf:
        raise OptionError(f"the weight of a term must be a number, 0 or more. Received: {weight!r}")
    try:
        hash(term)
    except TypeError:
        raise OptionError(f"a term must be hashable, as a frozen dataclass is; {type(term).__name__} is not") from None
    known = NETWORKS[options.network].activations
    layers = [layer for layer in term.layers if layer != PICTURE]
    if wrong := [layer for layer in layers if layer not in known]:
        raise OptionError(f"term {term.name!r}: network {options.network} has no layer {wrong[0]!r}, by Keras' names")
    return given if isinstance(given, Weighted) else Weighted(term, number, dict.fromkeys(layers, 1.0))
