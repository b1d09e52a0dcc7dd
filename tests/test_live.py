"""A run while it goes on: what status and the page say, and the pictures that are kept on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from night_kit import Nights, Scripted, painted
from patience import PATIENCE, until
from PIL import Image

from pipeline.batch import driver, live
from pipeline.batch.engines.protocol import Event
from pipeline.batch.messages import Command, Failed, Machine, Read, Started
from pipeline.batch.selection import Shard
from pipeline.cli.main import cli
from pipeline.cli.rendering import last_run
from pipeline.errors import ExitCode, Stopped
from pipeline.reading import Reading
from pipeline.store.disk import LocalStore
from pipeline.store.layout import LOCK, NOW, STEPS, now_name, pair_id, preview_name, roll_name
from pipeline.store.now import AtWork, Now, read_all, write_now

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def nights(project: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    for name in ("_FILE_SECONDS", "_PAGE_SECONDS", "_MOST_SHARE"):
        monkeypatch.setattr(live, name, 1e-9 if name != "_MOST_SHARE" else 1e9)
    return Nights(project)


class Stepping:
    """An engine whose pairs make steps; `look` is called after each, while the run goes on."""

    machine = Machine(device="CPU", threads=2)

    def __init__(self, output: Path, look: Callable[[int], object], fail: str = "") -> None:
        self._answer, self._look, self._fail = painted(output), look, fail

    def run(self, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Event]:
        while not stop() and (command := next_command()) is not None:
            output = command.job.output
            yield Event(output, Started())
            for step in (1, 2):
                losses = {"total": 1 / step, "content": 0.0, "style": 1 / step, "tv": 0.0}
                yield Event(output, Read(Reading(step=step, seconds=step, side=48, losses=losses), coarse=False))
                self._look(step)
            failure = Failed(reason="a\x1b reason", reason_class="error")
            yield Event(output, failure if output == self._fail else self._answer(command))


def status(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["status", *arguments], standalone_mode=False)
    return int(done.return_value if done.exception is None else -1), done.stdout


def test_status_says_pair_number_step_time_and_last_failure_while_a_run_goes_on(nights: Nights) -> None:
    heard: list[tuple[int, str]] = []
    rows: list[dict[str, Any]] = []

    def look(step: int) -> None:
        heard.append(status("-o", str(nights.output)))
        rows.append(json.loads(status("-o", str(nights.output), "--json")[1]))

    nights.run_with(Stepping(nights.output, look, fail="dog.png"))
    assert {code for code, _ in heard} == {ExitCode.LOCKED}
    assert "painting dog.png: step 2 of 4, loss 0.5, 2.0 s left" in heard[1][1]
    assert "0 of 2 pairs finished, about" in heard[0][1]
    assert "1 of 2 pairs finished, 1 of them failed" in heard[3][1]
    assert "last failure: dog.png: a\\x1b reason" in heard[3][1]
    assert rows[3]["state"] == "running"
    (now,) = rows[3]["now"]
    assert (now["whole"], now["finished"], now["failed"]) == (2, 1, 1)
    assert (now["at_work"][0]["output"], now["at_work"][0]["step"], now["at_work"][0]["steps"]) == ("sea.png", 2, 4)
    assert now["last_failure"]["output"] == "dog.png"


def test_status_ends_with_the_code_of_the_last_run_and_says_where_none_ever_was(nights: Nights) -> None:
    assert status("-o", str(nights.output))[0] == ExitCode.USAGE
    assert json.loads(status("-o", str(nights.output), "--json")[1])["state"] == "never_ran"
    nights.run(lambda command: Failed(reason="r", reason_class="error"))
    assert status("-o", str(nights.output))[0] == ExitCode.SOME_FAILED
    nights.run()
    code, text = status("-o", str(nights.output))
    assert code == ExitCode.OK
    assert "no run is going on\nlast run: 2 new" in text
    assert json.loads(status("-o", str(nights.output), "--json")[1])["last"][0]["counts"]["done"] == 2


def test_the_last_run_of_version_0_1_has_its_counts_which_stood_beside_it(nights: Nights) -> None:
    nights.run()
    file = nights.output / "report.json"
    written = json.loads(file.read_text())
    counts = written["run"]["counts"]
    old = re.sub(r', "counts": \{[^}]*\}\}', "}", file.read_text(), count=1)
    assert "counts" not in json.loads(old)["run"]
    file.write_text(old)
    assert counts["done"] == 2
    assert json.loads(status("-o", str(nights.output), "--json")[1])["last"][0]["counts"] == counts
    assert last_run(nights.output) == {"run": written["run"]}  # which `report MANIFEST` keeps
    file.write_text(old.replace('"counts": {', '"counts": {['))
    assert last_run(nights.output) is None


def test_nothing_of_a_run_that_came_to_its_end_stays_in_the_folder_of_now(nights: Nights) -> None:
    nights.run_with(Stepping(nights.output, lambda step: None))
    assert LocalStore(nights.output).list(NOW) == ()


def test_a_run_that_was_killed_is_told_from_one_that_goes_on(nights: Nights) -> None:
    nights.run()
    store = LocalStore(nights.output)
    at = "2026-11-24T22:00:03+01:00"
    pair = AtWork(output="sea.png", steps=300, step=120)
    write_now(store, None, Now(run="x", started=at, updated=at, whole=9, finished=4, at_work=[pair]))
    code, text = status("-o", str(nights.output))
    assert code == ExitCode.BUG
    assert "was ended before it could write its report, after Tue 24 Nov 2026, 22:00" in text
    assert "it painted sea.png: step 120 of 300" in text
    assert json.loads(status("-o", str(nights.output), "--json")[1])["state"] == "killed"
    nights.run()
    assert status("-o", str(nights.output))[0] == ExitCode.OK


def test_a_run_that_was_killed_while_it_looked_at_its_pictures_is_known_to_have_been(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.run()
    told: list[tuple[int, str]] = []

    def kill(*_: Any) -> Any:
        told.append(status("-o", str(nights.output)))
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(driver, "make_plan", kill)
        with pytest.raises(SystemExit):
            nights.run()
    told.append(status("-o", str(nights.output)))
    assert [code for code, _ in told] == [ExitCode.LOCKED, ExitCode.BUG]
    assert "  it looks at what there is to do\n" in told[0][1]
    assert "  it had looked at what there was to do\n" in told[1][1]
    nights.run()
    assert status("-o", str(nights.output))[0] == ExitCode.OK


def test_a_run_that_was_stopped_while_it_looked_at_its_pictures_was_not_killed(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> Any:
        raise Stopped(signal.SIGTERM)

    nights.run()
    monkeypatch.setattr(driver, "make_plan", stop)
    with pytest.raises(Stopped):
        nights.run()
    assert LocalStore(nights.output).list(NOW) == ()


def test_a_run_that_dies_in_its_last_hook_has_written_its_report(nights: Nights, tmp_path: Path) -> None:
    listed = tmp_path / "listed"
    nights.manifest(run=f"{{on_success: [sh, -c, 'ls out/.pipeline/now > {listed}']}}")
    nights.run()
    assert listed.read_text() == ""


def test_the_small_picture_of_a_killed_pair_goes_where_its_painting_stood_already(nights: Nights) -> None:
    store = LocalStore(nights.output)
    nights.run()
    store.write(preview_name("dog.png"), b"of a night that was killed behind its picture")
    store.write(preview_name("cat.png"), b"of another manifest's night")
    nights.run()
    assert [entry.name for entry in store.list(NOW)] == [preview_name("cat.png")]


def test_parts_that_were_killed_are_told_of_until_a_run_that_has_their_pairs_has_ended(nights: Nights) -> None:
    store, at = LocalStore(nights.output), "2026-11-24T22:00:03+01:00"
    nights.run()

    def killed(*shards: str | None) -> None:
        for shard in shards:
            write_now(store, shard, Now(run="x", started=at, updated=at))
            store.write(roll_name(shard), b"{}\n")

    killed("1-of-2", "2-of-2", "3-of-3", None)
    nights.run(shard=Shard(1, 2))
    assert read_all(store).keys() == {"2-of-2"}
    assert [entry.name for entry in store.list(NOW)] == [now_name("2-of-2"), roll_name("2-of-2")]
    nights.run()
    assert store.list(NOW) == ()
    assert status("-o", str(nights.output))[0] == ExitCode.OK


def test_status_is_of_the_last_run_and_not_of_parts_that_ran_before(nights: Nights) -> None:
    for index in (1, 2):
        nights.run(lambda command: Failed(reason="r", reason_class="error"), shard=Shard(index, 2))
    assert status("-o", str(nights.output))[0] == ExitCode.SOME_FAILED
    for file in nights.output.glob("report.*.json"):
        file.write_text(file.read_text().replace('"finished": "20', '"finished": "19'))
    nights.run()
    code, text = status("-o", str(nights.output))
    assert code == ExitCode.OK
    assert [line[:15] for line in text.splitlines()] == ["no run is going", "last run: 2 new"]
    (nights.output / "report.json").write_text("damaged")
    assert status("-o", str(nights.output))[0] == ExitCode.BUG


@pytest.mark.parametrize(
    "change",
    [
        {"whole": -1},
        {"whole": 1e300},
        {"finished": "4"},
        {"seconds_left": -5.0},
        {"at_work": [{"output": 3, "steps": 1}]},
        {"at_work": [{"steps": 1}]},
        {"at_work": [{"output": "x"}] * 2000},
        {"at_work": "none"},
        {"last_failure": ["x"]},
        {"run": None},
    ],
    ids=str,
)
def test_what_is_not_as_a_run_writes_it_is_not_told(tmp_path: Path, change: dict[str, Any]) -> None:
    store = LocalStore(tmp_path)
    now = Now(run="x", started="", updated="")
    write_now(store, None, now)
    assert read_all(store) == {"": now}

    class Forged(Now):
        def as_row(self) -> dict[str, Any]:
            return super().as_row() | change

    write_now(store, None, Forged(run="x", started="", updated=""))
    assert read_all(store) == {}


def test_hostile_words_in_the_small_file_reach_no_terminal(nights: Nights) -> None:
    nights.run()
    pair = AtWork(output="\x1b[2J\u202e.png", steps=1, step=1)
    odd = Now(run="\x1b", started="\x1b", updated="\x1b]", at_work=[pair], last_failure={"output": "\x07", "x": "y"})
    write_now(LocalStore(nights.output), None, odd)
    text = status("-o", str(nights.output))[1]
    assert text.replace("\n", "").isprintable()
    assert status("-o", str(nights.output), "--json")[1].replace("\n", "").isascii()


def test_the_page_is_written_after_each_pair_and_says_how_far_the_run_is(nights: Nights) -> None:
    pages: list[str] = []
    page = nights.output / "report.html"
    nights.run_with(Stepping(nights.output, lambda step: pages.append(page.read_text() if page.exists() else "")))
    assert pages[0] == ""
    assert "1 of this run&#39;s 2 pairs finished" in pages[3]
    assert "being painted" in pages[3]
    assert "1 of 2 painted, 1 still to do" in pages[3]
    assert "All well" in page.read_text()


def test_the_page_of_a_run_that_goes_on_knows_the_pairs_that_it_did_not_take_up(nights: Nights) -> None:
    nights.run(only="sea.png")
    pages: list[str] = []
    page = nights.output / "report.html"
    nights.manifest(options=", seed: 3")
    nights.run_with(Stepping(nights.output, lambda step: pages.append(page.read_text())), only="dog.png")
    assert "sea.png" in page.read_text()
    assert "dog.png" in pages[-1]


def test_a_page_that_cannot_be_written_costs_the_run_nothing(nights: Nights) -> None:
    def look(step: int) -> None:
        (nights.output / "report.html").mkdir(exist_ok=True)

    report = nights.run_with(Stepping(nights.output, look))
    assert report["counts"]["done"] == 2


def test_settings_of_the_run_reach_the_worker_and_change_no_key(nights: Nights) -> None:
    commands: list[Command] = []

    def answer(command: Command) -> Any:
        commands.append(command)
        return painted(nights.output)(command)

    nights.manifest(run="{preview: 10, save_every: 50, keep_previous: 3}")
    nights.run(answer)
    assert [(c.preview, c.save_every, c.keep_previous) for c in commands] == [(10, 50, 3)] * 2
    nights.manifest(run="{}")
    assert nights.run()["counts"]["up_to_date"] == 2


def test_flags_and_their_twins_stand_over_the_settings_of_the_run(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[Command] = []

    def answer(command: Command) -> Any:
        commands.append(command)
        return painted(nights.output)(command)

    def settings(*flags: str) -> set[tuple[int | None, ...]]:
        commands.clear()
        arguments = ["run", str(nights.project / "night.yaml"), "--force", "--quiet", *flags]
        CliRunner().invoke(cli, arguments, obj=lambda settings, log: Scripted(answer, []))
        return {(c.preview, c.save_every, c.keep_previous) for c in commands}

    nights.manifest(run="{preview: 10, save_every: 50}")
    assert settings("--preview", "7", "--keep-previous", "2") == {(7, 50, 2)}
    monkeypatch.setenv("STYLIZE_PREVIEW", "8")
    monkeypatch.setenv("STYLIZE_SAVE_EVERY", "9")
    monkeypatch.setenv("STYLIZE_KEEP_PREVIOUS", "3")
    assert settings() == {(8, 9, 3)}
    assert settings("--save-every", "4") == {(8, 4, 3)}


def test_a_link_in_the_place_of_the_small_file_is_not_followed(nights: Nights) -> None:
    victim = nights.project / "victim"
    victim.write_text("mine")
    nights.run()
    folder = nights.output / NOW
    folder.mkdir(exist_ok=True)
    (nights.output / now_name()).symlink_to(victim)
    (nights.output / preview_name("dog.png")).symlink_to(victim)
    assert read_all(LocalStore(nights.output)) == {}
    nights.manifest(options=", seed: 5")
    nights.run_with(Stepping(nights.output, lambda step: None))
    assert victim.read_text() == "mine"


# ------------------------------------------------------------------------------------- the pictures of a pair at work


class Chaos:
    """A project painted by the quick worker of tests/chaos."""

    def __init__(self, project: Path) -> None:
        self.project, self.output = project, project / "out"
        self.running: list[subprocess.Popen[str]] = []
        (project / "faults").mkdir()

    def manifest(self, run: str, options: str = "") -> None:
        pair = "{content: content/dog.png, style: style/wave.png, output: dog.png}"
        (self.project / "m.yaml").write_text(
            f"version: 1\ninput: input\noutput: out\nrun: {run}\n"
            f"defaults: {{size: 48, steps: 12, weights: random{options}}}\npairs:\n  - {pair}\n"
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("STYLIZE_")}
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.start", "run", "m.yaml", *arguments],
            cwd=self.project,
            env=clean
            | {
                "PYTHONPATH": str(REPOSITORY),
                "CHAOS_DIARY": str(self.project / "diary"),
                "CHAOS_FAULTS": str(self.project / "faults"),
                "CHAOS_SAVE_SECONDS": "0.01",
            },
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(run)
        return run

    def run(self, *arguments: str) -> int:
        return self.start(*arguments).wait(PATIENCE)


@pytest.fixture
def chaos(project: Path) -> Iterator[Chaos]:
    chaos = Chaos(project)
    yield chaos
    for run in chaos.running:
        run.kill()
        run.communicate()


@pytest.mark.slow
def test_numbered_pictures_are_left_of_each_stage_and_the_result_is_the_same(chaos: Chaos) -> None:
    chaos.manifest("{}")
    assert chaos.run() == 0
    plain = (chaos.output / "dog.png").read_bytes()
    chaos.manifest("{save_every: 2, preview: 3}")
    assert chaos.run("--force") == 0
    assert (chaos.output / "dog.png").read_bytes() == plain
    folder = chaos.output / STEPS / pair_id("dog.png")
    # a third of the 12 steps at half the size, as tests/chaos/engine paints
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"1-24px-{step:05}.jpg" for step in (2, 4)),
        *(f"2-48px-{step:05}.jpg" for step in (2, 4, 6, 8)),
    ]
    with Image.open(folder / "2-48px-00008.jpg") as picture:
        assert picture.size == (48, 40)
    assert not (chaos.output / preview_name("dog.png")).exists()


@pytest.mark.slow
def test_a_pair_that_is_killed_leaves_its_small_picture_for_status(chaos: Chaos) -> None:
    chaos.manifest("{preview: 2, retries: 0}")
    (chaos.project / "faults" / f"{pair_id('dog.png')}.1").write_text("9 hang")
    night = chaos.start()
    preview = chaos.output / preview_name("dog.png")
    until(lambda: preview.exists() and (chaos.output / now_name()).exists())
    code, text = status("-o", str(chaos.output), "--picture")
    assert code == ExitCode.LOCKED
    assert text == f"{preview}\n"
    with Image.open(preview) as picture:
        assert max(picture.size) <= 512
    night.send_signal(signal.SIGKILL)
    night.wait(PATIENCE)
    until(lambda: not LocalStore(chaos.output).holders())
    assert status("-o", str(chaos.output))[0] == ExitCode.BUG
    assert (chaos.output / LOCK).exists()
