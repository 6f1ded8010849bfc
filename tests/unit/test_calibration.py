import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import random_tagging

from backend.active_learning.calibrated_tagger import CalibratedTagger, with_calibration
from backend.active_learning.calibration import (
    MIN_TEXTS,
    Calibration,
    best_temperature,
    fit_calibration,
    heated,
    isotonic,
    logistic,
)
from backend.active_learning.reliability import (
    calibration_error,
    negative_log_likelihood,
    reliability,
)
from backend.domain import Example, LabelScheme, Span
from backend.errors import ModelStoreError
from backend.protocols import Tagging
from backend.tagger.checkpoints import ModelShelf
from backend.testing.taggers import FakeTagger, FakeTaggerFamily

SCHEME = LabelScheme(("LOC",))  # tags: O, B-LOC, I-LOC
TEMPERATURES = st.floats(0.25, 8)
shares = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def rows(seed, n_tokens, n_tags=5):
    return random_tagging(np.random.default_rng(seed), n_tokens, n_tags).probabilities


def held_out(n_texts, said, right_share, seed=0):
    """Texts of one word, each tagged as a place with confidence ``said``; some rightly."""
    rng = np.random.default_rng(seed)
    right = rng.random(n_texts) < right_share
    whole = Span(0, 4, "LOC", said)
    examples = [Example(str(i), "Kano", (whole,) if hit else ()) for i, hit in enumerate(right)]
    return examples, [Tagging((whole,), np.array([[1 - said, said, 0.0]]))] * n_texts


class TestReliability:
    @given(shares, st.integers(0, 2**32 - 1))
    def test_the_diagram_holds_every_answer_once(self, values, seed):
        confidence = np.array(values)
        right = np.random.default_rng(seed).random(len(values)) < confidence

        bins = reliability(confidence, right)

        assert sum(each.count for each in bins) == len(values)
        assert sum(each.accuracy * each.count for each in bins) == pytest.approx(right.sum())

    @given(shares, st.integers(0, 2**32 - 1))
    def test_the_error_is_a_share(self, values, seed):
        right = np.random.default_rng(seed).random(len(values)) < 0.5

        assert 0 <= calibration_error(np.array(values), right) <= 1

    def test_saying_nine_tenths_and_being_right_half_the_time_is_an_error_of_four_tenths(self):
        said, right = np.full(10, 0.9), np.array([True, False] * 5)

        assert calibration_error(said, right) == pytest.approx(0.4)

    def test_no_answers_have_no_error(self):
        nothing = np.zeros(0)

        assert calibration_error(nothing, nothing.astype(bool)) == 0.0
        assert negative_log_likelihood(nothing, nothing.astype(bool)) == 0.0

    def test_being_wrong_for_certain_is_bad_and_finite(self):
        assert 20 < negative_log_likelihood(np.array([1.0]), np.array([False])) < 30


class TestTemperature:
    @given(st.integers(0, 2**32 - 1), st.integers(0, 6), TEMPERATURES)
    def test_rows_stay_probabilities_with_the_same_best_tag(self, seed, n_tokens, temperature):
        before = rows(seed, n_tokens)

        after = heated(before, temperature)

        np.testing.assert_allclose(after.sum(axis=1), np.ones(n_tokens))
        assert after.argmax(axis=1).tolist() == before.argmax(axis=1).tolist()

    @given(st.integers(0, 2**32 - 1), TEMPERATURES, TEMPERATURES)
    def test_more_heat_makes_no_token_surer(self, seed, one, other):
        cool, hot = sorted((one, other))

        best = [heated(rows(seed, 4), t).max(axis=1) for t in (cool, hot)]

        assert (best[1] <= best[0] + 1e-12).all()

    @given(st.integers(0, 2**32 - 1), TEMPERATURES)
    def test_what_is_impossible_stays_so(self, seed, temperature):
        before = np.hstack([rows(seed, 3), np.zeros((3, 1))])

        assert heated(before, temperature)[:, -1].tolist() == [0.0] * 3

    def test_the_temperature_that_made_a_tagger_too_sure_is_found(self):
        rng = np.random.default_rng(0)
        true = rng.dirichlet(np.ones(3), size=20_000)
        gold = (true.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)

        assert best_temperature(heated(true, 0.5), gold) == pytest.approx(2.0, rel=0.1)


class TestSpans:
    @pytest.mark.parametrize("fit", [isotonic, logistic])
    @settings(max_examples=30)
    @given(scores=shares, seed=st.integers(0, 2**32 - 1), asked=shares)
    def test_a_higher_score_never_means_a_lower_probability(self, fit, scores, seed, asked):
        right = np.random.default_rng(seed).random(len(scores)) < 0.5
        line = fit(np.array(scores), right)

        probabilities = [line.span_probability(score) for score in sorted(asked)]

        assert probabilities == sorted(probabilities)
        assert all(0 < each < 1 for each in probabilities)

    def test_spans_without_a_score_keep_none(self):
        line = Calibration(span_points=((0.0, 0.2), (1.0, 0.8)))

        (one,) = line.apply([Tagging((Span(0, 1, "LOC"), Span(2, 3, "LOC", 0.5)), np.ones((1, 1)))])

        assert [span.score for span in one.spans] == [None, 0.5]


