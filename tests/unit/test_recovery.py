from collections import defaultdict
from random import Random

import pytest

from backend.domain import LabelScheme
from backend.llm.recordings import Record, Recording, Unusable, read_recordings
from backend.llm.recovery import (
    Recovery,
    recover,
    recovered_labels,
    scheme_of,
    spans_of,
    strict_tags,
)
from backend.llm.token_labels import Fate, Repair

SCHEME = LabelScheme(("PER", "LOC"))
TOKENS = ("Ada", "saw", "Lagos")
GOLD = ("B-PER", "O", "B-LOC")
RIGHT = [["Ada", "B-PER"], ["saw", "O"], ["Lagos", "B-LOC"]]
SHORT = [["Ada", "B-PER"], ["Lagos", "B-LOC"]]
EMPTY: list[object] = []


def recovery(*answers: list[object], gold: tuple[str, ...] | None = GOLD) -> Recovery:
    records = tuple(
        Record(f"xyz-{at}", TOKENS, gold, tuple(given)) for at, given in enumerate(answers)
    )
    (result,) = recover([Recording("m", "xyz", records)], SCHEME)
    return result


def test_every_answer_is_exact_repaired_or_rejected():
    result = recovery([RIGHT, SHORT, EMPTY])
    assert (result.answers, result.exact, result.repaired, result.rejected) == (3, 1, 1, 1)


def test_a_rejected_answer_has_its_reason():
    assert recovery([RIGHT, EMPTY]).reasons == {"the list is empty": 1}


def test_repairs_are_counted_by_what_was_mended():
    assert recovery([SHORT, SHORT]).repairs == {Repair.MISSING.value: 2}


def test_failures_count_as_answers_without_entities():
    result = recovery([RIGHT, EMPTY])
    assert result.f1_before == pytest.approx(66.67)  # two of four spans found, none wrong


def test_an_answer_of_the_wrong_length_scores_only_after_repair():
    result = recovery([SHORT])
    assert (result.f1_before, result.f1_after) == (0, 100)


def test_an_answer_that_nobody_kept_counts_as_one_without_entities_on_both_sides():
    result = recovery([RIGHT, RIGHT], [RIGHT])
    assert (result.answers, result.missing) == (3, 1)
    assert result.f1_before == result.f1_after == pytest.approx(85.71)  # six of eight found


def test_labels_outside_the_scheme_count_on_neither_side():
    result = recovery([[["Ada", "B-PER"], ["saw", "B-MISC"], ["Lagos", "B-LOC"]]])
    assert (result.f1_before, result.f1_after) == (100, 100)


def test_without_gold_there_are_counts_and_no_scores():
    result = recovery([RIGHT], gold=None)
    assert (result.exact, result.f1_before, result.f1_after) == (1, None, None)


def test_answers_without_a_sentence_are_rejected_with_their_reason():
    recording = Recording("m", "xyz", (), (Unusable(3, "no tokens"),))
    (result,) = recover([recording], SCHEME)
    assert (result.answers, result.rejected, dict(result.reasons)) == (3, 3, {"no tokens": 3})


def test_the_labels_are_those_of_the_gold_tags():
    record = Record("xyz-0", ("a", "b", "c"), ("B-GPE", "I-GPE", "O"), ())
    assert scheme_of([Recording("m", "xyz", (record,))]).labels == ("GPE",)


def test_progress_counts_answers():
    seen = []
    recordings = [Recording("m", "xyz", (Record("0", TOKENS, GOLD, (RIGHT, SHORT)),))]
    list(recover(recordings, SCHEME, lambda done, total, what="": seen.append((done, total))))
    assert seen == [(0, 2), (2, 2)]


@pytest.mark.parametrize(
    "answer",
    [SHORT, "not JSON", [*SHORT, ["saw"]], [*SHORT, "saw"], {"output": SHORT}, None, 7],
)
def test_strict_parsing_takes_nothing_but_one_pair_for_each_token(answer):
    assert strict_tags(answer, TOKENS) is None


def test_strict_parsing_takes_raw_json():
    assert strict_tags('{"output": [["Ada", "B-PER"]]}', ["Ada"]) == ["B-PER"]


@pytest.fixture(scope="module")
def recordings(research_data) -> list[Recording]:
    """The real recordings, which are not ours to ship."""
    return read_recordings(research_data / "llm_responses")


@pytest.fixture(scope="module")
def results(recordings) -> list[Recovery]:
    return list(recover(recordings, scheme_of(recordings)))


class TestTheRecordings:
    def test_every_answer_gives_spans_in_the_text_or_a_reason(self, recordings):
        scheme = scheme_of(recordings)
        for recording in recordings:
            assert not recording.unusable
            for record in recording.records:
                text = " ".join(filter(None, record.tokens))
                for answer in record.answers:
                    labels = recovered_labels(answer, record.tokens, scheme)
                    for span in spans_of(record.tokens, labels.tags, scheme):
                        assert text[span.start : span.end].strip()
                        assert span.label in scheme
                    assert labels.reason or labels.fate is not Fate.REJECTED

    def test_all_unparsed_answers_of_claude_are_recovered_in_full(self, recordings):
        scheme = scheme_of(recordings)
        recovered = [
            recovered_labels(answer, record.tokens, scheme)
            for recording in recordings
            if recording.model.startswith("claude")
            for record in recording.records
            for answer in record.answers
            if isinstance(answer, str)
        ]
        no_token_lost = {Repair.SYNTAX, Repair.SPELLING, Repair.TAG_ORDER}
        assert len(recovered) == 27
        assert all(labels.fate is Fate.REPAIRED for labels in recovered)
        assert all(labels.repairs.keys() <= no_token_lost for labels in recovered)
        assert all(not labels.rejected for labels in recovered)

    def test_repair_raises_the_mean_f1(self, results):
        gains = [result.f1_after - result.f1_before for result in results]
        assert sum(gains) / len(gains) > 2

    def test_no_cell_with_forty_usable_records_loses_three_points(self, results):
        cells = [result for result in results if result.records_usable >= 40]
        assert cells
        assert [cell for cell in cells if cell.f1_after < cell.f1_before - 3] == []

    def test_damaged_answers_give_valid_tags_or_a_reason(self, recordings):
        random = Random(11)
        scheme = scheme_of(recordings)
        by_model = defaultdict(list)
        for recording in recordings:
            by_model[recording.model].extend(recording.records)
        for records in by_model.values():
            for record in random.sample(records, 20):
                raw = str({"output": record.answers[0]}) if record.answers else ""
                cut = raw[random.randrange(10) : len(raw) - random.randrange(30)]
                labels = recovered_labels(cut, record.tokens, scheme)
                assert len(labels.tags) == len(record.tokens)
                assert labels.fate is not Fate.REJECTED or labels.reason
