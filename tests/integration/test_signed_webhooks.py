"""The receiver of signed webhooks, with a tool that signs."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from argilla_pipeline.kind import ARGILLA
from argilla_pipeline.schema import Schema
from backend.domain import LabelScheme
from backend.services import Services
from backend.settings import load_settings
from backend.web import create_app

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PATH = "/webhooks/argilla"


@pytest.fixture
def services(tmp_path):
    opened = Services(
        load_settings(
            store={"data_dir": str(tmp_path)},
            llm={"provider": "none"},
            server={"basic_auth_user": "label", "basic_auth_pass": "studio"},
        )
    )
    schema = Schema("text", "spans", "q1", LabelScheme(("PER",)))
    project = opened.projects.register(ARGILLA, "d1", schema.to_text(), "names")
    opened.projects.mark_connected(project.id, SECRET)
    yield opened
    opened.database.close()


@pytest.fixture
def browserless(services):
    return create_app(services).test_client()


@pytest.fixture
def inbox(services):
    return services.inbox(services.projects.find(ARGILLA, "d1").id)


def news(response="a1", dataset="d1", event="response.created", moment="06:00:00"):
    record = {"id": "r1", "dataset": {"id": dataset}}
    return {
        "type": event,
        "version": 1,
        "timestamp": f"2026-11-21T{moment}.0Z",
        "data": {"id": response, "record": record},
    }


def send(client, content, delivery="msg_1", secret=SECRET):
    body, moment = json.dumps(content), datetime.now(UTC)
    return client.post(
        PATH,
        data=body,
        headers={
            "webhook-id": delivery,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(secret).sign(delivery, moment, body),
        },
    )


def waiting(inbox):
    return [(hint.task_ids, hint.annotation_ids) for hint in inbox.waiting()]


def test_genuine_news_is_kept_and_a_worker_is_told(browserless, services, inbox):
    assert send(browserless, news()).status_code == 200
    assert waiting(inbox) == [(("r1",), ("a1",))]
    project = services.projects.find(ARGILLA, "d1")
    assert [job.kind.value for job in services.jobs.standing(project.id)] == ["inbox"]


def test_a_forged_webhook_is_refused_and_nothing_is_kept(browserless, inbox):
    forged = send(browserless, news(), secret="whsec_" + "B" * 32)
    assert forged.status_code == 401
    assert waiting(inbox) == []


def test_a_replayed_webhook_is_refused(browserless, inbox):
    send(browserless, news())
    assert send(browserless, news()).status_code == 409
    assert len(waiting(inbox)) == 1


def test_news_that_is_sent_again_is_acknowledged_and_kept_once(browserless, inbox):
    send(browserless, news())
    assert send(browserless, news(), delivery="msg_2").status_code == 200
    assert len(waiting(inbox)) == 1


def test_a_change_of_the_same_response_is_news(browserless, inbox):
    send(browserless, news())
    changed = news(event="response.updated", moment="06:00:09")
    assert send(browserless, changed, delivery="msg_2").status_code == 200
    assert len(waiting(inbox)) == 2


@pytest.mark.parametrize(
    "content", [news(dataset="d2"), news(event="response.seen"), news() | {"data": {"id": "d1"}}]
)
def test_what_is_no_news_for_us_is_not_kept(browserless, inbox, content):
    assert send(browserless, content).status_code in (200, 400)
    assert waiting(inbox) == []


def test_an_unknown_tool_is_not_found(browserless):
    assert browserless.post("/webhooks/paper", data=b"{}").status_code == 404


def test_the_page_leads_annotators_to_the_least_certain_text(browserless):
    page = browserless.get("/", auth=("label", "studio")).text
    assert "/dataset/d1/annotation-mode" in page
    assert "sort=metadata.uncertainty.desc" in page


def test_the_rest_of_the_site_stays_behind_its_password(browserless):
    assert browserless.get("/").status_code == 401
