"""Keys, hashes, files and locks of the night desk. No TensorFlow."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import math
import os
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from patience import until

from pipeline.batch.difference import difference
from pipeline.batch.plan import make_plan
from pipeline.batch.system.deadline import Moment, elapsed_clock, end_of_run, next_deadline
from pipeline.cli.rendering import plan_rows
from pipeline.errors import BadImage, ExitCode, weightiest
from pipeline.idle_options import WITH_QUALITY, WITHOUT_DPI
from pipeline.images import file_bytes
from pipeline.images.encode import FORMAT_OF_SUFFIX, _parameters
from pipeline.images.file_bytes import hash_file, hash_with_status
from pipeline.images.reader import Reader
from pipeline.job import Job, RunSettings, StyleImage
from pipeline.manifest import load_manifest, options_from_python
from pipeline.nst.weights import NetworkWeights
from pipeline.options import LEFT_OUT, NEUTRAL, OPTION_NAMES, Options
from pipeline.store import keys
from pipeline.store.checksummed_json import read_checksummed_json, write_checksummed_json
from pipeline.store.disk import LocalStore
from pipeline.store.hashes import HashTable
from pipeline.store.keys import ALGORITHM, KEY_SCHEMA, former_key, outdated_keys, pair_key
from pipeline.store.layout import HASHES, pair_id
from pipeline.store.records import Record, State, read_record, thin

REPOSITORY = Path(__file__).resolve().parent.parent
JOB = Job(output="a.png", content=Path("/c"), styles=(StyleImage(Path("/s")),), options=Options())


def key(job, hashes=None, weights="w"):
    return pair_key(job, (hashes or {Path("/c"): "1", Path("/s"): "2"}).__getitem__, weights)


def test_a_key_is_the_same_for_the_same_making():
    assert key(JOB) == key(replace(JOB))
    assert len(key(JOB)) == 64


def test_a_key_stays_what_it_was_from_commit_to_commit():
    """Computed with the code that painted the galleries of algorithm 5. A change here repaints every gallery there is: raise
    ALGORITHM or KEY_SCHEMA on purpose, or find what leaked into the key."""
    assert (
        key(replace(JOB, options=Options(steps=200)))
        == "3847b8ee69c9665841c43679ea254ad87ea705b40c32836f1aaff137b55940a7"
    )
    blend = Job(
        output="deep/b.JPG",
        content=Path("/c"),
        styles=(StyleImage(Path("/s"), 2.0), StyleImage(Path("/i.png"), 0.5)),
        options=Options(
            preset="x",
            weights="/w.h5",
            tile=512,
            size=640,
            steps=77,
            init="/i.png",
            beta_1=0.5,
            style_layers={"block1_conv1": 0.25, "block3_conv1": 1.0},
            seed=3,
        ),
    )
    hashes = {Path("/c"): "1", Path("/s"): "2", Path("/i.png"): "3"}
    first = "15722147de6efe5a3f6152498fd9b77df9c4deee444a28ed8c83675b6798b542"
    assert former_key(blend, hashes.__getitem__, "w") == first  # with options without effect, as it was to version 0.2
    assert key(blend, hashes) == "ccd304c80bbad5620b2bc50580bd67faacea302f7b98016ff12eb63154b9d925"


@pytest.mark.parametrize("field", [f.name for f in fields(Options)])
def test_every_option_that_decides_pixels_is_in_the_key(field):
    other = {
        str: "noise",
        bool: True,
        int: 999,
        float: 0.123,
        dict: {"block3_conv1": 1.0},
        type(None): 3.0,
    }[type(getattr(Options(), field))]
    needed: dict[str, dict[str, object]] = {
        **{name: {"optimizer": "adam"} for name in ("learning_rate", "learning_rate_decay", "beta_1", "beta_2")},
        **{name: {"init": "noise"} for name in ("seed", "noise_level", "noise_ratio")},
        "match_strength": {"match_color": "style"},
        "coherence": {"style_loss": "neighbours"},
        **{name: {"frames": "all"} for name in ("loop", "temporal_weight", "steps_per_frame")},
    }
    before = replace(JOB, output="a.jpg", options=Options(**needed.get(field, {})))
    changed = replace(before, options=replace(before.options, **{field: other}))
    # Only names, of a set of options and of a file whose hash is in the key; and what decides memory and rounding alone.
    if field in ("preset", "weights", "tile"):
        assert key(changed) == key(before)
    else:
        assert key(changed) != key(before)


@pytest.mark.parametrize(
    ("idle", "company"),
    [
        ({"learning_rate": 3.0, "learning_rate_decay": 0.5, "beta_1": 0.5, "beta_2": 0.5}, {"optimizer": "lbfgs"}),
        ({"beta_1": 0.5, "beta_2": 0.5, "preconditioner": "none", "history": 9}, {"optimizer": "gd"}),
        ({"preconditioner": "none", "history": 9}, {"optimizer": "adam"}),
        ({"seed": 7, "noise_level": 1.0, "noise_ratio": 0.5}, {"init": "content"}),
        ({"seed": 7, "noise_level": 1.0, "noise_ratio": 0.5}, {"init": "style"}),
        ({"seed": 7, "noise_level": 1.0}, {"init": "noise", "noise_ratio": 0.0}),
        ({"content_layers": {"block1_conv1": 1.0}}, {"content_weight": 0.0}),
        ({"style_layers": {"block1_conv1": 1.0}}, {"style_weight": 0.0}),
        ({"content_loss": "self_similarity", "seed": 7}, {"content_weight": 0.0}),
        ({"content_layers": {"block1_conv1": 1.0}}, {"content_loss": "self_similarity"}),
        ({"style_layers": {"block1_conv1": 1.0}}, {"style_loss": {"neighbours": 1.0, "transport": 2.0}}),
        ({"tv_kind": "absolute", "tv_unit": "sums"}, {"tv_weight": 0.0}),
        ({"quality": 7}, {}),
    ],
    ids=lambda options: ",".join(options) or "png",
)
def test_an_option_without_effect_is_not_in_the_key(idle, company):
    plain, changed = (replace(JOB, options=Options(**company, **more)) for more in ({}, idle))
    assert key(changed) == key(plain)
    for name, value in idle.items():
        assert key(replace(JOB, options=Options(**company, **{name: value}))) == key(plain)


@pytest.mark.parametrize(
    "company",
    [
        {"style_loss": "transport"},
        {"style_loss": "neighbours"},
        {"style_loss": {"gram": 1.0, "neighbours": 1.0}},
        {"content_loss": "self_similarity"},
    ],
    ids=str,
)
def test_the_seed_is_in_the_key_where_places_are_chosen_by_it(company):
    one, other = (replace(JOB, options=Options(**company, seed=seed)) for seed in (0, 1))
    assert key(one) != key(other)


def test_layers_are_in_the_key_where_one_of_several_distances_looks_at_them():
    mixed = Options(style_loss={"gram": 1.0, "transport": 1.0})
    assert key(replace(JOB, options=mixed)) != key(
        replace(JOB, options=replace(mixed, style_layers={"block1_conv1": 1.0}))
    )


def test_quality_is_in_the_key_of_every_format_that_has_it():
    with_quality = {
        suffix for suffix, kind in FORMAT_OF_SUFFIX.items() if "quality" in _parameters(kind, 9, "", b"", 300)
    }
    assert with_quality == {*WITH_QUALITY}


def test_dpi_is_in_the_key_of_every_format_that_has_it():
    without = {suffix for suffix, kind in FORMAT_OF_SUFFIX.items() if "dpi" not in _parameters(kind, 9, "", b"", 300)}
    assert without == {*WITHOUT_DPI}
    for suffix in FORMAT_OF_SUFFIX:
        usual, fine = (replace(JOB, output=f"a{suffix}", options=Options(dpi=dpi)) for dpi in ("auto", 600))
        assert (key(usual) == key(fine)) == (suffix in without), suffix


def test_the_key_of_rescaled_filters_changes_with_their_making(monkeypatch):
    rescaled = replace(JOB, options=Options(normalize="channels"))
    before = key(JOB), key(rescaled)
    monkeypatch.setattr(keys, "NORMALIZATION", keys.NORMALIZATION + 1)
    assert key(JOB) == before[0]
    assert key(rescaled) != before[1]


def test_the_key_of_neighbours_changes_with_how_they_are_matched(monkeypatch):
    matched = replace(JOB, options=Options(style_loss={"gram": 0.1, "neighbours": 1.0}))
    by_vgg16 = replace(matched, options=replace(matched.options, network="vgg16"))
    before = key(JOB), key(matched), key(by_vgg16)
    monkeypatch.setattr(keys, "MATCHED", keys.MATCHED + 1)
    assert key(JOB) == before[0]
    assert key(matched) != before[1]
    assert key(by_vgg16) != before[2]


@pytest.mark.parametrize(("option", "other"), [("network", "vgg16"), ("normalize", "channels")])
def test_what_is_stored_leaves_out_an_option_of_a_later_version_at_its_neutral_value(option, other):
    """So that a picture painted as before has the same bytes as before."""
    assert option not in Options().as_dict()
    assert Options().all_values()[option] == NEUTRAL[option]
    assert Options(**{option: other}).as_dict()[option] == other


@pytest.mark.parametrize(
    ("before", "now", "words"), [("none", "channels", "none -> channels"), ("channels", "none", "channels -> none")]
)
def test_a_plan_says_that_an_option_changed_which_one_of_its_sides_leaves_out(before, now, words):
    job = replace(JOB, options=Options(normalize=now))
    assert why(job, {"options": Options(normalize=before).as_dict()}) == f"normalize {words}"


def why(job, outcome, bears="", weights="0"):
    """In what a pair differs from a record with this outcome, whose picture bears a key."""
    record = Record(schema=KEY_SCHEMA, key=bears, sha256="", size=0, mtime_ns=0, outcome=outcome)
    named = NetworkWeights("random", None, weights)
    return difference(job, record, named, lambda: outdated_keys(job, HASHES_OF.__getitem__, weights))


HASHES_OF = {Path("/c"): "1", Path("/s"): "2", Path("/sketch.png"): "3", Path("/m"): "4"}
PAINTED_OTHERWISE = "an earlier version painted it, and this one paints it otherwise"


@pytest.mark.parametrize(
    ("options", "number"),
    [
        (Options(style_loss="transport"), "places"),
        (Options(content_loss="self_similarity"), "places"),
        (Options(style_loss="neighbours"), "matched"),
        (Options(normalize="channels"), "normalization"),
        (Options(enlarge=True), "enlarged"),
    ],
)
def test_a_plan_blames_the_program_and_not_the_pictures_where_it_paints_otherwise_now(options, number):
    job = replace(JOB, options=options)
    makeup = keys._makeup(job, keys.with_effect(options), HASHES_OF.__getitem__, "0")
    algorithm_before = keys._digest(makeup | {"algorithm": ALGORITHM - 1})
    now = makeup.pop(number)
    before_the_number = keys._digest(makeup)
    numbers_before = (keys._digest(makeup | {number: before}) for before in range(1, now))
    for painted in (before_the_number, *numbers_before, algorithm_before):
        assert why(job, {"options": options.as_dict()}, painted) == PAINTED_OTHERWISE
        assert why(job, {"options": replace(options, size=99).as_dict()}, painted) == "size 99 -> 512"
    assert why(job, {"options": options.as_dict()}, key(job, HASHES_OF)) == "its content or style changed"


def test_a_plan_names_all_that_a_pair_is_made_from_where_it_is_a_file_that_changed():
    def files(job, **outcome):
        return why(job, {"options": job.options.as_dict(), **outcome})

    texture = Options(size=(64, 64), init="noise")
    assert files(replace(JOB, options=texture)) == "its style changed"
    assert files(JOB, masks={"content_mask": "m.png"}) == "its content, style or a mask changed"
    started = replace(JOB, options=Options(init="/sketch.png"))
    assert files(started) == "its content, style or the picture of init changed"
    assert files(replace(started, content_mask=Path("/m"))).endswith("style, a mask or the picture of init changed")


@pytest.mark.parametrize("option", [{"tile": 512}, {"preset": "fine"}, {"weights": "imagenet"}, {"seed": 3}])
def test_a_plan_blames_no_option_that_is_in_no_key(option):
    job = replace(JOB, options=Options(**option))
    assert key(job) == key(JOB)
    assert why(job, {"options": Options().as_dict()}) == "its content or style changed"


def test_a_plan_says_that_styles_are_blended_otherwise():
    job = replace(JOB, styles=(StyleImage(Path("/s"), 2.0), StyleImage(Path("/c"), 0.5)))
    before = {"options": job.options.as_dict(), "style_shares": [1.0, 0.5]}
    assert why(job, before) == "weights of the styles 1, 0.5 -> 2, 0.5"
    assert why(job, {**before, "style_shares": [2.0, 0.5]}) == "its content or style changed"
    assert why(job, {"options": before["options"]}) == "its content or style changed"  # 0.1 kept no shares


def test_every_option_that_is_left_out_has_a_neutral_value():
    assert LEFT_OUT.items() <= NEUTRAL.items()


# The options of the first version, whose keys galleries bear.
FIRST_OPTIONS = """preset size style_scale steps scales optimizer learning_rate losses content_weight style_weight tv_weight
    content_layers style_layers pooling border init seed preserve_color strength precision tile weights depth quality"""


def test_an_option_that_came_later_repaints_no_gallery():
    """Its key is that of the same pair before the option came; so every later option must name its neutral value."""
    assert {*FIRST_OPTIONS.split()} == {*OPTION_NAMES} - {*NEUTRAL}

    class FirstVersion(Options):
        def as_dict(self):
            return {name: getattr(self, name) for name in FIRST_OPTIONS.split()}

    def first_key(**options):
        """As the first version made it."""
        makeup = {
            "schema": KEY_SCHEMA,
            "algorithm": ALGORITHM,
            "content": "1",
            "styles": [["2", 1.0]],
            "options": {n: v for n, v in FirstVersion(**options).as_dict().items() if n not in ("preset", "weights")},
            "weights": "w",
            "format": ".png",
        }
        return hashlib.sha256(json.dumps(makeup, sort_keys=True).encode()).hexdigest()

    for options in ({}, {"size": 640, "losses": "sums"}):
        assert key(replace(JOB, options=Options(**options, **NEUTRAL))) == first_key(**options)
    assert key(replace(JOB, options=Options(style_aspect="content"))) != first_key()


def test_what_the_docs_say_keeps_the_pictures_of_the_first_version_does():
    """Keys computed with version 0.1, of pairs with these options: none, `preset: draft`, `preset: jcjohnson`."""
    told = {"style_loss": "gram", "steps": 200, "empty_areas": "alike", "match_color": "none"}
    shown = ", ".join(f"{name}: {value}" for name, value in told.items())
    assert shown in " ".join((REPOSITORY / "docs/nights.md").read_text().split())
    kept = [told, told | {"preset": "draft", "steps": 80}, {"preset": "jcjohnson", "optimizer": "published"}]
    assert [key(replace(JOB, options=options_from_python(options))) for options in kept] == [
        "3847b8ee69c9665841c43679ea254ad87ea705b40c32836f1aaff137b55940a7",
        "52f5834b5c7f24b42e0f8c839541381c102b341e00e83d76f360f2d37aca1489",
        "388ca042233d216757abd776cc22509b4e9764adb73d8ac5e4e829dd8bb9a6bf",
    ]


def test_contents_format_and_network_are_in_the_key_and_names_are_not():
    assert key(JOB, weights="other") != key(JOB)
    assert key(JOB, {Path("/c"): "9", Path("/s"): "2"}) != key(JOB)
    assert key(JOB, {Path("/c"): "1", Path("/s"): "9"}) != key(JOB)
    assert key(replace(JOB, output="a.jpg")) != key(JOB)
    assert key(replace(JOB, output="b.png")) == key(JOB)
    renamed = replace(JOB, content=Path("/elsewhere"))
    assert key(renamed, {Path("/elsewhere"): "1", Path("/s"): "2"}) == key(JOB)


def test_a_picture_that_stands_in_many_pairs_is_hashed_and_measured_once(project, monkeypatch):
    """Also one that was saved this very second, whose hash is not remembered for the next run."""
    pairs = (
        "[{matrix: {content: ['content/*'], style: ['style/*'], seed: [1, 2, 3]}, output: '{content.stem}{seed}.png'}]"
    )
    (project / "m.yaml").write_text(
        f"version: 1\ninput: input\noutput: out\ndefaults: {{weights: random}}\npairs: {pairs}"
    )
    manifest = load_manifest(project / "m.yaml")
    read = []
    for name, function in (
        ("store.hashes.hash_with_status", hash_with_status),
        ("images.reader.Reader._ask", Reader._ask),
    ):
        monkeypatch.setattr(
            f"pipeline.{name}",
            lambda *given, name=name, function=function: (
                read.append((name, next(path for path in given if isinstance(path, Path)))),
                function(*given),
            )[1],
        )
    assert len(plan_rows(make_plan(manifest, State(LocalStore(manifest.output))), manifest)) == 6
    assert sorted((name, path.name) for name, path in read) == [
        ("images.reader.Reader._ask", "dog.png"),
        ("images.reader.Reader._ask", "sea.png"),
        ("images.reader.Reader._ask", "wave.png"),
        ("store.hashes.hash_with_status", "dog.png"),
        ("store.hashes.hash_with_status", "sea.png"),
        ("store.hashes.hash_with_status", "wave.png"),
    ]


def test_the_start_pictures_content_is_in_the_key():
    started = replace(JOB, options=replace(JOB.options, init="/i.png"))
    hashes = {Path("/c"): "1", Path("/s"): "2"}
    assert key(started, hashes | {Path("/i.png"): "3"}) != key(started, hashes | {Path("/i.png"): "4"})


def test_shares_of_a_blend_are_in_the_key():
    heavier = replace(JOB, styles=(StyleImage(Path("/s"), 2.0),))
    assert key(heavier) != key(JOB)


def test_a_job_survives_the_pipe():
    job = replace(JOB, meta={"credit": "museum"}, origins={"size": "built in"}, priority=3)
    assert Job.from_json(job.to_json()) == job


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "out")


def test_sealed_content_comes_back_as_it_was_written(store):
    content = {"size": [64, 48], "loss": 0.1, "note": "ä\n", "none": None}
    write_checksummed_json(store, "a.json", content)
    assert read_checksummed_json(store, "a.json") == content
    assert json.loads(store.read("a.json"))["content"] == content  # and jq reads it too


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data.replace(b"64", b"65"),
        lambda data: data.replace(b'"content"', b'"kontent"'),
        lambda data: bytes(len(data)),
        lambda data: b"",
        lambda data: b"[" * 100_000,
        lambda data: b'{"size": [64, 48]}',
    ],
)
def test_a_seal_that_does_not_hold_is_as_no_file(damage, store):
    write_checksummed_json(store, HASHES, {"size": [64, 48]})
    store.write(HASHES, damage(store.read(HASHES)))
    assert read_checksummed_json(store, HASHES) is None
    assert read_record(store, HASHES) is None
    assert HashTable(store)._table() == {}
    assert read_checksummed_json(store, "missing.json") is None


def test_a_record_of_another_version_counts_as_none(store):
    write_checksummed_json(store, "a.json", {"schema": 1, "what": "a field that is to come"})
    assert read_record(store, "a.json") is None


@pytest.fixture
def long_ago(monkeypatch):
    """Every file was written long enough ago."""
    monkeypatch.setattr("pipeline.store.hashes._RACY_NS", -(10**18))


def a_tick_after(path):
    """Return when a change of this file is given another time than its last: the kernel's clock for files has ticks of
    milliseconds."""
    probe = path.with_name("probe")

    def ticked():
        probe.write_bytes(b"")
        return probe.stat().st_ctime_ns > path.stat().st_ctime_ns

    until(ticked)


def remembered(store, picture):
    """A table of a later run that knows the picture's hash, and the hash."""
    table = HashTable(store)
    first = table.sha256(picture)
    table.save(whole=True)
    return HashTable(store), first


