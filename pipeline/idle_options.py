"""Which options decide nothing in the company of the others. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.options import Options


def without_effect(options: Options) -> frozenset[str]:
    """Options that decide nothing in the company of the others, as `seed` where nothing is noise:
    whatever they are, the picture is the same."""
    return frozenset(name for names, decides in _DECIDING.items() if not decides(options) for name in names)


def _has_noise(options: Options) -> bool:
    return options.init == "noise" and options.noise_ratio > 0


# distances of the style that look at layers of their own
_OF_THEIR_OWN = frozenset({"transport", "neighbours"})

# Options and when they decide something; those not named here always do.
_DECIDING: Mapping[tuple[str, ...], Callable[[Options], bool]] = {
    ("enlarge",): lambda options: options.size != "original",
    ("learning_rate", "learning_rate_decay"): lambda options: options.optimizer != "lbfgs",
    ("beta_1", "beta_2"): lambda options: options.optimizer == "adam",
    ("preconditioner", "history"): lambda options: options.optimizer == "lbfgs",
    ("noise_ratio",): lambda options: options.init == "noise",
    ("noise_level",): lambda options: _has_noise(options),
    ("seed",): lambda options: _has_noise(options) or options.samples or "neighbours" in options.style_losses,
    ("content_loss",): lambda options: options.content_weight > 0,
    ("content_layers",): lambda options: options.content_weight > 0 and options.content_loss == "features",
    ("style_layers",): lambda options: options.style_weight > 0 and not _OF_THEIR_OWN.issuperset(options.style_losses),
    ("tv_kind", "tv_unit"): lambda options: options.tv_weight > 0,
    ("match_color",): lambda options: options.match_strength > 0,
    ("match_strength",): lambda options: options.match_color != "none",
}
