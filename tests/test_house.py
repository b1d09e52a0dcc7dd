"""The directions of the house: who may import whom, read from the source; and which verbs stay light."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pipeline"

WORDS = {
    *("clip_names", "errors", "idle_options", "job", "option_field", "option_questions", "options", "packing"),
    *("printable", "program", "reading", "style_at", "textures", "urls"),
}
# Room or module -> (modules of ours, libraries) it may import. A module's own line comes before its room's; `nst.weights` is
# standard library only, which is why manifests and runs may ask it where the network is.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    # floor 0: words
    "errors": (set(), set()),
    "printable": (set(), set()),
    "program": (set(), set()),
    "memory_limit": (set(), set()),
    "processor": (set(), set()),
    "python_path": (set(), set()),
    "python_child": (set(), set()),
    "option_field": (set(), set()),
    "clip_names": (set(), set()),
    "style_at": (set(), set()),
    "option_questions": ({"clip_names", "option_field"}, set()),
    "options": ({"clip_names", "option_field", "option_questions"}, set()),
    "idle_options": ({"clip_names", "options", "textures"}, set()),
    "textures": ({"options"}, set()),
    "packing": (set(), set()),
    "urls": (set(), set()),
    "reading": (set(), set()),
    "job": ({"options", "style_at", "textures", "urls"}, set()),
    # stores of objects: only what speaks to buckets and hosts knows its library, and is imported where one is named
    "objects.buckets": ({"errors", "objects.protocol"}, {"fsspec", "aiohttp", "gcsfs"}),
    "objects.cache": ({"urls"}, set()),
    "objects.sftp": ({"errors", "objects.protocol"}, {"fsspec", "paramiko"}),
    "objects": ({"clip_names", "clips.listing", "errors", "printable", "urls", "objects"}, set()),
    # the manifest, images, the network's shape
    "manifest": (WORDS | {"manifest", "nst.network", "objects.fetching"}, {"yaml", "pydantic", "pydantic_core"}),
    "images": (WORDS | {"images"}, {"numpy", "PIL", "pillow_heif"}),
    "nst.network": (set(), set()),
    "nst.weights": ({"errors"}, set()),
    "nst.precision": ({"processor"}, {"tensorflow"}),  # inside one function, which only a worker calls
    "nst.positions": ({"nst.network"}, set()),
    "nst.tiling": ({"options", "memory_limit", "processor", "nst.network", "nst.positions"}, set()),
    "nst.geometry": ({"nst.network"}, set()),
    "schedule": ({"errors", "options", "images.sizes", "nst.tiling"}, set()),
    # tensors
    "nst.hdf5": (set(), {"numpy", "h5py"}),
    "nst.kernels": ({"errors", "printable", "nst.hdf5", "nst.network", "nst.weights"}, {"numpy"}),
    "nst.importing": ({"processor"}, {"tensorflow"}),
    "nst.graphs": (set(), {"tensorflow"}),
    "nst.pieces": (set(), {"tensorflow"}),
    "nst.winograd": (set(), {"tensorflow", "numpy"}),
    "nst.convolution": ({"processor", "nst.graphs", "nst.tiling", "nst.winograd"}, {"tensorflow", "numpy"}),
    "nst.wrapping": (set(), {"tensorflow"}),
    "nst.extractor": (
        {"nst.convolution", "nst.graphs", "nst.kernels", "nst.network", "nst.pieces", "nst.wrapping"},
        {"tensorflow"},
    ),
    "nst.normalization": (
        {"nst.extractor", "nst.graphs", "nst.kernels", "nst.network", "nst.weights"},
        {"tensorflow", "numpy"},
    ),
    "nst.terms": (
        {"options", "nst.network", "nst.pieces", "nst.positions", "nst.terms", "nst.wrapping"},
        {"tensorflow", "numpy"},
    ),
    "nst.objective": (
        {"job", "reading", "options", "nst.graphs", "nst.network", "nst.own_terms", "nst.pieces", "nst.terms"},
        {"tensorflow"},
    ),
    "nst.own_terms": (
        {"errors", "given_styles", "options", "reading", "nst.network", "nst.terms.part", "nst.terms.term"},
        set(),
    ),
    # Evaluators name no term: they know what every term is.
    "nst.evaluator": (
        {"nst.extractor", "nst.graphs", "nst.network", "nst.objective", "nst.terms.term"},
        {"tensorflow"},
    ),
    "nst.tiled": (
        {
            *("nst.extractor", "nst.geometry", "nst.graphs", "nst.network", "nst.objective", "nst.terms.term"),
            *("nst.tiling", "nst.combining", "nst.pieces", "nst.wrapping"),
        },
        {"tensorflow"},
    ),
    "nst.combining": ({"nst.objective", "nst.terms.term"}, {"tensorflow"}),
    "nst.variables": (set(), {"tensorflow", "numpy"}),
    "nst.curvature_pairs": ({"nst.graphs", "nst.variables"}, {"tensorflow"}),
    "nst.optimizers": ({"nst.curvature_pairs", "nst.variables"}, {"tensorflow"}),
    "nst.preconditioner": ({"nst.optimizers"}, {"tensorflow", "numpy"}),
    "nst.descent": ({"errors", "nst.optimizers", "nst.variables"}, {"tensorflow", "numpy"}),
    "nst.engine": ({"options", "nst"}, {"tensorflow", "numpy"}),
    # one pair
    # Who asks what a picture is decodes nothing, and loads nothing that could.
    "images.reader": (
        {
            *("errors", "printable", "python_path", "urls", "clip_names", "clips.facts", "clips.listing"),
            *("images.budget", "images.colour_codes", "images.facts", "images.memory_file"),
        },
        set(),
    ),
    "images.reader_process": ({"errors", "printable", "clips", "images"}, set()),
    "images.colour_codes": (set(), set()),
    "images.budget": (set(), set()),
    "images.facts": (set(), set()),
    # clips: containers are FFmpeg's, pictures of animations come through the door for pictures
    "clips.facts": ({"clip_names"}, set()),
    "clips.listing": ({"clip_names", "errors", "printable"}, set()),
    "clips": ({"clip_names", "errors", "printable", "processor", "clips", "images"}, {"av", "numpy", "PIL"}),
    "regions": ({"errors", "images"}, {"numpy"}),
    "pictures": ({"errors", "options", "regions", "schedule", "textures", "images"}, {"numpy", "PIL"}),
    "stage_inputs": ({"options", "pictures", "regions", "schedule", "images", "nst"}, {"numpy"}),
    "aim": ({"options", "pictures", "stage_inputs", "nst"}, {"tensorflow", "numpy"}),
    "finishing": ({"options", "pictures", "schedule", "stage_inputs", "images"}, {"numpy"}),
    "stylization": ({"job", "reading", "images"}, {"numpy", "PIL"}),
    "stylize": (
        WORDS
        | {"aim", "finishing", "stylization", "pictures", "schedule", "stage_inputs", "images", "manifest", "nst"},
        {"tensorflow", "numpy", "PIL"},
    ),
    # a clip: what moves in it, and the painting of its frames
    "clips.flow": (set(), {"numpy", "cv2"}),
    "clips.carrying": ({"clips.flow"}, {"numpy"}),
    "sequence": (
        WORDS
        | {"clips.carrying", "clips.flow", "finishing", "images", "nst", "pictures", "schedule", "stage_inputs"}
        | {"stylization", "stylize"},
        {"numpy"},
    ),
    "keywords": (set(), set()),
    "given_styles": ({"clip_names", "errors", "options", "pictures"}, set()),
    "measuring": (
        {"errors", "job", "reading", "options", "pictures", "schedule", "stage_inputs", "images", "nst"},
        {"numpy"},
    ),
    "stylizer": (
        WORDS
        | {"keywords", "pictures", "regions", "schedule", "sequence", "stylization", "stylize", "images", "manifest"}
        | {"clips", "given_styles", "nst"},
        {"numpy", "PIL"},
    ),
    # what stands in an output folder; outcomes to pages
    "store": (
        WORDS
        | {"store", "clips.listing", "images.file_bytes", "nst.network", "objects.mirror", "objects.protocol"}
        | {"objects.service"},
        set(),
    ),
    "report": (WORDS | {"report", "store"}, {"jinja2", "markupsafe"}),
    # a night as a page: its server knows nothing of what it serves, and none of it knows how a run is made
    "watch.server": (set(), set()),
    "watch.kinds": (set(), set()),
    "watch.last": (WORDS | {"store"}, set()),
    "watch.night": (WORDS | {"store", "watch.last"}, set()),
    "watch": (WORDS | {"watch", "report", "store"}, {"jinja2", "markupsafe"}),
    # a night
    "batch.selection": (set(), set()),
    "batch.messages": ({"errors", "job", "reading", "nst.weights"}, set()),
    "batch.system": (WORDS | {"batch.system", "memory_limit", "processor", "python_path"}, {"psutil"}),
    "batch.run_metadata": (
        {"job", "program", "urls", "report.data", "batch.messages", "batch.system"},
        set(),
    ),
    "batch.estimates.cost": (
        {"options", "schedule", "nst.network", "nst.positions", "nst.tiling"},
        set(),
    ),
    "batch.estimates.estimator": (
        WORDS
        | {
            *("schedule", "batch.estimates.amounts", "batch.estimates.cost", "batch.estimates.factor"),
            *("images.reader", "nst.precision"),
        },
        set(),
    ),
    "batch.estimates.factor": (set(), set()),
    "batch.estimates.amounts": (WORDS | {"schedule", "batch.estimates.cost", "images.reader"}, set()),
    "batch.estimates.disk_space": (WORDS | {"store", "batch.estimates", "batch.plan", "images.reader"}, set()),
    "batch.workers": (WORDS | {"batch.estimates.estimator", "batch.system", "images.reader"}, set()),
    "batch.observer": (WORDS | {"batch.estimates", "batch.plan"}, set()),
    "batch.difference": (
        {"idle_options", "job", "options", "style_at", "batch.networks", "nst.weights", "store.keys", "store.records"},
        set(),
    ),
    "batch.previews": ({"clip_names", "errors", "job", "printable"}, set()),
    "batch.networks": ({"errors", "job", "store", "nst.weights"}, set()),
    "batch.fit": (
        {
            "clip_names",
            "clips.facts",
            "clips.listing",
            "errors",
            "job",
            "pictures",
            "printable",
            "regions",
            "schedule",
            "images.colour_codes",
            "images.facts",
        }
        | {"images.sizes", "manifest.pairs.naming", "nst.tiling", "store"},
        set(),
    ),
    "batch.plan": (
        WORDS
        | {
            *("batch.difference", "batch.fit", "batch.found", "batch.networks", "batch.selection", "store"),
            *("clips.facts", "clips.listing", "images.reader", "nst.weights", "objects.fetching"),
            "schedule",
        },
        set(),
    ),
    "batch.found": (WORDS | {"clips.listing", "images.reader", "store"}, set()),
    "batch.clean": (WORDS | {"store", "images.reader", "manifest.pairs.naming"}, set()),
    "batch.outcomes": ({"job", "packing", "store.records"}, set()),
    "batch.results": (
        WORDS
        | {"batch.messages", "batch.outcomes", "batch.system", "batch.observer", "batch.plan", "store"}
        | {"batch.found", "images.reader"},
        set(),
    ),
    # No engine by name: which one paints is the driver's choice.
    "batch.scheduler": (
        WORDS
        | {
            *("batch.engines.protocol", "batch.estimates", "batch.messages", "batch.plan"),
            *("batch.results", "batch.system", "clips.facts", "images.reader"),
        },
        set(),
    ),
    "batch.merging": ({"errors", "job", "printable", "batch.selection", "report.data", "store.layout"}, set()),
    "batch.standing": (WORDS | {"batch", "report", "store", "images.reader"}, set()),
    "batch.interim": (WORDS | {"batch", "report", "store"}, set()),
    "batch.live": (WORDS | {"batch.estimates", "batch.observer", "batch.plan", "store"}, set()),
    "batch.showing": ({"errors", "job", "reading", "images", "store", "batch.messages", "stylize"}, {"numpy"}),
    "batch.finish": (WORDS | {"batch", "objects.protocol", "report", "store"}, set()),
    "batch.driver": (WORDS | {"batch", "store", "images.reader", "objects.cache"}, set()),
    "batch.checkpoints": (
        {"errors", "job", "reading", "store", "batch.messages", "batch.system", "stylize"},
        {"numpy"},
    ),
    "batch.backend": (
        {"job", "options", "pictures", "schedule", "program", "batch.messages", "nst", "stylization", "stylize"}
        | {"clips.flow", "sequence"},
        {"tensorflow", "numpy"},
    ),
    # No process, pipe or signal.
    "batch.painter": (
        WORDS
        | {
            *("pictures", "schedule", "stylization", "stylize", "images", "store", "nst.tiling"),
            *("batch.backend", "batch.checkpoints", "batch.clip_painter", "batch.clip_source", "batch.files_of_job"),
            *("batch.messages", "batch.showing", "batch.system"),
        },
        set(),
    ),
    "batch.files_of_job": ({"job", "style_at", "pictures", "regions", "images.picture", "batch.messages"}, set()),
    "batch.clip_frames": ({"errors", "images", "schedule", "store"}, {"numpy"}),
    "batch.clip_source": (
        WORDS | {"clips", "images", "pictures", "regions", "schedule", "batch.files_of_job"},
        {"numpy"},
    ),
    "batch.clip_story": (
        {"clip_names", "errors", "reading", "clips.facts", "batch.clip_frames", "batch.system"},
        set(),
    ),
    "batch.clip_walk": (
        WORDS
        | {"clips", "images", "pictures", "schedule", "sequence", "store.keys"}
        | {"batch.backend", "batch.clip_frames", "batch.clip_source", "batch.clip_story"}
        | {"batch.messages"},
        {"numpy"},
    ),
    "batch.frame_files": (
        WORDS
        | {
            "batch.clip_frames",
            "batch.clip_source",
            "batch.files_of_job",
            "batch.messages",
            "clips",
            "images",
            "store",
        },
        set(),
    ),
    "batch.clip_output": (
        WORDS
        | {"clips", "images", "pictures", "store", "batch.clip_frames", "batch.clip_source", "batch.clip_story"}
        | {"batch.messages"},
        {"numpy"},
    ),
    "batch.clip_painter": (
        WORDS
        | {"nst.tiling", "pictures", "schedule", "store", "batch.backend", "batch.clip_frames", "batch.clip_output"}
        | {"batch.clip_source", "batch.clip_walk", "batch.files_of_job"}
        | {"batch.frame_files", "batch.messages", "batch.showing", "batch.system"},
        set(),
    ),
    "batch.engines.shots": ({"clip_names", "errors", "job", "batch.engines.protocol", "batch.messages"}, set()),
    "batch.engines.protocol": ({"job", "batch.messages"}, set()),
    "batch.engines.local": (
        {
            *("errors", "job", "printable", "python_path", "store.disk"),
            *("batch.engines.lifetime", "batch.engines.protocol", "batch.messages", "batch.system"),
        },
        {"psutil"},
    ),
    "batch.engines.lifetime": ({"errors", "printable", "images.budget", "store.disk", "batch.messages"}, set()),
    # Dask itself is spoken to by two modules: the driver's line to it, and what runs in its workers.
    "batch.engines.cluster.proof": ({"errors", "printable", "program", "store.disk", "store.keys"}, set()),
    "batch.engines.cluster.link": ({"errors"}, {"dask", "distributed"}),
    "batch.engines.cluster.work": (
        {"printable", "batch.engines.cluster.link", "batch.engines.protocol", "batch.messages"},
        set(),
    ),
    "batch.engines.cluster.engine": (
        {
            *("errors", "job", "store.disk", "store.layout"),
            *("batch.engines.cluster", "batch.engines.local", "batch.engines.protocol", "batch.messages"),
        },
        set(),
    ),
    "batch.engines.cluster.host": (
        {
            *("errors", "job", "nst.weights", "objects.cache", "objects.fetching", "urls"),
            *(
                "batch.engines.cluster.proof",
                "batch.engines.local",
                "batch.messages",
            ),
        },
        {"distributed"},
    ),
    "batch.engines.worker": (
        {
            *("errors", "batch.backend", "batch.checkpoints", "batch.messages", "batch.painter", "batch.system"),
            *("clip_names", "images.budget", "images.inspection"),
        },
        set(),
    ),
    # the front door
    "cli": (
        WORDS
        | {
            *("cli", "report", "batch", "store", "watch", "manifest", "images.reader", "nst.weights", "nst.precision"),
            *(
                "clips.facts",
                "clips.listing",
                "images.colour_codes",
                "images.facts",
                "objects.cache",
                "objects.fetching",
                "python_path",
            ),
        },
        {"click", "tqdm"},
    ),
    "__main__": ({"cli"}, set()),
    "__init__": ({"stylization", "stylizer", "python_path"}, set()),
}
# Modules of the images room that look and do not paint: they serve `check`, `plan` and `show`.
WITHOUT_NUMPY = {
    "images.colour_codes",
    "images.region_colours",
    "images.small",
    "images.sheet",
    "images.lettering",
    "images.inspection",
    "images.reader",
    "images.reader_process",
    "images.budget",
    "images.facts",
    "images.sizes",
    "images.metadata",
    "images.file_bytes",
    "images.decode",
    "images.convert",
}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py" or path.parent == PACKAGE
}

# Folders, which are imported from as modules are.
ROOMS = {".".join(path.parent.relative_to(PACKAGE).parts) for path in PACKAGE.rglob("__init__.py")} - {""}


TABLE = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")


@functools.cache
def statements_of(path: Path) -> tuple[ast.stmt, ...]:
    """A file's imports and functions, wherever they stand, read once. Expressions, which hold neither, are not gone through:
    they are nine tenths of a file's syntax."""
    found = _statements(ast.parse(path.read_text(encoding="utf-8")))
    kept = [
        node for node in found if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for node in kept:
        node.__dict__.pop("body", None)
    return tuple(kept)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        for statement in getattr(node, part, ()):
            yield statement
            yield from _statements(statement)


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    """Every module a file imports, at its top or inside its functions."""
    found: set[str] = set()
    for node in statements_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            submodules = {f"{module}.{alias.name}" for alias in node.names}
            known = {name for name in submodules if name.removeprefix("pipeline.") in MODULES.keys() | ROOMS}
            found |= known or {module}
    return frozenset(found)


def rule_of(module: str) -> tuple[set[str], set[str]]:
    """The line of a module, or else of the floor or room that it is in."""
    parts = module.split(".")
    lines = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    line = next((line for line in lines if line in ALLOWED), None)
    assert line, f"{module} has no line in the table of allowed imports"
    return ALLOWED[line]


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
    floors = {".".join(module.split(".")[:length]) for module in MODULES for length in (1, 2)}
    assert {line for line in ALLOWED if line not in MODULES and line not in floors} == set()


def named(text: str) -> set[str]:
    """The names of modules that stand in backticks."""
    return set(re.findall(r"`([a-z_0-9]+)/?`", text))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_what_is_in_it(room):
    folder = PACKAGE.joinpath(*room.split("."))
    files = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert named(ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or "") == (
        files - {"__init__"}
    )


def test_the_table_of_rooms_names_each_and_no_other():
    rows = re.findall(r"^\| (`[^|]*`) \|", TABLE.split("## The rooms")[1].split("**The walk.**")[0], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([a-z_/]+?)/?`", row)}
    floor = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert told >= floor | {room for room in ROOMS if "." not in room}
    assert {name for name in told if name.replace("/", ".") not in MODULES.keys() | ROOMS} == set()


def test_each_module_begins_with_a_sentence():
    without = [name for name, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert without == []


# Pillow too: pictures are decoded by a process that may die (images/reader), never by the one that plans and records.
HEAVY = ("tensorflow", "keras", "numpy", "PIL", "av", "cv2", "dask", "distributed", "fsspec", "s3fs", "paramiko")
LIST_HEAVY = f"import sys; print(','.join(sorted({ {'torch', *HEAVY} } & set(sys.modules))))"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["plan", "{manifest}"],
        ["check", "{manifest}"],
        ["masks", "--help"],
        ["sheet", "--help"],
        ["sheet", "{manifest}"],
        ["watch", "--help"],
        ["presets"],
        ["schema"],
        ["doctor"],
    ],
    ids=lambda arguments: " ".join(arguments).replace("{manifest}", "MANIFEST"),
)
def test_light_verbs_load_no_tensorflow_keras_numpy_or_pillow(project, arguments):
    manifest = project / "m.yaml"
    pair = "{content: content/dog.png, style: style/wave.png}"
    manifest.write_text(f"version: 1\ninput: input\noutput: out\npairs: [{pair}]\n")
    words = [word.format(manifest=manifest) for word in arguments]
    script = f"""
from pipeline.cli.main import cli
try: cli.main({words!r})
except SystemExit as end: assert not end.code, end.code
{LIST_HEAVY}"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.slow
def test_a_verb_loads_no_other_verbs():
    """All of them take a tenth of a second of the processor."""
    script = """
import sys
from pipeline.cli.main import cli
try: cli.main(["plan", "--help"])
except SystemExit: pass
print(*sorted(name for name in sys.modules if name.startswith("pipeline.cli.")))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.splitlines()[-1].split()}
    assert loaded == {"arguments", "main", "paths", "run", "streams"}


@pytest.mark.slow
def test_the_light_tests_load_no_tensorflow_where_they_are_found():
    """One file that does would fail them all, and only where they run without the others."""
    script = """
import sys, pytest
assert pytest.main(["-q", "--collect-only", "-p", "no:cacheprovider", "-m", "not slow", "tests"]) == 0
assert "tensorflow" not in sys.modules, "mark what loads TensorFlow slow"
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.slow
def test_importing_the_package_is_light():
    done = subprocess.run(
        [sys.executable, "-c", f"from pipeline import stylize\nassert callable(stylize)\n{LIST_HEAVY}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "\n"


@pytest.mark.slow
def test_stylize_is_a_function_however_its_module_was_imported():
    script = """
import pipeline.stylize
from pipeline import stylize
assert callable(stylize) and stylize is pipeline.stylize"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_no_module_has_over_350_lines_and_no_function_over_60():
    """Of what is longer, a part is another room's, or another function's."""
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > 350:
            long.append(f"{path.name}: {lines}")
        for node in statements_of(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 60:
                long.append(f"{path.name}: {node.name}")
    assert long == []
