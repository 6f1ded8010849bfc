import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from seqeval.metrics import f1_score, precision_score, recall_score

from backend.domain import LabelScheme, Span, Usage
from backend.errors import InputError
from backend.evaluation.bills import bill_of, read_prices, usd_per
from backend.evaluation.cells import Cell, Judged, single
from backend.evaluation.laboratory import evaluate
from backend.evaluation.measures import measure, tags_of
from backend.evaluation.pages import report_of
from backend.evaluation.ranges import ranges
from backend.evaluation.readings import BY_POSITION, read_aligned, read_by_position
from backend.evaluation.recorded import NO_GOLD, NOT_RECORDED, cells_of, joined_offsets
from backend.evaluation.referral import refer, tag_entropy
from backend.evaluation.repetitions import majority_spans, repetitions, settled_answers
from backend.evaluation.together import together
from backend.llm.recordings import Record, Recording
from backend.quality.span_errors import Finding
from backend.reports.page import Provenance
from backend.text.bio import from_bio

SCHEME = LabelScheme(("PER", "LOC"))
TOKENS = ("Ada", "saw", "Lagos", "today")
TEXT = " ".join(TOKENS)
OFFSETS = joined_offsets(TOKENS)
TAGS = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), min_size=4, max_size=4)
ADA, LAGOS = Span(0, 3, "PER"), Span(8, 13, "LOC")
GOLD = frozenset({ADA, LAGOS})
RIGHT = [["Ada", "B-PER"], ["saw", "O"], ["Lagos", "B-LOC"], ["today", "O"]]


def judged(number=0, gold=GOLD):
    return Judged(f"text {number}", TEXT, OFFSETS, frozenset(gold))


def cell(*answers, name="m", language="xx", reading="as given"):
    """An annotator's answers, one text each: several where it was asked again."""
    texts = tuple(judged(at) for at in range(len(answers)))
    return Cell(name, language, texts, {reading: tuple(map(tuple, answers))})


def spans_of(tags):
    return frozenset(from_bio(OFFSETS, tags))


class TestScores:
    @settings(max_examples=50)
    @given(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8))
    def test_they_are_seqevals(self, pairs):
        texts = [judged(at, spans_of(gold)) for at, (gold, _) in enumerate(pairs)]
        answered = zip(texts, [spans_of(tags) for _, tags in pairs], strict=True)
        scores = measure(single("m", "xx", answered), SCHEME.labels, 1).scores
        tags = [list(map(list, side)) for side in zip(*pairs, strict=True)]
        legal = [[tags_of(judged(gold=spans_of(one)), spans_of(one)) for one in s] for s in tags]
        for ours, theirs in (
            (scores.precision, precision_score),
            (scores.recall, recall_score),
            (scores.f1, f1_score),
        ):
            assert ours.value == pytest.approx(theirs(*legal, zero_division=0))

    def test_a_failed_answer_is_an_error_and_not_accepted(self):
        result = measure(cell([GOLD], [None]), SCHEME.labels, 1)
        (reading,) = result.readings.values()
        assert reading.scores.recall.value == 0.5
        assert reading.accepted.f1.value == 1
        assert reading.failed == 1

    def test_first_answers_are_ranked_by_and_all_are_counted(self):
        result = measure(cell([GOLD, None]), SCHEME.labels, 1)
        (reading,) = result.readings.values()
        assert (reading.scores.f1.value, reading.all_answers) == (1, pytest.approx(2 / 3))

    def test_labels_and_lengths_are_scored_apart(self):
        result = measure(cell([frozenset({ADA, Span(8, 19, "LOC")})]), SCHEME.labels, 1)
        assert result.by_label["PER"].f1.value == 1
        assert result.by_label["LOC"].f1.value == 0
        assert result.by_length["1 token"].f1.value == pytest.approx(2 / 3)
        assert result.by_length["2 tokens"].precision.value == 0
        assert result.findings == {Finding.RIGHT: 1, Finding.BOUNDARY: 1}

    def test_one_text_has_no_interval(self):
        assert math.isnan(measure(cell([GOLD]), SCHEME.labels, 1).scores.f1.low)


class TestTokens:
    def test_marking_nothing_looks_good_by_token_and_is_not(self):
        result = measure(cell([frozenset()]), SCHEME.labels, 1)
        assert (result.tokens.accuracy, result.tokens.entity) == (0.5, 0)
        assert result.scores.f1.value == 0

    def test_spurious_spans_are_free_in_the_papers_metric(self):
        result = measure(cell([GOLD | {Span(4, 7, "PER")}]), SCHEME.labels, 1)
        assert (result.tokens.entity, result.tokens.accuracy) == (1, 0.75)

    def test_failures_are_left_out_of_the_papers_consistency_alone(self):
        tokens = measure(cell([GOLD, None]), SCHEME.labels, 1).tokens
        assert (tokens.accepted, tokens.accuracy) == (1, 0.5)


