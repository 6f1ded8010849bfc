"""What unlabelled texts tell of words: which stand in the same places, which are written small.

Labels are few, texts without labels are many: a project has its whole pool. Words are put into
classes by the words beside them, at several granularities, and the classes are features of the CRF
(as Brown clusters are in Turian, Ratinov & Bengio, 2010), so that a word no label was given for is
like one that has some. The classes come from positive pointwise mutual information with the words
before and behind, a truncated singular value decomposition of it (Levy & Goldberg, 2014), and
k-means. And a capital says more of a word that is nowhere written without one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from backend.protocols import FloatArray

MOST_TOKENS = 500_000
"""Of so many tokens at most, from texts drawn at random, a lexicon is made."""

CLASSES = (32, 128, 512)
"""How many classes there are at each granularity, given at least twice as many words."""

_MOST_WORDS = 20_000
_MOST_NEIGHBOURS = 2_000
_LEAST_COUNT = 2
_DIMENSIONS = 60
_SMOOTHING = 0.75


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``classes``: of a word in small letters, its class at each granularity.

    ``small``: the words that are written without a capital somewhere. ``guesses``: what a word in
    small letters is taken for (:data:`~backend.tagger.crf_guesses.Guess`). An empty lexicon knows
    nothing, and gives no features.
    """

    classes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    small: frozenset[str] = frozenset()
    guesses: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def of_neighbour(self, word: str) -> tuple[bytes, ...]:
        """Features that a token has of the words beside it."""
        form = word.lower()
        return _named(self.classes.get(form, ()), self.guesses.get(form))

    def of_word(self, word: str) -> tuple[bytes, ...]:
        """Features that a token has of its own word."""
        features = self.of_neighbour(word)
        if self.small and word[:1].isupper():
            features += (b"also small" if word.lower() in self.small else b"never small",)
        return features

    def to_json(self) -> str:
        """The form in which it is kept with the model."""
        content = {
            "classes": self.classes,
            "small": sorted(self.small),
            "guesses": self.guesses,
        }
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, content: str) -> Lexicon:
        """Raises ``ValueError``, ``KeyError`` or ``TypeError`` for what is not a lexicon."""
        about = json.loads(content)
        classes = {word: tuple(map(int, numbers)) for word, numbers in about["classes"].items()}
        guesses = {
            word: (int(label), int(step))
            for word, (label, step) in about.get("guesses", {}).items()
        }
        return cls(classes, frozenset(map(str, about["small"])), guesses)


NO_LEXICON = Lexicon()


@lru_cache(maxsize=2**15)
def _named(classes: tuple[int, ...], guess: tuple[int, int] | None) -> tuple[bytes, ...]:
    names = [f"k{size}={number}" for size, number in zip(CLASSES, classes, strict=False)]
    if guess is not None:
        label, step = guess
        names += [f"g={label}", f"g={label}|{step}"]
    return tuple(name.encode() for name in names)


def lexicon_of(sentences: Sequence[Sequence[str]], rng: np.random.Generator) -> Lexicon:
    """The lexicon of sentences as words; deterministic for an equal generator.

    Takes seconds for ``MOST_TOKENS``, and some 200 MB.
    """
    chosen = list(_drawn(sentences, rng))
    small = {word for words in chosen for word in words if _is_small(word)}
    forms = [[word.lower() for word in words] for words in chosen]
    counts = Counter(form for words in forms for form in words)
    frequent = [form for form, count in counts.most_common(_MOST_WORDS) if count >= _LEAST_COUNT]
    sizes = [size for size in CLASSES if 2 * size <= len(frequent)]
    if not sizes:
        return Lexicon({}, frozenset(small))
    vectors = _vectors(forms, frequent, rng)
    classes = np.stack([_clusters(vectors, size, rng) for size in sizes], axis=1).tolist()
    return Lexicon(dict(zip(frequent, map(tuple, classes), strict=True)), frozenset(small))


def _drawn(sentences: Sequence[Sequence[str]], rng: np.random.Generator) -> Iterator[Sequence[str]]:
    """All sentences in order, or as many at random as have ``MOST_TOKENS`` words together."""
    lengths = np.array([len(words) for words in sentences], dtype=np.int64)
    if lengths.sum() <= MOST_TOKENS:
        yield from sentences
        return
    order = rng.permutation(len(sentences))
    kept = order[np.cumsum(lengths[order]) <= MOST_TOKENS]
    yield from (sentences[place] for place in kept.tolist())


def _is_small(word: str) -> bool:
    return word[:1].islower() and word == word.lower()


def _vectors(
    forms: Iterable[Sequence[str]], frequent: Sequence[str], rng: np.random.Generator
) -> FloatArray:
    """(n_words, n_dimensions): words of which the same stand before and behind are alike."""
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - slow to import
    from sklearn.preprocessing import normalize  # noqa: PLC0415

    associations = _associations(_neighbours(forms, frequent))
    size = min(_DIMENSIONS, min(associations.shape) - 1)
    reduced = TruncatedSVD(size, random_state=_seed(rng)).fit_transform(associations)
    vectors: FloatArray = normalize(reduced)
    return vectors


def _neighbours(forms: Iterable[Sequence[str]], frequent: Sequence[str]) -> csr_array:
    """(n_words, n_neighbours): how often each stands before or behind (two columns) a word.

    The columns are the most frequent words, any other one, and the sentence's edge.
    """
    number = {form: place for place, form in enumerate(frequent)}
    other = min(len(frequent), _MOST_NEIGHBOURS)
    edge, width = other + 1, other + 2
    rows: list[npt.NDArray[np.int64]] = []
    columns: list[npt.NDArray[np.int64]] = []
    for words in forms:
        numbers = np.array([number.get(form, -1) for form in words], dtype=np.int64)
        known = np.flatnonzero(numbers >= 0)
        near = np.where((numbers < 0) | (numbers >= other), other, numbers)
        padded = np.concatenate([[edge], near, [edge]])
        rows += [numbers[known], numbers[known]]
        columns += [padded[known], width + padded[known + 2]]
    places = np.concatenate(rows), np.concatenate(columns)
    counted = coo_array((np.ones(len(places[0])), places), shape=(len(frequent), 2 * width))
    return counted.tocsr()


def _associations(counts: csr_array) -> csr_array:
    """Positive pointwise mutual information, with rare neighbours held back."""
    of_rows = counts.sum(axis=1)
    of_columns = counts.sum(axis=0) ** _SMOOTHING
    found = counts.tocoo()
    row, column = found.coords
    expected = of_rows[row] * of_columns[column] / of_columns.sum()
    values = np.maximum(np.log(found.data / expected), 0)
    return csr_array((values, (row, column)), shape=counts.shape)


def _clusters(vectors: FloatArray, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    from sklearn.cluster import MiniBatchKMeans  # noqa: PLC0415 - slow to import

    means = MiniBatchKMeans(size, random_state=_seed(rng), n_init=3, batch_size=2048)
    clusters: npt.NDArray[np.int64] = means.fit_predict(vectors)
    return clusters


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
