"""A team that labels in a real Argilla, with harambee beside it as users run it."""

import secrets
import subprocess
import sys

import requests
from harambee_processes import Harambee, wait_until

from argilla_pipeline.client import ArgillaClient
from argilla_pipeline.convert import spans_to_json, suggestion_in
from argilla_pipeline.importing import add_records, new_record
from argilla_pipeline.operations import ArgillaOperations
from argilla_pipeline.tool import BY_UNCERTAINTY

WORKSPACE = "team"


class Team:
    """A dataset of its own, set up by the command, and what is done in it.

    ``annotator`` is a client with the rights of a plain annotator; ``argilla`` are settings of that
    section on top of those that the server needs.
    """

    def __init__(self, server, folder, examples, /, argilla=None, **sections):
        self.server = server
        self.owner = ArgillaClient(self.server.url, self.server.owner.api_key)
        self.name = f"names-{secrets.token_hex(3)}"
        self.user = f"annotator-{secrets.token_hex(3)}"
        chosen = {
            "url": self.server.url,
            "api_key": self.server.owner.api_key,
            "workspace": WORKSPACE,
            "dataset": self.name,
            "annotators": [self.user],
            **(argilla or {}),
        }
        self.harambee = Harambee(folder, None, argilla=chosen, **sections)
        self.said = self.command("setup")
        self.operations = ArgillaOperations(self.harambee.services)
        self.project = self.operations.project()
        self.id = self.project.external_id
        self.tool = self.operations.tool(self.project)
        new = [
            new_record(str(place), example.text, "swa") for place, example in enumerate(examples)
        ]
        added = list(add_records(self.owner, self.id, self.tool.schema, new))
        self.gold = {record: examples[int(place)] for place, record in added}
        (key,) = [u["api_key"] for u in self.owner.users() if u["username"] == self.user]
        self.annotator = ArgillaClient(self.server.url, key)

    def command(self, *arguments, check=True):
        """Run a harambee-argilla command with the team's settings, to its end."""
        program = [sys.executable, "-m", "argilla_pipeline"]
        done = subprocess.run(
            [*program, "--config", str(self.harambee.config), *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done.stdout + done.stderr

    def work(self):
        return self.harambee.services.workspace(self.project)

    def submit(self, record):
        """Accept a record's gold labels as the annotator."""
        values = spans_to_json(self.gold[record].spans, self.tool.schema)
        return self.annotator.respond(record, "submitted", values)["id"]

    def suggestion(self, record):
        """What Argilla shows for a record."""
        return suggestion_in(self.owner.record(record), self.tool.schema)

    def metadata(self):
        """Every record's metadata, by id."""
        return {raw["id"]: raw["metadata"] for raw in self.owner.records(self.id)}

    def served(self, limit=1):
        """What the annotator gets by the sorted link, in order."""
        page, _ = self.annotator.search(self.id, BY_UNCERTAINTY, limit=limit, as_annotator=True)
        return [raw["id"] for raw in page]

    def in_the_store(self):
        """Ids of the labels that harambee learns from."""
        return sorted(item.id for _, item in self.work().tasks.labelled())

    def labels_arrive(self, ids):
        wait_until(lambda: self.in_the_store() == sorted(ids), "the labels")

    def webhook(self):
        (hook,) = [
            hook for hook in self.owner.webhooks() if hook["url"].startswith(self.harambee.url)
        ]
        return hook

    def close(self):
        self.owner.delete_webhook(self.webhook()["id"])
        self.harambee.services.database.close()

    def post(self, body, headers):
        return requests.post(
            f"{self.harambee.url}/webhooks/argilla", data=body, headers=headers, timeout=10
        )
