"""Doubt that shows when two look at the same text: a committee, the LLM, other annotators' losses.

Values are confidences in [0, 1], (n_texts,), low meaning "ask a human".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.active_learning.strategies.uncertainty import TOP_K, margin
from backend.active_learning.tokens import Tokens, entropies
from backend.domain import Span
from backend.errors import InputError
from backend.protocols import FloatArray, Pool


def vote_entropy(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """One minus the mean entropy of the members' votes for each token's tag.

    Query by committee, Engelson & Dagan (1996), as a share of the entropy of votes that all
    differ. The serving tagger votes too.
    """
    tokens, members = _committee(pool)  # members: (n_members, n_tokens, n_tags)
    n_members, _, n_tags = members.shape
    votes = np.eye(n_tags)[members.argmax(axis=2)].mean(axis=0)  # (n_tokens, n_tags)
    shares = entropies(votes) / np.log(max(2, min(n_members, n_tags)))
    return np.clip(1.0 - tokens.means(shares, empty=0.0), 0.0, 1.0)


def mutual_information(pool: Pool, _rng: np.random.Generator) -> FloatArray:
    """One minus what the members' answers at the three most contested tokens tell of the member.

    The mean Kullback-Leibler divergence from the members to their mean (query by committee,
    McCallum & Nigam, 1998) is the mutual information between tag and model (BALD, Houlsby et al.,
    2011): one measure, under the second name where the members are passes of one network with
    dropout left on (Gal, Islam & Ghahramani, 2017). In nats, as a share of the largest possible.
    """
    tokens, members = _committee(pool)  # members: (n_members, n_tokens, n_tags)
    n_members, n_tokens, n_tags = members.shape
    alone = entropies(members.reshape(-1, n_tags)).reshape(n_members, n_tokens)
    divergence = np.maximum(entropies(members.mean(axis=0)) - alone.mean(axis=0), 0.0)
    shares = divergence / np.log(max(2, min(n_members, n_tags)))
    return np.clip(1.0 - tokens.top_sums(shares, TOP_K) / TOP_K, 0.0, 1.0)


def llm_disagreement(pool: Pool, rng: np.random.Generator) -> FloatArray:
    """Agreement of the tagger's spans with the LLM's, halfway to the tagger's own margin.

    A committee of two that err differently; agreement is strict span F1, which is 1 where both
    find nothing. The margin parts texts of equal agreement, and stands alone where the LLM has
    not answered.
    """
    if pool.texts and not pool.suggested:
        raise InputError(
            "The strategy llm-disagreement compares the tagger with an LLM, and no LLM has been "
            "asked. Configure one (llm.provider), or choose another strategy."
        )
    sure = margin(pool, rng)
    agreement = np.array(
        [
            np.nan if spans is None else _agreement(tagging.spans, spans)
            for tagging, spans in zip(pool.taggings, pool.suggested, strict=True)
        ],
        dtype=np.float64,
    )
    return np.where(np.isnan(agreement), sure, (agreement + sure) / 2)


def label_loss_confidence(losses: FloatArray) -> FloatArray:
    """How likely taggers that never saw a text's label find it: exp(-loss), lowest for wrong ones.

    ``losses``: (n_texts,) in nats, at least 0, from taggers trained on the other folds (confident
    learning, Northcutt, Jiang & Chuang, 2021); ``nan`` where there is no label to doubt gives 1.
    (n_texts,) in [0, 1].
    """
    return np.exp(-np.clip(np.nan_to_num(losses, nan=0.0), 0.0, None))


def _agreement(one: Sequence[Span], other: Sequence[Span]) -> float:
    if not one and not other:
        return 1.0
    return 2 * len(set(one) & set(other)) / (len(set(one)) + len(set(other)))


def _committee(pool: Pool) -> tuple[Tokens, FloatArray]:
    """The serving tagger's tokens, and all members' probabilities of them."""
    if not pool.committee:
        raise InputError(
            "This strategy compares the members of a committee, and the pool has none. Give it "
            "taggings of further taggers (backend.active_learning.committee) or dropout passes."
        )
    voices = [Tokens.of(taggings) for taggings in (pool.taggings, *pool.committee)]
    if any(
        voice.probabilities.shape != voices[0].probabilities.shape
        or not np.array_equal(voice.lengths, voices[0].lengths)
        for voice in voices
    ):
        raise InputError(
            "The members of the committee cut the texts into different tokens or use different "
            "tags. All have to be taggers of one family and one labelling scheme."
        )
    return voices[0], np.stack([voice.probabilities for voice in voices])
