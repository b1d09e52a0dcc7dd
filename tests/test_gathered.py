"""A folder, a pattern or a list of pictures as one style."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from manifest_kit import Load, project_with_pictures, refusal

from pipeline.job import Job
from pipeline.manifest.schema import json_schema


@pytest.fixture
def load(tmp_path, monkeypatch) -> Load:
    monkeypatch.chdir(tmp_path)
    load = project_with_pictures(tmp_path)
    for name in ("monet/lilies.jpg", "monet/poplars.PNG", "monet/notes.txt", "cafe.jpg"):
        path = tmp_path / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return load


def job_of(load: Load, style: str, more: str = "") -> Job:
    (job,) = load(f"pairs:\n  - {{content: photos/dog.jpg, style: {style}{more}}}\n").pairs
    return job


def shares(job: Job) -> dict[str, float]:
    return {style.image.name: style.weight for style in job.styles}


@pytest.mark.parametrize("images", ["monet/*", "monet", "monet/", "[monet/lilies.jpg, 'monet/p*.png']"])
def test_all_pictures_of_a_folder_are_one_style_with_equal_shares(load, images):
    job = job_of(load, f"{{images: {images}}}")
    assert shares(job) == {"lilies.jpg": 0.5, "poplars.PNG": 0.5}
    assert job.output == "dog--monet.png"


def test_what_is_taken_away_is_no_part_of_it_and_what_a_pattern_found_stays_at_home(load):
    job = job_of(load, "{images: [monet/*, '!monet/pop*']}")
    assert shares(job) == {"lilies.jpg": 1.0}
    (home,) = job.homes.values()
    assert Path(home).name == "monet"


def test_a_folder_may_be_one_of_several_styles_and_keeps_its_share_of_them(load):
    job = job_of(load, "[{images: monet, weight: 3}, {image: cafe.jpg}]")
    assert shares(job) == {"lilies.jpg": 1.5, "poplars.PNG": 1.5, "cafe.jpg": 1.0}
    assert job.output == "dog--monet+cafe.png"


def test_a_folder_may_be_one_value_of_an_axis_beside_patterns(load):
    text = 'pairs:\n  - matrix: {content: [photos/dog.jpg], style: [cafe.jpg, {images: monet}, "monet/*"]}\n'
    jobs = {job.output: shares(job) for job in load(text).pairs}
    assert jobs == {
        "dog--cafe.png": {"cafe.jpg": 1.0},
        "dog--monet.png": {"lilies.jpg": 0.5, "poplars.PNG": 0.5},
        "dog--lilies.png": {"lilies.jpg": 1.0},
        "dog--poplars.png": {"poplars.PNG": 1.0},
    }


def test_a_folder_of_nothing_is_told_and_so_is_a_style_of_too_many(load, tmp_path):
    style = "pairs:\n  - {content: photos/dog.jpg, style: {images: 'none/*.jpg'}}\n"
    (problem,) = refusal(load, style)
    assert "'none/*.jpg' matches no picture in the input folder" in problem
    for number in range(101):
        (tmp_path / f"input/monet/{number}.jpg").touch()
    (problem,) = refusal(load, style.replace("'none/*.jpg'", "monet"))
    assert problem.endswith("103 pictures are too many for one style; at most 100")


@pytest.mark.parametrize(
    ("style", "complaint"),
    [
        ("{images: monet, wieght: 2}", "unknown key 'wieght'; did you mean 'weight'?"),
        ("{images: []}", "must have at least one item"),
        ("{images: monet, weight: 0}", "'weight' must be above 0"),
        ("{image: monet}", "'style' must be a picture, or a list of"),
    ],
)
def test_a_wrong_form_of_it_is_told(load, style, complaint):
    (problem,) = refusal(load, f"pairs:\n  - {{content: photos/dog.jpg, style: {style}}}\n")
    assert complaint in problem


def test_editors_know_the_form():
    schema = json_schema()
    assert "images" in schema["definitions"]["gathered"]["required"]
    assert json.dumps(schema["definitions"]["pair"]["properties"]["style"]).count("#/definitions/gathered") == 2