class TestRepetitions:
    def test_an_annotator_that_was_asked_once_has_none(self):
        assert repetitions(cell([GOLD]), 1) is None

    def test_the_majority_is_half_of_what_was_asked_for(self):
        assert majority_spans([GOLD, {ADA}, None, None], 4) == {ADA}

    def test_of_overlapping_majorities_the_one_with_more_votes_stays(self):
        longer = Span(8, 19, "LOC")
        assert majority_spans([{LAGOS, longer}, {longer}], 2) == {longer}

    def test_what_all_say_may_still_be_wrong(self):
        wrong = frozenset({ADA, Span(4, 7, "LOC")})
        found = repetitions(cell([wrong] * 3, [wrong] * 3), 1)
        assert (found.unanimous.value, found.unanimous_spans) == (0.5, 4)
        assert found.majority_error == 0.5
        assert found.with_failures.span_f1 == 1

    def test_failures_are_disagreement_unless_they_are_left_out(self):
        found = repetitions(cell([GOLD, GOLD, None], [GOLD, GOLD, GOLD]), 1)
        assert found.without_failures.kappa == found.without_failures.span_f1 == 1
        assert found.with_failures.kappa < 1
        assert found.with_failures.span_f1 < 1

    def test_nothing_marked_and_nothing_answered_have_no_agreement(self):
        for answers in ([[frozenset()] * 2], [[None, None]]):
            found = repetitions(cell(*answers), 1)
            assert math.isnan(found.without_failures.kappa)
            assert math.isnan(found.with_failures.span_f1)
            assert found.error is None


class TestSettledAnswers:
    @given(st.lists(st.lists(st.none() | TAGS, max_size=5), max_size=3))
    def test_they_are_what_more_than_half_of_the_answers_give(self, texts):
        answers = [[None if tags is None else spans_of(tags) for tags in each] for each in texts]
        for given_, settled in zip(answers, settled_answers(answers), strict=True):
            if all(answer is None for answer in given_):
                assert settled is None
                continue
            every = {span for answer in given_ for span in answer or ()}
            votes = {span: sum(span in (answer or ()) for answer in given_) for span in every}
            assert settled == {span for span in every if votes[span] > len(given_) / 2}
            assert not any(a != b and a.overlaps(b) for a in settled for b in settled)

    def test_of_one_answer_they_are_that_answer(self):
        assert settled_answers([(GOLD,), (None,)]) == [GOLD, None]


class TestReferral:
    def test_texts_on_which_answers_differ_are_worth_a_look(self):
        texts = [judged(at) for at in range(10)]
        shown = [GOLD] * 8 + [frozenset({ADA})] * 2
        doubts = [(answer, GOLD) for answer in shown]
        found = refer(texts, shown, doubts, 1)
        assert found.chosen[0.2] == 1
        assert found.gain(0.2) > 0

    def test_without_disagreement_it_is_a_random_choice(self):
        texts = [judged(at) for at in range(10)]
        shown = [frozenset({ADA})] * 10
        assert refer(texts, shown, [(a, a) for a in shown], 1).gain(0.4) == pytest.approx(0)

    def test_entropy_is_nought_where_answers_are_equal_and_most_where_none_came(self):
        assert tag_entropy(judged(), [GOLD, GOLD]) == 0
        assert tag_entropy(judged(), [GOLD, None]) == 0
        assert tag_entropy(judged(), [None, None]) == math.inf
        # One of four tokens is called two things by as many answers: ln 2.
        assert tag_entropy(judged(), [GOLD, {LAGOS}]) == pytest.approx(math.log(2))

    @given(st.lists(TAGS, min_size=1, max_size=6))
    def test_entropy_is_that_of_scipy_token_by_token(self, answers):
        spans = [spans_of(tags) for tags in answers]
        said = zip(*(tags_of(judged(), each) for each in spans), strict=True)
        shares = [[token.count(tag) for tag in set(token)] for token in said]
        assert tag_entropy(judged(), spans) == pytest.approx(sum(map(entropy, shares)))


