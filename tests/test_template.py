"""The page's template is compiled once for all processes."""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2
import pytest

from pipeline.report import template as template_module
from pipeline.report.template import compiled


@pytest.fixture
def compilations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were compiled. Python's bytecode is in a folder of the test's own."""
    found: list[str] = []
    inner = jinja2.Environment.compile

    def compile(environment: jinja2.Environment, source: str, *given: object, **named: object) -> object:
        found.append(source)
        return inner(environment, source, *given, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", compile)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    kept(tmp_path).mkdir(parents=True)
    return found


def kept(prefix: Path) -> Path:
    return prefix / Path(template_module.__file__).parent.relative_to("/")


def rendered(text: str) -> str:
    return compiled("page", lambda name: text).render(word="<wave>")


def test_what_was_compiled_once_is_rendered_from_then_on(compilations: list[str], tmp_path: Path) -> None:
    assert [rendered("a {{ word }}") for _ in range(3)] == ["a &lt;wave&gt;"] * 3
    assert compilations == ["a {{ word }}"]
    (file,) = kept(tmp_path).iterdir()
    assert file.name.startswith(f"template.{sys.implementation.cache_tag}-{jinja2.__version__}-")


def test_another_text_is_compiled_in_its_place(compilations: list[str], tmp_path: Path) -> None:
    assert [rendered("a {{ word }}"), rendered("b {{ word }}")] == ["a &lt;wave&gt;", "b &lt;wave&gt;"]
    assert len(compilations) == 2
    assert len([*kept(tmp_path).iterdir()]) == 1


@pytest.mark.parametrize("damage", [b"", b"no bytecode", None])
def test_bytecode_that_was_damaged_is_made_anew(compilations: list[str], tmp_path: Path, damage: bytes | None) -> None:
    rendered("a {{ word }}")
    (file,) = kept(tmp_path).iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert rendered("a {{ word }}") == "a &lt;wave&gt;"
    assert len(compilations) == 2
    assert file.read_bytes() == whole


def test_nothing_is_written_where_python_is_to_write_nothing(
    compilations: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert [rendered("a {{ word }}") for _ in range(2)] == ["a &lt;wave&gt;"] * 2
    assert len(compilations) == 2
    assert not [*kept(tmp_path).iterdir()]


def test_where_nothing_can_be_written_each_process_compiles(compilations: list[str], tmp_path: Path) -> None:
    kept(tmp_path).rmdir()
    assert [rendered("a {{ word }}") for _ in range(2)] == ["a &lt;wave&gt;"] * 2
    assert len(compilations) == 2
