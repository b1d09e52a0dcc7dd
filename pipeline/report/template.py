"""The page's template, compiled once for all processes, as Python compiles modules.

What it became lies where Python leaves its own bytecode (PEP 3147), and is looked at as Python
looks at that: whoever can put another there could change the program as well.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup

from pipeline.program import version
from pipeline.store.whole import part_name

_TEMPLATE = "report.html.j2"


@functools.cache
def template() -> jinja2.Template:
    """The page's, ready to be rendered."""
    return compiled(_TEMPLATE, part_of_page)


def part_of_page(name: str) -> Markup:
    """One of the page's own parts, which is no text from outside."""
    return Markup(resources.files("pipeline.report").joinpath(name).read_text(encoding="utf-8"))


def compiled(name: str, read: Callable[[str], str]) -> jinja2.Template:
    """The template `name`, whose text `read` gives; compiling takes a sixth of a second."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: str(read(name))),
        bytecode_cache=_BesidePythons(),
    )
    return environment.get_template(name)


class _BesidePythons(jinja2.BytecodeCache):
    """Bytecode of a template beside that of this module. It is of its text and of this Python
    (jinja2: Bucket.load_bytecode); Jinja2's version is in its name. Where nothing can be written,
    or nothing is to be (PYTHONDONTWRITEBYTECODE), each process compiles."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """What Jinja2 asks for first."""
        with suppress(OSError), open(_path(bucket), "rb") as file:
            bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """What Jinja2 has it keep."""
        if sys.dont_write_bytecode:
            return
        path = _path(bucket)
        part = path.with_name(part_name())
        try:
            with open(part, "xb") as file:
                bucket.write_bytecode(file)
            os.replace(part, path)
        except OSError:
            with suppress(OSError):
                part.unlink()


def _path(bucket: Bucket) -> Path:
    module = Path(importlib.util.cache_from_source(__file__))
    return module.with_name(f"{module.stem}-{version('jinja2')}-{bucket.key}.pyc")
