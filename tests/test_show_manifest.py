"""Settings found in a picture that somebody sent: nothing in them acts, on a terminal or in a manifest. No TensorFlow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from pipeline.errors import StylizeError
from pipeline.images.metadata import parse_settings
from pipeline.job import RunSettings
from pipeline.manifest import load_manifest, manifest_for_settings, options_from_python
from pipeline.options import Options

EVIL = "x-a: 1\nrun: {on_start: [touch, /tmp/owned]}\nx-b"
SEPARATORS = "a\u2028run: {}\u2029b\x85c\rd\x1b[31me\u202ef\x7fg.jpg"


def settings(**changes: Any) -> dict[str, Any]:
    return {
        "content": "a.jpg",
        "style": [{"image": "b.jpg", "weight": 1.0}],
        "output": "x.png",
        "options": Options(seed=5).as_dict(),
        "painted_with": {"threads": 2, "device": "CPU"},
    } | changes


def options(**changes: Any) -> dict[str, Any]:
    return settings(options=Options(seed=5).as_dict() | changes)


@pytest.mark.parametrize(
    "stored",
    [
        options(**{EVIL: 1}),
        options(**{"x-hook": "!!python/object/apply:os.system [id]"}),
        options(**{"seed\nrun: {on_start: [id]}\n#": 1}),
        options(seed={"a": 1}),
        options(seed=10**400),
        options(style_weight=float("nan")),
        options(style_weight="1e4\nrun: {}"),
        options(init="x\0y.png"),
        settings(style=[{"image": "b.jpg", "weight": True}]),
        settings(style=[{"image": "b.jpg", "weight": 10**400}]),
        settings(style=[{"image": "b.jpg", "weight": -1.0}] * 2),
        settings(style=[{"image": ["b.jpg"], "weight": 1}]),
        settings(style="b.jpg"),
        settings(style=[{"image": "b.jpg"}] * 5000),
        settings(content="a\0.jpg"),
        settings(content="a" * 1_000_000),
        settings(content=""),
        settings(output="../../victim.png"),
        settings(output="/etc/victim.png"),
        settings(output="x.png\nrun: {}"),
        settings(output="report.json"),
        settings(output="{content.stem}.png"),
        settings(options=[["seed", 5]]),
    ],
    ids=lambda stored: repr(stored)[:60],
)
def test_what_is_no_sound_setting_is_refused_in_words(stored: dict[str, Any]) -> None:
    with pytest.raises(StylizeError) as caught:
        manifest_for_settings(stored)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "stored",
    [
        settings(content=SEPARATORS, style=[{"image": SEPARATORS, "weight": 0.25}, {"image": "&a *b !c", "weight": 2}]),
        settings(run={"on_start": ["id"]}, env={"A": "b"}, meta={EVIL: EVIL}, **{EVIL: EVIL}),
        settings(painted_with={EVIL: EVIL, "device": SEPARATORS, "tiles": "t" * 10_000}),
        settings(painted_with="x\nrun: {}"),
        options(preset=EVIL),
        settings(content="%YAML 1.1", style=[{"image": "--- # no", "weight": 1}]),
        settings(content="17", style=[{"image": "2020-01-01", "weight": 1}], output="1e4.png"),
        settings(content="\U000f0000😀.jpg"),
    ],
    ids=lambda stored: repr(stored)[:60],
)
def test_a_manifest_from_a_picture_is_that_pair_and_nothing_else(
    stored: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = manifest_for_settings(stored)
    assert all(character.isprintable() for line in text.split("\n") for character in line)
    assert len(text) < 10_000
    (tmp_path / "again.yaml").write_text(text)
    (tmp_path / "input").mkdir()
    (tmp_path / "input/&a *b !c").touch()  # which is a pattern where no such file is
    manifest = load_manifest("again.yaml")
    (job,) = manifest.pairs
    assert (job.output, job.options, job.meta) == (stored["output"], Options(seed=5), {})
    assert job.content == manifest.input / stored["content"]
    assert [(style.image, style.weight) for style in job.styles] == [
        (manifest.input / style["image"], style["weight"]) for style in stored["style"]
    ]
    assert manifest.run == RunSettings()
    assert (manifest.input, manifest.output) == (tmp_path / "input", tmp_path / "output")


@pytest.mark.parametrize(
    ("content", "style", "output", "written"),
    [
        ("who?.jpg", "[*].jpg", "who?--[*].png", "who?--[*].png"),
        ("up/a{b}.jpg", "w.jpg", "up/a{b}--w.png", "up/{content.stem}--w.png"),
        ("{a}.jpg", "{a}{b}.jpg", "{a}/{a}{b}.jpg.png", "{content.stem}/{style.name}.png"),
        ("{seed}.jpg", "w.jpg", "{seed}.png", "{content.stem}.png"),
    ],
)
def test_names_with_signs_of_patterns_make_the_same_manifest_wherever_it_is_asked_for(
    content: str, style: str, output: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = settings(content=content, style=[{"image": style}], output=output)
    text = manifest_for_settings(stored)
    assert f'output: "{written}"' in text
    for name in (content, style):
        (tmp_path / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "input" / name).touch()
    assert manifest_for_settings(stored) == text
    (tmp_path / "again.yaml").write_text(text)
    (job,) = load_manifest("again.yaml").pairs
    assert (job.output, job.content) == (output, tmp_path / "input" / content)
    assert job.styles[0].image == tmp_path / "input" / style


def test_paths_that_lead_elsewhere_lose_their_way() -> None:
    text = manifest_for_settings(
        settings(
            content="/home/victim/private.jpg",
            style=[{"image": "../../etc/a.png"}, {"image": "sub/../../b.png"}],
            options=Options(seed=5).as_dict() | {"init": "/home/victim/start.png", "weights": "../evil.h5"},
        )
    )
    for kept in (
        'content: "private.jpg"',
        'image: "a.png"',
        'image: "b.png"',
        'init: "start.png"',
        'weights: "evil.h5"',
    ):
        assert kept in text
    assert "victim" not in text
    assert ".." not in text


def test_addresses_lose_their_way_too() -> None:
    """What somebody's picture names is asked of no network, and pictures of a bucket can be made again."""
    text = manifest_for_settings(
        settings(
            content="s3://bucket/up/a.png",
            style=[
                {"image": "https://host.example/b.png", "mask": {"content": "gs://c/m.png", "style": "az://c/n.png"}}
            ],
            content_mask="sftp://host/k.png",
            options=Options(seed=5).as_dict() | {"init": "s3://bucket/start.png"},
        )
    )
    assert "://" not in text
    for kept in ('content: "a.png"', 'image: "b.png"', '"m.png"', '"n.png"', '"k.png"', 'init: "start.png"'):
        assert kept in text


