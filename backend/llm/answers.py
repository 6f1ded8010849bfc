"""What a reply means for its task: an aligned suggestion, or a failure with its reason."""

from __future__ import annotations

from backend.domain import Answer, LabelScheme, Outcome, Source, Suggestion, Task
from backend.llm.chat import Completion, Failure, Stop
from backend.llm.parsing import InvalidAnswer, ParsedAnswer, parse_answer
from backend.text.spans import Alignment, align

NO_ANSWER = {
    Stop.TRUNCATED: (
        Outcome.TRUNCATED,
        "the model reached its limit before the end of its answer; raise llm.max_output_tokens",
    ),
    Stop.REFUSED: (Outcome.REFUSED, "the model refused to answer"),
    Stop.FILTERED: (Outcome.FILTERED, "the provider's content filter withheld the answer"),
}


def answer_to(
    task: Task, scheme: LabelScheme, reply: Completion | Failure, source: Source
) -> Answer:
    """The answer for ``task``; a suggestion only where there is an answer to suggest."""
    if isinstance(reply, Failure):
        return Answer(task.id, reply.outcome, detail=reply.detail)
    if reply.stop is not Stop.COMPLETE:
        outcome, detail = NO_ANSWER[reply.stop]
        return Answer(task.id, outcome, detail=detail)
    parsed = parse_answer(reply.text)
    if isinstance(parsed, InvalidAnswer):
        return Answer(task.id, Outcome.INVALID, detail=parsed.reason)
    return _aligned(task, parsed, align(task.text, parsed.mentions, scheme), source)


def _aligned(task: Task, parsed: ParsedAnswer, alignment: Alignment, source: Source) -> Answer:
    rejected = parsed.malformed + alignment.rejected
    if rejected and not alignment.spans:
        detail = f"none of {len(rejected)} mentions could be used; the first: {rejected[0].reason}"
        return Answer(task.id, Outcome.INVALID, rejected=rejected, detail=detail)
    return Answer(
        task.id,
        Outcome.ANNOTATED,
        Suggestion(
            task.id, alignment.spans, confidence_in(parsed, alignment, len(rejected)), source
        ),
        repaired=alignment.repaired,
        rejected=rejected,
    )


def confidence_in(parsed: ParsedAnswer, alignment: Alignment, rejected: int) -> float:
    """How sure the model is of its answer, in [0, 1].

    Its confidence in the whole list (1 if it stated none), times that in its weakest span, since
    one wrong span makes the sentence wrong, times the share of mentions that could be used, since
    invented ones speak against the rest. Verbal confidences run high (Xiong et al., 2024): this
    orders a queue before there is a tagger, and is no probability.
    """
    scores = [span.score for span in alignment.spans if span.score is not None]
    usable = len(alignment.spans) / (len(alignment.spans) + rejected) if rejected else 1.0
    stated = 1.0 if parsed.confidence is None else parsed.confidence
    return min(max(stated * min(scores, default=1.0) * usable, 0.0), 1.0)
