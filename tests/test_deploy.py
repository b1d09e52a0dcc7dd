"""Runs that nobody starts by hand: cron's bare environment, and the units for systemd. No TensorFlow."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from night_kit import Nights
from patience import PATIENCE

from pipeline.errors import ExitCode

REPOSITORY = Path(__file__).resolve().parent.parent
DEPLOY = REPOSITORY / "deploy"


def bare(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """As cron runs a line: by sh in /, with hardly an environment. PYTHONPATH says which copy of the project is tested."""
    return subprocess.run(
        ["sh", "-c", f"cd / && {command}"],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LOGNAME": "nobody", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def crontab_line() -> str:
    """The command of the line that we ship."""
    (line,) = (line for line in (DEPLOY / "crontab").read_text().splitlines() if re.match(r"[0-9*]", line))
    return line.split(maxsplit=5)[5]


def of_this_place(command: str, manifest: Path) -> str:
    words = {
        "/srv/stylize/.venv/bin/stylize": f"{shlex.quote(sys.executable)} -m pipeline",
        "/srv/stylize/configs/nightly.yaml": shlex.quote(str(manifest)),
    }
    for ours, here in words.items():
        assert ours in command
        command = command.replace(ours, here)
    return command


@pytest.mark.slow
def test_crons_bare_environment_is_enough_and_a_good_night_sends_no_mail(project, tmp_path_factory):
    nights = Nights(project)
    nights.run()
    home = tmp_path_factory.mktemp("home")
    before = sorted(path for path in nights.output.rglob("*") if ".pipeline" not in path.parts)
    done = bare(of_this_place(crontab_line(), project / "night.yaml"), home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert nights.report()["counts"]["up_to_date"] == 2
    assert sorted(path for path in nights.output.rglob("*") if ".pipeline" not in path.parts) == before
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_crons_mail_of_a_bad_night_names_the_pair_the_code_and_the_report(project, tmp_path):
    nights = Nights(project)
    nights.run()
    (project / "input/content/dog.png").unlink()
    done = bare(of_this_place(crontab_line(), project / "night.yaml"), tmp_path)
    assert done.returncode == 3
    first, last = done.stderr.splitlines()
    assert first.startswith("failed dog.png: ")
    assert last.endswith(f"exit 3 (some failed), see {nights.output}/report.html")


def settings(unit: str) -> dict[str, str]:
    lines = (DEPLOY / unit).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_files_that_deploy_names_are_in_the_project():
    for file in ("crontab", "stylize.service", "Dockerfile"):
        text = (DEPLOY / file).read_text()
        named = re.findall(r"(?:/srv/stylize/|run )(configs/[\w.]+)", text) + re.findall(r"docs/[\w.]+", text)
        assert named
        assert all((REPOSITORY / name).exists() for name in named), named
    copied = re.findall(r"^COPY ([^-].*) \./?\w*$", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert copied == ["locks", "setup.cfg pyproject.toml constraints.txt README.md LICENSE", "pipeline"]
    sent = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(sent) == sorted(" ".join(copied).split())
    assert all((REPOSITORY / name).exists() for name in sent)


def test_as_many_lines_name_the_folder_as_it_is_said():
    unit = (DEPLOY / "stylize.service").read_text()
    lines = [line for line in unit.splitlines() if "/srv/stylize" in line and not line.startswith("#")]
    nights = " ".join((REPOSITORY / "docs/nights.md").read_text(encoding="utf-8").split())
    assert len(lines) == 3
    assert "(three lines)" in unit
    assert "Another folder than `/srv/stylize` is put into three lines of the service" in nights


def test_the_image_runs_as_nobody_and_asks_for_no_writable_root():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM"))
    final = dict(line.split(" ", 1) for line in lines[last:] if line and not line.startswith("#"))
    assert final["USER"] == "65534:65534"
    assert "HOME=/tmp" in final["ENV"]
    assert "RUN" not in final  # nothing is installed as root into what runs
    assert '"/srv/stylize/output"' in final["VOLUME"]


def test_the_service_is_stopped_as_the_program_wants_to_be():
    service = settings("stylize.service")
    assert service["Type"] == "oneshot"
    assert service["KillMode"] == "mixed"
    assert service["OOMPolicy"] == "continue"
    assert int(service["TimeoutStopSec"]) > 10  # the promise is ten seconds
    clean = [int(code) for code in service["SuccessExitStatus"].split()]
    assert clean == [ExitCode.DEADLINE, ExitCode.SIGTERM]
    assert service["ExecStart"] == crontab_line()


@pytest.mark.parametrize("hour", range(24))
def test_a_missed_night_is_caught_up_with_only_while_it_is_night(hour, tmp_path):
    timer, service = settings("stylize.timer"), settings("stylize.service")
    assert timer["Persistent"] == "true"
    start = int(re.fullmatch(r"\*-\*-\* (\d\d):00", timer["OnCalendar"])[1])
    deadline = int(re.search(r"--deadline (\d\d):00", service["ExecStart"])[1])
    clock = tmp_path / "date"
    clock.write_text(f'#!/bin/sh\n[ "$1" = +%H ] && echo {hour:02}\n')
    clock.chmod(0o755)
    command = shlex.split(service["ExecCondition"].replace("$$", "$").replace("%%", "%"))
    done = subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
    assert done.returncode == (0 if hour >= start or hour < deadline else 1)


def test_the_service_gives_up_what_it_does_not_need(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here (Debian's package systemd)")
    unit = DEPLOY / "stylize.service"
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        env=os.environ | {"SYSTEMD_COLORS": "0"},
        check=False,
    )
    last = (done.stdout + done.stderr).splitlines()[-1]
    assert float(re.search(r"exposure level .*: ([0-9.]+)", last)[1]) < 2.0, done.stdout


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not here (Debian's package systemd)")
    program = tmp_path / ".venv/bin/stylize"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in ("stylize.service", "stylize.timer"):
        text = (DEPLOY / unit).read_text()
        (tmp_path / unit).write_text(text.replace("/srv/stylize", str(tmp_path)))
    command = [verify, "verify", "--man=no", str(tmp_path / "stylize.service"), str(tmp_path / "stylize.timer")]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"}, check=False
    )
    about_ours = [line for line in done.stderr.splitlines() if "stylize" in line]
    assert (done.returncode, about_ours) == (0, []), done.stderr
