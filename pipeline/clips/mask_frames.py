"""Which file of a folder of masks belongs to which frame of a clip. Names alone are looked at;
standard library only.

Of numbered frames it is the one with the frame's number. Of others, whose frames have no numbers of
their own, masks count in their order, whatever the first is called.
"""

from __future__ import annotations

import os

from pipeline.clips.listing import gaps, is_numbered, numbered_files
from pipeline.errors import BadImage
from pipeline.printable import printable

_MOST_TOLD = 5  # frames without a mask


def mask_frames(
    masks: str | os.PathLike[str], clip: str | os.PathLike[str], frames: int, *, damaged: bool = False
) -> list[str]:
    """The mask of each frame of a clip, which has so many; `damaged`: up to its first bad one.
    Raises BadImage where there is not one for each."""
    found = numbered_files(masks)
    if is_numbered(clip):
        return _by_number(masks, found, [number for number, _ in numbered_files(clip)][:frames])
    shown = printable(masks)
    if missing := gaps([number for number, _ in found]):
        raise BadImage(f"{shown} has no mask {missing[0]}; there has to be one for each frame, without a gap")
    if len(found) < frames or (len(found) > frames and not damaged):
        name = printable(os.path.basename(clip))
        raise BadImage(f"{shown} finds {len(found):,} masks, and {name} has {frames:,} frames; give one for each")
    return [path for _, path in found[:frames]]


def _by_number(masks: str | os.PathLike[str], found: list[tuple[int, str]], wanted: list[int]) -> list[str]:
    known = dict(found)
    if missing := [str(number) for number in wanted if number not in known]:
        more = f" and {len(missing) - _MOST_TOLD} more" if len(missing) > _MOST_TOLD else ""
        raise BadImage(
            f"{printable(masks)} has no mask for frame {', '.join(missing[:_MOST_TOLD])}{more};"
            " a mask has the number of its frame"
        )
    return [known[number] for number in wanted]
