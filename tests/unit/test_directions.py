"""Who may import whom. The tables below are the architecture; the tests read the source for it.

Every import counts: at the top, inside a function, under ``TYPE_CHECKING``, by name through
``importlib``. The checker is itself tested on small trees that break one rule each.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from import_graph import cycle, environment_uses, imports_of, tree_under

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend", "argilla_pipeline")

FOUNDATION = {"backend", "backend.domain", "backend.errors"}
PROMISES = FOUNDATION | {"backend.protocols", "backend.text"}
CORE = PROMISES | {
    "backend.active_learning",
    "backend.quality",
    "backend.cost",
    "backend.settings",  # for the types of its sections; their values are passed in
}
PARTS = CORE | {
    "backend.workspace",
    "backend.proposing",
    "backend.measuring",
    "backend.loop",
    "backend.llm",
    "backend.tagger",
    "backend.store",
    "backend.jobs",
    "backend.tool_http",
}
SERVICES = PARTS | {"backend.label_studio", "backend.tool_kinds", "backend.services"}
APPLICATION = SERVICES | {
    "backend.laboratory",
    "backend.logs",
    "backend.operations",
    "backend.status",
}
ARGILLA = {
    "argilla_pipeline.http",
    "argilla_pipeline.client",
    "argilla_pipeline.schema",
    "argilla_pipeline.convert",
    "argilla_pipeline.review",
    "argilla_pipeline.tool",
}
ARGILLA_PARTS = ARGILLA | {
    "argilla_pipeline.webhooks",
    "argilla_pipeline.connection",
    "argilla_pipeline.kind",
    "argilla_pipeline.importing",
}

# Each room, and the rooms it may import from besides itself.
DIRECTIONS: Mapping[str, set[str]] = {
    "backend": set(),
    "backend.domain": set(),
    "backend.errors": set(),
    "backend.settings": FOUNDATION,
    "backend.protocols": FOUNDATION,
    "backend.text": FOUNDATION,
    "backend.active_learning": PROMISES | {"backend.quality"},
    "backend.quality": PROMISES,
    "backend.cost": PROMISES | {"backend.quality"},
    "backend.workspace": CORE,
    "backend.composing": CORE,
    "backend.proposing": CORE | {"backend.workspace", "backend.composing"},
    "backend.candidate": CORE | {"backend.workspace"},
    "backend.measuring": CORE | {"backend.workspace", "backend.composing", "backend.proposing"},
    "backend.loop": CORE
    | {"backend.workspace", "backend.proposing", "backend.candidate", "backend.measuring"},
    "backend.laboratory": CORE | {"backend.workspace", "backend.proposing", "backend.candidate"},
    "backend.llm": CORE,
    "backend.tagger": CORE,
    "backend.store": CORE,
    "backend.jobs": CORE,
    "backend.tool_http": FOUNDATION,
    "backend.label_studio": PARTS,
    "backend.tool_kinds": PARTS,
    "backend.services": SERVICES,
    "backend.logs": FOUNDATION,
    "backend.status": SERVICES,
    "backend.operations": SERVICES | {"backend.laboratory"},
    "backend.report": FOUNDATION | {"backend.status"},
    "backend.reports": FOUNDATION | {"backend.quality"},
    "backend.web": APPLICATION,
    "backend.server": SERVICES | {"backend.web"},
    "backend.samples": FOUNDATION,
    "backend.datasets": PROMISES,
    # It plays the loop's own parts over a corpus; what it cannot reach is passed in. The processes
    # that it starts log as their parent does.
    "backend.simulation": CORE
    | {"backend.llm", "backend.logs", "backend.tagger", "backend.reports"},
    # The scripted provider reads our prompts, speaks the wire and bills.
    "backend.testing": PROMISES | {"backend.llm", "backend.cost"},
    "backend.demo": APPLICATION | {"backend.report", "backend.samples", "backend.testing"},
    "backend.bulk": SERVICES,
    "backend.evaluation": SERVICES | {"backend.bulk", "backend.reports"},
    "backend.leakage": SERVICES | {"backend.reports"},
    "backend.commands": APPLICATION
    | {
        "backend.bulk",
        "backend.datasets",
        "backend.evaluation",
        "backend.leakage",
        "backend.report",
        "backend.reports",
        "backend.simulation",
    },
    "backend.cli": APPLICATION
    | {"backend.commands", "backend.report", "backend.server", "backend.demo"},
    "backend.__main__": {"backend.cli"},
    "argilla_pipeline": set(),
    "argilla_pipeline.schema": PARTS,
    "argilla_pipeline.convert": PARTS | {"argilla_pipeline.schema"},
    "argilla_pipeline.http": FOUNDATION | {"backend.tool_http"},
    "argilla_pipeline.client": FOUNDATION | {"backend.tool_http", "argilla_pipeline.http"},
    "argilla_pipeline.review": PARTS
    | (ARGILLA - {"argilla_pipeline.tool", "argilla_pipeline.review"}),
    "argilla_pipeline.tool": PARTS | (ARGILLA - {"argilla_pipeline.tool"}),
    "argilla_pipeline.testing": FOUNDATION | {"backend.testing"},
    "argilla_pipeline.webhooks": SERVICES,
    "argilla_pipeline.connection": SERVICES | ARGILLA | {"argilla_pipeline.webhooks"},
    "argilla_pipeline.kind": SERVICES
    | ARGILLA
    | {"argilla_pipeline.webhooks", "argilla_pipeline.connection"},
    "argilla_pipeline.importing": SERVICES | ARGILLA,
    "argilla_pipeline.operations": APPLICATION | ARGILLA_PARTS,
    "argilla_pipeline.migration": SERVICES | ARGILLA_PARTS,
    "argilla_pipeline.formats": SERVICES | {"backend.bulk"},
    "argilla_pipeline.transfer": APPLICATION
    | ARGILLA_PARTS
    | {
        "argilla_pipeline.operations",
        "argilla_pipeline.migration",
        "argilla_pipeline.formats",
        "backend.commands",
    },
    "argilla_pipeline.cli": APPLICATION
    | ARGILLA_PARTS
    | {
        "argilla_pipeline.operations",
        "argilla_pipeline.transfer",
        "argilla_pipeline.demo",
        "backend.commands",
        "backend.report",
    },
    "argilla_pipeline.demo": APPLICATION
    | ARGILLA_PARTS
    | {
        "argilla_pipeline.operations",
        "argilla_pipeline.testing",
        "backend.demo",
        "backend.samples",
        "backend.testing",
    },
    "argilla_pipeline.__main__": {"argilla_pipeline.cli"},
}

# Libraries that one room keeps to itself, so that the others stay light and replaceable.
HOMES: Mapping[str, str] = {
    "torch": "backend.tagger",
    "transformers": "backend.tagger",
    "accelerate": "backend.tagger",
    "peft": "backend.tagger",
    "flask": "backend.web",
    "werkzeug": "backend.web",
    "openai": "backend.llm.clients",
    "anthropic": "backend.llm.clients",
    "sqlalchemy": "backend.store",
    "alembic": "backend.store",
    "matplotlib": "backend.reports",
    "argilla": "argilla_pipeline",
}

ENVIRONMENT_READER = "backend.settings"


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def room_of(name: str) -> str | None:
    """The room that a module lies in; a package's own room is its ``__init__`` alone."""
    rooms = [room for room in DIRECTIONS if name == room or room not in PACKAGES]
    return next((room for room in rooms if within(name, room)), None)


