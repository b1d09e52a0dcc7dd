"""The verb watch: what it prints, how it ends, and what it loads."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from patience import PATIENCE
from test_house import HEAVY
from test_report import facts, outcome

from pipeline.cli.main import cli
from pipeline.report.data import build_report
from pipeline.report.write import write_reports
from pipeline.store.disk import LocalStore

REPOSITORY = Path(__file__).resolve().parent.parent
# What `stylize` does, and at its end which heavy libraries were loaded.
LISTING = f"""
import atexit, sys
from pipeline.cli.main import main
atexit.register(lambda: print("loaded:", *sorted({ {*HEAVY} } & set(sys.modules))))
main()"""


@contextmanager
def watch(*arguments: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running verb, and the address that it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STYLIZE_")}
    running = subprocess.Popen(
        [sys.executable, "-c", LISTING, "watch", *arguments],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        assert "Ctrl-C ends it" in running.stdout.readline()
        yield running, running.stdout.readline().strip()
    finally:
        running.kill()
        running.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_and_loads_nothing_heavy(tmp_path: Path, number: signal.Signals) -> None:
    write_reports(LocalStore(tmp_path / "output"), build_report(facts(), [outcome()]), thumbnails=lambda name: {})
    with watch(cwd=tmp_path) as (running, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/[A-Za-z0-9_-]{43}/", url)
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            assert b"dog--wave.png" in answer.read()
        listening = urllib.request.urlopen(f"{url}events", timeout=PATIENCE)  # holds nothing up
        assert listening.readline() == b"event: news\n"
        running.send_signal(number)
        out, err = running.communicate(timeout=PATIENCE)
        listening.close()
    assert running.returncode == 128 + number
    assert out == "loaded:\n"
    assert err == ""


@pytest.mark.slow
def test_the_port_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with watch("--port", str(port), "-o", "nowhere", cwd=tmp_path) as (_, url):
        assert url.startswith(f"http://127.0.0.1:{port}/")
    assert list(tmp_path.iterdir()) == []  # the folder is not made


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(cli, ["watch", "-o", str(tmp_path), "--port", str(port)])
    assert str(done.exception) == f"cannot serve at 127.0.0.1:{port}: Address already in use; choose another --port"


def test_the_output_of_a_manifest_is_meant(project: Path) -> None:
    (project / "m.yaml").write_text("version: 1\npairs: []\nbad: 1\n")
    done = CliRunner().invoke(cli, ["watch", str(project / "m.yaml")])
    assert "unknown key 'bad'" in str(done.exception)
