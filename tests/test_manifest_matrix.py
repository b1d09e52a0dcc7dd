# ruff: noqa: E501 - what is written and what is said to it are read side by side
"""Matrices, the pictures that their patterns find, and the names of outputs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from manifest_kit import Load, matrix, outputs, pair, project_with_pictures, refusal

from pipeline.errors import ManifestError


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


# ------------------------------------------------------------------------------------------------------------- matrices


def test_the_first_list_varies_slowest_as_it_stands_in_the_file(load: Load) -> None:
    text = matrix(
        "seed: [1, 2], style: [art/wave.jpg, art/starry.jpg], content: [photos/dog.jpg]",
        output='"{seed}{style.stem}.png"',
    )
    assert outputs(load(text)) == ["1wave.png", "1starry.png", "2wave.png", "2starry.png"]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ('["photos/*.jpg"]', ["amsterdam", "dog", "private-me"]),
        ('"photos/*.jpg"', ["amsterdam", "dog", "private-me"]),
        ('["photos/*.jpg", "!photos/private-*"]', ["amsterdam", "dog"]),
        ('["!photos/private-*", "photos/*.jpg"]', ["amsterdam", "dog"]),
        ('["photos/d*.jpg", "photos/*.jpg", "!**/private*"]', ["dog", "amsterdam"]),
        ('[./photos//dog.jpg, photos/dog.jpg, "photos/*.jpg"]', ["dog", "amsterdam", "private-me"]),
        ('["**/d?g.jpg"]', ["dog"]),
        ('["**/[ad]*"]', ["amsterdam", "dog"]),
        ('["**"]', ["kandinsky", "mondrian", "starry", "wave", "amsterdam", "dog", "private-me"]),
        ("[gone.jpg]", ["gone"]),
    ],
)
def test_patterns_find_pictures_sorted_and_once(load: Load, entries: str, found: list[str]) -> None:
    manifest = load(matrix(f"content: {entries}, style: [art/wave.jpg]"))
    assert [job.content.stem for job in manifest.pairs] == found


@pytest.mark.parametrize(
    ("away", "meant"),
    [
        ("!photos", "!photos/**"),
        ("!photos/", "!photos/**"),
        ("!private-*", "!**/private-*"),
        ("!dog.jpg", "!**/dog.jpg"),
        ("!photos/dog.jpg", None),
        ("!photos/cat*", None),  # may come
        ("!cat*", None),
    ],
)
def test_what_takes_nothing_away_and_was_meant_to_is_told(load: Load, away: str, meant: str | None) -> None:
    manifest = load(matrix(f'content: ["photos/*.jpg", "{away}"], style: [art/wave.jpg]'))
    told = f"configs/m.yaml:5:40: '{away}' takes nothing away; write '{meant}'"
    assert [warning for warning in manifest.warnings if "takes nothing away" in warning] == ([told] if meant else [])
    if meant:
        taken = matrix(f'content: ["photos/*.jpg", art/starry.jpg, "{meant}"], style: [art/wave.jpg]')
        assert len(load(taken).pairs) < 4


def test_patterns_find_only_pictures_and_hidden_ones_only_if_named(load: Load, tmp_path: Path) -> None:
    for name in (
        "photos/notes.txt",
        "photos/.hidden.jpg",
        "photos/.album/x.jpg",
        "photos/B.PNG",
        "photos/deep/er/z.webp",
        "photos/@eaDir/B.PNG/SYNOPHOTO_THUMB_M.jpg",
        "photos/__MACOSX/deep/x.jpg",
        "photos/#recycle/x.jpg",
    ):
        (tmp_path / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "input" / name).touch()
    (tmp_path / "input/photos/folder.jpg").mkdir()
    (tmp_path / "input/photos/loop").symlink_to(tmp_path / "input")

    def found(pattern: str) -> list[str]:
        jobs = load(
            matrix(f'content: ["{pattern}", "!**/[adp]*"], style: [art/wave.jpg]', output='"{index}.png"')
        ).pairs
        return [str(job.content.relative_to(tmp_path / "input")) for job in jobs]

    assert found("photos/*") == ["photos/B.PNG"]
    assert found("photos/**") == ["photos/B.PNG", "photos/deep/er/z.webp"]
    assert found("photos/.*") == ["photos/.hidden.jpg"]
    assert found("photos/@eaDir/**") == ["photos/@eaDir/B.PNG/SYNOPHOTO_THUMB_M.jpg"]
    assert found("photos/.album/*") == ["photos/.album/x.jpg"]
    assert found("photos/notes.txt") == ["photos/notes.txt"]
    assert found("photos/loop/photos/B*") == ["photos/loop/photos/B.PNG"]
    assert found(str(tmp_path / "input/photos/B*")) == ["photos/B.PNG"]


def test_a_file_with_a_star_in_its_name_is_that_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "input/photos/[1]*.jpg").touch()
    assert outputs(load(matrix('content: ["photos/[1]*.jpg"], style: [art/wave.jpg]'))) == ["[1]*--wave.png"]
    text = (
        'pairs: [{content: "photos/[1]*.jpg", style: art/wave.jpg}, {content: "photos/*.jpg", style: art/wave.jpg}]\n'
    )
    assert refusal(load, text) == [
        "4:70: error: 'photos/*.jpg' is a pattern, and a pair has one content; put it into a 'matrix'"
    ]


def test_results_below_the_input_folder_are_never_found_as_pictures(load: Load, tmp_path: Path) -> None:
    (tmp_path / "input/out").mkdir()
    (tmp_path / "input/out/result.jpg").touch()
    text = "version: 1\ninput: ../input\noutput: ../input/out\n"
    text += matrix('content: ["**/d*", "**/r*", "*/*.jpg"], style: [art/wave.jpg]')
    manifest = load(text, whole=True)
    assert ["'**/r*' matches no picture" in warning for warning in manifest.warnings] == [True]
    assert not any("result" in name for name in outputs(manifest))


@pytest.mark.parametrize(
    ("content", "output", "found"),
    [
        ("[photos/*]", "photos/{content.stem}.png", "photos/amsterdam.png"),
        ('["**"]', "{content.stem}.png", "kandinsky.png"),
        ("[photos/*.jpg]", "photos/{content.stem}.png", None),
        ("[photos/*]", "{content.stem}.png", None),
        ('[photos/*, "!*/*.png"]', "photos/{content.stem}.png", None),
    ],
)
def test_a_pattern_that_will_find_results_as_pictures_is_told(
    load: Load, content: str, output: str, found: str | None
) -> None:
    pairs = matrix(f"content: {content}, style: [art/wave.jpg]", output=repr(output))
    text = f"input: ../input\noutput: ../input\n{pairs}"
    told = [warning.partition("will find results")[2] for warning in load(text, whole=True).warnings]
    assert [each.partition("(")[2].partition(")")[0] for each in told if each] == ([found] if found else [])


def test_a_pattern_that_would_walk_through_the_whole_disk_is_refused(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.manifest.pairs.pictures.MAX_LISTED", 6)
    assert refusal(load, matrix("content: ['**'], style: [art/wave.jpg]")) == [
        "5:24: error: '**' looks through more than 6 names; start it in a narrower folder"
    ]


def test_a_style_axis_may_hold_blends(load: Load) -> None:
    text = matrix(
        "content: [photos/dog.jpg], style: [art/wave.jpg, [{image: art/wave.jpg}, {image: art/starry.jpg, weight: 3}]]"
    )
    plain, blend = load(text).pairs
    assert (plain.output, blend.output) == ("dog--wave.png", "dog--wave+starry.png")
    assert [style.weight for style in blend.styles] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("{content: photos/dog.jpg}", ["amsterdam-1", "amsterdam-2"]),
        ("{content: '**/d*', seed: 2}", ["amsterdam-1", "amsterdam-2", "dog-1"]),
        ("{style: art/*, seed: 1}", ["amsterdam-2", "dog-2"]),
        ("{seed: 2}, {content: photos/amsterdam.jpg}", ["dog-1"]),
    ],
)
def test_exclude_matches_on_any_of_the_axes(load: Load, exclude: str, left: list[str]) -> None:
    axes = "content: [photos/amsterdam.jpg, photos/dog.jpg], style: [art/wave.jpg], seed: [1, 2]"
    manifest = load(matrix(axes, exclude=f"[{exclude}]", output='"{content.stem}-{seed}.png"'))
    assert outputs(manifest) == [f"{name}.png" for name in left]
    assert manifest.warnings == ()


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ("[{seed: 1}]", "6:16: error: 'seed' is no axis of this matrix; they are content, style"),
        ("[{}]", "6:15: error: an empty exclusion would exclude every pair; name what to leave out"),
        ("[{content: a.jpg}]", "6:5: error: every pair of this matrix is excluded; nothing is left"),
        ("[{contnet: a.jpg}]", "6:16: error: unknown option 'contnet'; did you mean 'content'?"),
    ],
)
def test_a_wrong_exclusion_is_refused(load: Load, exclude: str, message: str) -> None:
    assert refusal(load, matrix("content: [a.jpg], style: [b.jpg]", exclude=exclude)) == [message]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("content: [a.jpg], style: [b.jpg], size: 256", "5:54: error: 'size' is an axis here and must be a list of values, like [768, 30cm]; got 256"),
        ("content: [a.jpg], style: [b.jpg], size: [256, abc]", "5:60: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', or [width, height]; got 'abc'"),
        ("content: [a.jpg], style: [b.jpg], preset: [draft, drft]", "5:64: error: unknown preset 'drft'; did you mean 'draft'?"),
        ("content: ['!a*'], style: [b.jpg]", "5:23: error: no content is left: '!' takes away from the names and patterns beside it"),
        ("content: [], style: [b.jpg]", "5:23: error: 'content' must have at least one item; got an empty list"),
        ("content: [a.jpg]", "5:13: error: 'style' is missing"),
        ("content: [a.jpg], style: [b.jpg], szie: [1]", "5:48: error: unknown key 'szie'; did you mean 'size'?"),
    ],
)  # fmt: skip
def test_a_wrong_axis_is_refused(load: Load, axes: str, message: str) -> None:
    assert refusal(load, matrix(axes)) == [message]


def test_a_pattern_where_one_picture_is_blended_is_told_of_images(load: Load) -> None:
    told = "'art/*.jpg' is a pattern, and 'image' is one picture; 'images' are many as one style"
    for style in ("[{image: art/*.jpg}]", "[{image: art/wave.jpg}, {image: art/*.jpg, weight: 2}]"):
        (problem,) = refusal(load, f"pairs:\n  - {{content: photos/dog.jpg, style: {style}}}\n")
        assert problem.endswith(told)
    assert len(load(pair().replace("art/wave.jpg", "[{images: art/*.jpg}]")).pairs[0].styles) == 4


def test_a_list_of_names_is_no_blend(load: Load) -> None:
    assert refusal(load, "pairs: [{content: a.jpg, style: [b.jpg]}]\n") == [
        "4:34: error: a style of a blend is '{image: ..., weight: ...}'; got 'b.jpg'; for one picture of each style use 'matrix'"
    ]


def test_ten_thousand_pairs_of_a_matrix_share_their_options(load: Load) -> None:
    """What makes a large matrix quick: each set of options is made once, not once for each pair."""
    contents = ", ".join(f"c{n}.jpg" for n in range(100))
    styles = ", ".join(f"s{n}.jpg" for n in range(50))
    jobs: Any = load(matrix(f"content: [{contents}], style: [{styles}], seed: [1, 2]", output='"{index}.png"')).pairs
    assert len(jobs) == 10_000
    assert len({id(job.options) for job in jobs}) == 2


# -------------------------------------------------------------------------------------------------------------- outputs


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{content.stem}--{style.stem}.png", "dog--wave.png"),
        ("{content.name}_{style.name}.png", "dog.jpg_wave.jpg.png"),
        ("{content.parent}/{style.parent}.png", "photos/art.png"),
        ("{index}-{size}-{strength}-{quality}.png", "0001-320-0.5-90.png"),
        ("{content_layers}.png", "block4_conv2.png"),
        ("{learning_rate}.png", "default.png"),
        ("a//b/./c.png", "a/b/c.png"),
        ("{preset}.PNG", "balanced.PNG"),
    ],
)
def test_fields_of_an_output_are_filled_in(load: Load, pattern: str, name: str) -> None:
    assert outputs(load(pair("size: 320, strength: 0.5, quality: 90", output=f'"{pattern}"'))) == [name]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{content.stem", "a brace stands alone in '{content.stem.png'; braces hold a field, like {content.stem}"),
        ("{content.stm}", "unknown field '{content.stm}'; did you mean 'content.stem'?"),
        ("{content.__class__}", "unknown field '{content.__class__}'; did you mean 'content.stem'?"),
        ("{size:05d}", "unknown field '{size:05d}'"),
        ("{size!r}", "unknown field '{size!r}'; did you mean 'size'?"),
        ("{}", "unknown field '{}'; fields are"),
        ("{{content.stem}}", "a brace stands alone"),
    ],
)
def test_a_pattern_reaches_nothing_but_the_fields(load: Load, pattern: str, message: str) -> None:
    (told,) = refusal(load, pair(output=f'"{pattern}.png"'))
    assert told.startswith(f"8:13: error: {message}")


def test_unlucky_names_of_pictures_still_make_names_of_outputs(load: Load, tmp_path: Path) -> None:
    names = ["-rf.jpg", ".hidden.jpg", "new\nline.jpg", "esc\x1b.jpg", "x" * 251 + ".jpg", "é.jpg", "<img src=x>.jpg"]
    odd = tmp_path / "input/odd"
    odd.mkdir()
    for name in names:
        (odd / name).touch()
    (Path(os.fsdecode(os.fsencode(odd) + b"/\xff.jpg"))).touch()
    manifest = load(matrix('content: ["odd/*", "odd/.*"], style: [art/wave.jpg]'))
    found = {re.sub(r"[0-9a-f]{8}", "HASH", name.removesuffix("--wave.png")) for name in outputs(manifest)}
    assert found == {"_rf", "_hidden", "new_line", "esc_", "x" * 91 + "-HASH", "é", "<img src=x>", "_"}


def test_fields_cannot_lead_out_of_the_output_folder(load: Load) -> None:
    text = 'presets: {"../../x": {}}\n' + pair('preset: "../../x"', output='"{preset}.png"')
    assert outputs(load(text)) == ["x.png"]
    text = "pairs: [{content: ../../etc/passwd, style: /b/art.jpg, output: '{content.parent}/{style.parent}/{content.stem}.png'}]\n"
    assert outputs(load(text)) == ["etc/b/passwd.png"]


def test_an_output_is_never_written_over_a_picture_that_is_read(load: Load, tmp_path: Path) -> None:
    text = "version: 1\ninput: ../input\noutput: ../input\n" + pair(output="photos/DOG.jpg")
    with pytest.raises(ManifestError) as caught:
        load(text, whole=True)
    assert str(caught.value).splitlines()[0] == (
        f"configs/m.yaml:8:13: error: output 'photos/DOG.jpg' would be written over a picture that is read:"
        f" {tmp_path}/input/photos/dog.jpg"
    )


def test_pairs_that_are_written_twice_are_told_of_once_for_each_two_entries(load: Load) -> None:
    text = "pairs:\n" + "  - {content: photos/dog.jpg, style: art/wave.jpg}\n" * 2
    assert refusal(load, text) == [
        "6:5: error: output 'dog--wave.png' is wanted twice (first by the entry on line 5); give one of them another 'output'"
    ]


def test_a_picture_that_is_called_so_earns_no_warning(load: Load, tmp_path: Path) -> None:
    for name in ("photos/cash$money.jpg", "~b.jpg", "back\\slash.jpg"):
        text = f"pairs:\n  - {{content: '{name}', style: art/wave.jpg, output: a.png}}\n"
        assert len(load(text).warnings) == 1
        (tmp_path / "input" / name).touch()
        assert load(text).warnings == ()


def test_an_absolute_output_is_refused_wherever_its_picture_lies(load: Load, tmp_path: Path) -> None:
    (tmp_path / "input/top.jpg").touch()
    for content in ("top.jpg", "photos/dog.jpg"):
        text = matrix(f"content: [{content}], style: [art/wave.jpg]", output='"/{content.parent}/{content.stem}.png"')
        assert "is an absolute path; outputs are named below the output folder" in refusal(load, text)[0]


def test_one_picture_has_one_name_however_it_is_written(load: Load) -> None:
    twice = "pairs:\n  - {content: photos/dog.jpg, style: art/wave.jpg}\n  - {content: ./photos/dog.jpg, style: art//wave.jpg}\n"
    assert refusal(load, twice) == [
        "6:5: error: output 'dog--wave.png' is wanted twice (first by the entry on line 5); give one of them another 'output'"
    ]


def test_a_pair_that_an_alias_repeats_is_told_as_such(load: Load) -> None:
    assert refusal(load, "pairs:\n  - &p {content: photos/dog.jpg, style: art/wave.jpg}\n  - *p\n") == [
        "5:5: error: output 'dog--wave.png' is wanted twice: this pair is repeated by an alias; take the alias away"
    ]


def test_date_in_a_name_is_the_day_of_the_run(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.manifest.pairs.expand.today", lambda: "2026-11-26")
    manifest = load(pair("seed: 5", output='"{date}/{content.stem}-{seed}.png"'))
    assert (outputs(manifest), manifest.date) == (["2026-11-26/dog-5.png"], "2026-11-26")
    assert load(pair()).date == ""
