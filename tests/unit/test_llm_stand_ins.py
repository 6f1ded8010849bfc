import numpy as np
import pytest

from backend.domain import Example, LabelScheme, Span
from backend.testing.imperfect import MistakeRates, gold_with_errors
from backend.text.spans import align

LABELS = ("PER", "LOC", "ORG", "DATE")
FLAWLESS = MistakeRates(0, 0, 0, 0)


def corpus(sentences: int) -> list[Example]:
    rng = np.random.default_rng(5)
    examples = []
    for number in range(sentences):
        words, spans, at = [], [], 0
        for _ in range(12):
            word = "".join(rng.choice(list("aeiou bdklmn".replace(" ", "")), 5))
            if rng.random() < 0.2:
                word = word.capitalize()
                spans.append(Span(at, at + len(word), str(rng.choice(LABELS))))
            words.append(word)
            at += len(word) + 1
        examples.append(Example(str(number), " ".join(words), tuple(spans)))
    return examples


def answers(examples, rates=None, seed=1):
    brain = gold_with_errors(examples, LABELS, seed, rates)
    return [align(e.text, brain(e.text), LabelScheme(LABELS)).spans for e in examples]


def test_without_mistakes_it_finds_the_gold_spans():
    examples = corpus(50)
    assert answers(examples, FLAWLESS) == [example.spans for example in examples]


def test_its_default_mistakes_make_an_f1_between_60_and_70():
    examples = corpus(600)
    right = predicted = gold = 0
    for example, spans in zip(examples, answers(examples), strict=True):
        right += len(set(spans) & set(example.spans))
        predicted += len(spans)
        gold += len(example.spans)
    assert 0.60 < 2 * right / (predicted + gold) < 0.70


def test_the_same_text_gets_the_same_answer_and_another_seed_another():
    examples = corpus(30)
    assert answers(examples) == answers(examples)
    assert answers(examples) != answers(examples, seed=2)


@pytest.mark.parametrize("text", ["", "Unheard of"])
def test_it_finds_nothing_in_texts_it_does_not_know(text: str):
    assert gold_with_errors([], LABELS, 1)(text) == []
