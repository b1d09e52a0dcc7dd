# ruff: noqa: E501 - what is there and what is said to it are read side by side
"""What other people's files do to a manifest: their own pair fails, by name, and all others are painted."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_kit import Load, matrix, outputs, pair, project_with_pictures, refusal
from night_kit import Nights, statuses

from pipeline.cli.main import cli
from pipeline.errors import ManifestError
from pipeline.job import Manifest
from pipeline.manifest import load_manifest
from pipeline.manifest.pairs.naming import identity


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


@pytest.fixture
def inbox(load: Load, tmp_path: Path) -> Path:
    folder = tmp_path / "input/inbox"
    folder.mkdir()
    return folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def refused(manifest: Manifest) -> dict[str, str]:
    """Of the pairs that cannot be started, by content, the reasons."""
    return {os.path.relpath(job.content, manifest.input): job.refusal for job in manifest.pairs if job.refusal}


EVERY = "content: ['inbox/**'], style: [art/wave.jpg]"

# -------------------------------------------------------------------------------------------------- names that collide


@pytest.mark.parametrize(
    ("first", "second", "what", "way_out"),
    [
        ("cat.jpg", "cat.png", "output 'cat--wave.png' is wanted", "put {content.name} into 'output'"),
        ("cat.gif", "cat.webp", "output 'cat--wave.png' is wanted", "put {content.name} into 'output'"),
        ("cat.JPG", "cat.jpg", "output 'cat--wave.png' is wanted", "change 'output'"),
        ("Cat.jpg", "cat.jpg", "outputs 'Cat--wave.png' and 'cat--wave.png', one file where case does not count, are wanted", "change 'output'"),
        ("e\u0301.jpg", "\u00e9.png", "outputs 'e\u0301--wave.png' and '\u00e9--wave.png', one file where case does not count, are wanted", "put {content.name} into 'output'"),
        ("a/cat.jpg", "b/cat.jpg", "output 'cat--wave.png' is wanted", "put {content.parent} into 'output'"),
    ],
)  # fmt: skip
def test_two_pictures_that_want_one_output_fail_together_by_both_names(
    load: Load, inbox: Path, first: str, second: str, what: str, way_out: str
) -> None:
    touch(inbox, "dog.jpg", first, second)
    manifest = load(matrix(EVERY))
    names = sorted([f"inbox/{first}", f"inbox/{second}"])
    reason = f"{what} by two pairs: {' with art/wave.jpg, '.join(names)} with art/wave.jpg; rename one of the pictures, or {way_out}"
    assert refused(manifest) == dict.fromkeys(names, reason)
    assert "dog--wave.png" in outputs(manifest)


def test_pictures_that_are_written_out_fail_together_too(load: Load) -> None:
    pairs = "pairs: [{content: a/cat.jpg, style: art/wave.jpg}, {content: a/cat.png, style: art/wave.jpg}]\n"
    assert refused(load(pairs)) == dict.fromkeys(
        ("a/cat.jpg", "a/cat.png"),
        "output 'cat--wave.png' is wanted by two pairs: a/cat.jpg with art/wave.jpg (configs/m.yaml:4:9), a/cat.png with"
        " art/wave.jpg (configs/m.yaml:4:52); rename one of the pictures, or put {content.name} into 'output'",
    )


def test_many_that_want_one_output_are_counted(load: Load, inbox: Path) -> None:
    touch(inbox, *(f"cat.{suffix}" for suffix in ("gif", "jpg", "png", "webp", "tif")))
    (reason,) = set(refused(load(matrix(EVERY))).values())
    assert (
        "is wanted by 5 pairs: inbox/cat.gif with art/wave.jpg, inbox/cat.jpg with art/wave.jpg, inbox/cat.png with art/wave.jpg and 2 more; "
        in reason
    )


def test_styles_that_the_output_does_not_name_fail_their_pairs(load: Load) -> None:
    manifest = load(
        matrix("content: [photos/dog.jpg], style: ['art/[sw]*']", output='"{content.stem}.png"') + pair()[7:]
    )
    assert {job.output: bool(job.refusal) for job in manifest.pairs} == {"dog.png": True, "dog--wave.png": False}
    assert manifest.pairs[0].refusal.endswith("; add {style.stem} to 'output'")


def test_two_entries_that_find_the_same_pictures_fail_together(load: Load) -> None:
    text = "pairs:\n" + "  - matrix: {content: ['photos/d*.jpg'], style: ['art/w*.jpg']}\n" * 2
    assert [job.refusal for job in load(text).pairs] == [
        "output 'dog--wave.png' is wanted by two pairs: photos/dog.jpg with art/wave.jpg (configs/m.yaml:5:5),"
        " photos/dog.jpg with art/wave.jpg (configs/m.yaml:6:5); rename one of the pictures, or change 'output'"
    ] * 2


# --------------------------------------------------------------------------------------------- names that cannot be


@pytest.mark.parametrize(
    ("upload", "output", "reason"),
    [
        ("x" * 250 + f"/{'y' * 99}.jpg", "{content.parent}-{content.stem}-{content.name}.png", "has a part of"),
        ("cat.gif", "{content.name}", "must end in one of .png"),
        ("nothing.png.jpg", "{content.stem}/{content.stem}/.{index}.png", ""),  # the pattern itself: see below
    ],
)
def test_a_picture_whose_output_cannot_be_fails_alone(
    load: Load, inbox: Path, upload: str, output: str, reason: str
) -> None:
    touch(inbox, "dog.png", upload)
    text = matrix(EVERY, output=f'"{output}"')
    if not reason:
        assert "has a part that starts with '.'" in refusal(load, text)[0]
        return
    manifest = load(text)
    ((content, why),) = refused(manifest).items()
    assert content == f"inbox/{upload}"
    assert reason in why
    assert why.endswith("; rename the picture, or change 'output'")


@pytest.mark.parametrize("folder", ["report.html", "Report.2-of-3.JSON"])
def test_a_folder_in_the_way_of_the_runs_own_files_fails_its_pair_alone(
    load: Load, tmp_path: Path, folder: str
) -> None:
    touch(tmp_path / "input", f"{folder}/cat.jpg", "fine/cat.jpg")
    manifest = load(
        matrix("content: ['*/cat.jpg'], style: [art/wave.jpg]", output='"{content.parent}/{style.stem}.png"')
    )
    assert refused(manifest) == {
        f"{folder}/cat.jpg": f"output '{folder}/wave.png' is a name that the run itself writes; choose another one;"
        " rename the picture, or change 'output'"
    }


@pytest.mark.parametrize("output", ["", '"{content.stem}--{style.stem}.png"', '"{content.name}"'])
@pytest.mark.parametrize("upload", ["50%day.jpg", "100%04dframes.jpg"])
def test_an_upload_called_like_numbered_frames_fails_alone(load: Load, inbox: Path, upload: str, output: str) -> None:
    touch(inbox, "dog.png", upload)
    manifest = load(matrix(EVERY, **({"output": output} if output else {})))
    assert refused(manifest) == {
        f"inbox/{upload}": f"'inbox/{upload}' is a file, and its name stands for numbered frames; take '%' out of the name"
    }
    assert len(manifest.pairs) == 2


def test_numbered_frames_that_are_written_out_stay_a_clip(load: Load, inbox: Path) -> None:
    touch(inbox, "50%day.jpg")
    (job,) = load("pairs: [{content: inbox/%04d.jpg, style: art/wave.jpg}]\n").pairs
    assert (job.refusal, job.options.is_clip) == ("", True)


@pytest.mark.parametrize(
    ("upload", "fine", "output", "frames", "reason"),
    [
        ("a.jpg", "b.gif", "{content.stem}.mp4", "all", "output 'a.mp4' must end in one of .png"),
        ("a.gif", "b.jpg", "{content.stem}.png", "all", "output 'a.png' must end in one of .mp4"),
    ],
)
def test_an_upload_that_moves_among_those_that_do_not_fails_alone(
    load: Load, inbox: Path, upload: str, fine: str, output: str, frames: str, reason: str
) -> None:
    touch(inbox, upload, fine)
    manifest = load(matrix(EVERY, output=f'"{output}"', options=f"{{frames: {frames}}}"))
    ((content, why),) = refused(manifest).items()
    assert content == f"inbox/{upload}"
    assert why.startswith(reason)


def test_an_ending_that_no_picture_has_is_the_manifests_mistake(load: Load, inbox: Path) -> None:
    touch(inbox, "a.jpg", "b.jpg")
    (fault,) = refusal(load, matrix(EVERY, output='"{content.stem}.mp4"'))
    assert "output 'a.mp4' must end in one of .png" in fault


def test_16_bits_in_a_format_that_an_upload_brings_fail_alone(load: Load, inbox: Path) -> None:
    touch(inbox, "a.tif", "b.png")
    manifest = load(matrix(EVERY, output='"{content.name}"', options="{depth: 16}"))
    assert refused(manifest) == {
        "inbox/b.png": "output 'b.png' must end in .tif or .tiff to have depth 16; rename the picture, or change 'output'"
    }


def test_an_upload_called_like_an_outputs_folder_fails_alone(load: Load, inbox: Path) -> None:
    touch(inbox, "A.png", "a.png/x.jpg", "a.png/y.jpg")
    text = "pairs:\n  - {matrix: {content: ['inbox/*.png'], style: [art/wave.jpg]}, output: '{content.name}'}\n"
    text += "  - {matrix: {content: ['inbox/a.png/*'], style: [art/wave.jpg]}, output: 'a.png/{content.stem}.png'}\n"
    manifest = load(text)
    assert refused(manifest) == {
        "inbox/A.png": "output 'A.png' has the name of the folder that output 'a.png/x.png' lies in; rename the picture, or change 'output'"
    }
    assert len(manifest.pairs) == 3


def test_an_upload_that_would_be_written_over_fails_that_pair_alone(load: Load, tmp_path: Path) -> None:
    """The input folder is the output folder too, and somebody uploads a picture of the name that a pair wants."""
    (tmp_path / "input/cat--wave.png").touch()
    (tmp_path / "input/cat.jpg").touch()
    text = matrix("content: ['*'], style: [art/wave.jpg]", output='"{content.stem}--{style.stem}.png"')
    manifest = load("version: 1\ninput: ../input\noutput: ../input\n" + text, whole=True)
    assert refused(manifest) == {
        "cat.jpg": f"output 'cat--wave.png' would be written over a picture that is read: {tmp_path}/input/cat--wave.png;"
        " rename it, or change 'output'"
    }


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_output_that_is_one_file_with_an_input_fails_that_pair_alone(
    load: Load, tmp_path: Path, link: object
) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output/dog--wave.png").touch()
    assert callable(link)
    link(tmp_path / "output/dog--wave.png", tmp_path / "input/sea.png")
    manifest = load(
        "pairs: [{content: photos/dog.jpg, style: art/wave.jpg}, {content: sea.png, style: art/wave.jpg}]\n"
    )
    assert refused(manifest) == {
        "photos/dog.jpg": "output 'dog--wave.png' is one file with a picture that is read, through a link:"
        f" {tmp_path}/input/sea.png; remove the link, or change 'output'"
    }


def test_outputs_behind_a_link_below_the_output_folder_fail_alone(project: Path) -> None:
    nights = Nights(project)
    (nights.output / "real").mkdir(parents=True)
    (nights.output / "inside").symlink_to("real")
    (nights.output / "outside").symlink_to(project)
    names = ("inside/x.png", "outside/y.png", "real/z.png")
    nights.manifest(
        "".join(f"\n  - {{content: content/dog.png, style: style/wave.png, output: {name}}}" for name in names) + "\n"
    )
    assert statuses(nights.run()) == {"inside/x.png": "failed", "outside/y.png": "failed", "real/z.png": "done"}


PARTS = st.sampled_from(
    [
        "a",
        "A",
        "\u00e9",
        "e\u0301",
        "x.png",
        "X.PNG",
        "report.html",
        "-rf",
        ".h",
        "y" * 120,
        "{x}",
        "\n",
        "ss",
        "\u00df",
        "[1]",
        "*",
    ]
)
UPLOADS = st.tuples(
    st.lists(PARTS, max_size=2), PARTS, st.sampled_from([".jpg", ".JPG", ".png", ".gif", ".nef", ""])
).map(lambda drawn: "/".join([*drawn[0], drawn[1] + drawn[2]]))
NAMING = st.sampled_from(
    [
        *("{content.stem}--{style.stem}.png", "{content.name}", "{content.parent}/{content.stem}.png"),
        *("{content.parent}/{content.name}.png", "{content.stem}/{style.stem}.png", "{content.parent}.png"),
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(UPLOADS, max_size=8, unique=True), NAMING)
def test_whatever_is_uploaded_the_manifest_is_read_and_the_outputs_that_are_left_can_all_be(
    names: list[str], naming: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        touch(Path(folder), "input/style.bmp")
        for name in names:
            with suppress(OSError):  # one is a folder of another
                touch(Path(folder, "input"), name)
        text = "{matrix: {content: ['**', '**/.*', '!style.bmp'], style: [style.bmp]}, output: '" + naming + "'}"
        fixed = "{content: style.bmp, style: style.bmp, output: zz/fixed.png}"
        Path(folder, "m.yaml").write_text(f"pairs: [{text}, {fixed}]\n")
        left = [identity(job.output) for job in load_manifest(Path(folder, "m.yaml")).pairs if not job.refusal]
    assert "zz/fixed.png" in left
    assert len({*left}) == len(left)
    assert not {*left} & {str(above) for output in left for above in PurePosixPath(output).parents}


# ------------------------------------------------------------------------------------------------------------- nothing


@pytest.mark.parametrize(
    ("axes", "exclude", "nothing"),
    [
        ("content: ['inbox/*'], style: [art/wave.jpg]", "[]", "'inbox/*' matches no picture in the input folder"),
        ("content: ['gone/*'], style: [art/wave.jpg]", "[]", "'gone/*' matches no picture in the input folder"),
        ("content: [photos/dog.jpg], style: ['inbox/*.png']", "[]", "'inbox/*.png' matches no picture in the input folder"),
        ("content: ['photos/d*', '!photos/dog*'], style: [art/wave.jpg]", "[]", "no content is left: '!' takes away"),
        ("content: ['photos/d*'], style: [art/wave.jpg]", "[{content: photos/dog.jpg}]", "every pair of this matrix is excluded"),
        ("content: ['inbox/*', photos/amsterdam.jpg], style: [art/wave.jpg]", "[]", "'inbox/*' matches no picture in the input folder"),
    ],
)  # fmt: skip
def test_what_finds_nothing_today_is_a_warning_as_long_as_something_is_painted(
    load: Load, inbox: Path, axes: str, exclude: str, nothing: str
) -> None:
    text = matrix(axes, exclude=exclude)
    manifest = load(text + pair()[7:])
    assert "dog--wave.png" in outputs(manifest)
    (warning,) = manifest.warnings
    assert nothing in warning
    with pytest.raises(ManifestError) as caught:
        load_manifest("configs/m.yaml", strict=True)
    assert str(caught.value).splitlines()[0] == warning.replace(": ", ": error: ", 1)
    if "amsterdam" not in axes:
        assert nothing in refusal(load, text)[0]  # and nothing else is painted


def test_a_folder_that_cannot_be_listed_is_as_one_that_is_empty(
    load: Load, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(inbox, "a.jpg", "closed/b.jpg")
    list_folder = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("closed"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)
    manifest = load(matrix(EVERY))
    assert outputs(manifest) == ["a--wave.png"]
    told = "the folder 'inbox/closed' cannot be listed; patterns find no pictures in it"
    assert manifest.warnings == (f"configs/m.yaml: {told}",)
    with pytest.raises(ManifestError, match=re.escape(told)):  # as clean asks, which would remove b--wave.png
        load_manifest("configs/m.yaml", strict=True)
    assert (
        load(matrix("content: ['inbox/*.jpg'], style: [art/wave.jpg]")).warnings == ()
    )  # nothing was looked for there


def test_names_that_nothing_will_ever_be_left_of_are_an_error(load: Load) -> None:
    told = refusal(load, matrix("content: [photos/dog.jpg, '!photos/*'], style: [art/wave.jpg]") + pair()[7:])
    assert told == ["5:23: error: no content is left: '!' takes away from the names and patterns beside it"]


# ------------------------------------------------------------------------------------------------- what is left out


def left_out(load: Load, content: str) -> list[str]:
    manifest = load(matrix(f"content: {content}, style: [art/wave.jpg]", output='"{index}.png"'))
    return [warning.split(" leaves out ", 1)[1] for warning in manifest.warnings]


def test_endings_may_be_in_capitals_and_other_letters_may_not(load: Load, inbox: Path) -> None:
    touch(inbox, "img_1.jpg", "IMG_2.JPG", "IMG_3.jpg", "dog.png")
    manifest = load(matrix("content: ['inbox/*.jpg', '!inbox/*_3.JPG'], style: [art/wave.jpg]", output='"{index}.png"'))
    assert [job.content.name for job in manifest.pairs] == ["IMG_2.JPG", "img_1.jpg"]
    assert manifest.warnings == ()
    assert left_out(load, "['inbox/IMG*.jpg']") == [
        "1 name (inbox/img_1.jpg) in other letters, as case counts: name them, or write '[Aa]' for a letter"
    ]


def test_what_a_pattern_leaves_out_is_said_once_with_how_to_include_it(load: Load, inbox: Path) -> None:
    touch(inbox, "a.jpg", ".b.jpg", "._c.jpg", "d.nef", "notes.txt", "deep/er/e.png", "empty/notes.txt", ".f/g.jpg")
    touch(inbox, "@eaDir/a.jpg/THUMB.jpg", "a.jpg.dop", "a.pp3")  # of a network drive, of raw converters
    assert left_out(load, "['inbox/*']") == [
        "pictures in 1 sub-folder (inbox/deep): 'inbox/**/*' takes them too;"
        " 1 hidden picture (inbox/.b.jpg): a pattern that starts with '.' takes them;"
        " 1 file (inbox/d.nef) that no picture is called like; pictures end in one of .jpg, .jpeg, .png, .webp, .tif, .tiff,"
        " .bmp, .gif, .heic, .heif, .avif"
    ]
    assert left_out(load, "['inbox/*', 'inbox/.*', 'inbox/**/e.png', '!**/*.nef']") == []
    assert left_out(load, "['inbox/*.jpg', inbox/.b.jpg]") == []


# --------------------------------------------------------------------------------------------------------------- links


@pytest.fixture
def linked(inbox: Path, tmp_path: Path) -> Path:
    """An inbox with a link to a private picture, one that stays inside, folders behind links, and what is no file."""
    touch(tmp_path, "private/me.jpg")
    touch(inbox, "a.jpg", "album/b.jpg")
    (inbox / "planted.jpg").symlink_to(tmp_path / "private/me.jpg")
    (inbox / "sibling.jpg").symlink_to("../photos/dog.jpg")
    (inbox / "inside.jpg").symlink_to("album/b.jpg")
    (inbox / "gone.jpg").symlink_to("nowhere.jpg")
    (inbox / "folder").symlink_to(tmp_path / "private")
    (inbox / "again").symlink_to("album")
    os.mkfifo(inbox / "pipe.jpg")
    return inbox


def found(load: Load, pattern: str, head: str = "") -> list[str]:
    manifest = load(head + matrix(f"content: ['{pattern}'], style: [art/wave.jpg]", output='"{index}.png"'))
    return [os.path.relpath(job.content, manifest.input / "inbox") for job in manifest.pairs]


def test_what_a_pattern_finds_stays_inside_its_own_folder(load: Load, linked: Path) -> None:
    assert found(load, "inbox/*") == ["a.jpg", "gone.jpg", "inside.jpg"]
    assert found(load, "inbox/*/*") == ["again/b.jpg", "album/b.jpg"]
    assert left_out(load, "['inbox/*', 'inbox/*/*']") == [
        "2 links (inbox/planted.jpg, inbox/sibling.jpg) leading out of its folder: name them, or set 'follow_links: true' at"
        " the top of the manifest; 1 name (inbox/pipe.jpg) of a device, pipe or socket",
        "1 link (inbox/folder) leading out of its folder: name them, or set 'follow_links: true' at the top of the manifest",
    ]
    assert "linked folder" in left_out(load, "['inbox/**']")[0]


def test_links_are_followed_where_the_manifest_says_so_and_pipes_never(load: Load, linked: Path) -> None:
    follow = "follow_links: true\n"
    assert found(load, "inbox/*", follow) == ["a.jpg", "gone.jpg", "inside.jpg", "planted.jpg", "sibling.jpg"]
    assert found(load, "inbox/*/*", follow) == ["again/b.jpg", "album/b.jpg", "folder/me.jpg"]
    assert refusal(load, "follow_links: 1\n" + pair()) == ["4:15: error: 'follow_links' must be true or false; got 1"]


def test_what_a_pattern_finds_is_to_stay_inside_also_when_it_is_opened(
    load: Load, linked: Path, tmp_path: Path
) -> None:
    axes = matrix("content: ['inbox/*', photos/dog.jpg], style: [art/wave.jpg]", output='"{index}.png"')
    home = os.path.realpath(linked)
    homes = [dict(job.homes) for job in load(axes).pairs]
    assert homes == [{str(linked / name): home} for name in ("a.jpg", "gone.jpg", "inside.jpg")] + [{}]
    assert not any(job.homes for job in load("follow_links: true\n" + axes).pairs)


def test_a_path_that_is_written_out_may_lie_behind_links(load: Load, linked: Path) -> None:
    assert found(load, "inbox/folder/*") == ["folder/me.jpg"]  # the folder is written out
    manifest = load("pairs: [{content: inbox/planted.jpg, style: art/wave.jpg}]\n")
    assert (refused(manifest), manifest.warnings) == ({}, ())


def test_a_pattern_that_finds_only_links_out_of_its_folder_says_so(load: Load, inbox: Path) -> None:
    (inbox / "x.jpg").symlink_to("../photos/dog.jpg")
    assert (
        "; what it matches are links that lead out of its folder: name them, or set 'follow_links: true'"
        in (refusal(load, matrix(EVERY.replace("**", "*")))[0])
    )


# ------------------------------------------------------------------------------------------------------- whole nights


def test_a_night_paints_all_but_the_uploads_that_collide_and_tells_each(project: Path) -> None:
    nights = Nights(project)
    for name in ("dog.jpg", "Sea.PNG"):
        (project / "input/content" / name).write_bytes((project / "input/content/dog.png").read_bytes())
    nights.manifest(
        "\n  - matrix: {content: ['content/*'], style: [style/wave.png]}\n"
        + "  - {content: content/dog.png, style: style/wave.png, output: best.png}\n"
    )
    for _ in range(5):  # nothing is ever held: to rename one is enough
        report = nights.run()
        assert (report["run"]["exit_code"], report["counts"]["failed"]) == (3, 4)
        failed = {row["content"]: row["reason"] for row in report["pairs"] if row["status"] == "failed"}
        assert set(failed) == {"content/dog.jpg", "content/dog.png", "content/Sea.PNG", "content/sea.png"}
        assert all(name in failed["content/dog.jpg"] for name in ("content/dog.jpg", "content/dog.png"))
    assert statuses(report)["best.png"] == "up_to_date"
    (project / "input/content/dog.jpg").unlink()
    (project / "input/content/Sea.PNG").unlink()
    assert set(statuses(nights.run()).values()) == {"done", "up_to_date"}


def test_on_error_stop_starts_nothing_after_a_pair_that_cannot_be(project: Path) -> None:
    nights = Nights(project)
    (project / "input/content/dog.jpg").touch()
    nights.manifest("\n  - matrix: {content: ['content/*'], style: [style/wave.png]}\n", run="{on_error: stop}")
    assert statuses(nights.run()) == {"dog--wave.png": "failed", "sea--wave.png": "not_started"}
    assert nights.asked == []


@pytest.mark.parametrize(
    ("pairs", "place"),
    [
        ("\n  - {content: content/gone.png, style: style/wave.png}\n", "night.yaml:7:15"),
        ("\n  - {content: content/dog.png, style: [{image: style/wave.png}, {image: style/gone.png}]}\n", "night.yaml:7:73"),
        ("\n  - {content: content/dog.png, style: style/wave.png, options: {init: gone.png}}\n", "night.yaml:7:71 (pair)"),
        ("\n  - matrix: {content: ['content/*.png', content/gone.jpg], style: [style/wave.png]}\n", "night.yaml:7:41"),
    ],
    ids=["content", "style", "init", "matrix"],
)  # fmt: skip
def test_a_file_that_is_missing_is_told_with_its_place_in_the_manifest(project: Path, pairs: str, place: str) -> None:
    nights = Nights(project)
    nights.manifest(pairs)
    (reason,) = (row["reason"] for row in nights.run()["pairs"] if row["status"] == "failed")
    assert reason.startswith(f"{project}/{place}: {project}/input/")
    assert " does not exist; " in reason


def test_check_tells_places_and_collisions(project: Path, stylize) -> None:
    (project / "input/content/dog.gif").write_bytes((project / "input/content/dog.png").read_bytes())
    pairs = "[{matrix: {content: ['content/*'], style: [style/wave.png]}}, {content: gone.png, style: style/wave.png}]"
    (project / "night.yaml").write_text(f"version: 1\ninput: input\noutput: out\npairs: {pairs}\n")
    done = stylize("check", "night.yaml", cwd=project)
    assert done.returncode == 3
    assert done.stdout == "night.yaml: 4 pairs, 5 images, 1 cannot be used, 2 pairs cannot be painted\n"
    assert f"error: night.yaml:4:80: {project}/input/gone.png does not exist; check the name\n" in done.stderr
    assert "error: output 'dog--wave.png' is wanted by two pairs: content/dog.gif with style/wave.png, " in done.stderr
    plan = stylize("plan", "night.yaml", "--set", "weights=random", cwd=project)
    assert plan.stdout.count("FAIL  ") == 3


@pytest.mark.parametrize("arguments", [["check", "--strict"], ["plan", "--strict"], ["clean"]], ids=" ".join)
def test_strict_and_clean_take_nothing_found_for_an_error(project: Path, arguments: list[str]) -> None:
    pairs = (
        "[{matrix: {content: ['inbox/*'], style: [style/wave.png]}}, {content: content/dog.png, style: style/wave.png}]"
    )
    (project / "night.yaml").write_text(f"version: 1\ninput: input\noutput: out\npairs: {pairs}\n")
    with pytest.raises(ManifestError, match=r"'inbox/\*' matches no picture"):
        cli.main([*arguments, str(project / "night.yaml")], standalone_mode=False)
