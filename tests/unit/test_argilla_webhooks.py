"""What a webhook of Argilla says, and whether Argilla says it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from argilla_pipeline.webhooks import is_genuine, read_event
from backend.domain import JobKind
from backend.errors import PayloadError

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def body(event="response.created", **changes):
    record = {"id": "r1", "dataset": {"id": "d1"}}
    data = {"id": "a1", "record": record}
    if event.startswith("record."):
        data = record
    if event.startswith("dataset."):
        data = {"id": "d1"}
    content = {"type": event, "version": 1, "timestamp": "2026-11-21T06:00:00.5Z", "data": data}
    return json.dumps(content | changes).encode()


def signed(content, *, secret=SECRET, at=None, delivery="msg_1"):
    moment = at or datetime.now(UTC)
    return {
        "Webhook-Id": delivery,
        "Webhook-Timestamp": str(int(moment.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(delivery, moment, content.decode()),
    }


def test_a_response_names_dataset_record_and_itself():
    event = read_event({"Webhook-Id": "msg_1"}, body())
    assert (event.external_id, event.task_ids, event.annotation_ids) == ("d1", ("r1",), ("a1",))
    assert (event.job, event.delivery) == (JobKind.INBOX, "msg_1")


@pytest.mark.parametrize("name", ["record.updated", "record.completed", "dataset.updated"])
def test_what_our_own_pushes_cause_is_nothing_to_do(name):
    event = read_event({}, body(name))
    assert (event.external_id, event.job) == ("d1", None)


def test_the_same_news_is_known_again_under_another_delivery():
    first, again = (read_event({"webhook-id": name}, body()) for name in ("msg_1", "msg_2"))
    assert first.content == again.content
    assert first.delivery != again.delivery


def test_a_later_change_is_other_news():
    later = read_event({}, body("response.updated", timestamp="2026-11-21T06:00:01.0Z"))
    assert later.content != read_event({}, body("response.updated")).content


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"type": "response.created", "data": {"id": 3}}', b"[" * 100_000],
)
def test_what_argilla_does_not_send_is_refused(content):
    with pytest.raises(PayloadError):
        read_event({}, content)


def test_what_argilla_signed_is_genuine():
    assert is_genuine(signed(body()), body(), SECRET)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_future_sending_is_not(minutes):
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    assert not is_genuine(signed(body(), at=moment), body(), SECRET)


def test_another_secret_another_body_or_no_signature_is_forged():
    other = "whsec_" + "B" * 32
    assert not is_genuine(signed(body(), secret=other), body(), SECRET)
    assert not is_genuine(signed(body()), body("response.deleted"), SECRET)
    assert not is_genuine({}, body(), SECRET)


def test_without_a_usable_secret_nothing_is_genuine():
    assert not is_genuine(signed(body()), body(), "made-up-here")
