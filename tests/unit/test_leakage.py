"""Statistics of leakage probes."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from backend.errors import InputError
from backend.leakage.findings import Probed, cut, findings
from backend.leakage.live import usable
from backend.leakage.recorded import names_of, read_probes
from backend.quality.leakage import (
    Names,
    Naming,
    continuation_score,
    gain,
    score_gap,
    share_gap,
)

MASAKHANER = Names(("MasakhaNER 2.0",), ("masakhaner", "masakhane ner"))


def rng(seed=1):
    return np.random.default_rng(seed)


class TestNames:
    @pytest.mark.parametrize(
        ("answer", "naming"),
        [
            ("masakhaner 2.0", Naming.EXACT),
            ("It is MasakhaNER2.0 (Adelani et al.)", Naming.EXACT),
            ("masakhaner", Naming.FAMILY),
            ("Masakhane NER\n", Naming.FAMILY),
            ("masakhanener", Naming.FAMILY),
            ("conll-2003", Naming.NONE),
            ("Sorry, I cannot say.", Naming.NONE),
            ("", Naming.NONE),
        ],
    )
    def test_version_family_or_neither(self, answer, naming):
        assert MASAKHANER.in_answer(answer) is naming


class TestContinuation:
    def test_the_whole_rest_scores_one(self):
        assert continuation_score("ran to Lagos .", "RAN to Lagos and beyond") == 1.0

    def test_order_counts(self):
        assert continuation_score("a b c d", "d c b a") == 0.25

    def test_normal_forms_are_equal(self):
        assert continuation_score("Ọ̀ṣun", "Ọ̀ṣun") == 1.0

    @given(st.text(max_size=30), st.text(max_size=30))
    def test_it_is_a_share(self, reference, answer):
        assert 0 <= continuation_score(reference, answer) <= 1

    def test_a_rest_without_words_scores_nothing(self):
        assert continuation_score(" . ", "anything") == 0.0


class TestShareGap:
    @given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 30), st.integers(1, 30))
    def test_p_is_fishers(self, members, of_members, controls, of_controls):
        members, controls = min(members, of_members), min(controls, of_controls)
        table = [[members, of_members - members], [controls, of_controls - controls]]
        expected = fisher_exact(table, alternative="greater").pvalue
        found = share_gap(members, of_members, controls, of_controls)
        assert found.p_value == pytest.approx(expected, abs=1e-9)
        assert found.difference.low <= found.difference.value <= found.difference.high

    def test_newcombes_example(self):
        # Newcombe (1998), table II, method 10: 56/70 against 48/80.
        found = share_gap(56, 70, 48, 80).difference
        assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-4)

    def test_nothing_to_compare_with_is_an_error(self):
        with pytest.raises(InputError, match="cannot have seen"):
            share_gap(1, 2, 0, 0)


class TestScoreGap:
    def test_equal_texts_show_no_gap(self):
        found = score_gap([0.2] * 20, [0.2] * 20, rng(), permutations=199)
        assert (found.difference.value, found.p_value) == (0.0, 1.0)

    def test_a_clear_gap_is_found(self):
        found = score_gap([0.9] * 20, [0.1] * 20, rng(), permutations=999)
        assert found.is_found()
        assert found.difference.value == pytest.approx(0.8)

    def test_false_alarms_come_as_often_as_stated(self):
        alarms = 0
        for seed in range(400):
            draw = rng(seed)
            scores = draw.beta(1, 4, size=60)
            gap = score_gap(scores[:30], scores[30:], draw, permutations=199)
            alarms += gap.is_found()
        # 400 runs at 5 %: beyond 33 alarms less than one time in 1,000.
        assert alarms <= 33

    def test_what_the_name_adds_is_paired(self):
        guided = np.array([0.5, 0.6, 0.9, 0.4, 0.8, 0.7])
        found = gain(guided, guided - 0.1, rng(), permutations=999)
        assert found.difference.value == pytest.approx(0.1)
        assert found.p_value == pytest.approx(1 / 64, abs=0.02)


def planted(share, texts, draw):
    """Texts of which a model knows a share by heart; otherwise it matches a few words."""
    return [
        Probed("a b c d e f", Naming.FAMILY, "a b c d e f" if known else "a x", "a y")
        for known in draw.random(texts) < share
    ]


class TestFindings:
    @pytest.mark.parametrize(
        ("share", "at_least", "at_most"), [(0, 0, 4), (0.1, 36, 40), (0.5, 40, 40)]
    )
    def test_planted_leaks_are_found_and_no_others(self, share, at_least, at_most):
        found = 0
        for seed in range(40):
            draw = rng(seed)
            members, controls = planted(share, 100, draw), planted(0, 100, draw)
            found += findings(members, controls, draw).is_leaked
        assert at_least <= found <= at_most

    def test_a_name_guessed_from_the_language_is_no_leak(self):
        draw = rng()
        found = findings(planted(0, 50, draw), planted(0, 50, draw), draw)
        assert found.family.members.value == found.family.controls.value == 1.0
        assert not found.is_leaked

    def test_questions_without_answer_count_for_neither_side(self):
        texts = [Probed("a b", None, None, "a b"), Probed("a b", Naming.NONE, "", "")]
        found = findings(texts, texts, rng())
        assert found.unanswered == 4
        assert found.family.members.value == 0.0
        assert found.continued.members.value == 0.5

    def test_they_are_written_down(self):
        draw = rng()
        found = findings(planted(0.5, 20, draw), planted(0, 20, draw), draw)
        assert json.loads(json.dumps(found.as_json()))["members"] == 20


class TestTexts:
    def test_a_text_is_cut_in_the_middle(self):
        assert cut("one two three four five six") == ("one two three", "four five six")

    @pytest.mark.parametrize("text", ["", "one", "one two three four five"])
    def test_short_ones_are_left_out(self, text):
        assert cut(text) is None

    def test_each_text_is_asked_about_once(self):
        text = "one two three four five six"
        assert usable([text, text, "short"]) == [text]


class TestRecordings:
    @pytest.fixture
    def folder(self, tmp_path):
        model = tmp_path / "some-model"
        model.mkdir()
        answers = ["masakhaner", "masakhaner 2.0", "sorry", "masakhane ner"]
        groups = [{"xx": {str(at): answer for at, answer in enumerate(answers)}}]
        (model / "masakhaner2_sample_source.json").write_text(json.dumps(groups))
        items = {"1": {"query_text": "a", "reference_text": "b c", "answer": "b c d"}}
        (model / "masakhaner2_sentence_continuation.json").write_text(json.dumps(items))
        return tmp_path

    def test_names_are_counted_both_ways(self, folder):
        (source,) = read_probes(folder).sources
        assert source.share(Naming.EXACT).value == 0.25
        assert source.share(Naming.FAMILY).value == 0.5
        assert source.share(*Naming).value == 1.0

    def test_continuations_are_scored(self, folder):
        (continued,) = read_probes(folder).continuations
        assert (continued.scores, continued.by_heart) == ((1.0,), 1)

    def test_a_folder_without_any_is_an_error(self, tmp_path):
        with pytest.raises(InputError, match="holds no recorded probes"):
            read_probes(tmp_path)

    @pytest.mark.parametrize("content", ["{", "[1]", '{"1": {"answer": 2}}'])
    def test_other_files_are_an_error_that_names_them(self, folder, content):
        path = folder / "some-model" / "masakhaner2_sentence_continuation.json"
        path.write_text(content)
        with pytest.raises(InputError, match="sentence_continuation"):
            read_probes(folder)

    def test_an_unknown_data_set_is_called_by_its_file(self):
        assert names_of("NewNER").in_answer("from newner") is Naming.EXACT
        assert math.isclose(len(names_of("WikiAnn_eng").family), 3)
