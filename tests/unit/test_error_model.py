"""The error model: fitted to answers, it errs on other texts as it was recorded."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Example, LabelScheme, Span
from backend.errors import InputError
from backend.llm.recordings import Record, Recording, read_recordings
from backend.llm.recovery import scheme_of
from backend.quality.span_f1 import span_scores
from backend.samples import LABELS, sample_texts
from backend.simulation.error_fitting import fit
from backend.simulation.error_model import Fate, Observation
from backend.simulation.recorded import (
    fitted,
    load_error_model,
    observations,
    save_error_model,
)
from backend.text.conll import read_conll, to_text

SAMPLES = [example for _, example in sample_texts()]
SCHEME = LabelScheme(LABELS)


def careless(example: Example) -> Observation:
    """Misses places, calls organisations persons, adds a word to dates, invents an organisation."""
    predicted = []
    for span in example.spans:
        if span.label == "ORG":
            predicted.append(Span(span.start, span.end, "PER"))
        elif span.label == "PER":
            predicted.append(span)
        elif span.label == "DATE":
            following = example.text.find(" ", span.end + 1)
            predicted.append(Span(span.start, max(following, span.end), "DATE"))
    if not example.spans:
        predicted.append(Span(0, example.text.index(" "), "ORG"))
    return Observation(example.text, example.spans, tuple(predicted))


def test_errors_are_counted_for_each_label():
    model = fit([careless(example) for example in SAMPLES])

    assert model.fates["LOC"][Fate.MISSED] > 0.9
    assert model.fates["ORG"][Fate.TYPE] > 0.9
    assert model.confusions["ORG"]["PER"] > 0.9
    assert model.fates["PER"][Fate.RIGHT] > 0.9
    assert model.fates["DATE"][Fate.BOUNDARY] > 0.3 > model.fates["PER"][Fate.BOUNDARY]
    assert model.shifts[0] == (0, 1, pytest.approx(0.95, abs=0.05))
    assert model.made_up["ORG"].other > 5 * model.made_up["PER"].other


def test_a_perfect_annotator_stays_nearly_perfect():
    model = fit([Observation(item.text, item.spans, item.spans) for item in SAMPLES])
    rng = np.random.default_rng(0)

    scores = span_scores(
        (item.spans, model.corrupt(item.text, item.spans, rng)) for item in SAMPLES
    )

    assert scores.f1 > 0.97


def test_scores_come_out_as_they_went_in():
    seen = [careless(example) for example in SAMPLES]
    recorded = span_scores((item.gold, item.predicted or ()) for item in seen)
    model = fit(seen).scaled_to(SAMPLES)
    rng = np.random.default_rng(1)

    played = span_scores(
        (item.spans, model.corrupt(item.text, item.spans, rng)) for item in SAMPLES
    )

    assert played.precision == pytest.approx(recorded.precision, abs=0.06)
    assert played.recall == pytest.approx(recorded.recall, abs=0.06)


def test_made_up_mentions_are_scaled_to_a_corpus_with_few_gold_ones():
    model = fit([careless(example) for example in SAMPLES])
    sparse = SAMPLES[:20] + [Example(item.task_id, item.text, ()) for item in SAMPLES[20:]]
    rng = np.random.default_rng(0)
    scaled = model.scaled_to(sparse)

    spans = [scaled.corrupt(item.text, item.spans, rng) for item in sparse]

    invented = sum(
        not any(span.overlaps(gold) for gold in item.spans)
        for item, found in zip(sparse, spans, strict=True)
        for span in found
    )
    gold = sum(len(item.spans) for item in sparse)
    assert invented == pytest.approx(model.made_up_per_mention * gold, abs=4)


def test_a_systematic_annotator_errs_alike_on_equal_mentions():
    """Every other name is missed wherever it stands."""
    names = [f"Name{letter}" for letter in "abcdefghij"]
    texts = [f"{name} went there {turn}" for turn in range(5) for name in names]
    gold = {text: (Span(0, len(text.split()[0]), "PER"),) for text in texts}
    model = fit(
        Observation(text, gold[text], gold[text] if text[4] in "acegi" else ()) for text in texts
    )

    found = Counter(
        (text.split()[0], bool(model.corrupt(text, gold[text], np.random.default_rng(n), "me")))
        for n, text in enumerate(texts)
    )

    alike = sum(max(found[name, True], found[name, False]) for name in names) / len(texts)
    assert model.systematic > 0.85
    assert alike > 0.85


def test_labels_with_few_mentions_lean_on_the_others():
    many = [Observation(f"x{n} a", (Span(0, 2, "PER"),), (Span(0, 2, "PER"),)) for n in range(10)]
    once = Observation("Kano b", (Span(0, 4, "LOC"),), ())

    model = fit([*many, once])

    assert 0.3 < model.fates["LOC"][Fate.RIGHT] < 0.9


def test_answers_that_fail_are_counted_apart():
    text = "Ada went"
    gold = (Span(0, 3, "PER"),)
    model = fit([Observation(text, gold, gold), Observation(text, gold, None)])

    assert model.failed == 0.5
    assert model.fates["PER"][Fate.MISSED] < 0.1


def test_nothing_to_learn_from_is_said():
    with pytest.raises(InputError, match="gold spans"):
        fit([Observation("a b", (), ())])


@given(st.text(max_size=60), st.integers(0, 9), st.data())
def test_whatever_the_text_spans_stay_inside_and_apart(text, seed, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    gold = tuple(
        Span(start, end, label)
        for start, end, label in zip(cuts[::2], cuts[1::2], LABELS, strict=False)
        if text[start:end].strip()
    )
    model = fit([careless(example) for example in SAMPLES[:40]])

    found = model.corrupt(text, gold, np.random.default_rng(seed))

    assert list(found) == sorted(found)
    assert all(0 <= span.start < span.end <= len(text) for span in found)
    assert not any(one.overlaps(two) for one, two in pairwise(found))


def test_equal_draws_give_equal_answers():
    model = fit([careless(example) for example in SAMPLES])
    item = SAMPLES[3]

    one, two = (model.corrupt(item.text, item.spans, np.random.default_rng(5), "a") for _ in "ab")

    assert one == two


def test_a_model_survives_its_file(tmp_path):
    model = fit([careless(example) for example in SAMPLES])
    save_error_model(model, tmp_path / "model.json")

    assert load_error_model(tmp_path / "model.json") == model


@pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({"format": 99})])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "model.json"
    path.write_text(content)

    with pytest.raises(InputError, match=r"model\.json holds no error model"):
        load_error_model(path)


def recording(language: str, *answers: object) -> Recording:
    record = Record("1", ("Ada", "saw", "Kano"), ("B-PER", "O", "B-LOC"), answers)
    return Recording("m", language, (record, Record("2", ("no",), None, ())))


def test_answers_of_a_recording_share_a_weight_and_missing_ones_fail():
    right = [["Ada", "B-PER"], ["saw", "O"], ["Kano", "B-LOC"]]
    record = Record("2", ("Ada",), ("B-PER",), ())
    base = recording("xx", right, [])

    seen = list(observations(Recording("m", "xx", (*base.records, record)), SCHEME))

    assert [item.weight for item in seen] == [0.5] * 4
    assert [item.predicted is None for item in seen] == [False, True, True, True]
    assert seen[0].predicted == (Span(0, 3, "PER"), Span(8, 12, "LOC"))


def test_a_language_without_recordings_takes_all_of_the_model():
    right = [["Ada", "B-PER"], ["saw", "O"], ["Kano", "B-LOC"]]
    recordings = [recording("aa", right), recording("bb", right)]

    assert fitted(recordings, "m", "bb", SCHEME)[1] == "m: bb"
    assert fitted(recordings, "m", "cc", SCHEME)[1] == "m: aa, bb"
    with pytest.raises(InputError, match=r"no recordings of 'other'. Recorded are: m\."):
        fitted(recordings, "other", "aa", SCHEME)


@pytest.mark.parametrize("language", ["bam", "bbj", "tsn", "zul"])
def test_gpt_4_turbo_on_other_texts_scores_as_recorded(research_data, language):
    """50 recorded sentences leave an F1 uncertain by about 0.07 (bootstrap, two deviations)."""
    recordings = read_recordings(research_data / "llm_responses")
    scheme = scheme_of(recordings)
    (found,) = [r for r in recordings if (r.model, r.language) == ("gpt-4-turbo", language)]
    recorded = span_scores(
        (seen.gold, seen.predicted or ()) for seen in observations(found, scheme)
    )
    path = research_data / "masakhaner2" / language / "test.txt.gz"
    texts = [Example(str(n), *to_text(item)) for n, item in enumerate(read_conll(path))]
    model = fitted(recordings, "gpt-4-turbo", language, scheme)[0].scaled_to(texts)

    played = [
        span_scores(
            (item.spans, model.corrupt(item.text, item.spans, np.random.default_rng(n), str(habit)))
            for n, item in enumerate(texts)
        )
        for habit in range(4)
    ]

    for measure in ("precision", "recall", "f1"):
        mean = np.mean([getattr(scores, measure) for scores in played])
        assert mean == pytest.approx(getattr(recorded, measure), abs=0.07)
