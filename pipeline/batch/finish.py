"""The end of a run: what was learnt is saved, the report and files for other programs written, and
at last the hook called. Whatever fails, the report is returned."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.batch.clean import remove_old, useless_checkpoints
from pipeline.batch.results import Results
from pipeline.batch.run_metadata import run_metadata
from pipeline.batch.scheduler import Scheduler
from pipeline.batch.selection import Selection, Shard
from pipeline.batch.standing import standing
from pipeline.batch.system.deadline import Moment
from pipeline.batch.system.hooks import run_hook
from pipeline.batch.system.signals import Stop
from pipeline.errors import BadOutput, DiskFull, ExitCode, OutputError, StylizeError, weightiest
from pipeline.job import STANDS, Outcome, RunSettings
from pipeline.objects.protocol import Fingerprint
from pipeline.printable import printable
from pipeline.report.data import build_report, report_stem
from pipeline.report.history import HISTORY_RUNS, append_history, read_history
from pipeline.report.junit import junit_xml
from pipeline.report.metrics import metrics_text
from pipeline.report.text import render_text
from pipeline.report.write import write_reports
from pipeline.store.disk import LocalStore
from pipeline.store.layout import CHECKPOINTS, NOW, STATE, history_name, pair_id, preview_name
from pipeline.store.store import Store

# After these a run may not have looked at all files: what it did not ask for is not out of use.
_CUT_SHORT = {ExitCode.BUG, ExitCode.ENVIRONMENT, ExitCode.DEADLINE, ExitCode.SIGINT, ExitCode.SIGTERM}


def finish(scheduler: Scheduler, *, began: Moment, command: tuple[str, ...], selection: Selection) -> dict[str, Any]:
    """Save what was learnt, write report, history and files for other programs.

    `began` is the run's start.
    """
    results = scheduler.results
    manifest, state = results.manifest, results.state
    others = standing(results, selection, scheduler.is_over)
    if scheduler.stopped.by is not None:
        results.codes.add(ExitCode.SIGINT if scheduler.stopped.by == signal.SIGINT else ExitCode.SIGTERM)
    with suppress(OutputError, BadOutput):  # it only saves time next night
        state.hashes.save(whole=selection.whole and results.codes.isdisjoint(_CUT_SHORT))
    _sweep_checkpoints(results)
    report = _report(scheduler, others, began, command, selection)
    history = history_name(selection.shard.suffix if selection.shard else None)
    _write_for_machines(report, results)
    _write(report, results, history)
    if manifest.run.retention is not None or manifest.run.retention_runs is not None:
        remove_old(state.store, manifest.run, read_history(state.store, history, last=manifest.run.retention_runs))
    return report


def call_last_hook(results: Results, report: Mapping[str, Any], shard: Shard | None, stopped: Stop) -> None:
    """Call the hook that hears how the run ended. A signal that comes meanwhile ends it; one that
    ended the run before does not."""
    code, before = report["run"]["exit_code"], stopped.by
    run = results.manifest.run
    if hook := run.on_success if code == 0 else run.on_failure:
        call_hook(results, hook, code, shard, lambda: stopped.by != before)


def _sweep_checkpoints(results: Results) -> None:
    """Remove checkpoints that no run will go on from, and small pictures of pairs that a run which
    was killed had at work and that are painted by now."""
    over = {output: status in STANDS for output, status in results.outcomes.statuses()}
    finished = {pair_id(output) for output, done in over.items() if done}
    unfinished = {pair_id(output) for output, done in over.items() if not done}
    store = results.state.store
    with suppress(OSError, StylizeError):
        for name in useless_checkpoints(store, finished, unfinished):
            with suppress(OSError):
                store.delete(name)
        store.prune(CHECKPOINTS)
        painted = {preview_name(output) for output, done in over.items() if done}
        for entry in store.list(NOW):
            if entry.name in painted:
                store.delete(entry.name)


def _write_for_machines(report: dict[str, Any], results: Results, *, again: bool = False) -> None:
    """Write metrics and the like; what cannot be written is said in the report too."""
    for trouble in write_machine_files(report, results.manifest.run, results.manifest.output, again=again):
        if trouble not in results.warnings:
            results.warn(trouble)
    report["run"]["warnings"] = list(results.warnings)


def _write(report: dict[str, Any], results: Results, history: str) -> None:
    """Write reports and history. What cannot be written makes exit code 4, and the text of the
    report is said instead."""
    store = results.state.store

    def reports() -> None:
        rows = read_history(store, history, last=HISTORY_RUNS)
        write_reports(store, report, thumbnails=results.state.thumbnails, history=rows)

    trouble = None
    before = _stamps(store, report)
    for write in (reports, lambda: append_history(store, history, report)):
        try:
            write()
        except (OutputError, BadOutput) as error:
            trouble = trouble or error
            report["run"]["exit_code"] = int(weightiest([*results.codes, ExitCode.ENVIRONMENT]))
    if trouble is None:
        return
    results.warn(str(trouble))
    _write_for_machines(report, results, again=True)  # they have its exit code
    outdated = {name: stamp for name, stamp in _stamps(store, report).items() if stamp != before.get(name)}
    if not _written_again(reports, store, report, outdated):
        results.observer.unwritten(render_text(report, page=False))


def _written_again(
    reports: Callable[[], None], store: Store, report: Mapping[str, Any], outdated: Mapping[str, Fingerprint]
) -> bool:
    """Write the reports once more, as their exit code has changed, and say whether that went well;
    it may be only the page that was too large. `outdated` reports that have no room beside new ones
    go first."""
    try:
        reports()
        return True
    except DiskFull:
        stale = [name for name, stamp in _stamps(store, report).items() if stamp == outdated.get(name)]
    except (OutputError, BadOutput):
        return False
    if stale:
        with suppress(OSError, StylizeError):
            for name in stale:
                store.delete(name)
            reports()
            return True
    return False


def _stamps(store: Store, report: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """Of the reports that say how the run ended, those that stand."""
    stem = report_stem(report["run"]["shard"])
    stamps = {}
    for name in (f"{stem}.json", f"{stem}.txt"):
        with suppress(OSError, StylizeError):
            stamps[name] = store.fingerprint(name)
    return stamps


def call_hook(
    results: Results,
    command: tuple[str, ...],
    code: int | None,
    shard: Shard | None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Run one of the manifest's hooks; that it fails is worth a warning and changes nothing.
    `stopped` ends it early."""
    trouble = run_hook(
        command,
        folder=results.manifest.file.parent,
        run_id=results.run_id,
        report=results.manifest.output / f"{report_stem(str(shard) if shard else None)}.json",
        exit_code=code,
        stopped=stopped,
    )
    if trouble:
        results.warn(trouble)


