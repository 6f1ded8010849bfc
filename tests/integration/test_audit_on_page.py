"""What the page says of the blind audit, for projects of both tools, and when it is worked out."""

import re
from dataclasses import replace

import pytest
from audited_page import CONFIGS, AuditedPage

from backend.domain import JobState
from backend.laboratory import audit as audits
from backend.store.audits import SqlAudits


@pytest.fixture(params=CONFIGS)
def page(request, tmp_path):
    page = AuditedPage(tmp_path, request.param)
    yield page
    page.close()


def kept(page):
    return SqlAudits(page.services.database, page.project.id)


def visible(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("<body>")[2]).split())


def test_an_audit_shows_each_score_with_its_interval_and_what_is_still_needed(page):
    labelled = page.label_audited()
    page.audit()

    shown = visible(page.html())

    (model,) = kept(page).last().models
    interval = f"{100 * model.f1.value:.1f} ({100 * model.f1.low:.1f}–{100 * model.f1.high:.1f})"
    assert "LLM gpt-6-luna 100.0 (" in shown
    assert f"{interval} {labelled} {model.more}" in shown
    assert "with 90% intervals" in shown
    assert "still needed for F1 ±3" in shown


def test_what_is_kept_is_what_the_audit_found(page):
    page.label_audited()
    page.audit()

    work = page.services.workspace(page.project)
    found = audits.audit_project(work, page.services.families["crf"])

    assert kept(page).last() == found.summary(0.03)


def test_blind_labels_that_no_audit_has_seen_are_counted(page):
    page.label_audited(10)
    page.audit()
    labelled = page.label_audited()

    shown = visible(page.html())

    assert f"{labelled} labels made blind, 10 by the last audit" in shown


def test_before_the_first_audit_only_the_count_is_shown(page):
    labelled = page.label_audited()

    shown = visible(page.html())

    assert f"{labelled} labels made blind of" not in shown
    assert f"{labelled} labels made blind." in shown
    assert '<table class="audit">' not in page.html()


def test_looking_at_the_page_works_nothing_out(page, monkeypatch):
    page.label_audited()
    page.audit()

    def refuse(*_arguments, **_options):
        raise AssertionError("the page began an audit")

    monkeypatch.setattr(audits, "audit_scores", refuse)
    assert "100.0 (" in page.html()


def test_an_audit_of_nothing_ends_well_and_shows_nothing(page):
    page.audit()

    (job,) = page.services.jobs.recent(page.project.id)
    assert job.state is JobState.DONE
    assert kept(page).last() == replace(kept(page).last(), labelled=0, models=())
    assert "Blind audit" not in page.html()
