"""What a tagger learns from where one, two or more people labelled a task."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backend.domain import Annotation, Example, LabelScheme, Span, Task
from backend.quality.trusted import CrowdRule, trusted

SCHEME = LabelScheme(("PER", "LOC"))
LATEST = CrowdRule()
TEXT = "Amina went to Lagos"
AMINA, LAGOS = Span(0, 5, "PER"), Span(14, 19, "LOC")
WRONG = Span(0, 10, "LOC")
START = datetime(2026, 1, 1, tzinfo=UTC)


def note(number, *spans, by="ada", **other):
    moment = START + timedelta(minutes=number)
    return replace(Annotation(str(number), "1", spans, by, moment), **other)


def examples_of(notes, rule=LATEST):
    return trusted([(Task("1", TEXT), notes)], SCHEME, rule)[0]


THREE = [
    note(1, AMINA, LAGOS, by="ada"),
    note(2, AMINA, LAGOS, by="ben"),
    note(3, WRONG, by="cid"),
]


class TestTheLatest:
    def test_it_stands_whoever_else_labelled(self):
        assert examples_of(THREE) == [Example("1", TEXT, (WRONG,))]

    def test_a_skip_is_no_label(self):
        assert examples_of([note(1, AMINA), note(2, skipped=True, by="ben")]) == [
            Example("1", TEXT, (AMINA,))
        ]
        assert examples_of([note(1, skipped=True)]) == []


class TestSeveralPeople:
    @pytest.mark.parametrize("how", ["majority", "dawid-skene"])
    def test_what_most_say_stands_against_the_newest(self, how):
        (example,) = examples_of(THREE, CrowdRule(how))

        assert example.spans == (AMINA, LAGOS)

    @pytest.mark.parametrize("how", ["majority", "dawid-skene"])
    def test_with_fewer_people_than_asked_for_the_newest_stands(self, how):
        assert examples_of(THREE[1:], CrowdRule(how))[0].spans == (WRONG,)
        assert examples_of(THREE, CrowdRule(how, min_annotators=4))[0].spans == (WRONG,)

    def test_only_the_newest_annotation_of_each_counts(self):
        corrected = [note(0, WRONG, by="ada"), note(0, WRONG, by="ben"), *THREE]

        assert examples_of(corrected, CrowdRule("majority"))[0].spans == (AMINA, LAGOS)

    def test_an_example_weighs_as_much_as_its_decisions_are_sure(self):
        agreed = [note(number, AMINA, by=by) for number, by in enumerate("abc")]

        contested, sure = (examples_of(it, CrowdRule("dawid-skene"))[0] for it in (THREE, agreed))

        assert 0.5 < contested.weight < sure.weight <= 1

    def test_the_llm_can_vote(self):
        split = [note(1, AMINA, by="ada"), note(2, AMINA, by="ben"), note(3, by="cid")]
        split += [note(4, by="dan")]

        without = examples_of(split, CrowdRule("majority"))[0]
        with_llm = examples_of(split, CrowdRule("majority", llm={"1": (AMINA,)}))[0]

        assert (without.spans, with_llm.spans) == ((), (AMINA,))

    def test_tasks_keep_their_order(self):
        annotated = [(Task(str(n), TEXT), THREE if n % 2 else THREE[:1]) for n in range(6)]

        examples, _ = trusted(annotated, SCHEME, CrowdRule("dawid-skene"))

        assert [example.task_id for example in examples] == list("012345")


class TestImpossibleSpans:
    OUTSIDE = Span(0, 999, "PER")

    def test_those_of_an_annotation_that_does_not_stand_are_nobodys_problem(self):
        notes = [note(1, self.OUTSIDE, by="ada"), note(2, AMINA, by="ben")]

        assert trusted([(Task("1", TEXT), notes)], SCHEME, LATEST)[1] == []

    def test_those_of_all_who_are_counted_are_named(self):
        notes = [*THREE[:2], note(12, self.OUTSIDE, by="cid"), note(1, AMINA, by="dan")]

        (problem,) = trusted([(Task("1", TEXT), notes)], SCHEME, CrowdRule("majority"))[1]

        assert problem.startswith("task 1, annotation 12: ")
