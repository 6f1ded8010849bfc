"""A workspace on a real store whose LLM errs in a known way, for tests of the laboratory."""

from __future__ import annotations

from pathlib import Path

from backend.domain import LabelScheme, Outcome, Span, Task
from backend.settings import LearningSettings, SuggestionSettings
from backend.store.database import Database
from backend.store.projects import Projects
from backend.store.rounds import SqlRoundRecords
from backend.store.suggestions import SqlSuggestionRecords
from backend.store.tasks import SqlTaskRecords
from backend.tagger.checkpoints import ModelShelf
from backend.testing.annotators import FakeAnnotator
from backend.testing.in_memory_tool import InMemoryTool
from backend.testing.taggers import FakeTaggerFamily
from backend.text.spans import Mention
from backend.workspace import Workspace

SCHEME = LabelScheme(("PER", "LOC"))
NAMES = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi", "Sipho")
PLACES = ("Mombasa", "Kano", "Ibadan", "Durban")
MANY = 1000


def text_of(number: int) -> str:
    return f"{NAMES[number % 6]} visited {PLACES[number % 4]} on trip {number}"


def gold_of(text: str) -> tuple[Span, ...]:
    words = dict.fromkeys(NAMES, "PER") | dict.fromkeys(PLACES, "LOC")
    found = [(text.find(word), word, label) for word, label in words.items()]
    return tuple(sorted(Span(at, at + len(word), label) for at, word, label in found if at >= 0))


GOLD = {text_of(number): gold_of(text_of(number)) for number in range(MANY)}


def careless(text: str) -> list[Mention]:
    """Every person, and of the places every second; calls Kano a person."""
    found = []
    for number, span in enumerate(gold_of(text)):
        mention = text[span.start : span.end]
        label = "PER" if mention == "Kano" else span.label
        if label == "PER" or len(text) % 2 == number % 2:
            found.append(Mention(mention, label, confidence=0.7))
    return found


def open_audited_workspace(
    folder: Path,
    tasks: int,
    share: float,
    *,
    fail: bool = False,
    affordable: int | None = None,
    languages: tuple[str | None, ...] = (None,),
) -> Workspace:
    database = Database(f"sqlite:///{folder / 'store.sqlite3'}")
    database.migrate()
    project = Projects(database).register("memory", "1", "<View/>")
    family = FakeTaggerFamily()
    failures = {str(number): Outcome.INVALID for number in range(tasks)} if fail else {}
    listed = [Task(str(n), text_of(n), languages[n % len(languages)]) for n in range(tasks)]
    return Workspace(
        scheme=SCHEME,
        tool=InMemoryTool(listed),
        tasks=SqlTaskRecords(database, project.id),
        suggestions=SqlSuggestionRecords(database, project.id),
        rounds=SqlRoundRecords(database, project.id),
        models=ModelShelf(folder / "models", {family.kind: family}),
        family=family,
        annotator=FakeAnnotator(careless, failures=failures, affordable=affordable),
        learning=LearningSettings(min_labels=5, held_out_share=0.3),
        showing=SuggestionSettings(),
        audit_share=share,
    )
