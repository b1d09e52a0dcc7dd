"""What we want of a picture: a tuple of terms, each a weighted distance (Eq. 7 of Gatys et al.).

What is fixed for a traced step are the terms. What changes from pair to pair, targets and weights,
are arguments, so that a hundred pairs of one shape share one trace.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from pipeline.nst import terms as known
from pipeline.nst.graphs import Call
from pipeline.nst.network import reduction
from pipeline.nst.own_terms import OptionsWithTerms
from pipeline.nst.pieces import Piece
from pipeline.nst.terms.part import Part, loss_of
from pipeline.nst.terms.sums import OverLayers, with_gradient_of_length
from pipeline.nst.terms.term import PICTURE, Measured, Probe, Sources, Target, Term, Weighted
from pipeline.options import Options
from pipeline.reading import OF_LAYER

TOTAL = "total"  # the sum's name among the losses
_CONTENT, _STYLE = "content", "style"  # names of losses, whichever distances they are

Targets = Mapping[str, Target]
"""Targets by the names of terms."""

Losses = Mapping[str, tf.Tensor]
"""One evaluation: float32 scalars, `total` first, then each term's by its name, already multiplied
by its weight: they sum to `total`. Parts of one loss (`terms/part`) are told as their sum. Names
with a stroke are shares of layers in a term."""


class LossWeights(NamedTuple):
    """Float32 scalars: a term's weight in the objective, and those of its layers (w_l of Eq. 5)."""

    term: tf.Tensor
    layers: Mapping[str, tf.Tensor]


class Probes:
    """What is to be known of an image, by several."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self.probes = tuple(probes)
        self.layers = tuple(sorted({layer for probe in self.probes for layer in probe.layers if layer != PICTURE}))
        """The network's layers that some of them look at."""

    def measure(
        self, maps: Mapping[str, Mapping[str, Any]], weights: Mapping[str, LossWeights] | None = None
    ) -> Callable[[str], Call]:
        """What must be known of a layer, by probe, as a function of the layer's name to one of its
        features (height, width, channels). `maps` are what that piece is compared with, by probe
        and layer. `weights` are for those whose gradients are brought to a length."""

        def of_layer(layer: str) -> Call:
            probes = tuple(probe for probe in self.probes if layer in probe.layers)
            here = {probe.name: maps[probe.name][layer] for probe in probes if layer in maps.get(probe.name, {})}
            lengths = {} if weights is None else self.lengths(layer, weights)
            key = (probes, reduction(layer)) if layer != PICTURE and _have_graphs(probes) else None
            return Call(key, functools.partial(_measured, probes, layer), (here, lengths), of_pieces=True)

        return of_layer

    @property
    def have_graphs(self) -> bool:
        """Can what they measure of layers be called?"""
        return _have_graphs(self.probes)

    def lengths(self, layer: str, weights: Mapping[str, LossWeights]) -> dict[str, tf.Tensor]:
        """To which absolute sums the gradients by a layer's features are brought, by probe."""
        return {}


def _have_graphs(probes: Sequence[Probe]) -> bool:
    return all(getattr(probe, "alike_by_reduction", False) for probe in probes)


def _measured(
    probes: Sequence[Probe],
    layer: str,
    features: tf.Tensor | Piece,
    maps: Mapping[str, Any],
    lengths: Mapping[str, tf.Tensor],
) -> dict[str, Any]:
    """What probes measure of a layer."""

    def seen_by(probe: Probe) -> tf.Tensor | Piece:
        if getattr(probe, "looks_up", False) and probe.name not in lengths:
            return features
        whole = features.whole if isinstance(features, Piece) else features
        return with_gradient_of_length(whole, lengths[probe.name]) if probe.name in lengths else whole

    return {probe.name: probe.measure(layer, seen_by(probe), maps.get(probe.name)) for probe in probes}


