"""Which of the texts that an LLM labelled a human should label again.

Those in which most is expected to be wrong when all has been put together: what a tagger that
learnt from humans sees in the text, what the LLM says of it, and where human labels have shown the
LLM to err (:mod:`backend.active_learning.correction`). It is uncertainty sampling (Lewis & Gale,
1994), but of the corrected label: a tagger's doubt that the LLM settles is none, and an error of
the LLM that correction mends needs no human.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.active_learning.label_loss import cross_fitted_loss
from backend.active_learning.mixing import Labels, correct
from backend.active_learning.trainer import Trainer
from backend.domain import Example
from backend.errors import InputError
from backend.protocols import FloatArray


def choose_for_humans(
    human: Sequence[Example],
    llm: Sequence[Example],
    budget: float,
    trainer: Trainer,
    seconds: FloatArray | None = None,
) -> list[int]:
    """Places in ``llm`` of the texts that a human should label, most doubtful label first.

    ``budget`` counts texts; with ``seconds``, (n_llm,) of a human's time for each, it is in seconds
    and the texts with the most doubt for their time are chosen. Never more than the budget.
    ``llm`` may hold texts that humans labelled as well: they are never chosen, and tell how the LLM
    errs.
    """
    doubts = doubts_left(human, llm, trainer)
    prices = np.ones(len(llm)) if seconds is None else np.asarray(seconds, dtype=np.float64)
    if prices.shape != doubts.shape or not (prices > 0).all():
        raise InputError(
            f"Choosing among {len(llm)} texts by a human's time needs a positive number of "
            f"seconds for each."
        )
    chosen: list[int] = []
    labelled = {example.text for example in human}
    for place in np.argsort(-doubts / prices, kind="stable"):
        if prices[place] <= budget and llm[place].text not in labelled:
            budget -= float(prices[place])
            chosen.append(int(place))
    return chosen


def doubts_left(human: Sequence[Example], llm: Sequence[Example], trainer: Trainer) -> FloatArray:
    """(n_llm,): of each text, how many corrected tags are expected to be wrong; 0 if a human's.

    Where humans have labelled no span there is no view but the LLM's, and what counts is how
    unlikely taggers that learnt from it find each of its labels, in nats.
    """
    labels = Labels.sorted_out(human, llm)
    doubts = np.zeros(len(llm))
    is_open = [example.text not in labels.answers for example in llm]
    if base := trainer.train_apart(human):
        doubts[is_open] = [item.doubt for item in correct(labels, base, trainer)]
    else:
        doubts[is_open] = cross_fitted_loss(human, labels.unchecked, trainer)
    return doubts
