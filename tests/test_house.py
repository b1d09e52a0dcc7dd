"""The directions of the house: who may import whom, read from the source; and which verbs stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pipeline"

WORDS = {"errors", "job", "options", "printable"}
STUDIO = {
    "studio.losses",
    "studio.kernels",
    "studio.vgg",
    "studio.objective",
    "studio.optimizers",
    "studio.descent",
    "studio.workshop",
}

# Room or module -> (modules of ours, libraries) it may import. A module's own line comes before its room's; `studio.weights` is
# standard library only, which is why the office and the night desk may ask it where the network is.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "job": ({"options"}, set()),
    "options": (set(), set()),
    "printable": (set(), set()),
    "manifest": (WORDS | {"manifest"}, {"yaml", "pydantic", "pydantic_core"}),
    "images": (WORDS | {"images"}, {"numpy", "PIL", "pillow_heif"}),
    "studio.weights": ({"errors"}, set()),
    "studio.losses": (set(), {"tensorflow"}),
    "studio.kernels": ({"errors", "options", "studio.weights"}, {"numpy", "h5py"}),
    "studio.vgg": ({"options", "studio.kernels"}, {"tensorflow", "keras"}),
    # TensorFlow inside one function that only the worker calls.
    "studio.precision": (set(), {"tensorflow"}),
    "studio.pyramid": (set(), set()),
    "studio.tiling": ({"options"}, set()),
    "studio.tiles": ({"options", "studio.objective", "studio.tiling", "studio.vgg"}, {"tensorflow", "numpy"}),
    "studio.optimizers": (set(), {"tensorflow", "numpy"}),
    "studio.spectrum": ({"studio.optimizers"}, {"tensorflow", "numpy"}),
    "studio.objective": ({"options", "studio.losses"}, {"tensorflow"}),
    "studio.descent": ({"errors", "studio.optimizers"}, {"tensorflow", "numpy"}),
    "studio.workshop": ({"options", "studio"}, {"tensorflow", "numpy"}),
    "sizes": ({"errors", "options", "images", "studio"}, set()),
    "scenes": ({"options", "sizes", "images", "studio"}, {"numpy"}),
    "stylize": (WORDS | {"scenes", "sizes", "images", "manifest", "studio"}, {"tensorflow", "numpy", "PIL"}),
    "report": (WORDS | {"report"}, {"jinja2", "markupsafe"}),
    "batch.files": ({"errors"}, set()),
    "batch.lock": ({"errors", "batch.selection"}, set()),
    "batch.clock": ({"job"}, set()),
    "batch.signals": ({"errors"}, set()),
    "batch.hooks": (set(), set()),
    "batch.versions": (set(), set()),
    "batch.facts": ({"job", "report.data", "batch.versions"}, set()),
    "batch.sealed": ({"batch.files"}, set()),
    "batch.records": (WORDS | {"batch.sealed", "batch.selection", "images.source"}, set()),
    "batch.failures": ({"errors", "job", "batch.sealed", "batch.records", "batch.versions"}, set()),
    "batch.cost": ({"options", "studio.pyramid", "studio.tiling"}, set()),
    "batch.estimate": (
        WORDS | {"batch.cost", "images.facts", "images.sizes", "studio.precision", "studio.tiling"},
        set(),
    ),
    "batch.selection": (set(), set()),
    "batch.observer": (WORDS | {"batch.estimate", "batch.plan"}, set()),
    "batch.space": (WORDS | {"batch.plan", "images.facts", "images.sizes"}, set()),
    "batch.plan": (
        WORDS
        | {"batch.failures", "batch.records", "batch.selection", "images.facts", "images.settings", "studio.weights"},
        set(),
    ),
    "batch.machine": (set(), set()),
    "batch.supervisor": ({"errors", "batch.machine"}, {"psutil"}),
    "batch.clean": (WORDS | {"batch"}, set()),
    "batch.ledger": (
        WORDS | {"batch.failures", "batch.machine", "batch.observer", "batch.plan", "batch.records"},
        set(),
    ),
    "batch.night": (WORDS | {"batch"}, set()),
    "batch.closing": (WORDS | {"batch", "report"}, set()),
    "batch.driver": (WORDS | {"batch"}, set()),
    "batch.checkpoints": ({"errors", "job", "batch.files", "batch.machine", "stylize"}, {"numpy"}),
    "batch.worker": (WORDS | {"batch", "images", "studio", "sizes", "stylize"}, {"tensorflow", "keras", "numpy"}),
    "talk": (WORDS | {"report", "batch"}, {"tqdm"}),
    "answers": (WORDS | {"report", "batch", "manifest"}, set()),
    "doctor": ({"errors", "studio.weights", "studio.precision"}, {"psutil", "click"}),
    "cli": (
        WORDS | {"cli", "report", "batch", "manifest", "images", "studio.weights", "talk", "answers", "doctor"},
        {"click"},
    ),
    "__main__": ({"cli"}, set()),
    "__init__": ({"stylize"}, set()),
}
# Modules of the images room that look and do not paint: they serve `check`, `plan` and `show`.
WITHOUT_NUMPY = {"images.facts", "images.sizes", "images.settings", "images.source", "images.decode", "images.convert"}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py" or path.parent == PACKAGE
}


def imports_of(path: Path) -> set[str]:
    """Every module a file imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            submodules = {f"{module}.{alias.name}" for alias in node.names}
            known = {name for name in submodules if name.removeprefix("pipeline.") in MODULES}
            found |= known or {module}
    return found


