"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backend.domain import RoundReport, SpanScores, Suggestion
from backend.status import ProjectStatus


def percent(scores: SpanScores | None) -> str:
    """Strict span F1 in per cent, or a dash where there was nothing to measure."""
    return "-" if scores is None else f"{100 * scores.f1:.1f}"


def rounds_table(rounds: Sequence[RoundReport]) -> Table:
    """What each round did and measured, and what follows from the last one."""
    table = Table(
        caption=Text("\n".join(remarks(rounds[-1])) if rounds else ""),
        caption_justify="left",
        title="Rounds (strict span F1 in % on the held-out labels)",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for heading in (
        "round", "labels", "+LLM", "held out", "tagger", "LLM", "shown", "promoted",
        "moved", "spend $",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for report in rounds:
        table.add_row(
            str(report.number),
            str(report.labels),
            str(report.llm_labels),
            str(report.held_out),
            percent(report.tagger),
            percent(report.llm),
            percent(report.shown),
            "yes" if report.promoted else "no",
            str(report.reordered),
            f"{float(report.spent_usd):.4f}",
        )
    return table


def remarks(report: RoundReport) -> list[str]:
    """What a round says in words: advice on labelling on, calibration, LLM labels and routes."""
    calibration = f"Confidences: {report.calibration}." if report.calibration else ""
    learnt = f"Learnt from {report.mixture}." if report.mixture else ""
    routed = f"Routes: {report.routing}." if report.routing else ""
    return [line for line in (report.advice, calibration, learnt, routed) if line]


def status_view(status: ProjectStatus) -> RenderableType:
    """A project at a glance."""
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(status.outcomes.items()))
    lines = [
        f"Project {status.project.external_id}: {status.project.name or 'without a title'}",
        f"  serving {status.version}; {status.labelled} of {status.tasks} tasks labelled; "
        f"{status.inbox} changes waiting",
        f"  LLM: {outcomes or 'not asked yet'}; {status.rejected_mentions} mentions rejected; "
        f"${status.spent_usd:.4f} of ${status.budget_usd:.2f} spent",
    ]
    if status.audited:
        lines.append(f"  {status.audited} labels made blind: harambee audit says what they tell")
    lines += [f"  {line}" for line in audit_lines(status)]
    if status.link:
        lines.append(f"  annotators begin at {status.link}")
        lines.append(f"  for commands with --project its number is {status.project.id}")
    lines += [
        f"  job {job.id} {job.kind.value}: {job.state.value}"
        + (f", {job.what} {job.done}/{job.total}" if job.state.value == "running" else "")
        + (f" - {job.message}" if job.message else "")
        for job in status.jobs[:5]
    ]
    text = Text("\n".join(lines))
    return Group(text, rounds_table(status.rounds)) if status.rounds else text


def audit_lines(status: ProjectStatus) -> list[str]:
    """What the last audit said of the LLM and of the tagger, in words."""
    if status.audit is None:
        return []
    within = f"{100 * status.audit.half_width:g}"
    lines = []
    for each in status.audit.models:
        if each.f1 is not None:
            bounds = f"{100 * each.f1.low:.1f}-{100 * each.f1.high:.1f}"
            lines.append(
                f"audited: {each.model}, F1 {100 * each.f1.value:.1f} ({bounds}) from {each.texts} "
                f"blind labels; {each.more} more for ±{within}"
            )
    return lines


def suggestions_table(suggestions: Sequence[Suggestion]) -> Table:
    """What each source suggests for one task."""
    table = Table(title="Suggestions")
    for heading in ("source", "model", "prompt", "confidence", "spans"):
        table.add_column(heading)
    for item in suggestions:
        spans = ", ".join(f"{span.label} {span.start}-{span.end}" for span in item.spans)
        # Labels and names come from outside: as plain text, they are no markup for rich.
        row = (
            item.source.kind.value,
            item.source.model,
            item.source.prompt_version or "-",
            f"{item.confidence:.2f}",
            spans or "none",
        )
        table.add_row(*map(Text, row))
    return table