def test_an_unchanged_file_is_hashed_once(tmp_path, store, long_ago, monkeypatch):
    picture = tmp_path / "p"
    picture.write_bytes(b"one")
    again, first = remembered(store, picture)
    monkeypatch.setattr("pipeline.store.hashes.hash_with_status", None)  # it is not called
    assert again.sha256(picture) == first


def test_a_file_edited_in_place_with_its_time_kept_is_noticed(tmp_path, store, long_ago):
    """As `exiftool -P -overwrite_original_in_place` does: size, time and inode are what they were."""
    picture = tmp_path / "p"
    picture.write_bytes(b"one")
    again, first = remembered(store, picture)
    before = picture.stat()
    a_tick_after(picture)
    with picture.open("r+b") as file:
        file.write(b"two")
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = picture.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert again.sha256(picture) == hash_file(picture) != first


def test_a_picture_edited_in_place_with_its_time_kept_is_not_what_was_painted(tmp_path, store, long_ago):
    state, picture = State(store), store.path("a.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(b"one")
    before = picture.stat()
    record = Record(
        schema=KEY_SCHEMA, key="k", sha256=hash_file(picture), size=3, mtime_ns=before.st_mtime_ns, outcome={}
    )
    assert state.stands(record, "a.png")
    a_tick_after(picture)
    picture.write_bytes(b"two")
    os.utime(picture, ns=(0, before.st_mtime_ns))
    assert not state.stands(record, "a.png")
    picture.write_bytes(b"longer")
    assert not state.stands(record, "a.png")
    assert not state.stands(record, "b.png")


def test_a_file_exchanged_for_another_with_its_time_is_noticed(tmp_path, store, long_ago):
    picture, other = tmp_path / "p", tmp_path / "other"
    picture.write_bytes(b"one")
    other.write_bytes(b"two")
    again, first = remembered(store, picture)
    os.utime(other, ns=(0, picture.stat().st_mtime_ns))
    other.replace(picture)
    assert again.sha256(picture) == hash_file(picture) != first


@pytest.mark.parametrize("then", ["replaced", "deleted"])
def test_a_file_replaced_or_deleted_while_it_is_hashed_leaves_no_wrong_hash(
    tmp_path, store, long_ago, monkeypatch, then
):
    picture, other = tmp_path / "p", tmp_path / "other"
    picture.write_bytes(b"one")
    other.write_bytes(b"two")
    real, acts = file_bytes.open_regular, [lambda: other.replace(picture) if then == "replaced" else picture.unlink()]

    @contextlib.contextmanager
    def opened(*arguments, **bounds):
        with real(*arguments, **bounds) as (file, status):
            if acts:
                acts.pop()()
            yield file, status

    monkeypatch.setattr(file_bytes, "open_regular", opened)
    monkeypatch.setattr(file_bytes, "_PAUSES", (0.0, 0.0))
    table = HashTable(store)
    if then == "deleted":
        with pytest.raises(BadImage, match="p does not exist"):
            table.sha256(picture)
        assert table._used == {}
    else:
        digest = hashlib.sha256(b"two").hexdigest()
        assert table.sha256(picture) == digest
        assert table._used[str(picture)] == [*file_bytes.stamp(picture.stat()), digest]


def test_a_file_that_has_just_been_written_is_not_trusted_next_time(tmp_path, store):
    picture = tmp_path / "p"
    picture.write_bytes(b"one")
    table = HashTable(store)
    table.sha256(picture)
    table.save(whole=True)
    assert not store.exists(HASHES)


def test_ids_are_short_plain_and_different():
    ids = {pair_id(name) for name in ("a.png", "A.png", "a/b.png", "\udcff.png")}
    assert len(ids) == 4
    assert all(len(i) == 16 and i.isalnum() for i in ids)


def test_a_thinned_trace_keeps_its_ends():
    trace = [{"step": step} for step in range(1, 1001)]
    thinned = thin(trace)
    assert len(thinned) == 60
    assert (thinned[0]["step"], thinned[-1]["step"]) == (1, 1000)
    assert thin(trace[:7]) == trace[:7]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], 0),
        ([10, 3], 3),
        ([3, 143], 143),
        ([3, 4, 130], 4),
        ([10, 4, 1, 3], 1),
    ],
)
def test_the_weightiest_exit_code_wins(codes, expected):
    assert weightiest([ExitCode(code) for code in codes]) == expected


