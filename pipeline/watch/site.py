"""What stands at which address: two kinds of pages, and the pictures that they show."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import jinja2
from markupsafe import Markup

from pipeline.errors import StylizeError
from pipeline.printable import printable
from pipeline.report import drawings
from pipeline.report.links import is_thumbnail
from pipeline.watch import pages
from pipeline.watch.kinds import kind_of
from pipeline.watch.night import Watcher
from pipeline.watch.server import Answer

# Small pictures by their names (store/layout): thumbnails, and those of pairs at work.
_SMALL = re.compile(r"\.pipeline/(?:records/[0-9a-f]{16}\.[a-z]{1,8}[0-9]?|now/[0-9a-f]{16})\.webp")
_MOST_SMALL = 2**20  # bytes; ours have some forty thousand
# Small pictures have an address for each version of them.
_KEPT = {"Cache-Control": "private, max-age=3600"}
_MOST_WORDS = 8  # of a query
_AGAIN = {"painting": 5, "silent": 15}  # seconds after which a page without a script loads again; else:
_AGAIN_ELSE = 30


class Pages:
    """The site of an output folder."""

    def __init__(self, folder: Path) -> None:
        self._watcher = Watcher(folder)

    def version(self) -> str:
        """Another word when there is news."""
        return self._watcher.look().version

    def answer(self, path: str, query: str) -> Answer | None:
        """The answer to an address below the site's top, still quoted."""
        if path == "":
            try:
                asked = dict(parse_qsl(query, max_num_fields=_MOST_WORDS))
            except ValueError:  # more words than any of our pages asks with
                return None
            return self._page(asked)
        try:
            return self._picture(os.fsdecode(unquote_to_bytes(path)))
        except (OSError, StylizeError):  # nothing there, a link, or a name that leads out
            return None

    def _page(self, asked: Mapping[str, str]) -> Answer | None:
        night, store, folder = self._watcher.look(), self._watcher.store, printable(self._watcher.folder)
        about = {"heading": pages.heading(night, folder), "night": night, "drawings": drawings}
        if "pair" not in asked:
            about |= {"works": pages.works(night, store), "list": pages.listing(night, store, asked)}
        elif (output := night.by_id.get(asked["pair"])) is not None:
            view, work, card = pages.pair_view(night, store, output)
            about |= {"pair": view, "work": work, "card": card}
        else:
            return None
        return _rendered("pair.html.j2" if "pair" in asked else "night.html.j2", about)

    def _picture(self, name: str) -> Answer | None:
        store = self._watcher.store
        if _SMALL.fullmatch(name):
            data = store.read(name, at_most=_MOST_SMALL)
            return Answer(kind="image/webp", body=data, headers=_KEPT) if is_thumbnail(data) else None
        kind = kind_of(name)
        if kind is None or name not in self._watcher.look().pairs:
            return None
        file = store.open(name)
        return Answer(kind=kind, file=file, size=os.fstat(file.fileno()).st_size)


def _rendered(template: str, about: Mapping[str, Any]) -> Answer:
    style, script = _file("report/report.css") + _file("watch/watch.css"), _file("watch/watch.js")
    state = about["night"].state
    text = (
        _templates()
        .get_template(template)
        .render(**about, css=style, script=script, again=_AGAIN.get(state, _AGAIN_ELSE))
    )
    policy = (
        f"default-src 'none'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    )
    return Answer(
        kind="text/html; charset=utf-8",
        body=text.encode("utf-8", "backslashreplace"),
        headers={"Content-Security-Policy": policy},
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@functools.cache
def _templates() -> jinja2.Environment:
    """Compiled once: a tenth of a second."""
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: str(_file(f"watch/{name}"))),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _file(name: str) -> Markup:
    """One of the pages' own parts, which is no text from outside."""
    return Markup(resources.files("pipeline").joinpath(name).read_text(encoding="utf-8"))