class TestRanges:
    def found(self, *cells):
        return {
            (it.figure, it.who, it.basis): it
            for it in ranges(evaluate(list(cells), ["PER", "LOC"], 1))
        }

    def test_they_go_from_the_worst_language_to_the_best(self):
        told = self.found(
            cell([GOLD], [GOLD], language="xx"), cell([GOLD], [set()], language="yy")
        )["F1", "m", "first answers"]
        assert told.by_language == {"xx": 1, "yy": pytest.approx(2 / 3)}
        assert (told.low, told.high) == (pytest.approx(2 / 3), 1)
        assert told.mean == pytest.approx(5 / 6)

    def test_where_there_is_nothing_to_say_nothing_is_said(self):
        told = self.found(cell([set()], language="xx"), cell([None], language="yy"))
        figures = {figure for figure, _, _ in told}
        assert "gain of the majority" not in figures  # asked once
        assert "right of what both give" not in figures  # nobody else
        assert not any(math.isnan(it.mean) for it in told.values())

    def test_two_annotators_are_told_from_each_other_in_either_order(self):
        told = self.found(
            cell([GOLD], name="good", language="xx"),
            cell([{ADA, Span(4, 7, "LOC")}], name="poor", language="xx"),
            cell([{ADA, Span(4, 7, "LOC")}], name="poor", language="yy"),
            cell([GOLD], name="good", language="yy"),
        )
        alone = "right of what it gives alone"
        assert told["right of what both give", "good and poor", "first answers"].mean == 1
        assert told[alone, "good beside poor", "first answers"].by_language == {"xx": 1, "yy": 1}
        assert told[alone, "poor beside good", "first answers"].by_language == {"xx": 0, "yy": 0}
        assert not any(basis == "majorities" for _, _, basis in told)  # each was asked once

    def test_majorities_count_where_somebody_was_asked_again(self):
        told = self.found(
            cell([{ADA}, GOLD, GOLD], name="again", language="xx"),
            cell([GOLD], name="once", language="xx"),
        )
        alone = ("right of what it gives alone", "once beside again")
        assert (*alone, "first answers") in told
        assert (*alone, "majorities") not in told  # there the two agree

    def test_one_language_needs_no_ranges_on_the_page(self):
        made_by = Provenance("c", "d")
        pages = [
            report_of(evaluate(cells, ["PER", "LOC"], 1), made_by)
            for cells in (
                [cell([GOLD], language="xx")],
                [cell([GOLD], language="xx"), cell([GOLD], language="yy")],
            )
        ]
        told = [["worst language" in section.title for section in each.sections] for each in pages]
        assert [any(titles) for titles in told] == [False, True]


class TestTogether:
    def test_annotators_are_compared_on_texts_they_share(self):
        found = together([cell([GOLD], [GOLD], [GOLD]), cell([GOLD], [None], name="n")], 1)
        assert found.texts == 2
        assert found.ranking.order[0] == ("m", 1)
        (pair,) = found.pairs
        assert (pair.texts, pair.both.value) == (1, 1)

    def test_one_annotator_has_nobody_to_agree_with(self):
        assert together([cell([GOLD])], 1) is None

    def test_a_better_annotator_is_told_from_a_lucky_one(self):
        half = [frozenset({ADA})]
        cells = [cell(*[[GOLD]] * 30), cell(*[half] * 30, name="n"), cell([GOLD], *[half] * 29)]
        same = cell(*[[GOLD]] * 29, half, name="o")
        ranking = together([cells[0], cells[1], same], 1).ranking
        assert ranking.equals == ["o"]

    def test_over_all_are_ranked_those_that_answered_in_all_languages(self):
        cells = [
            cell([GOLD], [GOLD], name=name, language=language)
            for name, language in (("m", "xx"), ("m", "yy"), ("n", "xx"), ("n", "yy"), ("o", "xx"))
        ]
        overall = evaluate(cells, SCHEME.labels, 1).overall
        assert overall.languages == ("xx", "yy")
        assert overall.left_out == ("o",)
        assert overall.equals == ["n"]

    def test_equal_seeds_give_equal_results(self):
        cells = [cell([GOLD], [{ADA}]), cell([None], [GOLD], name="n")]
        first, again, other = (repr(evaluate(cells, SCHEME.labels, seed)) for seed in (1, 1, 2))
        assert first == again != other

    def test_nothing_to_measure_is_said(self):
        with pytest.raises(InputError, match="nothing to measure"):
            evaluate([cell()], SCHEME.labels, 1)