class TestFitting:
    def test_a_tagger_that_is_too_sure_is_corrected(self):
        fitted = fit_calibration(*held_out(400, 0.95, 0.6), SCHEME, np.random.default_rng(0))

        assert fitted.calibration.temperature > 1.5
        assert fitted.calibration.span_probability(0.95) == pytest.approx(0.6, abs=0.05)
        assert fitted.spans.ece_before > 0.3
        assert fitted.spans.ece_after < 0.1
        assert fitted.tokens.nll_after < fitted.tokens.nll_before

    def test_a_tagger_that_means_what_it_says_is_left_alone_or_hardly_moved(self):
        fitted = fit_calibration(*held_out(400, 0.8, 0.8), SCHEME, np.random.default_rng(0))

        assert fitted.calibration.span_probability(0.8) == pytest.approx(0.8, abs=0.05)

    def test_what_does_not_help_on_other_texts_is_left_out(self):
        rng = np.random.default_rng(0)
        examples, taggings = held_out(60, 0.5, 0.5)
        spread = [
            Tagging((Span(0, 4, "LOC", float(0.5 + rng.normal(0, 1e-3))),), one.probabilities)
            for one in taggings
        ]

        fitted = fit_calibration(examples, spread, SCHEME, rng)

        assert fitted.spans.helps is False
        assert fitted.calibration.span_points == ()

    def test_few_held_out_texts_calibrate_nothing(self):
        few = held_out(MIN_TEXTS - 1, 0.95, 0.5)

        assert fit_calibration(*few, SCHEME, np.random.default_rng(0)).calibration == Calibration()

    @pytest.mark.parametrize(
        ("text", "spans"),
        [("", ()), ("nothing here", ()), ("Kano", (Span(0, 4, "LOC"),))],
        ids=["no tokens", "no entities", "always certain and right"],
    )
    def test_texts_that_teach_nothing_change_nothing(self, text, spans):
        examples = [Example(str(i), text, spans) for i in range(60)]
        tagger = FakeTagger({"Kano": "LOC"}, SCHEME.labels)
        certain = [
            Tagging(one.spans, np.eye(3)[one.probabilities.argmax(axis=1)])
            for one in tagger.tag([text] * 60)
        ]

        fitted = fit_calibration(examples, certain, SCHEME, np.random.default_rng(0))

        assert fitted.calibration == Calibration()

    def test_the_same_labels_and_generator_give_the_same_calibration(self):
        sets = held_out(100, 0.9, 0.7)

        one, other = (fit_calibration(*sets, SCHEME, np.random.default_rng(1)) for _ in range(2))

        assert one == other


@given(seed=st.integers(0, 2**32 - 1), n_tokens=st.sampled_from([0, 1, 5, 1000]))
@settings(max_examples=20)
def test_no_calibration_changes_nothing_and_another_no_bounds(seed, n_tokens):
    before = random_tagging(np.random.default_rng(seed), n_tokens)

    assert Calibration().apply([before])[0].spans == before.spans
    (after,) = Calibration(2.0, ((0.1, 0.3), (0.9, 0.6))).apply([before])
    assert after.spans == before.spans  # scores take no part in equality
    assert all(0.3 <= span.score <= 0.6 for span in after.spans)
    assert after.probabilities.shape == before.probabilities.shape


def test_no_texts_are_calibrated_to_none():
    assert Calibration(2.0).apply([]) == []


class TestStoring:
    CALIBRATION = Calibration(1.5, ((0.25, 0.5), (0.75, 0.875)))

    def test_a_served_version_is_calibrated(self, tmp_path):
        family = FakeTaggerFamily()
        tagger = CalibratedTagger(FakeTagger({"Kano": "LOC"}, SCHEME.labels), self.CALIBRATION)
        shelf = ModelShelf(tmp_path, {family.kind: family})
        shelf.promote(shelf.publish(tagger, {}))

        _, served = ModelShelf(tmp_path, {family.kind: family}).serving()

        (found,), (expected,) = served.tag(["in Kano"]), tagger.tag(["in Kano"])
        assert [span.score for span in found.spans] == [0.875]
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)

    def test_a_version_without_a_calibration_is_served_as_it_is(self, tmp_path):
        tagger = FakeTagger({}, SCHEME.labels)

        assert with_calibration(tagger, tmp_path) is tagger

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "[]",
            json.dumps({"temperature": 0, "span_points": []}),
            json.dumps({"temperature": 1, "span_points": [[0.9, 0.1], [0.1, 0.2]]}),
            json.dumps({"temperature": "hot", "span_points": []}),
        ],
    )
    def test_a_damaged_calibration_is_refused(self, tmp_path, content):
        (tmp_path / "calibration.json").write_text(content, encoding="utf-8")

        with pytest.raises(ModelStoreError, match="damaged"):
            with_calibration(FakeTagger({}, SCHEME.labels), tmp_path)

    def test_values_survive_the_file(self):
        content = json.loads(json.dumps(self.CALIBRATION.to_json()))

        assert Calibration.from_json(content) == self.CALIBRATION
