"""Workers on a machine with several memory nodes, which is made up: no TensorFlow, and no such machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.batch.system import nodes
from pipeline.batch.system.nodes import memory_nodes, places, stay_on
from pipeline.cli import setup

TWO = [frozenset(range(8)), frozenset(range(8, 16))]


@pytest.fixture(autouse=True)
def no_gpus(monkeypatch):
    monkeypatch.setattr(nodes, "gpus", list)


def tree(folder: Path, *lists: str) -> Path:
    """What Linux shows of nodes with these lists of processors."""
    for number, text in enumerate(lists):
        (folder / f"node{number}").mkdir()
        (folder / f"node{number}/cpulist").write_text(f"{text}\n")
    (folder / "online").write_text("0-1\n")
    return folder


def usable(monkeypatch, *processors: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(processors), raising=False)


def test_nodes_have_the_processors_that_we_may_use(tmp_path, monkeypatch):
    usable(monkeypatch, *range(2, 20))
    # the third has memory and no processor, and the last comes after the second though its name is before it
    folder = tree(tmp_path, "0-3,16-17", "4-7", "", *["30"] * 7, "8-9")
    assert memory_nodes(folder) == [{2, 3, 16, 17}, {4, 5, 6, 7}, {8, 9}]


def test_nodes_that_cannot_be_read_are_none(tmp_path, monkeypatch):
    usable(monkeypatch, 0, 1)
    assert memory_nodes(tmp_path / "nothing") == []
    assert memory_nodes(tree(tmp_path, "what", "0-1")) == [{0, 1}]
    monkeypatch.delattr(os, "sched_getaffinity")
    assert memory_nodes(tmp_path) == []


@pytest.mark.parametrize(
    ("workers", "threads", "expected"),
    [
        (2, 8, [0, 1]),
        (4, 4, [0, 1, 0, 1]),
        (3, 4, [0, 1, 0]),
        (4, 3, [0, 1, 0, 1]),
        # they do not fit: five of four threads, or one thread too many
        (5, 4, None),
        (2, 9, None),
        (1, 4, None),
    ],
)
def test_each_worker_stays_on_one_node_where_all_fit(workers, threads, expected):
    wanted = [None] * workers if expected is None else [TWO[node] for node in expected]
    assert places(workers, threads, TWO) == wanted


def test_a_larger_node_takes_more_workers():
    nodes_ = [frozenset(range(2)), frozenset(range(2, 8))]
    assert places(4, 2, nodes_) == [nodes_[1], nodes_[1], nodes_[0], nodes_[1]]


def test_nobody_is_bound_on_one_node_or_where_gpus_paint(monkeypatch):
    assert places(2, 2, [frozenset(range(8))]) == [None, None]
    assert places(2, 2, []) == [None, None]
    monkeypatch.setattr(nodes, "gpus", lambda: ["0000:01:00.0"])
    assert places(2, 8, TWO) == [None, None]


@pytest.mark.parametrize(("sizes", "line"), [([8, 8], "2, of 8 and 8 processors"), ([4, 4, 2], "3, of 4, 4 and 2")])
def test_doctor_tells_of_nodes_where_there_are_several(monkeypatch, sizes, line):
    monkeypatch.setattr(setup, "memory_nodes", lambda: [frozenset(range(size)) for size in sizes])
    assert setup.doctor_facts()["memory_nodes"] == sizes
    assert f"nodes           {line}" in setup.doctor_text()
    monkeypatch.setattr(setup, "memory_nodes", lambda: [frozenset(range(8))])
    assert "nodes" not in setup.doctor_text()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no such call on this system")
def test_a_process_stays_where_it_is_put_and_one_that_is_gone_is_no_trouble():
    one = frozenset([min(os.sched_getaffinity(0))])
    said = [sys.executable, "-c", "import os; input(); print(sorted(os.sched_getaffinity(0)))"]
    with subprocess.Popen(said, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stay_on(process.pid, one)
        assert process.communicate("\n")[0] == f"{sorted(one)}\n"
    stay_on(process.pid, one)
    stay_on(process.pid, None)