@pytest.fixture
def zone():
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Amsterdam"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def at(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def test_a_deadline_is_the_next_time_the_clock_shows_it(zone):
    assert next_deadline("06:00", at("2026-11-23T22:00:00+01:00")) == at("2026-11-24T06:00:00+01:00")
    assert next_deadline("06:00", at("2026-11-24T05:59:00+01:00")) == at("2026-11-24T06:00:00+01:00")
    assert next_deadline("06:00", at("2026-11-24T06:00:00+01:00")) == at("2026-11-25T06:00:00+01:00")


def test_a_time_that_the_clock_shows_twice_is_met_twice(zone):
    first, second = at("2026-10-25T02:30:00+02:00"), at("2026-10-25T02:30:00+01:00")
    assert next_deadline("02:30", at("2026-10-24T22:00:00+02:00")) == first
    assert next_deadline("02:30", first) == second == first + 3600
    assert next_deadline("02:30", at("2026-10-25T02:45:00+02:00")) == second
    assert next_deadline("02:30", at("2026-10-25T02:15:00+01:00")) == second
    assert next_deadline("02:30", second) == at("2026-10-26T02:30:00+01:00")


def test_a_time_that_the_clock_leaps_over_is_met_by_the_leap(zone):
    leap = at("2026-03-29T03:00:00+02:00")
    assert next_deadline("02:30", at("2026-03-28T22:00:00+01:00")) == leap
    assert next_deadline("02:00", at("2026-03-29T01:59:59+01:00")) == leap
    assert next_deadline("02:30", leap) == at("2026-03-30T02:30:00+02:00")
    assert next_deadline("03:00", at("2026-03-29T01:59:00+01:00")) == leap


