"""Predictions for 1,000 tasks in Label Studio: pushed in bulk, or pulled by Label Studio itself.

Both arms start from a project without predictions and end when every task carries one of the
current version, made by the same CRF in the same backend. The push sends suggestions that have been
made; making them is measured too, once, as ``tagging_seconds``, because the pull does it on the
way: it is "Retrieve predictions" of the Data Manager, which calls the backend's ``/predict``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np
import yaml
from harness import Arm, compare, report, timed

from backend import loop, proposing
from backend.demo.processes import running, wait_for_health
from backend.domain import Example, LabelScheme, Suggestion
from backend.operations import Operations
from backend.samples import LABELS, sample_texts
from backend.services import Services
from backend.settings import load_settings
from backend.testing.label_studio_server import LabelStudioServer, initialised_folder
from backend.testing.server_process import free_port
from backend.text.conll import read_conll, to_text

VENVS = Path(".venvs")
LABEL_STUDIO = VENVS / "label-studio"
TEMPLATE = VENVS / "label-studio-data"
LABEL_CONFIG = Path("config/label_schemes/ner.xml")
TASKS, TRAINING, REPEATS = 1000, 500, 3
LONGEST_PULL_SECONDS = 900


def masakhaner(folder: Path) -> Iterator[Example]:
    """The isiZulu training part of MasakhaNER 2.0."""
    for number, sentence in enumerate(read_conll(folder / "masakhaner2/zul/train.txt.gz")):
        text, spans = to_text(sentence)
        yield Example(str(number), text, spans)


def generated() -> Iterator[Example]:
    """The shipped sample over and over, every text with a number of its own behind it."""
    for number, (_, example) in zip(count(), cycle(sample_texts()), strict=False):
        yield Example(str(number), f"{example.text} {number}", example.spans)


def examples() -> tuple[str, list[Example], list[Example]]:
    """Where the texts come from, those of the tasks, and those to train on."""
    data = os.environ.get("HARAMBEE_DATA")
    source = masakhaner(Path(data)) if data else generated()
    name = "MasakhaNER 2.0, isiZulu, train" if data else "generated from the sample corpus"
    return name, list(islice(source, TASKS)), list(islice(source, TRAINING))


class Bench:
    """A Label Studio project with the tasks, connected to a backend whose tagger is trained."""

    def __init__(self, server: LabelStudioServer, config: Path) -> None:
        self.operations = Operations(Services(load_settings(config)))
        self.services = self.operations.services
        self.client = self.services.label_studio
        self.corpus, tasks, self._training = examples()
        self.suggestions: list[Suggestion] = []
        self.project = self.client.create_project("push", LABEL_CONFIG.read_text("utf-8"))["id"]
        self.client.import_tasks(self.project, [{"text": example.text} for example in tasks])

    def connect(self) -> None:
        """Train, let the tagger serve, and push its first suggestions: the first version."""
        project = self.operations.meet(str(self.project), LABEL_CONFIG.read_text("utf-8"))
        family = self.services.families["crf"]
        scheme = LabelScheme(LABELS)
        shelf = self.services.shelf(project.id)
        tagger = family.train(self._training, scheme, np.random.default_rng(0))
        shelf.promote(shelf.publish(tagger, {"training_texts": len(self._training)}))
        self.operations.connect(str(self.project))
        self.version = self.services.version_of(project)
        work = self.services.workspace(project)
        loop.pull(work)
        self.tool, pool = work.tool, work.tasks.pool()
        self.tagging_seconds = timed(
            lambda: self.suggestions.extend(proposing.propose(work, pool, work.models.serving()))
        )()

    def forget(self) -> None:
        """Delete every prediction; Label Studio then forgets the version they had, too."""
        self.client.delete_version(self.project, self.version)

    def push(self) -> None:
        """Our way: all predictions at once."""
        self.tool.suggest(self.suggestions, self.version)

    def pull(self) -> None:
        """Label Studio's own way: the action of the Data Manager, for all tasks."""
        path = f"/api/dm/actions?id=retrieve_tasks_predictions&project={self.project}"
        self.client.http.write("POST", path, {"selectedItems": {"all": True, "excluded": []}})

    def check(self) -> None:
        """Fail unless every task carries the current version, so that both arms do one thing."""
        stored = self.client.version_counts(self.project).get(self.version, 0)
        if stored != TASKS:
            raise SystemExit(f"{stored} of {TASKS} predictions were stored: nothing to compare.")


def main() -> None:
    """Start everything, measure both arms in turn, print the comparison."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = initialised_folder(LABEL_STUDIO, TEMPLATE, folder / "label-studio")
        server = stack.enter_context(LabelStudioServer(LABEL_STUDIO, data))
        port = free_port()
        settings = {
            "server": {"port": port, "log_level": "WARNING"},
            "label_studio": {
                "url": server.url,
                "api_key": server.login.token,
                "timeout_seconds": LONGEST_PULL_SECONDS,
            },
            "store": {"data_dir": str(folder / "harambee")},
            "llm": {"provider": "none"},
        }
        config = folder / "harambee.yaml"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        log_file = folder / "serve.log"
        web = stack.enter_context(running("serve", config, log_file))
        wait_for_health(f"http://127.0.0.1:{port}", web, log_file)
        bench = Bench(server, config)
        bench.connect()
        push = Arm("harambee's push", timed(bench.push, before=bench.forget, after=bench.check))
        pull = Arm("Label Studio's pull", timed(bench.pull, before=bench.forget, after=bench.check))
        comparison = compare("label-studio-push", pull, push, repeats=REPEATS)
        report(
            comparison,
            tasks=TASKS,
            regions=sum(len(suggestion.spans) for suggestion in bench.suggestions),
            tagging_seconds=round(bench.tagging_seconds, 3),
            corpus=bench.corpus,
        )


if __name__ == "__main__":
    main()