class TestReadings:
    @pytest.mark.parametrize("read", [read_by_position, read_aligned])
    def test_a_sound_answer_is_what_it_says(self, read):
        assert read(RIGHT, TOKENS, SCHEME) == ["B-PER", "O", "B-LOC", "O"]
        assert read({"output": RIGHT}, TOKENS, SCHEME) == ["B-PER", "O", "B-LOC", "O"]

    @pytest.mark.parametrize("read", [read_by_position, read_aligned])
    @pytest.mark.parametrize("answer", [[], "prose", None, 7, {"output": 3}])
    def test_what_is_no_list_of_pairs_fails(self, read, answer):
        assert read(answer, TOKENS, SCHEME) is None

    def test_a_short_answer_has_no_positions_but_an_alignment(self):
        short = RIGHT[:1] + RIGHT[2:]
        assert read_by_position(short, TOKENS, SCHEME) is None
        assert read_aligned(short, TOKENS, SCHEME) == ["B-PER", "O", "B-LOC", "O"]

    def test_an_altered_token_keeps_its_tag_between_its_neighbours(self):
        altered = [["Ada", "B-PER"], ["see", "O"], ["lagos", "B-LOC"], ["today", "O"]]
        assert read_aligned(altered, TOKENS, SCHEME) == ["B-PER", "O", "B-LOC", "O"]

    def test_what_is_no_pair_or_no_tag_leaves_its_token_outside(self):
        odd = [["Ada", "PER"], "saw", ["Lagos", "B-LOC", 3], ["today", "B-DATE"]]
        assert read_by_position(odd, TOKENS, SCHEME) == ["O", "O", "B-LOC", "O"]

    def test_an_endless_answer_is_not_compared(self):
        assert read_aligned([["x", "O"]] * 300_000, TOKENS, SCHEME) is None


class TestRecordings:
    def records(self, *answers, gold=("B-PER", "O", "B-LOC", "O")):
        return tuple(Record("xx-0", TOKENS, gold, tuple(given)) for given in answers)

    def test_missing_answers_are_failures_that_are_counted(self):
        (made,) = cells_of([Recording("m", "xx", self.records([RIGHT, RIGHT], [RIGHT]))], SCHEME)
        assert made.answers == ((GOLD, GOLD), (GOLD, None))
        assert made.problems == {NOT_RECORDED: 1}
        assert made.ids == ["xx-0", "xx-0 (2)"]

    def test_texts_without_gold_are_left_out_and_counted(self):
        (made,) = cells_of([Recording("m", "xx", self.records([[]], gold=None))], SCHEME)
        assert (made.texts, made.problems) == ((), {NO_GOLD: 1})

    def test_empty_tokens_leave_no_trace(self):
        record = Record("0", ("", "Ada"), ("O", "B-PER"), ([["", "O"], ["Ada", "B-PER"]],))
        (made,) = cells_of([Recording("m", "xx", (record,))], SCHEME)
        assert made.texts[0].gold == made.readings[BY_POSITION][0][0] == {Span(0, 3, "PER")}


class TestBills:
    RECORDING = Recording("gpt-4-turbo", "xx", (Record("0", TOKENS, None, (RIGHT, [])),))

    def test_without_usage_tokens_are_estimated_and_that_is_said(self):
        bill = bill_of(self.RECORDING, SCHEME)
        assert bill.estimated
        assert bill.input_tokens > 200
        assert bill.output_tokens > 10
        assert bill.usd > 0
        assert "paper-single" in bill.basis

    def test_billed_tokens_are_taken_as_they_are(self):
        record = Record("0", TOKENS, None, ([], []), (Usage(100, 10), Usage(100, 20)))
        bill = bill_of(Recording("m", "xx", (record,)), SCHEME, {"m": (10, 100)})
        assert (bill.input_tokens, bill.output_tokens, bill.estimated) == (200, 30, False)
        assert float(bill.usd) == pytest.approx(0.005)

    def test_a_model_without_a_price_costs_nobody_knows_what(self):
        bill = bill_of(Recording("homemade", "xx", self.RECORDING.records), SCHEME)
        assert bill.usd is None
        assert usd_per(bill, 3, 1) is None

    def test_two_texts_in_a_question_share_it(self):
        records = self.RECORDING.records
        one = bill_of(self.RECORDING, SCHEME)
        two = bill_of(Recording("gpt-4-turbo.batch2", "xx", records), SCHEME)
        assert two.input_tokens < 0.8 * one.input_tokens
        assert two.usd is not None

    def test_prices_are_read(self):
        assert read_prices(["a=b=2.5,10"]) == {"a=b": (2.5, 10)}

    @pytest.mark.parametrize("stated", ["gpt", "gpt=1", "=1,2", "gpt=1,x", "gpt=-1,2"])
    def test_a_price_that_cannot_be_read_is_said(self, stated):
        with pytest.raises(InputError, match="--price gpt-x"):
            read_prices([stated])