def rule_of(module: str) -> tuple[set[str], set[str]]:
    room = module.split(".")[0]
    assert module in ALLOWED or room in ALLOWED, f"{module} has no line in the table of allowed imports"
    return ALLOWED.get(module) or ALLOWED[room]


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_table(module):
    ours, libraries = rule_of(module)
    for name in imports_of(MODULES[module]):
        if name == "pipeline" or name.startswith("pipeline."):
            target = name.removeprefix("pipeline").removeprefix(".")
            allowed = any(target == entry or target.startswith(f"{entry}.") for entry in ours)
            assert allowed, f"{module} may not import {name}"
        elif name.split(".")[0] not in sys.stdlib_module_names:
            assert name.split(".")[0] in libraries, f"{module} may not import {name}"


@pytest.mark.parametrize("module", sorted(WITHOUT_NUMPY))
def test_modules_that_only_look_know_no_numpy(module):
    assert "numpy" not in {name.split(".")[0] for name in imports_of(MODULES[module])}


def test_every_line_of_the_table_is_lived_in():
    rooms = {module.split(".")[0] for module in MODULES}
    assert {line for line in ALLOWED if line not in MODULES and line not in rooms} == set()


HEAVY = ("tensorflow", "keras", "numpy")
LIST_HEAVY = "import sys; print(','.join(sorted({'tensorflow','keras','numpy','torch'} & set(sys.modules))))"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["plan", "{manifest}"],
        ["check", "{manifest}"],
        ["presets"],
        ["schema"],
        ["doctor"],
    ],
    ids=lambda arguments: " ".join(arguments).replace("{manifest}", "MANIFEST"),
)
def test_light_verbs_load_no_tensorflow_keras_or_numpy(project, arguments):
    manifest = project / "m.yaml"
    pair = "{content: content/dog.png, style: style/wave.png}"
    manifest.write_text(f"version: 1\ninput: input\noutput: out\npairs: [{pair}]\n")
    words = [word.format(manifest=manifest) for word in arguments]
    script = f"""
import pipeline.cli
try: pipeline.cli.cli.main({words!r})
except SystemExit as end: assert not end.code, end.code
{LIST_HEAVY}"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ""


def test_importing_the_package_is_light():
    done = subprocess.run(
        [sys.executable, "-c", f"from pipeline import stylize\nassert callable(stylize)\n{LIST_HEAVY}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "\n"


def test_stylize_is_a_function_however_its_module_was_imported():
    script = """
import pipeline.stylize
from pipeline import stylize
assert callable(stylize) and stylize is pipeline.stylize"""
    subprocess.run([sys.executable, "-c", script], check=True)
