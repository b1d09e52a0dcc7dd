"""Ask whether a package that 'make' installs has a known vulnerability: pip-audit over locks/*.txt.

    make audit

Exit code 0: none is known; 3: some are, a line each; 4: nobody could be asked (no network, or a
package index that does not know), which is said in one line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NONE_KNOWN, SOME_KNOWN, NOT_ASKED = 0, 3, 4
_ANSWER_SECONDS = 15  # for one answer of the service


def main(command: Sequence[str] = (), files: Sequence[Path] = ()) -> int:
    """Ask, and say what came of it. `command` is what asks, in the place of pip-audit."""
    locks = [*(files or sorted(HERE.glob("*.txt")))]
    told: dict[str, str] = {}
    count = unknown = 0
    for lock in locks:
        packages = _asked(command or (sys.executable, "-m", "pip_audit"), lock)
        if isinstance(packages, str):
            print(f"could not ask whether packages have known vulnerabilities: {packages}")
            return NOT_ASKED
        count += len(packages)
        unknown += sum("skip_reason" in package for package in packages)
        for package in packages:
            for flaw in package.get("vulns", ()):
                mended = ", ".join(flaw.get("fix_versions", ())) or "no release yet"
                told[f"{package['name']} {package['version']} {flaw['id']}"] = mended
    for flaw, mended in told.items():
        print(f"{flaw}: mended in {mended}")
    if unknown:
        print(
            f"could not ask whether packages have known vulnerabilities: of {unknown} of {count} nobody knows anything"
        )
    else:
        print(f"{count} packages in {len(locks)} locks: {len(told) or 'no'} known vulnerabilities")
    return SOME_KNOWN if told else NOT_ASKED if unknown else NONE_KNOWN


def _asked(command: Sequence[str], lock: Path) -> list[dict[str, Any]] | str:
    """The packages of a lock with what is known of them; or in a clause why nobody answered."""
    flags = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json")
    try:
        answer = subprocess.run(
            [*command, "--requirement", str(lock), *flags, "--timeout", str(_ANSWER_SECONDS)],
            capture_output=True,
            text=True,
            check=False,
        )
        packages: list[dict[str, Any]] = json.loads(answer.stdout)["dependencies"]
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        return (answer.stderr.strip().splitlines() or ["no answer"])[-1]
    return packages


if __name__ == "__main__":
    sys.exit(main())
