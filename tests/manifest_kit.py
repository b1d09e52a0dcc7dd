"""What the tests of manifests share: a promised example, a project whose pictures are empty files, manifests in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ManifestError
from pipeline.job import Manifest
from pipeline.manifest import Override, load_manifest
from pipeline.options import Options

CONTRACT = """\
# yaml-language-server: $schema=manifest.schema.json
version: 1
name: nightly-gallery
input: ../input
output: ../output

run:
  deadline: "06:00"
  max_duration: 7h
  pair_timeout: 45m
  retries: 1
  max_memory: 6GiB
  jobs: 1
  threads: 2
  on_error: continue
  on_success: ["./notify.sh", "ok"]

defaults: {preset: balanced, seed: 7}

presets:
  poster: {extends: balanced, size: 1024, style_weight: 3e-2}

x-museum: &museum {credit: "City museum loan"}

pairs:
  - content: photos/amsterdam.jpg
    style: art/starry.jpg
    output: amsterdam-starry.png
    priority: 10
  - content: photos/dog.jpg
    style:
      - {image: art/kandinsky.jpg, weight: 2}
      - {image: art/wave.jpg, weight: 1}
    options: {preset: poster, tv_weight: 30}
    meta: {<<: *museum}
  - matrix:
      content: ["photos/*.jpg", "!photos/private-*.jpg"]
      style: ["art/*.jpg"]
      style_weight: [1e-2, 5e-2]
    exclude: [{content: photos/dog.jpg, style: art/mondrian.jpg}]
    output: "{content.stem}/{style.stem}-{style_weight}.png"
"""
HEAD = "version: 1\ninput: ../input\noutput: ../output\n"
PICTURES = ["photos/amsterdam.jpg", "photos/dog.jpg", "photos/private-me.jpg"]
PICTURES += [f"art/{name}.jpg" for name in ("kandinsky", "mondrian", "starry", "wave")]

Load = Callable[..., Manifest]


def usual(**changes: Any) -> Options:
    """The options of a pair that says nothing, with these changes."""
    weights = {"style_weight": 0.0125, "tv_weight": 3.0}
    says_nothing = {"style_loss": "neighbours", "max_steps": 50, "init": "blurred", "match_color": "tones"}
    return Options(**weights | says_nothing | changes)


def project_with_pictures(folder: Path) -> Load:
    """Make a project in `folder`, its PICTURES empty files that nobody opens; what comes back writes a manifest and loads it.

    Call it with `folder` as the working directory, a text without its first three lines (or with them: `whole`), and overrides.
    """
    for name in PICTURES:
        path = folder / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "configs").mkdir()

    def load(text: str, *settings: str, whole: bool = False) -> Manifest:
        (folder / "configs/m.yaml").write_text(text if whole else HEAD + text)
        overrides = [Override(*setting.split("=", 1), origin="--set") for setting in settings]
        return load_manifest("configs/m.yaml", overrides=overrides)

    return load


def refusal(load: Load, text: str, *settings: str) -> list[str]:
    """The first lines of all problems, without the file's name."""
    with pytest.raises(ManifestError) as caught:
        load(text, *settings)
    return [str(problem).splitlines()[0].removeprefix("configs/m.yaml:") for problem in caught.value.problems]


def pair(options: str = "", **more: str) -> str:
    """A manifest of one pair from line 4 on."""
    keys = "".join(f"    {key}: {value}\n" for key, value in ({"options": f"{{{options}}}"} | more).items())
    return f"pairs:\n  - content: photos/dog.jpg\n    style: art/wave.jpg\n{keys}"


def matrix(axes: str, **more: str) -> str:
    keys = "".join(f"    {key}: {value}\n" for key, value in more.items())
    return f"pairs:\n  - matrix: {{{axes}}}\n{keys}"


def outputs(manifest: Manifest) -> list[str]:
    return [job.output for job in manifest.pairs]