def _report(
    scheduler: Scheduler, others: Iterable[Outcome], began: Moment, command: tuple[str, ...], selection: Selection
) -> dict[str, Any]:
    results = scheduler.results
    # kept pictures may be of another network than those that were painted
    painted_first = sorted(scheduler.plan.pairs, key=lambda pair: pair.action != "paint")
    used = next((pair.weights for pair in painted_first if pair.weights), None)
    facts = run_metadata(
        results.manifest,
        run_id=results.run_id,
        began=began,
        exit_code=weightiest(results.codes),
        weights={"name": used.name, "sha256": used.sha256} if used else {},
        machine=scheduler.machine,
        command=command,
        shard=str(selection.shard) if selection.shard else None,
        warnings=results.warnings,
    )
    taken = (results.hand_over(pair.job) for pair in scheduler.plan.pairs)
    return build_report(facts, (outcome for outcome in taken if outcome is not None), others)


_WRITERS: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    "metrics_file": lambda report: metrics_text(report).encode(),
    "junit": junit_xml,
}


def write_machine_files(report: Mapping[str, Any], run: RunSettings, output: Path, *, again: bool = False) -> list[str]:
    """Write the files that `run` names, each whole; returns what went wrong, in sentences: a night
    is not lost for them. Below `output`, the run's folder, no link is followed.

    `again`: they stand with another exit code, and one that cannot be written does not stay."""
    trouble = []
    for name, render in _WRITERS.items():
        if (path := getattr(run, name)) is not None:
            try:
                if why := _why_not(Path(path), report, output):
                    raise BadOutput(f"cannot write {printable(path)}: {why}; name another file")
                stale = again and not any(text.startswith(f"{name}: ") for text in report["run"]["warnings"])
                _write_whole(Path(path), render(report), output, stale=stale)
            except (OSError, StylizeError) as error:
                trouble.append(f"{name}: {error}")
    return trouble


def _why_not(path: Path, report: Mapping[str, Any], output: Path) -> str | None:
    """What speaks against writing here: it would replace whatever stands there, be it `/dev/null`,
    which root can replace for all programs."""
    if path.exists() and not path.is_file() and not path.is_dir():
        return "a pipe, socket or device stands there"
    if not path.is_relative_to(output):
        return None
    name, stem = path.relative_to(output).as_posix(), report_stem(report["run"]["shard"])
    own = name.startswith(f"{STATE}/") or name in (f"{stem}.json", f"{stem}.txt", f"{stem}.html")
    return "it is a file of the run's own" if own or any(pair["output"] == name for pair in report["pairs"]) else None


def _write_whole(path: Path, data: bytes, output: Path, *, stale: bool) -> None:
    inside = path.is_relative_to(output)
    store = LocalStore(output if inside else path.parent)
    name = path.relative_to(output).as_posix() if inside else path.name
    try:
        store.write(name, data)
    except (OSError, StylizeError):
        if stale:
            store.delete(name)
        raise