class Objective(Probes):
    """The loss of a picture, given targets and weights. With `normalized` the gradient of each
    term's share of a layer, by the layer's features, is brought to an absolute sum of 1 and then
    multiplied by its weights, where these are given to `measure`."""

    def __init__(self, terms: Sequence[Term], *, normalized: bool = False) -> None:
        super().__init__(terms)
        self.terms, self.normalized = tuple(terms), normalized

    def lengths(self, layer: str, weights: Mapping[str, LossWeights]) -> dict[str, tf.Tensor]:
        """Those of terms' shares of it: their weights."""
        if not self.normalized or layer == PICTURE:
            return {}
        of_terms = {term.name: weights[term.name] for term in self.terms if layer in term.layers}
        return {name: weight * layers.get(layer, 1.0) for name, (weight, layers) in of_terms.items()}

    @property
    def needs_start(self) -> bool:
        """Does a target depend on the picture with which a size begins?"""
        return any(term.needs_start for term in self.terms)

    def targets(self, sources: Sources) -> dict[str, Target]:
        """What the picture is compared with, by term."""
        return {term.name: term.target(sources) for term in self.terms}

    def losses(
        self,
        measured: Mapping[str, Measured],
        targets: Targets,
        weights: Mapping[str, LossWeights],
    ) -> dict[str, tf.Tensor]:
        """The losses of a picture, from what was measured of it, by layer and term; then the share
        of each layer in those that are sums over layers (`style/block1_conv1`)."""
        found: dict[str, tf.Tensor] = {}
        by_layer: dict[str, tf.Tensor] = {}
        for term in self.terms:
            of_term = {layer: measured[layer][term.name] for layer in term.layers}
            weight, layers = weights[term.name]
            inner = term.term if isinstance(term, Part) else term
            if isinstance(inner, OverLayers):
                distances = inner.distances(of_term, targets[term.name])
                loss = weight * inner.summed(distances, layers)
                shares = inner.shares(distances, layers)
                by_layer |= {f"{term.name}{OF_LAYER}{layer}": weight * share for layer, share in shares.items()}
            else:
                loss = weight * term.distance(of_term, targets[term.name], layers)
            name = loss_of(term)
            found[name] = found[name] + loss if name in found else loss
        return {TOTAL: functools.reduce(tf.add, found.values()), **found, **by_layer}


def maps_of(targets: Targets) -> dict[str, Mapping[str, Any]]:
    """The targets' maps, by term and layer."""
    return {name: target.maps for name, target in targets.items() if target.maps}


def objective_of(options: Options, *, last_pass: bool = False) -> Objective:
    """The objective that a pair asks for, without its targets and weights; in the `last_pass` with
    the terms that stand for others there."""
    terms = [(last_pass and weighted.last_pass) or weighted.term for weighted in _weighted(options)]
    return Objective(terms, normalized=options.normalize_gradients == "l1")


def weights_of(options: Options, content: float = 1.0) -> dict[str, LossWeights]:
    """The weights that a pair asks for, by term; that of the content times `content`."""
    power = 2 if options.normalize_gradients == "squared" else 1
    return {
        term.name: LossWeights(
            tf.constant(_weight(term, weight, power) * (content if term.name == _CONTENT else 1.0), tf.float32),
            {layer: tf.constant(share, tf.float32) for layer, share in sorted(layers.items())},
        )
        for term, weight, layers, _last_pass in _weighted(options)
    }


def _weight(term: Term, weight: float, power: int) -> float:
    """`normalize_gradients: squared`, as ProGamerGov's neural-style-pt has it (neural_style.py,
    `ScaleGradients`, at 7251405): what is normalised there is the gradient by the scalar loss,
    which is the weight, and it is then multiplied by the weight's square."""
    return weight**power if loss_of(term) in (_CONTENT, _STYLE) else weight


def _weighted(options: Options) -> list[Weighted]:
    found: list[Weighted] = []
    for make in known.TERMS:
        made = make(options)
        found += made if isinstance(made, list) else [made] if made is not None else []
    if isinstance(options, OptionsWithTerms):
        found += options.own_terms
    return found
