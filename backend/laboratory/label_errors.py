"""Accepted labels of a project that are probably wrong, by a tagger that has not seen them."""

from __future__ import annotations

import numpy as np

from backend.errors import InputError
from backend.protocols import Progress, TaggerFamily, silent
from backend.quality.cross_fitting import CrossFit
from backend.quality.label_errors import Suspect, suspects
from backend.workspace import Workspace, having_read, trusted_examples

FOLDS = 5


def project_label_errors(
    work: Workspace, family: TaggerFamily, progress: Progress = silent
) -> list[Suspect]:
    """All suspects, the least believable first.

    ``family`` must give its probabilities over our own tokens, as the CRF does. Raises
    :class:`~backend.errors.InputError` while there are too few labels to learn from.
    """
    examples, _ = trusted_examples(work)
    # The pool only: a tagger that has guessed on a text is no judge of its labels.
    cross_fit = CrossFit(having_read(work, family, ()), work.scheme, FOLDS)
    if not cross_fit.is_possible(examples, work.learning.min_labels):
        raise InputError(
            f"{len(examples)} labels are too few to check them against each other: "
            f"{work.learning.min_labels} are needed without any fifth of them, some with spans."
        )
    rng = np.random.default_rng([work.learning.seed, len(examples)])
    texts = [example.text for example in examples]
    tagged = dict(cross_fit.tag(examples, texts, rng, progress))
    return suspects(examples, [tagged[at] for at in range(len(examples))], work.scheme)
