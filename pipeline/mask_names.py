"""What reports and pictures say of a pair's masks. Standard library only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.job import Job, shown_name


def shown_masks(job: Job, folder: Path) -> dict[str, Any]:
    """What a pair in a manifest says of a job's masks, with names as `shown_name` has them:
    `content_mask`, `regions`, and by number of a style, as text, `mask`; nothing without any."""

    def name(path: Path) -> str:
        return shown_name(path, folder)

    shown: dict[str, Any] = {} if job.content_mask is None else {"content_mask": name(job.content_mask)}
    if job.region_map is not None:
        maps = [name(style.region_map) for style in job.styles if style.region_map is not None]
        shown["regions"] = {"content": name(job.region_map), "style": maps[0] if len(maps) == 1 else maps}
    of_styles = {}
    for number, style in enumerate(job.styles):
        both = {"content": style.mask, "style": style.own_mask}
        if given := {where: name(mask) for where, mask in both.items() if mask is not None}:
            of_styles[str(number)] = given["content"] if list(given) == ["content"] else given
    return shown | ({"mask": of_styles} if of_styles else {})