def test_it_says_where_its_names_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = manifest_for_settings(settings())
    (line,) = [line for line in text.splitlines() if "input" in line]
    assert line.startswith("# Names of pictures start in the folder 'input' beside this file")
    (tmp_path / "again.yaml").write_text(text)
    assert load_manifest("again.yaml").pairs[0].content == tmp_path / "input/a.jpg"
    (tmp_path / "again.yaml").write_text(text + "input: elsewhere\n")
    assert load_manifest("again.yaml").pairs[0].content == tmp_path / "elsewhere/a.jpg"


def test_python_keywords_with_the_prefix_of_ignored_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown option 'x-glow'"):
        options_from_python({"x-glow": 1})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "1e999 is too large"),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
        ('{"a": 1, "a": 2}', "a name stands there twice"),
        ("[" * 50_000, "nested too deeply"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "nested too deeply"),
        ("[1]", "not a table of names"),
        ('{"a": "' + "b" * 100_000 + '"}', "characters, where at most"),
        ("\ufeff{}", "BOM"),
    ],
    ids=lambda value: value[:20],
)
def test_settings_that_we_do_not_write_are_damaged_settings(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_settings(text)


def test_show_escapes_what_would_act_on_a_terminal(tmp_path: Path, stylize: Callable[..., Any]) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text(
        "stylize",
        json.dumps(settings(meta={"note": SEPARATORS, SEPARATORS: 1}), ensure_ascii=False).replace("\x7f", "\x7f"),
    )
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png", pnginfo=info)
    done = stylize("show", "x.png", cwd=tmp_path, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert all(" " <= character <= "~" or character == "\n" for character in done.stdout)
    assert json.loads(done.stdout)["meta"]["note"] == SEPARATORS
    again = stylize("show", "x.png", "--manifest", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert os.listdir(tmp_path) == ["x.png"]
