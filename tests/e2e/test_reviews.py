"""Doubtful labels as reviewers find them: in a tab of Label Studio, behind a link of Argilla."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import structlog
from argilla_projects import ArgillaDataset, argilla_server, workspace_of
from browsing import loaded, show_height
from selenium.webdriver.common.by import By
from typer.testing import CliRunner

from argilla_pipeline.convert import spans_to_json
from argilla_pipeline.kind import ARGILLA
from backend.cli import app
from backend.domain import Span
from backend.services import LABEL_STUDIO, Services
from backend.settings import Settings

pytestmark = pytest.mark.e2e

IMAGES = Path("docs/images")
KEEP_PICTURES = "HARAMBEE_SCREENSHOTS" in os.environ
CONFIG = (
    '<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)
NAMES = ("Amina", "Juma", "Zanele", "Tunde", "Ngozi", "Sipho")
PLACES = ("Nairobi", "Lagos", "Kano", "Durban")
TEXTS = [f"{NAMES[n % 6]} visited {PLACES[n % 4]} on trip {n} ." for n in range(60)]
FORGOTTEN, MISTAKEN = 17, 41
"""Where the place is not labelled, and where it is labelled as a person."""


def label_of(number):
    name, place = NAMES[number % 6], PLACES[number % 4]
    at = len(name) + len(" visited ")
    spans = [Span(0, len(name), "PER"), Span(at, at + len(place), "LOC")]
    if number == FORGOTTEN:
        return spans[:1]
    return [spans[0], Span(at, at + len(place), "PER")] if number == MISTAKEN else spans


@pytest.fixture(autouse=True)
def _logging_as_it_was(monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    monkeypatch.setattr(root, "level", root.level)
    yield
    structlog.reset_defaults()


@pytest.fixture
def harambee(tmp_path):
    """Register a project, and run commands on it; gives what they print, line by line."""
    store = {"HARAMBEE_STORE__DATA_DIR": str(tmp_path), "HARAMBEE_LEARNING__MIN_LABELS": "10"}

    def connect(tool, external_id, config, **access):
        services = Services(Settings(store={"data_dir": tmp_path}))
        project = services.projects.register(tool, external_id, config, "names")
        services.database.close()
        number = external_id if tool == LABEL_STUDIO else str(project.id)

        def run(*arguments):
            result = CliRunner().invoke(app, [*arguments, "--project", number], env=store | access)
            assert result.exit_code == 0, result.output
            return result.output.splitlines()

        return run

    return connect


class InLabelStudio:
    """A project of a real server with everything labelled, and what its page shows."""

    def __init__(self, server, client, browser, harambee):
        self.server, self.client, self.browser = server, client, browser
        self.project = client.create_project("Names in the news", CONFIG)["id"]
        items = [
            {"data": {"text": text}, "annotations": [{"result": regions(label_of(number))}]}
            for number, text in enumerate(TEXTS)
        ]
        path = f"/api/projects/{self.project}/import?return_task_ids=true"
        self.tasks = client.http.write("POST", path, items)["task_ids"]
        self.run = harambee(
            LABEL_STUDIO,
            str(self.project),
            CONFIG,
            LABEL_STUDIO_URL=server.url,
            LABEL_STUDIO_API_KEY=server.login.token,
        )

    def log_in(self):
        self.browser.get(f"{self.server.url}/user/login/")
        if "/user/login" in self.browser.current_url:
            self.browser.find_element(By.NAME, "email").send_keys(self.server.login.email)
            self.browser.find_element(By.NAME, "password").send_keys(self.server.login.password)
            self.browser.find_element(By.CSS_SELECTOR, "form button[type=submit]").click()
            loaded(self.browser, lambda: "/user/login" not in self.browser.current_url)

    def open(self, link):
        """The texts and reasons that the page behind the link lists, from above."""
        self.log_in()
        self.browser.get(link)
        loaded(self.browser, lambda: "#001" in page_of(self.browser))
        return [line for line in page_of(self.browser).splitlines() if line.startswith("#0")]

    def listed(self, said):
        """The numbers of the texts that a command lists."""
        found = [line.split("?task=")[1].split()[0] for line in said if "?task=" in line]
        return [self.tasks.index(int(task_id)) for task_id in found]

    def correct(self, number, spans):
        (annotation,) = self.client.http.get(f"/api/tasks/{self.tasks[number]}/annotations/")
        path = f"/api/annotations/{annotation['id']}/"
        self.client.http.write("PATCH", path, {"result": regions(spans)})


class InArgilla:
    """A dataset of a real server that its owner has labelled, and what its page shows."""

    def __init__(self, server, browser, harambee):
        self.server, self.browser = server, browser
        self.made = ArgillaDataset(server, TEXTS)
        self.answers = [
            self.made.client.respond(record, "submitted", self.values(label_of(number)))["id"]
            for number, record in enumerate(self.made.records)
        ]
        self.run = harambee(
            ARGILLA,
            self.made.id,
            self.made.tool.schema.to_text(),
            ARGILLA_API_URL=server.url,
            ARGILLA_API_KEY=server.owner.api_key,
        )

    def annotator(self, name):
        """One more annotator of the workspace; gives their id."""
        client = self.made.client
        user = client.create_user(f"{name}-{self.made.name}", "12345678")["id"]
        client.add_to_workspace(workspace_of(client), user)
        return user

    def answer_as(self, user, number, spans):
        """Submit somebody else's label beside one's own."""
        own = {"user_id": self.made.client.me()["id"], "status": "submitted"}
        own["values"] = self.values(label_of(number))
        theirs = {"user_id": user, "status": "submitted", "values": self.values(spans)}
        record = {"id": self.made.records[number], "responses": [own, theirs]}
        self.made.client.upsert(self.made.id, [record])

    def values(self, spans):
        return spans_to_json(spans, self.made.tool.schema)

    def log_in(self):
        fields = (By.CSS_SELECTOR, "form input")
        self.browser.get(f"{self.server.url}/sign-in")
        loaded(
            self.browser,
            lambda: (
                "sign-in" not in self.browser.current_url or self.browser.find_elements(*fields)
            ),
        )
        if "sign-in" not in self.browser.current_url:
            return
        name, password = self.browser.find_elements(*fields)[:2]
        name.send_keys(self.server.owner.username)
        password.send_keys(self.server.owner.password)
        self.browser.find_element(By.CSS_SELECTOR, "form button[type=submit]").click()
        loaded(self.browser, lambda: "sign-in" not in self.browser.current_url)

    def listed(self, said):
        """The numbers of the texts that a command lists."""
        found = [line.split("&search=")[1].split("~")[0] for line in said if "&search=" in line]
        return [TEXTS.index(text.replace("_", " ")) for text in found]

    def correct(self, number, spans):
        self.made.client.update_response(self.answers[number], "submitted", self.values(spans))


def regions(spans):
    return [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": span.start, "end": span.end, "labels": [span.label]},
        }
        for span in spans
    ]


def page_of(browser):
    return browser.find_element(By.TAG_NAME, "body").text


def looked_at(project):
    """Confirm the first doubtful label, correct the second; gives what is said after each."""
    first = project.run("label-errors", "--send", "1")
    second = project.run("label-errors", "--send", "1", "--done", "1")
    project.correct(project.listed(first)[1], [])
    return first, second, project.run("label-errors", "--send", "9")


class TestLabelStudio:
    @pytest.fixture
    def project(self, label_studio, client, browser, harambee):
        return InLabelStudio(label_studio, client, browser, harambee)

    def test_the_tab_lists_the_doubtful_labels_in_order_and_says_why(self, project):
        said = project.run("label-errors", "--send", "9")

        rows = project.open(said[-1])

        assert set(project.listed(said)) == {FORGOTTEN, MISTAKEN}
        assert [row.split(" ", 1)[1] for row in rows] == [
            line.split("  ", 1)[1] for line in said if "?task=" in line
        ]
        if KEEP_PICTURES:
            show_height(project.browser, 380)
            assert project.browser.save_screenshot(str(IMAGES / "label-errors.png"))

    def test_the_reasons_stand_beside_the_task_that_is_open(self, project):
        said = project.run("label-errors", "--send", "9")
        first = project.listed(said)[0]
        project.open(said[-1])

        project.browser.get(f"{said[-1]}&task={project.tasks[first]}")
        loaded(project.browser, lambda: TEXTS[first] in page_of(project.browser))

        assert "#001" in page_of(project.browser)
        assert "Update" in page_of(project.browser)

    def test_confirmed_and_corrected_labels_leave_the_one_tab(self, project):
        first, second, third = looked_at(project)

        assert "1 task waits" in first[-2]
        assert "1 task waits" in second[-2]
        assert "1 left the queue" in second[-2]
        assert "1 looked at since it was sent" in second[-2]
        assert "0 tasks wait" in third[-2]
        assert first[-1] == second[-1] == third[-1]
        titles = [view["data"]["title"] for view in project.client.views(project.project)]
        assert titles == ["Probably wrong, worst first (harambee)"]


class TestCrowd:
    def test_contested_records_get_a_place_and_what_their_annotators_say(
        self, browser, harambee, request
    ):
        project = InArgilla(argilla_server(request.config), browser, harambee)
        ada = project.annotator("ada")
        contested = project.made.records[FORGOTTEN]
        for number in (3, 4, FORGOTTEN):
            spans = label_of(number) if number != FORGOTTEN else label_of(number + 4)
            project.answer_as(ada, number, spans)

        said = project.run("crowd", "--send", "9")

        assert "1 task waits" in said[-2]
        metadata = project.made.client.record(contested)["metadata"]
        assert metadata["adjudication"] == 1
        assert metadata["adjudication_reason"].startswith("'Lagos': ")
        assert f"ada-{project.made.name} LOC" in metadata["adjudication_reason"]
        assert "metadata=adjudication.ge1" in said[-1]


class TestArgilla:
    @pytest.fixture
    def project(self, browser, harambee, request):
        return InArgilla(argilla_server(request.config), browser, harambee)

    def test_the_link_opens_the_most_doubtful_label_of_ones_own(self, project):
        said = project.run("label-errors", "--send", "9")
        assert set(project.listed(said)) == {FORGOTTEN, MISTAKEN}

        project.log_in()
        project.browser.get(said[-1])
        loaded(project.browser, lambda: "on trip" in page_of(project.browser))

        assert TEXTS[project.listed(said)[0]] in page_of(project.browser)
        assert "1\nof 2" in page_of(project.browser)

    def test_a_listed_link_finds_its_record(self, project):
        said = project.run("label-errors", "--send", "0")
        second = [line.split("  ")[0] for line in said if "&search=" in line][1]

        project.log_in()
        project.browser.get(second)
        loaded(project.browser, lambda: "on trip" in page_of(project.browser))

        assert TEXTS[project.listed(said)[1]] in page_of(project.browser)

    def test_confirmed_and_corrected_labels_leave_the_queue(self, project):
        first, second, third = looked_at(project)

        assert "1 task waits" in first[-2]
        assert "1 task waits" in second[-2]
        assert "1 left the queue" in second[-2]
        assert "1 looked at since it was sent" in second[-2]
        assert "0 tasks wait" in third[-2]
        assert first[-1] == second[-1] == third[-1]
