"""What ``harambee crowd`` says, in words and as a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backend.domain import Task
from backend.laboratory.crowd import ProjectCrowd
from backend.quality.crowd import NOTHING, Agreed, Candidate
from backend.reports.figures import Row, forest
from backend.reports.page import Block, Cell, Column, Provenance, Report, Section, Table, Text

SUSPECT = "suspect"
Link = Callable[[Task], str]
"""Where a person opens a task."""


def standing(result: ProjectCrowd) -> str:
    """How much there is to compare, in words."""
    words = f"{result.tasks} tasks are labelled, {result.shared} of them by several people"
    if not result.shared:
        return f"{words}: annotators cannot be compared."
    return f"{words}; on {len(result.queue)} they disagree."


def reasons(result: ProjectCrowd, agreed: Agreed, text: str) -> Iterator[str]:
    """What is contested in a task: each such place, who says what, and what is believed."""
    for candidate in agreed.candidates:
        if len(set(candidate.votes.values())) > 1:
            mention = " ".join(text[candidate.start : candidate.end].split())
            yield f"{mention!r}: {_votes(result, candidate)}; {_belief(result, candidate)}"


def _label(result: ProjectCrowd, number: int) -> str:
    return "nothing" if number == NOTHING else result.crowd.labels[number - 1]


def _votes(result: ProjectCrowd, candidate: Candidate) -> str:
    return ", ".join(f"{name} {_label(result, said)}" for name, said in candidate.votes.items())


def _belief(result: ProjectCrowd, candidate: Candidate) -> str:
    best = int(candidate.probabilities.argmax())
    return f"probably {_label(result, best)} ({candidate.probabilities[best]:.0%})"


def crowd_report(result: ProjectCrowd, link: Link, provenance: Provenance) -> Report:
    """The page: everybody's quality, the agreement of each two, and all that is contested."""
    return Report(
        title="Who labels how well?",
        lead=[standing(result), *_told(result)],
        sections=[_annotators(result), *_agreement(result), *_to_decide(result, link)],
        provenance=provenance,
        results=_results(result),
    )


def _told(result: ProjectCrowd) -> Iterator[str]:
    """What stands out, in sentences."""
    for one in result.annotators:
        if one.spammer and one.quality is not None:
            yield (
                f"{one.name} is suspect: a quality of {one.quality.value:.0%} in {one.texts} tasks "
                "is less than half of what the others have, by more than chance explains."
            )


def _annotators(result: ProjectCrowd) -> Section:
    labels = result.crowd.labels
    columns = [
        Column("annotator"),
        Column("tasks"),
        Column("spans"),
        Column("agreement", percent=True),
        Column("quality", percent=True),
        *(Column(label, percent=True) for label in labels),
        Column("seconds a task"),
        Column("", words=True),
    ]
    rows: list[Sequence[Cell]] = [
        [
            one.name,
            one.texts,
            one.spans,
            one.agreement,
            one.quality,
            *(one.by_label.get(label) for label in labels),
            result.seconds.get(one.name),
            SUSPECT if one.spammer else "",
        ]
        for one in result.annotators
    ]
    note = (
        "In %. Agreement: strict span F1 with the others of the same tasks. Quality, and that of "
        "each label: expected strict span F1, by what all annotators together make probable "
        "(Dawid & Skene, 1979), with 95% intervals as if that were the truth."
    )
    blocks: list[Block] = [Table("Annotators", columns, rows, note)]
    judged = [Row(one.name, one.quality) for one in result.annotators if one.quality is not None]
    if judged:
        blocks.insert(0, forest("Quality of each annotator", judged, "F1 in %", percent=True))
    return Section("Annotators", blocks)


def _agreement(result: ProjectCrowd) -> Iterator[Section]:
    """Nothing where no two labelled the same task."""
    if result.agreement:
        columns = [Column("one"), Column("other", words=True), Column("F1", percent=True)]
        rows: list[Sequence[Cell]] = [
            [one, other, it.f1] for (one, other), it in result.agreement.items()
        ]
        table = Table("Strict span F1 of each two, in %", columns, rows)
        yield Section("Agreement", [table])


def _to_decide(result: ProjectCrowd, link: Link) -> Iterator[Section]:
    """Nothing where nobody disagrees."""
    if not result.queue:
        return
    columns = [
        Column("place"),
        Column("what is contested", words=True),
        Column("text", words=True),
        Column("where it is", words=True),
    ]
    rows: list[Sequence[Cell]] = []
    for place, agreed in enumerate(result.queue, start=1):
        task = result.texts[agreed.task_id]
        contested = "; ".join(reasons(result, agreed, task.text))
        rows.append([place, contested, task.text, link(task)])
    words = Text(
        "Tasks whose annotators do not say the same, the most contested first. "
        "harambee crowd --send 100 puts them in front of reviewers."
    )
    yield Section("To decide", [words, Table("Contested tasks", columns, rows)])


def _results(result: ProjectCrowd) -> dict[str, Any]:
    """For a program: contested places with everybody's label and the probability of each."""
    classes = ("nothing", *result.crowd.labels)
    return {
        "tasks": result.tasks,
        "shared": result.shared,
        "annotators": result.annotators,
        "seconds": result.seconds,
        "agreement": [
            {"annotators": pair, "f1": scores.f1, "counts": scores}
            for pair, scores in result.agreement.items()
        ],
        "queue": [
            {
                "task": agreed.task_id,
                "doubt": agreed.doubt,
                "places": [
                    {
                        "start": it.start,
                        "end": it.end,
                        "votes": {name: classes[said] for name, said in it.votes.items()},
                        "probabilities": dict(
                            zip(classes, map(float, it.probabilities), strict=True)
                        ),
                    }
                    for it in agreed.candidates
                ],
            }
            for agreed in result.queue
        ],
    }