def objection(importer: str, imported: str) -> str | None:
    """Why ``importer`` may not import ``imported``, or ``None`` if it may."""
    library = imported.partition(".")[0]
    home = HOMES.get(library, importer)
    if not within(importer, home):
        return f"{library} stays in {home}"
    if library not in PACKAGES:
        return None
    room, target = room_of(importer), room_of(imported)
    if room is None or target is None:
        return f"{imported if room else importer} has no place in DIRECTIONS"
    if target == room or target in DIRECTIONS[room]:
        return None
    return f"{room} may not import {target}"


def violations(root: Path) -> list[str]:
    """One sentence per broken rule."""
    tree = tree_under(root, PACKAGES)
    found = []
    for module in tree.values():
        for line, name in imports_of(module, tree):
            if why := objection(module.name, name):
                found.append(f"{module.name}:{line} imports {name}: {why}")
        if module.name != ENVIRONMENT_READER:
            found += [
                f"{module.name}:{line} touches the environment: only {ENVIRONMENT_READER} does"
                for line in environment_uses(module)
            ]
    return found


def test_every_import_goes_in_an_allowed_direction() -> None:
    assert violations(ROOT) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycle(tree_under(ROOT, PACKAGES)) is None


def test_the_allowed_directions_have_no_circle_themselves() -> None:
    TopologicalSorter({room: allowed - {room} for room, allowed in DIRECTIONS.items()}).prepare()


def test_every_module_has_a_place() -> None:
    assert [name for name in tree_under(ROOT, PACKAGES) if room_of(name) is None] == []


def plant(root: Path, sources: Mapping[str, str]) -> Path:
    """A tree with the given modules."""
    for name, source in sources.items():
        path = root.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return root


