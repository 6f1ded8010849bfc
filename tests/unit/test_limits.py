"""Everything that orders, stops, calibrates or routes, at the limits of what a project can be.

Empty, a single task, nothing to doubt, one label, no entities, texts of one token and of 1,000:
each part meets each of these, as a table in ``docs/active-learning.md`` says.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from backend.active_learning.calibrated_tagger import CalibratedTagger
from backend.active_learning.calibration import fit_calibration
from backend.active_learning.choosing import choose_for_humans
from backend.active_learning.cold_start import cold_start_confidence
from backend.active_learning.learning_curve import f1_deviation, predict_gain
from backend.active_learning.risk_control import Goal
from backend.active_learning.routing import Audit, Queued, plan_routes
from backend.active_learning.stopping import (
    Limits,
    advise,
    agreement_on,
    measurements,
    stop_set,
)
from backend.active_learning.strategies import STRATEGIES
from backend.active_learning.trainer import Trainer
from backend.domain import Example, LabelScheme, RoundReport, Route, Span
from backend.protocols import Pool, Tagging
from backend.quality.span_f1 import span_scores
from backend.testing.taggers import FakeTaggerFamily
from backend.text.bio import tag_names

MANY = 60  # enough to calibrate on


@dataclass(frozen=True)
class Case:
    """A project: texts of ``tokens`` words each, the first a name where there are entities."""

    texts: int = MANY
    tokens: int = 4
    labels: tuple[str, ...] = ("LOC", "PER")
    entities: bool = True
    certain: bool = False

    @property
    def scheme(self):
        return LabelScheme(self.labels)

    @property
    def examples(self):
        return [
            Example(str(n), " ".join([f"Kano{n}", *["went"] * (self.tokens - 1)]), self._gold(n))
            for n in range(self.texts)
        ]

    def _gold(self, number):
        here = self.entities and number % 4 != 3  # some texts hold nothing
        return (Span(0, len(f"Kano{number}"), self.labels[0]),) if here else ()

    def taggings(self, seed=0):
        """Finds a name in every text, where there are any, so that some are wrong."""
        rng = np.random.default_rng(seed)
        n_tags = len(tag_names(self.labels))
        found = []
        for example in self.examples:
            sure = 1.0 if self.certain else float(rng.uniform(0.4, 0.95))
            table = np.full((self.tokens, n_tags), (1 - sure) / (n_tags - 1))
            table[:, 0] = sure
            spans = ()
            if self.entities:
                table[0] = np.roll(table[0], 1)
                spans = (Span(0, len(example.text.split()[0]), self.labels[0], sure),)
            found.append(Tagging(spans, table, sure))
        return found


CASES = {
    "empty pool": Case(texts=0),
    "one task": Case(texts=1),
    "all certain": Case(certain=True),
    "one label": Case(labels=("LOC",)),
    "no entities": Case(entities=False),
    "length 1": Case(tokens=1),
    "1,000 tokens": Case(texts=6, tokens=1000),
    "one task, certain, of one token": Case(texts=1, tokens=1, certain=True),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_orders_what_there_is(case, name):
    examples, taggings = case.examples, case.taggings()
    pool = Pool(
        texts=[example.text for example in examples],
        taggings=taggings,
        labelled=["Kano went"],
        committee=[case.taggings(1), case.taggings(2)],
        suggested=[example.spans for example in examples],
        seconds=np.full(len(examples), 10.0),
    )

    confidence = STRATEGIES[name](pool, rng())

    assert confidence.shape == (case.texts,)
    assert np.isfinite(confidence).all()
    assert ((confidence >= 0) & (confidence <= 1)).all()


def test_the_cold_start_orders_what_there_is(case):
    confidence = cold_start_confidence([example.text for example in case.examples], rng())

    assert len(set(confidence.tolist())) == case.texts


class TestStopping:
    def rounds(self, case):
        """Three rounds that measured the same taggings, with more labels each."""
        gold = [example.spans for example in case.examples]
        found = [tagging.spans for tagging in case.taggings()]
        scores = span_scores(zip(gold, found, strict=True)) if any(gold) else None
        texts = stop_set(example.text for example in case.examples)
        agreement = agreement_on(texts, found[: len(texts)], found[: len(texts)])
        return [
            RoundReport(n, labels=50 * n, training=50 * n, tagger=scores, agreement=agreement)
            for n in (1, 2, 3)
        ]

    def test_a_tagger_agrees_with_itself_if_there_is_anything_to_agree_on(self, case):
        assert self.rounds(case)[-1].agreement == (1.0 if case.texts else None)

    def test_advice_can_be_given(self, case):
        advice = advise(self.rounds(case), Limits(), 10.0, rng())

        measured = case.texts > 0
        assert advice.stop == measured, "all three say the same, so nothing speaks for going on"
        assert bool(advice.reasons) == measured

    def test_a_limit_is_a_limit(self, case):
        advice = advise(self.rounds(case), Limits(labels=150), 0.0, rng())

        assert advice.stop
        assert "150 labels" in str(advice)

    @pytest.mark.parametrize("plateau", [True, False])
    def test_a_predicted_gain_stays_within_bounds(self, case, plateau):
        predicted = predict_gain(measurements(self.rounds(case)), 100, rng(), plateau=plateau)

        if case.entities and case.texts:
            assert 0 <= predicted.low <= predicted.high <= 1
        else:
            assert predicted is None

    def test_how_sure_a_score_is_has_bounds(self, case):
        spans = sum(len(example.spans) for example in case.examples)

        assert 0 < f1_deviation(spans, 0, 0) <= 1


class TestCalibration:
    def test_what_is_learnt_leaves_spans_and_probabilities_what_they_are(self, case):
        taggings = case.taggings()
        fitted = fit_calibration(case.examples, taggings, case.scheme, rng())

        corrected = fitted.calibration.apply(taggings)

        assert len(corrected) == case.texts
        for before, after in zip(taggings, corrected, strict=True):
            assert [(one.start, one.end, one.label) for one in after.spans] == [
                (one.start, one.end, one.label) for one in before.spans
            ]
            assert all(0 <= one.score <= 1 for one in after.spans)
            np.testing.assert_allclose(after.probabilities.sum(axis=1), 1.0)

    def test_too_little_is_left_as_it_is_and_said(self, case):
        fitted = fit_calibration(case.examples, case.taggings(), case.scheme, rng())

        if case.texts < 50 or not case.entities:
            assert str(fitted) == "too few held-out labels to calibrate on"
        else:
            assert fitted.tokens is not None

    def test_a_calibrated_tagger_tags_as_many_texts(self, case):
        examples = [*case.examples, Example("x", "Kano went", (Span(0, 4, case.labels[0]),))]
        tagger = FakeTaggerFamily().train(examples, case.scheme, rng())
        texts = [example.text for example in case.examples]
        calibration = fit_calibration(case.examples, case.taggings(), case.scheme, rng())

        assert len(CalibratedTagger(tagger, calibration.calibration).tag(texts)) == case.texts


class TestRouting:
    def plan(self, case, budget, audited=True):
        taggings = case.taggings()
        queue = [
            Queued(example.task_id, tagging.spans, tagging.sequence_probability)
            for example, tagging in zip(case.examples, taggings, strict=True)
        ]
        audits = [
            Audit(queued, example.spans)
            for queued, example in zip(queue, case.examples, strict=True)
        ]
        return queue, plan_routes(queue, audits if audited else [], Goal(), rng(), budget)

    @pytest.mark.parametrize("budget", [None, 0.0, 2.0])
    def test_every_task_has_a_route_within_the_budget(self, case, budget):
        queue, plan = self.plan(case, budget)

        assert plan.routes.keys() == {task.task_id for task in queue}
        assert budget is None or plan.price <= budget
        assert all(0 <= doubt <= 1 for doubt in plan.doubts.values())

    def test_without_an_audit_nothing_stands(self, case):
        _, plan = self.plan(case, None, audited=False)

        assert set(plan.routes.values()) <= {Route.HUMAN}
        assert "0 audited answers" in plan.reason

    def test_wrong_answers_do_not_stand(self, case):
        """Every fourth answer is wrong, far more than the goal allows; without names none is."""
        _, plan = self.plan(case, None)

        if case.entities:
            assert Route.LLM not in plan.routes.values()

    @pytest.mark.parametrize("budget", [0, 1, 100])
    def test_humans_relabel_no_more_than_there_is(self, case, budget):
        human = [Example("h", "Kano went", (Span(0, 4, case.labels[0]),))]
        trainer = Trainer(FakeTaggerFamily(), case.scheme, rng())

        chosen = choose_for_humans(human, case.examples, budget, trainer)

        assert len(set(chosen)) == len(chosen) == min(budget, case.texts)
