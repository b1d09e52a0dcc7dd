"""The command from a process that has imported it: each call is a fork, and spares half a second of importing.

    python -m tests.warm

What a fork does not show, as imports, Python's own settings and closed streams, is tested with fresh processes
(test_house, test_import_path, test_streams). A call that sets a variable of Python's own gets a fresh process too.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent


class WarmCommand:
    """Calls of the command, one at a time. `module` is what a fresh process runs: `pipeline`, or `tests.chaos.start`."""

    def __init__(self, module: str, folder: Path) -> None:
        self._module, self._folder = module, folder
        self._server: subprocess.Popen[str] | None = None

    def __call__(
        self, arguments: tuple[str, ...], cwd: Path | None, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """What subprocess.run gives, with text."""
        out, err = self._folder / "stdout", self._folder / "stderr"
        call = {"arguments": arguments, "cwd": os.fspath(cwd or os.getcwd()), "environment": environment}
        try:
            code = self._asked({**call, "module": self._module, "out": os.fspath(out), "err": os.fspath(err)})
        except BaseException:  # also of pytest-timeout: the call must not go on
            self.close()
            raise
        # newlines as a pipe in text mode has them
        return subprocess.CompletedProcess([self._module, *arguments], code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End the process, and a call that still goes on."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.communicate()
            self._server = None

    def _asked(self, call: dict[str, Any]) -> int:
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.warm"],
                cwd=REPOSITORY,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(call) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


def serve() -> None:
    """Answer calls, a line each, with their exit codes. Returns in the fork that is to run one."""
    import jinja2  # noqa: F401 - what verbs import when they are called
    import yaml  # noqa: F401

    import pipeline.batch.driver
    import pipeline.batch.engines.local
    import pipeline.cli.main
    import pipeline.cli.rendering
    import pipeline.report.html

    pipeline.report.html.template()
    gc.collect()
    gc.freeze()  # what a fork never looks at, it need not copy
    for line in sys.stdin:
        call = json.loads(line)
        sys.stdout.flush()
        if (pid := os.fork()) == 0:
            _become(call)
            return
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit(0)


def _become(call: dict[str, Any]) -> None:
    """Be what a shell would have started."""
    os.chdir(call["cwd"])
    os.environ.clear()
    os.environ.update(call["environment"])
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, call["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, call["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = [str(REPOSITORY / "pipeline/__main__.py"), *call["arguments"]]
    sys.orig_argv = [sys.executable, "-m", call["module"], *call["arguments"]]
    global wanted
    wanted = call["module"]


wanted = ""  # of the call that this fork runs

if __name__ == "__main__":
    serve()
    from pipeline.cli.main import main
    from tests.chaos.start import engine

    code: Any = 1
    try:
        main(engine=engine if wanted != "pipeline" else None)
    except SystemExit as end:
        code = end.code
    # The end of a process, but for taking a thousand modules apart.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
