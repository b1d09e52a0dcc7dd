"""What is written from the same rules: the schema, the docs' tables, starters, manifests of pictures, the examples."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from manifest_kit import CONTRACT, usual

from docs.tables import option_table
from pipeline.errors import ManifestError, OptionError, UsageError
from pipeline.manifest import (
    builtin_presets,
    json_schema,
    load_folder,
    load_manifest,
    manifest_for_settings,
    options_from_python,
    schema_text,
    starter_manifest,
)
from pipeline.manifest.sections import MatrixSection, PairSection
from pipeline.options import OPTION_NAMES, Options

REPOSITORY = Path(__file__).resolve().parent.parent
CONFIGS = REPOSITORY / "configs"

# --------------------------------------------------------------------------------------------------------------- schema


def as_editors_read(text: str) -> Any:
    """YAML 1.2's numbers, as editors read them: PyYAML alone takes 3e-2 for text."""

    class Loader(yaml.SafeLoader):
        pass

    import re

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[0-9]+e-?[0-9]+$"), list("0123456789"))
    return yaml.load(text, Loader)


@functools.cache
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json_schema())


def complaints(text: str) -> list[str]:
    return [error.message for error in validator().iter_errors(as_editors_read(text))]


def objects(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every place of a schema that lists properties."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield path, schema
        for key, value in schema.items():
            yield from objects(value, f"{path}/{key}")


def test_the_committed_schema_is_current() -> None:
    """If this fails: stylize schema > configs/manifest.schema.json."""
    assert (CONFIGS / "manifest.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_one_of_draft_7_and_uses_no_newer_word() -> None:
    schema = json.loads(schema_text())
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)
    for newer in ("$defs", "prefixItems", "dependentRequired", "unevaluatedProperties", "discriminator"):
        assert f'"{newer}"' not in schema_text()


def test_every_field_of_the_schema_has_help_and_examples_and_every_section_ignores_x() -> None:
    found = dict(objects(json_schema()))
    assert len(found) == 15  # the top and fourteen sections
    for path, section in found.items():
        assert section["description"], path
        assert section["additionalProperties"] is False, path
        assert section["patternProperties"] == {"^x-": {}}, path
        for name, field in section["properties"].items():
            assert field.get("description", "").endswith("."), f"{path}: {name}"
            assert field.get("examples"), f"{path}: {name}"


def test_the_defaults_of_the_schema_are_those_of_the_options() -> None:
    fields = json_schema()["definitions"]["options"]["properties"]
    shown = {name: field["default"] for name, field in fields.items() if "default" in field}
    assert shown == {name: value for name, value in usual().all_values().items() if value is not None}


@pytest.mark.parametrize("name", ["demo.yaml", "nightly.yaml"])
def test_the_schema_accepts_the_examples(name: str) -> None:
    assert complaints((CONFIGS / name).read_text(encoding="utf-8")) == []


def test_the_schema_accepts_what_was_promised() -> None:
    assert complaints(CONTRACT) == []


@pytest.mark.parametrize("axes", ["content: a.jpg, style: art/*.jpg", "content: [a.jpg], style: [{images: art}]"])
def test_the_schema_accepts_one_name_for_a_list_of_one_as_the_loader_does(axes: str) -> None:
    assert complaints(f"pairs:\n  - matrix: {{{axes}}}\n") == []


@pytest.mark.parametrize("empty", ["", "~", "[]", "0"])
@pytest.mark.parametrize("key", sorted({*PairSection.model_fields, *MatrixSection.model_fields} - {"priority"}))
def test_a_key_of_a_pair_without_its_value_is_refused_at_its_place(tmp_path: Path, key: str, empty: str) -> None:
    told = {"content": "a.jpg", "style": "b.jpg", key: empty}
    (tmp_path / "m.yaml").write_text(
        f"pairs:\n  - {{{', '.join(f'{name}: {value}' for name, value in told.items())}}}\n"
    )
    with pytest.raises(ManifestError) as caught:
        load_manifest(tmp_path / "m.yaml")
    assert {problem.line for problem in caught.value.problems} == {2}
    assert complaints((tmp_path / "m.yaml").read_text()) != []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("style: art/starry.jpg", "stlye: art/starry.jpg"),
        ("pair_timeout: 45m", "pair_timeout: 45"),
        ("size: 1024", "size: 9"),
        ("tv_weight: 30", "tv_weight: lots"),
        ("{credit", "[credit"),
        ('content: ["photos/*.jpg", "!photos/private-*.jpg"]', "content: []"),
        ("version: 1", "version: 2"),
        ("preset: poster", "precision: float16"),
        ("preset: poster", "style_layers: [conv9_9]"),
        ("preset: poster", "weights: vgg.pt"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(right: str, wrong: str) -> None:
    assert right in CONTRACT
    if wrong.startswith("[credit"):
        wrong, right = "meta: 3", "meta: {<<: *museum}"
    assert complaints(CONTRACT.replace(right, wrong)) != []


# ------------------------------------------------------------------------------------------------------------- examples


@pytest.mark.parametrize("name", ["demo.yaml", "nightly.yaml"])
def test_the_examples_load_without_a_warning_and_all_their_pictures_are_there(name: str) -> None:
    manifest = load_manifest(CONFIGS / name)
    assert manifest.warnings == ()
    assert manifest.output.is_relative_to(REPOSITORY / "output")
    for job in manifest.pairs:
        assert job.content.is_file()
        assert all(style.image.is_file() for style in job.styles)


# --------------------------------------------------------------------------------------------------------------- Python


def test_keywords_become_options_above_a_preset() -> None:
    options = options_from_python(
        {"preset": "draft", "size": np.int64(300), "style_weight": np.float32(0.5), "tile": "off"}
    )
    expected = usual(**builtin_presets()["draft"].options)
    assert options == dataclasses.replace(expected, preset="draft", size=300, style_weight=0.5, tile="off")


def test_keywords_take_python_s_own_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = options_from_python(
        {"style_layers": ("conv1_1", "conv2_1"), "init": Path("a.png"), "learning_rate": None}
    )
    assert options.style_layers == {"block1_conv1": 0.5, "block2_conv1": 0.5}
    assert options.init == str(tmp_path / "a.png")
    assert options.learning_rate is None


def test_no_keywords_are_the_defaults() -> None:
    assert options_from_python({}) == usual()
    assert options_from_python({"style_loss": "gram"}) == Options(empty_areas="apart", match_color="both")


def test_every_wrong_keyword_is_named_with_what_it_may_be() -> None:
    with pytest.raises(OptionError) as caught:
        options_from_python({"szie": 3, "size": "512", "seed": 2**70, "pooling": object(), "preset": 7, "steps": True})
    assert sorted(str(caught.value).splitlines()) == [
        "'pooling' must be one of max, avg, l2; got a value of the type object",
        "'preset' must be the name of a preset; got 7",
        "'seed' must be a whole number from 0 to 4294967295; got a whole number beyond 64 bits",
        "'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', or [width, height]; got '512'",
        "'steps' must be a whole number, 1 or more, or 'auto'; got True",
        "unknown option 'szie'; did you mean 'size'?",
    ]
    with pytest.raises(ValueError, match=r"^unknown preset 'drft'; did you mean 'draft'\?$"):
        options_from_python({"preset": "drft"})


# ------------------------------------------------------------------------------------------------------------ the table


def test_the_table_has_a_row_for_every_option() -> None:
    head, rule, *rows = option_table().splitlines()
    assert head == "| option | values | default | meaning |"
    assert rule == "|---|---|---|---|"
    assert [row.split("`")[1] for row in rows] == list(OPTION_NAMES)
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)
    assert "| `strength` | a number from 0 to 1 | `1` | blend of content (0) and result (1) |" in rows


# ------------------------------------------------------------------------------------------------------------- starters


@pytest.mark.parametrize("place", ["stylize.yaml", "configs/night.yaml", "input/manifest.yaml", None])
def test_a_starter_runs_as_it_is_wherever_it_is_put(project: Path, place: str | None) -> None:
    folder = project / "input"
    file = project / (place or "input/manifest.yaml")
    file.parent.mkdir(exist_ok=True)
    file.write_text(starter_manifest(folder, None if place is None else file))
    manifest = load_manifest(file)
    assert [job.output for job in manifest.pairs] == ["dog--wave.png", "sea--wave.png"]
    assert manifest.output == (folder if file.parent == folder else project) / "output"
    assert manifest.warnings == ()
    assert complaints(file.read_text()) == []


def test_what_a_starter_has_commented_out_runs_too(project: Path) -> None:
    """Every `# key: value` and `# - item` is switched on; sentences stay comments."""
    text = starter_manifest(project / "input")
    lines = []
    for line in text.splitlines():
        bare = line.lstrip()
        words = bare.removeprefix("#").split()
        is_yaml = (
            bare.startswith("#") and words and (words[0] == "-" or words[0].endswith(":")) and words[0] != "Presets:"
        )
        if is_yaml and words[0] not in ("Found:", "yaml-language-server:"):
            line = line.replace("# ", "", 1)
        lines.append(line)
    text = "\n".join(lines).replace("{content.stem}--{style.stem}", "{content.stem}--{style.stem}-{style_weight}")
    (project / "input/m.yaml").write_text(text)
    manifest = load_manifest(project / "input/m.yaml")
    assert len(manifest.pairs) == 2 * 2 + 2
    assert manifest.run.deadline == "06:00"
    assert manifest.pairs[-2].options.preset == "fine"


def test_a_starter_needs_pictures_and_says_where(tmp_path: Path) -> None:
    def refusal(folder: Path, *styles: Path) -> str:
        with pytest.raises(UsageError) as caught:
            starter_manifest(folder, styles=styles)
        return str(caught.value).replace(str(tmp_path), "HERE")

    assert refusal(tmp_path / "gone") == "there is no folder HERE/gone; name the folder of your photographs"
    (tmp_path / "content").mkdir()
    (tmp_path / "content/notes.txt").touch()
    assert refusal(tmp_path).startswith("HERE/content holds no picture; put some there (pictures end in one of .jpg, ")
    (tmp_path / "dog.jpg").touch()
    assert refusal(tmp_path).endswith("name the paintings with --style PICTURE_OR_FOLDER")
    (tmp_path / "content/dog.jpg").touch()
    assert refusal(tmp_path).startswith("HERE/style holds no picture; put some there")
    assert refusal(tmp_path, tmp_path / "content/notes.txt").startswith(
        "HERE/content/notes.txt: no picture to take a style from; pictures end in"
    )


def test_a_name_that_is_no_text_is_refused_before_a_manifest_has_it(tmp_path: Path) -> None:
    folder, strange = tmp_path / "album", "bad\udcff"
    for place in (folder, tmp_path / strange):
        for name in ("content/a.jpg", "style/b.jpg"):
            (place / name).parent.mkdir(parents=True)
            (place / name).touch()
    refused = r"bad\\udcff(/style)? is no text \(UTF-8\), so no manifest can name it; rename it"
    with pytest.raises(UsageError, match=refused):
        starter_manifest(tmp_path / strange, tmp_path / "m.yaml")
    with pytest.raises(UsageError, match=refused):
        load_folder(folder, output=tmp_path / strange)
    with pytest.raises(ManifestError, match=refused):
        load_folder(folder, [tmp_path / strange / "style"])
    assert len(load_folder(tmp_path / strange).pairs) == 1  # its own name is not written


@pytest.mark.parametrize(
    ("styles", "outputs"),
    [
        (["art"], ["dog--wave", "sea--wave", "wild [1]--wave"]),
        (["art/wave.jpg"], ["dog--wave", "sea--wave", "wild [1]--wave"]),
        (["photos/sea.jpg"], ["dog--sea", "wild [1]--sea"]),  # not painted in its own style
        (["photos/sea.jpg", "art"], ["dog--sea", "dog--wave", "wild [1]--sea", "wild [1]--wave"]),
        (["photos/wild [1].jpg"], ["dog--wild [1]", "sea--wild [1]"]),
        (["photos/a[b]"], ["dog--old", "sea--old", "wild [1]--old"]),
        (["photos/!new.jpg"], ["dog--!new", "sea--!new", "wild [1]--!new"]),
    ],
    ids=" ".join,
)
def test_a_starter_takes_a_flat_folder_and_styles_from_anywhere(
    tmp_path: Path, styles: list[str], outputs: list[str]
) -> None:
    pictures = ["photos/dog.jpg", "photos/sea.jpg", "photos/wild [1].jpg", "photos/a[b]/old.jpg", "art/wave.jpg"]
    for name in pictures + [style for style in styles if "!" in style]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    file = tmp_path / "stylize.yaml"
    file.write_text(starter_manifest(tmp_path / "photos", file, [tmp_path / style for style in styles]))
    manifest = load_manifest(file)
    assert [job.output for job in manifest.pairs] == [f"{name}.png" for name in outputs]
    assert manifest.output == tmp_path / "output"
    assert all("sub-folder (a[b])" in warning for warning in manifest.warnings)
    assert complaints(file.read_text()) == []


def test_a_starter_gives_each_pair_its_own_output(tmp_path: Path) -> None:
    for name in ("content/dog.jpg", "content/dog.png", "style/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    file = tmp_path / "stylize.yaml"
    file.write_text(starter_manifest(tmp_path))
    assert [job.output for job in load_manifest(file).pairs] == ["dog.jpg--a.png", "dog.png--a.png"]
    (tmp_path / "content/Dog.png").touch()  # told with the pairs; numbers would rename all after each new photograph
    file.write_text(starter_manifest(tmp_path))
    assert [bool(job.refusal) for job in load_manifest(file).pairs] == [True, False, True]


def test_a_starter_names_by_ending_only_what_has_one_name_but_for_it(tmp_path: Path) -> None:
    for name in (
        "content/cat.jpg",
        "content/IMG_1.JPG",
        "content/IMG_1.png",
        "style/a.jpg",
        "style/[b].png",
        "style/[b].jpg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    file = tmp_path / "stylize.yaml"
    file.write_text(starter_manifest(tmp_path))
    assert complaints(file.read_text()) == []
    manifest = load_manifest(file)
    assert manifest.warnings == ()
    assert sorted(job.output for job in manifest.pairs) == sorted(
        ["cat--a.png", "cat--[b].png.png", "cat--[b].jpg.png"]
        + [f"IMG_1.{ending}--{style}.png" for ending in ("JPG", "png") for style in ("a", "[b].png", "[b].jpg")]
    )
    (tmp_path / "content/new.jpg").touch()  # is painted, and renames nothing
    new = {job.output for job in load_manifest(file).pairs} - {job.output for job in manifest.pairs}
    assert new == {"new--a.png", "new--[b].png.png", "new--[b].jpg.png"}


@pytest.mark.parametrize("style_loss", ["gram", {"gram": 0.1, "neighbours": 1}])
def test_the_settings_of_a_picture_make_a_manifest_that_makes_it_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, style_loss: object
) -> None:
    monkeypatch.chdir(project)
    options = options_from_python(
        {
            **{"size": 320, "style_weight": 1e-7, "style_layers": {"conv1_1": 0.25, "conv2_1": 1}},
            "style_loss": style_loss,
        }
    )
    settings = {
        "content": 'content/"odd": #name.jpg',
        "style": [{"image": "style/wave.png", "weight": 2.0}, {"image": "no", "weight": 1e-3}],
        "output": "sub/1e4.png",
        "options": {**options.as_dict(), "preset": "own: #1"},
    }
    (project / "again.yaml").write_text(manifest_for_settings(settings))
    (job,) = load_manifest("again.yaml").pairs
    assert job.output == "sub/1e4.png"
    assert job.content == project / 'input/content/"odd": #name.jpg'
    assert [(style.image.name, style.weight) for style in job.styles] == [("wave.png", 2.0), ("no", 0.001)]
    assert job.options == options  # the preset's name is not taken over: it would say nothing


def test_the_settings_of_one_style_and_a_known_preset_make_a_short_manifest(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    options = options_from_python({"preset": "fine"})
    stored = {
        "content": "a.jpg",
        "style": [{"image": "b.jpg", "weight": 1}],
        "output": "x.png",
        "options": options.as_dict(),
    }
    text = manifest_for_settings(stored)
    assert "presets:" not in text
    assert '    network: "vgg19"\n' in text  # written out, though pictures leave it out
    assert "last byte" not in text
    told = manifest_for_settings(stored | {"painted_with": {"threads": 2, "device": "CPU\nsize: 9"}})
    assert (
        told.splitlines()[1] == '# The same to the last byte with threads 2, device "CPU\\nsize: 9"; elsewhere alike.'
    )
    assert told.splitlines()[2:] == text.splitlines()[1:]
    (project / "again.yaml").write_text(text)
    assert load_manifest("again.yaml").pairs[0].options == options


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, UsageError, "do not say what was painted"),
        (
            {"content": "a", "style": [3], "output": "x.png", "options": {}},
            UsageError,
            "do not say what was painted",
        ),
        (
            {"content": "a", "style": [], "output": "x.png", "options": {}},
            UsageError,
            "do not say what was painted",
        ),
        (
            {"content": "a", "style": [{"image": "b"}], "output": "x.png", "options": {"glow": 3}},
            OptionError,
            "unknown option 'glow'",
        ),
    ],
)
def test_settings_that_cannot_make_a_picture_are_refused(settings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        manifest_for_settings(settings)
