"""`weights: auto` from run to run: what a picture was painted with, and not who starts the run, decides."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from night_kit import Nights, statuses

from pipeline.batch.networks import Networks
from pipeline.batch.plan import make_plan
from pipeline.manifest import load_manifest
from pipeline.nst import weights
from pipeline.store.disk import LocalStore
from pipeline.store.records import State

FULL = b"a stand-in for 80 MB"


class Homes(Nights):
    """Runs of a shell's user, who has the full-precision file, and of cron's, who has not."""

    def __init__(self, project, monkeypatch):
        super().__init__(project)
        self._patch = monkeypatch
        monkeypatch.setattr(weights, "IMAGENET_MD5", hashlib.md5(FULL).hexdigest())
        for user in ("shell", "cron"):
            (project / user / "models").mkdir(parents=True)
        self.cached = project / "shell/models" / weights.IMAGENET_FILE
        self.cached.write_bytes(FULL)
        self.steps(4)

    def steps(self, count, network="auto"):
        self.manifest()
        path = self.project / "night.yaml"
        path.write_text(path.read_text().replace("steps: 4, weights: random", f"steps: {count}, weights: {network}"))

    def by(self, user, **selection):
        self._patch.setenv("KERAS_HOME", str(self.project / user))
        return self.run(**selection)

    def plan(self, user):
        self._patch.setenv("KERAS_HOME", str(self.project / user))
        return make_plan(load_manifest(self.project / "night.yaml"), State(LocalStore(self.output)))


@pytest.fixture
def homes(project, monkeypatch):
    return Homes(project, monkeypatch)


def networks_of(report):
    return {pair["output"]: pair["weights"]["name"] for pair in report["pairs"]}


def test_cron_and_a_shell_do_not_paint_each_others_pictures_anew(homes):
    assert networks_of(homes.by("shell")) == {"dog.png": "imagenet", "sea.png": "imagenet"}
    report = homes.by("cron")
    assert statuses(report) == {"dog.png": "up_to_date", "sea.png": "up_to_date"}
    assert networks_of(report) == {"dog.png": "imagenet", "sea.png": "imagenet"}  # as they were painted
    assert report["run"]["weights"]["name"] == "imagenet"
    assert report["run"]["warnings"] == []  # nothing was painted: nothing was chosen
    assert statuses(homes.by("shell")) == {"dog.png": "up_to_date", "sea.png": "up_to_date"}


def test_a_folder_stays_with_its_network_and_says_so_once(homes):
    homes.by("cron")
    (homes.output / "dog.png").unlink()
    report = homes.by("shell")
    assert networks_of(report) == {"dog.png": "imagenet-8bit", "sea.png": "imagenet-8bit"}
    assert report["run"]["warnings"] == [
        "weights: auto stays with imagenet-8bit, which the pictures here were painted with; imagenet is here as well, "
        "and 'weights: imagenet' paints all with that"
    ]


def test_a_network_that_is_not_to_be_had_is_replaced_and_only_where_a_picture_is_painted(homes):
    homes.by("shell")
    (homes.output / "dog.png").unlink()
    report = homes.by("cron")
    assert networks_of(report) == {"dog.png": "imagenet-8bit", "sea.png": "imagenet"}
    assert report["run"]["weights"]["name"] == "imagenet-8bit"  # what this run painted with
    (warning,) = report["run"]["warnings"]
    assert warning.startswith(
        "weights: auto is imagenet-8bit here, and was imagenet when pictures were painted last: weights 'imagenet' are "
        f"not on this machine ({homes.project}/cron/"
    )
    assert set(statuses(homes.by("shell")).values()) == {"up_to_date"}


def test_without_records_the_pictures_themselves_say_what_they_were_painted_with(homes, monkeypatch):
    homes.by("shell")
    record = {pair["output"]: pair for pair in homes.report()["pairs"]}
    shutil.rmtree(homes.output / ".pipeline/records")
    monkeypatch.setattr("pipeline.images.reader.Reader.metadata", lambda reader, path, home: record[path.name])
    report = homes.by("cron")
    assert statuses(report) == {"dog.png": "up_to_date", "sea.png": "up_to_date"}
    assert networks_of(report) == {"dog.png": "imagenet", "sea.png": "imagenet"}


def test_a_download_that_was_cut_short_is_passed_over_by_name(homes):
    homes.cached.write_bytes(FULL[:7])
    report = homes.by("shell")
    assert networks_of(report) == {"dog.png": "imagenet-8bit", "sea.png": "imagenet-8bit"}
    assert report["run"]["exit_code"] == 0
    (warning,) = report["run"]["warnings"]
    assert warning.startswith(
        f"weights: auto is imagenet-8bit here: {homes.cached} is not the file it should be: its MD5"
    )
    assert warning.endswith("run 'stylize weights fetch' to load it anew")


@pytest.mark.parametrize("network", ["imagenet-8bit", "random"])
def test_a_plan_says_by_name_which_network_it_is_now_and_was(homes, network):
    homes.by("shell")
    homes.steps(4, network)
    assert {pair.reason for pair in homes.plan("shell").pairs} == {f"the network is {network} now, was imagenet"}
    homes.steps(5, network)
    assert {pair.reason for pair in homes.plan("shell").pairs} == {
        f"steps 4 -> 5, the network is {network} now, was imagenet"
    }


def test_a_network_of_ones_own_that_was_changed_is_the_reason(homes):
    mine = homes.project / "mine.h5"
    mine.write_bytes(b"one")
    homes.steps(4, "mine.h5")
    homes.by("shell")
    mine.write_bytes(b"two")
    assert {pair.reason for pair in homes.plan("shell").pairs} == {"the network's file mine.h5 is another now"}


def test_auto_says_what_is_missing_where_neither_network_is_here(homes, monkeypatch):
    monkeypatch.setattr(weights, "EIGHT_BIT_PACKAGE", "no_such_package_here")
    report = homes.by("cron")
    assert report["run"]["exit_code"] == 4
    (warning,) = report["run"]["warnings"]
    assert warning.startswith("neither network that 'weights: auto' may mean is here: weights 'imagenet' are not")
    assert "weights 'imagenet-8bit' are not installed" in warning


@pytest.mark.parametrize("home", ["unreadable", "missing"])
def test_a_user_without_a_home_has_the_8_bit_network(home, monkeypatch, tmp_path):
    def nowhere(cls):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("KERAS_HOME", raising=False)
    if home == "missing":
        monkeypatch.setattr("pathlib.Path.home", classmethod(nowhere))
    else:
        monkeypatch.setattr("os.stat", _refused_below(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
    assert weights.locate("auto").name == "imagenet-8bit"


def _refused_below(folder):
    import os

    stat = os.stat

    def refuse(path, *given, **named):
        if str(path).startswith(str(folder)):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *given, **named)

    return refuse


@pytest.mark.parametrize(
    "named", ["imagenet", {}, {"name": "random", "sha256": "0"}, {"name": ["imagenet"], "sha256": 1}, None]
)
def test_a_forged_record_names_no_network(homes, named, monkeypatch):
    outcome = {"key": "k", "weights": named, "options": {"weights": "auto"}}
    monkeypatch.setattr(State, "recent", lambda self: [{"options": 3}, outcome])
    monkeypatch.setenv("KERAS_HOME", str(homes.project / "shell"))
    job = load_manifest(homes.project / "night.yaml").pairs[0]
    networks = Networks(State(LocalStore(homes.output)))
    assert networks.of(job).name == "imagenet"
    assert networks.up_to_date_with(job, outcome, "another", lambda path: "0") is None
    assert json.dumps(networks.warning) == "null"