def test_every_test_file_has_a_name_of_its_own() -> None:
    """Pytest takes two files of one name, in folders without ``__init__``, for the same module."""
    counts = Counter(path.name for path in (ROOT / "tests").rglob("*.py"))
    counts.pop("conftest.py")

    assert [name for name, count in counts.items() if count > 1] == []


class TestTheChecker:
    @pytest.mark.parametrize(
        ("importer", "source"),
        [
            ("backend.loop", "from backend.llm.annotator import LlmAnnotator"),
            ("backend.loop", "from backend import tagger"),
            ("backend.loop", "from backend.label_studio import tool"),
            ("backend.loop", "import backend.web"),
            ("backend.loop", "def late():\n    from backend.store import database"),
            ("backend.loop", "if TYPE_CHECKING:\n    from backend.jobs import Queue"),
            ("backend.loop", "import importlib\nimportlib.import_module('backend.web')"),
            ("backend.loop", "from .llm import annotator"),
            ("backend.llm.annotator", "from backend.store.ledger import SqlLedger"),
            ("backend.llm.annotator", "from ..tagger import crf"),
            ("backend.tagger.crf", "import backend.llm"),
            ("backend.store.records", "import backend.jobs"),
            ("backend.jobs", "import backend.store.records"),
            ("backend.domain", "from backend.text import spans"),
            ("backend.text.tokens", "from backend.settings import load_settings"),
            ("backend.services", "import backend.web"),
            ("backend.operations", "from backend.web import create_app"),
            ("backend.web.predict", "from backend.testing import llm_server"),
            ("backend.cli", "from backend.testing import llm_server"),
            ("backend.testing.tools", "import backend.loop"),
            ("backend.services", "from argilla_pipeline.tool import ArgillaTool"),
            ("backend.text.tokens", "import torch.nn"),
            ("backend.quality.audit", "from transformers import pipeline"),
            ("backend.services", "import flask"),
            ("backend.llm.annotator", "import openai"),
            ("backend.llm.batches", "from anthropic.types import Message"),
            ("backend.services", "from sqlalchemy import select"),
            ("backend.label_studio.tool", "import argilla"),
            ("backend.tagger.crf", "import os\nos.environ['OMP_NUM_THREADS'] = '1'"),
            ("backend.cli", "import os as system\nsystem.getenv('PORT')"),
            ("backend.cli", "from os import environ"),
            ("backend.surprise", "import backend.domain"),
        ],
    )
    def test_it_objects_to_a_broken_rule(self, tmp_path: Path, importer: str, source: str) -> None:
        plant(tmp_path, {"backend.llm.annotator": "", "backend.tagger.__init__": ""})

        (found,) = violations(plant(tmp_path, {importer: source}))

        assert found.startswith(f"{importer}:{source.count(chr(10)) + 1} ")

    @pytest.mark.parametrize(
        ("importer", "source"),
        [
            ("backend.loop", "from backend import domain, protocols\nimport numpy"),
            ("backend.llm.clients.openai", "import openai"),
            ("backend.tagger.model", "def late():\n    import torch"),
            ("backend.web.predict", "import flask\nfrom backend.services import compose"),
            ("backend.demo.story", "from backend.testing import llm_server"),
            ("backend.settings", "import os\nos.environ"),
            ("backend.store.records", "import os\nos.fsync(3)\nimport sqlalchemy"),
            ("argilla_pipeline.tool", "import argilla\nfrom backend.domain import Task"),
            ("argilla_pipeline.cli", "from backend.services import compose"),
        ],
    )
    def test_it_lets_the_rest_pass(self, tmp_path: Path, importer: str, source: str) -> None:
        assert violations(plant(tmp_path, {importer: source})) == []

    def test_it_finds_a_circle_through_a_late_import(self, tmp_path: Path) -> None:
        sources = {
            "backend.text.spans": "from backend.text import tokens",
            "backend.text.tokens": "def late():\n    from . import spans",
        }

        assert set(cycle(tree_under(plant(tmp_path, sources), PACKAGES)) or ()) == {
            "backend.text.spans",
            "backend.text.tokens",
        }

    def test_it_knows_a_package_by_its_own_name(self, tmp_path: Path) -> None:
        plant(tmp_path, {"backend.__init__": "", "backend.text.__init__": "from . import spans"})

        assert set(tree_under(tmp_path, PACKAGES)) == {"backend", "backend.text"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("backend.loop", "torch transformers flask sqlalchemy openai anthropic"),
        ("backend.services", "torch transformers flask openai anthropic"),
        ("backend.cli", "torch transformers flask openai anthropic gunicorn"),
    ],
)
def test_importing_a_module_loads_nothing_it_should_not(module: str, absent: str) -> None:
    code = f"import sys, {module}; print(*set({absent.split()}) & sys.modules.keys())"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (run.stdout.strip(), run.stderr) == ("", "")
