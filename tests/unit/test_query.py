from datetime import UTC, datetime

import numpy as np
import pytest

from backend.active_learning.calibrated_tagger import CalibratedTagger
from backend.active_learning.calibration import Calibration
from backend.active_learning.query import DROPOUT_PASSES, WINDOW, Query, dropout_passes
from backend.active_learning.strategies import BAGGED, STRATEGIES
from backend.domain import Annotation, Source, SourceKind, Span, Suggestion, Task
from backend.errors import InputError
from backend.testing.taggers import FakeTagger

TASKS = [Task(str(n), f"Amina went to town {n}") for n in range(8)]
TAGGER = FakeTagger({"Amina": "PER"}, ("PER",))
OTHER = FakeTagger({"town": "PER"}, ("PER",))


class ThinnedOut(FakeTagger):
    """A tagger that has dropout, in name."""

    def sample(self, texts, passes, rng):
        assert isinstance(rng, np.random.Generator)
        return [self.tag(texts) for _ in range(passes)]


def confidences(query, tagger=TAGGER, tasks=TASKS):
    return {
        task.id: confidence
        for task, _, confidence in query.scored(tagger, tasks, np.random.default_rng(0))
    }


def annotation(task, seconds):
    return Annotation(task.id, task.id, (), "1", datetime.now(UTC), lead_time=seconds)


def knowing_all(name):
    source = Source(SourceKind.LLM, "fake", "v1")
    return Query(
        name,
        labelled=[(task, annotation(task, 5.0)) for task in TASKS[:2]],
        suggested={"0": Suggestion("0", (Span(0, 5, "PER"),), 0.5, source)},
        members=[OTHER] if name in BAGGED else (),
    )


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_can_serve_a_project(name):
    found = confidences(knowing_all(name), ThinnedOut({"Amina": "PER"}, ("PER",)))

    assert set(found) == {task.id for task in TASKS}
    assert all(0 <= confidence <= 1 for confidence in found.values())


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_has_an_answer_for_one_text_outside_its_pool(name):
    (confidence,) = confidences(knowing_all(name).alone(), tasks=TASKS[:1]).values()

    assert 0 <= confidence <= 1


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_project_without_tasks_is_asked_nothing(name):
    assert confidences(knowing_all(name), ThinnedOut({}, ("PER",)), tasks=[]) == {}


def test_texts_that_are_judged_by_themselves_are_tagged_a_window_at_a_time():
    tagger, many = FakeTagger({}, ("PER",)), [Task(str(n), "x") for n in range(WINDOW + 1)]

    next(Query("margin").scored(tagger, many, np.random.default_rng(0)))

    assert len(tagger.asked) == WINDOW


def test_what_the_llm_says_otherwise_is_asked_first():
    source = Source(SourceKind.LLM, "fake", "v1")
    same, other = (Span(0, 5, "PER"),), (Span(6, 10, "PER"),)
    suggested = {
        task.id: Suggestion(task.id, other if task.id == "3" else same, 0.5, source)
        for task in TASKS
    }

    found = confidences(Query("llm-disagreement", suggested=suggested))

    assert min(found, key=found.__getitem__) == "3"


def test_dropout_passes_are_calibrated_as_the_tagger_is():
    network = ThinnedOut({"Amina": "PER"}, ("PER",))
    tagger = CalibratedTagger(network, Calibration(2.0, ((0.0, 0.1), (1.0, 0.3))))

    passes = dropout_passes(tagger, ["Amina"], np.random.default_rng(0))

    assert len(passes) == DROPOUT_PASSES
    assert passes[0][0].spans[0].score == pytest.approx(0.28)
    np.testing.assert_array_equal(
        passes[0][0].probabilities, tagger.tag(["Amina"])[0].probabilities
    )


def test_a_tagger_without_dropout_says_what_to_use_instead():
    with pytest.raises(InputError, match="committee-kl"):
        confidences(Query("bald"))
