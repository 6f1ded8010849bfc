"""Ten thousand generated texts in many scripts, with everything in them that moves offsets."""

import json
import unicodedata
from collections.abc import Iterator
from random import Random

from backend.domain import LabelScheme, Span
from backend.llm.parsing import ParsedAnswer, parse_answer
from backend.llm.token_lists import align_token_lists, parse_token_lists
from backend.text.bio import from_bio
from backend.text.normalise import normalise
from backend.text.spans import align

TEXTS = 10_000
SCHEME = LabelScheme(("PER", "LOC"))
LABELS = ["PER", "LOC", "loc", "B-PER", "person", "CITY", "", "O"]

PIECES = [
    *"aAbBzZ09.,:;!?()[]{}\\/-_'\"`",
    *"ẹọṣńƙɗŋəɔʉßİıſﬁΐŉ",
    *"\u0301\u0323\u0300\u0308\u200b\u200c\u200d\u2060\ufeff\u00ad\u202e\u0000\ufffd",
    *"“”‘’„«»ʼʻꞌ′",
    *" \t\n\u00a0\u3000",
    *"ሰላምمرحباשלוםनमस्ते日本語ไทย한국",
    "👩🏾‍🏫", "🇳🇬", "e\u0301", "o\u0323\u0300", "\ud800", "Lagos", "Ìbàdàn", "O", "B-PER",
]  # fmt: skip


def texts(random: Random) -> Iterator[str]:
    for _ in range(TEXTS):
        yield "".join(random.choices(PIECES, k=random.randrange(25)))


def as_a_model_copies(words: str, random: Random) -> str:
    """The words with one of the changes that models make."""
    change = random.randrange(7)
    if change == 0:
        return unicodedata.normalize(random.choice(["NFC", "NFD"]), words)
    if change == 1:
        return words.swapcase()
    if change == 2:
        return words.replace('"', "“").replace("'", "’")
    if change == 3:
        return words.replace(" ", "  ") + "\u200b"
    if change == 4:
        at = random.randrange(len(words) + 1)
        return words[:at] + random.choice(PIECES) + words[at:]
    return words


def some_words(text: str, random: Random) -> str:
    start = random.randrange(len(text) + 1)
    return as_a_model_copies(text[start : start + random.randrange(9)], random)


def letters_in(text: str) -> str:
    """What no way of looking may leave out: letters and digits, without case and marks."""
    plain = unicodedata.normalize("NFD", normalise(text, fold_case=True).value)
    return "".join(filter(str.isalnum, plain))


def check(text: str, spans: tuple[Span, ...]) -> None:
    """Inside the text, in order, apart, and under labels of the scheme only."""
    end = 0
    for span in spans:
        assert end <= span.start < span.end <= len(text)
        assert span.label in SCHEME
        end = span.end


def test_every_mention_that_is_found_is_a_slice_of_the_text_with_its_words():
    random = Random(3)
    found = 0
    for text in texts(random):
        given = [(some_words(text, random), random.choice(LABELS)) for _ in range(2)]
        items = [{"mention": words, "label": label} for words, label in given]
        answer = parse_answer(json.dumps({"entities": items}))
        assert isinstance(answer, ParsedAnswer)
        alignment = align(text, answer.mentions, SCHEME)

        check(text, alignment.spans)
        wanted = {letters_in(mention.text) for mention in answer.mentions}
        assert {letters_in(text[span.start : span.end]) for span in alignment.spans} <= wanted
        assert all(rejection.reason for rejection in alignment.rejected)
        assert len(alignment.spans) + len(alignment.rejected) == len(answer.mentions)
        found += len(alignment.spans)
    assert found > TEXTS / 4


def test_every_labelled_token_is_a_slice_of_the_text():
    random = Random(5)
    exact = 0
    for text in texts(random):
        words = text.split()
        tags = [random.choice(["O", "B-PER", "B-LOC"]) for _ in words]
        pairs = [
            [as_a_model_copies(word, random), tag] for word, tag in zip(words, tags, strict=True)
        ]
        raw = random.choice([json.dumps, str])({"output": pairs})

        (labels,) = align_token_lists(parse_token_lists(raw), [words], SCHEME)
        offsets = list(offsets_of(words))
        joined = " ".join(words)
        spans = tuple(from_bio(offsets, labels.tags))

        check(joined, spans)
        assert all(joined[span.start : span.end] in joined for span in spans)
        assert labels.reason or len(labels.tags) == len(words)
        exact += list(labels.tags) == tags
    assert exact > TEXTS / 2


def offsets_of(words: list[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for word in words:
        yield start, start + len(word)
        start += len(word) + 1
