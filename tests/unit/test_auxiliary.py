import json
from itertools import cycle, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import Example, LabelScheme, Span
from backend.errors import ConfigurationError, CorpusError, InputError
from backend.protocols import Explained
from backend.settings import TaggerSettings
from backend.tagger.auxiliary import FOLDS, OWN_WEIGHT, AuxiliaryFamily, Files
from backend.tagger.crf import CrfFamily
from backend.tagger.families import build_family
from backend.testing.taggers import FakeTaggerFamily

SCHEME = LabelScheme(("LOC", "PER"))
NAMES = [f"{first}{last}" for first in ("Am", "Bol", "Chi", "Dan") for last in ("ina", "aji", "ke")]


def example(number, name, label="LOC", opening="we saw"):
    start = len(opening) + 1
    return Example(
        str(number), f"{opening} {name} {number}", (Span(start, start + len(name), label),)
    )


def own(count=12):
    return [example(number, name) for number, name in enumerate(islice(cycle(NAMES), count))]


def others(label="LOC", count=60):
    """The same names in other texts: with the right label they help, with another they hurt."""
    return [example(f"n{n}", name, label) for n, name in enumerate(islice(cycle(NAMES), count))]


def train(sources, examples=None, family=None, seed=0, **options):
    wrapped = AuxiliaryFamily(family or FakeTaggerFamily(), sources, **options)
    return wrapped.train(examples or own(), SCHEME, np.random.default_rng(seed))


def test_labels_that_help_are_used():
    decision = train({"related": others()}).decision

    assert decision.accepted
    assert decision.with_them > decision.without
    assert decision.chance > 0.9


def test_labels_that_hurt_are_left_out():
    family = FakeTaggerFamily()
    examples = [example(number, NAMES[number % 3]) for number in range(12)]

    decision = train({"misleading": others("PER")}, examples, family).decision

    assert not decision.accepted
    assert "left out" in decision.reason
    assert family.trained_on[-1] == tuple(examples)


def test_labels_that_change_nothing_are_left_out():
    unrelated = [Example("u", "muna zaune", ()), example("v", "Zzz")]

    assert not train({"unrelated": unrelated}).decision.accepted


def test_own_labels_weigh_more_and_the_last_training_has_all_of_them():
    family = FakeTaggerFamily()
    train({"related": others()}, family=family)

    last = family.trained_on[-1]
    assert [item.weight for item in last[:12]] == [OWN_WEIGHT] * 12
    assert {item.weight for item in last[12:]} == {1.0}


def test_it_trains_as_often_as_it_says():
    family = FakeTaggerFamily()
    train({"related": others()}, family=family)

    assert len(family.trained_on) == 2 * FOLDS + 1


def test_a_held_out_text_is_in_no_training_that_is_judged_on_it():
    family = FakeTaggerFamily()
    examples = own()
    train({"copies": [*others(), *examples]}, examples, family)

    own_texts = {item.text for item in examples}
    for trained_on in family.trained_on[:-1]:
        seen = [item.text for item in trained_on if item.text in own_texts]
        assert len(set(seen)) == len(seen) == len(examples) * (FOLDS - 1) // FOLDS


def test_each_source_gives_so_many_texts_at_most():
    sources = {"one": others(count=60), "two": others(count=5)}

    assert train(sources, most_texts=10).decision.texts == 15


@pytest.mark.parametrize("examples", [own(1), own(FOLDS - 1)])
def test_too_few_labels_judge_nothing(examples):
    decision = train({"related": others()}, examples).decision

    assert not decision.accepted
    assert decision.with_them is None
    assert "too few" in decision.reason


@pytest.mark.parametrize("source", [[], others("ORG"), [Example("e", "", ())]])
def test_sources_without_a_label_of_the_project_are_left_out(source):
    decision = train({"foreign": source}).decision

    assert not decision.accepted
    assert "no text" in decision.reason


def test_labels_of_other_schemes_are_taken_out_of_the_texts():
    family = FakeTaggerFamily()
    mixed = [*others(), example("x", "Zzz", "ORG")]
    train({"related": mixed}, family=family)

    labels = {span.label for seen in family.trained_on for item in seen for span in item.spans}
    assert labels == {"LOC"}


def test_without_any_label_there_is_nothing_to_learn():
    with pytest.raises(InputError):
        train({"related": others()}, [Example("1", "no names", ())])


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.sampled_from(["LOC", "PER"]))
@settings(deadline=None, max_examples=30)
def test_the_same_generator_decides_the_same(seed, count, label):
    sources = {"related": others(label, count)}

    assert train(sources, seed=seed).decision == train(sources, seed=seed).decision


def test_the_decision_can_be_written_down():
    tagger = train({"related": others()})

    assert isinstance(tagger, Explained)
    assert json.loads(json.dumps(tagger.history))["auxiliary"]["accepted"] is True
    assert "F1" in tagger.remark


def test_progress_counts_the_trainings_and_may_stop_them():
    seen = []

    def stop(done, total, what=""):
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    family = AuxiliaryFamily(FakeTaggerFamily(), {"related": others()})
    with pytest.raises(KeyboardInterrupt):
        family.train(own(), SCHEME, np.random.default_rng(0), stop)
    assert set(seen) == {(0, 6), (1, 6), (2, 6)}


def test_any_family_can_be_wrapped_and_its_taggers_loaded(tmp_path):
    family = AuxiliaryFamily(CrfFamily(), {"related": others()})
    tagger = family.train(own(), SCHEME, np.random.default_rng(0))
    tagger.save(tmp_path)

    texts = ["we saw Amina 1", "we saw Kano 2"]
    assert family.kind == tagger.kind == "crf"
    assert [one.spans for one in family.load(tmp_path).tag(texts)] == [
        one.spans for one in tagger.tag(texts)
    ]


def test_files_are_read_when_needed(tmp_path):
    path = tmp_path / "afr.conll"
    path.write_text("In O\nKaapstad B-LOC\n\n", encoding="utf-8")
    files = Files([path, tmp_path / "missing.conll"])

    assert [item.spans for item in files[str(path)]] == [(Span(3, 11, "LOC"),)]
    assert len(files) == 2
    with pytest.raises(CorpusError):
        files[str(tmp_path / "missing.conll")]


def test_settings_wrap_the_family(tmp_path):
    path = tmp_path / "afr.conll"
    path.write_text("In O\nKaapstad B-LOC\n\n", encoding="utf-8")

    assert isinstance(build_family(TaggerSettings(auxiliary=(path,))), AuxiliaryFamily)
    assert isinstance(build_family(TaggerSettings()), CrfFamily)
    with pytest.raises(ConfigurationError, match="no file"):
        build_family(TaggerSettings(auxiliary=(tmp_path / "gone.conll",)))
