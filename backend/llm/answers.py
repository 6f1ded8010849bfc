"""What a reply means for its task: an aligned suggestion, or a failure with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from backend.domain import Answer, LabelScheme, Outcome, Source, Suggestion, Task
from backend.llm.chat import Completion, Failure, Stop
from backend.llm.logprobs import scored
from backend.llm.parsing import InvalidAnswer
from backend.llm.readings import Reader, Reading, read_mentions
from backend.text.spans import Mention, align

NO_ANSWER = {
    Stop.TRUNCATED: (
        Outcome.TRUNCATED,
        "the model reached its limit before the end of its answer; raise llm.max_output_tokens",
    ),
    Stop.REFUSED: (Outcome.REFUSED, "the model refused to answer"),
    Stop.FILTERED: (Outcome.FILTERED, "the provider's content filter withheld the answer"),
}

MOST_STRANGERS = 20
"""Mentions that are looked for in other texts, so that an answer full of nonsense takes no time."""


def answer_to(
    task: Task,
    scheme: LabelScheme,
    reply: Completion | Failure,
    source: Source,
    read: Reader = read_mentions,
) -> Answer:
    """The answer for ``task``; a suggestion only where there is an answer to suggest."""
    if isinstance(reply, Failure):
        return Answer(task.id, reply.outcome, detail=reply.detail)
    if reply.stop is not Stop.COMPLETE:
        outcome, detail = NO_ANSWER[reply.stop]
        return Answer(task.id, outcome, detail=detail)
    reading = read(reply.text, task.text, scheme)
    if isinstance(reading, InvalidAnswer):
        return Answer(task.id, Outcome.INVALID, detail=reading.reason)
    return _suggested(task, scored(reading, task.text, reply.certainties), source)


def _suggested(task: Task, reading: Reading, source: Source) -> Answer:
    spans, rejected = reading.alignment.spans, reading.rejected
    if rejected and not spans:
        detail = f"none of {len(rejected)} mentions could be used; the first: {rejected[0].reason}"
        return Answer(task.id, Outcome.INVALID, rejected=rejected, detail=detail)
    return Answer(
        task.id,
        Outcome.ANNOTATED,
        Suggestion(task.id, spans, confidence_in(reading), source),
        repaired=reading.alignment.repaired,
        rejected=rejected,
    )


def confidence_in(reading: Reading) -> float:
    """How sure the model is of its answer, in [0, 1].

    Its confidence in the whole list (1 if it stated none), times that in its weakest span, since
    one wrong span makes the sentence wrong, times the share of mentions that could be used, since
    invented ones speak against the rest. Verbal confidences run high (Xiong et al., 2024): this
    orders a queue before there is a tagger, and is no probability.
    """
    spans, rejected = reading.alignment.spans, len(reading.rejected)
    scores = [span.score for span in spans if span.score is not None]
    usable = len(spans) / (len(spans) + rejected) if rejected else 1.0
    stated = 1.0 if reading.confidence is None else reading.confidence
    return min(max(stated * min(scores, default=1.0) * usable, 0.0), 1.0)


def confused_texts(
    answer: Answer, own: str, texts: Mapping[str, str], scheme: LabelScheme
) -> set[str]:
    """The keys of texts that an answer mixes up, its ``own`` one among them; none if it does not.

    It does so if something that it names stands in another of the texts and not in its own.
    """
    named = dict.fromkeys((item.mention, item.label) for item in answer.rejected)
    mentions = [Mention(words, label) for words, label in islice(named, MOST_STRANGERS)]
    strangers = [m for m in mentions if not align(texts[own], [m], scheme).spans]
    if not strangers:
        return set()
    others = {key for key, text in texts.items() if align(text, strangers, scheme).spans}
    return others | {own} if others else set()
