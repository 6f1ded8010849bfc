"""The paper's protocol and measure, as its code has them."""

import json

import numpy as np
import pytest

from backend.domain import Example, Span
from backend.errors import InputError
from backend.samples import sample_texts
from backend.settings import TaggerSettings
from backend.simulation.annotators import GoldSource
from backend.simulation.corpus import corpus_of
from backend.simulation.paper import (
    first_texts,
    paper_scores,
    play_paper,
    published_curves,
)
from backend.simulation.plan import PAPER, Amount, Cell, Costs, FirstTexts, Plan, Route
from backend.simulation.stage import Stage
from backend.tagger.crf import CrfFamily
from backend.testing.taggers import FakeTaggerFamily

SAMPLES = [example for _, example in sample_texts()]
CORPUS = corpus_of("mix", SAMPLES[60:], (), SAMPLES[:60])
PLAN = Plan(
    languages=("mix",),
    strategies=("default",),
    routes=(Route.ALL_HUMAN,),
    seeds=1,
    rounds=2,
    first=Amount(0.1, is_share=True),
    step=Amount(0.1, is_share=True),
    first_texts=FirstTexts.RANDOM,
    tagger=TaggerSettings(),
    human_share=0.1,
    paid_by="sentence",
    costs=Costs(),
    paper=True,
)


class TestItsMeasure:
    TEXT = "Ada saw Kano and Lagos"
    GOLD = (Span(0, 3, "PER"), Span(8, 12, "LOC"))

    def scores(self, *predicted: Span):
        return paper_scores([self.TEXT], [(self.GOLD, predicted)], ("LOC", "PER"))

    def test_what_is_found_where_nothing_is_costs_nothing(self):
        assert self.scores(*self.GOLD) == self.scores(*self.GOLD, Span(17, 22, "LOC"))

    def test_accuracy_is_the_share_of_gold_tokens_with_their_tag(self):
        assert self.scores(self.GOLD[0]).accuracy == 0.5

    def test_the_macro_mean_has_a_row_for_o_that_is_always_zero(self):
        """Rows: O, B-LOC, I-LOC, B-PER, I-PER; two of them are right, three are empty."""
        assert self.scores(*self.GOLD).macro_f1 == pytest.approx(2 / 5)

    def test_nothing_to_find_scores_zero(self):
        assert paper_scores(["a b"], [((), ())], ("PER",)).accuracy == 0


class TestItsFirstTexts:
    def test_they_hold_mentions_but_not_only_those(self):
        crowded = Example("1", "Ada Bo", (Span(0, 6, "PER"),))
        empty = Example("2", "nobody is here today", ())
        fitting = [Example(str(n), f"Ada saw them {n}", (Span(0, 3, "PER"),)) for n in range(5)]

        chosen = first_texts([crowded, empty, *fitting], 5, np.random.default_rng(0))

        assert sorted(chosen) == [2, 3, 4, 5, 6]

    def test_others_fill_up_where_too_few_fit(self):
        texts = [Example(str(n), f"no {n}", ()) for n in range(4)]

        assert len(first_texts(texts, 3, np.random.default_rng(0))) == 3


@pytest.fixture(scope="module")
def rounds():
    stage = Stage(CORPUS, 0, PLAN, FakeTaggerFamily())
    return list(play_paper(stage, Cell("mix", PAPER, Route.ALL_HUMAN, 0)))


class TestItsRounds:
    def test_there_are_ten_after_the_first_texts(self, rounds):
        assert [each.number for each in rounds] == list(range(11))

    def test_the_pool_never_shrinks_so_texts_are_bought_twice(self, rounds):
        bought = rounds[-1].bought

        assert len(set(bought)) < len(bought)

    def test_first_texts_are_never_bought_again(self, rounds):
        first = set(rounds[0].queried)

        assert all(first.isdisjoint(each.queried) for each in rounds[1:])

    def test_an_llm_labels_five_rounds_after_gold_first_texts(self):
        stage = Stage(CORPUS, 0, PLAN, CrfFamily(), lambda: GoldSource().annotator(CORPUS, 0))

        rounds = list(play_paper(stage, Cell("mix", PAPER, Route.LLM_ONLY, 0)))

        assert [each.number for each in rounds] == list(range(6))
        assert rounds[0].by_llm == 0
        assert rounds[-1].by_llm == 5 * len(rounds[1].queried)


def test_published_curves_are_read(research_data):
    curves = published_curves(research_data / "reference_results" / "paper_active_learning.json")

    assert curves["zul", Route.ALL_HUMAN][:2] == [0.53, 0.85]
    assert len(curves["bam", Route.LLM_ONLY]) == 6


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"active_learning": 1})])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)

    with pytest.raises(InputError, match=r"other\.json does not hold the paper's results"):
        published_curves(path)
