from datetime import UTC, datetime, timedelta

import pytest

from backend.domain import Annotation, Example, LabelScheme, Span, Task
from backend.llm.demonstrations import (
    LONGEST_EXAMPLE,
    NearestDemonstrations,
    StaticDemonstrations,
    showable,
)
from backend.quality.holdout import is_held_out

SCHEME = LabelScheme(("PER", "LOC"))


def example(text: str, *labels: str) -> Example:
    return Example(text, text, tuple(Span(0, 1, label) for label in labels))


def texts(chosen) -> list[str]:
    return [item.text for item in chosen]


class TestStatic:
    def test_every_label_is_shown_before_any_is_shown_twice(self):
        examples = [example("a", "PER"), example("b", "PER"), example("c", "LOC"), example("d")]
        assert texts(StaticDemonstrations(examples, 3).examples_for("x")) == ["a", "c", "d"]

    def test_further_ones_are_the_oldest(self):
        examples = [example(name, "PER") for name in "abcd"]
        assert texts(StaticDemonstrations(examples, 2).examples_for("x")) == ["a", "b"]

    def test_labels_added_later_do_not_change_the_choice(self):
        early = [example("a", "PER"), example("b", "LOC"), example("c")]
        late = [*early, *(example(name, "PER") for name in "defgh")]
        assert StaticDemonstrations(early, 3).examples_for("x") == (
            StaticDemonstrations(late, 3).examples_for("x")
        )


class TestNearest:
    EXAMPLES = (
        example("Ada lives in Lagos", "PER"),
        example("Rain fell on the farm"),
        example("Ada works in Lagos today", "PER"),
        example("The minister flew to Abuja", "LOC"),
    )

    def test_the_most_similar_text_is_shown_last(self):
        chosen = NearestDemonstrations(self.EXAMPLES, 2).examples_for("Ada works in Lagos now")
        assert texts(chosen)[-1] == "Ada works in Lagos today"

    def test_similar_texts_with_other_labels_come_before_more_of_the_same(self):
        chosen = NearestDemonstrations(self.EXAMPLES, 3).examples_for("Ada works in Lagos now")
        assert {span.label for item in chosen for span in item.spans} == {"PER", "LOC"}

    @pytest.mark.parametrize("count", [0, 1, 4, 50])
    def test_there_are_never_more_than_asked_for(self, count):
        chosen = NearestDemonstrations(self.EXAMPLES, count).examples_for("Ada")
        assert len(chosen) == min(count, len(self.EXAMPLES))

    def test_without_labels_there_are_none(self):
        assert NearestDemonstrations([], 4).examples_for("Ada") == ()

    def test_any_script_has_neighbours(self):
        examples = [example("አበበ በሶ በላ", "PER"), example("ሰላም ለሁሉም")]
        chosen = NearestDemonstrations(examples, 1).examples_for("አበበ በላ")
        assert texts(chosen) == ["አበበ በሶ በላ"]


@pytest.mark.parametrize("choice", [StaticDemonstrations, NearestDemonstrations])
def test_long_blank_and_repeated_texts_are_not_shown(choice):
    examples = [example("a" * (LONGEST_EXAMPLE + 1)), example(" "), example("b"), example("b")]
    assert texts(choice(examples, 9).examples_for("b")) == ["b"]


class TestShowable:
    FIRST = datetime(2026, 1, 1, tzinfo=UTC)

    def labelled(self, text: str, day: int, *spans: Span) -> tuple[Task, Annotation]:
        moment = self.FIRST + timedelta(days=day)
        return Task(text, text), Annotation("1", text, spans, "ann", moment)

    def test_the_oldest_label_comes_first(self):
        pairs = [self.labelled("Jos", 3), self.labelled("Ada", 1), self.labelled("Kano", 2)]
        assert texts(showable(pairs, SCHEME, 1e-9)) == ["Ada", "Kano", "Jos"]

    def test_held_out_texts_are_never_shown(self):
        pairs = [self.labelled(f"Text {number}", number) for number in range(300)]
        shown = texts(showable(pairs, SCHEME, 0.3))
        assert 150 < len(shown) < 270
        assert not any(is_held_out(text, 0.3) for text in shown)

    def test_labels_that_cannot_be_right_are_not_shown(self):
        pairs = [self.labelled("Ada", 1, Span(0, 99, "PER")), self.labelled("Jos", 2)]
        assert texts(showable(pairs, SCHEME, 1e-9)) == ["Jos"]
