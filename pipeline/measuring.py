"""How near a picture is to a photograph and to a style, layer by layer and in figures: of any
picture, whoever painted it.

One unit for all: the distances of `losses: normalized`, in float32. A content of 0 is the
photograph itself, one of 1 differs from it by as much as is in it; a style of 0 has the style's own
Gram matrix, one of 1000 nothing of it. So pictures of all presets and programs can be compared.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadImage
from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.reading import OF_LAYER
from pipeline.schedule import Machine, style_side
from pipeline.stage_inputs import sources, stage_inputs

if TYPE_CHECKING:
    from pipeline.images.picture import Picture
    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.terms.term import Weighted
    from pipeline.pictures import Source

# Shares of a side that two pictures of one scene may differ by: rounding of 32 px is 1.6 %.
_SAME_SHAPE = 0.02
_AT = "@"  # between a term's name and its layer's


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What there is to say of one picture. `size` is (width, height) in pixels; `content` and
    `style` are distances by Keras' layer names; `tv` is total variation, the mean square difference
    of neighbours as a share of 255²; `figures` are those of `images/quality`, which need no
    network, the means of several styles; `weights` are the network's name and hash."""

    picture: str
    size: tuple[int, int]
    content: Mapping[str, float]
    style: Mapping[str, float]
    tv: float
    figures: Mapping[str, float]
    weights: Mapping[str, str]


def measure(
    pictures: Sequence[Source], content: Source, styles: Sequence[tuple[Source, float]], options: Options
) -> list[Measurement]:
    """Each of the pictures against one content and a blend of styles. Of `options` the layers, the
    network and how styles are scaled count, and nothing else.

    Raises BadImage for a picture that cannot be opened or has another shape than the content,
    WeightsError where the network is missing.
    """
    from pipeline.images.picture import open_any
    from pipeline.nst.weights import locate

    plain = _in_one_unit(options)
    opened = [open_any(picture) for picture in pictures]
    photograph = open_any(content)
    for picture in opened:
        _check_shape(picture, photograph)
    weights = locate(plain.weights)
    from pipeline.nst.engine import TransferEngine  # seconds, which what is wrong above need not wait

    engine = TransferEngine(weights, plain)
    found = []
    for picture in opened:
        side = style_side(plain, max(picture.size))
        blend = tuple((open_any(style, side), share) for style, share in styles)
        pixels, alpha = photograph.resized(*picture.size)
        seen = Pictures(replace(photograph, pixels=pixels, alpha=alpha), blend)
        losses = _losses(picture, seen, plain, engine)
        found.append(
            Measurement(
                picture=picture.name,
                size=picture.size,
                content=_by_layer(losses, "content"),
                style=_by_layer(losses, "style"),
                tv=losses["tv"],
                figures=_figures(picture, seen),
                weights={"name": weights.name, "sha256": weights.sha256},
            )
        )
    return found


def _in_one_unit(options: Options) -> Options:
    weights = {"content_weight": 1.0, "style_weight": 1.0, "tv_weight": 1.0}
    kinds = {"losses": "normalized", "style_loss": "gram", "content_loss": "features"}
    variation = {"tv_unit": "losses", "tv_kind": "squares"}
    colours = {"preserve_color": "none", "match_color": "none"}
    given: dict[str, Any] = {**weights, **kinds, **variation, **colours}
    return replace(options, size="original", precision="float32", scales=1, init="content", **given)


def _check_shape(picture: Picture, content: Picture) -> None:
    """Raises BadImage for a picture that cannot show what the content shows."""
    (width, height), (its_width, its_height) = picture.size, content.size
    if abs(width * its_height / (height * its_width) - 1) > _SAME_SHAPE:
        raise BadImage(
            f"{picture.name} is {width}x{height} pixels and the content {content.name} {its_width}x{its_height}; "
            "a painting of it has its shape"
        )


def _losses(picture: Picture, pictures: Pictures, options: Options, engine: TransferEngine) -> dict[str, float]:
    from pipeline.nst.engine import Setting
    from pipeline.nst.objective import objective_of, weights_of
    from pipeline.nst.own_terms import OptionsWithTerms

    own = OptionsWithTerms(**options.all_values(), own_terms=_layer_by_layer(options))
    stage = pictures.schedule(own, Machine(precision="float32")).finish
    inputs = stage_inputs(pictures, own, stage)
    seen = sources(pictures, inputs, own, engine, picture.pixels)
    targets = objective_of(own).targets(seen)
    setting = Setting(own, stage.precision, stage.tiling)
    found = engine.measurer(setting, picture.pixels.shape).losses(picture.pixels, targets, weights_of(own))
    return {name: float(loss) for name, loss in found.items()}


def _layer_by_layer(options: Options) -> tuple[Weighted, ...]:
    """A term for each layer of content and style, so that each is told by itself."""
    from pipeline.nst.terms.content import Content
    from pipeline.nst.terms.gram import Gram
    from pipeline.nst.terms.part import Part
    from pipeline.nst.terms.term import Weighted

    content = (Part(f"content{_AT}{layer}", Content((layer,), options.losses)) for layer in options.content_layers)
    style = (Part(f"style{_AT}{layer}", Gram((layer,), options.losses)) for layer in options.style_layers)
    return tuple(Weighted(term, 1.0, dict.fromkeys(term.layers, 1.0)) for term in (*content, *style))


def _by_layer(losses: Mapping[str, float], kind: str) -> dict[str, float]:
    named = f"{kind}{_AT}"
    return {
        name.removeprefix(named): loss
        for name, loss in losses.items()
        if name.startswith(named) and OF_LAYER not in name
    }


def _figures(picture: Picture, pictures: Pictures) -> dict[str, float]:
    from pipeline.images.encode import to_uint8
    from pipeline.images.quality import quality

    painted, photograph = to_uint8(picture.pixels), to_uint8(pictures.content.pixels)
    found = [asdict(quality(painted, photograph, to_uint8(style.pixels))) for style, _share in pictures.styles]
    return {name: sum(each[name] for each in found) / len(found) for name in found[0]}


def main() -> None:
    """The process that measures for the command: a question in JSON on stdin, the answer on stdout,
    which libraries do not get."""
    import json
    import os

    from pipeline.errors import StylizeError

    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asked = json.load(sys.stdin)
    try:
        styles = [(style, 1.0) for style in asked["styles"]]
        given: dict[str, Any] = asked["options"]  # JSON has no tuples
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        found = measure(asked["pictures"], asked["content"], styles, Options(**values))
        answer: dict[str, Any] = {"found": [asdict(each) for each in found]}
    except StylizeError as error:
        answer = {"error": str(error), "exit_code": int(error.exit_code)}
    with answers:
        json.dump(answer, answers)


if __name__ == "__main__":
    main()
