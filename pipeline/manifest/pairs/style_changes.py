"""`style_at`: styles that change along a clip, by the number of a frame."""

from __future__ import annotations

from pathlib import Path

from pipeline.clip_names import MOST_FRAMES
from pipeline.job import StyleImage
from pipeline.manifest.pairs.choices import Chooser, Picture
from pipeline.manifest.yaml.problems import Problems, shorten
from pipeline.manifest.yaml.tree import MapNode, Node
from pipeline.style_at import StyleAt, mean_shares, shares_at


def read_styles(pair: MapNode, chooser: Chooser, problems: Problems) -> Picture | None:
    """The styles of a pair, as `style` or `style_at` says; None with the faults noted."""
    if "style_at" not in pair.entries:
        return chooser.of_pair("style", pair.entries["style"].node)
    place = pair.entries["style_at"].place
    beside = [key for key in ("style", "regions") if key in pair.entries]
    for key in beside:
        problems.add(place, f"'style_at' says which styles there are; take '{key}' away")
    style = read_style_at(pair.entries["style_at"].node, chooser, problems)
    return None if beside else style


def read_style_at(node: Node, chooser: Chooser, problems: Problems) -> Picture | None:
    """All styles of a map of frames as one blend, each once, which knows its shares by frame; None
    with every fault noted."""
    assert isinstance(node, MapNode)
    named: dict[int, Picture] = {}
    is_sound = True
    for text, entry in node.entries.items():
        picture = chooser.of_pair("style", entry.node)
        number = _number(text)
        if number is None:
            problems.add(
                entry.place, f"'{shorten(text)}' is no number of a frame; they are whole, from 0 to {MOST_FRAMES}"
            )
        elif picture is not None and any(any(masks) for masks in picture.masks):
            problems.add(
                entry.place, "a style of 'style_at' has no 'mask'; take it away, or paint in regions with 'style'"
            )
        elif picture is not None:
            named[number] = picture
            continue
        is_sound = False
    return _joined(dict(sorted(named.items()))) if is_sound else None


def at_beginning(picture: Picture) -> Picture:
    """The styles as they are in a clip's first frame, which is painted as a picture."""
    if not picture.at:
        return picture
    shares = shares_at(picture.at, 0)
    there = [number for number, share in enumerate(shares) if share > 0]
    return Picture(
        tuple(picture.names[number] for number in there),
        tuple(StyleImage(picture.images[number].image, shares[number]) for number in there),
        picture.fields,
        picture.places,
        picture.homes,
    )


def _number(text: str) -> int | None:
    """The number of a frame, as it is written without zeros before it."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MOST_FRAMES)) else None
    return number if number is not None and str(number) == text and number <= MOST_FRAMES else None


def _joined(named: dict[int, Picture]) -> Picture:
    files: dict[Path, str] = {}
    for picture in named.values():
        for name, image in zip(picture.names, picture.images, strict=True):
            files.setdefault(image.image, name)
    points: StyleAt = tuple((frame, _shares(picture, list(files))) for frame, picture in named.items())
    return Picture(
        tuple(files.values()),
        tuple(StyleImage(file, share) for file, share in zip(files, mean_shares(points), strict=True)),
        {
            field: "+".join(dict.fromkeys(picture.fields[field] for picture in named.values()))
            for field in next(iter(named.values())).fields
        },
        {path: place for picture in named.values() for path, place in picture.places.items()},
        {path: home for picture in named.values() for path, home in picture.homes.items()},
        at=points,
    )


def _shares(picture: Picture, files: list[Path]) -> tuple[float, ...]:
    """The share of each of the files in one frame's styles."""
    return tuple(float(sum(image.weight for image in picture.images if image.image == file)) for file in files)
