"""Pictures from Python: `stylize` for one, `Stylizer` for many, with a word in between."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from numbers import Real
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pipeline.errors import OptionError
from pipeline.options import Options
from pipeline.pictures import Pictures, open_content, open_pictures
from pipeline.reading import Reading
from pipeline.regions import MaskSources
from pipeline.schedule import Machine
from pipeline.stylization import Stylization
from pipeline.stylize import Painting, Progress, paint

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, TypeAlias, Unpack

    from PIL import Image

    from pipeline.keywords import OptionKeywords
    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.terms.term import Term, Weighted
    from pipeline.nst.weights import NetworkWeights
    from pipeline.pictures import Source
    from pipeline.sequence import PaintedFrame

    Style: TypeAlias = Source | tuple[Source, float] | Mapping[str, Any]
    Styles: TypeAlias = Style | Sequence[Style]
    OwnTerm: TypeAlias = Weighted | tuple[Term, float]

Callback = Callable[[Reading, Callable[[], "Image.Image"]], object]
"""Called after each step with its reading, and with a function that makes the best picture so far,
at the size of the step. What it returns: False stops the painting, which keeps the best."""


class Stylizer:
    """Paints many pictures with one network, which is loaded with the first of them:

        with Stylizer(size=512, preset="fine") as paint:
            for name in ("a.jpg", "b.jpg"):
                paint(name, "starry.jpg").save(f"painted-{name}")

    `options` are those of every picture; a call may have others. At the end of the block, or by
    `close()`, the network and what was traced of it are let go. Raises OptionError, as a call does.
    """

    def __init__(self, **options: Unpack[OptionKeywords]) -> None:
        if options:  # what is wrong is told here, and not with the first picture
            from pipeline.manifest import options_from_python

            options_from_python(options)
        self._options = options
        self._engine: TransferEngine | None = None

    def __call__(
        self,
        content: Source | None,
        style: Styles,
        *,
        content_mask: Source | None = None,
        regions: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        terms: Sequence[OwnTerm] = (),
        **options: Unpack[OptionKeywords],
    ) -> Stylization:
        """Paint one picture, as `stylize` does."""
        from pipeline.manifest import options_from_python
        from pipeline.nst.importing import load_tensorflow
        from pipeline.nst.precision import effective_precision
        from pipeline.nst.weights import locate

        wanted = options_from_python({**self._options, **options}, texture=content is None)
        shares, of_styles = _shares(style)
        masks = MaskSources(of_styles, content_mask, _maps(regions, len(shares)))
        with _turn:  # of opening too: what Pillow warns of is a program's, not a thread's
            pictures = open_pictures(content, shares, wanted, masks=masks)
            load_tensorflow()
            schedule = pictures.schedule(wanted, Machine(precision=effective_precision("auto")))
            weights = locate(wanted.weights)
            engine = self._engine_for(weights, wanted)
            result = _result_of(paint(pictures, _with_terms(wanted, terms), schedule, engine), callback)
        return replace(result, settings=_settings(pictures, wanted, weights, result, schedule.size))

    def frames(
        self, frames: Iterable[Source], style: Styles, /, **options: Unpack[OptionKeywords]
    ) -> Iterator[PaintedFrame]:
        """Paint the frames of a clip, one after the other as they come, so that they hold together.

        `frames` are pictures of one size, as `stylize` takes them. Each painted frame has `pixels`,
        `alpha`, its losses `first` and `last`, whether a shot begins with it (`cut`), and how much
        differs from the frame before that should not, in grey levels: `flicker`, and the
        photograph's `own_flicker`. No more than nine frames are kept. Raises as `stylize` does, and
        BadImage for a frame of another size.
        """
        from pipeline.manifest import options_from_python

        wanted = options_from_python({**self._options, **options}, texture=False)
        shares, of_styles = _shares(style)
        return self._painted(_one_by_one(frames), shares, MaskSources(of_styles, None, None), wanted)

    def _painted(
        self, frames: Iterator[Source], shares: list[tuple[Source, float]], masks: MaskSources, wanted: Options
    ) -> Iterator[PaintedFrame]:
        from pipeline.nst.importing import load_tensorflow
        from pipeline.nst.precision import effective_precision
        from pipeline.nst.weights import locate
        from pipeline.sequence import FrameIn, Sequence
        from pipeline.stylize import result_of

        clip: Sequence | None = None
        for number, source in enumerate(frames):
            with _turn:
                if clip is None:
                    pictures = open_pictures(source, shares, wanted, masks=masks)
                    load_tensorflow()
                    schedule = pictures.schedule(wanted, Machine(precision=effective_precision("auto")))
                    engine = self._engine_for(locate(wanted.weights), wanted)
                    clip = Sequence(pictures, wanted, schedule, engine, frames=0)
                    frame = FrameIn(number, pictures.content)
                else:
                    frame = FrameIn(number, open_content(source, wanted))
                painted = result_of(clip.paint(frame))
            yield painted

    def close(self) -> None:
        """Let go of the network. Waits for a painting of another thread; the next call loads it
        again."""
        with _turn:
            if self._engine is not None:
                from pipeline.nst.engine import give_back_memory

                self._engine = None
                give_back_memory()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _engine_for(self, weights: NetworkWeights, options: Options) -> TransferEngine:
        """The network of the last call where it serves."""
        from pipeline.nst.engine import TransferEngine

        if self._engine is None or not self._engine.serves(weights, options):
            self._engine = None  # before the next is loaded: both at once need not fit
            self._engine = TransferEngine(weights, options)
        return self._engine


_turn = threading.RLock()  # held by the thread whose picture is painted
_shared = Stylizer()


def stylize(
    content: Source | None,
    style: Styles,
    *,
    content_mask: Source | None = None,
    regions: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    terms: Sequence[OwnTerm] = (),
    **options: Unpack[OptionKeywords],
) -> Stylization:
    """Paint one picture: `stylize("photo.jpg", "starry.jpg", size=512, seed=7).save("out.png")`.

    `content` and `style` are paths, Pillow images or arrays: uint8 in 0..255 or floats in 0..1, of
    the shape (height, width), grey, or (height, width, 3 or 4), RGB or RGBA. `style` may be a list
    of them, or of pairs with their share in the blend: `[("kandinsky.jpg", 2), ("wave.jpg", 1)]`.

    A style may also be what it is in a manifest, `{"image": "wave.jpg", "weight": 2, "mask":
    "sky.png"}`: the mask, grey, says where in the content it is painted; `{"content": ..., "style":
    ...}` also what of the style is looked at. `content_mask` says where the photograph is kept,
    and `regions`, `{"content": ..., "style": ...}`, are colour-coded maps. All of them may be
    paths, Pillow images or arrays.

    Every option of a manifest's pair is a keyword. `callback(reading, picture)` is called after
    each step: `reading` has `step`, `side`, `total` and the other losses, `picture()` is the best
    picture so far; returning False stops there and keeps it. `terms` are distances of your own, as
    pairs of a term and its weight, beside those of the options.

    Raises OptionError, a ValueError, naming a wrong option and what it may be; BadImage for a
    picture that cannot be opened; WeightsError where the network is missing; Diverged where the
    loss became infinite.

    Threads may call it at once: each gets its own picture, and they are painted one after the
    other, as one painting keeps all cores busy. The network and what was traced of it are kept for
    the next call, until `release()`. Everything happens in the caller's process, decoding too:
    nobody keeps a clock or a limit of memory, as a night's processes do, so a file that was made to
    take an hour takes an hour.
    """
    return _shared(
        content, style, content_mask=content_mask, regions=regions, callback=callback, terms=terms, **options
    )


def release() -> None:
    """Let go of what `stylize` keeps between calls, the network and what was traced of it: hundreds
    of megabytes, and more with every shape that was painted. The next call loads it again, in
    seconds. Waits for a painting of another thread."""
    _shared.close()


def _shares(style: Styles) -> tuple[list[tuple[Source, float]], list[tuple[Any, Any]]]:
    """One style or a list of them as pairs of source and share, and their masks, on the content and
    their own."""
    with_share = isinstance(style, tuple) and len(style) == 2 and isinstance(style[1], Real)
    entries = style if isinstance(style, list | tuple) and not with_share else [style]
    if not entries:
        raise OptionError("style must be a picture or a list of at least one. Received: []")
    pairs, masks = [], []
    for entry in entries:
        pair, own = _one_style(entry)
        share = pair[1] if len(pair) == 2 else None
        if not 0 < (number := _number(share)) < math.inf:
            shown = repr(share) if isinstance(share, str | Real | None) else type(share).__name__
            raise OptionError(f"a style with a share must be (picture, number above 0). Received the share: {shown}")
        pairs.append((pair[0], number))
        masks.append(own)
    return pairs, masks


def _one_by_one(frames: Any) -> Iterator[Any]:
    """The frames of a clip, which no path is: its letters would be taken for them."""
    try:
        if not isinstance(frames, str | bytes):
            return iter(frames)
    except TypeError:
        pass
    raise OptionError(
        "frames must be pictures one after the other, as a list of them; a file that is a clip is painted by"
        f" 'stylize paint'. Received: {type(frames).__name__}"
    )


def _one_style(entry: Any) -> tuple[Any, tuple[Any, Any]]:
    """A style with its share, and its masks."""
    if not isinstance(entry, Mapping):
        return entry if isinstance(entry, tuple) else (entry, 1.0), (None, None)
    if "image" not in entry or not entry.keys() <= {"image", "weight", "mask"}:
        raise OptionError(f"a style is {{'image': ..., 'weight': ..., 'mask': ...}}. Received: {_keys(entry)}")
    mask = entry.get("mask")
    both = mask if isinstance(mask, Mapping) else {"content": mask}
    if not both.keys() <= {"content", "style"}:
        raise OptionError(f"a mask is a picture, or {{'content': ..., 'style': ...}}. Received: {_keys(both)}")
    return (entry["image"], entry.get("weight", 1.0)), (both.get("content"), both.get("style"))


def _number(share: Any) -> float:
    """A share as a float, NumPy's too; 0 for what is no number."""
    try:
        return float(share) if isinstance(share, Real) and not isinstance(share, bool) else 0.0
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf


def _keys(given: Any) -> str:
    """What a message says was got in the place of a table: its names, or what it is."""
    return ", ".join(map(str, given)) or "{}" if isinstance(given, Mapping) else type(given).__name__


def _maps(regions: Mapping[str, Any] | None, count: int) -> tuple[Any, list[Any]] | None:
    """Region maps of the content and of so many styles."""
    if regions is None:
        return None
    if not isinstance(regions, Mapping) or regions.keys() != {"content", "style"}:
        raise OptionError(f"regions are {{'content': ..., 'style': ...}}. Received: {_keys(regions)}")
    styles = list(regions["style"]) if isinstance(regions["style"], list | tuple) else [regions["style"]]
    if len(styles) != count:
        raise OptionError(f"regions must have one map for each of the {count} styles. Received: {len(styles)}")
    return regions["content"], styles


def _result_of(painting: Painting, callback: Callback | None) -> Stylization:
    """What a painting comes to, the callback being asked after each step."""
    goes_on: bool | None = None
    with closing(painting):
        while True:
            try:
                reading, snapshot = painting.send(goes_on)
            except StopIteration as end:
                result: Stylization = end.value
                return result
            answer = None if callback is None else callback(reading, lambda taken=snapshot: _picture_of(taken()))  # type: ignore[misc]
            goes_on = not _is_false(answer)