def test_a_night_whose_clock_leaps_at_midnight_or_by_half_an_hour_has_its_deadlines_too(zone):
    os.environ["TZ"] = "America/Santiago"  # at midnight an hour on
    time.tzset()
    assert next_deadline("00:30", at("2026-09-05T22:00:00-04:00")) == at("2026-09-06T01:00:00-03:00")
    os.environ["TZ"] = "Australia/Lord_Howe"  # by half an hour
    time.tzset()
    assert next_deadline("02:15", at("2026-10-03T22:00:00+10:30")) == at("2026-10-04T02:30:00+11:00")


def test_who_sets_the_clock_moves_the_deadline_and_not_the_duration(zone):
    began = Moment(at("2026-11-23T22:00:00+01:00"), 500.0)
    an_hour_later = 500.0 + 3600
    for day in (-86400, 0, 86400):
        now = Moment(began.wall + 3600 + day, an_hour_later)
        assert end_of_run(RunSettings(max_duration=7200), began).seconds_left(now) == 3600
        assert end_of_run(RunSettings(deadline="06:00"), began).seconds_left(now) == 7 * 3600 - day


def test_a_duration_is_counted_on_a_clock_that_nobody_sets_and_that_never_sleeps(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 < elapsed_clock() <= elapsed_clock()
    if hasattr(time, "CLOCK_BOOTTIME"):
        monkeypatch.setattr(time, "clock_gettime", lambda clock: {time.CLOCK_BOOTTIME: 42.0}[clock])
        assert Moment.now() == (0.0, 42.0)
        monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    assert elapsed_clock() == 7.0


def test_a_deadline_is_wall_clock_on_the_nights_when_clocks_change(zone):
    assert next_deadline("06:00", at("2026-03-28T22:00:00+01:00")) == at("2026-03-29T06:00:00+02:00")
    assert next_deadline("06:00", at("2026-10-24T22:00:00+02:00")) == at("2026-10-25T06:00:00+01:00")


def test_the_earlier_of_deadline_and_duration_counts(zone):
    began = Moment(at("2026-11-23T22:00:00+01:00"), 500.0)
    assert end_of_run(RunSettings(), began).seconds_left(began) == math.inf
    assert end_of_run(RunSettings(deadline="06:00", max_duration=3600), began).seconds_left(began) == 3600
    assert end_of_run(RunSettings(deadline="22:30", max_duration=3600), began).seconds_left(began) == 1800
