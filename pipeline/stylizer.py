"""Pictures from Python: `stylize` for one, `Stylizer` for many, with a word in between."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pipeline.errors import EnvironmentProblem
from pipeline.given_styles import count_of, frames_of, maps_of, shares_of
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

    from pipeline.given_styles import Styles
    from pipeline.keywords import OptionKeywords
    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.terms.term import Term, Weighted
    from pipeline.nst.weights import NetworkWeights
    from pipeline.pictures import Source
    from pipeline.sequence import PaintedFrame

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
        from pipeline.nst.precision import automatic_precision
        from pipeline.nst.weights import locate

        wanted = options_from_python({**self._options, **options}, texture=content is None)
        shares, of_styles = shares_of(style)
        masks = MaskSources(of_styles, content_mask, maps_of(regions, len(shares)))
        with _turn:  # of opening too: what Pillow warns of is a program's, not a thread's
            pictures = open_pictures(content, shares, wanted, masks=masks)
            _look_for_a_fork()
            load_tensorflow()
            schedule = pictures.schedule(wanted, Machine(precision=automatic_precision()[0]))
            weights = locate(wanted.weights)
            engine = self._engine_for(weights, wanted)
            result = _result_of(paint(pictures, _with_terms(wanted, terms), schedule, engine), callback)
        return replace(result, settings=_settings(pictures, wanted, weights, result, schedule.size))

    def frames(
        self, frames: Iterable[Source], style: Styles, /, **options: Unpack[OptionKeywords]
    ) -> Iterator[PaintedFrame]:
        """Paint the frames of a clip, one after the other as they come, so that they hold together.

        `frames` are pictures of one size, as `stylize` takes them; with `loop=True` a list of them,
        as its end must be known. Each painted frame has `pixels`, `alpha`, its losses `first` and
        `last`, whether a shot begins with it (`cut`), and how much differs from the frame before
        that should not, in grey levels: `flicker`, and the photograph's `own_flicker`. No more than
        ten frames are kept. Raises as `stylize` does, and BadImage for a frame of another size.
        """
        from pipeline.manifest import options_from_python

        wanted = options_from_python({**self._options, **options}, texture=False)
        shares, of_styles = shares_of(style)
        count = count_of(frames, wanted)
        return self._painted(frames_of(frames), count, shares, MaskSources(of_styles, None, None), wanted)

    def _painted(
        self,
        frames: Iterator[Source],
        count: int,
        shares: list[tuple[Source, float]],
        masks: MaskSources,
        wanted: Options,
    ) -> Iterator[PaintedFrame]:
        """Shot by shot, as those of a manifest are (batch/clip_walk)."""
        from pipeline.clips.flow import is_cut
        from pipeline.images.encode import to_uint8
        from pipeline.nst.importing import load_tensorflow
        from pipeline.nst.precision import automatic_precision
        from pipeline.nst.weights import locate
        from pipeline.sequence import FrameIn, Sequence
        from pipeline.stylize import result_of

        shot: Sequence | None = None
        before: Any = None
        for number, source in enumerate(frames):
            with _turn:
                if shot is None:
                    pictures = open_pictures(source, shares, wanted, masks=masks)
                    _look_for_a_fork()
                    load_tensorflow()
                    schedule = pictures.schedule(wanted, Machine(precision=automatic_precision()[0]))
                    engine = self._engine_for(locate(wanted.weights), wanted)
                frame = FrameIn(number, open_content(source, wanted) if shot else pictures.content)
                here = to_uint8(frame.picture.resized(*schedule.size)[0])
                cut = shot is not None and is_cut(here, before)
                if shot is None or cut:
                    shot = Sequence(pictures, wanted, schedule, engine, frames=count, loop=wanted.loop)
                before = here
                painted = result_of(shot.paint(frame))
            yield replace(painted, cut=True) if cut else painted

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
_painted_in = 0  # the process in which pictures are painted; 0 before the first
_shared = Stylizer()


def _after_fork() -> None:
    """The thread that held the lock is not in the new process."""
    global _turn
    _turn = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def _look_for_a_fork() -> None:
    """Raises EnvironmentProblem in a process that was forked from one that has painted: TensorFlow
    would wait without end for its threads, which are not there."""
    global _painted_in
    if _painted_in not in (0, os.getpid()):
        raise EnvironmentProblem(
            "this process was forked from one that has painted, which TensorFlow does not survive; start it by"
            " multiprocessing.get_context('spawn'), or paint in the forked processes alone"
        )
    _painted_in = os.getpid()


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


def _result_of(painting: Painting, callback: Callback | None) -> Stylization:
    """What a painting comes to, the callback being asked after each step."""
    goes_on: bool | None = None
    best = _Best()
    with closing(best), closing(painting):
        while True:
            try:
                reading, snapshot = painting.send(goes_on)
            except StopIteration as end:
                result: Stylization = end.value
                return result
            if callback is not None:
                best.snapshot = snapshot
                goes_on = not _is_false(callback(reading, best))


class _Best:
    """The best picture of a painting so far, before colours and strength. When the painting ends,
    this keeps its last: another painting takes over the descent."""

    snapshot: Callable[[], Progress] | None = None
    _pixels: Any = None

    def __call__(self) -> Image.Image:
        import numpy as np

        from pipeline.images.encode import to_pillow, to_uint8

        found = self._pixels if self.snapshot is None else self.snapshot().arrays["best"]
        return to_pillow(to_uint8(np.asarray(found, np.float32)), None)

    def close(self) -> None:
        """The painting has ended."""
        if self.snapshot is not None:
            self._pixels, self.snapshot = self.snapshot().arrays["best"], None


def _is_false(answer: Any) -> bool:
    """Is it False, or the False of NumPy or TensorFlow, which comparisons of their numbers give?"""
    if isinstance(answer, bool) or not hasattr(answer, "dtype"):
        return answer is False
    return answer.dtype.name in ("bool", "bool_") and tuple(answer.shape) == () and not bool(answer)


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
