"""Pages for people: where every project stands, and what each source suggests for a task."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, render_template

from backend.domain import RoundReport, SourceKind, SpanScores
from backend.status import project_status
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.web.context import services

routes = Blueprint("dashboard", __name__)

WIDTH, HEIGHT = 640, 200


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a learning curve: a name and its points in the picture's coordinates."""

    name: str
    points: str


@routes.get("/")
def projects() -> str:
    """Show every project's progress, rounds, spend and jobs."""
    statuses = [project_status(services(), project) for project in services().projects.all()]
    return render_template(
        "projects.html",
        statuses=statuses,
        curves={status.project.id: learning_curves(status.rounds) for status in statuses},
        width=WIDTH,
        height=HEIGHT,
    )


@routes.get("/projects/<int:number>/tasks/<int:task>")
def suggestions(number: int, task: int) -> str:
    """Show what the LLM and the tagger each suggest for a task, and who is to label it."""
    project = services().project(str(number))
    if project is None:
        abort(404, "This project is not connected.")
    records = SqlSuggestionRecords(services().database, project.id)
    kinds = (SourceKind.LLM, SourceKind.TAGGER)
    found = [records.by_source(kind, [str(task)]).get(str(task)) for kind in kinds]
    return render_template(
        "suggestions.html",
        project=project,
        task=task,
        found=[item for item in found if item],
        route=SqlTaskRecords(services().database, project.id).routes().get(str(task)),
    )


def learning_curves(rounds: list[RoundReport]) -> list[Curve]:
    """Strict span F1 over accepted labels, for the tagger, the LLM and what is shown."""
    most = max((report.labels for report in rounds), default=0) or 1

    def line(name: str, scores: list[SpanScores | None]) -> Curve:
        points = [
            f"{WIDTH * report.labels / most:.1f},{HEIGHT * (1 - score.f1):.1f}"
            for report, score in zip(rounds, scores, strict=True)
            if score is not None
        ]
        return Curve(name, " ".join(points))

    return [
        line("tagger", [report.tagger for report in rounds]),
        line("LLM", [report.llm for report in rounds]),
        line("shown", [report.shown for report in rounds]),
    ]
