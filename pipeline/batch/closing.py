"""The end of a run: what was learnt is saved, the report written, the hook called. Whatever fails, the report is returned."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.batch.clean import useless_checkpoints
from pipeline.batch.facts import run_facts
from pipeline.batch.files import write_whole
from pipeline.batch.hooks import run_hook
from pipeline.batch.ledger import Ledger
from pipeline.batch.night import Night
from pipeline.batch.records import pair_id
from pipeline.batch.selection import Selection, Shard
from pipeline.errors import BadOutput, ExitCode, OutputError, weightiest
from pipeline.report.data import build_report, report_stem
from pipeline.report.files import write_reports
from pipeline.report.history import append_history, read_history
from pipeline.report.text import render_text


def close(night: Night, *, began: float, command: tuple[str, ...], selection: Selection) -> dict[str, Any]:
    """Save what was learnt, write report and history, call the hook.

    `began` is the run's start in seconds since the epoch.
    """
    ledger = night.ledger
    manifest, state = ledger.manifest, ledger.state
    if night.stopped.by is not None:
        ledger.codes.append(ExitCode.SIGINT if night.stopped.by == signal.SIGINT else ExitCode.SIGTERM)
    with suppress(OutputError):  # only saves time next night
        state.hashes.save(whole=selection.whole)
    _sweep_checkpoints(ledger)
    report = _report(night, began, command, selection)
    _write(report, ledger, state.history_of(selection.shard))
    code = report["run"]["exit_code"]
    hook = manifest.run.on_success if code == 0 else manifest.run.on_failure
    if hook:
        call_hook(ledger, hook, code, selection.shard)
    return report


def _sweep_checkpoints(ledger: Ledger) -> None:
    """Remove checkpoints that no run will go on from."""
    over = {outcome.output: outcome.status in ("done", "up_to_date") for outcome in ledger.outcomes.values()}
    finished = {pair_id(output) for output, done in over.items() if done}
    unfinished = {pair_id(output) for output, done in over.items() if not done}
    with suppress(OSError):
        for path in useless_checkpoints(ledger.state, finished, unfinished):
            path.unlink(missing_ok=True)
        ledger.state.checkpoints.rmdir()  # if it is empty now


def _write(report: dict[str, Any], ledger: Ledger, history: Path) -> None:
    """Write reports and history. What cannot be written makes exit code 4, and the text of the report is said instead."""

    def reports() -> None:
        write_reports(
            ledger.manifest.output,
            report,
            thumbnails=ledger.state.thumbnails,
            write=write_whole,
            history=read_history(history, last=30),
        )

    trouble = None
    for write in (reports, lambda: append_history(history, report)):
        try:
            write()
        except (OutputError, BadOutput) as error:
            trouble = trouble or error
            report["run"]["exit_code"] = int(weightiest([*ledger.codes, ExitCode.ENVIRONMENT]))
    if trouble is None:
        return
    ledger.warn(str(trouble))
    report["run"]["warnings"] = list(ledger.warnings)
    try:
        reports()  # once more, now that its exit code is another; it may be only the page that was too large
    except (OutputError, BadOutput):
        ledger.observer.unwritten(render_text(report))


def call_hook(
    ledger: Ledger,
    command: tuple[str, ...],
    code: int | None,
    shard: Shard | None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Run one of the manifest's hooks; that it fails is worth a warning and changes nothing. `stopped` ends it early."""
    trouble = run_hook(
        command,
        folder=ledger.manifest.file.parent,
        run_id=ledger.run_id,
        report=ledger.manifest.output / f"{report_stem(str(shard) if shard else None)}.json",
        exit_code=code,
        stopped=stopped,
    )
    if trouble:
        ledger.warn(trouble)


def _report(night: Night, began: float, command: tuple[str, ...], selection: Selection) -> dict[str, Any]:
    ledger = night.ledger
    used = next((step.weights for step in night.plan.steps if step.weights), None)
    facts = run_facts(
        ledger.manifest,
        run_id=ledger.run_id,
        began=began,
        exit_code=weightiest(ledger.codes),
        weights={"name": used.name, "sha256": used.sha256} if used else {},
        machine=night.machine,
        command=command,
        shard=str(selection.shard) if selection.shard else None,
        warnings=ledger.warnings,
    )
    return build_report(facts, [ledger.outcomes[step.job.output] for step in night.plan.steps])