def _is_false(answer: Any) -> bool:
    """Is it False? NumPy's and TensorFlow's are too: comparisons of their numbers give those."""
    if isinstance(answer, bool) or not hasattr(answer, "dtype"):
        return answer is False
    return answer.dtype.name in ("bool", "bool_") and tuple(answer.shape) == () and not bool(answer)


def _picture_of(progress: Progress) -> Image.Image:
    """The best picture of a snapshot, before colours and strength."""
    import numpy as np

    from pipeline.images.encode import to_pillow, to_uint8

    return to_pillow(to_uint8(np.asarray(progress.arrays["best"], np.float32)), None)


def _with_terms(options: Options, terms: Sequence[OwnTerm]) -> Options:
    """The options, with terms of the caller's own. Raises OptionError for what is none."""
    if not terms:
        return options
    from pipeline.nst.own_terms import with_terms

    return with_terms(options, terms)


def _settings(
    pictures: Pictures, options: Options, weights: NetworkWeights, result: Stylization, painted: tuple[int, int]
) -> dict[str, Any]:
    """What a picture's file says of its making, in the words of a night's; no path of this
    machine."""
    shown = options.as_dict()
    for name in ("init", "weights"):
        shown[name] = PurePath(shown[name]).name
    height, width = result.pixels.shape[:2]
    return {
        "content": "" if options.is_texture else pictures.content.name,
        "style": [
            {"image": style.name, "weight": share} | pictures.shown_masks(number)
            for number, (style, share) in enumerate(pictures.styles)
        ],
        **pictures.shown_masks(),
        "options": shown,
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "sha256": pictures.hashes(),
        "size": [width, height],
        **({} if painted == (width, height) else {"painted_size": list(painted)}),
        "steps": len(result.trace),
        "losses": {"first": dict(result.first), "last": dict(result.last)},
        "meta": {},
    }
